"""ntdll, as far as the descriptor table asks it: the handle tables of one process and of the whole system.

Declarations only. None of these is in a public import library; the layouts are those of phnt (System Informer's
headers), and on x64 a row is 40 bytes in both tables. `query_*` are thin: they grow the buffer, nothing more.

Loaded by every key snapshot on Windows, so nothing heavy may be imported here.
"""

from __future__ import annotations

import ctypes
import functools
import struct
import sys
from collections.abc import Iterator
from typing import Final, NamedTuple

# ntstatus.h
STATUS_SUCCESS: Final = 0x00000000
STATUS_INFO_LENGTH_MISMATCH: Final = 0xC0000004
STATUS_INVALID_INFO_CLASS: Final = 0xC0000003
STATUS_BUFFER_OVERFLOW: Final = 0x80000005
STATUS_BUFFER_TOO_SMALL: Final = 0xC0000023

# ntexapi.h, ntpsapi.h, ntobapi.h
SystemExtendedHandleInformation: Final = 64
ProcessHandleInformation: Final = 51
ObjectNameInformation: Final = 1
ObjectTypeInformation: Final = 2

OBJ_INHERIT: Final = 0x00000002
LARGEST_BUFFER: Final = 512 * 1024 * 1024

Buffer = ctypes.Array[ctypes.c_char]
Length = ctypes.c_ulong

# SYSTEM_HANDLE_TABLE_ENTRY_INFO_EX: PVOID Object, ULONG_PTR UniqueProcessId, ULONG_PTR HandleValue,
# ULONG GrantedAccess, USHORT CreatorBackTraceIndex, USHORT ObjectTypeIndex, ULONG HandleAttributes, ULONG Reserved
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


@functools.cache
def _function(name: str, *arguments: type) -> ctypes._CFuncPtr:  # type: ignore[name-defined,unused-ignore]
    """ntdll's function `name`, returning an NTSTATUS: 0 is success."""
    if sys.platform != "win32":
        raise OSError(f"{name}: this system has no ntdll")
    function = getattr(ctypes.WinDLL("ntdll"), name)
    function.argtypes = arguments
    function.restype = ctypes.c_uint32
    return function


_ULONG, _PVOID, _HANDLE, _CLASS = ctypes.c_ulong, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int


class Calls:
    """The calls, as a table that a test can replace; a status that is not 0 is a failure."""

    def NtQuerySystemInformation(self, SystemInformationClass: int, buffer: Buffer, needed: Length) -> int:
        """(class, buffer, its length, the length needed)."""
        function = _function("NtQuerySystemInformation", _CLASS, _PVOID, _ULONG, _PVOID)
        return int(function(SystemInformationClass, buffer, len(buffer), ctypes.addressof(needed)))

    def NtQueryInformationProcess(self, ProcessHandle: int, kind: int, buffer: Buffer, needed: Length) -> int:
        """(process, class, buffer, its length, the length needed)."""
        function = _function("NtQueryInformationProcess", _HANDLE, _CLASS, _PVOID, _ULONG, _PVOID)
        return int(function(ProcessHandle, kind, buffer, len(buffer), ctypes.addressof(needed)))

    def NtQueryObject(self, Handle: int, kind: int, buffer: Buffer, needed: Length) -> int:
        """(handle, class, buffer, its length, the length needed).

        Class 2, the type, never blocks. Class 1, the name, can block on a synchronous pipe that somebody reads.
        """
        function = _function("NtQueryObject", _HANDLE, _CLASS, _PVOID, _ULONG, _PVOID)
        return int(function(Handle, kind, buffer, len(buffer), ctypes.addressof(needed)))


calls = Calls()

_first_size = 64 * 1024


def query_system_handles(pid: int) -> list[HandleRow]:
    """Process `pid`'s rows of the system's handle table (class 64); raises `NtStatus`."""
    global _first_size
    size = _first_size
    while size <= LARGEST_BUFFER:
        buffer = ctypes.create_string_buffer(size)
        needed = ctypes.c_ulong(0)
        status = calls.NtQuerySystemInformation(SystemExtendedHandleInformation, buffer, needed)
        if status == STATUS_SUCCESS:
            _first_size = size
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
    for thing, owner, value, access, _, type_index, attributes, _ in SYSTEM_HANDLE_TABLE_ENTRY_INFO_EX.iter_unpack(rows):
        if owner == pid:
            yield HandleRow(value, thing, access, type_index, attributes)


def query_process_handles(process: int) -> list[HandleRow]:
    """The rows of the process behind the handle `process` (class 51, Windows 8 and later); raises `NtStatus`.

    The buffer starts zeroed: some minimal processes succeed without writing a header.
    """
    size = 16 * 1024
    while size <= LARGEST_BUFFER:
        buffer = ctypes.create_string_buffer(size)
        needed = ctypes.c_ulong(0)
        status = calls.NtQueryInformationProcess(process, ProcessHandleInformation, buffer, needed)
        if status == STATUS_SUCCESS:
            raw = buffer.raw
            count, _ = TABLE_HEADER.unpack_from(raw)
            start = TABLE_HEADER.size
            rows = memoryview(raw)[start : start + count * PROCESS_HANDLE_TABLE_ENTRY_INFO.size]
            return [
                HandleRow(value, 0, access, type_index, attributes)
                for value, _, _, access, type_index, attributes, _ in PROCESS_HANDLE_TABLE_ENTRY_INFO.iter_unpack(rows)
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
    needed = ctypes.c_ulong(0)
    status = calls.NtQueryObject(handle, kind, buffer, needed)
    if status in (STATUS_INFO_LENGTH_MISMATCH, STATUS_BUFFER_OVERFLOW, STATUS_BUFFER_TOO_SMALL):
        buffer = ctypes.create_string_buffer(max(needed.value, 65_536) + 16)
        status = calls.NtQueryObject(handle, kind, buffer, needed)
    if status != STATUS_SUCCESS:
        raise NtStatus(f"NtQueryObject({handle:#x}, {kind})", status)
    return _unicode_string(buffer)


def query_type_name(handle: int) -> str:
    """The name of the handle's type ("File", "Event", "Key"): never blocks; raises `NtStatus`."""
    return _query_object_string(handle, ObjectTypeInformation)


def query_object_name(handle: int) -> str:
    r"""The handle's name in the object manager (`\Device\...`), "" when it has none: MAY BLOCK on a pipe."""
    return _query_object_string(handle, ObjectNameInformation)
