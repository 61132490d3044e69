"""What a wait asks of kernel32: completion ports, pipes looked into, consoles, cancelling; and one call of ntdll.

Declarations only.
"""

from __future__ import annotations

import ctypes
from typing import Final

from samesock.ffi import (
    BOOL,
    DWORD,
    HANDLE,
    LPVOID,
    NEVER,
    NONZERO,
    NULL,
    ULONG,
    ULONG_PTR,
    WORD,
    Function,
    Library,
)

# winbase.h, winnt.h
FILE_TYPE_UNKNOWN: Final = 0x0000
FILE_TYPE_DISK: Final = 0x0001
FILE_TYPE_CHAR: Final = 0x0002
FILE_TYPE_PIPE: Final = 0x0003
WAIT_OBJECT_0: Final = 0x00000000
WAIT_TIMEOUT: Final = 0x00000102
WAIT_FAILED: Final = 0xFFFFFFFF
INFINITE: Final = 0xFFFFFFFF

# winnt.h, processthreadsapi.h
THREAD_SET_CONTEXT: Final = 0x0010

# winerror.h
ERROR_INVALID_HANDLE: Final = 6
ERROR_MORE_DATA: Final = 234
ERROR_OPERATION_ABORTED: Final = 995
ERROR_IO_PENDING: Final = 997

# wincontypes.h, winuser.h
KEY_EVENT: Final = 0x0001
VK_SHIFT: Final = 0x10
VK_CONTROL: Final = 0x11
VK_MENU: Final = 0x12
VK_CAPITAL: Final = 0x14
VK_LWIN: Final = 0x5B
VK_RWIN: Final = 0x5C
VK_NUMLOCK: Final = 0x90
VK_SCROLL: Final = 0x91

# ntifs.h, of FILE_INFORMATION_CLASS
FilePipeLocalInformation: Final = 24


class OVERLAPPED(ctypes.Structure):
    """minwinbase.h."""

    _fields_ = [
        ("Internal", ULONG_PTR),
        ("InternalHigh", ULONG_PTR),
        ("Offset", DWORD),
        ("OffsetHigh", DWORD),
        ("hEvent", HANDLE),
    ]


class OVERLAPPED_ENTRY(ctypes.Structure):
    """minwinbase.h: one completion."""

    _fields_ = [
        ("lpCompletionKey", ULONG_PTR),
        ("lpOverlapped", ULONG_PTR),
        ("Internal", ULONG_PTR),
        ("dwNumberOfBytesTransferred", DWORD),
    ]


class KEY_EVENT_RECORD(ctypes.Structure):
    """wincontypes.h: 16 bytes, as wide as the union that it is in."""

    _fields_ = [
        ("bKeyDown", BOOL),
        ("wRepeatCount", WORD),
        ("wVirtualKeyCode", WORD),
        ("wVirtualScanCode", WORD),
        ("UnicodeChar", WORD),
        ("dwControlKeyState", DWORD),
    ]


class INPUT_RECORD(ctypes.Structure):
    """wincontypes.h: 20 bytes; of the union only the key event is looked at."""

    _fields_ = [
        ("EventType", WORD),
        ("KeyEvent", KEY_EVENT_RECORD),
    ]


class FILE_PIPE_LOCAL_INFORMATION(ctypes.Structure):
    """ntifs.h: ten ULONG."""

    _fields_ = [
        ("NamedPipeType", ULONG),
        ("NamedPipeConfiguration", ULONG),
        ("MaximumInstances", ULONG),
        ("CurrentInstances", ULONG),
        ("InboundQuota", ULONG),
        ("ReadDataAvailable", ULONG),
        ("OutboundQuota", ULONG),
        ("WriteQuotaAvailable", ULONG),
        ("NamedPipeState", ULONG),
        ("NamedPipeEnd", ULONG),
    ]


FILE_PIPE_CONNECTED_STATE: Final = 3


class IO_STATUS_BLOCK(ctypes.Structure):
    """wdm.h."""

    _fields_ = [
        ("Status", ULONG_PTR),
        ("Information", ULONG_PTR),
    ]


class Kernel32Waits(Library):
    """The functions, with MSDN's parameters in MSDN's order."""

    dll = "kernel32.dll"

    # ioapiset.h
    CreateIoCompletionPort: Function = Function(HANDLE, HANDLE, HANDLE, ULONG_PTR, DWORD, fails=NULL)
    GetQueuedCompletionStatusEx: Function = Function(
        BOOL, HANDLE, LPVOID, ULONG, LPVOID, DWORD, BOOL, fails=0
    )
    PostQueuedCompletionStatus: Function = Function(BOOL, HANDLE, DWORD, ULONG_PTR, LPVOID, fails=0)
    CancelIoEx: Function = Function(BOOL, HANDLE, LPVOID, fails=0)
    GetOverlappedResult: Function = Function(BOOL, HANDLE, LPVOID, LPVOID, BOOL, fails=0)
    CancelIo: Function = Function(BOOL, HANDLE, fails=0)

    # errhandlingapi.h, handleapi.h, fileapi.h, namedpipeapi.h
    GetLastError: Function = Function(DWORD, fails=NEVER)
    CloseHandle: Function = Function(BOOL, HANDLE, fails=0)
    GetFileType: Function = Function(DWORD, HANDLE, fails=FILE_TYPE_UNKNOWN)
    GetHandleInformation: Function = Function(BOOL, HANDLE, LPVOID, fails=0)
    ReadFile: Function = Function(BOOL, HANDLE, LPVOID, DWORD, LPVOID, LPVOID, fails=0)
    PeekNamedPipe: Function = Function(BOOL, HANDLE, LPVOID, DWORD, LPVOID, LPVOID, LPVOID, fails=0)

    # synchapi.h
    CreateEventW: Function = Function(HANDLE, LPVOID, BOOL, BOOL, LPVOID, fails=NULL)
    SetEvent: Function = Function(BOOL, HANDLE, fails=0)
    ResetEvent: Function = Function(BOOL, HANDLE, fails=0)
    WaitForSingleObject: Function = Function(DWORD, HANDLE, DWORD, fails=WAIT_FAILED)
    WaitForMultipleObjects: Function = Function(
        DWORD, DWORD, LPVOID, BOOL, DWORD, fails=WAIT_FAILED, prepared=True
    )
    SleepEx: Function = Function(DWORD, DWORD, BOOL, fails=NEVER)

    # processthreadsapi.h
    OpenThread: Function = Function(HANDLE, DWORD, BOOL, DWORD, fails=NULL)
    QueueUserAPC: Function = Function(DWORD, LPVOID, HANDLE, ULONG_PTR, fails=0)

    # consoleapi.h
    GetConsoleMode: Function = Function(BOOL, HANDLE, LPVOID, fails=0)
    GetNumberOfConsoleInputEvents: Function = Function(BOOL, HANDLE, LPVOID, fails=0)
    PeekConsoleInputW: Function = Function(BOOL, HANDLE, LPVOID, DWORD, LPVOID, fails=0)
    ReadConsoleInputW: Function = Function(BOOL, HANDLE, LPVOID, DWORD, LPVOID, fails=0)
    FlushConsoleInputBuffer: Function = Function(BOOL, HANDLE, fails=0)
    WriteConsoleInputW: Function = Function(BOOL, HANDLE, LPVOID, DWORD, LPVOID, fails=0)


class NtdllWaits(Library):
    """Returns an NTSTATUS."""

    dll = "ntdll.dll"

    # ntifs.h. ctypes.c_int: the information classes are enumerations
    NtQueryInformationFile: Function = Function(
        ULONG, HANDLE, LPVOID, LPVOID, ULONG, ctypes.c_int, fails=NONZERO
    )


kernel32_waits: Kernel32Waits = Kernel32Waits()
ntdll_waits: NtdllWaits = NtdllWaits()
