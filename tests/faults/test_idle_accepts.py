"""A blocking accept() of a listener that nobody waits at: it waits before it looks, unless there is more to do."""

from __future__ import annotations

import errno
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

import samesock
from faults.strangers import hello_of, record_at, stranger
from samesock.backend import system
from samesock.unix import accepting
from samesock.unix.calls import calls

Eventually = Callable[[Callable[[], object]], None]


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The looks into the queue and the waits for it, in their order."""
    steps: list[str] = []
    accept, wait_for = calls.accept, system.wait_for

    def looked(listener: object) -> object:
        steps.append("look")
        return accept(listener)  # type: ignore[arg-type]

    def waited(number: int, writing: bool, timeout: float | None) -> bool:
        steps.append("wait")
        return wait_for(number, writing, timeout)

    monkeypatch.setattr(calls, "accept", looked)
    monkeypatch.setattr(system, "wait_for", waited)
    return steps


@pytest.fixture
def client(path: str) -> Iterator[Callable[[], None]]:
    """Connect one more, and keep it."""
    with ExitStack() as stack:

        def connect() -> None:
            sock = stack.enter_context(samesock.socket(samesock.AF_UNIX))
            sock.settimeout(20)
            sock.connect(path)

        yield connect


def accept_one(listener: samesock.socket) -> None:
    listener.accept()[0].close()


def have_waited(listener: samesock.socket, client: Callable[[], None]) -> None:
    """Have an accept find nobody, and wait."""
    listener.settimeout(None)
    late = threading.Timer(0.1, client)
    late.start()
    accept_one(listener)
    late.join(20)


def test_looks_and_waits(listener: samesock.socket, client: Callable[[], None], seen: list[str]) -> None:
    """The first accept looks first; after one that found nobody some wait first, and then one looks first again, so
    that a busy server does not wait each time."""
    listener.settimeout(None)
    client()
    accept_one(listener)
    assert seen == ["look"]
    seen.clear()
    have_waited(listener, client)
    assert seen[:3] == ["look", "wait", "look"]  # and again, if the hello was late
    for _ in range(accepting.IDLE_ACCEPTS):
        seen.clear()
        client()
        accept_one(listener)
        assert seen == ["wait", "look"]
    seen.clear()
    client()
    accept_one(listener)
    assert seen == ["look"]


@pytest.mark.parametrize("timeout", [0.0, 20.0])
def test_time_outs_look_first(
    listener: samesock.socket, client: Callable[[], None], seen: list[str], timeout: float
) -> None:
    """An accept that does not wait, or not for ever, looks first, as it did before."""
    have_waited(listener, client)
    listener.settimeout(timeout)
    seen.clear()
    client()
    accept_one(listener)
    assert seen[0] == "look"


def test_who_is_in_hand_is_not_waited_for(
    path: str,
    listener: samesock.socket,
    client: Callable[[], None],
    seen: list[str],
    eventually: Eventually,
) -> None:
    """Where somebody is parked whose hello comes, an accept looks first, and that one is accepted, though nobody else
    comes."""
    have_waited(listener, client)
    with stranger(record_at(path)) as late:
        listener.setblocking(False)
        eventually(lambda: _parks(listener))
        listener.settimeout(None)
        seen.clear()
        threading.Timer(0.1, lambda: late.sendall(hello_of(record_at(path), late))).start()
        served, _ = listener.accept()
        served.close()
    assert seen[0] == "look"


def _parks(listener: samesock.socket) -> bool:
    with pytest.raises(BlockingIOError):
        listener.accept()
    return bool(acceptor_of(listener)._parked)


def acceptor_of(listener: samesock.socket) -> accepting.Acceptor:
    from samesock.unix import ends
    from samesock.unix.emulated import EmulatedEnd

    end = ends.get(listener)
    assert isinstance(end, EmulatedEnd)
    assert end._acceptor is not None
    return end._acceptor


def test_a_listener_that_was_shut(listener: samesock.socket, client: Callable[[], None]) -> None:
    """accept() of a listener that was shut for reading gives who had connected, and is EINVAL after that; it does not
    wait for what cannot come."""
    have_waited(listener, client)
    client()
    listener.shutdown(samesock.SHUT_RD)
    accept_one(listener)
    before = time.monotonic()
    with pytest.raises(OSError) as caught:
        listener.accept()
    assert caught.value.errno == errno.EINVAL
    assert time.monotonic() - before < 10


def test_close_wakes_it(listener: samesock.socket, client: Callable[[], None]) -> None:
    """close(wake=True) ends an accept that waits first, as any other."""
    have_waited(listener, client)
    closer = threading.Timer(0.2, listener.close, kwargs={"wake": True})
    closer.start()
    with pytest.raises(ConnectionAbortedError):
        listener.accept()
    closer.join(20)
