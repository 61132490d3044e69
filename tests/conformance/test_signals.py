"""signal(7): a signal ends a call that blocks, or the call goes on (PEP 475).

The signal is SIGINT, which Ctrl+C sends. Where threads can be sent signals it goes to the main thread, else it is
raised as the system's own handler would. A second thread ends a call that nothing interrupts, so each check ends.
"""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from conformance.raising import PATIENCE

pytestmark = pytest.mark.needs("interrupt")

BEFORE = 0.2
"""Seconds after which the signal comes: by then the main thread blocks."""


def strike() -> None:
    """Send SIGINT to the main thread."""
    if hasattr(signal, "pthread_kill"):
        signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)
    else:
        signal.raise_signal(signal.SIGINT)


@contextmanager
def struck(
    rescue: Callable[[], object], *after: float, patience: float = PATIENCE / 2
) -> Iterator[list[bool]]:
    """A signal at each of these times, and at last what ends the call; whether that came is in the list."""
    rescued: list[bool] = []

    def end() -> None:
        rescued.append(True)
        rescue()

    timers = [threading.Timer(seconds, strike) for seconds in after]
    timers.append(threading.Timer(max(after) + patience, end))
    for timer in timers:
        timer.daemon = True
        timer.start()
    try:
        yield rescued
    finally:
        for timer in timers:
            timer.cancel()
        for timer in timers:
            timer.join()


@contextmanager
def handling(handler: Callable[[int, object], object]) -> Iterator[None]:
    """SIGINT is handled so meanwhile."""
    before = signal.signal(signal.SIGINT, handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def interrupted(rescue: Callable[[], object]) -> Iterator[None]:
    """The body must be left by a KeyboardInterrupt, and without the rescue."""
    with handling(signal.default_int_handler), struck(rescue, BEFORE) as rescued:
        with pytest.raises(KeyboardInterrupt):
            yield
            time.sleep(PATIENCE)  # A signal that came too early for the call is still no failure of the call.
        assert not rescued, "nothing interrupted the call"


def test_recv_is_interrupted(inet):
    """signal(7): Ctrl+C ends a recv(2) that blocks, by KeyboardInterrupt, and the connection lives on."""
    made = inet.connection()
    made.client.settimeout(None)
    with interrupted(lambda: made.server.sendall(b"rescue")):
        made.client.recv(100)
    made.server.sendall(b"x")
    assert made.client.recv(100) == b"x"


def test_recv_into_is_interrupted(inet):
    """signal(7): Ctrl+C ends a recv_into() that blocks."""
    made = inet.connection()
    made.client.settimeout(None)
    with interrupted(lambda: made.server.sendall(b"rescue")):
        made.client.recv_into(bytearray(100))


def test_recv_with_a_timeout_is_interrupted(inet):
    """signal(7): Ctrl+C ends a recv() with a time-out long before its time."""
    made = inet.connection()
    made.client.settimeout(60)
    with interrupted(lambda: made.server.sendall(b"rescue")):
        made.client.recv(100)


def test_recvfrom_is_interrupted(inet):
    """signal(7): Ctrl+C ends a recvfrom(2) that blocks."""
    one, other = inet.bound_udp(), inet.udp()
    address = one.getsockname()
    one.settimeout(None)
    with interrupted(lambda: other.sendto(b"rescue", address)):
        one.recvfrom(100)


def test_accept_is_interrupted(inet):
    """signal(7): Ctrl+C ends an accept(2) that blocks, and the listener lives on."""
    listener = inet.listener()
    address = listener.getsockname()
    listener.settimeout(None)
    with interrupted(lambda: inet.tcp().connect(address)):
        listener.accept()
    listener.settimeout(PATIENCE)
    inet.client(listener)
    inet.accept(listener)


def test_accept_with_a_timeout_is_interrupted(inet):
    """signal(7): Ctrl+C ends an accept() with a time-out."""
    listener = inet.listener()
    address = listener.getsockname()
    listener.settimeout(60)
    with interrupted(lambda: inet.tcp().connect(address)):
        listener.accept()


def test_sendall_is_interrupted(inet):
    """signal(7): Ctrl+C ends a sendall() that blocks."""
    made = inet.connection()
    inet.fill(made.client)
    made.client.settimeout(None)
    with interrupted(made.server.close):
        made.client.sendall(b"x" * 10_000_000)


def test_a_file_is_interrupted(inet):
    """signal(7): Ctrl+C ends a read of makefile() that blocks."""
    made = inet.connection()
    made.client.settimeout(None)
    with made.client.makefile("rb") as file, interrupted(lambda: made.server.sendall(b"rescue\n")):
        file.readline()


def test_a_unix_accept_is_interrupted(unix):
    """signal(7): Ctrl+C ends an accept(2) of a Unix listener that blocks."""
    listener = unix.listener()
    with interrupted(unix.client):
        listener.accept()


def test_a_unix_recv_is_interrupted(unix):
    """signal(7): Ctrl+C ends a recv(2) of a Unix socket that blocks."""
    made = unix.connection()
    with interrupted(lambda: made.server.sendall(b"rescue")):
        made.client.recv(100)


@pytest.mark.parametrize("timeout", [None, 60])
def test_a_handler_that_returns_changes_nothing(inet, timeout):
    """PEP 475: a call goes on after a signal whose handler returns, and gives what comes then."""
    made = inet.connection()
    made.client.settimeout(timeout)
    seen: list[int] = []
    with (
        handling(lambda number, _: seen.append(number)),
        struck(lambda: made.server.sendall(b"late"), BEFORE, 2 * BEFORE, patience=BEFORE),
    ):
        assert made.client.recv(100) == b"late"
    assert set(seen) == {signal.SIGINT}


def test_accept_goes_on(inet):
    """PEP 475: an accept(2) goes on after a signal whose handler returns."""
    listener = inet.listener()
    address = listener.getsockname()
    listener.settimeout(None)
    seen: list[int] = []
    with (
        handling(lambda number, _: seen.append(number)),
        struck(lambda: inet.tcp().connect(address), BEFORE, patience=BEFORE),
    ):
        inet.accept(listener)
    assert seen == [signal.SIGINT]


def test_a_handler_runs_while_the_call_waits(inet):
    """signal(7): the handler runs at once, not when the call that blocks is over."""
    made = inet.connection()
    made.client.settimeout(None)
    seen: list[int] = []

    def answer(number: int, _: object) -> None:
        seen.append(number)
        made.server.sendall(b"from the handler")

    with handling(answer), struck(lambda: made.server.sendall(b"rescue"), BEFORE) as rescued:
        assert made.client.recv(100) == b"from the handler"
        assert not rescued


def test_a_handler_that_raises(inet):
    """PEP 475: what the handler raises ends the call."""
    made = inet.connection()
    made.client.settimeout(None)

    def refuse(number: int, _: object) -> None:
        raise LookupError(number)

    with handling(refuse), struck(lambda: made.server.sendall(b"rescue"), BEFORE), pytest.raises(LookupError):
        made.client.recv(100)
        time.sleep(PATIENCE)


def test_a_signal_does_not_prolong_a_timeout(inet):
    """PEP 475: after a signal the call has the rest of its time, not the whole of it again."""
    made = inet.connection()
    made.client.settimeout(2)
    seen: list[int] = []
    with handling(lambda number, _: seen.append(number)), struck(lambda: None, 1.6):
        begun = time.monotonic()
        with pytest.raises(TimeoutError):
            made.client.recv(1)
        assert 1.98 <= time.monotonic() - begun < 3.4
    assert seen == [signal.SIGINT]


def test_nothing_is_lost_by_a_signal(inet):
    """PEP 475: signals while much is received lose nothing and repeat nothing."""
    made = inet.connection()
    data = bytes(range(256)) * 4096
    seen: list[int] = []
    got = bytearray()
    sender = threading.Thread(target=made.server.sendall, args=(data,), daemon=True)
    with handling(lambda number, _: seen.append(number)), struck(lambda: None, 0.01, 0.02, 0.03, 0.05):
        sender.start()
        while len(got) < len(data):
            got += made.client.recv(1000)
            time.sleep(0.0001)
        while not seen:
            time.sleep(0.01)
    sender.join(PATIENCE)
    assert got == data
