"""What a program gives `sendmsg` and `recvmsg_into`: buffers and control messages, taken and refused as CPython does.

Pure, and all of it before anything is sent or taken: an argument of a wrong kind costs nobody a message. What must
never be put here: what a control message means.
"""

from __future__ import annotations

import operator
from typing import Any, Final

from samesock._errors import named_error

MOST_BUFFERS: Final = 1024
"""POSIX's IOV_MAX, as Linux, macOS and FreeBSD have it."""

Message = tuple[int, int, bytes]
"""A control message: level, type, data."""


def readable(buffers: Any) -> list[memoryview]:
    """sendmsg's buffers as plain bytes; `TypeError` for what has none, `BufferError` for one that lies in pieces."""
    return [bytes_of(item) for item in _items(buffers, "sendmsg", 1)]


def writable(buffers: Any) -> list[memoryview]:
    """recvmsg_into's buffers, to be filled; `TypeError` for what cannot be."""
    text = "recvmsg_into() argument 1 must be an iterable of single-segment read-write buffers"
    views = []
    for item in _items(buffers, "recvmsg_into", 1):
        try:
            view = memoryview(item)
        except TypeError:
            raise TypeError(text) from None
        if view.readonly or not view.c_contiguous:
            raise TypeError(text)
        views.append(view.cast("B") if view.nbytes else memoryview(bytearray()))
    return views


def require_few(views: list[memoryview], method: str) -> list[memoryview]:
    """The buffers, which are no more than POSIX lets one call have: `EMSGSIZE` else."""
    if len(views) > MOST_BUFFERS:
        raise named_error("EMSGSIZE", f"{method}() of {len(views)} buffers; {MOST_BUFFERS} is the most")
    return views


def control(ancdata: Any) -> list[Message]:
    """sendmsg's control messages; `TypeError` for anything but tuples of two integers and a bytes-like object."""
    messages = []
    for item in _items(ancdata, "sendmsg", 2):
        if not isinstance(item, tuple) or len(item) != 3:
            raise TypeError("sendmsg() argument 2 must be an iterable of tuples (level, type, data)")
        level, number, data = item
        messages.append((operator.index(level), operator.index(number), bytes(bytes_of(data))))
    return messages


def bytes_of(data: Any) -> memoryview:
    """The object's memory as plain bytes. Raises in C's words."""
    try:
        view = memoryview(data)
    except TypeError:
        raise TypeError(f"a bytes-like object is required, not {type(data).__name__!r}") from None
    if not view.c_contiguous:
        raise BufferError("memoryview: underlying buffer is not C-contiguous")
    return view.cast("B") if view.nbytes else memoryview(b"")


def _items(given: Any, method: str, place: int) -> list[Any]:
    try:
        return list(given)
    except TypeError:
        raise TypeError(f"{method}() argument {place} must be an iterable") from None
