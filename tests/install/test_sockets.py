"""Plain `socket.socket` as a Unix socket once install() is in force, and what becomes of it at uninstall()."""

from __future__ import annotations

import errno
import os
import socket
import ssl
import stat
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

import samesock

pytestmark = pytest.mark.usefixtures("installed")


def served(listener: Any, talk: Callable[[Any], None]) -> threading.Thread:
    """A thread that accepts once and talks."""

    def work() -> None:
        conn, _ = listener.accept()
        with conn:
            talk(conn)

    thread = threading.Thread(target=work)
    thread.start()
    return thread


def shout(conn: Any) -> None:
    """Answer one message in capitals."""
    conn.sendall(conn.recv(100).upper())


def listening(path: Path) -> socket.socket:
    """A plain Unix listener."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(str(path))
    listener.listen()
    return listener


def test_plain_sockets(socket_dir: Path) -> None:
    """bind, connect, accept and the names work, and every socket is of the very class socket.socket."""
    path = str(socket_dir / "s")
    listener = listening(socket_dir / "s")
    client = socket.socket(socket.AF_UNIX)
    with listener, client:
        client.connect(path)
        conn, address = listener.accept()
        with conn:
            assert (type(listener), type(client), type(conn)) == (socket.socket,) * 3
            assert (address, conn.getsockname(), client.getpeername()) == ("", path, path)
            assert conn.family is socket.AF_UNIX
            client.sendall(b"hello")
            assert conn.recv(100) == b"hello"


def test_functions(socket_dir: Path) -> None:
    """create_server, fromfd, dup and socketpair(AF_UNIX) give plain Unix sockets that know their names."""
    path = str(socket_dir / "s")
    with socket.create_server(path, family=socket.AF_UNIX) as listener:
        assert type(listener) is socket.socket
        with (
            listener.dup() as copy,
            socket.fromfd(listener.fileno(), socket.AF_UNIX, socket.SOCK_STREAM) as other,
        ):
            assert type(copy) is type(other) is socket.socket
            assert copy.getsockname() == other.getsockname() == path
            thread = served(copy, shout)
            with socket.socket(socket.AF_UNIX) as client:
                client.connect(path)
                client.sendall(b"abc")
                assert client.recv(10) == b"ABC"
            thread.join()
    one, other = socket.socketpair(socket.AF_UNIX)
    with one, other:
        assert type(one) is type(other) is socket.socket
        assert one.family == socket.AF_UNIX
        one.sendall(b"x")
        assert other.recv(1) == b"x"


@pytest.mark.usefixtures("gaps")
def test_default_of_socketpair() -> None:
    """socketpair() without a family gives what the interpreter gives, and not one of ours."""
    one, other = socket.socketpair()
    with one, other:
        ours = samesock.unix.ends.get(one)
        assert ours is None
    expected = socket.AF_UNIX if hasattr(socket, "CMSG_LEN") and os.sep == "/" else socket.AF_INET
    assert one.family == expected


def test_inet_is_untouched() -> None:
    """INET sockets go on as ever: connect, names, options, dup and accept's class."""
    with socket.create_server(("127.0.0.1", 0)) as listener:  # noqa: SIM117
        with socket.create_connection(listener.getsockname()) as client:
            conn, address = listener.accept()
            with conn, client.dup() as copy:
                assert type(conn) is socket.socket
                assert address == client.getsockname() == copy.getsockname()
                client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                assert client.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
                with pytest.raises(OSError):
                    client.connect(("127.0.0.1", listener.getsockname()[1]))


@pytest.mark.usefixtures("gaps")
def test_inet_passes_one_python_function(tmp_path: Path) -> None:
    """install() adds one function to an INET socket's bind, connect, names and options, and to os.stat."""
    name = str(tmp_path / "plain")
    (tmp_path / "plain").write_bytes(b"x")
    entered: list[str] = []

    def note(frame: FrameType, event: str, _: object) -> None:
        if event == "call":
            entered.append(frame.f_code.co_filename)

    def entered_by(call: Callable[[], object]) -> int:
        entered.clear()
        sys.setprofile(note)
        try:
            call()
        finally:
            sys.setprofile(None)
        return len(entered)

    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        socket.socket() as client,
        socket.socket() as bound,
    ):
        where = listener.getsockname()
        calls = {
            "bind": lambda: bound.bind(("127.0.0.1", 0)),
            "connect": lambda: client.connect(where),
            "getsockname": client.getsockname,
            "getpeername": client.getpeername,
            "getsockopt": lambda: client.getsockopt(socket.SOL_SOCKET, socket.SO_TYPE),
            "send": lambda: client.send(b"x"),
            "stat": lambda: os.stat(name),
        }
        # The lambda is one itself.
        plain = ("getsockname", "getpeername")
        added = {what: entered_by(call) - (what not in plain) for what, call in calls.items()}
    assert added == {what: 0 if what == "send" else 1 for what in calls}


def test_errors(socket_dir: Path) -> None:
    """Errors are POSIX's: no such path, nobody listening, address in use."""
    with socket.socket(socket.AF_UNIX) as sock:
        with pytest.raises(FileNotFoundError):
            sock.connect(str(socket_dir / "none"))
        listening(socket_dir / "s").close()
        with pytest.raises(ConnectionRefusedError):
            sock.connect(str(socket_dir / "s"))
        with pytest.raises(OSError, match="use") as caught:
            sock.bind(str(socket_dir / "s"))
        assert isinstance(caught.value, OSError)


def test_tls_with_a_plain_context(socket_dir: Path, tls: tuple[ssl.SSLContext, ssl.SSLContext]) -> None:
    """`context.wrap_socket(sock)` works on both ends, and a listener can be wrapped, too."""
    server, client = tls

    def talk(conn: Any) -> None:
        with server.wrap_socket(conn, server_side=True) as secure:
            shout(secure)

    with listening(socket_dir / "s") as listener:
        thread = served(listener, talk)
        with socket.socket(socket.AF_UNIX) as sock:
            sock.connect(str(socket_dir / "s"))
            with client.wrap_socket(sock, server_hostname="unix.example") as secure:
                assert secure.getpeername() == str(socket_dir / "s")
                secure.sendall(b"secret")
                assert secure.recv(10) == b"SECRET"
        thread.join()
    with server.wrap_socket(listening(socket_dir / "t"), server_side=True) as wrapped:
        thread = served(wrapped, shout)
        with client.wrap_socket(socket.socket(socket.AF_UNIX), server_hostname="unix.example") as secure:
            secure.connect(str(socket_dir / "t"))
            secure.sendall(b"secret")
            assert secure.recv(10) == b"SECRET"
        thread.join()


def test_stale_files(socket_dir: Path) -> None:
    """The clean-up that servers do works: exists, S_ISSOCK of stat and lstat, chmod, unlink, bind again."""
    path = socket_dir / "s"
    listening(path).close()
    for _ in range(3):
        assert os.path.exists(path)
        assert path.exists()
        assert stat.S_ISSOCK(os.stat(path).st_mode)
        assert stat.S_ISSOCK(os.lstat(path).st_mode)
        assert stat.S_ISSOCK(path.stat().st_mode)
        assert path.is_socket()
        assert stat.S_ISSOCK(os.stat(os.fsencode(path)).st_mode)
        os.chmod(path, 0o666)
        os.unlink(path)
        assert not os.path.exists(path)
        listening(path).close()


def test_other_files_are_what_they_are(socket_dir: Path) -> None:
    """A plain file of a socket file's size is no socket, and stat keeps its arguments, results and errors."""
    plain = socket_dir / "plain"
    plain.write_bytes(b"!samesock 1\n" + bytes(244))
    assert stat.S_ISREG(os.stat(plain).st_mode)
    assert os.stat(plain, follow_symlinks=False).st_size == 256
    with plain.open("rb") as file:
        assert os.stat(file.fileno()).st_size == 256
    assert stat.S_ISDIR(os.stat(socket_dir).st_mode)
    with pytest.raises(FileNotFoundError):
        os.stat(socket_dir / "none")
    with pytest.raises(TypeError):
        os.stat()  # type: ignore[call-arg]
    if os.stat in os.supports_dir_fd:
        descriptor = os.open(socket_dir, os.O_RDONLY)
        try:
            assert os.stat("plain", dir_fd=descriptor).st_size == 256
        finally:
            os.close(descriptor)


def test_two_runs_on_one_path(socket_dir: Path) -> None:
    """A second listener takes the path over once the first one's file is removed, and is the one that answers."""
    path = socket_dir / "s"
    with listening(path) as first:
        os.unlink(path)
        with listening(path) as second:
            thread = served(second, shout)
            with socket.socket(socket.AF_UNIX) as client:
                client.connect(str(path))
                client.sendall(b"two")
                assert client.recv(10) == b"TWO"
            thread.join()
        assert first.fileno() >= 0


class Own(socket.socket):
    """Somebody's own kind of socket."""

    __slots__ = ("notes",)


@pytest.mark.usefixtures("gaps")
def test_uninstall_with_open_sockets(socket_dir: Path, tls: tuple[ssl.SSLContext, ssl.SSLContext]) -> None:
    """Open Unix sockets become samesock's at uninstall(), TLS ones and subclasses too, and go on working."""
    path = str(socket_dir / "s")
    listener, waiting, own = listening(socket_dir / "s"), socket.socket(socket.AF_UNIX), Own(socket.AF_UNIX)
    early = socket.socket(socket.AF_UNIX)
    early.connect(path)
    first, _ = listener.accept()
    shared = dict[str, Any]()

    def secure() -> None:
        shared["server"] = tls[0].wrap_socket(first, server_side=True)

    thread = threading.Thread(target=secure)
    thread.start()
    client = tls[1].wrap_socket(early, server_hostname="unix.example")
    thread.join()
    inet = socket.socket()
    samesock.uninstall()
    assert type(listener) is samesock.socket
    assert type(waiting) is samesock.socket
    assert type(client) is type(shared["server"]) is samesock.SSLSocket
    assert isinstance(own, Own)
    assert isinstance(own, samesock.socket)
    assert type(inet) is socket.socket
    with listener, waiting, own, inet, client, shared["server"]:
        for sock in (waiting, own):
            sock.connect(path)
            conn, _ = listener.accept()
            assert type(conn) is samesock.socket
            with conn:
                sock.sendall(b"still")
                assert conn.recv(10) == b"still"
                assert sock.getpeername() == path
        client.sendall(b"secret")
        assert shared["server"].recv(10) == b"secret"


@pytest.mark.usefixtures("gaps")
def test_install_with_open_sockets(socket_dir: Path) -> None:
    """Sockets made before install(), INET and samesock's, work during and after it."""
    samesock.uninstall()
    pair = samesock.socketpair()
    inet = socket.create_server(("127.0.0.1", 0))
    samesock.install()
    with pair[0], pair[1], inet, socket.create_connection(inet.getsockname()) as client:
        conn, _ = inet.accept()
        conn.close()
        assert client.recv(1) == b""
        pair[0].sendall(b"x")
        samesock.uninstall()
        assert pair[1].recv(1) == b"x"


def test_fork_and_exec_see_no_descriptor(socket_dir: Path) -> None:
    """A Unix socket is not inherited unless it is asked for."""
    with listening(socket_dir / "s") as listener:
        assert not listener.get_inheritable()


@pytest.mark.needs("passing")
def test_descriptors_are_passed(socket_dir: Path) -> None:
    """Plain sockets pass descriptors by the standard library's names, methods and functions."""
    import array

    reader, writer = os.pipe()
    with listening(socket_dir / "s") as listener, socket.socket(socket.AF_UNIX) as client:
        client.settimeout(20)
        client.connect(listener.getsockname())
        conn, _ = listener.accept()
        with conn:
            rights = (socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [writer]))
            assert conn.sendmsg([b"ab"], [rights]) == 2
            data, ancillary, flags, _ = client.recvmsg(10, 64)
            (number,) = array.array("i", ancillary[0][2])
            assert (data, flags & socket.MSG_CTRUNC) == (b"ab", 0)
            os.write(number, b"one")
            os.close(number)
            socket.send_fds(client, [b"cd"], [reader])
            data, (number,), _, _ = socket.recv_fds(conn, 10, 1)
            assert data == b"cd"
            assert os.read(number, 10) == b"one"
            os.close(number)
    os.close(reader)
    os.close(writer)


def test_a_message_to_an_address(socket_dir: Path) -> None:
    """sendmsg over a Unix stream refuses an address as on Linux: EISCONN, and TypeError for what is none."""
    with listening(socket_dir / "s") as listener, socket.socket(socket.AF_UNIX) as client:
        client.connect(listener.getsockname())
        with pytest.raises(OSError) as caught:
            client.sendmsg([b"x"], [], 0, listener.getsockname())
        assert caught.value.errno == errno.EISCONN
        with pytest.raises(TypeError):
            client.sendmsg([b"x"], [], 0, object())  # type: ignore[arg-type,unused-ignore]


def test_internet_streams_have_the_methods_too() -> None:
    """Where the method is there for Unix sockets it works for TCP: asyncio asks the class alone."""
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket() as client:
        client.settimeout(20)
        client.connect(server.getsockname())
        conn, _ = server.accept()
        with conn:
            assert client.sendmsg([b"ab", bytearray(b"cd")]) == 4
            assert conn.recvmsg(3)[0] == b"abc"
            buffers = [bytearray(1)]
            assert conn.recvmsg_into(buffers)[0] == 1
            assert buffers == [b"d"]


@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6], ids=["inet", "inet6"])
def test_internet_datagrams_have_the_methods_too(family: int) -> None:
    """They work for UDP as well: a message to an address, its sender, and the flag that tells of a cut."""
    host = "127.0.0.1" if family == socket.AF_INET else "::1"
    with socket.socket(family, socket.SOCK_DGRAM) as one, socket.socket(family, socket.SOCK_DGRAM) as other:
        for sock in (one, other):
            sock.settimeout(20)
            sock.bind((host, 0))
        assert one.sendmsg([b"ab", b"cd"], [], 0, other.getsockname()) == 4
        data, ancillary, flags, sender = other.recvmsg(3, 64)
        assert (data, ancillary, sender) == (b"abc", [], one.getsockname())
        assert flags & socket.MSG_TRUNC
        one.sendmsg([b"ef"], [], 0, other.getsockname())
        buffers = [bytearray(1), bytearray(4)]
        assert other.recvmsg_into(buffers)[0] == 2
        assert buffers == [b"e", b"f\0\0\0"]
