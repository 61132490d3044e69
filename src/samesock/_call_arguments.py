"""Numbers, sizes and buffers that a program gives a socket's methods, taken and refused in C's words.

Pure. A hot path asks here when a call has failed, which of the arguments is to blame; another one before it waits or
sends, so that a wrong argument costs nobody data. What must never be put here: lists of buffers and control messages
(`_message_arguments`), addresses.
"""

from __future__ import annotations

import operator
import sys
from typing import Any, Final

LONGEST: Final = sys.maxsize
"""The greatest size: a Py_ssize_t's."""

_GREATEST: Final = 2**31 - 1


def number(value: Any) -> int:
    """An int of C's: flags, an option's number. `TypeError`, `OverflowError`."""
    found = operator.index(value)
    if found > _GREATEST:
        raise OverflowError("signed integer is greater than maximum")
    if found < -_GREATEST - 1:
        raise OverflowError("signed integer is less than minimum")
    return found


def size(value: Any, method: str, text: str = "negative buffersize in {}") -> int:
    """How many bytes are wanted. `TypeError`, `OverflowError`, `ValueError` for fewer than none."""
    found = operator.index(value)
    if not -LONGEST - 1 <= found <= LONGEST:
        raise OverflowError("Python int too large to convert to C ssize_t")
    if found < 0:
        raise ValueError(text.format(method))
    return found


def size_of(data: Any) -> int:
    """How many bytes there are to send, which `len` does not say of every buffer, and of some wrongly. `TypeError`."""
    return len(data) if data.__class__ is bytes else memoryview(data).nbytes


def room(buffer: Any, nbytes: Any, method: str) -> memoryview:
    """The bytes of the buffer that may be filled, as recv_into counts them. `TypeError`, `ValueError`."""
    try:
        view = memoryview(buffer)
        usable = not view.readonly and view.c_contiguous
    except TypeError:
        usable = False
    if not usable:
        kind = "None" if buffer is None else type(buffer).__name__
        raise TypeError(f"{method}() argument 1 must be read-write bytes-like object, not {kind}")
    wanted = size(nbytes, method)
    if wanted > view.nbytes:
        raise ValueError(
            "buffer too small for requested bytes"
            if method == "recv_into"
            else "nbytes is greater than the length of the buffer"
        )
    whole = view.cast("B") if view.nbytes else memoryview(bytearray())
    return whole[: wanted or None]
