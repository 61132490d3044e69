"""What goes through a stream whose sockets have a time-out, in every kind of buffer, both ends in one process."""

from __future__ import annotations

import array
import errno
import os
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import samesock
from samesock.unix import choosing
from samesock.winsock import blocking

MUCH = os.urandom(1_500_001)
BUFFERS: list[Any] = [
    pytest.param(bytes, id="bytes"),
    pytest.param(bytearray, id="bytearray"),
    pytest.param(memoryview, id="read-only view"),
    pytest.param(lambda data: memoryview(bytearray(data)), id="view"),
    pytest.param(lambda data: memoryview(b"--" + data)[2:], id="part of a view"),
]


@pytest.fixture
def pair() -> Iterator[tuple[Any, Any]]:
    """Two connected sockets with a time-out."""
    with samesock.create_server(("127.0.0.1", 0)) as listener:
        one = samesock.create_connection(listener.getsockname())
        other = listener.accept()[0]
    with one, other:
        one.settimeout(30)
        other.settimeout(30)
        yield one, other


def received(sock: Any, size: int) -> bytes:
    """So many bytes, by recv and recv_into in turn."""
    got = bytearray()
    room = bytearray(70_000)
    while len(got) < size:
        count = sock.recv_into(room, min(len(room), size - len(got)))
        got += room[:count]
        if len(got) < size:
            got += sock.recv(min(50_000, size - len(got)))
    return bytes(got)


@pytest.mark.parametrize("make", BUFFERS)
def test_sendall(pair: tuple[Any, Any], make: Callable[[bytes], Any]) -> None:
    """Everything arrives, in order, once, though it is many times what the buffers take."""
    one, other = pair
    thread = threading.Thread(target=one.sendall, args=(make(MUCH),))
    thread.start()
    assert received(other, len(MUCH)) == MUCH
    thread.join()


@pytest.mark.parametrize("make", BUFFERS)
def test_send(pair: tuple[Any, Any], make: Callable[[bytes], Any]) -> None:
    """send() says how much went, and the rest can follow."""
    one, other = pair
    sent = one.send(make(MUCH))
    assert 0 < sent <= len(MUCH)
    thread = threading.Thread(target=lambda: one.sendall(MUCH[sent:]))
    thread.start()
    assert received(other, len(MUCH)) == MUCH
    thread.join()


def test_numbers(pair: tuple[Any, Any]) -> None:
    """An array counts by its bytes."""
    one, other = pair
    numbers = array.array("H", [1, 2, 3])
    assert one.send(numbers) == 6
    one.sendall(numbers)
    assert received(other, 12) == numbers.tobytes() * 2


def test_nothing_is_not_waited_for(pair: tuple[Any, Any]) -> None:
    """Calls that ask for no bytes, or for none that there can be, answer at once."""
    one, _ = pair
    begun = time.monotonic()
    assert one.recv(0) == b""
    assert one.recv_into(bytearray()) == 0
    assert one.send(b"") == 0
    one.sendall(b"")
    with pytest.raises(TypeError):
        one.recv_into(b"read-only")
    with pytest.raises(ValueError):
        one.recv_into(bytearray(3), 9)
    with pytest.raises(ValueError):
        one.recv(-1)
    for wrong in (5, "text"):
        with pytest.raises(TypeError):
            one.send(wrong)
        with pytest.raises(TypeError):
            one.sendall(wrong)
    assert time.monotonic() - begun < 10


def test_the_time_out_is_for_all_of_a_sendall(pair: tuple[Any, Any]) -> None:
    """A peer that does not read ends it in time."""
    one, _ = pair
    one.settimeout(0.3)
    begun = time.monotonic()
    with pytest.raises(TimeoutError):
        for _ in range(100):
            one.sendall(MUCH)
    assert time.monotonic() - begun < 20


def test_two_readers_share_what_comes(pair: tuple[Any, Any]) -> None:
    """Of two threads that wait for one message, the other waits on, and gets the next one."""
    one, other = pair
    got: list[bytes] = []
    threads = [threading.Thread(target=lambda: got.append(other.recv(1))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for byte in (b"a", b"b"):
        time.sleep(0.1)
        one.send(byte)
    for thread in threads:
        thread.join()
    assert sorted(got) == [b"a", b"b"]


TAKES: list[Any] = [
    pytest.param("stream", lambda sock: sock.accept()[0].close(), id="accept"),
    pytest.param("datagram", lambda sock: sock.recv(9), id="recv"),
    pytest.param("datagram", lambda sock: sock.recvfrom(9), id="recvfrom"),
    pytest.param("datagram", lambda sock: sock.recvfrom_into(bytearray(9)), id="recvfrom_into"),
]


@pytest.mark.skipif(not choosing.over_winsock(), reason="wake: here the kernel's own calls wait")
@pytest.mark.parametrize(("kind", "take"), TAKES)
def test_who_came_too_late_waits_as_before(
    kind: str, take: Callable[[Any], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who found the socket ready, and then that another thread had taken all, waits where close(wake=True) and Ctrl+C
    end it, and not in C's select()."""
    waits = blocking._wait
    looks: list[bool] = []

    def once_too_early(*arguments: Any, **named: Any) -> None:
        looks.append(True)
        if len(looks) > 1:
            waits(*arguments, **named)

    monkeypatch.setattr(blocking, "_wait", once_too_early)
    ends: list[Any] = []

    def waiting() -> None:
        try:
            ends.append(take(sock))
        except OSError as error:
            ends.append(error.errno)

    is_stream = kind == "stream"
    with samesock.socket(
        samesock.AF_INET, samesock.SOCK_STREAM if is_stream else samesock.SOCK_DGRAM
    ) as sock:
        sock.bind(("127.0.0.1", 0))
        if is_stream:
            sock.listen()
        sock.settimeout(60)
        thread = threading.Thread(target=waiting)
        thread.start()
        time.sleep(0.3)
        assert len(looks) > 1
        begun = time.monotonic()
        sock.close(wake=True)
        thread.join()
        assert time.monotonic() - begun < 0.5
    assert ends == [errno.ECONNABORTED]
