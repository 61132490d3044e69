"""Windows' own things, given as handles: named pipes, events, and console input; all of them at once."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from multiprocessing import Pipe
from typing import Any

import pytest
from selectors_shared import NOT_YET, READ, SOON, WRITE, later, told

from consoles import console_input, type_keys
from samesock import selectors
from samesock.fd import Descriptor
from samesock.ffi import kernel32_waits as waits
from samesock.ffi.kernel32_waits import kernel32_waits

msvcrt: Any = pytest.importorskip("msvcrt", reason="select-console: there are no handles here")


def _handle(number: int) -> Descriptor:
    return Descriptor(number, "handle")


@pytest.fixture
def named_pipe(stack: Any) -> tuple[Any, Any]:
    """Both ends of a named pipe for reading and writing, made for overlapped operations."""
    one, other = Pipe()
    return stack.enter_context(one), stack.enter_context(other)


@pytest.fixture
def console() -> Any:
    """Console input, emptied."""
    with console_input() as opened:
        yield opened


def test_a_named_pipe(selector: Any, named_pipe: Any) -> None:
    """A named pipe is told as others are, and can be written to while it is waited for to be read."""
    one, other = named_pipe
    handle = _handle(one.fileno())
    selector.register(handle, READ)
    assert told(selector, NOT_YET) == {}
    one.send_bytes(b"there")
    assert other.recv_bytes() == b"there"
    with later(lambda: other.send_bytes(b"and back")):
        assert told(selector, SOON) == {handle: READ}
    assert one.recv_bytes() == b"and back"
    assert told(selector) == {}
    selector.modify(handle, READ | WRITE)
    assert told(selector, SOON) == {handle: WRITE}
    other.close()
    assert told(selector, SOON) == {handle: READ | WRITE}


def test_a_multiprocessing_connection(selector: Any, named_pipe: Any) -> None:
    """A connection of multiprocessing is taken as it is."""
    one, other = named_pipe
    selector.register(one, READ)
    assert told(selector, NOT_YET) == {}
    with later(lambda: other.send_bytes(b"!")):
        assert told(selector, SOON) == {one: READ}
    selector.unregister(one)


def test_an_event(selector: Any, stack: Any) -> None:
    """What NT's kernel can signal is readable while it is signalled."""
    event = kernel32_waits.CreateEventW(None, 1, 0, None)
    stack.callback(kernel32_waits.CloseHandle, event)
    selector.register(_handle(event), READ)
    assert told(selector, NOT_YET) == {}
    with later(lambda: kernel32_waits.SetEvent(event)):
        assert told(selector, SOON) == {event: READ}
    assert told(selector) == {event: READ}
    kernel32_waits.ResetEvent(event)
    assert told(selector) == {}
    selector.unregister(_handle(event))
    with pytest.raises(OSError) as caught:
        selector.register(_handle(0x7FFF0), READ)
    assert caught.value.errno == 9  # EBADF


@pytest.mark.console
def test_console_input(selector: Any, console: Any) -> None:
    """Console input is readable when a key was pressed, and not when one was let go of, or is Shift alone."""
    selector.register(console, READ)
    assert told(selector, NOT_YET) == {}
    type_keys(console, ("a", 0x41, False), ("\0", waits.VK_SHIFT, True))
    assert told(selector, 0.5) == {}
    with later(lambda: type_keys(console, ("\0", waits.VK_SHIFT, True), ("a", 0x41, True))):
        assert told(selector, SOON) == {console: READ}
    assert told(selector) == {console: READ}


@pytest.mark.console
def test_an_idle_console_costs_nothing(selector: Any, console: Any) -> None:
    """Waiting for a key uses no CPU worth measuring."""
    selector.register(console, READ)
    told(selector, 0.2)
    begun = time.process_time()
    assert told(selector, 1.5) == {}
    assert time.process_time() - begun < 0.1


@pytest.mark.console
def test_everything_at_once(selector: Any, console: Any, pair: Any, pipe: Any, named_pipe: Any) -> None:
    """A socket, a pipe, a named pipe and the console are waited for at once, and each wakes the wait."""
    named = _handle(named_pipe[0].fileno())
    for thing in (console, pair[0], pipe[0], named):
        selector.register(thing, READ)
    assert told(selector, NOT_YET) == {}
    with later(lambda: pair[1].send(b"!")):
        assert told(selector, SOON) == {pair[0]: READ}
    pair[0].recv(1)
    with later(lambda: pipe[1].write(b"!")):
        assert told(selector, SOON) == {pipe[0]: READ}
    os.read(pipe[0].fileno(), 1)
    with later(lambda: named_pipe[1].send_bytes(b"!")):
        assert told(selector, SOON) == {named: READ}
    named_pipe[0].recv_bytes()
    with later(lambda: type_keys(console, ("a", 0x41, True))):
        assert told(selector, SOON) == {console: READ}


@pytest.mark.console
def test_asyncio_reads_the_console(console: Any) -> None:
    """asyncio's add_reader takes console input."""
    loop = asyncio.SelectorEventLoop(selectors.DefaultSelector())

    async def main() -> None:
        done = asyncio.Event()
        loop.add_reader(console, done.set)
        with later(lambda: type_keys(console, ("a", 0x41, True))):
            await asyncio.wait_for(done.wait(), SOON)
        assert loop.remove_reader(console)

    with contextlib.closing(loop):
        loop.run_until_complete(main())
