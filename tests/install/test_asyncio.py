"""asyncio over Unix sockets, on each loop that the system has, by install() and by samesock.aio alike."""

from __future__ import annotations

import asyncio
import errno
import gc
import os
import socket
import ssl
import stat
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import samesock
from samesock import aio

Run = Callable[..., Any]

# Looked up when called: install() puts them there.
# ruff: noqa: PLW0108, ASYNC230, ASYNC240, ASYNC110 -- small local files; a wait for what no event tells
WAYS = {
    "install": SimpleNamespace(
        open=lambda *a, **k: asyncio.open_unix_connection(*a, **k),
        start=lambda *a, **k: asyncio.start_unix_server(*a, **k),
        connect=lambda *a, **k: asyncio.get_running_loop().create_unix_connection(*a, **k),
        serve=lambda *a, **k: asyncio.get_running_loop().create_unix_server(*a, **k),
        sock_connect=lambda *a: asyncio.get_running_loop().sock_connect(*a),
        sock_accept=lambda *a: asyncio.get_running_loop().sock_accept(*a),
        socket=lambda: socket.socket(socket.AF_UNIX),
    ),
    "aio": SimpleNamespace(
        open=aio.open_unix_connection,
        start=aio.start_unix_server,
        connect=lambda *a, **k: aio.create_unix_connection(asyncio.get_running_loop(), *a, **k),
        serve=lambda *a, **k: aio.create_unix_server(asyncio.get_running_loop(), *a, **k),
        sock_connect=lambda *a: aio.sock_connect(asyncio.get_running_loop(), *a),
        sock_accept=lambda *a: aio.sock_accept(asyncio.get_running_loop(), *a),
        socket=lambda: samesock.socket(samesock.AF_UNIX),
    ),
}


@pytest.fixture(params=list(WAYS))
def unix(request: pytest.FixtureRequest) -> Iterator[SimpleNamespace]:
    """The functions, either the standard library's with install() or samesock.aio's without."""
    if request.param == "install":
        samesock.install()
    yield WAYS[request.param]
    samesock.uninstall()


@pytest.fixture
def path(socket_dir: Path) -> str:
    """Where to listen."""
    return str(socket_dir / "s")


async def shout(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer each line in capitals until the client ends."""
    try:
        while line := await reader.readline():
            writer.write(line.upper())
            await writer.drain()
    except ConnectionError:
        pass
    writer.close()


async def ask(unix: SimpleNamespace, path: str, line: bytes = b"hello\n", **options: Any) -> bytes:
    """One question on a connection of its own."""
    reader, writer = await unix.open(path, **options)
    writer.write(line)
    answer = await reader.readline()
    writer.close()
    await writer.wait_closed()
    return bytes(answer)


async def ended(server: Any) -> None:
    """Close a server and see it to its end."""
    server.close()
    await server.wait_closed()
    await asyncio.sleep(0.01)


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


def test_arguments(run: Run, unix: SimpleNamespace, path: str) -> None:
    """What does not go together is a ValueError or a TypeError, in asyncio's words: programs look for them."""

    async def main() -> None:
        with unix.socket() as sock, socket.socket() as inet:
            for arguments, words in (
                ({}, "path .* specified"),
                ({"path": path, "sock": sock}, "path and sock can not be specified at the same time"),
                ({"sock": inet}, "A UNIX Domain Stream Socket was expected"),
            ):
                with pytest.raises(ValueError, match=words):
                    await unix.connect(asyncio.Protocol, **arguments)
                with pytest.raises(ValueError, match=words):
                    await unix.serve(asyncio.Protocol, **arguments)
            with pytest.raises(ValueError, match="server_hostname is only meaningful with ssl"):
                await unix.connect(asyncio.Protocol, path, server_hostname="x")
            with pytest.raises(ValueError, match="ssl_handshake_timeout is only meaningful with ssl"):
                await unix.serve(asyncio.Protocol, path, ssl_handshake_timeout=1.0)
            with pytest.raises(TypeError):
                await unix.serve(asyncio.Protocol, path, ssl=True)

    run(main())


def test_errors(run: Run, unix: SimpleNamespace, path: str) -> None:
    """Nobody there is FileNotFoundError, nobody listening ConnectionRefusedError, a plain file EADDRINUSE."""

    async def main() -> None:
        with pytest.raises(FileNotFoundError):
            await unix.open(path)
        with unix.socket() as sock:
            sock.bind(path)
        with pytest.raises(ConnectionRefusedError):
            await unix.open(path)
        plain = f"{path}.txt"
        with open(plain, "w") as file:
            file.write("mine")
        with pytest.raises(OSError, match="already in use"):
            await unix.serve(asyncio.Protocol, plain)
        with open(plain) as file:
            assert file.read() == "mine"

    run(main())


def test_stale_and_cleanup(run: Run, unix: SimpleNamespace, path: str) -> None:
    """A stale socket's file is replaced; it goes with the server from 3.13 on, unless another server has it now."""

    async def main() -> None:
        with unix.socket() as sock:
            sock.bind(path)
        server = await unix.serve(asyncio.Protocol, path)
        await ended(server)
        assert os.path.exists(path) == (sys.version_info < (3, 13))
        if sys.version_info >= (3, 13) or "aio" in unix.start.__module__:
            server = await unix.serve(asyncio.Protocol, path, cleanup_socket=False)
            await ended(server)
            assert os.path.exists(path)
            first = await unix.serve(asyncio.Protocol, path, cleanup_socket=True)
            second = await unix.serve(asyncio.Protocol, path, cleanup_socket=True)
            await ended(first)
            assert os.path.exists(path)
            await ended(second)
            assert not os.path.exists(path)

    run(main())


def test_mode(run: Run, path: str) -> None:
    """`mode` is what the file has before anybody can connect; Windows has its directory's access list instead."""

    async def main() -> None:
        server = await aio.start_unix_server(shout, path, mode=0o640)
        if os.sep == "/":
            assert stat.S_IMODE(os.stat(path).st_mode) == 0o640
        assert await ask(WAYS["aio"], path) == b"HELLO\n"
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


@pytest.mark.usefixtures("emulation")
@pytest.mark.parametrize("kind", ["talking", "silent", "short"])
def test_stranger_at_each_path(
    run: Run, unix: SimpleNamespace, path: str, stranger: Callable[..., Any], kind: str
) -> None:
    """A raw TCP client of the port is let in by none of the ways to serve, and stands in nobody's way."""
    data = {"talking": b"x" * 100, "silent": b"", "short": b"\xa5S1\n"}[kind]
    accepted: list[object] = []

    async def on_client(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        accepted.append(writer)
        await shout(reader, writer)

    class Counting(asyncio.StreamReaderProtocol):
        def __init__(self) -> None:
            super().__init__(asyncio.StreamReader(), on_client)

    def bound(name: str) -> Any:
        sock = unix.socket()
        sock.bind(path + name)
        return sock

    async def main() -> None:
        loop = asyncio.get_running_loop()
        servers = [
            await unix.start(on_client, f"{path}1"),
            await unix.start(on_client, sock=bound("2")),
            await unix.serve(Counting, f"{path}3"),
            await unix.serve(Counting, sock=bound("4")),
        ]
        if unix is WAYS["install"]:
            servers.append(await asyncio.start_server(on_client, sock=bound("5")))
            servers.append(await loop.create_server(Counting, sock=bound("6")))
        for server in servers:
            listener = server.sockets[0]
            strange = stranger(listener, data)
            name = listener.getsockname()
            assert await ask(unix, name) == b"HELLO\n"
            if kind == "talking":
                assert await loop.run_in_executor(None, strange.is_refused)
            assert await ask(unix, name) == b"HELLO\n"
        assert len(accepted) == 2 * len(servers)
        for server in servers:
            await ended(server)

    run(main())


@pytest.mark.usefixtures("emulation")
def test_stranger_at_sock_accept(
    run: Run, unix: SimpleNamespace, path: str, stranger: Callable[..., Any]
) -> None:
    """sock_accept gives the proven client and never the stranger who came before."""

    async def main() -> None:
        with unix.socket() as listener, unix.socket() as client:
            listener.bind(path)
            listener.listen()
            listener.setblocking(False)
            client.setblocking(False)
            strangers = [stranger(listener) for _ in range(5)]
            accepting = asyncio.ensure_future(unix.sock_accept(listener))
            await asyncio.sleep(0.1)
            assert not accepting.done()
            await unix.sock_connect(client, path)
            conn, _ = await accepting
            with conn:
                client.send(b"me")
                assert await asyncio.get_running_loop().sock_recv(conn, 10) == b"me"
            assert all(one.is_refused() for one in strangers)

    run(main())


@pytest.mark.usefixtures("emulation")
def test_unprepared_loop_lets_nobody_in(run: Run, path: str, stranger: Callable[..., Any]) -> None:
    """Without install() and aio, a loop that is given our listener serves by our accept, or serves nobody."""
    accepted: list[object] = []

    async def on_client(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        accepted.append(writer)
        writer.close()

    async def main() -> None:
        listener = samesock.socket(samesock.AF_UNIX)
        listener.bind(path)
        listener.listen()
        server = await asyncio.start_server(on_client, sock=listener, start_serving=False)
        strange = stranger(listener)
        await server.start_serving()
        await asyncio.sleep(0.2)
        assert accepted == []
        server.close()
        await asyncio.sleep(0.01)
        assert strange.is_refused()

    def closed(_: object, context: dict[str, Any]) -> None:
        assert isinstance(
            context["exception"], OSError
        )  # by which the Proactor tells why it closed the listener

    run.loop.set_exception_handler(closed)  # type: ignore[attr-defined]
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


def test_uninstall_while_serving(run: Run, path: str) -> None:
    """A server that was started under install() goes on serving after uninstall()."""
    samesock.install()

    async def main() -> None:
        server = await asyncio.start_unix_server(shout, path)
        assert await ask(WAYS["install"], path) == b"HELLO\n"
        samesock.uninstall()
        for _ in range(3):
            assert await ask(WAYS["aio"], path) == b"HELLO\n"
        await ended(server)

    run(main())


def test_path_deleted_under_a_server(run: Run, unix: SimpleNamespace, path: str) -> None:
    """A server whose path is deleted keeps its clients, takes no new ones, and closes cleanly."""

    async def main() -> None:
        server = await unix.start(shout, path)
        reader, writer = await unix.open(path)
        writer.write(b"before\n")
        assert await reader.readline() == b"BEFORE\n"
        os.unlink(path)
        with pytest.raises(FileNotFoundError):
            await unix.open(path)
        writer.write(b"after\n")
        assert await reader.readline() == b"AFTER\n"
        writer.close()
        await writer.wait_closed()
        await ended(server)

    run(main())


def test_many_clients_some_killed(run: Run, unix: SimpleNamespace, path: str) -> None:
    """Of 500 clients 100 are torn away without a word: the others are served, the server sees 500 ends."""
    ends: list[int] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await shout(reader, writer)
        ends.append(1)

    async def main() -> None:
        many = 500
        if many * 2 + 50 > 512 and isinstance(asyncio.get_running_loop(), asyncio.SelectorEventLoop):
            many = (
                500 if os.sep == "/" else 200
            )  # select() takes 512 sockets on Windows, and both ends are here
        server = await unix.start(serve, path, backlog=100)
        clients = [await unix.open(path) for _ in range(many)]
        for index, (_, writer) in enumerate(clients):
            if index % 5 == 0:
                writer.transport.abort()
        living = [client for index, client in enumerate(clients) if index % 5]
        for _, writer in living:
            writer.write(b"alive\n")
        for reader, _ in living:
            assert await reader.readline() == b"ALIVE\n"
        for _, writer in living:
            writer.close()
        for _, writer in living:
            await writer.wait_closed()
        while len(ends) < many:
            await asyncio.sleep(0.01)
        await ended(server)

    run(main())


def test_loop_closed_with_connections(run: Run, unix: SimpleNamespace, path: str) -> None:
    """A loop that is closed with a server and connections open ends at once; no thread, no socket is left over."""
    threads = threading.active_count()
    gc.collect()
    before = len(samesock.unix.ends.all())
    kept: list[object] = []

    async def on_client(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        kept.append((reader, writer))

    async def main() -> None:
        kept.append(await unix.start(on_client, path))
        kept.extend([await unix.open(path) for _ in range(3)])
        await asyncio.sleep(0.05)

    run(main())
    run.loop.close()  # type: ignore[attr-defined]
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore", ResourceWarning
        )  # asyncio says that they were left open, as it should
        kept.clear()
        getattr(run.loop, "_unix_server_sockets", {}).clear()  # type: ignore[attr-defined] -- it lives on here
        gc.collect()
    assert len(samesock.unix.ends.all()) == before
    assert threading.active_count() <= threads + 1


@pytest.mark.usefixtures("installed")
def test_readers_and_writers(run: Run) -> None:
    """add_reader and add_writer call while a socket is ready, TCP's too, and stop when they are removed."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        one, other = socket.socketpair()
        with one, other:
            one.setblocking(False)
            got: list[bytes] = []
            enough = asyncio.Event()

            def read() -> None:
                got.append(one.recv(1))
                if len(got) == 3:
                    loop.remove_reader(one)
                    enough.set()

            loop.add_reader(one, read)
            other.sendall(b"abcdef")
            await enough.wait()
            await asyncio.sleep(0.05)
            assert got == [b"a", b"b", b"c"]
            assert not loop.remove_reader(one)
            writable = loop.create_future()
            loop.add_writer(one.fileno(), lambda: writable.done() or writable.set_result(1))
            assert await writable == 1
            assert loop.remove_writer(one.fileno())
            # A callback that is replaced, and the end of the stream, which is readable, too.
            ended = loop.create_future()
            loop.add_reader(one, got.append, b"never")
            loop.add_reader(one, lambda: one.recv(100) or ended.done() or ended.set_result(1))
            other.shutdown(socket.SHUT_WR)
            assert await ended == 1
            loop.remove_reader(one)
            assert b"never" not in got

    run(main())


@pytest.mark.usefixtures("installed")
def test_a_refused_connect_calls_the_writer(run: Run) -> None:
    """add_writer calls when a TCP connect is over, refused too, and SO_ERROR says that it was."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        address = closed.getsockname()

    async def main() -> int:
        loop = asyncio.get_running_loop()
        with socket.socket() as sock:
            sock.setblocking(False)
            sock.connect_ex(address)
            over = loop.create_future()
            loop.add_writer(sock, lambda: over.done() or over.set_result(None))
            await asyncio.wait_for(over, 20)
            assert loop.remove_writer(sock)
            return sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)

    assert run(main()) == errno.ECONNREFUSED


@pytest.mark.usefixtures("installed")
def test_urgent_data_is_no_reading(run: Run) -> None:
    """add_reader does not call for urgent data, which recv() would not get, and calls for what follows it."""

    async def main() -> list[bytes]:
        loop = asyncio.get_running_loop()
        with socket.create_server(("127.0.0.1", 0)) as listener:
            one = socket.create_connection(listener.getsockname())
            other = listener.accept()[0]
        with one, other:
            one.setblocking(False)
            got: list[bytes] = []
            loop.add_reader(one, lambda: got.append(one.recv(10)))
            other.send(b"!", socket.MSG_OOB)
            await asyncio.sleep(0.2)
            assert got == []
            other.sendall(b"plain")
            while not got:
                await asyncio.sleep(0.01)
            assert loop.remove_reader(one)
            return got

    assert run(main()) == [b"plain"]
