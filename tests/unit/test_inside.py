"""Calls that write themselves into no list are found by their frames; where nobody can see those, they use the lists.

Over Winsock where there is one, else over libc.
"""

from __future__ import annotations

import contextlib
import gc
import socket as stdlib
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import samesock
from conformance import implementations
from samesock import _waking
from samesock.unix import choosing, dispatch
from samesock.winsock import inside

PATIENCE = 20.0


@pytest.fixture
def net() -> Iterator[Any]:
    """A namespace whose sockets have Winsock's methods."""
    if choosing.over_winsock():
        yield samesock
        return
    plain = list(dispatch.plain_classes)
    asked, unsettled = _waking.threads_inside, set(_waking.unsettled)
    inside.begin()
    yield implementations.over_libc()
    dispatch.plain_classes[:] = plain
    _waking.threads_inside = asked
    _waking.unsettled.clear()
    _waking.unsettled.update(unsettled)


@pytest.fixture
def pair(net: Any) -> Iterator[tuple[Any, Any]]:
    """Two connected blocking streams."""
    with stdlib.create_server(("127.0.0.1", 0)) as listener:
        one = net.create_connection(listener.getsockname())
        other, _ = listener.accept()
    with one, other:
        yield one, other


@pytest.fixture
def in_lists(net: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An interpreter that shows no frames."""
    monkeypatch.setattr(inside, "usable", False)
    monkeypatch.setattr(_waking, "threads_inside", None)
    inside.begin()
    yield
    _waking.unsettled.discard(_waking.LISTED)


class Call:
    """A call in a thread of its own."""

    def __init__(self, function: Callable[..., Any], *arguments: Any) -> None:
        self.result: Any = None
        self._call = function, arguments
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    @property
    def ident(self) -> int:
        return self._thread.ident or 0

    def _run(self) -> None:
        function, arguments = self._call
        try:
            self.result = function(*arguments)
        except OSError as error:
            self.result = type(error)

    def ended(self) -> Any:
        """What it gave."""
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive()
        return self.result


def until(true: Callable[[], object]) -> None:
    """Wait for something that another thread brings about."""
    end = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < end
        time.sleep(0.002)


READS: dict[str, Callable[[Any], Call]] = {
    "recv": lambda sock: Call(sock.recv, 5),
    "recv_into": lambda sock: Call(sock.recv_into, bytearray(5)),
}


@pytest.mark.parametrize("name", READS)
def test_a_read_is_found_by_its_frame(pair: tuple[Any, Any], name: str) -> None:
    """Who blocks in a plain read of a socket is known, although it is in no list."""
    one, other = pair
    call = READS[name](one)
    until(lambda: _waking.readers_of(one) == [call.ident])
    assert call.ident not in _waking.readers
    assert inside.read_by(call.ident) is one
    assert not _waking.writers_of(one)
    other.sendall(b"12345")
    assert call.ended() in (b"12345", 5)
    assert not _waking.readers_of(one)
    assert inside.read_by(call.ident) is None


def test_a_send_is_found_by_its_frame(pair: tuple[Any, Any]) -> None:
    """Who blocks in a plain send is known as one who writes, and as one who reads nothing."""
    one, other = pair
    one.setblocking(False)
    with contextlib.suppress(BlockingIOError):
        while True:
            one.send(bytes(60000))
    with contextlib.suppress(BlockingIOError):
        while True:
            one.send(b"x")
    one.setblocking(True)
    call = Call(one.sendall, b"last")
    until(lambda: call.ident in _waking.writers_of(one))
    frame = inside.writing(call.ident)
    assert frame is not None
    assert inside.writing(call.ident) is frame
    assert inside.socket_of(frame) is one
    assert inside.read_by(call.ident) is None
    assert call.ident not in _waking.writers
    del frame
    other.settimeout(PATIENCE)
    got = b""
    while not got.endswith(b"last"):
        got = (got + other.recv(1 << 20))[-4:]
    assert call.ended() is None
    assert not _waking.writers_of(one)


def test_whoever_asks_keeps_nothing(pair: tuple[Any, Any]) -> None:
    """A socket whose call was looked at is gone with its last reference, and not when the collector comes."""
    one, other = pair
    held = [
        samesock.socket(fileno=one.detach()) if choosing.over_winsock() else type(one)(fileno=one.detach())
    ]
    sock = held.pop()
    alive = weakref.ref(sock)
    gc.disable()
    try:
        call = READS["recv"](sock)
        thread = call.ident
        until(lambda: _waking.readers_of(alive()) == [thread])
        assert inside.read_by(thread) is alive()
        other.sendall(b"x")
        assert call.ended() == b"x"
        sock.close()
        del sock, call
        assert alive() is None
    finally:
        gc.enable()


def test_a_call_within_a_call(pair: tuple[Any, Any]) -> None:
    """While a plain read makes another call, the thread is in both, and reads from none right now."""
    one, _ = pair
    seen: list[Any] = []

    class Buffer(bytearray):
        """One that is asked for its length by the method, and looks around."""

        def __len__(self) -> int:
            asked = Call(lambda: (_waking.writers_of(one), inside.read_by(me), inside.writing(me)))
            seen.append(asked.ended())
            return 1

    me = threading.get_ident()
    one.sendall(Buffer(b"x"))
    writers, reading, writing = seen[0]
    assert writers == [me]
    assert reading is None
    assert writing is None


def test_where_frames_cannot_be_seen(pair: tuple[Any, Any], in_lists: None) -> None:
    """There the same calls are in the lists, and close(wake=True)'s strike finds them."""
    one, other = pair
    call = READS["recv"](one)
    until(lambda: _waking.readers.get(call.ident) is one)
    assert _waking.readers_of(one) == [call.ident]
    other.sendall(b"12345")
    assert call.ended() == b"12345"
    assert not _waking.readers_of(one)
    one.sendall(b"back")
    assert other.recv(10) == b"back"


def test_the_last_plain_call_closes(pair: tuple[Any, Any]) -> None:
    """A plain call that nothing ended closes the number that the socket's closer left to it."""
    one, other = pair
    call = READS["recv"](one)
    until(lambda: _waking.readers_of(one))
    spare = stdlib.socket()
    number = spare.detach()
    _waking.abandon(one, number)
    assert one in _waking.orphans
    other.sendall(b"x")
    assert call.ended() == b"x"
    assert one not in _waking.orphans
    assert _waking.ORPHANED not in _waking.unsettled
    with pytest.raises(OSError):
        stdlib.close(number)
