"""Options over Windows' own AF_UNIX, and who the peer is."""

from __future__ import annotations

import _socket
import ctypes
import errno
from typing import Any

import pytest

from samesock.backend import system
from samesock.unix.calls import calls
from samesock.unix.native import NativeEnd
from unit.native_winsock.stand_ins import KEEP, REUSE
from unit.scripted import Script, gives_name, windows_error


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
