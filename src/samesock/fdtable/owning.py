"""Which Python object holds a descriptor: found through the garbage collector, so only when asked for.

What must never be put here: closing, or keeping alive, anything that is found.
"""

from __future__ import annotations

import gc
import io
import os
import socket
from dataclasses import replace

from samesock.fdtable.model import OpenDescriptor, Owner
from samesock.fdtable.words import Key, Space

# A raw file, then what is wrapped around it: the outermost is what a user's code holds.
_RANK: tuple[tuple[type, int], ...] = (
    (io.TextIOWrapper, 3), (io.BufferedIOBase, 2), (io.RawIOBase, 1),
)  # fmt: skip


def _rank(thing: object) -> int:
    return next((rank for kind, rank in _RANK if isinstance(thing, kind)), 4)


def _number(thing: object) -> int | None:
    """The number that a socket, file or selector holds; `None` for a closed one and for anything else."""
    try:
        if isinstance(thing, (socket.socket, io.IOBase)):
            return int(thing.fileno())
        if type(thing).__module__ in ("select", "selectors") and hasattr(thing, "fileno"):
            return int(thing.fileno())
    except (ValueError, OSError, io.UnsupportedOperation):
        return None
    return None


def owners(limit: int = 120) -> dict[Key, Owner]:
    """The holder of each descriptor of this process that a Python object holds, the outermost wrapper of a
    file.

    An object made in C that the collector does not track, and a bare number, have no owner.
    """
    best: dict[Key, tuple[int, object]] = {}
    handles = hasattr(os, "get_handle_inheritable")
    for thing in gc.get_objects():
        try:
            number = _number(thing)
        except Exception:  # noqa: BLE001  (a stranger's isinstance hook or fileno may raise anything)
            continue
        if number is None or number < 0:
            continue
        space: Space = "socket" if handles and isinstance(thing, socket.socket) else "fd"
        rank = _rank(thing)
        if (space, number) not in best or best[space, number][0] < rank:
            best[space, number] = (rank, thing)
    found = {}
    for key, (_, thing) in best.items():
        text = " ".join(_text(thing).split())
        found[key] = Owner(type(thing).__name__, text if len(text) <= limit else text[: limit - 3] + "...")
    return found


def _text(thing: object) -> str:
    try:
        return repr(thing)
    except Exception as failure:  # noqa: BLE001  (someone else's __repr__)
        return f"<{type(thing).__name__}, whose repr raised {type(failure).__name__}>"


def owned(records: list[OpenDescriptor]) -> list[OpenDescriptor]:
    """`records` with the owners of those that belong to this process."""
    found, me = owners(), os.getpid()
    return [
        replace(record, owner=found[record.key]) if record.pid == me and record.key in found else record
        for record in records
    ]
