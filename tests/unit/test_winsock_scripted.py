"""The Winsock backend against scripted tables of functions: what no machine at hand can be made to do.

Every function that these tests do not script fails the test when it is called, on every system.
"""
# ruff: noqa: N802, PLR0917 -- the scripted functions have Windows' names and parameters

from __future__ import annotations

import ctypes
import errno
import socket
import struct
from collections.abc import Callable
from typing import Any

import pytest

from samesock.backend import (
    _windows_files,
    _windows_ioctls,
    _windows_life,
    _windows_tables,
    _windows_wait,
    winsock,
)
from samesock.backend import _windows_security as security
from samesock.backend._security_descriptor import ADMINISTRATORS, SYSTEM, sid_bytes
from samesock.ffi import INVALID_HANDLE_VALUE, Function, Library, afd
from samesock.ffi import kernel32 as declared
from samesock.ffi.advapi32 import advapi32
from samesock.ffi.iphlpapi import MIB_TCPROW_OWNER_MODULE, iphlpapi
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
        self.events: dict[str, bytes] = {}
        self.processes: dict[int, tuple[int, str | None]] = {}
        self.volume = declared.FILE_PERSISTENT_ACLS
        self.administrator = False
        self.discarded: list[str] = []
        self.calls: list[str] = []
        for library in (kernel32, advapi32, iphlpapi, ws2_32):
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

    def SetFileInformationByHandle(self, file: int, kind: int, data: Any, size: int) -> int:
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


@pytest.fixture
def windows(monkeypatch: pytest.MonkeyPatch) -> Windows:
    """The scripted system."""
    return Windows(monkeypatch)


@pytest.fixture(autouse=True)
def _nothing_left_open(windows: Windows) -> Any:
    """Whatever a test does, no handle may be open at its end that is not an event's of a hold."""
    yield
    left = [thing for thing in windows.open.values() if not str(thing).startswith(("Global", "Local"))]
    assert not left


def create(path: bytes = b"a.sock") -> winsock.Hold:
    """Bind, as the emulation does."""
    return winsock.create_record(path, bytes(256), ID, 0)


def test_volume_without_access_lists(windows: Windows) -> None:
    """A volume that keeps no owners is refused with EPERM and a reason, and nothing is left on it."""
    windows.volume = 0
    with pytest.raises(PermissionError, match="its volume keeps no owners and access lists") as caught:
        create()
    assert caught.value.errno == errno.EPERM
    assert windows.discarded == ["a.sock"]
    assert not windows.files


def test_volume_that_says_it_keeps_them(windows: Windows) -> None:
    """A volume that claims to keep access lists and gives others a way in is refused as well."""
    windows.descriptors["a.sock"] = security_descriptor(ME, (ME, FULL), (EVERYBODY, FULL))
    with pytest.raises(PermissionError, match="did not keep others out"):
        create()
    assert windows.discarded == ["a.sock"]


def test_volume_that_does_not_answer(windows: Windows) -> None:
    """A volume that does not tell what it keeps is one that keeps nothing."""
    windows.failing["GetVolumeInformationByHandleW"] = [87]
    with pytest.raises(PermissionError):
        create()
    assert not windows.files


def test_full_disk(windows: Windows) -> None:
    """A record that does not fit leaves no file behind: ENOSPC, told by the code or by the count."""
    windows.failing["WriteFile"] = [112]
    with pytest.raises(OSError, match="writing") as caught:
        create()
    assert (caught.value.errno, code_of(caught.value)) == (errno.ENOSPC, 112)
    windows.room = 100
    with pytest.raises(OSError, match="writing") as caught:
        create()
    assert caught.value.errno == errno.ENOSPC
    assert not windows.files


@pytest.mark.parametrize("path", [b"plain:x", b"C:\\dir\\plain:x", b"C:plain:x", b"plain:$DATA", b":x"])
def test_streams(windows: Windows, path: bytes) -> None:
    """A colon behind the drive's cannot be bound, for it would add to another file: EINVAL, and nothing is asked."""
    with pytest.raises(OSError, match="a stream of another file") as caught:
        create(path)
    assert caught.value.errno == errno.EINVAL
    assert not windows.calls
    create(b"C:\\dir\\plain")


@pytest.mark.parametrize(
    ("path", "number"),
    [
        (b"C:\\dir\\nowhere\\a.sock", errno.ENOENT),
        (b"C:\\dir\\plain\\a.sock", errno.ENOTDIR),
        (b"C:/dir/plain/b/c/a.sock", errno.ENOTDIR),
        (b"X:\\a.sock", errno.ENOENT),
        (b"nowhere\\a.sock", errno.ENOENT),
    ],
)
def test_path_not_found(windows: Windows, path: bytes, number: int) -> None:
    """Windows has one code for a missing directory and for a file in a directory's place; BSD has two."""
    windows.attributes = {"C:\\": 0x10, "C:\\dir": 0x10, "C:\\dir\\plain": 0x20, "C:/dir/plain": 0x20}
    windows.failing["CreateFileW"] = [3]
    with pytest.raises(OSError, match="creating") as caught:
        create(path)
    assert caught.value.errno == number


@pytest.mark.parametrize("code", [5, 80])
def test_name_that_is_being_deleted(windows: Windows, code: int) -> None:
    """A deleted file that somebody still reads is waited for: NT's answer for its name is "access denied"."""
    windows.failing["CreateFileW"] = [code, code, code]
    windows.failing["GetFileAttributesW"] = [5, 5, 2]
    create()
    assert windows.calls.count("CreateFileW") == 4


def test_name_that_stays_deleted(windows: Windows, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that does not become free within 100 ms is refused, by the code that the system gave."""
    monkeypatch.setattr(_windows_files, "VANISHING_SECONDS", 0.02)
    for code, expected in ((5, errno.EACCES), (80, errno.EADDRINUSE)):
        windows.failing["CreateFileW"] = [code] * 1000
        windows.failing["GetFileAttributesW"] = [5] * 1000
        with pytest.raises(OSError, match="creating") as caught:
            create()
        assert caught.value.errno == expected


def test_no_permission_is_not_waited_for(windows: Windows) -> None:
    """A directory that may not be written to is EACCES at once, and so is a file that may not be read."""
    windows.failing["CreateFileW"] = [5, 5]
    windows.attributes["a.sock"] = 0x20
    for tried in (create, lambda: winsock.open_record(b"a.sock")):
        with pytest.raises(PermissionError) as caught:
            tried()
        assert caught.value.errno == errno.EACCES
    assert windows.calls.count("CreateFileW") == 2


@pytest.mark.parametrize("code", [32, 33, 1920, 4390, 4394])
def test_nothing_that_serves(windows: Windows, code: int) -> None:
    """Shared with nobody, locked, or a reparse point that nothing follows: ECONNREFUSED, as for any plain file."""
    windows.files["a.sock"] = b""
    windows.failing["ReadFile" if code == 33 else "CreateFileW"] = [code]
    with pytest.raises(ConnectionRefusedError, match=r"a\.sock") as caught:
        winsock.open_record(b"a.sock")
    assert code_of(caught.value) == code


@pytest.mark.parametrize(
    ("code", "number"),
    [(2, errno.ENOENT), (3, errno.ENOENT), (1921, errno.ELOOP), (267, errno.ENOTDIR), (53, errno.ENOENT)],
)
def test_paths_that_lead_nowhere(windows: Windows, code: int, number: int) -> None:
    """What is wrong with a path is told by BSD's errno."""
    windows.failing["CreateFileW"] = [code]
    with pytest.raises(OSError, match="opening") as caught:
        winsock.open_record(b"a.sock")
    assert caught.value.errno == number


def test_device(windows: Windows) -> None:
    """A device that opens is never read, written or removed."""
    windows.files["com1"] = b""
    windows.patch.setattr(kernel32, "GetFileType", lambda file: 2)
    with pytest.raises(ConnectionRefusedError):
        winsock.open_record(b"com1")
    with pytest.raises(OSError, match="a device's name") as caught:
        create(b"com2")
    assert caught.value.errno == errno.EADDRNOTAVAIL
    assert not {"ReadFile", "WriteFile", "SetFileInformationByHandle"} & set(windows.calls)


@pytest.mark.parametrize(
    ("descriptor", "elevated", "trusted"),
    [
        (mine(), False, True),
        (mine(STRANGER), False, False),
        (mine(ADMINISTRATORS), False, False),
        (mine(ADMINISTRATORS), True, True),
        (security_descriptor(ME, (ME, FULL), (EVERYBODY, 0x120089)), False, True),
        (security_descriptor(ME, (ME, FULL), (EVERYBODY, 0x2)), False, False),
        (security_descriptor(ME, (ME, FULL), (STRANGER, 0x40000)), True, False),
    ],
)
def test_trust(windows: Windows, descriptor: bytes, elevated: bool, trusted: bool) -> None:
    """A file is trusted if it is this user's (an administrator's: the group's) and nobody else may write to it."""
    windows.files["a.sock"] = bytes(256)
    windows.descriptors["a.sock"] = descriptor
    windows.administrator = elevated
    assert winsock.open_record(b"a.sock").trusted() is trusted


def test_event_must_be_the_files_owners(windows: Windows) -> None:
    """A name is alive by an event of its file's owner: not of this user's, not of a stranger's."""
    windows.files["a.sock"] = bytes(256)
    windows.descriptors["a.sock"] = mine(STRANGER)
    record = winsock.open_record(b"a.sock")
    name = f"Global\\samesock-{ID.hex()}"
    assert not record.live(ID)
    windows.events[name] = mine(ME)
    assert not record.live(ID)
    windows.events[name] = mine(STRANGER)
    assert record.live(ID)
    assert record.owned_by(winsock.open_record(b"a.sock").owner())


def test_squatted_globally_alive_locally(windows: Windows) -> None:
    """A stranger's event in the machine's namespace does not hide the owner's in the session's; neither stays open."""
    windows.events[f"Global\\samesock-{ID.hex()}"] = mine(STRANGER)
    windows.events[f"Local\\samesock-{ID.hex()}"] = mine(ME)
    assert _windows_life.is_announced(ID, ME)
    assert not windows.open


@pytest.mark.parametrize(
    "descriptor", [mine(STRANGER), security_descriptor(ME, (ME, FULL), (EVERYBODY, 0x1F0003))]
)
def test_taken_life(windows: Windows, descriptor: bytes) -> None:
    """An event of the id that is another's, or that another may open, is not announced with: LifeTaken."""
    windows.events[f"Global\\samesock-{ID.hex()}"] = descriptor
    hold = create()
    with pytest.raises(winsock.LifeTaken) as caught:
        hold.listen()
    assert caught.value.errno == errno.EADDRINUSE
    assert not windows.open


def test_no_right_to_global_names(windows: Windows) -> None:
    """Who may not make names for the machine announces in the session; who may not even that, is refused.
    The last hold's close is the announcement's."""
    hold = create()
    windows.failing["CreateEventW"] = [5]
    hold.listen()
    assert list(windows.events) == [f"Local\\samesock-{ID.hex()}"]
    copy = hold.copy(0)
    hold.close()
    assert list(windows.open.values()) == [f"Local\\samesock-{ID.hex()}"]
    copy.close()
    assert not windows.open
    windows.failing["CreateEventW"] = [5, 6]
    with pytest.raises(winsock.LifeTaken):
        create(b"b.sock").listen()


def test_no_memory_for_an_event(windows: Windows) -> None:
    """Any other failure to announce is what it is."""
    windows.failing["CreateEventW"] = [1450]
    with pytest.raises(OSError, match="making the event") as caught:
        create().listen()
    assert caught.value.errno == errno.ENOMEM


def test_admitted(windows: Windows) -> None:
    """By the file as it was made, this user and the system may connect; a stranger and an unknown may not."""
    hold = create()
    owner = winsock.open_record(b"a.sock").owner()
    assert not hold.touched()
    assert [hold.admits(owner._replace(sid=sid)) for sid in (ME, SYSTEM, STRANGER, None)] == [
        True,
        True,
        False,
        False,
    ]


def test_long_descriptor(windows: Windows) -> None:
    """A descriptor of any length is read: the room for it grows."""
    windows.files["a.sock"] = bytes(256)
    windows.descriptors["a.sock"] = security_descriptor(ME, *[(STRANGER, 0x1)] * 200)
    assert winsock.open_record(b"a.sock").owner().sid == ME


def test_quick_refusals(windows: Windows, monkeypatch: pytest.MonkeyPatch) -> None:
    """A system that does not know of quick refusals is asked once; another failure does not end the asking."""
    monkeypatch.setattr(_windows_ioctls, "_unknown", set())
    codes = [10022, 10045]

    def control(number: int, code: int, data: Any, size: int, *rest: Any) -> int:
        windows.error = codes.pop(0)
        assert bytes(data._obj) == b"\xff\xff\xfe\0"
        assert (code, size) == (0x98000011, 4)
        return -1

    windows.patch.setattr(ws2_32, "WSAIoctl", control)
    windows.patch.setattr(ws2_32, "WSAGetLastError", windows.GetLastError)
    with socket.socket() as tcp:
        for _ in range(4):
            winsock.prepare_client(tcp)
    assert not codes


# ---- owners from the table of TCP sockets


def table(windows: Windows, *rows: tuple[int, str, int, str, int, int, int], grows: int = 0) -> None:
    """Script the table: state, own address and port, peer's address and port, process, time; it may grow at first."""
    raw = b"".join(
        bytes(
            MIB_TCPROW_OWNER_MODULE(
                state,
                int.from_bytes(socket.inet_aton(local), "little"),
                socket.htons(port),
                int.from_bytes(socket.inet_aton(remote), "little"),
                socket.htons(peer),
                pid,
                made,
            )
        )
        for state, local, port, remote, peer, pid, made in rows
    )
    data = struct.pack("<II", len(rows), 0) + raw
    tries = [grows]

    def get(room: Any, size: Any, order: bool, family: int, kind: int, reserved: int) -> int:
        assert family == 2
        assert kind in (6, 8)
        if tries[0]:
            tries[0] -= 1
            put(size, len(room) + 1)
            return 122
        assert len(room) >= len(data)
        put(room, data)
        return 0

    windows.patch.setattr(iphlpapi, "GetExtendedTcpTable", get)


LISTEN = (2, "127.0.0.1", 5000, "0.0.0.0", 0, 40, 1_000)
CLIENT = (5, "127.0.0.1", 6000, "127.0.0.1", 5000, 44, 2_000)
SERVER = (5, "127.0.0.1", 5000, "127.0.0.1", 6000, 40, 2_000)
HERE, THERE = ("127.0.0.1", 6000), ("127.0.0.1", 5000)


@pytest.mark.parametrize("grows", [0, 3])
def test_proven_owner(windows: Windows, grows: int) -> None:
    """A process that was there before the socket owns it, and its user is told; the table may grow meanwhile."""
    table(windows, SERVER, CLIENT, grows=grows)
    windows.processes = {40: (900, STRANGER), 44: (2_000, ME)}
    owner = winsock.connection_owner(HERE, THERE)
    assert owner is not None
    assert (owner.pid, owner.sid, owner.uid) == (44, ME, None)
    owner = winsock.connection_owner(THERE, HERE)
    assert owner is not None
    assert (owner.pid, owner.sid) == (40, STRANGER)


def test_reused_number_of_a_process(windows: Windows) -> None:
    """A process that is younger than the socket did not make it: neither number nor user is told."""
    table(windows, CLIENT, LISTEN)
    windows.processes = {40: (1_001, ME), 44: (2_001, ME)}
    assert winsock.connection_owner(HERE, THERE) is None
    assert winsock.listener_owner(5000) == (None,) * 5


def test_table_without_times(windows: Windows) -> None:
    """Without a time nothing is proven: the number is the table's word, the user stays unknown."""
    table(windows, (*CLIENT[:6], 0))
    windows.processes = {44: (1, ME)}
    owner = winsock.connection_owner(HERE, THERE)
    assert owner is not None
    assert (owner.pid, owner.sid) == (44, None)


@pytest.mark.parametrize("processes", [{}, {44: (1, None)}])
def test_process_that_may_not_be_asked(
    windows: Windows, processes: dict[int, tuple[int, str | None]]
) -> None:
    """A process that is gone, or another user's that is closed to us, has a number and no known user."""
    table(windows, CLIENT)
    windows.processes = processes
    owner = winsock.connection_owner(HERE, THERE)
    assert owner is not None
    assert (owner.pid, owner.sid) == (44, None)


def test_nobodys_end(windows: Windows) -> None:
    """An end that waits out its time belongs to no process, and is not asked for one."""
    table(windows, (11, *CLIENT[1:5], 0, 0))
    assert winsock.connection_owner(HERE, THERE) is None
    assert "OpenProcess" not in windows.calls


@pytest.mark.parametrize("state", range(1, 13))
def test_states_in_which_a_process_has_the_end(windows: Windows, state: int) -> None:
    """A process has an end that is connected or has ended one direction; one that begins to connect, or has ended both,
    is nobody's, and hides no row behind it."""
    windows.processes = {44: (2_000, ME), 45: (2_000, STRANGER)}
    other = (state, *CLIENT[1:5], 45, 2_000)
    table(windows, other)
    owner = winsock.connection_owner(HERE, THERE)
    if state in {5, 6, 7, 8}:
        assert owner is not None
        assert owner.pid == 45
    else:
        assert owner == ((None,) * 5 if state == 4 else None)
    if state not in {4, 5, 6, 7, 8}:
        table(windows, other, CLIENT)
        owner = winsock.connection_owner(HERE, THERE)
        assert owner is not None
        assert owner.pid == 44


@pytest.mark.parametrize("state", [4, 5, 6, 7, 8, 9, 10, 11])
def test_an_end_that_waits_for_accept(windows: Windows, state: int) -> None:
    """Without a process an end waits for accept only in states that an end has whose process has not closed it."""
    table(windows, (state, *CLIENT[1:5], 0, 0))
    assert winsock.connection_owner(HERE, THERE) == ((None,) * 5 if state in {4, 5, 8} else None)
    assert "OpenProcess" not in windows.calls


@pytest.mark.parametrize(
    ("told", "sends", "there"),
    [
        (0, -1, True),  # not even asked to send
        (afd.AFD_POLL_ABORT, 0, False),
        (afd.AFD_POLL_ABORT | afd.AFD_POLL_DISCONNECT | afd.AFD_POLL_SEND, 0, False),
        (afd.AFD_POLL_DISCONNECT | afd.AFD_POLL_SEND, 0, True),
        (afd.AFD_POLL_DISCONNECT | afd.AFD_POLL_SEND, -1, False),
        (afd.AFD_POLL_DISCONNECT, -1, True),  # bytes of its own are under way
    ],
)
def test_whether_a_connection_is_there(
    monkeypatch: pytest.MonkeyPatch, told: int, sends: int, there: bool
) -> None:
    """It is until it is reset, or both directions have ended; that nothing has happened costs one question."""
    asked = []

    def wait_for(number: int, mask: int, deadline: float | None) -> bool:
        assert (number, deadline) == (7, 0.0)
        asked.append(mask)
        return bool(told & mask)

    monkeypatch.setattr(_windows_wait, "wait_for", wait_for)
    monkeypatch.setattr(ws2_32, "send", lambda number, data, size, flags: sends, raising=False)
    assert winsock.has_connection(7) is there
    assert told or len(asked) == 1


def test_what_is_no_socket_has_no_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    """A number that the driver does not know is not connected."""

    def refuse(*_: Any) -> bool:
        raise _windows_wait.Refused

    monkeypatch.setattr(_windows_wait, "wait_for", refuse)
    assert winsock.has_connection(7) is False


def test_no_such_row(windows: Windows) -> None:
    """An end that is not in the table has no owner; ports alone do not make it the same one."""
    table(windows, (2, "127.0.0.2", 5000, "0.0.0.0", 0, 40, 1), (5, "127.0.0.9", 6000, *CLIENT[3:]))
    assert winsock.connection_owner(HERE, THERE) is None
    assert winsock.listener_owner(5000) is None


def test_no_table(windows: Windows) -> None:
    """A table that cannot be read is an error, not "nobody"."""
    windows.patch.setattr(iphlpapi, "GetExtendedTcpTable", lambda *arguments: 50)
    with pytest.raises(OSError, match="reading the table") as caught:
        winsock.listener_owner(5000)
    assert caught.value.errno == errno.EOPNOTSUPP


def test_start_times(windows: Windows) -> None:
    """A process has its creation time until it has ended, and none when it is gone."""
    windows.processes = {40: (7 << 32 | 9, ME)}
    assert _windows_tables.start_time(40) == 7 << 32 | 9
    assert _windows_tables.start_time(44) is None
    windows.patch.setattr(kernel32, "WaitForSingleObject", lambda handle, milliseconds: 0)
    assert _windows_tables.start_time(40) is None
