"""Rude connections: none of them blocks accept(), reaches the program, or keeps an honest client out."""

from __future__ import annotations

import errno
import select
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest

import samesock
from faults.strangers import (
    close_with_reset,
    exchange,
    hello_of,
    quiet_source,
    record_at,
    stranger,
    was_reset,
)
from samesock.unix import hello, parking
from samesock.unix.calls import calls
from samesock.unix.rendezvous import Record

# With another worker's sockets beside theirs Wine's server was seen to end: an assertion in its poll (fd.c, Wine 10).
pytestmark = pytest.mark.alone

CALM_QUEUE = 100
"""How many come at once: fewer than the tests' backlog of 128, so that the first look finds room for the polite."""


@contextmanager
def accepting_all(listener: samesock.socket) -> Iterator[list[samesock.socket]]:
    """A server that takes whoever is given to it, and sends back what it gets."""
    served: list[samesock.socket] = []
    ending = threading.Event()
    listener.settimeout(0.05)

    def serve() -> None:
        while not ending.is_set():
            try:
                sock, _ = listener.accept()
            except TimeoutError:
                continue
            served.append(sock)
            with sock:
                sock.settimeout(20)
                sock.sendall(sock.recv(64))

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield served
    finally:
        ending.set()
        thread.join()


def speak(path: str) -> float:
    """An honest client's word there and back; the seconds it took."""
    begin = time.monotonic()
    with samesock.socket(samesock.AF_UNIX) as client:
        client.settimeout(20)
        client.connect(path)
        client.sendall(b"honest")
        assert client.recv(64) == b"honest"
    return time.monotonic() - begin


def rogue(record: Record, kind: str) -> socket.socket:
    """A connection that says nothing, half a hello, something else, or what another connection was right to say."""
    tcp = stranger(record)
    said = hello_of(record, tcp)
    if kind == "partial":
        tcp.sendall(said[:40])
    elif kind == "garbage":
        tcp.sendall(b"GET / HTTP/1.1\r\n\r\n".ljust(80, b"x"))
    elif kind == "forged":
        tcp.sendall(said[:40] + bytes(24))
    elif kind == "replay":
        other = stranger(record)
        tcp.sendall(hello_of(record, other))
        close_with_reset(other)
    return tcp


@pytest.mark.parametrize("kind", ["silent", "partial", "garbage", "forged", "replay"])
def test_crowd_of_rogues(path: str, listener: samesock.socket, kind: str) -> None:
    """500 rogues are connected, and an honest client is served at once; the program sees none of them.

    Of the silent and partial at most 256 are kept; all of the others are reset.
    """
    record = record_at(path)
    with ExitStack() as stack, accepting_all(listener) as served:
        for _ in range(500):
            stack.callback(close_with_reset, rogue(record, kind))
        took = speak(path)
    assert len(served) == 1
    assert took < 5  # 4 ms on a quiet machine


def test_thousand_silent_rogues(path: str, listener: samesock.socket) -> None:
    """1,000 connections that say nothing: honest clients are served between them and after them."""
    record = record_at(path)
    with ExitStack() as stack, accepting_all(listener) as served:
        for i in range(1000):
            stack.callback(close_with_reset, stranger(record))
            if i % 200 == 199:
                assert speak(path) < 5
    assert len(served) == 5


def test_rogues_before_the_first_accept(path: str, listener: samesock.socket) -> None:
    """What queued up before anybody accepted is worked off inside the first accept()."""
    record = record_at(path)
    with ExitStack() as stack:
        for i in range(CALM_QUEUE):
            stack.callback(close_with_reset, rogue(record, ("silent", "garbage", "partial")[i % 3]))
        listener.settimeout(20)
        exchange(path, listener)


def test_flood_of_connect_and_close(path: str, listener: samesock.socket) -> None:
    """For 2 seconds connections come and go as fast as they can; honest clients get through meanwhile."""
    record = record_at(path)
    ending = threading.Event()
    rogues = [0]

    def flood() -> None:
        while not ending.is_set():
            try:
                close_with_reset(stranger(record))
                rogues[0] += 1
            except OSError:
                pass  # the queue was full for once

    with accepting_all(listener) as served:
        threads = [threading.Thread(target=flood) for _ in range(2)]
        for thread in threads:
            thread.start()
        end = time.monotonic() + 2
        honest = 0
        try:
            while time.monotonic() < end:
                assert speak(path) < 10
                honest += 1
        finally:
            ending.set()
            for thread in threads:
                thread.join()
    assert len(served) == honest
    assert honest >= 3
    assert rogues[0] > 0


@pytest.mark.parametrize("name", [b"", b"/a/client's/name"])
def test_hello_in_single_bytes(path: str, listener: samesock.socket, name: bytes) -> None:
    """A hello may come byte by byte; others are served meanwhile."""
    record = record_at(path)
    with stranger(record) as tcp:
        said = hello_of(record, tcp, name)
        listener.setblocking(False)
        for i in range(len(said)):
            with pytest.raises(BlockingIOError):
                listener.accept()
            tcp.sendall(said[i : i + 1])
        listener.settimeout(20)
        served, address = listener.accept()
        with served:
            assert address == name.decode()
            served.settimeout(20)
            tcp.sendall(b"x")
            assert served.recv(10) == b"x"


def test_nonce_is_used_once(path: str, listener: samesock.socket) -> None:
    """The same hello again, from the same port: reset. A fresh one from there is welcome."""
    record = record_at(path)
    listener.settimeout(20)
    source = quiet_source()
    with stranger(record, source=source) as tcp:
        said = hello_of(record, tcp)
        tcp.sendall(said)
        served, _ = listener.accept()
        close_with_reset(served)
        assert was_reset(tcp)
    with stranger(record, source=source) as again:
        again.sendall(said)
        listener.settimeout(0.2)
        with pytest.raises(TimeoutError):
            listener.accept()
        assert was_reset(again)
    with stranger(record, source=source) as fresh:
        fresh.sendall(hello_of(record, fresh))
        listener.settimeout(20)
        listener.accept()[0].close()


def test_hello_of_another_port(path: str, listener: samesock.socket) -> None:
    """A hello that is overheard is worth nothing on another connection."""
    record = record_at(path)
    with stranger(record) as overheard, stranger(record) as thief:
        thief.sendall(hello_of(record, overheard))
        listener.settimeout(0.2)
        with pytest.raises(TimeoutError):
            listener.accept()
        assert was_reset(thief)


@pytest.mark.parametrize("data", [b"d", b"d" * 5000])
def test_data_behind_the_hello(path: str, listener: samesock.socket, data: bytes) -> None:
    """Of a hello and data in one segment, exactly the hello is taken."""
    record = record_at(path)
    listener.settimeout(20)
    with stranger(record) as tcp:
        tcp.sendall(hello_of(record, tcp, b"n") + data)
        served, _ = listener.accept()
        with served:
            served.settimeout(20)
            got = b""
            while len(got) < len(data):
                got += served.recv(len(data))
            assert got == data


@pytest.fixture
def short_hello(monkeypatch: pytest.MonkeyPatch) -> float:
    """The time that a hello may take: a fifth of the real 5 s, so that the tests are quick."""
    monkeypatch.setattr(parking, "HELLO_SECONDS", 1.0)
    return 1.0


def test_tcp_client_never_reaches_the_program(
    path: str, listener: samesock.socket, short_hello: float
) -> None:
    """A plain TCP client that talks first is reset, and one that listens first hears nothing and is reset in time."""
    record = record_at(path)
    with stranger(record) as talker, stranger(record) as waiter:
        talker.sendall(b"EHLO example.org\r\n")
        listener.settimeout(short_hello + 1)
        with pytest.raises(TimeoutError):
            listener.accept()
        assert was_reset(talker)
        assert was_reset(waiter)


def test_overdue_without_accept(path: str, listener: samesock.socket, short_hello: float) -> None:
    """What accept() has parked is reset in time although nobody calls accept() again."""
    record = record_at(path)
    with stranger(record) as tcp:
        tcp.sendall(b"\xa5S1")
        listener.setblocking(False)
        with pytest.raises(BlockingIOError):
            listener.accept()
        begin = time.monotonic()
        assert was_reset(tcp)
        assert time.monotonic() - begin >= short_hello / 2


def test_late_hello_is_announced(path: str, listener: samesock.socket) -> None:
    """A hello that comes after accept() said "nobody": the listener becomes readable again, and stays so till it is
    taken. Then it is quiet."""
    record = record_at(path)
    listener.setblocking(False)
    with stranger(record) as tcp:
        select.select([listener], [], [], 20)
        with pytest.raises(BlockingIOError):
            listener.accept()
        assert not select.select([listener], [], [], 0.1)[0]
        tcp.sendall(hello_of(record, tcp))
        assert select.select([listener], [], [], 20)[0]
        time.sleep(0.3)
        assert select.select([listener], [], [], 0)[0]
        listener.accept()[0].close()
        with pytest.raises(BlockingIOError):
            listener.accept()
        assert not select.select([listener], [], [], 0.2)[0]


def test_announcements_do_not_pile_up(
    path: str, listener: samesock.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A program that does not come to accept for a while has its queue free for others, and its descriptors."""
    made = []
    connect_ex = calls.connect_ex

    def counted(*arguments: Any) -> Any:
        made.append(arguments)
        return connect_ex(*arguments)

    record = record_at(path)
    listener.setblocking(False)
    monkeypatch.setattr(calls, "connect_ex", counted)
    with stranger(record) as tcp:
        select.select([listener], [], [], 20)
        with pytest.raises(BlockingIOError):
            listener.accept()
        tcp.sendall(hello_of(record, tcp))
        time.sleep(1)
        assert len(made) == 1
        listener.accept()[0].close()


def test_late_hellos_under_select(path: str, listener: samesock.socket) -> None:
    """200 clients whose hellos come late, one after another: each of them is announced and served, under select()."""
    record = record_at(path)
    listener.setblocking(False)
    served = 0
    wakes = 0

    def late(tcp: socket.socket) -> None:
        time.sleep(0.005)
        tcp.sendall(hello_of(record, tcp))

    for _ in range(20):
        clients = [stranger(record) for _ in range(10)]
        threads = [threading.Thread(target=late, args=(tcp,)) for tcp in clients]
        for thread in threads:
            thread.start()
        got = 0
        while got < len(clients):
            assert select.select([listener], [], [], 20)[0]
            wakes += 1
            try:
                while True:
                    listener.accept()[0].close()
                    got += 1
            except BlockingIOError:
                pass
        served += got
        for thread, tcp in zip(threads, clients, strict=True):
            thread.join()
            tcp.close()
    assert served == 200
    assert wakes < 4000  # no spinning: about 40 on a quiet machine


class ScriptedAccept:
    """The listener's accept, which fails as it is told, then does as ever."""

    def __init__(self, *codes: int) -> None:
        self.codes = list(codes)
        self.accept = calls.accept

    def __call__(self, sock: Any) -> Any:
        if self.codes:
            code = self.codes.pop(0)
            raise OSError(code, "scripted")
        return self.accept(sock)


def test_descriptors_are_used_up(
    path: str, listener: samesock.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    """EMFILE costs the longest parked stranger its place, not the honest client; with nobody to evict the program
    gets the error, and the client its turn later."""
    record = record_at(path)
    listener.setblocking(False)
    with stranger(record) as first, stranger(record) as second:
        select.select([listener], [], [], 20)
        with pytest.raises(BlockingIOError):
            listener.accept()
        listener.settimeout(20)
        monkeypatch.setattr(calls, "accept", ScriptedAccept(errno.EMFILE))
        exchange(path, listener)
        assert was_reset(first)
        second.sendall(hello_of(record, second))
        listener.accept()[0].close()
    monkeypatch.setattr(calls, "accept", ScriptedAccept(errno.EMFILE))
    with samesock.socket(samesock.AF_UNIX) as client:
        client.connect(path)
        with pytest.raises(OSError) as caught:
            listener.accept()
        assert caught.value.errno == errno.EMFILE
        listener.accept()[0].close()


@pytest.mark.parametrize("code", [errno.ECONNABORTED, errno.EPROTO, errno.ECONNRESET])
def test_connections_that_died_in_the_queue(
    path: str, listener: samesock.socket, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    """accept() does not bother the program with connections that died before it came."""
    monkeypatch.setattr(calls, "accept", ScriptedAccept(code, code, code))
    exchange(path, listener)


def test_accept_that_never_works(
    path: str, listener: samesock.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A timeout is kept although the kernel answers every accept with a passing error."""

    def broken(sock: Any) -> Any:
        raise OSError(errno.EPROTO, "scripted")

    monkeypatch.setattr(calls, "accept", broken)
    listener.settimeout(0.3)
    with samesock.socket(samesock.AF_UNIX) as client:
        client.connect(path)
        with pytest.raises(TimeoutError):
            listener.accept()


def test_alarm_makes_room(path: str) -> None:
    """After rogues a short backlog no longer keeps honest clients out: the kernel's queue has grown."""
    with samesock.socket(samesock.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen(1)
        listener.settimeout(20)
        record = record_at(path)
        with ExitStack() as stack:
            stack.callback(close_with_reset, rogue(record, "garbage"))
            exchange(path, listener)
            for _ in range(40):
                stack.callback(close_with_reset, stranger(record))
            exchange(path, listener)


def test_used_nonces_are_remembered_long_enough() -> None:
    """4,096 hellos later a nonce is forgotten, and its four addresses are long dead; not before."""
    nonces = hello.Nonces()
    first = bytes(16)
    assert nonces.use(first)
    for i in range(1, hello.REMEMBERED_NONCES):
        assert nonces.use(i.to_bytes(16, "big"))
    assert not nonces.use(first)


def test_gate_waits_for_nobody(
    path: str, listener: samesock.socket, eventually: Callable[[Callable[[], object]], None]
) -> None:
    """A non-blocking accept() with strangers parked returns within its credit: 100 calls in a row take no longer
    than what the credit and a slow machine's scheduling account for."""
    record = record_at(path)
    listener.setblocking(False)
    with ExitStack() as stack:
        for _ in range(50):
            stack.callback(close_with_reset, stranger(record))
        begin = time.monotonic()
        for _ in range(100):
            with pytest.raises(BlockingIOError):
                listener.accept()
        assert time.monotonic() - begin < 5  # 40 ms on a quiet machine
