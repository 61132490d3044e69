"""asyncio over Unix sockets, on each loop that the system has, by install() and by samesock.aio alike: what is said."""

from __future__ import annotations

import asyncio
import ssl
from types import SimpleNamespace
from typing import Any

import pytest

import samesock
from install.loops.talking import Run, ask, ended, shout


def test_streams(run: Run, unix: SimpleNamespace, path: str) -> None:
    """A server answers clients one after the other and at once; both ends know the path."""

    async def main() -> None:
        server = await unix.start(shout, path)
        assert [sock.getsockname() for sock in server.sockets] == [path]
        for _ in range(3):
            assert await ask(unix, path) == b"HELLO\n"
        answers = await asyncio.gather(*(ask(unix, path, b"%d\n" % n) for n in range(20)))
        assert answers == [b"%d\n" % n for n in range(20)]
        _, writer = await unix.open(path)
        assert writer.get_extra_info("peername") == path
        assert writer.get_extra_info("sockname") == ""
        assert writer.get_extra_info("socket").family == samesock.AF_UNIX
        writer.close()
        await writer.wait_closed()
        await ended(server)

    run(main())


def test_protocols(run: Run, unix: SimpleNamespace, path: str) -> None:
    """create_unix_server and create_unix_connection make transports for protocols, of a path and of a socket."""

    class Echo(asyncio.Protocol):
        def connection_made(self, transport: Any) -> None:
            self.transport = transport

        def data_received(self, data: bytes) -> None:
            self.transport.write(data)

    class Once(asyncio.Protocol):
        def __init__(self) -> None:
            self.got = asyncio.get_running_loop().create_future()

        def data_received(self, data: bytes) -> None:
            self.got.set_result(data)

    async def main() -> None:
        listener = unix.socket()
        listener.bind(path)
        server = await unix.serve(Echo, sock=listener, start_serving=False)
        assert not server.is_serving()
        await server.start_serving()
        transport, protocol = await unix.connect(Once, path)
        transport.write(b"one")
        assert await protocol.got == b"one"
        transport.close()
        sock = unix.socket()
        sock.setblocking(False)
        await unix.sock_connect(sock, path)
        transport, protocol = await unix.connect(Once, sock=sock)
        transport.write(b"two")
        assert await protocol.got == b"two"
        transport.close()
        await asyncio.sleep(0.01)
        await ended(server)

    run(main())


def test_large_streams(run: Run, unix: SimpleNamespace, path: str) -> None:
    """8 MiB cross in both directions at once, with the receiver's pace respected."""
    size = 8 * 2**20

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
        writer.close()

    async def main() -> None:
        server = await unix.start(serve, path)
        reader, writer = await unix.open(path)

        async def send() -> None:
            for _ in range(size // 65536):
                writer.write(bytes(65536))
                await writer.drain()
            writer.write_eof()

        sending = asyncio.ensure_future(send())
        received = 0
        while data := await reader.read(65536):
            received += len(data)
        await sending
        assert received == size
        writer.close()
        await writer.wait_closed()
        await ended(server)

    run(main())


def test_tls(run: Run, unix: SimpleNamespace, path: str, tls: tuple[ssl.SSLContext, ssl.SSLContext]) -> None:
    """`ssl=` works at both ends, and the client checks the name that it was given."""

    async def main() -> None:
        server = await unix.start(shout, path, ssl=tls[0])
        assert await ask(unix, path, ssl=tls[1], server_hostname="unix.example") == b"HELLO\n"
        with pytest.raises(ValueError, match="server_hostname"):
            await unix.open(path, ssl=tls[1])
        await asyncio.sleep(0.05)
        await ended(server)

    run(main())


def test_sock_methods(run: Run, unix: SimpleNamespace, path: str) -> None:
    """sock_accept, sock_connect, sock_recv and sock_sendall work; a cancelled accept loses no client."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        with unix.socket() as listener, unix.socket() as client:
            listener.bind(path)
            listener.listen()
            listener.setblocking(False)
            client.setblocking(False)
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(unix.sock_accept(listener), 0.1)
            accepting = asyncio.ensure_future(unix.sock_accept(listener))
            await unix.sock_connect(client, path)
            conn, address = await accepting
            with conn:
                assert (type(conn), address) == (type(listener), "")
                assert conn.gettimeout() == 0
                await loop.sock_sendall(client, b"abc")
                assert await loop.sock_recv(conn, 10) == b"abc"

    run(main())


def test_full_queue(run: Run, unix: SimpleNamespace, path: str) -> None:
    """Where the queue is full, connecting waits until there is room; it neither fails nor is half connected."""
    if not samesock._install.needed():
        pytest.skip("asyncio on a native unix-stream raises BlockingIOError or waits, as the system has it")

    async def main() -> None:
        with unix.socket() as listener:
            listener.bind(path)
            listener.listen(1)
            listener.setblocking(False)
            clients = [unix.socket() for _ in range(6)]
            for client in clients:
                client.setblocking(False)
            connecting = [asyncio.ensure_future(unix.sock_connect(client, path)) for client in clients]
            await asyncio.sleep(0.2)
            assert not all(one.done() for one in connecting)
            for _ in clients:
                conn, _ = await unix.sock_accept(listener)
                conn.close()
            await asyncio.gather(*connecting)
            for client in clients:
                client.close()

    run(main())


def test_connected_socket(run: Run, unix: SimpleNamespace, path: str) -> None:
    """create_connection(sock=) takes a Unix socket that is connected, on every loop."""

    async def main() -> None:
        server = await unix.start(shout, path)
        sock = unix.socket()
        sock.setblocking(False)
        await unix.sock_connect(sock, path)
        reader, writer = await asyncio.open_connection(sock=sock)
        writer.write(b"abc\n")
        assert await reader.readline() == b"ABC\n"
        writer.close()
        await writer.wait_closed()
        await ended(server)

    run(main())
