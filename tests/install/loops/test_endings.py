"""asyncio over Unix sockets where something ends early: install(), clients, the loop itself."""
# ruff: noqa: ASYNC110 -- a wait for what no event tells

from __future__ import annotations

import asyncio
import gc
import os
import threading
import warnings
from types import SimpleNamespace

import samesock
from install.loops.talking import WAYS, Run, ask, ended, shout


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
