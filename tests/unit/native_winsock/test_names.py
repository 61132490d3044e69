"""Names over Windows' own AF_UNIX: what is passed to Winsock, and what comes back from it."""

from __future__ import annotations

import _socket
import errno

import pytest

from samesock.unix.native import NativeEnd
from unit.native_winsock.stand_ins import KEEP, REUSE
from unit.scripted import Script, gives_name


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
