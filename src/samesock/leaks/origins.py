"""Where descriptors were opened: the records, how they are kept, and how one is found again for a
descriptor.

A record is made while a program opens something, so it must cost next to nothing: code objects and
instruction offsets are kept, and turned into lines only when a finding is printed. What must never be put
here: what is traced and how (`tracing`), and anything that decides whether a descriptor is a leak.
"""

from __future__ import annotations

import itertools
import linecache
import ntpath
import os
import sys
import sysconfig
import threading
import weakref
from dataclasses import dataclass
from types import CodeType, FrameType
from typing import NamedTuple, Protocol

from samesock.fdtable import Space

DEPTH = 24
"""Frames kept per record. An asyncio test has about 12 frames of the loop between a coroutine and its test."""

MOST_NAMES = 4096
"""File names remembered at once, for files whose number was not known when they were opened."""


LOOP_STEPS = (("asyncio/events.py", "_run"), ("trio/_core/_run.py", "unrolled_run"))
"""The functions that run a callback or a step of a task, by file and the end of the name."""


class HasFileno(Protocol):
    """What is asked of an object that owns a descriptor."""

    def fileno(self) -> int:
        """Its descriptor, -1 when closed."""


class Line(NamedTuple):
    """One frame of a stack, as it is shown."""

    file: str
    line: int
    function: str

    def source(self) -> str:
        """The text of the line, stripped; "" when the file cannot be read."""
        return linecache.getline(self.file, self.line).strip()


@dataclass(slots=True)
class Origin:
    """One call that opened a descriptor: which call, in which thread, under which scope, from where."""

    serial: int
    call: str
    thread: int
    scope: object
    stack: tuple[tuple[CodeType, int], ...]
    path: str | None = None
    owner: weakref.ref[HasFileno] | None = None
    given: bool = False
    """Whether the number was known (the call returned it, or was given it) and not merely foreseen."""

    def lines(self) -> list[Line]:
        """The stack, innermost frame first."""
        return [Line(code.co_filename, _line_number(code, at), _function(code)) for code, at in self.stack]

    def by_callback(self) -> bool:
        """Whether an event loop opened it by itself, as it accepts connections for a server: nobody's own code
        stands between the loop's step and the call.
        """
        for line in self.lines():
            if not is_foreign(line.file) or is_typed(line.file):
                return False
            file = line.file.replace("\\", "/")
            if any(file.endswith(ending) and line.function.endswith(name) for ending, name in LOOP_STEPS):
                return True
        return False

    def made_within(self, file: str, function: str) -> bool:
        """Whether `function` of the standard library's `file` ("asyncio/events.py") was on the way to the call."""
        return any(
            code.co_name == function and code.co_filename.replace("\\", "/").endswith(file)
            for code, _ in self.stack
        )

    def own_lines(self) -> list[Line]:
        """The stack without the frames of the interpreter, of pytest and of installed packages.

        When nothing is left, what was typed or given to `exec` (beside a file of one's own that is most often what
        `dataclasses` and its like make up); else (a library opened it in a thread of its own) the whole stack.
        """
        lines = self.lines()
        return (
            [line for line in lines if not is_foreign(line.file)]
            or [line for line in lines if is_typed(line.file)]
            or lines
        )


def own_file(origin: Origin) -> str:
    """The file of the innermost frame of own code."""
    return next((line.file for line in origin.own_lines()), "")


def _line_number(code: CodeType, at: int) -> int:
    """The line of the instruction at offset `at`; the function's first line where none is recorded."""
    for start, end, line in code.co_lines():
        if start <= at < end and line is not None:
            return line
    return code.co_firstlineno


def _function(code: CodeType) -> str:
    return getattr(code, "co_qualname", code.co_name).replace("<locals>.", "")


def _installed_folders() -> tuple[str, ...]:
    names = ("stdlib", "platstdlib", "purelib", "platlib")
    found = {os.path.realpath(path) for name in names if (path := sysconfig.get_path(name))}
    found |= {path for name in names if (path := sysconfig.get_path(name))}
    # An embedded Windows interpreter keeps its library in a zip file and its packages anywhere on sys.path.
    found |= {path for path in sys.path if path.endswith(".zip")}
    found.add(os.path.dirname(os.__file__))
    return tuple(sorted(found))


def base_name(path: str) -> str:
    """The last part of a path of either system."""
    return ntpath.basename(path) if sys.platform == "win32" else os.path.basename(path)


_FOREIGN = _installed_folders()
# As frames name this package's files, and not as it was installed: in a checkout it lies in no site-packages.
_OURS = os.path.dirname(os.path.dirname(base_name.__code__.co_filename)) + os.sep


def is_foreign(file: str) -> bool:
    """Whether a frame's file is nobody's own code: the standard library, an installed package, or samesock."""
    if file.startswith(("<", _OURS)):
        return True
    if file.startswith(_FOREIGN) or f"{os.sep}site-packages{os.sep}" in file:
        return True
    # The embedded Windows interpreter's library is compiled with paths relative to nothing: "socket.py".
    return not os.path.isabs(file) and not os.path.exists(file)


def is_typed(file: str) -> bool:
    """Whether a frame's code comes from no file: a console's, `python -c`'s or `exec`'s, under Python's own name."""
    return file.startswith("<") and not file.startswith("<frozen ")


def is_machinery(file: str) -> bool:
    """Whether a frame's file belongs to the test runner: a stack that starts there was not started by a
    test."""
    return f"{os.sep}_pytest{os.sep}" in file or f"{os.sep}pluggy{os.sep}" in file


def capture_stack(frame: FrameType | None) -> tuple[tuple[CodeType, int], ...]:
    """Up to `DEPTH` frames from `frame` outwards, as code and offset: 0.1 us each."""
    stack = []
    for _ in range(DEPTH):
        if frame is None:
            break
        stack.append((frame.f_code, frame.f_lasti))
        frame = frame.f_back
    return tuple(stack)


class Log:
    """The records of one process, found by number, by the object that owns the number, or by file name.

    A number's latest record replaces the earlier ones, so the log grows with the highest number and not
    with time.
    """

    def __init__(self) -> None:
        self._serials = itertools.count(1)
        self.latest: int = 0
        """The number of the latest record: as long as it stays, nothing has been opened."""
        self.by_number: dict[tuple[Space, int], Origin] = {}
        self.by_owner: dict[int, Origin] = {}
        self.by_name: dict[str, Origin] = {}
        self.closings: dict[tuple[Space, int], Origin] = {}

    def next_serial(self) -> int:
        """A number for a new record."""
        self.latest = next(self._serials)
        return self.latest

    def add_number(self, space: Space, number: int, origin: Origin) -> None:
        """`origin` opened `number`, or will have opened it in a moment."""
        self.by_number[space, number] = origin

    def add_owner(self, owner: HasFileno, origin: Origin) -> None:
        """`origin` is making `owner`, whose number is to be asked of it later."""
        mark = id(origin)

        def forget(_: object, records: dict[int, Origin] = self.by_owner) -> None:
            records.pop(mark, None)

        origin.owner = weakref.ref(owner, forget)
        self.by_owner[mark] = origin

    def add_name(self, path: str, origin: Origin) -> None:
        """`origin` opened the file `path`; the oldest name goes when there are too many."""
        name = base_name(path)
        self.by_name.pop(name, None)
        self.by_name[name] = origin
        if len(self.by_name) > MOST_NAMES:
            del self.by_name[next(iter(self.by_name))]

    def find(
        self, space: Space, number: int, *, path: str | None, socket: bool, since: int = 0
    ) -> Origin | None:
        """The record of what opened a descriptor: by its living owner, by its number, or by its file name.

        `path` is what the descriptor table says of it now, `socket` whether it is one. A record by number
        counts only when nothing speaks against it: a foreseen number can be wrong when two threads open at
        once. `since` is the latest record of a moment when this was not open yet: what this very thread had recorded
        by then is of another that had the number, and was closed by compiled code (a file's own `close` is).
        """
        if socket:
            for origin in list(self.by_owner.values()):
                if _number_of(origin) == number:
                    return origin
        found = self.by_number.get((space, number))
        if found is not None and not _is_stale(found, since) and _fits(found, number, path, socket=socket):
            return found
        if path is not None and not socket:
            named = self.by_name.get(base_name(path))
            return None if named is None or _is_stale(named, since) else named
        return None


def _is_stale(origin: Origin, since: int) -> bool:
    """Whether a record is too old; another thread's may have been made just before its descriptor was there."""
    return origin.serial <= since and origin.thread == threading.get_ident()


def _number_of(origin: Origin) -> int | None:
    """The number of the socket that `origin` made, `None` when it is gone."""
    owner = origin.owner() if origin.owner is not None else None
    if owner is None:
        return None
    try:
        return owner.fileno()
    except (OSError, ValueError, AttributeError):
        return None


def _fits(origin: Origin, number: int, path: str | None, *, socket: bool) -> bool:
    """Whether nothing known of the descriptor contradicts the record."""
    if origin.call == "socket" and not socket:
        return False  # the number was a socket's once
    if origin.given:
        return True
    if socket and origin.call != "socket":
        return False
    if socket:
        return _number_of(origin) in (None, -1, number)
    if origin.path is None or path is None or path.startswith(("/memfd:", "anon_inode:")):
        return True
    shown, opened = base_name(path), base_name(origin.path)
    # An unnamed temporary file is opened by its folder's path and shown as "#inode".
    return shown == opened or shown.startswith("#") or os.path.isdir(origin.path)
