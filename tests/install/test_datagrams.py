"""Unix datagrams and packets in the standard library by install(): sockets, socketserver, asyncio, pickling."""

from __future__ import annotations

import asyncio
import os
import socket
import socketserver
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import samesock
from samesock.unix import rendezvous

pytestmark = [pytest.mark.needs("unix-dgram"), pytest.mark.usefixtures("installed")]
Run = Callable[..., Any]


def test_the_standard_librarys_class(path: str) -> None:
    """socket.socket makes datagram sockets that send and receive, and INET sockets keep their own class."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.settimeout(20)
        receiver.bind(path)
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.sendto(b"x", path)
            assert receiver.recvfrom(10) == (b"x", None)
            assert isinstance(sender, socket.socket)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        assert type(udp) is socket.socket


@pytest.mark.parametrize("kind", ["SOCK_DGRAM", "SOCK_SEQPACKET"])
def test_pairs(kind: str) -> None:
    """socket.socketpair of both types keeps messages whole, and gives the standard library's class."""
    one, other = socket.socketpair(socket.AF_UNIX, getattr(socket, kind))
    with one, other:
        other.settimeout(20)
        one.send(b"a")
        one.send(b"bc")
        assert [other.recv(10), other.recv(10)] == [b"a", b"bc"]
        assert not isinstance(one, samesock.socket) or samesock.socket is socket.socket


def test_they_survive_uninstall(path: str) -> None:
    """A datagram socket and a packet connection that are open when install() is undone go on working."""
    one, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with one, other, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind(path)
        samesock.uninstall()
        for sock in (receiver, other):
            sock.settimeout(20)
        with samesock.socket(samesock.AF_UNIX, samesock.SOCK_DGRAM) as sender:
            sender.sendto(b"x", path)
            assert receiver.recv(10) == b"x"
        one.send(b"ab")
        one.send(b"c")
        assert [other.recv(10), other.recv(10)] == [b"ab", b"c"]


def test_socketservers_datagram_server(path: str) -> None:
    """UnixDatagramServer is there, serves a request, and answers the client's path."""

    class Echo(socketserver.DatagramRequestHandler):
        def handle(self) -> None:
            self.wfile.write(self.rfile.read()[::-1])

    with socketserver.UnixDatagramServer(path, Echo) as server:
        server.timeout = 20
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as client:
            client.settimeout(20)
            client.bind(path + "c")
            client.sendto(b"abc", path)
            server.handle_request()
            assert client.recvfrom(10) == (b"cba", path)


class Collecting(asyncio.DatagramProtocol):
    """Keeps what comes, and answers those who can be answered, if it is to."""

    def __init__(self, *, answering: bool = False) -> None:
        self.answering = answering
        self.got: asyncio.Queue[tuple[bytes, Any]] = asyncio.Queue()
        self.transport: Any = None
        self.lost = asyncio.Event()

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        assert exc is None
        self.lost.set()

    async def close(self) -> None:
        """Close the transport, and wait until it is."""
        self.transport.close()
        await self.lost.wait()

    def datagram_received(self, data: bytes, addr: Any) -> None:
        self.got.put_nowait((data, addr))
        if self.answering and addr:
            self.transport.sendto(data.upper(), addr)


def test_asyncio_endpoints(path: str, run: Run) -> None:
    """create_datagram_endpoint over AF_UNIX: a server's, and a client's that is connected; 200 datagrams."""

    async def talk() -> None:
        loop = asyncio.get_running_loop()
        _, server = await loop.create_datagram_endpoint(
            lambda: Collecting(answering=True), path, family=socket.AF_UNIX
        )
        asked, client = await loop.create_datagram_endpoint(
            Collecting, local_addr=path + "c", remote_addr=path, family=socket.AF_UNIX
        )
        for number in range(200):
            asked.sendto(b"n%d" % number)
        for number in range(200):
            assert await server.got.get() == (b"n%d" % number, path + "c")
            assert (await client.got.get())[0] == b"N%d" % number
        await client.close()
        await server.close()

    run(talk())


@pytest.mark.usefixtures("emulation")
def test_a_stranger_of_an_asyncio_endpoint(path: str, run: Run) -> None:
    """What a stranger sends to the UDP port of an endpoint reaches no protocol, on any loop."""

    async def talk() -> None:
        loop = asyncio.get_running_loop()
        _, server = await loop.create_datagram_endpoint(Collecting, path, family=socket.AF_UNIX)
        record = rendezvous.decode(Path(path).read_bytes())  # noqa: ASYNC240 -- a small local file
        assert record is not None
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
            for _ in range(20):
                stranger.sendto(b"forged", ("127.0.0.1", record.port))
                await asyncio.sleep(0.005)
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.sendto(b"honest", path)
        assert await server.got.get() == (b"honest", None)
        assert server.got.empty()
        await server.close()

    run(talk())


def test_asyncio_waits_for_a_full_receiver(path: str, run: Run) -> None:
    """A loop's sock_sendall to a receiver that does not read waits, and goes on when it does."""

    async def talk() -> None:
        loop = asyncio.get_running_loop()
        one, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        with one, other:
            one.setblocking(False)
            other.setblocking(False)

            async def send() -> None:
                for number in range(100):
                    await loop.sock_sendall(one, b"%d" % number)

            sending = asyncio.create_task(send())
            await asyncio.sleep(0.1)
            assert [await loop.sock_recv(other, 10) for _ in range(100)] == [b"%d" % n for n in range(100)]
            await sending

    run(talk())


@pytest.mark.usefixtures("emulation")
@pytest.mark.parametrize("way", ["endpoint", "connected endpoint", "sock_sendall", "sock_sendto"])
def test_asyncio_rests_while_a_receiver_is_full(way: str, path: str, run: Run) -> None:
    """A loop that waits for room in a receiver's queue does so in pauses, and sends the rest in order after them."""
    loop = run.loop  # type: ignore[attr-defined]
    if not hasattr(loop, way) and way.startswith("sock"):
        pytest.skip(f"{way} is absent in this asyncio")
    turns = 0
    once = loop._run_once

    def counted() -> None:
        nonlocal turns
        turns += 1
        once()

    loop._run_once = counted

    received = asyncio.Event()

    async def send(sender: socket.socket) -> None:
        words = [b"%d" % number for number in range(100)]
        if "endpoint" not in way:
            for word in words:
                where = () if way == "sock_sendall" else (path,)
                await getattr(loop, way)(sender, word, *where)
            return
        connected = way.startswith("connected")
        transport, collecting = await loop.create_datagram_endpoint(
            Collecting, remote_addr=path if connected else None, family=socket.AF_UNIX
        )
        for word in words:
            transport.sendto(word, None if connected else path)
        await received.wait()  # the Proactor's endpoint throws away what waits when it is closed
        await collecting.close()

    async def talk() -> None:
        with (
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver,
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender,
        ):
            receiver.bind(path)
            receiver.setblocking(False)
            sender.setblocking(False)
            sender.connect(path)
            sending = asyncio.create_task(send(sender))
            await asyncio.sleep(0.05)  # by now the queue is full
            before = turns
            await asyncio.sleep(0.5)
            assert turns - before < 60  # 20 with pauses that grow to 30 ms; spinning, thousands
            got: list[bytes] = []
            while len(got) < 100:
                try:
                    got.append(receiver.recv(10))
                except BlockingIOError:
                    await asyncio.sleep(0.002)
            assert got == [b"%d" % number for number in range(100)]
            received.set()
            await sending

    run(talk())


def child_of(sock: Any, path: str) -> None:
    """In another process: receive one datagram and answer it."""
    sock.settimeout(60)
    data, address = sock.recvfrom(10)
    sock.sendto(data.upper(), address)


def test_multiprocessing(path: str) -> None:
    """A bound datagram socket travels to a spawned process, which keeps its name alive and answers from it."""
    import multiprocessing

    context = multiprocessing.get_context("spawn")
    receiver = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    with receiver:
        receiver.bind(path)
        process = context.Process(target=child_of, args=(receiver, path))
        process.start()
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as client:
            client.settimeout(60)
            client.bind(path + "c")
            client.sendto(b"abc", path)
            assert client.recvfrom(10) == (b"ABC", path)
        process.join(60)
    assert process.exitcode == 0
    assert os.path.exists(path)
