"""Every kind of descriptor that a platform can make, each with what is to be read from it and who is at its other end.

A maker gives a `Made`, and closes everything through its `ExitStack`. What must never be put here: a check.
"""

from __future__ import annotations

import contextlib
import os
import socket as stdlib
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import samesock
from samesock import fd

DATA = b"what is in it"


class Made(NamedTuple):
    """A descriptor of one kind."""

    thing: Any
    kind: str
    reads: bool
    """Whether `DATA` waits in it to be read."""
    other: Any = None
    """The end that reads what is written to it; `None` if it cannot be written to."""


class Absent(Exception):
    """The platform has no such thing; the message says which feature that is."""


closed: list[Any] = []
"""What this test has closed. A number is not closed twice: by then it may be another's (under Wine a second close
of a handle ended the interpreter: it was a lock's by then)."""


def close(thing: Any) -> None:
    """fd.close(), remembered."""
    fd.close(thing)
    closed.append(thing)


def _close_at_last(thing: Any) -> None:
    if any(thing is one for one in closed):
        return
    close(thing)


def number(stack: contextlib.ExitStack, made: int, space: str = "fd") -> fd.Descriptor:
    """A descriptor that the test may close itself."""
    one = made if isinstance(made, fd.Descriptor) else fd.Descriptor(made, space)  # type: ignore[arg-type]
    stack.callback(_close_at_last, one)
    return one


def file(stack: contextlib.ExitStack, folder: Path) -> Made:
    """A file on disk, for reading and writing, at its start."""
    path = folder / "file"
    path.write_bytes(DATA)
    return Made(number(stack, os.open(path, os.O_RDWR)), "file", reads=True)


def file_object(stack: contextlib.ExitStack, folder: Path) -> Made:
    """The standard library's object for one."""
    path = folder / "object"
    path.write_bytes(DATA)
    opened = open(path, "r+b", buffering=0)  # noqa: SIM115
    stack.callback(opened.close)
    return Made(opened, "file", reads=True)


def directory(stack: contextlib.ExitStack, folder: Path) -> Made:
    """A directory: os.open makes one, and on Windows CreateFileW alone does."""
    if sys.platform != "win32":
        return Made(number(stack, os.open(folder, os.O_RDONLY)), "dir", reads=False)
    from samesock.ffi.kernel32 import FILE_FLAG_BACKUP_SEMANTICS, GENERIC_READ, OPEN_EXISTING, kernel32

    handle = kernel32.CreateFileW(
        str(folder), GENERIC_READ, 7, None, OPEN_EXISTING, FILE_FLAG_BACKUP_SEMANTICS, 0
    )
    return Made(number(stack, handle, "handle"), "dir", reads=False)


def pipe_reader(stack: contextlib.ExitStack, folder: Path) -> Made:
    """A pipe's read end."""
    reader, writer = (number(stack, end) for end in fd.pipe())
    fd.write(writer, DATA)
    return Made(reader, "pipe", reads=True)


def pipe_writer(stack: contextlib.ExitStack, folder: Path) -> Made:
    """A pipe's write end."""
    reader, writer = (number(stack, end) for end in fd.pipe())
    return Made(writer, "pipe", reads=False, other=reader)


def fifo(stack: contextlib.ExitStack, path: Path) -> tuple[fd.Descriptor, fd.Descriptor]:
    """Both ends of a new FIFO, the writer opened from a thread while the reader waits."""
    fd.mkfifo(path)
    writers: list[fd.Descriptor] = []
    thread = threading.Thread(target=lambda: writers.append(fd.open_fifo(path, "w")))
    thread.start()
    reader = number(stack, fd.open_fifo(path, "r"))
    thread.join(20)
    return reader, number(stack, writers[0])


def fifo_reader(stack: contextlib.ExitStack, folder: Path) -> Made:
    """A FIFO's read end."""
    reader, writer = fifo(stack, folder / "fifo-r")
    fd.write(writer, DATA)
    return Made(reader, "fifo", reads=True)


def fifo_writer(stack: contextlib.ExitStack, folder: Path) -> Made:
    """A FIFO's write end."""
    reader, writer = fifo(stack, folder / "fifo-w")
    return Made(writer, "fifo", reads=False, other=reader)


def _connected(stack: contextlib.ExitStack, one: Any, other: Any) -> Made:
    stack.callback(one.close)
    stack.callback(other.close)
    other.send(DATA)
    return Made(one, "socket", reads=True, other=other)


def tcp(stack: contextlib.ExitStack, folder: Path) -> Made:
    """A connected TCP socket."""
    with samesock.create_server(("127.0.0.1", 0)) as listener:
        client = samesock.create_connection(listener.getsockname())
        return _connected(stack, client, listener.accept()[0])


def tcp_number(stack: contextlib.ExitStack, folder: Path) -> Made:
    """The bare number of one."""
    made = tcp(stack, folder)
    detached = int(made.thing.detach())
    stack.callback(_close_at_last, detached)
    return made._replace(thing=detached)


def udp(stack: contextlib.ExitStack, folder: Path) -> Made:
    """A connected UDP socket."""
    ends = [samesock.socket(stdlib.AF_INET, stdlib.SOCK_DGRAM) for _ in "ab"]
    for end in ends:
        end.bind(("127.0.0.1", 0))
    ends[0].connect(ends[1].getsockname())
    ends[1].connect(ends[0].getsockname())
    return _connected(stack, *ends)


def unix(stack: contextlib.ExitStack, folder: Path) -> Made:
    """A connected Unix socket."""
    return _connected(stack, *samesock.socketpair())


def terminal(stack: contextlib.ExitStack, folder: Path) -> Made:
    """A terminal: a pty's lower end, or the console."""
    if sys.platform == "win32":
        try:
            return Made(number(stack, os.open("CONOUT$", os.O_RDWR)), "tty", reads=False)
        except OSError:
            raise Absent("terminal") from None
    import pty
    import tty

    upper, lower = (number(stack, end) for end in pty.openpty())
    tty.setraw(lower)
    os.write(upper, DATA)
    return Made(lower, "tty", reads=True, other=upper)


def null(stack: contextlib.ExitStack, folder: Path) -> Made:
    """A character device: the one that is empty."""
    return Made(number(stack, os.open(os.devnull, os.O_RDWR)), "char", reads=False)


MAKERS: dict[str, Callable[[contextlib.ExitStack, Path], Made]] = {
    maker.__name__.replace("_", "-"): maker
    for maker in (
        *(file, file_object, directory, pipe_reader, pipe_writer, fifo_reader, fifo_writer),
        *(tcp, tcp_number, udp, unix, terminal, null),
    )
}
