"""A hello that comes a moment after its connection: what accept() makes of it before anybody is parked."""

from __future__ import annotations

import select
from contextlib import ExitStack

import pytest

import samesock
from faults.strangers import close_with_reset, hello_of, record_at, stranger
from samesock.backend import system


@pytest.fixture
def ways(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """What giving way does, once each time: nothing, or what a test puts there; what was done is taken off."""
    left: list[object] = []

    def give_way() -> None:
        what = left.pop(0)
        if callable(what):
            what()

    monkeypatch.setattr(system, "give_way", give_way)
    return left


def test_who_is_let_run_is_accepted(path: str, listener: samesock.socket, ways: list[object]) -> None:
    """Who sends its hello while it is let run is accepted by the same look: nothing is parked, and no thread begun."""
    record = record_at(path)
    with stranger(record) as late:
        ways.append(lambda: late.sendall(hello_of(record, late) + b"and more"))
        listener.setblocking(False)
        select.select([listener], [], [], 20)
        served, _ = listener.accept()
        with served:
            assert ways == []
            served.settimeout(20)
            assert served.recv(100) == b"and more"
            assert served.gettimeout() == 20


def test_who_stays_silent_is_parked(path: str, listener: samesock.socket, ways: list[object]) -> None:
    """Who has still not sent a hello is parked, after one look more; those who come then are not waited for, so that
    many of them cost nobody his time."""
    record = record_at(path)
    with ExitStack() as stack:
        silent = [stack.enter_context(stranger(record)) for _ in range(5)]
        ways.append("once")
        listener.setblocking(False)
        select.select([listener], [], [], 20)
        with pytest.raises(BlockingIOError):
            listener.accept()
        assert ways == []
        with samesock.socket(samesock.AF_UNIX) as client:
            client.connect(path)
            listener.settimeout(20)
            with listener.accept()[0] as served:
                served.sendall(b"you")
                client.settimeout(20)
                assert client.recv(10) == b"you"
        for tcp in silent:
            close_with_reset(tcp)


def test_a_hello_in_two_parts(path: str, listener: samesock.socket, ways: list[object]) -> None:
    """A half of a hello that comes while its sender is let run is parked, and waited for like any other."""
    record = record_at(path)
    with stranger(record) as late:
        whole = hello_of(record, late)
        ways.append(lambda: late.sendall(whole[:20]))
        listener.setblocking(False)
        select.select([listener], [], [], 20)
        with pytest.raises(BlockingIOError):
            listener.accept()
        assert ways == []
        late.sendall(whole[20:])
        listener.settimeout(20)
        listener.accept()[0].close()


def test_the_rude_are_not_let_run(
    path: str, listener: samesock.socket, ways: list[object], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One who is let run and then says what is no hello is the last for a minute: else each further one would cost the
    server a turn of everybody who wants the processor."""
    record = record_at(path)
    listener.setblocking(False)
    with ExitStack() as stack:
        first, second, third = (stack.enter_context(stranger(record)) for _ in range(3))
        ways.append(lambda: first.sendall(b"x" * 64))
        select.select([listener], [], [], 20)
        with pytest.raises(BlockingIOError):
            listener.accept()
        assert ways == []
        for tcp in (second, third):
            close_with_reset(tcp)
    with stranger(record) as fourth, monkeypatch.context() as later:
        later.setattr("samesock.unix.accepting.ALARM_CALM", 0.0)
        ways.append(lambda: fourth.sendall(hello_of(record, fourth)))
        select.select([listener], [], [], 20)
        listener.accept()[0].close()
        assert ways == []
