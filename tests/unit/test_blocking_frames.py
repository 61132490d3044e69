"""The frames around calls (`winsock.blocking`) over a scripted table, and the order of `close(wake=True)`."""

from __future__ import annotations

import _socket
import contextlib
import errno
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from samesock import _waking
from samesock.winsock import blocking
from samesock.winsock.calls import calls
from samesock.winsock.interrupting import interrupter


def failing(code: int) -> OSError:
    """What C raises for a code of Winsock's."""
    error = OSError(errno.EINVAL, "scripted")
    error.winerror = code  # type: ignore[attr-defined,unused-ignore]
    return error


def scripted(name: str, *answers: Any) -> Callable[..., Any]:
    """A function of that name which gives, or raises, one answer after the other."""
    left = list(answers)

    def function(*_: Any) -> Any:
        answer = left.pop(0)
        if isinstance(answer, BaseException):
            raise answer
        return answer

    function.__name__ = name
    return function


@pytest.fixture
def sock() -> Iterator[socket.socket]:
    """A socket."""
    with socket.socket() as made:
        yield made
        _waking.ended.pop(made, None)


@pytest.mark.parametrize("name", ["recv", "recv_into", "recvfrom", "_accept", "recvmsg"])
def test_a_cancelled_read_is_made_again(sock: socket.socket, name: str) -> None:
    """995 never reaches the program: the read is made again (PEP 475)."""
    function = scripted(name, failing(995), failing(995), "what came")
    assert blocking.call(function, sock, 1) == "what came"
    assert threading.get_ident() not in _waking.readers


def test_a_cancelled_read_of_a_woken_socket(sock: socket.socket) -> None:
    """After close(wake=True) a cancelled read is ECONNABORTED."""
    _waking.ended[sock] = "ECONNABORTED"
    function = scripted("recv", failing(995))
    with pytest.raises(ConnectionAbortedError, match="recv"):
        blocking.reading_has_ended(failing(995), sock, function)


def test_a_bare_socket_is_asked_about(sock: socket.socket) -> None:
    """While some socket has been ended, a call of one without weak references, as the probes make, goes on."""
    _waking.ended[sock] = "ECONNABORTED"
    with contextlib.closing(_socket.socket()) as bare:
        assert blocking.call(scripted("recv", failing(995), b"x"), bare, 1) == b"x"
        blocking.ready(bare, writing=True, seconds=0.0)


def test_a_send_within_a_recv_is_what_the_thread_is_in(sock: socket.socket) -> None:
    """A handler's send is not ended for the sake of the socket that the call around it reads from."""
    me = threading.get_ident()
    _waking.ended[sock] = "ECONNABORTED"
    seen: list[object] = []

    def look(_: Any, *__: Any) -> int:
        seen.append(_waking.read_by(me))
        _waking.check_caller("sending")
        return 1

    look.__name__ = "send"
    _waking.readers[me] = sock
    try:
        with socket.socket() as other, pytest.MonkeyPatch.context() as patch:
            patch.setattr(interrupter, "signals_do_it", False)
            patch.setattr(interrupter, "main", -1)
            assert blocking.call(look, other, b"x") == 1
        assert seen == [None]
        assert _waking.read_by(me) is sock
        with pytest.raises(ConnectionAbortedError):
            _waking.check_caller("reading")
    finally:
        del _waking.readers[me]


@pytest.mark.parametrize(("name", "end"), [("recv", b""), ("recv_into", 0), ("recvfrom", (b"", None))])
def test_a_read_after_ones_own_shutdown(sock: socket.socket, name: str, end: Any) -> None:
    """Cancelled by one's own shutdown, or told WSAESHUTDOWN, a read gives the end of the stream."""
    _waking.ended[sock] = _waking.END_OF_STREAM
    assert blocking.call(scripted(name, failing(995)), sock, 1) == end
    assert blocking.call(scripted(name, failing(10058)), sock, 1) == end


def test_a_cancelled_write_is_never_made_again(sock: socket.socket, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody knows how much of a cancelled send was sent: it is ECONNABORTED, and no second try."""
    monkeypatch.setattr(interrupter, "signals_do_it", False)
    monkeypatch.setattr(interrupter, "main", -1)
    with pytest.raises(ConnectionAbortedError, match="part may have been sent") as caught:
        blocking.call(scripted("sendall", failing(995), None), sock, b"x")
    assert getattr(caught.value, "winerror", None) == 995
    assert threading.get_ident() not in _waking.writers


@pytest.mark.parametrize("name", ["recv", "send", "_accept", "getsockname"])
def test_errors_are_posix(sock: socket.socket, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A Winsock code becomes POSIX's errno, and stays in winerror."""
    monkeypatch.setattr(interrupter, "main", -1)  # whose send is no call of the function's
    with pytest.raises(ConnectionResetError) as caught:
        blocking.call(scripted(name, failing(10054)), sock, b"x")
    assert getattr(caught.value, "winerror", None) == 10054
    assert caught.value.errno == errno.ECONNRESET


def test_a_closed_socket_is_ebadf(sock: socket.socket) -> None:
    """Whatever Winsock says of a socket that was closed in another thread: EBADF."""

    def recv(*_: Any) -> bytes:
        sock.close()
        raise failing(10022)

    with pytest.raises(OSError, match="closed meanwhile") as caught:
        blocking.call(recv, sock, 1)
    assert caught.value.errno == errno.EBADF


def test_errors_that_are_no_winsock_s_stay(sock: socket.socket) -> None:
    """An exception without a code leaves as it came."""
    with pytest.raises(TimeoutError, match="mine"):
        blocking.call(scripted("recv", TimeoutError("mine")), sock, 1)
    with pytest.raises(TypeError):
        blocking.call(scripted("recv", TypeError()), sock, 1)


def test_the_frame_over_libc() -> None:
    """Over a kernel that needs none of it the frame only makes the call."""
    one, other = socket.socketpair()
    with one, other:
        assert blocking.call(calls.send, one, b"abc") == 3
        assert blocking.call(calls.recv, other, 2) == b"ab"
        other.settimeout(0.05)
        assert blocking.call(calls.recv, other, 2) == b"c"
        with pytest.raises(TimeoutError):
            blocking.call(calls.recv, other, 2)


class Slow:
    """A thread in a call of a socket that is ended by nothing."""

    def __init__(self, sock: socket.socket, *, writes: bool = False) -> None:
        self.go = threading.Event()
        self._sock = sock
        self._list = _waking.writers if writes else _waking.readers
        self._leave = _waking.leave_writing if writes else _waking.leave
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()
        while sock not in self._list.values():
            time.sleep(0.001)

    def _run(self) -> None:
        self._list[threading.get_ident()] = self._sock
        try:
            self.go.wait(20)
        finally:
            self._list[threading.get_ident()] = None
            self._leave(self._sock)


def is_open(number: int) -> bool:
    """Whether there is a socket of that number."""
    try:
        other = socket.socket(fileno=os.dup(number)) if not hasattr(socket.socket, "share") else None
    except OSError:
        return False
    if other is None:
        return True
    other.close()
    return True


def test_the_number_is_open_while_a_call_has_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """close(wake=True) waits for the call to return before the number can be another's."""
    sock = socket.socket()
    number = sock.fileno()
    slow = Slow(sock)
    struck: list[bool] = []

    def strike(_: Any, tries: int) -> None:
        struck.append(is_open(number))
        if tries == 3:
            slow.go.set()

    _waking.wake(sock, strike)
    assert not _waking.others_in(sock)
    assert all(struck)
    assert len(struck) >= 4
    assert sock.fileno() == number
    sock.close()


@pytest.mark.parametrize("writes", [False, True], ids=["reading", "writing"])
def test_the_last_one_out_closes(monkeypatch: pytest.MonkeyPatch, writes: bool) -> None:
    """A call that nothing ends keeps the number until it returns; the closer does not wait for ever."""
    monkeypatch.setattr(_waking, "HAND_OVER_SECONDS", 0.05)
    sock = socket.socket()
    number = sock.fileno()
    slow = Slow(sock, writes=writes)
    _waking.wake(sock, lambda *_: None)
    assert sock.fileno() == -1
    assert is_open(number)
    closed: list[int] = []
    monkeypatch.setattr(_waking._socket, "close", closed.append)
    slow.go.set()
    slow.thread.join(20)
    assert closed == [number]
    monkeypatch.undo()
    socket.close(number)


@pytest.mark.parametrize(("name", "timeout"), [("sendall", None), ("send", 20.0), ("recv", None)])
def test_a_frame_closes_what_it_was_left(monkeypatch: pytest.MonkeyPatch, name: str, timeout: Any) -> None:
    """Whatever kind of call is the last one to leave a closed socket, the number does not stay open behind it."""
    monkeypatch.setattr(interrupter, "signals_do_it", False)
    monkeypatch.setattr(interrupter, "main", -1)
    closed: list[int] = []
    monkeypatch.setattr(_waking._socket, "close", closed.append)

    def late(sock: Any, *_: Any) -> int:
        _waking.orphans[sock] = 4711
        return 1

    late.__name__ = name
    one, other = socket.socketpair()
    with one, other:
        one.settimeout(timeout)
        monkeypatch.setattr(calls, "send", late)
        blocking.call(late, one, b"x")
    assert closed == [4711]
