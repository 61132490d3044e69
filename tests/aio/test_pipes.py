"""samesock.aio over pipes, files and standard input, on each loop that asyncio has here."""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import pytest

from samesock import aio, fd

try:
    import termios
except ImportError:
    pass  # and no pseudo-terminals either

LOOPS = [name for name in ("SelectorEventLoop", "ProactorEventLoop") if hasattr(asyncio, name)]
Run = Callable[[Coroutine[Any, Any, Any]], Any]


class Queued(asyncio.Protocol):
    """Puts what it receives into a queue."""

    def __init__(self) -> None:
        self.got: asyncio.Queue[bytes] = asyncio.Queue()

    def data_received(self, data: bytes) -> None:
        self.got.put_nowait(data)


@pytest.fixture(params=LOOPS)
def run(request: pytest.FixtureRequest) -> Iterator[Run]:
    """Run a coroutine on one kind of loop; at the end no thread of ours is left."""
    loop = getattr(asyncio, request.param)()
    try:
        yield lambda coroutine: loop.run_until_complete(asyncio.wait_for(coroutine, 40))
    finally:
        loop.close()
    left = [thread for thread in threading.enumerate() if thread.name == "samesock.aio"]
    for thread in left:
        thread.join(20)
        assert not thread.is_alive()


def test_lines_through_a_pipe(run: Run) -> None:
    """What is written to one end of a plain pipe is read at the other, and its close is the end."""

    async def talk() -> None:
        reading, writing = fd.pipe()
        reader = await aio.open_read_pipe(reading)
        writer = await aio.open_write_pipe(writing)
        writer.write(b"one\ntwo\n")
        assert await reader.readline() == b"one\n"
        assert await reader.readline() == b"two\n"
        writer.write(b"rest")
        writer.close()
        await writer.wait_closed()
        assert await reader.read() == b"rest"
        assert not fd.is_open(writing)

    run(talk())


def test_more_than_the_pipe_holds(run: Run) -> None:
    """A writer that is faster than the reader waits in drain(), and every byte arrives in order."""
    data = bytes(range(256)) * 8192

    async def talk() -> None:
        reading, writing = fd.pipe()
        reader = await aio.open_read_pipe(reading)
        writer = await aio.open_write_pipe(writing)

        async def pour() -> None:
            for start in range(0, len(data), 65536):
                writer.write(data[start : start + 65536])
                await writer.drain()
            writer.close()

        pouring = asyncio.ensure_future(pour())
        await asyncio.sleep(0.3)
        assert not pouring.done()  # the stream's own limit, and the pipe's, are less than two megabytes
        assert await reader.read() == data
        await pouring
        await writer.wait_closed()

    run(talk())


def test_the_loop_goes_on_meanwhile(run: Run) -> None:
    """While a reader waits for a silent pipe, and a writer for a full one, other things happen."""

    async def talk() -> None:
        reading, writing = fd.pipe()
        silent, quiet = fd.pipe()
        full = await aio.open_write_pipe(writing)
        full.write(bytes(1 << 20))
        reader = await aio.open_read_pipe(silent)
        waiting = asyncio.ensure_future(reader.read(1))
        for _ in range(20):
            await asyncio.sleep(0.001)
        assert not waiting.done()
        fd.write(quiet, b"x")
        assert await waiting == b"x"
        fd.close(quiet)
        assert await reader.read() == b""
        fd.close(reading)  # whoever writes learns of it
        with pytest.raises((BrokenPipeError, ConnectionResetError)):
            await full.drain()
            await full.wait_closed()
            raise BrokenPipeError  # wait_closed() of some versions keeps the error to itself

    run(talk())


def test_a_file_is_read_to_its_end(run: Run, tmp_path: Path) -> None:
    """A regular file is read like a pipe, which asyncio's own transports refuse."""
    (tmp_path / "file").write_bytes(b"x" * 200_000)
    file = (tmp_path / "file").open("rb")  # the transport closes it

    async def talk() -> None:
        reader = await aio.open_read_pipe(file)
        assert len(await reader.read()) == 200_000

    run(talk())


@pytest.mark.skipif(not hasattr(os, "openpty"), reason="pseudo-terminals (os.openpty) are absent")
def test_a_terminal_gives_lines(run: Run) -> None:
    """A terminal is read line by line; what was typed of an unfinished line does not stop the loop."""

    async def talk() -> None:
        master, slave = os.openpty()
        try:
            reader = await aio.open_read_pipe(slave)
            os.write(master, b"one\ntw")
            assert await reader.readline() == b"one\n"
            waiting = asyncio.ensure_future(reader.readline())
            await asyncio.sleep(0.05)
            assert not waiting.done()
            os.write(master, b"o\n\x04")
            assert await waiting == b"two\n"
            assert await reader.read() == b""
        finally:
            os.close(master)

    run(talk())


@pytest.mark.skipif(sys.platform != "win32", reason="select-console: there are no consoles here")
@pytest.mark.console
def test_a_console_gives_lines(run: Run) -> None:
    """A console is read line by line; what was typed of an unfinished line does not stop the loop."""
    from consoles import console_input, type_text

    async def talk() -> None:
        with console_input() as console:
            loop = asyncio.get_running_loop()
            transport, protocol = await aio.connect_read_pipe(loop, Queued, os.dup(console.fileno()))
            type_text(console, "one\rtw")
            assert await protocol.got.get() == b"one\r\n"
            await asyncio.sleep(0.1)
            assert protocol.got.empty()
            type_text(console, "o\r")
            assert await protocol.got.get() == b"two\r\n"
            transport.close()

    run(talk())


@pytest.mark.skipif(not hasattr(os, "openpty"), reason="pseudo-terminals (os.openpty) are absent")
def test_a_line_that_is_under_way_waits_out_a_pause(run: Run) -> None:
    """A line that is finished while the transport is paused is received after resume_reading, once and first."""

    async def talk() -> None:
        master, slave = os.openpty()
        settings = termios.tcgetattr(slave)
        settings[3] &= ~termios.ECHO
        termios.tcsetattr(slave, termios.TCSANOW, settings)
        try:
            loop = asyncio.get_running_loop()
            transport, protocol = await aio.connect_read_pipe(loop, Queued, slave)
            os.write(master, b"one\n")
            assert await protocol.got.get() == b"one\n"
            transport._readable()  # as if told of a line of which a part is typed: a thread reads, and blocks
            transport.pause_reading()
            os.write(master, b"two\n")
            await asyncio.sleep(0.1)
            assert protocol.got.empty()
            transport.resume_reading()
            assert await protocol.got.get() == b"two\n"
            os.write(master, b"three\n")
            assert await protocol.got.get() == b"three\n"
            transport.close()
        finally:
            os.close(master)

    run(talk())


def test_pausing_stops_the_data(run: Run) -> None:
    """Between pause_reading and resume_reading nothing is received, and nothing is lost."""

    class Protocol(asyncio.Protocol):
        def __init__(self) -> None:
            self.got = b""
            self.lost = asyncio.get_running_loop().create_future()

        def data_received(self, data: bytes) -> None:
            self.got += data

        def connection_lost(self, exc: Exception | None) -> None:
            self.lost.set_result(exc)

    async def talk() -> None:
        reading, writing = fd.pipe()
        transport, protocol = await aio.connect_read_pipe(asyncio.get_running_loop(), Protocol, reading)
        transport.pause_reading()
        assert not transport.is_reading()
        fd.write(writing, b"early")
        await asyncio.sleep(0.1)
        assert protocol.got == b""
        transport.resume_reading()
        fd.close(writing)
        assert await protocol.lost is None
        assert protocol.got == b"early"
        assert transport.is_closing()

    run(talk())


def test_closing_with_a_read_under_way(run: Run) -> None:
    """close() of a transport that waits for a silent pipe closes the pipe at once."""

    async def talk() -> None:
        reading, writing = fd.pipe()
        reader = asyncio.StreamReader()
        transport, _ = await aio.connect_read_pipe(
            asyncio.get_running_loop(), lambda: asyncio.StreamReaderProtocol(reader), reading
        )
        await asyncio.sleep(0.05)
        transport.close()
        assert await reader.read() == b""
        await asyncio.sleep(0)
        assert not fd.is_open(reading)
        fd.close(writing)

    run(talk())


def test_aborting_a_write(run: Run) -> None:
    """abort() drops what waits; the pipe is closed once the write that is under way has returned."""

    async def talk() -> None:
        reading, writing = fd.pipe()
        writer = await aio.open_write_pipe(writing)
        writer.write(bytes(1 << 20))
        writer.transport.abort()
        reader = await aio.open_read_pipe(reading)
        assert len(await reader.read()) <= 1 << 20
        assert not fd.is_open(writing)

    run(talk())


def test_the_end_of_what_is_written(run: Run) -> None:
    """write_eof() closes a pipe once all is written, and what is written after it is lost."""

    async def talk() -> None:
        reading, writing = fd.pipe()
        reader = await aio.open_read_pipe(reading)
        writer = await aio.open_write_pipe(writing)
        assert writer.can_write_eof()
        writer.write(b"all of it")
        writer.write_eof()
        writer.write(b"too late")
        assert await reader.read() == b"all of it"
        await writer.wait_closed()
        assert not fd.is_open(writing)

    run(talk())


def test_how_much_may_wait(run: Run) -> None:
    """The limits are those that were set, the low one a quarter of the high one; the size is what waits."""

    async def talk() -> None:
        reading, writing = fd.pipe()
        writer = await aio.open_write_pipe(writing)
        transport: Any = writer.transport
        transport.set_write_buffer_limits(high=4000)
        assert transport.get_write_buffer_limits() == (1000, 4000)
        transport.set_write_buffer_limits(low=50)
        assert transport.get_write_buffer_limits() == (50, 200)
        with pytest.raises(ValueError, match="must be >="):
            transport.set_write_buffer_limits(high=1, low=2)
        writer.write(bytes(1 << 20))
        assert 0 < transport.get_write_buffer_size() <= 1 << 20
        transport.abort()
        assert transport.get_write_buffer_size() == 0
        fd.close(reading)
        with contextlib.suppress(
            BrokenPipeError
        ):  # the write that was under way may have been cut short by it
            await writer.wait_closed()
        assert not fd.is_open(writing)

    run(talk())


def test_another_protocol(run: Run) -> None:
    """set_protocol() has another one told from then on; pausing, resuming and closing twice change nothing."""

    class Protocol(asyncio.Protocol):
        def __init__(self) -> None:
            self.told: list[bytes | str] = []
            self.has_come = asyncio.Event()

        def data_received(self, data: bytes) -> None:
            self.told.append(data)
            self.has_come.set()

        def connection_lost(self, exc: Exception | None) -> None:
            self.told.append("lost")

    async def talk() -> None:
        reading, writing = fd.pipe()
        transport, first = await aio.connect_read_pipe(asyncio.get_running_loop(), Protocol, reading)
        second = Protocol()
        transport.resume_reading()
        transport.pause_reading()
        transport.pause_reading()
        transport.set_protocol(second)
        assert transport.get_protocol() is second
        fd.write(writing, b"x")
        transport.resume_reading()
        await second.has_come.wait()
        transport.close()
        transport.close()
        transport.pause_reading()
        transport.resume_reading()
        await asyncio.sleep(0.05)
        assert (first.told, second.told) == ([], [b"x", "lost"])
        fd.close(writing)

    run(talk())


def test_a_reader_that_leaves(run: Run) -> None:
    """Writing to a pipe that nobody reads from any more ends the transport with EPIPE's error, and closes the pipe."""

    async def talk() -> None:
        reading, writing = fd.pipe()
        writer = await aio.open_write_pipe(writing)
        fd.close(reading)
        writer.write(b"x")
        with pytest.raises(BrokenPipeError):
            await writer.wait_closed()
        assert not fd.is_open(writing)
        writer.close()

    run(talk())


def test_a_read_that_fails(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """An interrupted read is made again; an error ends the transport, which tells its protocol and closes the pipe."""
    from samesock import _aio_pipes

    answers = iter([InterruptedError(), OSError(5, "the disk is gone")])

    def read(*_: Any) -> bytes:
        raise next(answers)

    class System:
        """samesock.fd with a read that fails."""

        def __getattr__(self, name: str) -> Any:
            return read if name == "read" else getattr(fd, name)

    async def talk() -> None:
        reading, writing = fd.pipe()
        reader = await aio.open_read_pipe(reading)
        fd.write(writing, b"x")
        with pytest.raises(OSError, match="the disk is gone"):
            await reader.read()
        assert not fd.is_open(reading)
        fd.close(writing)

    monkeypatch.setattr(_aio_pipes, "fd", System())
    run(talk())


def test_a_number_that_is_not_open(run: Run) -> None:
    """EBADF, and nothing is left over."""
    reading, writing = fd.pipe()
    fd.close(reading)
    with pytest.raises(OSError, match=r"not open|Bad file"):
        run(aio.open_read_pipe(reading))
    fd.close(writing)


CHILD = """
import asyncio, sys
from samesock import aio
async def main():
    reader = await aio.open_read_pipe(sys.stdin)
    writer = await aio.open_write_pipe(sys.stdout)
    while line := await reader.readline():
        writer.write(line.upper())
        await writer.drain()
    writer.close()
    await writer.wait_closed()
loop = asyncio.{loop}()
loop.run_until_complete(main())
loop.close()
"""


@pytest.mark.parametrize("loop", LOOPS)
def test_standard_input_and_output(loop: str) -> None:
    """A filter over standard input and output, through pipes, as any program may be started."""
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD.format(loop=loop)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    said, _ = child.communicate(b"one\ntwo\n", timeout=40)
    assert said.replace(b"\r\n", b"\n") == b"ONE\nTWO\n"
    assert child.returncode == 0
