"""Run one program to its end: through pipes or a pseudo-terminal, within limits, and leave nothing behind.

The program runs in a session of its own and is ended by its id. Nothing here knows Wine.
"""

from __future__ import annotations

import enum
import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, NamedTuple, Protocol

TIMED_OUT = 124  # As timeout(1) has it.
FAILED = 125  # The same: not the program failed, but what it runs on.
INTERRUPTED = 130
KEPT = 4096  # How much of the output is looked at together: a message may come in two pieces.


@dataclass(frozen=True)
class Limits:
    """When a program is ended before its own end: seconds in all, seconds without output, words that it prints."""

    timeout: float | None = None
    silence: float | None = None
    fatal: re.Pattern[bytes] | None = None


@dataclass(frozen=True)
class Program:
    """What to run: the command line, where, with what environment, and the descriptors that it inherits."""

    command: list[str]
    directory: Path
    environment: dict[str, str]
    inherited: tuple[int, ...]


class Ending(NamedTuple):
    """How a program came to its end: its exit code as in a shell, and why it was ended if it did not end itself."""

    code: int
    why: str = ""


class Sink(Protocol):
    """Where output goes."""

    def write(self, data: bytes, /) -> object: ...

    def flush(self) -> object: ...


class Descriptor:
    """A descriptor as a sink; a terminal takes less than it is given when it is full."""

    def __init__(self, number: int) -> None:
        self._number = number

    def write(self, data: bytes, /) -> None:
        while data:
            data = data[os.write(self._number, data) :]

    def flush(self) -> None:
        """Nothing is kept back."""


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


class Watched:
    """A program's output on its way, and the words by which it has said that what the program runs on is gone."""

    def __init__(self, target: Sink, fatal: re.Pattern[bytes] | None) -> None:
        self._target = target
        self._fatal = fatal
        self._tail = b""
        self.said: str = ""

    def write(self, data: bytes, /) -> None:
        self._target.write(data)
        if self._fatal is not None and not self.said:
            self._tail = self._tail[-KEPT:] + data
            found = self._fatal.search(self._tail)
            if found:
                self.said = found.group().decode(errors="replace")

    def flush(self) -> None:
        self._target.flush()


def run_piped(program: Program, limits: Limits, out: BinaryIO, err: BinaryIO) -> Ending:
    """Run with stdin from /dev/null, outputs through pipes: Wine treats files and terminals differently."""
    watched = Watched(err, limits.fatal)
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
    pumps: dict[int, tuple[Sink, LineEnds]] = {
        process.stdout.fileno(): (out, LineEnds()),
        process.stderr.fileno(): (watched, LineEnds()),
    }
    with process.stdout, process.stderr:
        return _until_ended(process, limits, lambda seconds: _pump(pumps, seconds), lambda: watched.said)


def _pump(pumps: dict[int, tuple[Sink, LineEnds]], seconds: float) -> Moved:
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


def run_on_terminal(program: Program, limits: Limits, rows: int = 24, columns: int = 80) -> Ending:
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
    watched = Watched(Descriptor(1), limits.fatal)
    try:
        return _until_ended(
            process, limits, lambda seconds: _relay(sources, ours, watched, seconds), lambda: watched.said
        )
    finally:
        os.close(ours)


def _relay(sources: list[int], terminal: int, shown: Sink, seconds: float) -> Moved:
    """Move what has come within the time, both ways: what the terminal shows, and what is typed there."""
    typed = Descriptor(terminal)
    ready = select.select(sources, [], [], seconds)[0]
    for descriptor in ready:
        try:
            data = os.read(descriptor, 65536)
        except OSError:  # EIO: nobody has the terminal open any more.
            data = b""
        if descriptor == terminal:
            if not data:
                return Moved.CLOSED
            shown.write(data)
        elif data:
            typed.write(data)
        else:
            sources.remove(descriptor)
    return Moved.SOME if ready else Moved.NOTHING


def _until_ended(
    process: subprocess.Popen[bytes],
    limits: Limits,
    move: Callable[[float], Moved],
    lost: Callable[[], str],
) -> Ending:
    """Move data until the program ends, a limit is reached, or Ctrl+C comes."""
    begun = heard = time.monotonic()
    try:
        while process.poll() is None:
            now = time.monotonic()
            if limits.timeout is not None and now - begun >= limits.timeout:
                return Ending(TIMED_OUT, f"it took longer than {limits.timeout:g} s")
            if lost():
                return _fallen(lost())
            if limits.silence is not None and now - heard >= limits.silence:
                return Ending(FAILED, f"it printed nothing for {limits.silence:g} s")
            moved = move(0.2)
            if moved is Moved.SOME:
                heard = time.monotonic()
            elif moved is Moved.CLOSED:
                time.sleep(0.02)
        # What came between the last look and the end; a process that outlives the program may hold the pipe.
        while move(0.1) is Moved.SOME:
            pass
        if lost():
            return _fallen(lost())
        code = process.returncode
        return Ending(128 - code if code < 0 else code)
    except KeyboardInterrupt:
        return Ending(INTERRUPTED)
    finally:
        end(process)


def _fallen(words: str) -> Ending:
    """The ending of a program that has said by these words that what it runs on is gone."""
    return Ending(FAILED, f"what it runs on has failed: {words}")


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
