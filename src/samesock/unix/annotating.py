"""What the descriptor table is told of emulated Unix sockets: family, path and peer as their user knows them.

The kernel calls them TCP. This module is imported by the table's side, only in a process where the emulation is in
use (`samesock._plugs`). What must never be put here: anything that a socket needs to work.
"""

from __future__ import annotations

import os
import time

from samesock.fdtable import Annotation, OpenDescriptor
from samesock.unix import ends
from samesock.unix.emulated import EmulatedEnd

INDEX_SECONDS = 0.05
"""How long an index of the ends is used: a snapshot asks once for every descriptor, within milliseconds."""


class _Index:
    """The ends by address, made anew when it is too old."""

    def __init__(self) -> None:
        self._ends: dict[object, EmulatedEnd] = {}
        self._made = -INDEX_SECONDS

    def get(self, key: object) -> EmulatedEnd | None:
        """The end at a pair of TCP addresses."""
        now = time.monotonic()
        if now - self._made >= INDEX_SECONDS:
            self._ends = {end.state.key(): end for end in ends.all() if isinstance(end, EmulatedEnd)}
            self._made = now
        return self._ends.get(key)


_index = _Index()


def annotate(record: OpenDescriptor) -> Annotation | None:
    """The emulated socket at the record's TCP addresses, `None` for any other descriptor."""
    info = record.socket
    if (
        info is None
        or info.family != "AF_INET"
        or not isinstance(info.local, tuple)
        or record.pid != os.getpid()
    ):
        return None
    remote = info.remote if isinstance(info.remote, tuple) and info.remote[1:] != (0,) else None
    end = _index.get((info.local, remote))
    if end is None:
        return None
    state = end.state
    own, other = os.fsdecode(state.name), os.fsdecode(state.peer_name)
    return Annotation(
        family="AF_UNIX",
        local=own,
        remote=other if state.role == "connected" else None,
        transport="emulated",
        path=own or other or None,
    )
