"""add_reader and add_writer for samesock's sockets, on each loop that the system has."""
# ruff: noqa: ASYNC110 -- a wait for what no event tells

from __future__ import annotations

import asyncio
import errno
import socket

import pytest

from install.loops.talking import Run


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
