"""The Winsock backend on a system that has Winsock: what only Windows can show, Wine included."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from samesock.backend import _windows_ioctls, _windows_known, _windows_life, winsock
from samesock.backend import _windows_security as security
from samesock.backend._security_descriptor import SYSTEM
from samesock.ffi import BOOL, DWORD, INVALID_HANDLE_VALUE, LPCWSTR, LPVOID, Function
from samesock.ffi.advapi32 import DACL_SECURITY_INFORMATION, Advapi32
from samesock.ffi.kernel32 import (
    FILE_FLAG_BACKUP_SEMANTICS,
    GENERIC_READ,
    HANDLE_FLAG_INHERIT,
    OPEN_EXISTING,
    READ_CONTROL,
    kernel32,
)
from samesock.ffi.ws2_32 import SO_EXCLUSIVEADDRUSE, SOL_SOCKET

pytestmark = pytest.mark.skipif(
    not hasattr(ctypes, "WinDLL"), reason="absent here: Winsock (no ctypes.WinDLL to reach it by)"
)

RECORD = bytes(range(256))
FULL = 0x1F01FF


def code_of(error: OSError) -> object:
    """Windows' code in an exception: outside Windows an attribute that no type checker knows of."""
    return getattr(error, "winerror", None)


class Advapi32More(Advapi32):
    """What only a test needs of advapi32."""

    SetFileSecurityW = Function(BOOL, LPCWSTR, DWORD, LPVOID, fails=0)


@pytest.fixture(name="id")
def new_id() -> bytes:
    """A fresh name for a life."""
    return os.urandom(16)


@contextlib.contextmanager
def open_as(path: Path, share: int, flags: int = 0) -> Iterator[int]:
    """A handle on what is at the path, that shares as it is told."""
    handle = kernel32.CreateFileW(
        os.fspath(path), GENERIC_READ | READ_CONTROL, share, None, OPEN_EXISTING, flags, 0
    )
    assert handle != INVALID_HANDLE_VALUE, kernel32.GetLastError()
    try:
        yield handle
    finally:
        kernel32.CloseHandle(handle)


def grants(path: Path) -> dict[str | None, int]:
    """Who may do what with what is at the path."""
    with open_as(path, 7, FILE_FLAG_BACKUP_SEMANTICS) as handle:
        descriptor = security.of_handle(handle, "testing")
    assert descriptor.owner == security.user()
    assert descriptor.dacl is not None
    return {entry.sid: entry.mask for entry in descriptor.dacl}


def test_file_is_closed_to_others(socket_dir: Path, id: bytes) -> None:
    """The file is this user's, who may do everything with it, as the system may, and nobody else anything."""
    winsock.create_record(os.fsencode(socket_dir / "a.sock"), RECORD, id, 0).close()
    assert grants(socket_dir / "a.sock") == {security.user(): FULL, SYSTEM: FULL}


def test_errors_keep_the_code(socket_dir: Path, id: bytes) -> None:
    """An error has POSIX's errno, the class that goes with it, the path as given, and Windows' code."""
    (socket_dir / "plain").write_bytes(b"")
    path = os.fspath(socket_dir / "plain")
    with pytest.raises(OSError, match="Address already in use") as caught:
        winsock.create_record(os.fsencode(path), RECORD, id, 0)
    assert type(caught.value) is OSError
    assert (caught.value.errno, caught.value.filename) == (errno.EADDRINUSE, path)
    assert code_of(caught.value) == 80
    with pytest.raises(FileNotFoundError) as missing:
        winsock.open_record(os.fsencode(path + ".not"))
    assert (missing.value.errno, code_of(missing.value)) == (errno.ENOENT, 2)


@pytest.mark.parametrize(
    ("name", "bound", "connected"),
    [
        ("NUL", errno.EADDRNOTAVAIL, errno.ECONNREFUSED),
        ("a<b", errno.EINVAL, errno.ENOENT),
        ("a?b", errno.EINVAL, errno.ENOENT),
    ],
)
def test_names_that_no_file_can_have(
    socket_dir: Path, id: bytes, name: str, bound: int, connected: int
) -> None:
    """Devices' names and those with forbidden signs cannot be bound; connecting to them fails as on BSD."""
    path = os.fsencode(os.fspath(socket_dir) + "\\" + name)
    with pytest.raises(OSError, match="creating") as caught:
        winsock.create_record(path, RECORD, id, 0)
    assert caught.value.errno == bound
    with pytest.raises(OSError, match="opening") as caught:
        winsock.open_record(path)
    assert caught.value.errno == connected


def test_known_file(socket_dir: Path, id: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that was read before is not opened again until something about it has changed: its access list, what is
    in it, its attributes; or another one is in its place."""
    path, other = socket_dir / "a.sock", socket_dir / "b.sock"
    name = os.fsencode(path)
    genuine, opened = kernel32.CreateFileW, []

    def counted(*arguments: object) -> int:
        opened.append(arguments[0])
        return genuine(*arguments)

    def is_opened() -> bool:
        opened.clear()
        winsock.open_record(name)
        return bool(opened)

    winsock.create_record(name, RECORD, id, 0).close()
    monkeypatch.setattr(kernel32, "CreateFileW", counted)
    assert is_opened()
    assert is_opened()  # it is too young to be known
    time.sleep(2 * _windows_known.OLD_SECONDS)
    assert is_opened()
    assert not is_opened()

    with security.attributes("D:P(A;;FA;;;WD)") as everybody:
        assert Advapi32More().SetFileSecurityW(
            os.fspath(path), DACL_SECURITY_INFORMATION, everybody.lpSecurityDescriptor
        )
    assert is_opened()
    path.unlink()

    winsock.create_record(os.fsencode(other), RECORD[::-1], id, 0).close()
    for change in (
        lambda: path.write_bytes(bytes(256)),
        lambda: path.chmod(0o400),
        lambda: other.replace(path),
    ):
        winsock.create_record(name, RECORD, id, 0).close()
        time.sleep(2 * _windows_known.OLD_SECONDS)
        is_opened()
        assert not is_opened()
        change()
        assert is_opened()
        path.chmod(0o600)
        path.unlink()
    with pytest.raises(FileNotFoundError):
        winsock.open_record(name)
    path.write_bytes(RECORD[:7])
    assert winsock.open_record(name).data == RECORD[:7]


def test_half_written(socket_dir: Path) -> None:
    """A file that its binder is still writing is ECONNREFUSED: bound, but nobody listens."""
    path = socket_dir / "a.sock"
    path.write_bytes(RECORD[:100])
    with open_as(path, 0), pytest.raises(ConnectionRefusedError) as caught:
        winsock.open_record(os.fsencode(path))
    assert code_of(caught.value) == 32


def test_others_may_read_and_write_meanwhile(socket_dir: Path) -> None:
    """A program that has the file open for itself, but shares it, is in nobody's way."""
    path = socket_dir / "a.sock"
    path.write_bytes(RECORD)
    with open(path, "r+b"):
        assert winsock.open_record(os.fsencode(path)).data == RECORD


def test_event_is_closed_to_others(id: bytes) -> None:
    """The event is as closed as the file: any handle of a stranger's would keep a dead name alive."""
    with contextlib.closing(winsock.Hold.of(id)) as hold:
        hold.listen()
        event = kernel32.OpenEventW(READ_CONTROL, False, f"Global\\samesock-{id.hex()}")
        assert event
        try:
            descriptor = security.of_handle(event, "testing")
        finally:
            kernel32.CloseHandle(event)
    assert descriptor.owner == security.user()
    assert descriptor.dacl is not None
    assert {entry.sid for entry in descriptor.dacl} == {security.user(), SYSTEM}


def test_event_is_not_inherited(id: bytes) -> None:
    """Child processes do not inherit the event: a name must not live on in a stranger's process."""
    with contextlib.closing(winsock.Hold.of(id)) as hold:
        hold.listen()
        flags = DWORD()
        assert kernel32.GetHandleInformation(hold._life._event, ctypes.byref(flags))
        assert not flags.value & HANDLE_FLAG_INHERIT


def test_event_goes_with_its_last_holder(id: bytes) -> None:
    """Copies made before and after listen() hold the life together; it ends with the last of them."""
    early = winsock.Hold.of(id)
    early_copy = early.copy(0)
    early.listen()
    late_copy = early_copy.copy(0)
    for hold in (early, late_copy, early_copy):
        assert _windows_life.is_announced(id, security.user())
        hold.close()
        hold.close()
    assert not _windows_life.is_announced(id, security.user())


def test_events_name_is_not_enough(id: bytes) -> None:
    """An event of the right name is a sign of life if its owner is the right one, and for nobody else."""
    with security.attributes(security.for_user()) as attributes:
        name = f"Global\\samesock-{id.hex()}"
        event = kernel32.CreateEventW(ctypes.byref(attributes), True, True, name)
    try:
        assert _windows_life.is_announced(id, security.user())
        assert not _windows_life.is_announced(id, "S-1-5-21-1-2-3-1001")
        assert not _windows_life.is_announced(id, None)
    finally:
        kernel32.CloseHandle(event)


@contextlib.contextmanager
def event_of(descriptor: str, id: bytes) -> Iterator[None]:
    """A set event of this id with that security descriptor; a skip where this user may not give things away."""
    with security.attributes(descriptor) as attributes:
        event = kernel32.CreateEventW(ctypes.byref(attributes), True, True, f"Global\\samesock-{id.hex()}")
        if not event:
            pytest.skip("absent here: the right to make an object that belongs to somebody else")
    try:
        yield
    finally:
        kernel32.CloseHandle(event)


def test_squatted_event(id: bytes) -> None:
    """Another user's event of the right name is no life; whoever binds the name with it is told to take a new id."""
    with event_of("O:SYD:P(A;;FA;;;WD)", id):
        assert not _windows_life.is_announced(id, security.user())
        assert _windows_life.is_announced(id, SYSTEM)
        with contextlib.closing(winsock.Hold.of(id)) as hold, pytest.raises(winsock.LifeTaken) as caught:
            hold.listen()
    assert caught.value.errno == errno.EADDRINUSE
    assert code_of(caught.value) == 183


def test_squatted_event_that_is_shut(id: bytes) -> None:
    """Somebody's event that cannot even be opened is gone round: the name lives in the session's own namespace."""
    with event_of("O:SYD:P", id), contextlib.closing(winsock.Hold.of(id)) as hold:
        hold.listen()
        assert _windows_life.is_announced(id, security.user())


def test_this_sessions_own_event(id: bytes) -> None:
    """A process that may not make names for the whole machine announces in its own session, and is found there."""
    with security.attributes(security.for_user()) as attributes:
        name = f"Local\\samesock-{id.hex()}"
        event = kernel32.CreateEventW(ctypes.byref(attributes), True, True, name)
    try:
        assert _windows_life.is_announced(id, security.user())
    finally:
        kernel32.CloseHandle(event)


def test_private_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The private directory and what is made in it are this user's and the system's, and nobody else's."""
    monkeypatch.setenv("LOCALAPPDATA", os.fspath(tmp_path))
    directory = Path(winsock.private_directory())
    assert directory == tmp_path / "samesock"
    assert grants(directory) == {security.user(): FULL, SYSTEM: FULL}


def test_private_directory_that_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file in the private directory's place is an error that names it."""
    monkeypatch.setenv("LOCALAPPDATA", os.fspath(tmp_path))
    (tmp_path / "samesock").write_bytes(b"")
    with pytest.raises(PermissionError, match="not a directory that this user alone may write to"):
        winsock.private_directory()


def test_private_directory_open_to_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A private directory that lets others write is an error: it is not made right behind the user's back."""
    monkeypatch.setenv("LOCALAPPDATA", os.fspath(tmp_path))
    directory = winsock.private_directory()
    with security.attributes("D:P(A;OICI;FA;;;WD)") as everybody:
        # Set afterwards: of what a directory is made with, Wine takes the umask off.
        assert Advapi32More().SetFileSecurityW(
            directory, DACL_SECURITY_INFORMATION, everybody.lpSecurityDescriptor
        )
    with pytest.raises(PermissionError, match="samesock"):
        winsock.private_directory()


def test_private_directory_without_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where %LOCALAPPDATA% is not set the directory is where that would point."""
    monkeypatch.delenv("LOCALAPPDATA", raising=False)
    monkeypatch.setenv("USERPROFILE", os.fspath(tmp_path))
    (tmp_path / "AppData" / "Local").mkdir(parents=True)
    assert Path(winsock.private_directory()) == tmp_path / "AppData" / "Local" / "samesock"


def test_listener_is_exclusive() -> None:
    """A prepared listener's port cannot be bound by another program, even if that asks to reuse it."""
    with socket.socket() as listener, socket.socket() as thief:
        winsock.prepare_listener(listener)
        assert listener.getsockopt(SOL_SOCKET, SO_EXCLUSIVEADDRUSE)
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        thief.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        with pytest.raises(OSError, match=r"1001|1004"):
            thief.bind(listener.getsockname())


def test_refusal_comes_at_once() -> None:
    """A prepared client is refused within a fraction of a second, and its socket can try again."""
    with socket.socket() as taken, socket.socket() as client:
        taken.bind(("127.0.0.1", 0))
        winsock.prepare_client(client)
        for _ in range(2):
            begin = time.monotonic()
            with pytest.raises(ConnectionRefusedError):
                client.connect(taken.getsockname())
            assert time.monotonic() - begin < 1
        taken.listen()
        client.connect(taken.getsockname())


def test_preparing_never_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the quick refusal is unknown, preparing a client changes nothing and raises nothing."""
    monkeypatch.setattr(_windows_ioctls, "_unknown", set())
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagram:
        winsock.prepare_client(datagram)


def test_reset_on_close() -> None:
    """After it, the peer sees a reset, although bytes were on their way."""
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket() as client:
        client.connect(server.getsockname())
        peer, _ = server.accept()
        with peer:
            winsock.reset_on_close(client)
            client.close()
            with pytest.raises(ConnectionResetError):
                peer.recv(1)


def test_owners_process() -> None:
    """The kernel's table names the process that listens and each end's; for no such end there is no answer."""
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket() as client:
        port = server.getsockname()[1]
        client.connect(server.getsockname())
        here, there = client.getsockname(), client.getpeername()
        owners = [
            winsock.listener_owner(port),
            winsock.connection_owner(here, there),
        ]
        for owner in owners:
            assert owner is not None
            assert owner.pid == os.getpid()
            # Only a table with times can prove a user.
            assert owner.sid in (None, security.user())
    assert winsock.listener_owner(port) is None
    assert winsock.connection_owner(here, ("127.0.0.1", 1)) is None


def test_other_processes_owner() -> None:
    """Another process's listener is told by that process's number."""
    code = (
        "import socket; s = socket.create_server((('127.0.0.1', 0))); print(s.getsockname()[1], flush=True)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code + "; input()"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        owner = winsock.listener_owner(int(child.stdout.readline()))
        assert owner is not None
        assert owner.pid == child.pid
        child.communicate("\n")


def test_no_process() -> None:
    """A number that is no process's has no start time."""
    assert winsock.start_time(2**32 - 4) is None


def test_small_answers() -> None:
    """There are no numbers of users, no cookies and no inodes here, and one loopback for all."""
    with socket.socket() as sock:
        assert winsock.uid() == 0xFFFFFFFF
        assert winsock.realm(sock) == bytes(8)
        assert winsock.socket_cookie(sock.fileno()) == 0
        assert not winsock.has_socket(os.getpid(), 1)
        winsock.abort_connect(sock.fileno())
    assert winsock.REFUSED_WHEN_FULL
