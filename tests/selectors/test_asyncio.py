"""The selector under asyncio: `SelectorEventLoop(samesock.selectors.DefaultSelector())`."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import Iterator
from typing import Any

import pytest
from selectors_shared import POLLERS, SOON, later


@pytest.fixture(params=sorted(POLLERS))
def loop(request: pytest.FixtureRequest) -> Iterator[Any]:
    """A selector loop."""
    made = asyncio.SelectorEventLoop(POLLERS[request.param]())
    with contextlib.closing(made):
        yield made


async def _echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(100):
        writer.write(data)
        await writer.drain()
    writer.close()


def test_many_connections(loop: Any) -> None:
    """One loop serves and uses more than 512 sockets."""

    async def talk(port: int) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        together.append(writer)
        if len(together) == 300:
            all_there.set()
        await all_there.wait()
        writer.write(b"hello")
        data = await reader.readexactly(5)
        writer.close()
        return data

    together: list[Any] = []
    all_there: Any = None

    async def main() -> None:
        nonlocal all_there
        all_there = asyncio.Event()
        server = await asyncio.start_server(_echo, "127.0.0.1", 0, backlog=400)
        port = server.sockets[0].getsockname()[1]
        answers = await asyncio.wait_for(asyncio.gather(*(talk(port) for _ in range(300))), 40)
        assert answers == [b"hello"] * 300
        server.close()
        await asyncio.sleep(0.1)

    loop.run_until_complete(main())


def test_add_reader_on_a_pipe(loop: Any, pipe: Any) -> None:
    """add_reader takes a pipe's number; the callback comes with the data, and not after remove_reader."""
    reader, writer = pipe
    number = reader.fileno()
    got: list[bytes] = []

    async def main() -> None:
        done = asyncio.Event()

        def read() -> None:
            got.append(os.read(number, 100))
            done.set()

        loop.add_reader(number, read)
        with later(lambda: os.write(writer.fileno(), b"one")):
            await asyncio.wait_for(done.wait(), SOON)
        assert loop.remove_reader(number)
        os.write(writer.fileno(), b"two")
        await asyncio.sleep(0.05)
        assert got == [b"one"]

    loop.run_until_complete(main())


def test_add_writer_on_a_pipe(loop: Any, pipe: Any) -> None:
    """add_writer takes a pipe's writing end."""

    async def main() -> None:
        done = asyncio.Event()
        loop.add_writer(pipe[1], done.set)
        await asyncio.wait_for(done.wait(), SOON)
        assert loop.remove_writer(pipe[1])

    loop.run_until_complete(main())


def test_a_refused_connection(loop: Any) -> None:
    """A connect that is refused fails with ConnectionRefusedError."""

    async def main() -> None:
        with socket.socket() as nobody:
            nobody.bind(("127.0.0.1", 0))
            with pytest.raises(ConnectionRefusedError):
                await asyncio.wait_for(asyncio.open_connection(*nobody.getsockname()), SOON)

    loop.run_until_complete(main())


def test_calls_from_other_threads(loop: Any) -> None:
    """call_soon_threadsafe wakes the loop, which needs its own pair of sockets in the selector."""

    async def main() -> None:
        done = asyncio.Event()
        with later(lambda: loop.call_soon_threadsafe(done.set)):
            await asyncio.wait_for(done.wait(), SOON)

    loop.run_until_complete(main())
