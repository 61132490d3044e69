"""Strangers at the TCP port under asyncio's Unix servers: let in by none of the ways to serve."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

import samesock
from install.loops.talking import WAYS, Run, ask, ended, shout


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
