"""Other processes: which there are, whose children, by what name. psutil's work, imported only when asked
for.

What must never be put here: descriptors.
"""

from __future__ import annotations

import errno
from collections.abc import Sequence
from types import ModuleType
from typing import Protocol


class HasPid(Protocol):
    """Anything with a process number: `psutil.Process`, `subprocess.Popen`."""

    @property
    def pid(self) -> int: ...


def number_of(process: int | HasPid) -> int:
    """The number of a process given as one or as an object with `pid`; `TypeError` for anything else."""
    number = process if isinstance(process, int) else getattr(process, "pid", None)
    if not isinstance(number, int) or isinstance(number, bool):
        raise TypeError(f"a process is a number or has a pid, not {process!r}")
    if number < 0:
        raise ProcessLookupError(errno.ESRCH, f"no process has the number {number}")
    return number


def gone(pid: int) -> ProcessLookupError:
    """The error for a process that is not there (any more)."""
    return ProcessLookupError(errno.ESRCH, f"no process has the number {pid}")


def denied(pid: int, why: object) -> PermissionError:
    """The error for a process that may not be looked into."""
    return PermissionError(errno.EACCES, f"process {pid} may not be looked into: {why}")


class Process(Protocol):
    """What the table uses of `psutil.Process`, which has no types of its own."""

    @property
    def pid(self) -> int: ...

    def children(self, recursive: bool = False) -> Sequence[HasPid]: ...


def library() -> ModuleType:
    """psutil, imported now: it costs 15 ms, and a key snapshot or a look at this process does not need it.

    `ModuleNotFoundError` says what it is needed for.
    """
    try:
        import psutil  # type: ignore[import-untyped,unused-ignore]
    except ImportError as missing:
        text = "looking into other processes takes psutil, which is not installed: pip install psutil"
        raise ModuleNotFoundError(text, name="psutil") from missing
    module: ModuleType = psutil
    return module


def process(pid: int) -> Process:
    """psutil's process `pid`; `ProcessLookupError` and `PermissionError` name one that is gone or hidden."""
    psutil = library()
    try:
        found: Process = psutil.Process(pid)
        return found
    except psutil.NoSuchProcess:
        raise gone(pid) from None
    except psutil.AccessDenied as failure:
        raise denied(pid, failure) from None


def children(pid: int) -> list[int]:
    """The numbers of every descendant of `pid` that is alive now, in ascending order."""
    psutil = library()
    try:
        return sorted(child.pid for child in process(pid).children(recursive=True))
    except psutil.NoSuchProcess:
        raise gone(pid) from None
    except psutil.AccessDenied as failure:
        raise denied(pid, failure) from None


def all_pids() -> list[int]:
    """Every process that this one can see."""
    return list(library().pids())


def command(pid: int) -> str:
    """The command line of a process, its name where that is hidden, "" when both are."""
    psutil = library()
    try:
        one = psutil.Process(pid)
        return " ".join(one.cmdline()) or one.name()
    except (psutil.Error, OSError):
        return ""
