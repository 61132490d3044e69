"""Taking a snapshot, describing one descriptor, watching: the same on every system.

What must never be put here: anything that one kind of system does differently; that is a provider's, and
`providers` chooses it.
"""

from __future__ import annotations

import errno
import math
import os
import sys
import time
from collections.abc import Iterator
from dataclasses import replace

from samesock.fdtable import annotators, processes, providers
from samesock.fdtable.difference import Difference, diff, space_of
from samesock.fdtable.model import OpenDescriptor, Owner
from samesock.fdtable.processes import HasPid
from samesock.fdtable.snapshot import Snapshot
from samesock.fdtable.words import Space

LONGEST_REPR = 120


def _finished(records: list[OpenDescriptor]) -> list[OpenDescriptor]:
    if not annotators.any_annotators():
        return records
    return [annotators.annotated(record) for record in records]


def snapshot(pid: int | HasPid | None = None, children: bool = False, owners: bool = False) -> Snapshot:
    """Everything that a process has open: this one, or `pid` (a number, a `psutil.Process`, a `Popen`).

    With `children` the descendants alive now are looked into as well, and a peer is found across all of them.
    With `owners` the records of this process name the Python object that holds each (seen through `gc`, so it
    costs as much as there are objects). Descriptors that are closed or opened meanwhile may or may not be
    there; what could not be read is in a record's `partial` and the snapshot's `notes`, never silently
    missing.

    Raises `ProcessLookupError` for a process that is gone, `PermissionError` for one that may not be looked
    into, each naming it, and `OSError` when no source on this system lists descriptors. Never blocks on what
    it lists.

    Portability: native on Linux and Wine. Windows (ntdll), macOS (libproc) and FreeBSD (sysctl) are declared native,
    and no run has shown them yet. Emulated by a scan of the numbers on every other POSIX system, this process only.
    """
    top = os.getpid() if pid is None else processes.number_of(pid)
    notes: list[str] = []
    records = _table(top, notes)
    pids = [top]
    if children:
        for child in processes.children(top):
            try:
                records += _table(child, notes)
            except ProcessLookupError:
                continue  # it ended since it was listed
            except PermissionError as failure:
                notes.append(str(failure.strerror))
                continue
            pids.append(child)
        providers.link_all(records)
    if owners:
        from samesock.fdtable import owning

        records = owning.owned(records)
    records = _finished(records)
    sources = dict.fromkeys(source for record in records for source in record.source)
    return Snapshot(tuple(pids), tuple(records), time.time(), sys.platform, tuple(sources), tuple(notes))


def _table(pid: int, notes: list[str]) -> list[OpenDescriptor]:
    """A process's records from the first provider that can tell of it."""
    provider = providers.own() if pid == os.getpid() else providers.foreign()
    found, said = provider.table(pid)
    notes += said
    return found


def describe(thing: object, space: Space | None = None) -> OpenDescriptor:
    """Everything known of one descriptor of this process: a number, or anything with `fileno()`.

    An object is named as the owner. On Windows a bare number is a socket if it answers as one, else a CRT
    descriptor; `space` settles it, and so does an object's own `.space`.

    Raises `OSError` (EBADF) naming a number that is not open, and `TypeError` for what has no number.

    Portability: native on Linux and Wine. Windows (ntdll), macOS (libproc) and FreeBSD (sysctl) are declared native,
    and no run has shown them yet. Emulated by a scan of the numbers on every other POSIX system, this process only.
    """
    number, owner = _number_of(thing)
    if number < 0:
        raise OSError(errno.EBADF, f"{thing!r} is closed" if owner else f"descriptor {number} is not open")
    try:
        record = providers.own().one(number, space or space_of(thing) or _implied_space(thing))
    except (OSError, OverflowError) as failure:  # a number that no C integer holds is open nowhere
        if isinstance(failure, OSError) and failure.errno != errno.EBADF:
            raise
        raise OSError(errno.EBADF, f"descriptor {number} is not open in this process") from None
    if owner is not None:
        record = replace(record, owner=owner)
    return _finished([record])[0]


def _implied_space(thing: object) -> Space | None:
    """On Windows a socket object's number is a SOCKET and every other object's a CRT descriptor."""
    if sys.platform != "win32" or isinstance(thing, int):
        return None
    import socket

    return "socket" if isinstance(thing, socket.socket) else "fd"


def _number_of(thing: object) -> tuple[int, Owner | None]:
    if isinstance(thing, int) and not isinstance(thing, bool):
        return int(thing), None
    fileno = getattr(thing, "fileno", None)
    if not callable(fileno):
        raise TypeError(f"{thing!r} is neither a descriptor's number nor has a fileno()")
    try:
        number = fileno()
    except ValueError:  # a closed file says so with this
        number = -1
    return int(number), Owner(type(thing).__name__, shortened(repr(thing)))


def shortened(text: str) -> str:
    """A `repr` on one line of at most 120 characters."""
    line = " ".join(text.split())
    return line if len(line) <= LONGEST_REPR else line[: LONGEST_REPR - 3] + "..."


def watch(
    interval: float = 0.5, pid: int | HasPid | None = None, children: bool = False
) -> Iterator[Difference]:
    """What changes, as it changes: one `Difference` for each look, `interval` seconds apart, that found any.

    The first look is taken when the iteration starts. It ends when the process does; stop it before by
    leaving the loop. What is opened and closed again between two looks is not seen.

    Raises as `snapshot` does. `ValueError` for an interval that is below 0 or not finite.

    Portability: as `snapshot`, native or emulated.
    """
    if not 0 <= interval < math.inf:  # NaN is neither
        raise ValueError(f"an interval of {interval} seconds")
    return _watch(interval, pid, children)


def _watch(interval: float, pid: int | HasPid | None, children: bool) -> Iterator[Difference]:
    before = snapshot(pid, children)
    while True:
        time.sleep(interval)
        try:
            after = snapshot(pid, children)
        except ProcessLookupError:
            closing = diff(before, ())
            if closing:
                yield closing
            return
        changes = diff(before, after)
        if changes:
            yield changes
        before = after
