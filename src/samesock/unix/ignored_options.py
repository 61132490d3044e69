"""Socket options that BSD takes for a Unix socket and that mean nothing to it: remembered, and never passed
down.

Values come and go as CPython's setsockopt and getsockopt have them on Linux. What must never be put here: an
option that does something.
"""

from __future__ import annotations

import _socket
import struct
import sys
from typing import Final

from samesock import _errors, _message_arguments

IGNORED: Final = frozenset({_socket.SO_REUSEADDR, _socket.SO_KEEPALIVE})
"""Winsock answers WSAENOPROTOOPT to SO_KEEPALIVE of a Unix socket, and takes SO_REUSEADDR only to let bind
fail with WSAEOPNOTSUPP (curl PR 19812)."""


def switched(*value: object) -> int:
    """What setsockopt makes of a switch's value: 0 or 1. Raises what C raises for one that is none."""
    if len(value) == 1 and isinstance(value[0], int) and -(2**31) <= value[0] < 2**31:
        return int(value[0] != 0)
    if len(value) == 2 and value[0] is None:
        raise _errors.named_error("EFAULT", "setting a socket option without a value")
    if len(value) != 1:
        raise TypeError(f"setsockopt() takes 3 or 4 arguments ({2 + len(value)} given)")
    if isinstance(value[0], int) and sys.version_info >= (3, 15):
        raise OverflowError("an option's value is an int of 4 bytes")  # Before, C then asked for bytes.
    try:
        given = bytes(memoryview(value[0]))  # type: ignore[arg-type]
    except TypeError:
        raise TypeError(f"a bytes-like object is required, not {type(value[0]).__name__!r}") from None
    if len(given) < 4:
        raise _errors.named_error("EINVAL", "setting a socket option; its value is an int of 4 bytes")
    return int(given[:4] != bytes(4))


def lingering(*value: object) -> tuple[int, int]:
    """What setsockopt makes of SO_LINGER's value: whether, and for how many seconds. Winsock has two shorts where
    POSIX has two ints; either is taken where the system is Winsock."""
    given = b""
    if len(value) == 1 and not isinstance(value[0], int):
        given = _message_arguments.bytes_of(value[0]).tobytes()
    form = "=ii" if len(given) >= 8 else "=HH"
    if len(value) != 1 or len(given) < 4 or (form == "=HH" and not _SHORTS):
        raise _errors.named_error("EINVAL", "setting SO_LINGER; its value is two ints")
    switch, seconds = struct.unpack_from(form, given)
    return (1, seconds) if switch else (0, 0)


_SHORTS = hasattr(_socket, "SO_EXCLUSIVEADDRUSE")


def as_asked(value: int, length: int = 0, *more: int) -> int | bytes:
    """What getsockopt gives for the value: an int, or at most `length` of its bytes and of the ints' that follow it."""
    if length == 0:
        return value
    if not 0 < length <= 1024:
        raise OSError("getsockopt buflen out of range")  # CPython's words and limit, and no errno
    return struct.pack(f"={1 + len(more)}i", value, *more)[:length]
