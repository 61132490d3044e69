"""Other users: whom a file's mode lets in, what a secret that was read is worth, whose file is believed."""

from __future__ import annotations

import errno
import os
import threading
import time
from pathlib import Path

import pytest

import samesock
from faults.children import LISTENER, Child, child, says, tell
from faults.refusals import refused
from faults.strangers import RESET_ON_CLOSE, exchange, hello_of, quiet_source, record_at, stranger
from samesock.backend import Owner, system
from samesock.unix import rendezvous

needs_users = pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() != 0,
    reason="changing the user (os.setuid) is not permitted here",
)


def resealed(record: rendezvous.Record, **changes: object) -> bytes:
    """A record with changed fields and the right checksum."""
    return rendezvous.encode(record._replace(**changes))  # type: ignore[arg-type]


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
