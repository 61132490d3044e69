"""Handles that no Python object owns: events, ports, devices, tokens, processes. What is done often must keep none.

The leak check leaves such handles out, since the system's own libraries open them when they like. So each thing is done
several times, and what counts is whether every time leaves one more.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import samesock
from samesock import aio, fd, fdtable, selectors
from samesock.backend import system
from samesock.fdtable import handles

ROUNDS = 8

pytestmark = pytest.mark.skipif(
    all(key[0] != "handle" for key in list(fdtable.keys())),
    reason="there are no handles here, only descriptors",
)


def _count() -> int:
    """How many are open, of whatever type, once what is in cycles (an event loop's device) has gone."""
    gc.collect()
    return len(handles.own_rows())


def wait_for_sockets(folder: Path) -> None:
    """A selector waits for a socket that is never ready, and for one that is."""
    one, other = samesock.socketpair()
    with one, other, selectors.DefaultSelector() as selector:
        selector.register(one, selectors.EVENT_READ)
        selector.select(0)
        other.send(b"!")
        assert selector.select(20)


def wait_for_a_pipe(folder: Path) -> None:
    """The same with a pipe, both ends."""
    reader, writer = fd.pipe()
    try:
        with selectors.DefaultSelector() as selector:
            selector.register(reader, selectors.EVENT_READ)
            selector.register(writer, selectors.EVENT_WRITE)
            selector.select(0.05)
            fd.write(writer, b"!")
            assert selector.select(20)
    finally:
        fd.close(reader)
        fd.close(writer)


def wait_for_a_process(folder: Path) -> None:
    """A selector waits for a process to end."""
    with subprocess.Popen([sys.executable, "-c", "pass"]) as child, selectors.DefaultSelector() as selector:
        selector.register(child, selectors.EVENT_READ)  # type: ignore[arg-type]
        assert selector.select(60)


def datagrams(folder: Path) -> None:
    """Two Unix datagram sockets, which no completion port may have."""
    path = str(folder / "d")
    with (
        samesock.socket(samesock.AF_UNIX, samesock.SOCK_DGRAM) as one,
        samesock.socket(samesock.AF_UNIX, samesock.SOCK_DGRAM) as other,
    ):
        one.bind(path)
        other.sendto(b"!", path)
        assert one.recv(10) == b"!"
    os.unlink(path)


def streams(folder: Path) -> None:
    """A listener, whose life is an event, and one connection, whose other side is asked for."""
    path = str(folder / "s")
    with (
        samesock.create_server(path, family=samesock.AF_UNIX) as listener,
        samesock.socket(samesock.AF_UNIX, samesock.SOCK_STREAM) as client,
    ):
        client.connect(path)
        accepted, _ = listener.accept()
        with accepted:
            samesock.peercred(accepted)
            system.listener_owner(1)
    os.unlink(path)


def close_with_wake(folder: Path) -> None:
    """A call that blocks in a thread is ended by a close in this one."""
    one, other = samesock.socketpair()

    def block() -> None:
        with contextlib.suppress(OSError):
            one.recv(1)

    thread = threading.Thread(target=block)
    thread.start()
    time.sleep(0.1)
    one.close(wake=True)
    thread.join(20)
    other.close()


def another_process(folder: Path) -> None:
    """The table of another process, whose handles are duplicated to be looked at."""
    words = [sys.executable, "-c", "input()"]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL) as child:
        assert fdtable.snapshot(child.pid)
        child.communicate(b"\n")


def private_directory(folder: Path) -> None:
    """The user's own directory, which is looked at each time."""
    assert os.path.isdir(system.private_directory())


def a_fifo(folder: Path) -> None:
    """A FIFO, opened at both ends, written to and read to its end."""
    path = folder / "f"
    fd.mkfifo(path)
    reader = fd.open_fifo(path, "r", blocking=False)
    writer = fd.open_fifo(path, "w", blocking=False)
    assert fd.write(writer, b"!") == 1
    assert fd.read(reader, 10) == b"!"
    fd.close(writer)
    assert fd.read(reader, 10) == b""
    fd.close(reader)
    os.unlink(path)


def send_a_file(folder: Path) -> None:
    """A file goes into a socket."""
    (folder / "file").write_bytes(b"contents")
    one, other = samesock.socketpair()
    with one, other, (folder / "file").open("rb") as file:
        assert fd.sendfile(one, file, 0, 8) == 8
        assert other.recv(10) == b"contents"


def pass_to_a_child(folder: Path) -> None:
    """A child with a descriptor of ours, and a note of it."""
    reader, writer = fd.pipe()
    try:
        with fd.spawn_passing([sys.executable, "-c", "pass"], [reader]) as child:
            child.wait(60)
    finally:
        fd.close(reader)
        fd.close(writer)


def serve(loop_class: Callable[[], asyncio.AbstractEventLoop]) -> Callable[[Path], None]:
    """asyncio serves one connection at a Unix socket."""

    def once(folder: Path) -> None:
        path = str(folder / "a")

        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(await reader.readline())
            writer.close()
            await writer.wait_closed()

        async def talk() -> None:
            server = await aio.start_unix_server(answer, path)
            async with server:
                reader, writer = await aio.open_unix_connection(path)
                writer.write(b"line\n")
                assert await reader.readline() == b"line\n"
                writer.close()
                await writer.wait_closed()

        loop = loop_class()
        try:
            loop.run_until_complete(asyncio.wait_for(talk(), 40))
        finally:
            loop.close()
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)

    once.__name__ = f"serve with {loop_class.__name__}"
    return once


LOOPS: list[Any] = [
    getattr(asyncio, name) for name in ("SelectorEventLoop", "ProactorEventLoop") if hasattr(asyncio, name)
]
THINGS = [
    wait_for_sockets,
    wait_for_a_pipe,
    wait_for_a_process,
    datagrams,
    streams,
    close_with_wake,
    another_process,
    private_directory,
    a_fifo,
    send_a_file,
    pass_to_a_child,
    *map(serve, LOOPS),
]


@pytest.mark.parametrize("thing", THINGS, ids=lambda thing: thing.__name__.replace("_", " "))
def test_no_handle_is_left(thing: Callable[[Path], None], socket_dir: Path) -> None:
    """Doing it once more leaves no handle more, of whatever kind."""
    thing(socket_dir)
    before = _count()
    for _ in range(ROUNDS):
        thing(socket_dir)
    end = time.monotonic() + 5
    while _count() - before >= ROUNDS and time.monotonic() < end:
        time.sleep(0.1)  # a thread's handle goes when the thread has ended
    assert _count() - before < ROUNDS
