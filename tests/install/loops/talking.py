"""The two ways to have Unix sockets in asyncio, and a server and a client that talk over either.

What must never be put here: expectations.
"""
# ruff: noqa: PLW0108 -- looked up when called: install() puts them there

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import samesock
from samesock import aio

Run = Callable[..., Any]


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
