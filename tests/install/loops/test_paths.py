"""asyncio's Unix servers at their paths: arguments, errors, what is left or deleted there, and the file's mode."""
# ruff: noqa: ASYNC230, ASYNC240 -- small local files

from __future__ import annotations

import asyncio
import os
import socket
import stat
import sys
from types import SimpleNamespace

import pytest

from install.loops.talking import WAYS, Run, ask, ended, shout
from samesock import aio


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
