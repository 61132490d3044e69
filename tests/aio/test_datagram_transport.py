"""The datagram transport by itself: a socket and a loop that answer by script, for what no kernel at hand does."""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Callable
from typing import Any

import pytest

from samesock._aio_datagrams import UnixDatagramTransport
from samesock._aio_flow import HIGH_WATER


class Loop:
    """A loop whose calls are made when the test says so."""

    def __init__(self) -> None:
        self.soon: list[Callable[[], Any]] = []
        self.readers: dict[int, Callable[[], None]] = {}
        self.told: list[dict[str, Any]] = []

    def call_soon(self, call: Callable[..., Any], *arguments: Any) -> None:
        self.soon.append(lambda: call(*arguments))

    def call_later(self, _: float, call: Callable[..., Any]) -> Any:
        self.soon.append(call)
        return self

    def cancel(self) -> None:
        """A timer's: what is told to a transport that has ended is its own affair."""

    def add_reader(self, number: int, call: Callable[[], None]) -> None:
        self.readers[number] = call

    def remove_reader(self, number: int) -> None:
        del self.readers[number]

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        self.told.append(context)

    def run(self) -> None:
        while self.soon:
            self.soon.pop(0)()


class Sock:
    """A socket that raises what it was given, else takes and gives everything."""

    def __init__(self) -> None:
        self.raises: BaseException | None = None
        self.sent: list[bytes] = []
        self.closed = False

    def fileno(self) -> int:
        return 7

    def getsockname(self) -> str:
        return "/here"

    def getpeername(self) -> str:
        return "/there"

    def recvfrom(self, _: int) -> tuple[bytes, str]:
        if self.raises is not None:
            raise self.raises
        return b"came", "/there"

    def send(self, data: bytes) -> int:
        if self.raises is not None:
            raise self.raises
        self.sent.append(data)
        return len(data)

    def close(self) -> None:
        self.closed = True


class Protocol(asyncio.DatagramProtocol):
    """Keeps what it is told, and can fail at it."""

    def __init__(self) -> None:
        self.events: list[Any] = []
        self.fails = False

    def connection_lost(self, exc: Exception | None) -> None:
        self.events.append(("lost", exc))

    def datagram_received(self, data: bytes, addr: Any) -> None:
        self.events.append((data, addr))

    def error_received(self, exc: Exception) -> None:
        self.events.append(exc)

    def pause_writing(self) -> None:
        if self.fails:
            raise LookupError("the protocol's own")
        self.events.append("paused")

    def resume_writing(self) -> None:
        self.events.append("resumed")


Made = tuple[UnixDatagramTransport, Loop, Sock, Protocol]


@pytest.fixture
def made() -> Any:
    """A transport that has begun."""
    loop, sock, protocol = Loop(), Sock(), Protocol()
    transport = UnixDatagramTransport(loop, sock, protocol)  # type: ignore[arg-type]
    loop.run()
    yield transport, loop, sock, protocol
    transport.abort()
    loop.run()
    assert sock.closed


def test_an_error_while_reading_is_told(made: Made) -> None:
    """An OSError of the socket goes to the protocol, and the next datagram is read as ever."""
    transport, loop, sock, protocol = made
    sock.raises = OSError(errno.EIO, "scripted")
    loop.readers[7]()
    sock.raises = None
    loop.readers[7]()
    assert protocol.events == [protocol.events[0], (b"came", "/there")]
    assert protocol.events[0].errno == errno.EIO
    assert not transport.is_closing()


@pytest.mark.parametrize("direction", ["read", "send"])
def test_a_bug_ends_the_transport(made: Made, direction: str) -> None:
    """What is no OSError ends the transport, and the protocol is told which it was; later calls do nothing."""
    transport, loop, sock, protocol = made
    bug = sock.raises = LookupError("scripted")
    reader = loop.readers[7]
    reader() if direction == "read" else transport.sendto(b"x")
    sock.raises = None
    loop.run()
    assert protocol.events == [("lost", bug)]
    transport.sendto(b"late")
    reader()
    assert sock.sent == []
    assert protocol.events == [("lost", bug)]


@pytest.mark.parametrize("direction", ["read", "send"])
@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit])
def test_ctrl_c_comes_through(made: Made, direction: str, kind: type[BaseException]) -> None:
    """KeyboardInterrupt and SystemExit leave as they are, and end nothing."""
    transport, loop, sock, protocol = made
    sock.raises = kind()
    with pytest.raises(kind):
        loop.readers[7]() if direction == "read" else transport.sendto(b"x")
    assert protocol.events == []
    assert not transport.is_closing()


def test_no_room_by_enobufs_waits(made: Made) -> None:
    """ENOBUFS, BSD's word for a full receiver, is no error: the datagram waits and goes later."""
    transport, loop, sock, protocol = made
    sock.raises = OSError(errno.ENOBUFS, "scripted")
    transport.sendto(b"first")
    assert transport.get_write_buffer_size() == 5
    sock.raises = None
    transport.sendto(b"second")
    assert sock.sent == []
    loop.run()
    assert sock.sent == [b"first", b"second"]
    assert protocol.events == []


def test_limits(made: Made) -> None:
    """Either limit is made from the other, as asyncio's; what is not high >= low >= 0 is refused."""
    transport, loop, sock, protocol = made
    assert transport.get_write_buffer_limits() == (HIGH_WATER // 4, HIGH_WATER)
    for given, limits in (({"high": 8}, (2, 8)), ({"low": 3}, (3, 12)), ({}, (HIGH_WATER // 4, HIGH_WATER))):
        transport.set_write_buffer_limits(**given)
        assert transport.get_write_buffer_limits() == limits
    with pytest.raises(ValueError, match="high"):
        transport.set_write_buffer_limits(high=1, low=2)
    transport.set_write_buffer_limits(high=4, low=0)
    sock.raises = BlockingIOError()
    transport.sendto(b"12345")
    assert protocol.events == ["paused"]
    sock.raises = None
    loop.run()
    assert protocol.events == ["paused", "resumed"]


def test_a_protocol_that_fails_is_reported(made: Made) -> None:
    """An exception of pause_writing() goes to the loop's handler, and the datagram is not lost."""
    transport, loop, sock, protocol = made
    protocol.fails = True
    transport.set_write_buffer_limits(high=0)
    sock.raises = BlockingIOError()
    transport.sendto(b"kept")
    assert [type(one["exception"]) for one in loop.told] == [LookupError]
    assert loop.told[0]["message"] == "protocol.pause_writing() failed"
    sock.raises = None
    loop.run()
    assert sock.sent == [b"kept"]


def test_another_protocol(made: Made) -> None:
    """set_protocol() tells another one from then on; what is no bytes is a TypeError."""
    transport, loop, _sock, protocol = made
    other = Protocol()
    assert transport.get_protocol() is protocol
    transport.set_protocol(other)
    assert transport.get_protocol() is other
    loop.readers[7]()
    assert (protocol.events, other.events) == ([], [(b"came", "/there")])
    with pytest.raises(TypeError, match="bytes-like, not str"):
        transport.sendto("text")  # type: ignore[arg-type]
    transport.close()
    transport.close()
    assert 7 not in loop.readers


def test_one_that_is_forgotten_is_reported() -> None:
    """A transport that is left to the garbage collector is a ResourceWarning, and its socket is closed."""
    loop, sock = Loop(), Sock()
    transport = UnixDatagramTransport(loop, sock, Protocol())  # type: ignore[arg-type]
    loop.run()
    loop.readers.clear()
    with pytest.warns(ResourceWarning, match="unclosed transport"):
        del transport
    assert sock.closed
