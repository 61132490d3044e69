"""macOS's libproc: what a process has open. Declarations only.

Layouts are those of xnu's bsd/sys/proc_info.h. No run of ours has seen macOS: every structure's size is asserted
against the byte count that the kernel returns, so that a wrong layout is an error and never a wrong answer.
"""

from __future__ import annotations

import ctypes
import functools
import os
import sys
from typing import Final

# bsd/sys/proc_info.h
PROC_PIDLISTFDS: Final = 1


class proc_fdinfo(ctypes.Structure):
    """One open descriptor: 8 bytes."""

    _fields_ = [("proc_fd", ctypes.c_int32), ("proc_fdtype", ctypes.c_uint32)]
    proc_fd: int
    proc_fdtype: int


@functools.lru_cache(maxsize=1)
def _library() -> ctypes.CDLL:
    if sys.platform != "darwin":
        raise OSError("libproc: not on this system")
    return ctypes.CDLL("/usr/lib/libproc.dylib", use_errno=True)


class Calls:
    """The calls, as a table that a test can replace; a count of 0 or less is a failure, its reason in errno."""

    def proc_pidinfo(self, pid: int, flavor: int, arg: int, buffer: ctypes.Array[ctypes.c_char] | None) -> int:
        """(pid, flavor, arg, buffer): the bytes written, or the bytes wanted when there is no buffer."""
        function = _library().proc_pidinfo
        function.argtypes = (ctypes.c_int, ctypes.c_int, ctypes.c_uint64, ctypes.c_void_p, ctypes.c_int)
        function.restype = ctypes.c_int
        return int(function(pid, flavor, arg, buffer, 0 if buffer is None else len(buffer)))


calls = Calls()


def list_descriptors(pid: int) -> list[proc_fdinfo]:
    """Every descriptor of `pid`; raises `OSError`.

    The size that a call without a buffer gives can be too small by the time of the second one, and a full buffer
    looks like a complete answer: it grows until one entry stays spare (psutil issue 1901).
    """
    entry = ctypes.sizeof(proc_fdinfo)
    size = calls.proc_pidinfo(pid, PROC_PIDLISTFDS, 0, None)
    if size <= 0:
        code = ctypes.get_errno()
        raise OSError(code, f"listing the descriptors of process {pid}: {os.strerror(code)}")
    while True:
        buffer = ctypes.create_string_buffer(size + 32 * entry)
        filled = calls.proc_pidinfo(pid, PROC_PIDLISTFDS, 0, buffer)
        if filled <= 0:
            code = ctypes.get_errno()
            raise OSError(code, f"listing the descriptors of process {pid}: {os.strerror(code)}")
        if filled + entry <= len(buffer):
            return [proc_fdinfo.from_buffer_copy(buffer, at) for at in range(0, filled, entry)]
        size = len(buffer) * 2
