"""`unix.native` over a scripted Winsock: what only Windows answers.

The sockets underneath are Internet ones, which exist everywhere; the script answers what carries an address.
"""

from __future__ import annotations

import _socket
import ctypes
import errno
import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from samesock.backend import system
from samesock.ffi import kernel32 as k
from samesock.ffi import ws2_32 as w
from samesock.unix import connecting, native, socket_file
from samesock.unix._native_calls import WinsockCalls
from samesock.unix.calls import calls
from samesock.unix.datagram import DatagramEnd
from samesock.unix.native import NativeEnd
from unit.scripted import Script, gives_name, windows_error

REUSE = (_socket.SOL_SOCKET, _socket.SO_REUSEADDR)
KEEP = (_socket.SOL_SOCKET, _socket.SO_KEEPALIVE)


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> Iterator[Script]:
    """The script in the place of ws2_32."""
    script = Script()
    monkeypatch.setattr(w, "ws2_32", script)
    yield script
    script.finished()


@pytest.fixture
def end(script: Script) -> NativeEnd:
    """A native end over the script; the wait is scripted, too."""
    table = WinsockCalls()
    table.wait = script.wait  # type: ignore[method-assign,assignment]
    return NativeEnd(table)


@pytest.fixture
def sock() -> Iterator[_socket.socket]:
    """The socket that stands for an AF_UNIX one."""
    sock = _socket.socket(_socket.AF_INET, _socket.SOCK_STREAM)
    yield sock
    sock.close()


@pytest.fixture
def so_error(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Sets what SO_ERROR and SO_ACCEPTCONN say."""

    def answer(code: int, *, listens: int = 0) -> None:
        answers = {_socket.SO_ERROR: code, _socket.SO_ACCEPTCONN: listens}
        monkeypatch.setattr(calls, "getsockopt", lambda sock, level, option: answers[option])

    return answer


def as_socket_file(path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Makes a file that looks like a Windows socket: a reparse point with the right tag."""
    path.touch()
    real = os.lstat

    class Status:
        st_reparse_tag = socket_file.IO_REPARSE_TAG_AF_UNIX

        def __init__(self, status: os.stat_result) -> None:
            self.st_mode = status.st_mode

    monkeypatch.setattr(socket_file.files, "lstat", lambda name: Status(real(name)))
    return str(path)


@pytest.fixture
def bound(socket_dir: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The path of a file that looks like a Windows socket's."""
    return as_socket_file(socket_dir / "s", monkeypatch)


# ---- what is passed


def test_paths_are_utf8(end: NativeEnd, script: Script, sock: _socket.socket) -> None:
    """bind and connect pass the path in UTF-8 with its NUL, and its own length."""
    script.then("bind").then("connect").then("WSAIoctl")
    end.bind(sock, "é€")
    end.connect(sock, b"x")
    raw = b"\x01\x00\xc3\xa9\xe2\x82\xac\0"
    assert script.log[:2] == [
        ("bind", sock.fileno(), raw, len(raw)),
        ("connect", sock.fileno(), b"\x01\x00x\0", 4),
    ]


def test_108_bytes(end: NativeEnd, script: Script, sock: _socket.socket) -> None:
    """107 bytes of path fit, 110 in all; one more never reaches Winsock."""
    script.then("bind")
    end.bind(sock, "p" * 107)
    assert script.log[0][3] == 110
    for call in (end.bind, end.connect):
        with pytest.raises(OSError, match="AF_UNIX path too long") as caught:
            call(sock, "p" * 108)
        assert caught.value.errno is None


@pytest.mark.parametrize("name", ["\0abstract", b"\0abstract", ""])
def test_names_without_a_file(end: NativeEnd, sock: _socket.socket, name: str | bytes) -> None:
    """Abstract names and bind('') are EADDRNOTAVAIL, connect('') EINVAL; Winsock is not asked."""
    with pytest.raises(OSError, match="each needs a file") as caught:
        end.bind(sock, name)
    assert caught.value.errno == errno.EADDRNOTAVAIL
    with pytest.raises(OSError, match="each needs a file") as caught:
        end.connect(sock, name)
    assert caught.value.errno == (errno.EADDRNOTAVAIL if name else errno.EINVAL)


def test_bad_names(end: NativeEnd, sock: _socket.socket) -> None:
    """A NUL inside is a ValueError, a wrong type a TypeError, and Winsock is not asked."""
    for call in (end.bind, end.connect):
        with pytest.raises(ValueError, match="embedded null byte"):
            call(sock, "a\0b")
        with pytest.raises(TypeError, match=r"^a bytes-like object is required, not 'int'$"):
            call(sock, 1)


def test_closed(end: NativeEnd) -> None:
    """Every call on a closed socket is EBADF, and Winsock is not asked."""
    sock = _socket.socket(_socket.AF_INET, _socket.SOCK_STREAM)
    sock.close()
    for call in (
        lambda: end.bind(sock, "x"),
        lambda: end.connect(sock, "x"),
        lambda: end.accept(sock),
        lambda: end.getsockname(sock),
        lambda: end.getpeername(sock),
        lambda: end.peer_pid(sock),
        lambda: end.setsockopt(sock, *REUSE, 1),
        lambda: end.getsockopt(sock, *KEEP),
    ):
        with pytest.raises(OSError, match="closed") as caught:
            call()
        assert caught.value.errno == errno.EBADF


# ---- names that come back


def test_names_are_cut(end: NativeEnd, script: Script, sock: _socket.socket) -> None:
    """A name comes back as 110 bytes filled up with zeros, and is cut at the first."""
    script.then("getsockname", effect=gives_name(b"C:\\t\\\xc3\xa9"))
    script.then("getpeername", effect=gives_name(b""))
    assert end.getsockname(sock) == "C:\\t\\é"
    assert end.getpeername(sock) == ""


def test_unbound_has_no_name(end: NativeEnd, script: Script, sock: _socket.socket) -> None:
    """getsockname of an unbound socket is '', where Winsock answers WSAEINVAL."""
    script.fails("getsockname", 10022)
    assert end.getsockname(sock) == ""


def test_unconnected_has_no_peer(end: NativeEnd, script: Script, sock: _socket.socket) -> None:
    """getpeername without a peer is ENOTCONN."""
    script.fails("getpeername", 10057)
    with pytest.raises(OSError, match="peer") as caught:
        end.getpeername(sock)
    assert caught.value.errno == errno.ENOTCONN
    assert caught.value.winerror == 10057


# ---- bind


def test_bind_over_a_file(end: NativeEnd, script: Script, sock: _socket.socket, socket_dir: Path) -> None:
    """bind over whatever exists is EADDRINUSE with the path in it, and the file is left as it is."""
    path = socket_dir / "plain"
    path.write_bytes(b"precious")
    script.fails("bind", 10048)
    with pytest.raises(OSError, match="binding") as caught:
        end.bind(sock, str(path))
    assert caught.value.errno == errno.EADDRINUSE
    assert caught.value.winerror == 10048
    assert caught.value.filename == str(path)
    assert path.read_bytes() == b"precious"


@pytest.mark.parametrize("code", [10050, 10022])
def test_bind_in_a_missing_directory(
    end: NativeEnd, script: Script, sock: _socket.socket, socket_dir: Path, code: int
) -> None:
    """A directory that is not there is ENOENT, one that is a file ENOTDIR, whatever Winsock says."""
    (socket_dir / "file").touch()
    for name, kind in (
        ("no/x", FileNotFoundError),
        ("no/no/x", FileNotFoundError),
        ("file/x", NotADirectoryError),
        ("file/no/x", NotADirectoryError),
    ):
        script.fails("bind", code).fails("getsockname", 10022)
        with pytest.raises(kind) as caught:
            end.bind(sock, str(socket_dir / name))
        assert caught.value.filename == str(socket_dir / name)
        assert caught.value.winerror == code


@pytest.mark.parametrize("code", [10050, 10022])
def test_bind_on_a_volume_without_sockets(
    end: NativeEnd, script: Script, sock: _socket.socket, socket_dir: Path, code: int
) -> None:
    """Where directory and name are in order the volume has no sockets: EPERM, as on Linux."""
    script.fails("bind", code).fails("getsockname", 10022)
    with pytest.raises(
        PermissionError, match=r"samesock\.unix_path\(name\).*SAMESOCK_UNIX=emulated"
    ) as caught:
        end.bind(sock, str(socket_dir / "x"))
    assert caught.value.errno == errno.EPERM


def test_bind_twice(end: NativeEnd, script: Script, sock: _socket.socket, socket_dir: Path) -> None:
    """A second bind is EINVAL."""
    script.fails("bind", 10022).then("getsockname", effect=gives_name(b"x"))
    with pytest.raises(OSError, match="that has a name") as caught:
        end.bind(sock, str(socket_dir / "no" / "x"))
    assert caught.value.errno == errno.EINVAL


def test_bind_after_reuseaddr(end: NativeEnd, script: Script, sock: _socket.socket, socket_dir: Path) -> None:
    """A socket that came with SO_REUSEADDR set cannot be bound there: EOPNOTSUPP, which says why."""
    script.fails("bind", 10045).fails("getsockname", 10022)
    with pytest.raises(OSError, match="SO_REUSEADDR") as caught:
        end.bind(sock, str(socket_dir / "x"))
    assert caught.value.errno == errno.EOPNOTSUPP


def test_listen_without_a_name(
    end: NativeEnd, script: Script, sock: _socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    """listen without a name is EINVAL, whatever Winsock calls it."""

    def listen(sock: object, backlog: int) -> None:
        raise windows_error(10045)

    monkeypatch.setattr(calls, "listen", listen)
    script.fails("getsockname", 10022)
    with pytest.raises(OSError, match="without a name") as caught:
        end.listen(sock, 1)
    assert caught.value.errno == errno.EINVAL
    script.then("getsockname", effect=gives_name(b"x"))
    with pytest.raises(OSError, match="listening") as caught:
        end.listen(sock, 1)
    assert caught.value.errno == errno.EOPNOTSUPP


# ---- connect


@pytest.mark.parametrize("code", [10061, 10050, 10022])
def test_connect_to_nothing(
    end: NativeEnd, script: Script, sock: _socket.socket, socket_dir: Path, code: int
) -> None:
    """A path where nothing is gives ENOENT, below a file ENOTDIR, though Winsock refuses all alike."""
    (socket_dir / "file").touch()
    for name, kind in (
        ("x", FileNotFoundError),
        ("no/x", FileNotFoundError),
        ("file/x", NotADirectoryError),
    ):
        script.fails("connect", code)
        with pytest.raises(kind) as caught:
            end.connect(sock, str(socket_dir / name))
        assert caught.value.filename == str(socket_dir / name)
        assert caught.value.winerror == code


def test_connect_through_a_dangling_link(
    end: NativeEnd, script: Script, sock: _socket.socket, socket_dir: Path
) -> None:
    """A link to nothing gives ENOENT, too."""
    link = socket_dir / "link"
    try:
        link.symlink_to(socket_dir / "nothing")
    except OSError:
        pytest.skip("symbolic links: this user may not make them")
    script.fails("connect", 10061)
    with pytest.raises(FileNotFoundError):
        end.connect(sock, str(link))


@pytest.fixture
def datagrams(socket_dir: Path) -> Iterator[str]:
    """The path of an emulated datagram socket, which is what Windows has for want of its own."""
    path = str(socket_dir / "datagrams")
    udp, emulated = calls.create(_socket.AF_INET, _socket.SOCK_DGRAM, 0), DatagramEnd()
    emulated.open(udp)
    emulated.bind(udp, path)
    yield path
    emulated.close(udp)


def test_connect_to_an_emulated_one_of_another_type(
    datagrams: str, end: NativeEnd, script: Script, sock: _socket.socket
) -> None:
    """A stream that connects to a living datagram socket is told so: EPROTOTYPE, as on Linux."""
    script.fails("connect", 10061)
    with pytest.raises(OSError, match="datagrams") as caught:
        end.connect(sock, datagrams)
    assert caught.value.errno == errno.EPROTOTYPE


@pytest.mark.skipif(not hasattr(_socket, "AF_UNIX"), reason="unix-stream: here its file is no socket's")
def test_an_emulated_one_connects_to_no_stream_of_the_systems(socket_dir: Path) -> None:
    """A datagram or packet socket that connects to the system's own stream is told EPROTOTYPE; a stream, which may be
    about to remove what a server has left, is refused."""
    path = os.fsencode(socket_dir / "stream")
    with socket.socket(socket.AF_UNIX) as listener, socket.socket() as tcp:
        listener.bind(path)
        for kind in (_socket.SOCK_DGRAM, _socket.SOCK_SEQPACKET):
            with pytest.raises(OSError, match="two types") as caught:
                connecting.check(tcp, path, kind)
            assert caught.value.errno == errno.EPROTOTYPE
        with pytest.raises(ConnectionRefusedError):
            connecting.check(tcp, path, _socket.SOCK_STREAM)


@pytest.mark.parametrize("code", [10061, 10050, 10022])
def test_connect_to_a_plain_file(
    end: NativeEnd, script: Script, sock: _socket.socket, socket_dir: Path, code: int
) -> None:
    """A file that is no socket refuses the connection and is left as it is."""
    path = socket_dir / "plain"
    path.write_bytes(b"precious")
    script.fails("connect", code)
    with pytest.raises(ConnectionRefusedError) as caught:
        end.connect(sock, str(path))
    assert caught.value.filename == str(path)
    assert path.read_bytes() == b"precious"


def test_connect_to_a_stale_socket(
    end: NativeEnd, script: Script, sock: _socket.socket, bound: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A socket's file without a listener is ECONNREFUSED, even where looking at it fails with error 1920."""
    script.fails("connect", 10061)
    with pytest.raises(ConnectionRefusedError):
        end.connect(sock, bound)

    def lstat(name: str) -> None:
        raise windows_error(1920)

    monkeypatch.setattr(socket_file.files, "lstat", lstat)
    script.fails("connect", 10061)
    with pytest.raises(ConnectionRefusedError):
        end.connect(sock, bound)


def test_connect_in_a_virtualised_directory(
    end: NativeEnd, script: Script, sock: _socket.socket, bound: str
) -> None:
    """WSAEINVAL for a socket that is there is EOPNOTSUPP, not a refusal, and the message says what to do."""
    script.fails("connect", 10022)
    with pytest.raises(
        OSError, match=r"virtualises.*samesock\.unix_path\(name\).*SAMESOCK_UNIX=emulated"
    ) as caught:
        end.connect(sock, bound)
    assert caught.value.errno == errno.EOPNOTSUPP
    assert caught.value.winerror == 10022
    assert caught.value.filename == bound


def test_connect_a_listener(
    end: NativeEnd, script: Script, sock: _socket.socket, bound: str, so_error: Any
) -> None:
    """connect on a listening socket is EINVAL, as on Linux."""
    so_error(0, listens=1)
    script.fails("connect", 10022)
    with pytest.raises(OSError, match="that listens") as caught:
        end.connect(sock, bound)
    assert caught.value.errno == errno.EINVAL


def test_connect_twice(end: NativeEnd, script: Script, sock: _socket.socket, socket_dir: Path) -> None:
    """connect on a connected socket is EISCONN, or ENOENT where the path leads nowhere, as on Linux."""
    path = socket_dir / "s"
    script.fails("connect", 10056)
    with pytest.raises(FileNotFoundError):
        end.connect(sock, str(path))
    path.touch()
    script.fails("connect", 10056)
    with pytest.raises(OSError, match="connecting") as caught:
        end.connect(sock, str(path))
    assert caught.value.errno == errno.EISCONN


def test_connect_completes_at_once(
    end: NativeEnd, script: Script, sock: _socket.socket, so_error: Any
) -> None:
    """A non-blocking connect that Winsock calls "under way" is done when the call returns."""
    so_error(0)
    sock.settimeout(0.0)
    script.fails("connect", 10035).then("wait", {sock.fileno()}).then("WSAIoctl")
    end.connect(sock, "x")
    assert script.log[-2] == ("wait", (), (sock.fileno(),), native.CONNECT_SECONDS)


def test_connect_to_a_full_queue(end: NativeEnd, script: Script, sock: _socket.socket) -> None:
    """A non-blocking connect that does not complete is EAGAIN, never EINPROGRESS, and may be called again."""
    sock.settimeout(0.0)
    for code in (10035, 10037):
        script.fails("connect", code).then("wait", set())
        with pytest.raises(BlockingIOError) as caught:
            end.connect(sock, "x")
        assert (caught.value.errno, caught.value.filename) == (errno.EAGAIN, "x")
    script.fails("connect", 10056).then("WSAIoctl")
    end.connect(sock, "x")
    script.fails("connect", 10056)
    with pytest.raises(OSError, match="connecting"):
        end.connect(sock, "x")


def test_connect_fails_later(
    end: NativeEnd, script: Script, sock: _socket.socket, socket_dir: Path, so_error: Any
) -> None:
    """A failure that comes after "under way" is told as if it had come at once."""
    so_error(10061)
    sock.settimeout(0.0)
    script.fails("connect", 10035).then("wait", {sock.fileno()})
    with pytest.raises(FileNotFoundError):
        end.connect(sock, str(socket_dir / "x"))
    (socket_dir / "x").touch()
    script.fails("connect", 10035).then("wait", {sock.fileno()})
    with pytest.raises(ConnectionRefusedError):
        end.connect(sock, str(socket_dir / "x"))


def test_connect_times_out(end: NativeEnd, script: Script, sock: _socket.socket) -> None:
    """With a timeout, connect waits that long, then raises the standard library's TimeoutError."""
    sock.settimeout(7.5)
    script.fails("connect", 10035).then("wait", set())
    with pytest.raises(TimeoutError, match=r"^timed out$") as caught:
        end.connect(sock, "x")
    assert caught.value.errno is None
    assert script.log[-1] == ("wait", (), (sock.fileno(),), 7.5)


# ---- accept


@pytest.fixture
def handles(monkeypatch: pytest.MonkeyPatch) -> Script:
    """A script in the place of kernel32's SetHandleInformation."""
    script = Script()
    monkeypatch.setattr(k.kernel32, "SetHandleInformation", script.SetHandleInformation)
    monkeypatch.setattr(k.kernel32, "GetLastError", script.WSAGetLastError)
    return script


def test_accept(end: NativeEnd, script: Script, handles: Script, sock: _socket.socket) -> None:
    """accept passes no address, settles mode and inheritance, and asks for the peer's name apart."""
    script.then("accept", 4711).then("ioctlsocket").then("WSAIoctl").then(
        "getpeername", effect=gives_name(b"")
    )
    handles.then("SetHandleInformation", 1)
    number, peer, name = end.accept(sock)
    assert (number, name, peer.transport) == (4711, "", "native")
    assert script.log[0] == ("accept", sock.fileno(), None, None)
    call, handle, command, mode = script.log[1]
    assert (call, handle, command, mode[0]) == ("ioctlsocket", 4711, w.FIONBIO, 0)
    assert handles.log == [("SetHandleInformation", 4711, k.HANDLE_FLAG_INHERIT, 0)]
    assert handles.finished()


def test_accept_whose_peer_is_gone(
    end: NativeEnd, script: Script, handles: Script, sock: _socket.socket
) -> None:
    """A client that has closed already is accepted as one without a name."""
    script.then("accept", 4711).then("ioctlsocket").then("WSAIoctl").fails("getpeername", 10057)
    handles.then("SetHandleInformation", 1)
    assert end.accept(sock)[2] == ""


def test_accept_skips_resets(end: NativeEnd, script: Script, handles: Script, sock: _socket.socket) -> None:
    """A client that reset its connection while it waited does not make accept fail."""
    script.then("accept", w.INVALID_SOCKET, code=10054).then("accept", w.INVALID_SOCKET, code=10053)
    script.then("accept", 4711).then("ioctlsocket").then("WSAIoctl").then(
        "getpeername", effect=gives_name(b"C:\\c")
    )
    handles.then("SetHandleInformation", 1)
    assert end.accept(sock)[2] == "C:\\c"


def test_accept_would_block(end: NativeEnd, script: Script, sock: _socket.socket) -> None:
    """A non-blocking accept of nothing is BlockingIOError."""
    sock.settimeout(0.0)
    script.then("accept", w.INVALID_SOCKET, code=10035)
    with pytest.raises(BlockingIOError) as caught:
        end.accept(sock)
    assert caught.value.errno == errno.EWOULDBLOCK


def test_accept_waits(end: NativeEnd, script: Script, handles: Script, sock: _socket.socket) -> None:
    """With a timeout, accept waits for the listener, and again when somebody else was faster."""
    sock.settimeout(9.0)
    for _ in range(2):
        script.then("accept", w.INVALID_SOCKET, code=10035).then("wait", {sock.fileno()})
    script.then("accept", 4711).then("ioctlsocket").then("WSAIoctl").then(
        "getpeername", effect=gives_name(b"")
    )
    handles.then("SetHandleInformation", 1)
    assert end.accept(sock)[0] == 4711
    waits = [entry for entry in script.log if entry[0] == "wait"]
    assert [entry[1:3] for entry in waits] == [((sock.fileno(),), ())] * 2
    assert 0 < waits[1][3] <= waits[0][3] <= 9.0


def test_accept_times_out(end: NativeEnd, script: Script, sock: _socket.socket) -> None:
    """When the time is over, accept raises the standard library's TimeoutError."""
    sock.settimeout(0.5)
    script.then("accept", w.INVALID_SOCKET, code=10035).then("wait", set())
    with pytest.raises(TimeoutError, match=r"^timed out$") as caught:
        end.accept(sock)
    assert caught.value.errno is None


def test_accept_fails(end: NativeEnd, script: Script, sock: _socket.socket) -> None:
    """accept on what does not listen is EINVAL."""
    script.then("accept", w.INVALID_SOCKET, code=10022)
    with pytest.raises(OSError, match="accepting") as caught:
        end.accept(sock)
    assert caught.value.errno == errno.EINVAL


def test_accepted_socket_is_not_lost(
    end: NativeEnd, script: Script, handles: Script, sock: _socket.socket
) -> None:
    """A socket that cannot be made to block, or not to be inherited, is closed and not left open."""
    script.then("accept", 4711).fails("ioctlsocket", 10038).then("closesocket")
    with pytest.raises(OSError, match="block"):
        end.accept(sock)
    script.then("accept", 4711).then("ioctlsocket").then("closesocket")
    handles.then("SetHandleInformation", 0, code=6)
    with pytest.raises(OSError, match="inherited"):
        end.accept(sock)
    assert script.log[-1] == ("closesocket", 4711)


# ---- options and the peer


@pytest.mark.parametrize("option", [REUSE, KEEP])
def test_options_that_mean_nothing(
    end: NativeEnd, sock: _socket.socket, option: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """SO_REUSEADDR and SO_KEEPALIVE are taken, remembered, common to duplicates, and never passed down."""

    def never(*arguments: object) -> None:
        raise AssertionError(arguments)

    monkeypatch.setattr(calls, "setsockopt", never)
    monkeypatch.setattr(calls, "getsockopt", never)
    duplicate = end.copy(1)
    assert end.getsockopt(sock, *option) == 0
    end.setsockopt(sock, *option, 1)
    assert end.getsockopt(sock, *option) == 1
    assert end.getsockopt(sock, *option, 4) == (1).to_bytes(4, "little")
    assert duplicate.getsockopt(sock, *option) == 1
    end.setsockopt(sock, *option, bytes(4))
    assert end.getsockopt(sock, *option) == 0


def test_other_options(end: NativeEnd, sock: _socket.socket) -> None:
    """Every other option is the kernel's."""
    end.setsockopt(sock, _socket.SOL_SOCKET, _socket.SO_RCVBUF, 65536)
    assert end.getsockopt(sock, _socket.SOL_SOCKET, _socket.SO_RCVBUF) >= 65536
    assert end.getsockopt(sock, _socket.SOL_SOCKET, _socket.SO_TYPE) == _socket.SOCK_STREAM


def test_option_errors(end: NativeEnd, sock: _socket.socket, monkeypatch: pytest.MonkeyPatch) -> None:
    """An option that Winsock lacks is POSIX's ENOPROTOOPT, whatever number C gave it."""

    def fail(*arguments: object) -> None:
        raise windows_error(10042)

    monkeypatch.setattr(calls, "setsockopt", fail)
    monkeypatch.setattr(calls, "getsockopt", fail)
    for call in (end.setsockopt, end.getsockopt):
        with pytest.raises(OSError, match="option 99") as caught:
            call(sock, _socket.SOL_SOCKET, 99, 4)
        assert caught.value.errno == errno.ENOPROTOOPT


def test_so_error_is_an_errno(end: NativeEnd, sock: _socket.socket, so_error: Any) -> None:
    """SO_ERROR gives an errno and not Winsock's code."""
    so_error(10061)
    assert end.getsockopt(sock, _socket.SOL_SOCKET, _socket.SO_ERROR) == errno.ECONNREFUSED
    so_error(0)
    assert end.getsockopt(sock, _socket.SOL_SOCKET, _socket.SO_ERROR) == 0


def test_peer_pid(end: NativeEnd, script: Script, sock: _socket.socket) -> None:
    """The peer's pid is believed although WSAIoctl says that it returned 0 bytes."""

    def answer(*arguments: Any) -> None:
        _, code, inp, insize, out, outsize, returned, overlapped, routine = arguments
        assert (code, inp, insize, outsize, overlapped, routine) == (0x58000100, None, 0, 4, None, None)
        assert ctypes.sizeof(returned) == 4
        out[0] = 1234

    script.then("WSAIoctl", effect=answer).then("WSAIoctl", effect=answer)
    assert end.peer_pid(sock) == 1234
    assert end.peercred(sock) == (1234, None, None, None, "kernel")


@pytest.mark.parametrize("side", ["client", "server"])
@pytest.mark.parametrize(
    ("then", "now", "told"),
    [
        pytest.param(5, 5, True, id="the same"),
        pytest.param(5, 6, False, id="another"),
        pytest.param(5, None, False, id="gone"),
        pytest.param(None, 6, False, id="gone before, another now"),
        pytest.param(None, None, True, id="one that may not be asked"),
    ],
)
def test_a_peers_number_that_is_another_processs_by_now(  # noqa: PLR0917
    end: NativeEnd,
    script: Script,
    handles: Script,
    sock: _socket.socket,
    monkeypatch: pytest.MonkeyPatch,
    side: str,
    then: int | None,
    now: int | None,
    told: bool,
) -> None:
    """peercred names the peer's process while the process of that number is the one that it was when the connection
    was made or accepted, by its start; a duplicate says the same."""

    def answer(*arguments: Any) -> None:
        arguments[4][0] = 1234

    starts = [then, now, now]
    monkeypatch.setattr(system, "start_time", lambda pid: starts.pop(0) if pid == 1234 else None)
    if side == "client":
        script.then("connect").then("WSAIoctl", effect=answer)
        end.connect(sock, "x")
    else:
        script.then("accept", 4711).then("ioctlsocket").then("WSAIoctl", effect=answer)
        script.then("getpeername", effect=gives_name(b""))
        handles.then("SetHandleInformation", 1)
        end = end.accept(sock)[1]
    for one in (end, end.copy(sock.fileno())):
        script.then("WSAIoctl", effect=answer)
        assert one.peercred(sock) == (1234 if told else None, None, None, None, "kernel")


def test_peer_unknown(end: NativeEnd, script: Script, sock: _socket.socket) -> None:
    """A peer that Windows does not tell of is unknown, never guessed; without a peer it is ENOTCONN."""
    script.then("WSAIoctl").fails("WSAIoctl", 10045)
    assert end.peer_pid(sock) is None
    assert end.peercred(sock).pid is None
    script.fails("WSAIoctl", 10057)
    with pytest.raises(OSError, match="peer process") as caught:
        end.peercred(sock)
    assert caught.value.errno == errno.ENOTCONN


# ---- the probe


def test_probe_without_a_kernel(socket_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the kernel has no AF_UNIX (10047), native does not work, and nothing is left behind."""

    def create(*arguments: object) -> None:
        raise windows_error(10047)

    monkeypatch.setattr(calls, "create", create)
    assert native.works(str(socket_dir)) is False
    assert list(socket_dir.iterdir()) == []


def test_probe_in_a_virtualised_directory(
    script: Script,
    socket_dir: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Where bind and listen work and connect does not, native does not work, and the file is removed."""
    made: list[Path] = []

    def bind(s: int, name: bytes, namelen: int) -> None:
        made.append(Path(os.fsdecode(name[2:-1])))
        as_socket_file(made[0], monkeypatch)

    real = calls.create
    monkeypatch.setattr(native, "default_calls", WinsockCalls)
    monkeypatch.setattr(calls, "create", lambda family, *rest: real(_socket.AF_INET, *rest))
    monkeypatch.setattr(calls, "listen", lambda sock, backlog: None)
    script.then("bind", effect=bind).fails("connect", 10022)
    assert native.works(str(socket_dir)) is False
    assert made[0].parent == socket_dir
    assert list(socket_dir.iterdir()) == []
