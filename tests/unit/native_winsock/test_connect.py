"""connect over Windows' own AF_UNIX."""

from __future__ import annotations

import _socket
import errno
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from samesock.unix import connecting, native, socket_file
from samesock.unix.calls import calls
from samesock.unix.datagram import DatagramEnd
from samesock.unix.native import NativeEnd
from unit.scripted import Script, windows_error


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
