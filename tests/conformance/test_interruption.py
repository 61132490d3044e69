"""Ctrl+C in calls that block (signal(7): EINTR; PEP 475: the call is made again unless the handler raises)."""

from __future__ import annotations

import hashlib
import os
import signal
import threading
import time
from typing import Any

import pytest

from conformance.ending import SECONDS, Blocked, Net, handler, press_ctrl_c, pressed_after

pytestmark = pytest.mark.needs("interrupt")

CALLS = [
    f"{method} {family}"
    for family in ("tcp", "unix")
    for method in ("accept", "recv", "recv_into", "sendall", "connect")
]
MESSAGES = [
    pytest.param(f"{method} {family}", marks=pytest.mark.needs(method))
    for family in ("tcp", "unix")
    for method in ("recvmsg", "sendmsg")
]


@pytest.fixture
def made(net, socket_dir):
    """Sockets of the implementation."""
    sockets = Net(net, socket_dir)
    with sockets.stack:
        yield sockets


@pytest.mark.parametrize("timeout", [None, 60], ids=["blocking", "time-out"])
@pytest.mark.parametrize("name", CALLS + MESSAGES)
def test_ctrl_c_ends_the_call(made: Net, name: str, timeout: float | None) -> None:
    """signal(7): Ctrl+C ends a call that blocks in the main thread, three times in a row, with KeyboardInterrupt."""
    if timeout and name == "connect unix" and made.queue_answers():
        pytest.skip("unix-stream: a kernel whose full queue answers EAGAIN to a socket with a time-out")
    if timeout and name.startswith("send"):
        pytest.skip("wake: with a time-out a kernel may take whole what it takes at all, and nothing blocks")
    _, call = made.call(name, timeout)
    for _ in range(3):
        with pressed_after(0.1, until_heard=True) as moments:
            with pytest.raises(KeyboardInterrupt):
                call()
            seconds = time.monotonic() - moments[-1]
        assert seconds < 2, f"it took {seconds:.3f} s"


@pytest.mark.parametrize("before", ["a recv that was ended", "a recv that was answered", "nothing"])
def test_ctrl_c_ends_small_sends(made: Net, before: str) -> None:
    """signal(7): Ctrl+C ends a small send(2) that blocks because the peer has stopped reading, whatever came before."""
    one, other = made.connection()
    if before == "a recv that was ended":
        with pytest.raises(KeyboardInterrupt), pressed_after(0.1, until_heard=True):
            one.recv(1)
    elif before == "a recv that was answered":
        with pressed_after(0.1, lambda: other.send(b"x")):
            assert one.recv(1) == b"x"
    one.settimeout(0.5)
    with pytest.raises(TimeoutError):
        while True:
            one.sendall(bytes(65536))
    one.settimeout(None)
    with pressed_after(0.3, until_heard=True) as moments:
        with pytest.raises(KeyboardInterrupt):
            while True:
                one.send(bytes(1000))
        assert time.monotonic() - moments[-1] < 2


def test_ctrl_c_ends_sends_of_a_piece_each(made: Net) -> None:
    """signal(7): Ctrl+C ends a send(2) of some hundred KiB that blocks, three times in a row; shutdown(2) by another
    thread ends the next one."""
    one, _ = made.connection()

    def send() -> None:
        while True:
            one.sendall(bytes(256 << 10))

    for _ in range(3):
        with pressed_after(0.1, until_heard=True) as moments:
            with pytest.raises(KeyboardInterrupt):
                send()
            assert time.monotonic() - moments[-1] < 2
    with pressed_after(0.1, lambda: one.shutdown(made.net.SHUT_RDWR)), pytest.raises(BrokenPipeError):
        send()


def test_a_handler_that_returns_lets_the_call_go_on(made: Net) -> None:
    """PEP 475: after a handler that does not raise the call goes on, and gives what comes then."""
    one, other = made.connection()
    pressed: list[int] = []
    count = handler(lambda number, _: pressed.append(number))
    with count, pressed_after(0.1), pressed_after(0.4), pressed_after(0.8, lambda: other.send(b"late")):
        assert one.recv(10) == b"late"
    assert pressed == [signal.SIGINT] * 2


def test_an_accept_goes_on_after_the_handler(made: Net) -> None:
    """PEP 475 for accept(2)."""
    listener = made.listener()
    client = made.client(listener)
    pressed: list[int] = []
    count = handler(lambda number, _: pressed.append(number))
    with count, pressed_after(0.1), pressed_after(0.5, lambda: client.connect(listener.getsockname())):
        made.keep(listener.accept()[0])
    assert pressed == [signal.SIGINT]


@pytest.mark.parametrize("name", ["accept tcp", "accept unix", "recv tcp", "recv unix"])
def test_a_handler_does_not_lengthen_the_time_out(made: Net, name: str) -> None:
    """PEP 475: the call goes on with what is left of its time-out."""
    _, call = made.call(name, 0.6)
    begun = time.monotonic()
    with handler(lambda *_: None), pressed_after(0.2), pressed_after(0.4):
        with pytest.raises(TimeoutError):
            call()
        seconds = time.monotonic() - begun
    assert 0.58 <= seconds < 0.6 + 2


@pytest.mark.parametrize("seconds", [0.02, 0.1, 0.35])
@pytest.mark.parametrize("name", ["accept tcp", "accept unix", "recv tcp", "recv unix", "connect tcp"])
def test_time_outs_are_exact(made: Net, name: str, seconds: float) -> None:
    """settimeout(): a time-out is not early by more than a tick of 20 ms; of five one is late by no more than that."""
    _, call = made.call(name, seconds)
    latest = seconds + (0.02 if name.startswith("recv") else 0.1)
    took: list[float] = []
    # A second for one that may be early, and more only where the machine made both late.
    while len(took) < 2 or (min(took) > latest and len(took) < 5):
        begun = time.monotonic()
        with pytest.raises(TimeoutError):
            call()
        took.append(time.monotonic() - begun)
    assert min(took) >= seconds - 0.02
    assert min(took) <= latest, took


def test_other_threads_are_left_alone(made: Net) -> None:
    """signal(7): Ctrl+C ends the main thread's recv(2); other threads' calls on the same socket go on."""
    one, other = made.connection()
    third, fourth = made.connection()
    sending = Blocked(lambda: one.sendall(bytes(range(256)) * 40_000))
    receiving = Blocked(lambda: third.recv(10))
    for _ in range(5):
        with pytest.raises(KeyboardInterrupt), pressed_after(0.05):
            one.recv(1)
    assert sending.thread.is_alive()
    got = bytearray()
    while len(got) < 256 * 40_000:
        got += other.recv(1 << 20)
    assert got == bytes(range(256)) * 40_000
    assert sending.join().error is None
    fourth.send(b"still")
    assert receiving.join().result == b"still"


class Presser:
    """Presses again and again, each time when the one before has been dealt with."""

    def __init__(self, times: int) -> None:
        self.seen = 0
        self.pressed = 0
        self._times = times
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def handle(self, *_: Any) -> None:
        """The handler."""
        self.seen += 1

    def _run(self) -> None:
        while self.pressed < self._times and not self._stop.wait(0.002):
            end = time.monotonic() + SECONDS
            while self.seen < self.pressed and time.monotonic() < end:
                time.sleep(0.0005)
            self.pressed += 1
            press_ctrl_c()

    def __enter__(self) -> Presser:  # noqa: PYI034 -- no typing.Self in 3.10
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(SECONDS)


def in_turns(size: int) -> bytes:
    """Bytes of which a lost or a repeated piece is seen."""
    return b"".join(hashlib.sha256(number.to_bytes(4, "big")).digest() for number in range(size // 32))


@pytest.mark.timeout(300)
def test_200_interrupts_lose_nothing_that_comes(made: Net) -> None:
    """PEP 475: a stream that is received under 200 interrupts whose handler returns is whole."""
    one, other = made.connection()
    data = in_turns(1 << 20)
    presser = Presser(200)

    def send() -> None:
        for start in range(0, len(data), 4096):
            other.sendall(data[start : start + 4096])
            if presser.pressed < 200:
                time.sleep(0.004)
        other.shutdown(1)

    sender = threading.Thread(target=send, daemon=True)
    got = bytearray()
    with handler(presser.handle), presser:
        sender.start()
        while piece := one.recv(1000):
            got += piece
    sender.join(SECONDS)
    assert hashlib.sha256(got).digest() == hashlib.sha256(data).digest()
    assert presser.seen >= 10


@pytest.mark.timeout(300)
def test_200_exceptions_lose_nothing_that_comes(made: Net) -> None:
    """signal(7): KeyboardInterrupt ends 200 recv(2) that wait, one by one; what comes after each is received whole."""
    one, other = made.connection()
    for number in range(200):
        with pytest.raises(KeyboardInterrupt), pressed_after(0.002):
            one.recv(100)
            time.sleep(SECONDS)  # pressed before it blocked
        other.send(number.to_bytes(2, "big"))
        assert one.recv(100) == number.to_bytes(2, "big")


@pytest.mark.timeout(300)
@pytest.mark.parametrize("piece", [16 << 20, 256 << 10], ids=["at once", "in pieces"])
def test_200_interrupts_send_nothing_twice(made: Net, piece: int) -> None:
    """PEP 475: what is sent under 200 interrupts whose handler returns arrives once, in order."""
    one, other = made.connection()
    data = in_turns(16 << 20)
    presser = Presser(200)
    got = hashlib.sha256()
    count = 0

    def receive() -> None:
        nonlocal count
        while True:
            piece = other.recv(1 << 16)
            if not piece:
                return
            got.update(piece)
            count += len(piece)
            if presser.pressed < 200:
                time.sleep(0.005)

    receiver = threading.Thread(target=receive, daemon=True)
    with handler(presser.handle), presser:
        receiver.start()
        for start in range(0, len(data), piece):
            one.sendall(data[start : start + piece])
        one.shutdown(1)
        receiver.join(200)
    assert count == len(data)
    assert got.digest() == hashlib.sha256(data).digest()
    assert presser.seen >= 10


def test_waiting_costs_nothing(made: Net) -> None:
    """recv(2): a call that waits uses no processor time, for nothing polls."""
    for name in ("recv tcp", "accept unix"):
        for timeout in (None, 60):
            _, call = made.call(name, timeout)
            with pytest.raises(KeyboardInterrupt), pressed_after(0.8):
                begun = sum(os.times()[:2])
                call()
            used = sum(os.times()[:2]) - begun
            assert used < 0.25, f"{name}, time-out {timeout}: {used:.3f} s of 0.8 s"
