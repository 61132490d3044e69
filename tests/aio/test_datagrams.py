"""Unix datagrams of samesock.aio, on each loop that the system has, with nothing of asyncio changed."""

from __future__ import annotations

import asyncio
import errno
import gc
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import samesock
from samesock import aio
from samesock.unix import rendezvous

pytestmark = pytest.mark.needs("unix-dgram")
LOOPS = [
    name
    for name in ("ProactorEventLoop", "SelectorEventLoop")
    if issubclass(getattr(asyncio, name, int), asyncio.AbstractEventLoop)
]
Run = Callable[..., Any]


@pytest.fixture(params=LOOPS)
def run(request: pytest.FixtureRequest) -> Iterator[Run]:
    """Runs a coroutine on a new loop; a socket, a thread or an exception that is left fails the test."""
    loop = getattr(asyncio, request.param)()
    told: list[dict[str, Any]] = []
    loop.set_exception_handler(lambda _, context: told.append(context))
    threads = threading.active_count()
    with warnings.catch_warnings(record=True) as left:
        warnings.simplefilter("always", ResourceWarning)
        yield lambda coroutine: loop.run_until_complete(asyncio.wait_for(coroutine, 60))
        loop.run_until_complete(asyncio.sleep(0))
        loop.close()
        gc.collect()
    assert told == []
    assert [str(one.message) for one in left if one.category is ResourceWarning] == []
    assert threading.active_count() <= threads


class Collecting(asyncio.DatagramProtocol):
    """Keeps all that it is told."""

    def __init__(self) -> None:
        self.got: asyncio.Queue[tuple[bytes, Any]] = asyncio.Queue()
        self.errors: asyncio.Queue[Exception] = asyncio.Queue()
        self.events: list[str] = []
        self.lost: asyncio.Future[Exception | None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: Any) -> None:
        self.events.append("made")

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost.set_result(exc)

    def datagram_received(self, data: bytes, addr: Any) -> None:
        self.got.put_nowait((data, addr))

    def error_received(self, exc: Exception) -> None:
        self.errors.put_nowait(exc)

    def pause_writing(self) -> None:
        self.events.append("paused")

    def resume_writing(self) -> None:
        self.events.append("resumed")


async def endpoint(*paths: str | None, **options: Any) -> tuple[Any, Collecting]:
    """An endpoint with a collecting protocol."""
    loop = asyncio.get_running_loop()
    transport, protocol = await aio.create_unix_datagram_endpoint(loop, Collecting, *paths, **options)
    assert protocol.events == ["made"]
    return transport, protocol


async def close(*ends: tuple[Any, Collecting]) -> None:
    """Close, and wait until it is done, without an error."""
    for transport, protocol in ends:
        transport.close()
        assert await protocol.lost is None
        assert transport.is_closing()


def test_named_and_unnamed_senders(path: str, run: Run) -> None:
    """A bound endpoint tells a sender's path, or None, answers the path, and gets empty datagrams too."""

    async def talk() -> None:
        server, client, unnamed = await endpoint(path), await endpoint(path + "c", path), await endpoint()
        assert server[0].get_extra_info("sockname") == path
        assert client[0].get_extra_info("peername") == path
        client[0].sendto(b"named")
        assert await server[1].got.get() == (b"named", path + "c")
        server[0].sendto(b"answer", path + "c")
        assert await client[1].got.get() == (b"answer", path)
        unnamed[0].sendto(b"", path)
        assert await server[1].got.get() == (b"", None)
        with pytest.raises(ValueError, match="remote path"):
            client[0].sendto(b"x", path + "elsewhere")
        await close(server, client, unnamed)

    run(talk())


@pytest.mark.parametrize("connected", [True, False])
def test_a_receiver_that_does_not_read(path: str, run: Run, connected: bool) -> None:
    """What finds no room waits in order, the protocol is paused and goes on, and close() sends the rest first."""

    async def talk() -> None:
        with samesock.socket(samesock.AF_UNIX, samesock.SOCK_DGRAM) as receiver:
            receiver.bind(path)
            receiver.setblocking(False)
            sender = await endpoint(None, path if connected else None)
            for number in range(150):
                sender[0].sendto(b"%03d" % number + bytes(1000), None if connected else path)
            assert sender[1].events == ["made", "paused"]
            assert sender[0].get_write_buffer_size() > 64 * 1024
            sender[0].close()
            got: list[int] = []
            while len(got) < 150:
                try:
                    got.append(int(receiver.recv(2000)[:3]))
                except BlockingIOError:
                    await asyncio.sleep(0.002)
            assert got == list(range(150))
            assert await sender[1].lost is None
            assert sender[1].events == ["made", "paused", "resumed"]

    run(talk())


def test_abort_throws_away_what_waits(path: str, run: Run) -> None:
    """abort() with datagrams that wait ends at once, without an error."""

    async def talk() -> None:
        with samesock.socket(samesock.AF_UNIX, samesock.SOCK_DGRAM) as receiver:
            receiver.bind(path)
            sender = await endpoint(None, path)
            for _ in range(100):
                sender[0].sendto(bytes(1000))
            assert sender[0].get_write_buffer_size()
            sender[0].abort()
            assert sender[0].get_write_buffer_size() == 0
            assert await sender[1].lost is None

    run(talk())


def test_nobody_there(path: str, run: Run) -> None:
    """A missing receiver, and one that has left, are told as errors, and the endpoint lives on."""

    async def talk() -> None:
        sender = await endpoint()
        sender[0].sendto(b"x", path)
        assert isinstance(await sender[1].errors.get(), FileNotFoundError)
        with samesock.socket(samesock.AF_UNIX, samesock.SOCK_DGRAM) as receiver:
            receiver.bind(path)
        sender[0].sendto(b"x", path)
        assert isinstance(await sender[1].errors.get(), ConnectionRefusedError)
        other = await endpoint(path + "2")
        sender[0].sendto(b"x", path + "2")
        assert (await other[1].got.get())[0] == b"x"
        await close(sender, other)

    run(talk())


def test_creating_that_fails_leaves_nothing(path: str, run: Run) -> None:
    """Errors of connect and of the protocol's factory are raised, and the socket is closed (the fixture looks)."""

    async def talk() -> None:
        loop = asyncio.get_running_loop()
        with pytest.raises(OSError) as refused:
            await endpoint(None, path)
        assert refused.value.errno == errno.ENOENT
        with pytest.raises(ZeroDivisionError):
            await aio.create_unix_datagram_endpoint(loop, lambda: 1 / 0, path)
        with (
            samesock.socket(samesock.AF_UNIX) as stream,
            pytest.raises(ValueError, match="not a Unix datagram"),
        ):
            await endpoint(sock=stream)

    run(talk())


def test_a_given_pair(run: Run) -> None:
    """Both ends of a socketpair, which have no names, as endpoints."""

    async def talk() -> None:
        one, other = samesock.socketpair(samesock.AF_UNIX, samesock.SOCK_DGRAM)
        a, b = await endpoint(sock=one), await endpoint(sock=other)
        for number in range(50):
            a[0].sendto(b"%d" % number)
        for number in range(50):
            assert (await b[1].got.get())[0] == b"%d" % number
        await close(a, b)

    run(talk())


def test_a_stranger(path: str, run: Run) -> None:
    """What a stranger sends to the UDP port under an emulated endpoint reaches no protocol."""

    async def talk() -> None:
        server = await endpoint(path)
        if server[0].get_extra_info("socket").transport != "emulated":
            await close(server)
            pytest.skip("unix-dgram is native here: there is no UDP port to reach")
        record = rendezvous.decode(Path(path).read_bytes())  # noqa: ASYNC240 -- a small local file
        assert record is not None
        with samesock.socket(samesock.AF_INET, samesock.SOCK_DGRAM) as stranger:
            for _ in range(10):
                stranger.sendto(b"forged", ("127.0.0.1", record.port))
                await asyncio.sleep(0.005)
        sender = await endpoint(None, path)
        sender[0].sendto(b"honest")
        assert await server[1].got.get() == (b"honest", None)
        assert server[1].got.empty()
        await close(server, sender)

    run(talk())


KINDS = pytest.mark.parametrize("kind", ["SOCK_DGRAM", "SOCK_SEQPACKET"])
WAYS = ["endpoint", "sock_recv", "sock_recv_into", "sock_sendall"]


async def carry(way: str, one: Any, other: Any) -> bytes:
    """One message from one socket to the other, a part of the way by asyncio's own means."""
    loop = asyncio.get_running_loop()
    if way == "sock_sendall":
        await loop.sock_sendall(one, b"honest")
        return bytes(other.recv(100))
    one.send(b"honest")
    if way == "sock_recv":
        return await loop.sock_recv(other, 100)
    if way == "sock_recv_into":
        room = bytearray(100)
        return bytes(room[: await loop.sock_recv_into(other, room)])
    transport, protocol = await loop.create_datagram_endpoint(Collecting, sock=other)
    got, told = (asyncio.ensure_future(queue.get()) for queue in (protocol.got, protocol.errors))
    try:
        done, _ = await asyncio.wait([got, told], return_when=asyncio.FIRST_COMPLETED)
        if got in done:
            return got.result()[0]
        raise told.result()
    finally:
        got.cancel()
        told.cancel()
        transport.close()
        await protocol.lost


def pair_of(kind: str) -> tuple[Any, Any]:
    """Two connected sockets of that type that do not block."""
    one, other = samesock.socketpair(samesock.AF_UNIX, getattr(samesock, kind))
    one.setblocking(False)
    other.setblocking(False)
    return one, other


@KINDS
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("made", ["before", "inside"])
def test_a_loop_that_nobody_prepared(kind: str, way: str, made: str, run: Run) -> None:
    """Every call of asyncio with such a socket works; only the first may be an OSError, and only if none of them was
    made inside the loop. Never is a raw byte read or sent."""
    if way == "endpoint" and kind == "SOCK_SEQPACKET" and sys.version_info < (3, 13):
        pytest.skip("unix-seqpacket has no endpoints in this asyncio: it wants SOCK_DGRAM")
    sockets = [pair_of(kind) for _ in range(3)] if made == "before" else []
    refused: list[OSError] = []

    async def talk() -> None:
        if made == "inside":
            sockets.extend(pair_of(kind) for _ in range(3))
        # Of each socket the first call and later ones; an endpoint closes its socket.
        for one, other in sockets if way == "endpoint" else sockets * 3:
            try:
                assert await carry(way, one, other) == b"honest"
            except OSError as error:
                refused.append(error)
                if way == "sock_sendall":
                    with pytest.raises(BlockingIOError):
                        other.recv(10)  # nothing went out
                else:
                    assert other.recv(100) == b"honest"  # nothing was taken

    try:
        run(talk())
    finally:
        for sock in (sock for pair in sockets for sock in pair):
            sock.close()
    if refused:
        assert made == "before"
        assert way != "endpoint"  # asyncio sets the socket's mode first, inside the loop
        assert len(refused) == 1
        assert "Proactor" in str(refused[0])
        assert refused[0].errno == errno.EOPNOTSUPP


@KINDS
@pytest.mark.parametrize("way", ["fileno", "dup"])
def test_a_socket_adopted_inside_the_loop(kind: str, way: str, run: Run) -> None:
    """A duplicate made, or a number adopted, inside a loop that nobody prepared works from the first call on."""
    one, other = pair_of(kind)

    async def talk() -> None:
        adopted = other.dup() if way == "dup" else samesock.socket(fileno=other.detach())
        with adopted:  # nothing else is called before: a message is there, so its mode does not matter
            for _ in range(3):
                assert await carry("sock_recv", one, adopted) == b"honest"

    with one, other:
        run(talk())


def test_a_number_for_everybody_else(run: Run) -> None:
    """What is no overlapped operation still gets a socket's number, inside a loop and outside of it."""
    one, other = pair_of("SOCK_DGRAM")

    async def ask() -> int:
        return other.fileno()

    with one, other:
        assert run(ask()) == other.fileno() > 0
    assert other.fileno() == -1
