"""libc: connect(2) to AF_UNSPEC, which Python's own `connect` cannot express, and pidfd_getfd(2), which it lacks."""

from __future__ import annotations

import ctypes
import functools
import os
import sys

# struct sockaddr with family AF_UNSPEC; the BSDs begin with a length byte.
AF_UNSPEC_ADDRESS = bytes(16) if sys.platform == "linux" else b"\x10" + bytes(15)


@functools.lru_cache(maxsize=1)
def _connect() -> ctypes._CFuncPtr:  # type: ignore[name-defined,unused-ignore]
    function = ctypes.CDLL(None, use_errno=True).connect
    function.argtypes = (ctypes.c_int, ctypes.c_char_p, ctypes.c_uint32)  # socklen_t is 32 bits wide
    function.restype = ctypes.c_int  # -1: see errno
    return function


def disconnect(number: int) -> None:
    """connect(number, {AF_UNSPEC}): the socket is unconnected again, and its automatic port is given back."""
    if _connect()(number, AF_UNSPEC_ADDRESS, len(AF_UNSPEC_ADDRESS)) != 0:
        code = ctypes.get_errno()
        raise OSError(code, f"disconnecting socket {number}: {os.strerror(code)}")


_SYS_PIDFD_GETFD = 438  # on every architecture: system calls have common numbers since 424


@functools.lru_cache(maxsize=1)
def _syscall() -> ctypes._CFuncPtr:  # type: ignore[name-defined,unused-ignore]
    function = ctypes.CDLL(None, use_errno=True).syscall
    # All are long: the numbers are passed in whole registers.
    function.argtypes = (ctypes.c_long, ctypes.c_long, ctypes.c_long, ctypes.c_long)
    function.restype = ctypes.c_long  # -1: see errno
    return function


def pidfd_getfd(process: int, number: int) -> int:
    """pidfd_getfd(process, number, 0): a descriptor, close-on-exec, for another process's number (Linux 5.6)."""
    found: int = _syscall()(_SYS_PIDFD_GETFD, process, number, 0)
    if found < 0:
        code = ctypes.get_errno()
        raise OSError(code, f"fetching descriptor {number} of another process: {os.strerror(code)}")
    return found
