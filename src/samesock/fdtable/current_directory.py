"""The handle that Windows keeps open on a process's working directory, and opens anew at each change of directory.

It is read from where the system itself has it: the process's parameters, to which the process environment block points
(winternl.h; the offsets are phnt's). What must never be put here: any other handle.
"""

from __future__ import annotations

import ctypes
import sys
from typing import Final

from samesock.ffi.ntdll_handles import ntdll

# PEB.ProcessParameters, and RTL_USER_PROCESS_PARAMETERS.CurrentDirectory.Handle behind its UNICODE_STRING.
_PARAMETERS, _HANDLE = (0x20, 0x48) if ctypes.sizeof(ctypes.c_void_p) == 8 else (0x10, 0x2C)
_TAG_BITS: Final = 3
"""The low bits of a handle are its owner's to use."""


def current_directory_handle() -> int | None:
    """Its number; `None` where a working directory is no handle."""
    if sys.platform != "win32":
        return None
    block = ntdll.RtlGetCurrentPeb()
    parameters = ctypes.c_void_p.from_address(block + _PARAMETERS).value
    if not parameters:
        return None
    return (ctypes.c_size_t.from_address(parameters + _HANDLE).value & ~_TAG_BITS) or None
