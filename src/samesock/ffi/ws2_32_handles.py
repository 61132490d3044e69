"""ws2_32's questions about a number that may be no socket at all.

Python's own socket class asks `getsockname` first, raises an audit event for each object, and closes what it
adopted when it is forgotten: three things that a look at somebody else's handle must not do. Declarations only, and
only calls that change nothing.
"""

from __future__ import annotations

import ctypes
import functools
import sys


@functools.cache
def _function(name: str, *arguments: type) -> ctypes._CFuncPtr:  # type: ignore[name-defined,unused-ignore]
    """ws2_32's function `name`, returning an int: SOCKET_ERROR (-1) is failure. WSAStartup is `_socket`'s work."""
    if sys.platform != "win32":
        raise OSError(f"{name}: this system has no ws2_32")
    import _socket  # noqa: F401  (its import starts Winsock)

    function = getattr(ctypes.WinDLL("ws2_32", use_last_error=True), name)
    function.argtypes = arguments
    function.restype = ctypes.c_int
    return function


def _failure(name: str, number: int) -> OSError:
    """The Winsock error of the call that just failed, its code kept in `winerror`."""
    if sys.platform != "win32":
        return OSError(name)
    return OSError(0, f"{name} of {number:#x}", None, ctypes.get_last_error())


# SOCKET is UINT_PTR: 64 bits wide on x64, although every value seen fits into 32.
_SOCKET, _INT, _PVOID = ctypes.c_size_t, ctypes.c_int, ctypes.c_void_p


def getsockopt(s: int, level: int, optname: int, optlen: int) -> bytes:
    """getsockopt(s, level, optname, optval, optlen): -1 is failure; the value as bytes."""
    value, length = ctypes.create_string_buffer(optlen), ctypes.c_int(optlen)
    function = _function("getsockopt", _SOCKET, _INT, _INT, _PVOID, _PVOID)
    if function(s, level, optname, value, ctypes.addressof(length)) != 0:
        raise _failure("getsockopt", s)
    return value.raw[: length.value]


def _name(call: str, s: int) -> bytes:
    value, length = ctypes.create_string_buffer(128), ctypes.c_int(128)
    if _function(call, _SOCKET, _PVOID, _PVOID)(s, value, ctypes.addressof(length)) != 0:
        raise _failure(call, s)
    return value.raw[: length.value]


def getsockname(s: int) -> bytes:
    """getsockname(s, name, namelen): -1 is failure (WSAEINVAL for an unbound socket); the raw sockaddr."""
    return _name("getsockname", s)


def getpeername(s: int) -> bytes:
    """getpeername(s, name, namelen): -1 is failure (WSAENOTCONN without a peer); the raw sockaddr."""
    return _name("getpeername", s)
