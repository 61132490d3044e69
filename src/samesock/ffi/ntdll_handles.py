"""What the descriptor table asks about handles: ntdll's handle tables and names, and three calls of kernel32.

Declarations only. ntdll's are in no public import library; the layouts are those of phnt (System Informer's
headers), and on x64 a row is 40 bytes in both tables. `query_*` are thin: they grow the buffer, nothing more.
"""

from __future__ import annotations

import ctypes
import struct
from collections.abc import Iterator
from typing import Final, NamedTuple

from samesock.ffi import BOOL, DWORD, HANDLE, LPVOID, NEVER, NONZERO, ULONG, Function, Library

# ntstatus.h
STATUS_SUCCESS: Final = 0x00000000
STATUS_INFO_LENGTH_MISMATCH: Final = 0xC0000004
STATUS_INVALID_INFO_CLASS: Final = 0xC0000003
STATUS_BUFFER_OVERFLOW: Final = 0x80000005
STATUS_BUFFER_TOO_SMALL: Final = 0xC0000023
STATUS_INVALID_PARAMETER: Final = 0xC000000D

# ntexapi.h, ntpsapi.h, ntobapi.h
SystemExtendedHandleInformation: Final = 64
ProcessHandleInformation: Final = 51
ObjectNameInformation: Final = 1
ObjectTypeInformation: Final = 2

# AFD's own, in no SDK header: the local address of a socket (System Informer, Wine)
IOCTL_AFD_GET_ADDRESS: Final = 0x0001202F

OBJ_INHERIT: Final = 0x00000002
LARGEST_BUFFER: Final = 512 * 1024 * 1024

# wincon.h, winbase.h
PIPE_SERVER_END: Final = 0x00000001

Buffer = ctypes.Array[ctypes.c_char]

# SYSTEM_HANDLE_TABLE_ENTRY_INFO_EX: PVOID Object, ULONG_PTR UniqueProcessId, ULONG_PTR HandleValue, ULONG
# GrantedAccess, USHORT CreatorBackTraceIndex, USHORT ObjectTypeIndex, ULONG HandleAttributes, ULONG Reserved
_WORD = "Q" if ctypes.sizeof(ctypes.c_void_p) == 8 else "I"
SYSTEM_HANDLE_TABLE_ENTRY_INFO_EX: Final = struct.Struct(f"={_WORD}{_WORD}{_WORD}IHHII")

# PROCESS_HANDLE_TABLE_ENTRY_INFO: HANDLE HandleValue, SIZE_T HandleCount, SIZE_T PointerCount,
# ACCESS_MASK GrantedAccess, ULONG ObjectTypeIndex, ULONG HandleAttributes, ULONG Reserved
PROCESS_HANDLE_TABLE_ENTRY_INFO: Final = struct.Struct(f"={_WORD}{_WORD}{_WORD}IIII")

# Both tables begin with ULONG_PTR NumberOfHandles, ULONG_PTR Reserved.
TABLE_HEADER: Final = struct.Struct(f"={_WORD}{_WORD}")


class HandleRow(NamedTuple):
    """One handle, as either table tells it; `object` is 0 where the system hides the kernel's address."""

    value: int
    object: int
    access: int
    type_index: int
    attributes: int


class NtStatus(OSError):
    """A call that returned an NTSTATUS other than success; the status is in `status`."""

    def __init__(self, call: str, status: int) -> None:
        super().__init__(f"{call} failed with NTSTATUS {status:#010x}")
        self.status = status


class Ntdll(Library):
    """ntdll's functions, each returning an NTSTATUS; MSDN's parameters in MSDN's order."""

    dll = "ntdll.dll"

    # winternl.h. ctypes.c_int: the information classes are enumerations
    NtQuerySystemInformation: Function = Function(ULONG, ctypes.c_int, LPVOID, ULONG, LPVOID, fails=NONZERO)
    NtQueryInformationProcess: Function = Function(
        ULONG, HANDLE, ctypes.c_int, LPVOID, ULONG, LPVOID, fails=NONZERO
    )
    # Class 2, the type, never blocks. Class 1, the name, can block on a synchronous pipe that somebody reads.
    NtQueryObject: Function = Function(ULONG, HANDLE, ctypes.c_int, LPVOID, ULONG, LPVOID, fails=NONZERO)

    # phnt's ntrtl.h: a pointer to the process environment block, no NTSTATUS
    RtlGetCurrentPeb: Function = Function(ctypes.c_size_t, fails=NEVER)

    # ntifs.h. With an IO_STATUS_BLOCK and no event, so only for what answers at once.
    NtDeviceIoControlFile: Function = Function(
        ULONG, HANDLE, HANDLE, LPVOID, LPVOID, LPVOID, ULONG, LPVOID, ULONG, LPVOID, ULONG, fails=NONZERO
    )


class Kernel32Handles(Library):
    """What kernel32 says of one handle: all three may block on one that somebody is using."""

    dll = "kernel32.dll"

    # fileapi.h, consoleapi.h, namedpipeapi.h
    GetFinalPathNameByHandleW: Function = Function(DWORD, HANDLE, LPVOID, DWORD, DWORD, fails=0)
    GetConsoleMode: Function = Function(BOOL, HANDLE, LPVOID, fails=0)
    GetNamedPipeInfo: Function = Function(BOOL, HANDLE, LPVOID, LPVOID, LPVOID, LPVOID, fails=0)


ntdll: Ntdll = Ntdll()
kernel32_handles: Kernel32Handles = Kernel32Handles()


class _Sizes:
    """The size that the system's table needed last time: a real machine's has some 200,000 rows."""

    system = 64 * 1024


def query_system_handles(pid: int) -> list[HandleRow]:
    """Process `pid`'s rows of the system's handle table (class 64); raises `NtStatus`."""
    size = _Sizes.system
    while size <= LARGEST_BUFFER:
        buffer = ctypes.create_string_buffer(size)
        needed = ULONG(0)
        status = ntdll.NtQuerySystemInformation(
            SystemExtendedHandleInformation, buffer, size, ctypes.byref(needed)
        )
        if status == STATUS_SUCCESS:
            _Sizes.system = size
            return list(_system_rows(buffer.raw, pid))
        if status != STATUS_INFO_LENGTH_MISMATCH:
            raise NtStatus("NtQuerySystemInformation(SystemExtendedHandleInformation)", status)
        # Other processes open handles meanwhile: an eighth more than asked for keeps this from looping.
        size = max(size * 2, needed.value + needed.value // 8)
    raise NtStatus("NtQuerySystemInformation(SystemExtendedHandleInformation)", STATUS_INFO_LENGTH_MISMATCH)


def _system_rows(raw: bytes, pid: int) -> Iterator[HandleRow]:
    count, _ = TABLE_HEADER.unpack_from(raw)
    start = TABLE_HEADER.size
    rows = memoryview(raw)[start : start + count * SYSTEM_HANDLE_TABLE_ENTRY_INFO_EX.size]
    for row in SYSTEM_HANDLE_TABLE_ENTRY_INFO_EX.iter_unpack(rows):
        thing, owner, value, access, _, type_index, attributes, _ = row
        if owner == pid:
            yield HandleRow(value, thing, access, type_index, attributes)


def query_process_handles(process: int) -> list[HandleRow]:
    """The rows of the process behind the handle `process` (class 51, Windows 8 and later); raises `NtStatus`.

    The buffer starts zeroed: some minimal processes succeed without writing a header.
    """
    size = 16 * 1024
    while size <= LARGEST_BUFFER:
        buffer = ctypes.create_string_buffer(size)
        needed = ULONG(0)
        status = ntdll.NtQueryInformationProcess(
            process, ProcessHandleInformation, buffer, size, ctypes.byref(needed)
        )
        if status == STATUS_SUCCESS:
            raw = buffer.raw
            count, _ = TABLE_HEADER.unpack_from(raw)
            start = TABLE_HEADER.size
            rows = memoryview(raw)[start : start + count * PROCESS_HANDLE_TABLE_ENTRY_INFO.size]
            entries = PROCESS_HANDLE_TABLE_ENTRY_INFO.iter_unpack(rows)
            return [
                HandleRow(value, 0, access, type_index, attributes)
                for value, _, _, access, type_index, attributes, _ in entries
            ]
        if status != STATUS_INFO_LENGTH_MISMATCH:
            raise NtStatus("NtQueryInformationProcess(ProcessHandleInformation)", status)
        size = max(size * 2, needed.value + needed.value // 8)
    raise NtStatus("NtQueryInformationProcess(ProcessHandleInformation)", STATUS_INFO_LENGTH_MISMATCH)


def _unicode_string(buffer: Buffer) -> str:
    """The UNICODE_STRING {USHORT Length, USHORT MaximumLength, PWSTR Buffer} at the start of `buffer`."""
    length = int.from_bytes(buffer.raw[:2], "little")
    word = ctypes.sizeof(ctypes.c_void_p)
    address = int.from_bytes(buffer.raw[word : 2 * word], "little")
    return ctypes.string_at(address, length).decode("utf-16-le", "replace") if address and length else ""


def _query_object_string(handle: int, kind: int) -> str:
    buffer = ctypes.create_string_buffer(2048)
    needed = ULONG(0)
    status = ntdll.NtQueryObject(handle, kind, buffer, len(buffer), ctypes.byref(needed))
    if status in (STATUS_INFO_LENGTH_MISMATCH, STATUS_BUFFER_OVERFLOW, STATUS_BUFFER_TOO_SMALL):
        buffer = ctypes.create_string_buffer(max(needed.value, 65_536) + 16)
        status = ntdll.NtQueryObject(handle, kind, buffer, len(buffer), ctypes.byref(needed))
    if status != STATUS_SUCCESS:
        raise NtStatus(f"NtQueryObject({handle:#x}, {kind})", status)
    return _unicode_string(buffer)


def query_type_name(handle: int) -> str:
    """The name of the handle's type ("File", "Event", "Key"): never blocks; raises `NtStatus`."""
    return _query_object_string(handle, ObjectTypeInformation)


def query_object_name(handle: int) -> str:
    r"""The handle's name in the object manager (`\Device\...`), "" when it has none: MAY BLOCK on a pipe."""
    return _query_object_string(handle, ObjectNameInformation)
