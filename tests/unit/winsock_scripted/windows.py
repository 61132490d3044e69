"""A Windows by script: files, events and processes by name, and functions that fail when a test says so.

Every function that is not scripted fails the test when it is called, on every system. What must never be put here: what
the library should make of an answer.
"""
# ruff: noqa: N802, PLR0917 -- the scripted functions have Windows' names and parameters

from __future__ import annotations

import ctypes
import struct
from collections.abc import Callable
from typing import Any

import pytest

from samesock.backend import _windows_security as security
from samesock.backend import (
    winsock,
)
from samesock.backend._security_descriptor import SYSTEM, sid_bytes
from samesock.ffi import INVALID_HANDLE_VALUE, Function, Library
from samesock.ffi import kernel32 as declared
from samesock.ffi.advapi32 import advapi32
from samesock.ffi.afd import UNICODE_STRING, ntdll
from samesock.ffi.iphlpapi import iphlpapi
from samesock.ffi.kernel32 import kernel32
from samesock.ffi.ws2_32 import ws2_32

ME = "S-1-5-21-1-2-3-1001"
STRANGER = "S-1-5-21-1-2-3-1002"
EVERYBODY = "S-1-1-0"
FULL = 0x1F01FF
ID = bytes(16)


def code_of(error: OSError) -> object:
    """Windows' code in an exception: outside Windows an attribute that no type checker knows of."""
    return getattr(error, "winerror", None)


def security_descriptor(owner: str, *grants: tuple[str, int]) -> bytes:
    """The bytes of a descriptor with these grants."""
    aces = b"".join(
        struct.pack("<BBHI", 0, 0, 8 + len(sid_bytes(sid)), mask) + sid_bytes(sid) for sid, mask in grants
    )
    acl = struct.pack("<BBHHH", 2, 0, 8 + len(aces), len(grants), 0) + aces
    raw = sid_bytes(owner)
    return struct.pack("<BBHIIII", 1, 0, 0x8004, 20, 0, 0, 20 + len(raw)) + raw + acl


def mine(owner: str = ME) -> bytes:
    """The descriptor of an object of this user's alone."""
    return security_descriptor(owner, (owner, FULL), (SYSTEM, FULL))


def put(target: object, value: bytes | int) -> None:
    """Write through a `byref`, or into a buffer, what a function gives back."""
    if isinstance(target, ctypes.Array):
        assert isinstance(value, bytes)
        ctypes.memmove(target, value, len(value))
    else:
        target._obj.value = value  # type: ignore[attr-defined]


class Windows:
    """A scripted Windows: files by name, events by name, processes by number, and every handle counted.

    What a test sets in `failing` is the code with which a function fails, once for each time it is in the list.
    """

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.patch = patch
        self.error = 0
        self.open: dict[int, Any] = {}
        self.next = 100
        self.failing: dict[str, list[int]] = {}
        self.files: dict[str, bytes] = {}
        self.descriptors: dict[str, bytes] = {}
        self.attributes: dict[str, int] = {}
        self.times: dict[str, tuple[int, int, int]] = {}
        """When a file was made, last written and last changed, where that is told."""
        self.written: dict[str, int] = {}
        """What the program has set as the time of a file's last writing."""
        self.events: dict[str, bytes] = {}
        self.processes: dict[int, tuple[int, str | None]] = {}
        self.volume = declared.FILE_PERSISTENT_ACLS
        self.administrator = False
        self.discarded: list[str] = []
        self.calls: list[str] = []
        for library in (kernel32, advapi32, iphlpapi, ws2_32, ntdll):
            self._script(library)
        patch.setattr(security, "user", lambda: ME)

    def _script(self, library: Library) -> None:
        for function in vars(type(library)).values():
            if isinstance(function, Function):
                self.patch.setattr(library, function.name, self._logged(function))

    def _logged(self, function: Function) -> Callable[..., int]:
        scripted: Callable[..., int] | None = getattr(self, function.name, None)

        def called(*arguments: Any) -> int:
            assert scripted is not None, f"{function.name} is not scripted"
            if function.name != "GetLastError":
                self.calls.append(function.name)
            if self.failing.get(function.name):
                assert isinstance(function.fails, int)
                return self.fail(self.failing[function.name].pop(0), function.fails)
            return scripted(*arguments)

        return called

    def handle(self, thing: Any) -> int:
        self.next += 4
        self.open[self.next] = thing
        return self.next

    def fail(self, code: int, result: int = 0) -> int:
        self.error = code
        return result

    # kernel32

    def GetLastError(self) -> int:
        return self.error

    def CloseHandle(self, handle: int) -> int:
        del self.open[handle]
        return 1

    def CreateFileW(
        self, name: str, access: int, share: int, security: Any, disposition: int, flags: int, template: int
    ) -> int:
        if disposition == declared.CREATE_NEW:
            if name in self.files:
                return self.fail(80, INVALID_HANDLE_VALUE)
            self.files[name] = b""
        elif name not in self.files:
            return self.fail(2, INVALID_HANDLE_VALUE)
        return self.handle(name)

    def GetFileType(self, file: int) -> int:
        return declared.FILE_TYPE_DISK

    def GetFileAttributesW(self, name: str) -> int:
        if name not in self.attributes:
            return self.fail(2, declared.INVALID_FILE_ATTRIBUTES)
        return self.attributes[name]

    def GetVolumeInformationByHandleW(self, file: int, *rest: Any) -> int:
        put(rest[4], self.volume)
        return 1

    def WriteFile(self, file: int, data: bytes, size: int, written: Any, overlapped: None) -> int:
        self.files[self.open[file]] = data[:size]
        put(written, min(size, self.room))
        return 1

    room = 1 << 20

    def ReadFile(self, file: int, room: Any, size: int, got: Any, overlapped: None) -> int:
        data = self.files[self.open[file]][:size]
        put(room, data)
        put(got, len(data))
        return 1

    def GetFileInformationByHandleEx(self, file: int, kind: int, room: Any, size: int) -> int:
        assert kind == declared.FileBasicInfo
        return self._basic(self.open[file], room) == 0

    def _basic(self, name: str, room: Any) -> int:
        if name not in self.files or name not in self.times:
            self.error = 87
            return 0xC0000034  # STATUS_OBJECT_NAME_NOT_FOUND
        made, written, changed = self.times[name]
        put(room, struct.pack("<qqqqI4x", made, 0, written, changed, self.attributes.get(name, 0x20)))
        return 0

    def SetFileInformationByHandle(self, file: int, kind: int, data: Any, size: int) -> int:
        if kind == declared.FileBasicInfo:
            made, _, written, changed, attributes = struct.unpack("<qqqqI4x", data)
            assert (made, changed, attributes, size) == (0, 0, 0, 40)
            self.written[self.open[file]] = written
            return 1
        self.discarded.append(self.open[file])
        self.files.pop(self.open[file])
        return 1

    def LocalFree(self, memory: int) -> int:
        return 0

    def CreateEventW(self, security: Any, manual: bool, initial: bool, name: str) -> int:
        assert manual
        assert initial
        taken = name in self.events
        self.events.setdefault(name, mine())
        self.error = declared.ERROR_ALREADY_EXISTS if taken else 0
        return self.handle(name)

    def OpenEventW(self, access: int, inherit: bool, name: str) -> int:
        return self.handle(name) if name in self.events else self.fail(2)

    def WaitForSingleObject(self, event: int, milliseconds: int) -> int:
        assert milliseconds == 0
        return declared.WAIT_OBJECT_0 if isinstance(self.open[event], str) else declared.WAIT_TIMEOUT

    def OpenProcess(self, access: int, inherit: bool, pid: int) -> int:
        return self.handle(pid) if pid in self.processes else self.fail(87)

    def GetProcessTimes(self, process: int, created: Any, *rest: Any) -> int:
        born = self.processes[self.open[process]][0]
        created._obj.dwHighDateTime, created._obj.dwLowDateTime = born >> 32, born & 0xFFFFFFFF
        return 1

    # ntdll

    def NtQueryAttributesFile(self, attributes: Any, room: Any) -> int:
        name = UNICODE_STRING.from_address(attributes._obj.ObjectName)
        text = ctypes.string_at(name.Buffer, name.Length).decode("utf-16-le")
        assert text.startswith("\\??\\")
        return self._basic(text[4:], room)

    # advapi32

    def OpenProcessToken(self, process: int, access: int, token: Any) -> int:
        sid = self.processes[self.open[process]][1]
        if sid is None:
            return self.fail(5)
        put(token, self.handle(sid))
        return 1

    def GetTokenInformation(self, token: int, kind: int, room: Any, size: int, needed: Any) -> int:
        word = struct.calcsize("P")
        sid = sid_bytes(self.open[token])
        put(room, (ctypes.addressof(room) + 2 * word).to_bytes(word, "little") + bytes(word) + sid)
        return 1

    def CheckTokenMembership(self, token: int, sid: Any, member: Any) -> int:
        put(member, self.administrator)
        return 1

    def GetKernelObjectSecurity(self, handle: int, wanted: int, room: Any, size: int, needed: Any) -> int:
        name = self.open[handle]
        data = self.events.get(name) or self.descriptors.get(name) or mine()
        put(needed, len(data))
        if len(data) > size:
            return self.fail(122)
        put(room, data)
        return 1

    def ConvertStringSecurityDescriptorToSecurityDescriptorW(
        self, text: str, revision: int, descriptor: Any, size: None
    ) -> int:
        assert text.startswith(f"O:{ME}D:P(")
        put(descriptor, 4096)
        return 1


def create(path: bytes = b"a.sock") -> winsock.Hold:
    """Bind, as the emulation does."""
    return winsock.create_record(path, bytes(256), ID, 0)
