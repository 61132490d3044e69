"""The path: whatever else may lie there, whoever may read it, and whatever becomes of it."""

from __future__ import annotations

import ctypes
import errno
import os
import socket as plain
import stat
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

import samesock
from faults.children import LISTENER, Child, child, says, tell
from faults.strangers import RESET_ON_CLOSE, exchange, hello_of, quiet_source, record_at, stranger
from samesock.backend import Owner, system
from samesock.backend._security_descriptor import SecurityDescriptor
from samesock.unix import rendezvous
from samesock.unix.calls import calls

PRIVATE_BY_MODE = hasattr(os, "geteuid")
needs_users = pytest.mark.skipif(
    not PRIVATE_BY_MODE or os.geteuid() != 0, reason="changing the user (os.setuid) is not permitted here"
)
needs_fifo = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="os.mkfifo is absent")


def refused(path: str) -> OSError:
    """What connect() to the path raises; blocking or not, it does not wait."""
    with samesock.socket(samesock.AF_UNIX) as client:
        client.settimeout(20)
        begin = time.monotonic()
        with pytest.raises(OSError) as blocking:
            client.connect(path)
        client.setblocking(False)
        with pytest.raises(OSError) as again:
            client.connect(path)
        assert time.monotonic() - begin < 10
        assert again.value.errno == blocking.value.errno
        assert blocking.value.filename == path
        return blocking.value


def copied(path: str, change: Callable[[bytes], bytes]) -> str:
    """A file beside the path with the changed contents."""
    other = path + "-copy"
    Path(other).write_bytes(change(Path(path).read_bytes()))
    return other


CHANGES: dict[str, Callable[[bytes], bytes]] = {
    "as it is": lambda data: data,
    "empty": lambda data: b"",
    "cut in the magic": lambda data: data[:5],
    "cut in the secret": lambda data: data[:60],
    "one byte short": lambda data: data[:-1],
    "one byte more": lambda data: data + b"\0",
    "another secret": lambda data: data[:48] + bytes(32) + data[80:],
    "another port": lambda data: data[:14] + b"\x16\x00" + data[16:],
    "another program's": lambda data: b"#!/bin/sh\n",
    "large": lambda data: data * 4096,
}


@pytest.mark.parametrize("kind", CHANGES)
def test_copies_are_refused(path: str, listener: samesock.socket, kind: str) -> None:
    """A copy of a living listener's file, whole or not, is no socket; the original goes on.

    Where life is not a lock of the file's own, its owner's whole copy is as good as a link.
    """
    if kind == "as it is" and not hasattr(os, "register_at_fork"):
        pytest.skip("locks that belong to one file (fcntl) are absent")
    other = copied(path, CHANGES[kind])
    assert refused(other).errno == errno.ECONNREFUSED
    listener.settimeout(20)
    exchange(path, listener)


def resealed(record: rendezvous.Record, **changes: object) -> bytes:
    """A record with changed fields and the right checksum."""
    return rendezvous.encode(record._replace(**changes))  # type: ignore[arg-type]


def test_another_realm_is_refused(
    path: str, listener: samesock.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file of another machine, or of another network namespace, is refused, though its port answers here."""
    realm = system.realm
    monkeypatch.setattr(system, "realm", lambda tcp: bytes(b ^ 1 for b in realm(tcp)))
    assert refused(path).errno == errno.ECONNREFUSED
    monkeypatch.undo()
    listener.settimeout(20)
    exchange(path, listener)


def links_work(target: str, path: str) -> bool:
    """Make a link; not every user may make one everywhere, and not every one can be followed (seen under Wine)."""
    try:
        os.symlink(target, path)
        return os.path.samefile(target, path)
    except OSError:
        return False


def test_renamed_and_linked(path: str, listener: samesock.socket) -> None:
    """The name may be changed, linked hard and softly: each leads to the listener, as on BSD."""
    listener.settimeout(20)
    os.link(path, path + "-hard")
    exchange(path + "-hard", listener)
    if links_work(path, path + "-soft"):
        exchange(path + "-soft", listener)
    os.rename(path, path + "-new")
    exchange(path + "-new", listener)
    assert refused(path).errno == errno.ENOENT
    with samesock.socket(samesock.AF_UNIX) as client:
        client.connect(path + "-new")
        assert client.getpeername() == path
        listener.accept()[0].close()


@needs_fifo
def test_fifo(path: str) -> None:
    """A FIFO is not waited for: connect is refused, bind is EADDRINUSE."""
    os.mkfifo(path)
    assert refused(path).errno == errno.ECONNREFUSED
    assert bind_fails(path) == errno.EADDRINUSE
    assert stat.S_ISFIFO(os.lstat(path).st_mode)


def bind_fails(path: str) -> int | None:
    """The errno that bind to the path gives; it names the path."""
    with samesock.socket(samesock.AF_UNIX) as sock, pytest.raises(OSError) as caught:
        sock.bind(path)
    assert caught.value.filename == path
    return caught.value.errno


def test_directory(path: str) -> None:
    """A directory is refused, and cannot be bound."""
    os.mkdir(path)
    assert refused(path).errno == errno.ECONNREFUSED
    assert bind_fails(path) == errno.EADDRINUSE
    assert os.path.isdir(path)


@pytest.mark.skipif(not hasattr(os, "getuid"), reason="links by any user are absent")
def test_links_are_not_followed_by_bind(path: str) -> None:
    """A dangling link is EADDRINUSE to bind, which makes nothing at its end; connect finds nothing there."""
    os.symlink(path + "-target", path)
    assert bind_fails(path) == errno.EADDRINUSE
    assert not os.path.exists(path + "-target")
    assert refused(path).errno == errno.ENOENT
    os.symlink(path + "-loop", path + "-loop")
    assert refused(path + "-loop").errno == errno.ELOOP
    assert bind_fails(path + "-loop") == errno.EADDRINUSE


def test_other_programs_files_are_left_alone(path: str) -> None:
    """bind, connect and close leave a file at the path as it is: its bytes, its times, its mode."""
    Path(path).write_bytes(b"a letter\n" * 100)
    os.utime(path, (1, 1))
    before = os.stat(path)
    assert bind_fails(path) == errno.EADDRINUSE
    with samesock.socket(samesock.AF_UNIX) as client, pytest.raises(ConnectionRefusedError):
        client.connect(path)
    after = os.stat(path)
    assert Path(path).read_bytes() == b"a letter\n" * 100
    assert (after.st_mtime_ns, after.st_mode, after.st_size) == (
        before.st_mtime_ns,
        before.st_mode,
        before.st_size,
    )


def test_replaced_file_survives_close(path: str, listener: samesock.socket) -> None:
    """A listener whose path was given to another file does not touch that file when it closes."""
    os.unlink(path)
    Path(path).write_bytes(b"mine now")
    listener.close()
    assert Path(path).read_bytes() == b"mine now"


def test_path_is_bound_anew_while_the_first_lives(path: str, listener: samesock.socket) -> None:
    """After unlink the name is free at once: another socket takes it, and clients get to that one."""
    os.unlink(path)
    assert refused(path).errno == errno.ENOENT
    with samesock.socket(samesock.AF_UNIX) as second:
        second.bind(path)
        assert refused(path).errno == errno.ECONNREFUSED
        second.listen(8)
        second.settimeout(20)
        exchange(path, second)
        listener.setblocking(False)
        with pytest.raises(BlockingIOError):
            listener.accept()


def test_unlink_while_clients_read(path: str) -> None:
    """Binding, unlinking and binding again go on undisturbed while clients connect all the time: these are served,
    or refused, or find nothing; nothing else happens."""
    ending = threading.Event()
    strange: list[BaseException] = []

    def knock() -> None:
        while not ending.is_set():
            with samesock.socket(samesock.AF_UNIX) as client:
                client.settimeout(20)
                try:
                    client.connect(path)
                except (ConnectionRefusedError, FileNotFoundError):
                    pass
                except OSError as error:
                    strange.append(error)

    threads = [threading.Thread(target=knock) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(100):
            with samesock.socket(samesock.AF_UNIX) as listener:
                while True:
                    try:
                        listener.bind(path)
                        break
                    except OSError as error:
                        # Wine keeps an unlinked name until its last reader has closed it.
                        assert error.errno == errno.EADDRINUSE
                        assert not hasattr(os, "fork")
                listener.listen(8)
                os.unlink(path)
    finally:
        ending.set()
        for thread in threads:
            thread.join()
    assert not strange


def test_connecting_to_oneself(path: str, listener: samesock.socket) -> None:
    """A listener that connects to its own path is told EINVAL, a bound socket is refused; one thread can be both
    sides of a connection."""
    with pytest.raises(OSError) as caught:
        listener.connect(path)
    assert caught.value.errno == errno.EINVAL
    with samesock.socket(samesock.AF_UNIX) as bound:
        bound.bind(path + "2")
        with pytest.raises(ConnectionRefusedError):
            bound.connect(path + "2")
    listener.settimeout(20)
    exchange(path, listener)


def test_tcp_connected_to_itself(
    path: str, listener: samesock.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    """TCP on loopback can connect a socket to itself when a port is free; that is never taken for the listener."""
    monkeypatch.setattr(calls, "getsockname", lambda tcp: ("127.0.0.1", record_at(path).port))
    assert refused(path).errno == errno.ECONNREFUSED


def test_ports_are_used_up(path: str, listener: samesock.socket, monkeypatch: pytest.MonkeyPatch) -> None:
    """With no port left towards the listener, connect() takes another loopback address, and the server does not
    mind; with none there either, it says why and names the path."""
    connect_ex = calls.connect_ex
    codes = [errno.EADDRNOTAVAIL]
    sources = []

    def used_up(tcp: object, server: object) -> int:
        if codes:
            return codes.pop()
        code = int(connect_ex(tcp, server))  # type: ignore[arg-type]
        sources.append(calls.getsockname(tcp)[0])  # type: ignore[arg-type]
        return code

    monkeypatch.setattr(calls, "connect_ex", used_up)
    listener.settimeout(20)
    exchange(path, listener)
    assert sources[0] != "127.0.0.1"
    assert sources[0].startswith("127.")
    codes[:] = [errno.EADDRNOTAVAIL] * 2
    with samesock.socket(samesock.AF_UNIX) as client, pytest.raises(OSError) as caught:
        client.connect(path)
    assert caught.value.errno == errno.EADDRNOTAVAIL
    assert caught.value.filename == path


def test_shut_down_listener_refuses(path: str, listener: samesock.socket) -> None:
    """A listener that is shut down, as programs do to wake a thread in accept(), refuses at once."""
    listener.shutdown(samesock.SHUT_RDWR)
    assert refused(path).errno == errno.ECONNREFUSED


# ---- readers' locks


needs_locks = pytest.mark.skipif(not hasattr(os, "register_at_fork"), reason="fcntl's locks are absent")

READER = """
    import fcntl, struct
    f = open(sys.argv[1], "rb")
    fcntl.fcntl(f, 37, struct.pack("hhqqi4x", fcntl.F_RDLCK, 0, 0, 0, 0))  # F_OFD_SETLK
    print("locked", flush=True)
    sys.stdin.readline()
"""


@needs_locks
def test_readers_lock_does_not_feign_life(path: str) -> None:
    """A reader who holds a lock on the whole file does not keep a dead listener's name alive."""
    with child(LISTENER, path) as server:
        assert says(server) == "listening"
        # The reader's lock has to stay clear of the listener's until that is dead, as the kernel sees to.
        server.kill()
        server.wait()
    with child(READER, path) as reader:
        assert says(reader) == "locked"
        assert refused(path).errno == errno.ECONNREFUSED


@needs_locks
def test_readers_lock_does_not_hang_listen(path: str) -> None:
    """A reader who locks the file between bind() and listen() makes listen() fail, not spin."""
    with samesock.socket(samesock.AF_UNIX) as listener:
        listener.bind(path)
        with child(READER, path) as reader:
            assert says(reader) == "locked"
            with pytest.raises(OSError) as caught:
                listener.listen(8)
            assert caught.value.errno == errno.EADDRINUSE
        listener.listen(8)
        listener.settimeout(20)
        exchange(path, listener)


# ---- users

AS_ANOTHER_USER = """
    import encodings.idna, logging, pwd, select
    import socket as plain
    from samesock.ffi import libc
    from samesock.unix import emulated, hello, pair, rendezvous
    socket.socket(socket.AF_UNIX).close()  # what is imported late may be unreadable to the other user
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
"""

CLIENT = (
    AS_ANOTHER_USER
    + """
    s = socket.socket(socket.AF_UNIX)
    s.settimeout(10)
    try:
        s.connect(sys.argv[1])
        s.sendall(b"x")
        print(s.recv(1))
    except OSError as error:
        print(type(error).__name__)
"""
)

THIEF = (
    AS_ANOTHER_USER
    + """
    record = rendezvous.decode(bytes.fromhex(sys.argv[1]))
    s = plain.create_connection(("127.0.0.1", record.port), 20)
    s.sendall(hello.make(record, s.getsockname(), s.getpeername(), pid=1, uid=0, name=b"") + b"x")
    try:
        print(s.recv(1))
    except OSError as error:
        print(type(error).__name__)
"""
)

THIEF_THAT_LEAVES = (
    AS_ANOTHER_USER
    + """
    record = rendezvous.decode(bytes.fromhex(sys.argv[1]))
    s = plain.create_connection(("127.0.0.1", record.port), 20, ("127.0.0.1", int(sys.argv[2])))
    s.sendall(hello.make(record, s.getsockname(), s.getpeername(), pid=1, uid=0, name=b"") + b"steal")
    s.setsockopt(plain.SOL_SOCKET, plain.SO_LINGER, bytes.fromhex(sys.argv[3]))
    s.close()
    print("gone", flush=True)
"""
)


def open_to_all(folder: Path) -> None:
    """Let other users get to the path."""
    os.chmod(folder, 0o755)


def serve_one(listener: samesock.socket, seconds: float) -> bool:
    """Whether a client came."""
    listener.settimeout(seconds)
    try:
        served, _ = listener.accept()
    except TimeoutError:
        return False
    with served:
        served.settimeout(20)
        served.sendall(served.recv(1))
    return True


def outcome(process: Child, listener: samesock.socket) -> tuple[bool, str]:
    """Serve until the child says what came of it; whether somebody was served, and what it said."""
    said: list[str] = []
    thread = threading.Thread(target=lambda: said.append(says(process)))
    thread.start()
    came = False
    while thread.is_alive():
        came = serve_one(listener, 0.05) or came
    thread.join()
    return came, said[0]


@needs_users
@pytest.mark.parametrize(
    ("mode", "comes"), [(0o600, False), (0o644, False), (0o666, True), (0o602, False), (0o606, True)]
)
def test_modes_let_others_in(
    socket_dir: Path, path: str, listener: samesock.socket, mode: int, comes: bool
) -> None:
    """Another user is let in if the file's mode lets him write, which is BSD's rule, and read, which is ours."""
    open_to_all(socket_dir)
    os.chmod(path, mode)
    with child(CLIENT, path) as client:
        said = "b'x'" if comes else "ConnectionResetError" if mode & 4 else "PermissionError"
        assert outcome(client, listener) == (comes, said)
    assert serve_own(path, listener)


def serve_own(path: str, listener: samesock.socket) -> bool:
    """Whether this user is served."""
    listener.settimeout(20)
    exchange(path, listener)
    return True


@needs_users
@pytest.mark.parametrize("at_once", [False, True])
def test_secret_kept_from_an_open_moment(path: str, at_once: bool) -> None:
    """A user who read the secret while the file's mode let him, and comes when it does no more, is refused; also if
    that moment was bind's own tick of the clock. The owner and root are served."""
    with samesock.socket(samesock.AF_UNIX) as listener:
        listener.bind(path)
        if not at_once:
            time.sleep(0.02)
        os.chmod(path, 0o644)
        stolen = Path(path).read_bytes().hex()
        if not at_once:
            os.chmod(path, 0o600)
        listener.listen(8)
        with child(THIEF, stolen) as thief:
            assert outcome(thief, listener) == (False, "ConnectionResetError")
        assert serve_own(path, listener)


@needs_users
def test_secret_without_the_right_to_write(path: str, listener: samesock.socket) -> None:
    """While the file may be read by all and written by its owner, the secret is not enough."""
    os.chmod(path, 0o644)
    with child(THIEF, Path(path).read_bytes().hex()) as thief:
        assert outcome(thief, listener) == (False, "ConnectionResetError")


@needs_users
def test_a_thief_whose_address_another_takes_over(path: str, listener: samesock.socket) -> None:
    """A thief that resets its connection while it waits for accept() is not let in by who has its port then: the row
    in the kernel's table is the other one's, who is served."""
    os.chmod(path, 0o644)
    source = quiet_source()
    record = record_at(path)
    with child(THIEF_THAT_LEAVES, Path(path).read_bytes().hex(), source[1], RESET_ON_CLOSE.hex()) as thief:
        assert says(thief) == "gone"
        with stranger(record, source=source) as honest:
            listener.settimeout(0.3)
            with pytest.raises(TimeoutError):
                listener.accept()
            honest.sendall(hello_of(record, honest) + b"honest")
            listener.settimeout(20)
            with listener.accept()[0] as served:
                served.settimeout(20)
                assert served.recv(9) == b"honest"


@needs_users
def test_owner_cannot_be_asked(
    path: str, listener: samesock.socket, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Where the kernel's table cannot be asked (a sandbox without netlink), a client that would have to be asked for
    is refused and the log says so; accept() does not fail."""

    def absent(local: object, remote: object) -> Owner:
        raise OSError(errno.EPROTONOSUPPORT, "no netlink here")

    monkeypatch.setattr(system, "connection_owner", absent)
    os.chmod(path, 0o644)
    with samesock.socket(samesock.AF_UNIX) as client:
        client.connect(path)
        assert not serve_one(listener, 0.3)
    assert caplog.records
    os.chmod(path, 0o600)


@needs_users
def test_foreign_file_must_have_its_owners_listener(socket_dir: Path, path: str) -> None:
    """A file of another user that points to a port of a third one is refused; to his own port it is his socket."""
    open_to_all(socket_dir)
    os.chmod(socket_dir, 0o777)
    with child(AS_ANOTHER_USER + LISTENER, path) as server:
        assert says(server) == "listening"
        record = record_at(path)
        client = samesock.socket(samesock.AF_UNIX)
        with client:
            client.connect(path)
            client.close()
        asked: list[int] = []

        def somebody(port: int) -> Owner:
            asked.append(port)
            return Owner(uid=12345)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(system, "listener_owner", somebody)
            assert refused(path).errno == errno.ECONNREFUSED
        assert asked[0] == record.port
        tell(server)


@needs_users
def test_file_of_others_that_anybody_may_write(path: str, listener: samesock.socket) -> None:
    """A file that others may write is believed only if its port is its owner's: rewritten to point to somebody else's
    listener, with a lock that feigns life, it is refused, and nothing is sent."""
    os.chmod(path, 0o666)
    record = record_at(path)
    code = (
        AS_ANOTHER_USER
        + """
    s = plain.create_server(("127.0.0.1", 0))
    print(s.getsockname()[1], flush=True)
    s.settimeout(20)
    c, _ = s.accept()
    c.settimeout(1)
    try:
        print(len(c.recv(100)), flush=True)
    except OSError:
        print(0, flush=True)
    """
    )
    with child(code) as fisher:
        port = int(says(fisher))
        with open(path, "r+b") as file:
            file.write(resealed(record, port=port, cookie=0))
        assert refused(path).errno == errno.ECONNREFUSED
        assert says(fisher) == "0"


# ---- owners


@pytest.mark.skipif(
    not hasattr(plain, "SO_PEERCRED"), reason="a table of sockets by exact query (sock_diag) is absent"
)
def test_client_is_not_taken_for_whoever_has_its_port(path: str, listener: samesock.socket) -> None:
    """A client that is gone is unknown, although somebody else listens on its port by now."""
    listener.settimeout(20)
    for _ in range(20):  # The system may give the port to a connection of another program, at any moment.
        with samesock.socket(samesock.AF_UNIX) as client:
            client.connect(path)
            served, _ = listener.accept()
            with served:
                assert samesock.peercred(served).uid == os.getuid()
                local = calls.getsockname(client)
                calls.setsockopt(client, plain.SOL_SOCKET, plain.SO_LINGER, RESET_ON_CLOSE)
                client.close()
                try:
                    other = plain.create_server(local)
                except OSError as taken:
                    assert taken.errno == errno.EADDRINUSE
                    continue
                with other:
                    who = samesock.peercred(served)
                assert who.uid is None
                assert who.trust == "claimed"
                return
    pytest.fail("the port of a client that was gone was never free")


# ---- events


@pytest.mark.skipif(not hasattr(ctypes, "WinDLL"), reason="named events (Win32) are absent")
def test_foreign_event_of_the_right_name(
    path: str, listener: samesock.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An event of the right name that belongs to another user does not make a name live."""
    from samesock.backend import _windows_life

    class Foreign:
        """The security module, for whose answers all events belong to somebody else."""

        user = staticmethod(_windows_life.security.user)

        @staticmethod
        def of_handle(handle: int, tried: str) -> SecurityDescriptor:
            return SecurityDescriptor("S-1-5-21-1-2-3-1001", None)

    monkeypatch.setattr(_windows_life, "security", Foreign)
    assert refused(path).errno == errno.ECONNREFUSED
    monkeypatch.undo()
    listener.settimeout(20)
    exchange(path, listener)
