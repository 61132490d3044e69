"""What is no socket: pipes, FIFOs, terminals, files and processes, by the same rules."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from typing import Any

import pytest
from selectors_shared import NOT_YET, READ, SOON, WRITE, becomes, later, told

from samesock import selectors


def test_a_pipe_is_readable(selector: Any, pipe: Any) -> None:
    """A pipe is readable while bytes wait in it, level-triggered, and reading it is up to the program."""
    reader, writer = pipe
    selector.register(reader, READ)
    assert told(selector, NOT_YET) == {}
    with later(lambda: writer.write(b"ab")):
        assert told(selector, SOON) == {reader: READ}
    assert told(selector) == {reader: READ}
    assert os.read(reader.fileno(), 1) == b"a"
    assert told(selector) == {reader: READ}
    assert os.read(reader.fileno(), 9) == b"b"
    assert told(selector, NOT_YET) == {}
    writer.write(b"c")
    assert told(selector, SOON) == {reader: READ}


def test_the_end_of_a_pipe(selector: Any, pipe: Any) -> None:
    """A pipe whose writing end is closed is readable, and reading gives its end."""
    reader, writer = pipe
    selector.register(reader, READ)
    assert told(selector) == {}
    with later(writer.close):
        assert told(selector, SOON) == {reader: READ}
    assert told(selector, SOON) == {reader: READ}
    assert os.read(reader.fileno(), 9) == b""


def test_a_pipe_is_writable(selector: Any, pipe: Any) -> None:
    """A pipe with room is writable, and one whose reader has gone is, too: writing tells."""
    reader, writer = pipe
    selector.register(writer, WRITE)
    assert told(selector, SOON) == {writer: WRITE}
    reader.close()
    assert told(selector, SOON) == {writer: WRITE}
    with pytest.raises(OSError):
        os.write(writer.fileno(), b"!")


def test_both_ends_and_a_socket(selector: Any, pipe: Any, pair: Any) -> None:
    """Sockets and pipes are waited for together, and each wakes the wait."""
    reader, writer = pipe
    selector.register(reader, READ)
    selector.register(pair[0], READ)
    with later(lambda: pair[1].send(b"!")):
        assert told(selector, SOON) == {pair[0]: READ}
    pair[0].recv(1)
    with later(lambda: writer.write(b"!")):
        assert told(selector, SOON) == {reader: READ}
    selector.register(writer, WRITE)
    pair[1].send(b"!")
    assert becomes(selector, {reader: READ, writer: WRITE, pair[0]: READ})


def test_a_pipe_is_let_go_of(selector: Any, pipe: Any) -> None:
    """An unregistered pipe can be read and closed at once, in the same thread or another."""
    reader, writer = pipe
    selector.register(reader, READ)
    assert told(selector, NOT_YET) == {}
    selector.unregister(reader)
    assert told(selector, NOT_YET) == {}
    writer.write(b"!")
    assert os.read(reader.fileno(), 1) == b"!"
    selector.register(reader, READ)
    assert told(selector, NOT_YET) == {}
    selector.close()
    reader.close()


def test_an_idle_pipe_costs_nothing(selector: Any, pipe: Any) -> None:
    """While a wait for a pipe has nothing to tell it uses no CPU worth measuring."""
    selector.register(pipe[0], READ)
    told(selector, 0.2)  # what is made once
    begun = time.process_time()
    assert told(selector, 2.0) == {}
    assert time.process_time() - begun < 0.1


def test_a_regular_file(selector: Any, pair: Any) -> None:
    """A regular file is always ready, at its end, too, and does not hide what else is ready."""
    with tempfile.TemporaryFile() as file:
        selector.register(file, READ | WRITE)
        selector.register(pair[0], READ)
        assert told(selector, SOON) == {file: READ | WRITE}
        pair[1].send(b"!")
        assert becomes(selector, {file: READ | WRITE, pair[0]: READ})
        selector.modify(file, READ)
        assert becomes(selector, {file: READ, pair[0]: READ})
        selector.unregister(file)
        assert told(selector, SOON) == {pair[0]: READ}


def test_the_null_device(selector: Any) -> None:
    """The null device is always ready."""
    with open(os.devnull, "r+b", buffering=0) as null:
        selector.register(null, READ | WRITE)
        assert told(selector, SOON) == {null: READ | WRITE}


def _child(code: str) -> Any:
    return subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE)


def test_the_end_of_a_process(selector: Any) -> None:
    """A process is readable once it has ended, again and again, and it is not reaped: its status is still there."""
    with _child("import sys; sys.stdin.read(); sys.exit(7)") as child:
        key = selector.register(child, READ, "data")
        assert key.fileobj is child
        assert selector.get_key(child) == key
        assert told(selector, NOT_YET) == {}
        child.stdin.close()
        assert told(selector, 30) == {child: READ}
        assert told(selector) == {child: READ}
        assert child.returncode is None
        assert child.wait(SOON) == 7
        assert selector.unregister(child).data == "data"
        assert len(selector.get_map()) == 0


def test_a_process_that_was_waited_for(selector: Any) -> None:
    """A process that has ended and was waited for is ready; EVENT_WRITE means nothing for a process."""
    with _child("") as child:
        assert child.wait(30) == 0
        with pytest.raises(ValueError):
            selector.register(child, WRITE)
        selector.register(child, READ)
        assert told(selector, SOON) == {child: READ}
        with pytest.raises(KeyError):
            selector.register(child, READ)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs os.mkfifo")
def test_a_fifo(selector: Any, socket_dir: Any, stack: Any) -> None:
    """A FIFO is told as a pipe is."""
    path = str(socket_dir / "fifo")
    os.mkfifo(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    stack.callback(os.close, reader)
    writer = os.open(path, os.O_WRONLY)
    selector.register(reader, READ)
    selector.register(writer, WRITE)
    assert told(selector, SOON) == {writer: WRITE}
    os.write(writer, b"!")
    assert becomes(selector, {reader: READ, writer: WRITE})
    selector.unregister(writer)
    os.close(writer)
    os.read(reader, 1)
    assert becomes(selector, {reader: READ})


@pytest.mark.skipif(not hasattr(os, "openpty"), reason="needs os.openpty")
def test_a_terminal(selector: Any, stack: Any) -> None:
    """A terminal is readable when a line was typed, and writable."""
    keyboard, terminal = os.openpty()
    stack.callback(os.close, keyboard)
    stack.callback(os.close, terminal)
    selector.register(terminal, READ)
    assert told(selector, NOT_YET) == {}
    os.write(keyboard, b"!\n")
    assert becomes(selector, {terminal: READ})
    selector.modify(terminal, READ | WRITE)
    assert becomes(selector, {terminal: READ | WRITE})


def test_wait(pipe: Any, pair: Any) -> None:
    """wait() returns what is ready of all that it is given, in that order, and an empty list after its timeout."""
    reader, writer = pipe
    assert selectors.wait([reader, pair[0]], NOT_YET) == []
    with later(lambda: writer.write(b"!")):
        assert selectors.wait([pair[0], reader, reader], SOON) == [reader, reader]
    pair[1].send(b"!")
    assert selectors.wait([reader, pair[0]], SOON)
    assert set(selectors.wait([writer, pair[0]], SOON, selectors.EVENT_WRITE)) == {writer, pair[0]}
    assert selectors.wait([], 0) == []
