"""What borrows an emulated Unix socket's number until bind or connect: the number is never closed by it."""

from __future__ import annotations

import _socket
import contextlib
import gc
import os
import socket
import sys
import threading
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import samesock
from samesock.unix import choosing, connecting, emulated, ends
from samesock.unix.calls import calls
from samesock.unix.calls import twin as unix_twin
from samesock.winsock.calls import calls as winsock_calls

pytestmark = pytest.mark.skipif(
    choosing.transport() != "emulated", reason="unix-stream is not emulated here (SAMESOCK_UNIX=emulated)"
)

KINDS = [samesock.SOCK_STREAM, samesock.SOCK_SEQPACKET]


def close(sock: Any, path: str) -> None:
    sock.close()


def detach_and_close(sock: Any, path: str) -> None:
    socket.close(sock.detach())


def bind(sock: Any, path: str) -> None:
    sock.bind(path)
    sock.close()


def fail_to_bind(sock: Any, path: str) -> None:
    with contextlib.suppress(OSError):
        sock.bind(os.path.join(path, "missing", "s"))
    sock.close()


def fail_to_connect(sock: Any, path: str) -> None:
    for _ in range(2):
        with pytest.raises(FileNotFoundError):
            sock.connect(path)
    sock.close()


def connect(sock: Any, path: str) -> None:
    with samesock.socket(samesock.AF_UNIX, sock.type) as listener:
        listener.bind(path)
        listener.listen()
        sock.connect(path)
        listener.accept()[0].close()
        sock.close()


def duplicate(sock: Any, path: str) -> None:
    with sock.dup() as other:
        sock.close()
        other.bind(path)


def shut_down(sock: Any, path: str) -> None:
    sock.shutdown(samesock.SHUT_RD)
    sock.close()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "way",
    [close, detach_and_close, bind, fail_to_bind, fail_to_connect, connect, duplicate, shut_down],
    ids=lambda way: way.__name__,
)
def test_number_is_closed_once(socket_dir: Path, kind: int, way: Callable[[Any, str], None]) -> None:
    """Whatever becomes of a socket, nothing closes its number later, when that may be somebody else's."""
    sock = samesock.socket(samesock.AF_UNIX, kind)
    end = ends.get(sock)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        way(sock, str(socket_dir / "s"))
        with contextlib.ExitStack() as stack:
            others = [stack.enter_context(socket.socket()) for _ in range(10)]
            del sock, end
            gc.collect()
            for other in others:
                assert other.getsockopt(socket.SOL_SOCKET, socket.SO_TYPE) == socket.SOCK_STREAM


def test_dropped(socket_dir: Path) -> None:
    """A socket that is dropped warns once, of itself, and its number is closed once."""
    sock = samesock.socket(samesock.AF_UNIX)
    end = ends.get(sock)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        del sock
        gc.collect()
    assert [(str(warning.message).split()[1], warning.category) for warning in caught] == [
        ("<samesock._socket.socket", ResourceWarning)
    ]
    with contextlib.ExitStack() as stack:
        others = [stack.enter_context(socket.socket()) for _ in range(10)]
        del end
        gc.collect()
        for other in others:
            assert other.getsockopt(socket.SOL_SOCKET, socket.SO_TYPE) == socket.SOCK_STREAM


@pytest.mark.parametrize("again", [False, True], ids=["at first", "again"])
def test_failing_to_be_made(monkeypatch: pytest.MonkeyPatch, again: bool) -> None:
    """A socket that cannot be made, or not once more, has closed its number already: nothing is left to the collector,
    and to warn of; one that was there before is not touched."""
    made: list[Any] = []
    closed: list[Any] = []
    borrow, close = calls.borrow, calls.close

    def kept(*arguments: Any) -> Any:
        made.append(borrow(*arguments))
        return made[-1]

    def counted(tcp: Any) -> None:
        closed.append(tcp)
        close(tcp)

    def refused(*_: Any, **__: Any) -> None:
        raise MemoryError

    with warnings.catch_warnings(), contextlib.ExitStack() as stack:
        warnings.simplefilter("error")
        sock = stack.enter_context(samesock.socket()) if again else samesock.socket.__new__(samesock.socket)
        number = sock.fileno()
        with monkeypatch.context() as failing:
            failing.setattr(calls, "borrow", kept)
            failing.setattr(calls, "close", counted)
            failing.setattr("samesock.unix.making._stdlib_init", refused)
            with pytest.raises(MemoryError):
                sock.__init__(samesock.AF_UNIX)  # type: ignore[misc]
        assert sock.fileno() == number
        assert closed == made
        assert [tcp.fileno() for tcp in made] == [-1]


def try_to_connect(sock: Any, path: str) -> None:
    with pytest.raises(FileNotFoundError):
        sock.connect(path)
    sock.close()


@pytest.mark.skipif(not emulated._IS_COUNTED, reason="nothing is kept where objects are not dropped at once")
@pytest.mark.parametrize("way", [bind, try_to_connect], ids=lambda way: way.__name__)
def test_interrupted_anywhere(socket_dir: Path, way: Callable[[Any, str], None]) -> None:
    """Ctrl+C between any two steps by which what borrows the number is taken closes nothing that the socket has."""
    watched = {emulated.EmulatedEnd._twin.__code__}
    steps = 0

    def trace(frame: Any, event: str, _: object) -> Any:
        nonlocal steps
        if frame.f_code not in watched:
            return None
        frame.f_trace_opcodes = True
        if event in ("opcode", "return"):
            steps -= 1
            if not steps:
                raise KeyboardInterrupt
        return trace

    for at in range(1, 200):
        sock = samesock.socket(samesock.AF_UNIX)
        number = sock.fileno()
        steps = at
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            previous = sys.gettrace()
            sys.settrace(trace)
            try:
                way(sock, str(socket_dir / f"s{at}"))
            except KeyboardInterrupt:
                pass
            finally:
                sys.settrace(previous)
            if steps > 0:
                break
            if sock.fileno() >= 0:
                assert calls.fileno(sock) == number
                assert calls.gettimeout(sock) is None
                assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) > 0
                sock.close()
    assert at > 5


def test_initialised_again(socket_dir: Path) -> None:
    """What was lent for one number is not used for another that the object has got since."""
    sock = samesock.socket(samesock.AF_UNIX)
    first = sock.fileno()
    number = calls.detach(sock)  # as C's own detach() called by name
    calls.init(sock, samesock.AF_UNIX, samesock.SOCK_STREAM, 0, fileno=_socket.dup(first))
    try:
        sock.bind(str(socket_dir / "s"))
        assert sock.fileno() != first
    finally:
        sock.close()
    socket.close(number)


def test_two_threads_connect_one_socket(socket_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two threads that connect the same socket at once have an object each: neither takes the other's away."""
    path = str(socket_dir / "s")
    used: list[Any] = []
    both = threading.Barrier(2, timeout=20)

    def meet(tcp: Any, *_: Any, **__: Any) -> Any:
        used.append(tcp)
        both.wait()
        raise FileNotFoundError(2, "nothing there", path)

    monkeypatch.setattr(connecting, "connect", meet)
    failures: list[OSError] = []
    with samesock.socket(samesock.AF_UNIX) as sock:

        def attempt() -> None:
            try:
                sock.connect(path)
            except OSError as failure:
                failures.append(failure)

        threads = [threading.Thread(target=attempt) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
        assert [failure.errno for failure in failures] == [2, 2]
        assert used[0] is not used[1]
        assert sock.getsockname() == ""
        assert calls.gettimeout(sock) is None
        assert sock.fileno() >= 0


@pytest.mark.skipif(not emulated._IS_COUNTED, reason="nothing is dropped at once here")
def test_a_twin_that_is_dropped() -> None:
    """A twin that Ctrl+C left to the collector closes nothing, and warns of nothing."""
    with samesock.socket(samesock.AF_UNIX) as sock, warnings.catch_warnings():
        warnings.simplefilter("error")
        for twin in (unix_twin, lambda _: winsock_calls.twin(sock)):
            assert twin(sock.fileno()).fileno() == sock.fileno()
            gc.collect()
            assert sock.fileno() >= 0
            assert socket.socket.getsockopt(sock, socket.SOL_SOCKET, socket.SO_TYPE) == socket.SOCK_STREAM
