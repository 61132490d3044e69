"""kernel32: files, events, processes and handles.

Declarations only. `GetLastError` in this table gives the error of this thread's last call through any table.
"""

from __future__ import annotations

import ctypes
from typing import Final

from samesock.ffi import (
    BOOL,
    DWORD,
    HANDLE,
    INVALID_HANDLE_VALUE,
    LPCWSTR,
    LPVOID,
    NEVER,
    NULL,
    ULONG_PTR,
    Function,
    Library,
)

# winnt.h
GENERIC_READ: Final = 0x80000000
GENERIC_WRITE: Final = 0x40000000
DELETE: Final = 0x00010000
READ_CONTROL: Final = 0x00020000
SYNCHRONIZE: Final = 0x00100000
FILE_READ_ATTRIBUTES: Final = 0x0080
FILE_SHARE_READ: Final = 0x00000001
FILE_SHARE_WRITE: Final = 0x00000002
FILE_SHARE_DELETE: Final = 0x00000004
FILE_ATTRIBUTE_DIRECTORY: Final = 0x00000010
FILE_ATTRIBUTE_NORMAL: Final = 0x00000080
FILE_ATTRIBUTE_REPARSE_POINT: Final = 0x00000400
FILE_PERSISTENT_ACLS: Final = 0x00000008
EVENT_MODIFY_STATE: Final = 0x0002
PROCESS_DUP_HANDLE: Final = 0x0040
PROCESS_QUERY_LIMITED_INFORMATION: Final = 0x1000
DUPLICATE_CLOSE_SOURCE: Final = 0x00000001
DUPLICATE_SAME_ACCESS: Final = 0x00000002

# fileapi.h
CREATE_NEW: Final = 1
OPEN_EXISTING: Final = 3
INVALID_FILE_ATTRIBUTES: Final = 0xFFFFFFFF

# winbase.h
FILE_FLAG_OPEN_REPARSE_POINT: Final = 0x00200000
FILE_FLAG_BACKUP_SEMANTICS: Final = 0x02000000  # what opening a directory needs
SECURITY_ANONYMOUS: Final = 0x00000000
SECURITY_SQOS_PRESENT: Final = 0x00100000
FILE_TYPE_DISK: Final = 0x0001
HANDLE_FLAG_INHERIT: Final = 0x00000001
WAIT_OBJECT_0: Final = 0x00000000
WAIT_TIMEOUT: Final = 0x00000102
WAIT_FAILED: Final = 0xFFFFFFFF
INFINITE: Final = 0xFFFFFFFF

# minwinbase.h, of FILE_INFO_BY_HANDLE_CLASS
FileBasicInfo: Final = 0
FileDispositionInfo: Final = 4

# winerror.h
ERROR_FILE_NOT_FOUND: Final = 2
ERROR_PATH_NOT_FOUND: Final = 3
ERROR_ACCESS_DENIED: Final = 5
ERROR_INVALID_HANDLE: Final = 6
ERROR_SHARING_VIOLATION: Final = 32
ERROR_LOCK_VIOLATION: Final = 33
ERROR_FILE_EXISTS: Final = 80
ERROR_INVALID_PARAMETER: Final = 87
ERROR_INSUFFICIENT_BUFFER: Final = 122
ERROR_INVALID_NAME: Final = 123
ERROR_ALREADY_EXISTS: Final = 183
ERROR_CANT_ACCESS_FILE: Final = 1920


class SECURITY_ATTRIBUTES(ctypes.Structure):
    """minwinbase.h."""

    _fields_ = [
        ("nLength", DWORD),
        ("lpSecurityDescriptor", LPVOID),
        ("bInheritHandle", BOOL),
    ]


class FILETIME(ctypes.Structure):
    """minwinbase.h: 100 ns since 1601, in two halves; so aligned by 4, not by 8."""

    _fields_ = [
        ("dwLowDateTime", DWORD),
        ("dwHighDateTime", DWORD),
    ]


class BY_HANDLE_FILE_INFORMATION(ctypes.Structure):
    """fileapi.h."""

    _fields_ = [
        ("dwFileAttributes", DWORD),
        ("ftCreationTime", FILETIME),
        ("ftLastAccessTime", FILETIME),
        ("ftLastWriteTime", FILETIME),
        ("dwVolumeSerialNumber", DWORD),
        ("nFileSizeHigh", DWORD),
        ("nFileSizeLow", DWORD),
        ("nNumberOfLinks", DWORD),
        ("nFileIndexHigh", DWORD),
        ("nFileIndexLow", DWORD),
    ]


class FILE_DISPOSITION_INFO(ctypes.Structure):
    """winbase.h."""

    _fields_ = [("DeleteFile", ctypes.c_uint8)]  # BOOLEAN is one byte, BOOL four


class Kernel32(Library):
    """The functions, with MSDN's parameters in MSDN's order."""

    dll = "kernel32.dll"

    # errhandlingapi.h, handleapi.h
    GetLastError: Function = Function(DWORD, fails=NEVER)
    CloseHandle: Function = Function(BOOL, HANDLE, fails=0)
    DuplicateHandle: Function = Function(BOOL, HANDLE, HANDLE, HANDLE, LPVOID, DWORD, BOOL, DWORD, fails=0)
    GetHandleInformation: Function = Function(BOOL, HANDLE, LPVOID, fails=0)
    SetHandleInformation: Function = Function(BOOL, HANDLE, DWORD, DWORD, fails=0)

    # fileapi.h, winbase.h
    CreateFileW: Function = Function(
        HANDLE, LPCWSTR, DWORD, DWORD, LPVOID, DWORD, DWORD, HANDLE, fails=INVALID_HANDLE_VALUE
    )
    CreateDirectoryW: Function = Function(BOOL, LPCWSTR, LPVOID, fails=0)
    ReadFile: Function = Function(BOOL, HANDLE, LPVOID, DWORD, LPVOID, LPVOID, fails=0)
    WriteFile: Function = Function(BOOL, HANDLE, LPVOID, DWORD, LPVOID, LPVOID, fails=0)
    GetFileType: Function = Function(DWORD, HANDLE, fails=0)
    GetFileAttributesW: Function = Function(DWORD, LPCWSTR, fails=INVALID_FILE_ATTRIBUTES)
    GetFileInformationByHandle: Function = Function(BOOL, HANDLE, LPVOID, fails=0)
    # ctypes.c_int: FILE_INFO_BY_HANDLE_CLASS is an enumeration
    GetFileInformationByHandleEx: Function = Function(BOOL, HANDLE, ctypes.c_int, LPVOID, DWORD, fails=0)
    SetFileInformationByHandle: Function = Function(BOOL, HANDLE, ctypes.c_int, LPVOID, DWORD, fails=0)
    GetVolumeInformationByHandleW: Function = Function(
        BOOL, HANDLE, LPVOID, DWORD, LPVOID, LPVOID, LPVOID, LPVOID, DWORD, fails=0
    )

    # synchapi.h. An event that exists is opened: the handle is good, and GetLastError is
    # ERROR_ALREADY_EXISTS.
    CreateEventW: Function = Function(HANDLE, LPVOID, BOOL, BOOL, LPCWSTR, fails=NULL)
    OpenEventW: Function = Function(HANDLE, DWORD, BOOL, LPCWSTR, fails=NULL)
    SetEvent: Function = Function(BOOL, HANDLE, fails=0)
    WaitForSingleObject: Function = Function(DWORD, HANDLE, DWORD, fails=WAIT_FAILED)

    # processthreadsapi.h
    OpenProcess: Function = Function(HANDLE, DWORD, BOOL, DWORD, fails=NULL)
    GetCurrentProcess: Function = Function(HANDLE, fails=NEVER)
    GetCurrentProcessId: Function = Function(DWORD, fails=NEVER)
    GetProcessTimes: Function = Function(BOOL, HANDLE, LPVOID, LPVOID, LPVOID, LPVOID, fails=0)

    # winbase.h. The one function here whose success is NULL.
    LocalFree: Function = Function(ULONG_PTR, ULONG_PTR, fails=-1)


kernel32: Kernel32 = Kernel32()
