"""kernel32: pipes with names, overlapped results and file positions, for `samesock.fd`.

Declarations only. What the rest of the library needs of kernel32 is in `samesock.ffi.kernel32`.
"""

from __future__ import annotations

import ctypes
from typing import Final

from samesock.ffi import (
    BOOL,
    DWORD,
    HANDLE,
    INVALID_HANDLE_VALUE,
    LARGE_INTEGER,
    LPCWSTR,
    LPVOID,
    ULONG_PTR,
    Function,
    Library,
)

# fileapi.h, winbase.h
FILE_TYPE_UNKNOWN: Final = 0x0000
FILE_TYPE_DISK: Final = 0x0001
FILE_TYPE_CHAR: Final = 0x0002
FILE_TYPE_PIPE: Final = 0x0003
FILE_FLAG_FIRST_PIPE_INSTANCE: Final = 0x00080000
FILE_BEGIN: Final = 0
FILE_CURRENT: Final = 1

# winnt.h
FILE_GENERIC_READ: Final = 0x00120089
FILE_WRITE_ATTRIBUTES: Final = 0x0100

# minwinbase.h, of FILE_INFO_BY_HANDLE_CLASS
FileNameInfo: Final = 2

# winbase.h, of named pipes
PIPE_ACCESS_DUPLEX: Final = 0x00000003
PIPE_TYPE_BYTE: Final = 0x00000000
PIPE_WAIT: Final = 0x00000000
PIPE_NOWAIT: Final = 0x00000001
PIPE_REJECT_REMOTE_CLIENTS: Final = 0x00000008

# winerror.h
ERROR_HANDLE_EOF: Final = 38
ERROR_BROKEN_PIPE: Final = 109
ERROR_PIPE_BUSY: Final = 231
ERROR_NO_DATA: Final = 232
ERROR_PIPE_NOT_CONNECTED: Final = 233
ERROR_MORE_DATA: Final = 234
ERROR_PIPE_CONNECTED: Final = 535
ERROR_PIPE_LISTENING: Final = 536
ERROR_IO_PENDING: Final = 997


class OVERLAPPED(ctypes.Structure):
    """minwinbase.h. The offset is of files alone; a pipe wants zeros there."""

    _fields_ = [
        ("Internal", ULONG_PTR),
        ("InternalHigh", ULONG_PTR),
        ("Offset", DWORD),
        ("OffsetHigh", DWORD),
        ("hEvent", HANDLE),
    ]


class Kernel32Files(Library):
    """The functions, with MSDN's parameters in MSDN's order."""

    dll = "kernel32.dll"

    # namedpipeapi.h
    CreatePipe: Function = Function(BOOL, LPVOID, LPVOID, LPVOID, DWORD, fails=0)
    CreateNamedPipeW: Function = Function(
        HANDLE, LPCWSTR, DWORD, DWORD, DWORD, DWORD, DWORD, DWORD, LPVOID, fails=INVALID_HANDLE_VALUE
    )
    ConnectNamedPipe: Function = Function(BOOL, HANDLE, LPVOID, fails=0)
    DisconnectNamedPipe: Function = Function(BOOL, HANDLE, fails=0)
    SetNamedPipeHandleState: Function = Function(BOOL, HANDLE, LPVOID, LPVOID, LPVOID, fails=0)
    GetNamedPipeHandleStateW: Function = Function(
        BOOL, HANDLE, LPVOID, LPVOID, LPVOID, LPVOID, LPVOID, DWORD, fails=0
    )

    # ioapiset.h, fileapi.h
    GetOverlappedResult: Function = Function(BOOL, HANDLE, LPVOID, LPVOID, BOOL, fails=0)
    SetFilePointerEx: Function = Function(BOOL, HANDLE, LARGE_INTEGER, LPVOID, DWORD, fails=0)
    GetFileSizeEx: Function = Function(BOOL, HANDLE, LPVOID, fails=0)


kernel32_files: Kernel32Files = Kernel32Files()
