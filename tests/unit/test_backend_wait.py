"""`wait` of every backend that can be loaded here: which sockets are ready, and which of them are no sockets."""

from __future__ import annotations

import contextlib
import importlib
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from samesock.backend import system, winsock

Wait = Callable[[list[int], list[int], "float | None"], "set[int]"]
WAITS: list[Wait] = [winsock.wait]
with contextlib.suppress(ImportError):  # where poll() is absent
    WAITS.append(importlib.import_module("samesock.backend.posix").wait)

every_wait = pytest.mark.parametrize("wait", WAITS, ids=lambda wait: wait.__module__.rpartition(".")[2])


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Two connected sockets."""
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.create_connection(server.getsockname()) as one,
    ):
        two, _ = server.accept()
        with two:
            yield one, two


def closed_number() -> int:
    """A number that was a socket's and is nobody's now."""
    with socket.socket() as sock:
        return sock.fileno()


@every_wait
def test_readable(wait: Wait, pair: tuple[socket.socket, socket.socket]) -> None:
    """A socket is readable when bytes have come, and when the peer is gone."""
    one, two = pair
    assert wait([one.fileno()], [], 0) == set()
    two.send(b"x")
    assert wait([one.fileno()], [], 5) == {one.fileno()}
    one.recv(1)
    two.close()
    assert wait([one.fileno()], [], None) == {one.fileno()}


def test_unread(pair: tuple[socket.socket, socket.socket]) -> None:
    """How much can be received is told without taking it; nothing at the end of the stream, or of what is no socket."""
    one, two = pair
    number = one.fileno()
    assert system.unread(number) == 0
    two.send(b"abc")
    assert system.wait([number], [], 5)
    assert system.unread(number) == 3
    assert one.recv(8) == b"abc"
    two.close()
    assert system.wait([number], [], 5)
    assert system.unread(number) == 0
    assert system.unread(closed_number()) == 0


@every_wait
def test_writable(wait: Wait, pair: tuple[socket.socket, socket.socket]) -> None:
    """A connected socket is writable, and only what was asked of it is told."""
    one, two = pair
    assert wait([two.fileno()], [one.fileno()], None) == {one.fileno()}


@every_wait
def test_failed_connect(wait: Wait) -> None:
    """A connect that failed makes its socket count as writable."""
    with socket.socket() as refusing:
        refusing.bind(("127.0.0.1", 0))
        with socket.socket() as sock:
            sock.setblocking(False)
            sock.connect_ex(refusing.getsockname())
            assert wait([], [sock.fileno()], 10) == {sock.fileno()}


@every_wait
@pytest.mark.parametrize("timeout", [0.0, 0.05, 0.4])
def test_time_passes(wait: Wait, pair: tuple[socket.socket, socket.socket], timeout: float) -> None:
    """Nothing ready is an empty set, once the time has passed and not long after."""
    begin = time.monotonic()
    assert wait([pair[0].fileno()], [], timeout) == set()
    # Windows' clock of 16 ms may end a wait a little early.
    assert timeout - 0.02 <= time.monotonic() - begin < timeout + 2


@every_wait
def test_negative_time(wait: Wait, pair: tuple[socket.socket, socket.socket]) -> None:
    """A time that has passed already is a look without a wait."""
    assert wait([pair[0].fileno()], [], -1.0) == set()


@every_wait
def test_of_nothing(wait: Wait) -> None:
    """Waiting for nothing is sleeping."""
    begin = time.monotonic()
    assert wait([], [], 0.1) == set()
    assert time.monotonic() - begin >= 0.08


@every_wait
def test_closed_number(wait: Wait, pair: tuple[socket.socket, socket.socket]) -> None:
    """A number that is not open any more is ready: whoever waits for it must look."""
    number = closed_number()
    assert number in wait([number, pair[0].fileno()], [], None)
    assert number in wait([], [number], None)


@every_wait
def test_three_hundred(wait: Wait) -> None:
    """300 sockets can be waited for at once, and the one that is ready is found among them."""
    with contextlib.ExitStack() as stack:
        servers = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(300)]
        numbers = [server.fileno() for server in servers]
        assert wait(numbers, [], 0) == set()
        stack.enter_context(socket.create_connection(servers[299].getsockname()))
        assert wait(numbers, [], 5) == {numbers[299]}


@every_wait
def test_interrupted(wait: Wait, pair: tuple[socket.socket, socket.socket]) -> None:
    """Ctrl+C ends a wait without end in the main thread, at once or nearly so."""
    # Where signals go to a thread, it must be the main one; Windows has one flag for the process.
    main = threading.main_thread().ident
    kill = getattr(signal, "pthread_kill", None)
    timer = threading.Timer(
        0.1, *((kill, (main, signal.SIGINT)) if kill else (signal.raise_signal, (signal.SIGINT,)))
    )
    begin = time.monotonic()
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        wait([pair[0].fileno()], [], None)
    assert time.monotonic() - begin < 5
    timer.join()
