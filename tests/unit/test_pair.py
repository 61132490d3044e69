"""The emulated socketpair: nobody gets in between (the weakness of CVE-2024-3219 and its like)."""

from __future__ import annotations

import _socket

import pytest

from samesock.unix import pair
from samesock.unix.calls import calls


def _close(ends) -> None:
    for number, _ in ends:
        _socket.socket(_socket.AF_INET, _socket.SOCK_STREAM, 0, fileno=number).close()


def test_a_stranger_who_connects_first_is_dropped(monkeypatch):
    """Connections to the pair's port that come before its own are closed, and the pair is made all the same."""
    strangers = []
    connect = calls.connect

    def connect_second(tcp, address):
        for _ in range(5):
            stranger = _socket.socket(_socket.AF_INET, _socket.SOCK_STREAM, 0)
            stranger.connect(address)
            strangers.append(stranger)
        connect(tcp, address)

    monkeypatch.setattr(calls, "connect", connect_second)
    ends = pair.make()
    try:
        for stranger in strangers:
            stranger.settimeout(10)
            try:
                assert stranger.recv(1) == b""
            except ConnectionError:
                pass
    finally:
        _close(ends)
        for stranger in strangers:
            stranger.close()


def test_a_token_that_comes_back_changed_ends_it(monkeypatch):
    """Where something rewrites what crosses the loopback interface, there is no pair."""
    send = calls.send
    monkeypatch.setattr(calls, "send", lambda tcp, data: send(tcp, data[:-1] + bytes([data[-1] ^ 1])))
    with pytest.raises(ConnectionAbortedError, match="stranger or a proxy"):
        pair.make()


def test_a_client_that_never_arrives_ends_it(monkeypatch):
    """Where connections end up elsewhere, making a pair fails in time."""
    monkeypatch.setattr(pair, "PAIR_SECONDS", 0.3)
    elsewhere = _socket.socket(_socket.AF_INET, _socket.SOCK_STREAM, 0)
    elsewhere.bind(("127.0.0.1", 0))
    elsewhere.listen(1)
    connect = calls.connect
    monkeypatch.setattr(calls, "connect", lambda tcp, address: connect(tcp, elsewhere.getsockname()))
    with pytest.raises(ConnectionAbortedError):
        pair.make()
    elsewhere.close()


@pytest.mark.parametrize("call", ["bind", "listen", "connect", "accept", "send", "recv", "setsockopt"])
def test_a_failure_leaves_nothing_open(monkeypatch, call):
    """Whatever call fails while a pair is made, every descriptor is closed."""
    closed, made = [], []
    create, close, failing = calls.create, calls.close, getattr(calls, call)
    times = iter([False] * (call in ("bind", "send", "recv")) + [True])

    def fail(*arguments):
        if next(times, False):
            raise OSError(24, "scripted")
        return failing(*arguments)

    def counted(*arguments, **keywords):
        made.append(create(*arguments, **keywords))
        return made[-1]

    monkeypatch.setattr(calls, "create", counted)
    monkeypatch.setattr(calls, "close", lambda tcp: (closed.append(tcp), close(tcp))[1])
    monkeypatch.setattr(calls, call, fail)
    with pytest.raises(OSError):
        pair.make()
    assert made
    assert set(map(id, made)) == set(map(id, closed))
    assert [tcp.fileno() for tcp in made] == [-1] * len(made)
