"""accept over Windows' own AF_UNIX."""

from __future__ import annotations

import _socket
import errno

import pytest

from samesock.ffi import kernel32 as k
from samesock.ffi import ws2_32 as w
from samesock.unix.native import NativeEnd
from unit.scripted import Script, gives_name


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
