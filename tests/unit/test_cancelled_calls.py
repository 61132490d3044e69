"""Calls that were cancelled: by 995 where Wine says so, by WSAEINTR where Windows does, after which C calls again."""

from __future__ import annotations

import _socket
import errno
import functools
import signal
import socket as stdlib
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from samesock import _waking
from samesock.backend import system
from samesock.ffi import kernel32 as k
from samesock.ffi import ws2_32 as w
from samesock.unix import endable
from samesock.unix._native_calls import WinsockCalls
from samesock.unix.native import NativeEnd
from samesock.winsock import blocking, ending
from samesock.winsock.calls import calls
from samesock.winsock.interrupting import interrupter
from unit.scripted import Script, gives_name, windows_error
from unit.test_blocking_frames import scripted
from unit.winsock_sockets import Made, made_sockets

CODES = pytest.mark.parametrize("code", [995, 10004])
LONG = 60.0
"""More than any of these takes: what is left to it fails by the test's own time-out."""


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> Iterator[Made]:
    """Sockets with Winsock's methods."""
    with made_sockets(monkeypatch) as maker:
        yield maker


@pytest.fixture
def sock() -> Iterator[Any]:
    """A socket."""
    with stdlib.socket() as one:
        yield one
        _waking.ended.pop(one, None)


@pytest.fixture
def c_calls_again(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], None]]:
    """From its call on, C's methods make a cancelled call again: on POSIX they do after a signal, which is the same
    loop of theirs."""
    monkeypatch.setattr(_waking, "HAND_OVER_SECONDS", LONG)
    monkeypatch.setattr(ending, "_END_SECONDS", LONG)
    with_signals = hasattr(signal, "pthread_kill")
    before = signal.signal(signal.SIGUSR1, lambda *_: None) if with_signals else None

    def begin() -> None:
        if with_signals:
            monkeypatch.setattr(interrupter, "signals_do_it", False)
            monkeypatch.setattr(interrupter, "main", -1)
            monkeypatch.setattr(
                ending, "kernel32_waits", type("Table", (), {"CancelIoEx": staticmethod(signalled)})
            )
        else:
            for name in ("recv", "accept"):
                monkeypatch.setattr(calls, name, calling_again(getattr(calls, name)))

    yield begin
    if with_signals:
        signal.signal(signal.SIGUSR1, before)


def signalled(number: int, _: None) -> None:
    """CancelIoEx of all that is under way on that number: a signal for each thread that reads from it."""
    for sock in list(_waking.readers.values()):
        if sock is not None and sock.fileno() == number:
            for thread in _waking.readers_of(sock):
                signal.pthread_kill(thread, signal.SIGUSR1)


def calling_again(method: Callable[..., Any]) -> Callable[..., Any]:
    """C's method as it is where Winsock says WSAEINTR: it comes back with no other code than that of its last try."""

    @functools.wraps(method)
    def call(*arguments: Any) -> Any:
        while True:
            try:
                return method(*arguments)
            except OSError as error:
                if getattr(error, "winerror", None) != 995:
                    raise

    return call


def blocked(sock: Any, call: Callable[[], object]) -> tuple[threading.Thread, list[BaseException]]:
    """A thread that is in the call by now, and what it will have raised."""
    raised: list[BaseException] = []

    def run() -> None:
        try:
            call()
        except OSError as error:
            raised.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    while thread.ident not in _waking.readers_of(sock):
        thread.join(0.001)
    thread.join(0.05)  # it has said so, and is not yet in the kernel
    return thread, raised


@CODES
@pytest.mark.parametrize("name", ["recv", "recv_into", "recvfrom", "_accept", "recvmsg"])
def test_a_cancelled_read_is_made_again(sock: Any, name: str, code: int) -> None:
    """Neither code reaches the program: the read is made again (PEP 475)."""
    function = scripted(name, windows_error(code), windows_error(code), "what came")
    assert blocking.call(function, sock, 1) == "what came"


@pytest.mark.parametrize("code", [995, 10004, 10035])
@pytest.mark.parametrize(("ended", "raised"), [("ECONNABORTED", ConnectionAbortedError), ("EINVAL", OSError)])
def test_what_ended_the_socket_ends_its_read(sock: Any, ended: str, raised: Any, code: int) -> None:
    """Closed with `wake`, or shut down, a socket's read raises that; 10035 comes to one that may not wait again."""
    _waking.ended[sock] = ended
    with pytest.raises(raised) as caught:
        blocking.reading_has_ended(windows_error(code), sock, calls.recv)
    assert caught.value.errno == getattr(errno, ended)


@pytest.mark.parametrize("code", [995, 10004, 10035])
def test_ones_own_shutdown_is_the_end(sock: Any, code: int) -> None:
    """After one's own shutdown each of them is the end of the stream."""
    _waking.ended[sock] = _waking.END_OF_STREAM
    assert blocking.call(scripted("recv", windows_error(code)), sock, 1) == b""


def test_nothing_to_read_is_told(sock: Any) -> None:
    """While nothing has ended the socket, 10035 is the program's to know."""
    sock.settimeout(0)
    with pytest.raises(BlockingIOError):
        blocking.call(scripted("recv", windows_error(10035)), sock, 1)


@pytest.mark.parametrize("name", ["recv", "recv_into", "recvfrom", "_accept", "recvmsg", "send", "sendto"])
def test_a_duplicate_that_is_being_closed_is_no_answer(
    sock: Any, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A socket whose duplicate may not wait for the moment does not wait in Winsock either: its call, of which nothing
    is done, waits here and is made again; 10035 never comes to a program whose socket blocks."""
    monkeypatch.setattr(interrupter, "signals_do_it", False)
    monkeypatch.setattr(interrupter, "main", -1)
    waits: list[bool] = []
    monkeypatch.setattr(system, "wait_for", lambda _, writing, __: waits.append(writing))
    function = scripted(name, windows_error(10035), windows_error(10035), "done")
    assert blocking.call(function, sock, b"x") == "done"
    assert waits == [name.startswith("send")] * 2


def test_a_duplicates_sendall_does_not_know_how_much(sock: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that C has cut into pieces is an aborted one, as when it was cancelled."""
    monkeypatch.setattr(interrupter, "signals_do_it", False)
    monkeypatch.setattr(interrupter, "main", -1)
    with pytest.raises(ConnectionAbortedError, match="part may have been sent"):
        blocking.call(scripted("sendall", windows_error(10035)), sock, b"x")


@CODES
def test_a_cancelled_write_is_never_made_again(sock: Any, code: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody knows how much of it was sent: ECONNABORTED, with the code kept."""
    monkeypatch.setattr(interrupter, "signals_do_it", False)
    monkeypatch.setattr(interrupter, "main", -1)
    with pytest.raises(ConnectionAbortedError, match="part may have been sent") as caught:
        blocking.call(scripted("sendall", windows_error(code), None), sock, b"x")
    assert getattr(caught.value, "winerror", None) == code


@CODES
def test_a_cancelled_message_is_never_made_again(sock: Any, code: int) -> None:
    """The same of an emulated socket's messages."""
    with pytest.raises(ConnectionAbortedError, match="cancelled"):
        endable.sending(sock, scripted("sendmsg", windows_error(code)))


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> Iterator[Script]:
    """The script in the place of the libraries."""
    script = Script()
    monkeypatch.setattr(w, "ws2_32", script)
    monkeypatch.setattr(k, "kernel32", script)
    yield script
    script.finished()


@CODES
def test_a_native_accept_is_made_again(sock: Any, script: Script, code: int) -> None:
    """Ctrl+C's handler has run in between, and raised nothing: the next client is accepted."""
    script.then("accept", w.INVALID_SOCKET, code=code).then("accept", 77).then("ioctlsocket").then(
        "SetHandleInformation", 1
    )
    script.fails("WSAIoctl", 10045).then("getpeername", effect=gives_name(b""))
    assert NativeEnd(WinsockCalls()).accept(sock)[0] == 77


@CODES
@pytest.mark.parametrize("call", ["accept", "connect"])
def test_a_closed_sockets_number_is_not_used_again(script: Script, call: str, code: int) -> None:
    """Another thread closed the socket under the call: EBADF, and no second call of what may be a stranger's number."""
    closing = _socket.socket()
    script.then(call, w.INVALID_SOCKET, code=code, effect=lambda *_: closing.close())
    address = [r"C:\some\path"] if call == "connect" else []
    with pytest.raises(OSError, match="closed meanwhile") as caught:
        getattr(NativeEnd(WinsockCalls()), call)(closing, *address)
    assert caught.value.errno == errno.EBADF


def test_close_wake_ends_a_read_that_c_makes_again(made: Made, c_calls_again: Callable[[], None]) -> None:
    """A blocked recv is ended by close(wake=True), although each time that it is cancelled C calls Winsock again; a
    duplicate's recv goes on to wait for what comes."""
    client, server = made.pair()
    c_calls_again()
    with client.dup() as duplicate:
        thread, raised = blocked(client, lambda: client.recv(1))
        ending.wake(client)
        thread.join()
        assert [type(one) for one in raised] == [ConnectionAbortedError]
        later = threading.Timer(0.2, server.sendall, (b"x",))
        later.start()
        try:
            assert duplicate.recv(1) == b"x"
        finally:
            later.join()


def test_close_wake_ends_an_accept_that_c_makes_again(made: Made, c_calls_again: Callable[[], None]) -> None:
    """A blocked accept likewise."""
    listener = made.listener()
    c_calls_again()
    thread, raised = blocked(listener, listener.accept)
    ending.wake(listener)
    thread.join()
    assert [type(one) for one in raised] == [ConnectionAbortedError]


def test_a_listener_that_is_not_left_does_not_wait_again(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a thread is still in accept() when shutdown has waited long enough, since the machine is busy, the mode
    stays, so that C's next try does not wait for a client."""
    monkeypatch.setattr(interrupter, "signals_do_it", False)
    monkeypatch.setattr(ending, "_END_SECONDS", 0.05)
    monkeypatch.setattr(
        ending, "kernel32_waits", type("Table", (), {"CancelIoEx": staticmethod(lambda *_: 0)})
    )
    listener = made.listener()
    another = threading.get_ident() + 1
    _waking.readers[another] = listener
    try:
        listener.shutdown(stdlib.SHUT_RDWR)
        raised: list[BaseException] = []

        def c_tries_again() -> None:
            try:
                calls.accept(listener)
            except OSError as error:
                raised.append(error)

        thread = threading.Thread(target=c_tries_again, daemon=True)
        thread.start()
        thread.join(5)
        assert [type(one) for one in raised] == [BlockingIOError]
    finally:
        del _waking.readers[another]


@pytest.mark.parametrize("ends", [True, False])
def test_the_mode_waits_for_duplicates_that_end_too(made: Made, ends: bool) -> None:
    """It stays likewise for a duplicate whose call is to end, and is set for one whose call goes on."""
    listener = made.listener()
    duplicate = made.stack.enter_context(listener.dup())
    if ends:
        _waking.ended[duplicate] = "EINVAL"
    calls.twin(listener).detach()
    another = threading.get_ident() + 1
    _waking.readers[another] = duplicate
    try:
        ending._let_block(listener)
    finally:
        del _waking.readers[another]
    thread = threading.Timer(0.2, lambda: stdlib.create_connection(listener.getsockname()).close())
    thread.start()
    try:
        if ends:
            with pytest.raises(BlockingIOError):
                calls.accept(duplicate)
        else:
            _socket.close(calls.accept(duplicate)[0])
    finally:
        thread.join()


def test_shutdown_ends_an_accept_that_c_makes_again(made: Made, c_calls_again: Callable[[], None]) -> None:
    """A listener's shutdown ends a blocked accept with EINVAL."""
    listener = made.listener()
    c_calls_again()
    thread, raised = blocked(listener, listener.accept)
    listener.shutdown(stdlib.SHUT_RDWR)
    thread.join()
    assert [getattr(one, "errno", None) for one in raised] == [errno.EINVAL]
