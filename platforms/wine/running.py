"""Run one program to its end: through pipes or a pseudo-terminal, with a time limit, and leave nothing
behind.

The program runs in a session of its own and is ended by its id. Nothing here knows Wine.
"""

from __future__ import annotations

import enum
import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

TIMED_OUT = 124  # As timeout(1) has it.
INTERRUPTED = 130


@dataclass(frozen=True)
class Program:
    """What to run: the command line, where, with what environment, and the descriptors that it inherits."""

    command: list[str]
    directory: Path
    environment: dict[str, str]
    inherited: tuple[int, ...]


class Moved(enum.Enum):
    """What one look at the descriptors gave."""

    SOME = enum.auto()
    NOTHING = enum.auto()
    CLOSED = enum.auto()


class LineEnds:
    """Turns Windows' line ends into Unix', however the bytes are cut into pieces."""

    def __init__(self) -> None:
        self._held = b""

    def __call__(self, data: bytes) -> bytes:
        """The next piece; empty means the end. A last CR is held back until it is known what follows."""
        ended = not data
        data = self._held + data
        self._held = b"\r" if data.endswith(b"\r") and not ended else b""
        return data[: len(data) - len(self._held)].replace(b"\r\n", b"\n")


def run_piped(program: Program, timeout: float | None, out: BinaryIO, err: BinaryIO) -> int:
    """Run with stdin from /dev/null, outputs through pipes: Wine treats files and terminals differently."""
    process = subprocess.Popen(
        program.command,
        cwd=program.directory,
        env=program.environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
        pass_fds=program.inherited,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    pumps = {process.stdout.fileno(): (out, LineEnds()), process.stderr.fileno(): (err, LineEnds())}
    with process.stdout, process.stderr:
        return _until_ended(process, timeout, lambda seconds: _pump(pumps, seconds))


def _pump(pumps: dict[int, tuple[BinaryIO, LineEnds]], seconds: float) -> Moved:
    """Move what has come within the time."""
    if not pumps:
        return Moved.CLOSED
    ready = select.select(list(pumps), [], [], seconds)[0]
    for descriptor in ready:
        data = os.read(descriptor, 65536)
        target, line_ends = pumps[descriptor]
        target.write(line_ends(data))
        target.flush()
        if not data:
            del pumps[descriptor]
    return Moved.SOME if ready else Moved.NOTHING


def run_on_terminal(program: Program, timeout: float | None, rows: int = 24, columns: int = 80) -> int:
    """Run with a new pseudo-terminal as its terminal; what we get on stdin is typed there."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    # `setsid --ctty` makes the terminal the controlling one; --wait so that the exit code comes through.
    process = subprocess.Popen(
        ["setsid", "--ctty", "--wait", *program.command],
        cwd=program.directory,
        env=program.environment,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        pass_fds=program.inherited,
    )
    os.close(theirs)
    sources = [ours, 0]
    try:
        return _until_ended(process, timeout, lambda seconds: _relay(sources, ours, seconds))
    finally:
        os.close(ours)


def _relay(sources: list[int], terminal: int, seconds: float) -> Moved:
    """Move what has come within the time, both ways."""
    ready = select.select(sources, [], [], seconds)[0]
    for descriptor in ready:
        try:
            data = os.read(descriptor, 65536)
        except OSError:  # EIO: nobody has the terminal open any more.
            data = b""
        if descriptor == terminal:
            if not data:
                return Moved.CLOSED
            _write_all(1, data)
        elif data:
            _write_all(terminal, data)
        else:
            sources.remove(descriptor)
    return Moved.SOME if ready else Moved.NOTHING


def _write_all(descriptor: int, data: bytes) -> None:
    """A terminal takes less than it is given when it is full."""
    while data:
        data = data[os.write(descriptor, data) :]


def _until_ended(
    process: subprocess.Popen[bytes], timeout: float | None, move: Callable[[float], Moved]
) -> int:
    """Move data until the program ends, its time is up, or Ctrl+C comes; its exit code, as in a shell."""
    deadline = time.monotonic() + timeout if timeout is not None else None
    try:
        while process.poll() is None:
            if deadline is not None and time.monotonic() >= deadline:
                return TIMED_OUT
            if move(0.2) is Moved.CLOSED:
                time.sleep(0.02)
        # What came between the last look and the end; a process that outlives the program may hold the pipe.
        while move(0.1) is Moved.SOME:
            pass
        code = process.returncode
        return 128 - code if code < 0 else code
    except KeyboardInterrupt:
        return INTERRUPTED
    finally:
        end(process)


def end(process: subprocess.Popen[bytes]) -> None:
    """End the program's session, politely and then not."""
    for number, patience in ((signal.SIGTERM, 3.0), (signal.SIGKILL, None)):
        if process.poll() is not None:
            return
        try:
            os.killpg(process.pid, number)
        except ProcessLookupError:  # `setsid` has not made its group yet.
            process.send_signal(number)
        try:
            process.wait(patience)
        except subprocess.TimeoutExpired:
            continue
