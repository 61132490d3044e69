"""What the descriptor table is told of emulated Unix sockets: family, type, path and peer as their user knows them.

The kernel calls them TCP. This module is imported by the table's side, only in a process where the emulation is in
use (`samesock._plugs`). What must never be put here: anything that a socket needs to work.
"""

from __future__ import annotations

import _socket
import os
import time

from samesock.fdtable import Annotation, OpenDescriptor
from samesock.unix import ends
from samesock.unix.adoption import State
from samesock.unix.emulated import EmulatedEnd

YOUNG_SECONDS = 0.0005
"""An index younger than this, or than five times what it took to make, is not made anew for a miss: a snapshot asks for
every descriptor, and most are none of ours."""

_TYPES = {
    _socket.SOCK_STREAM: "SOCK_STREAM",
    _socket.SOCK_DGRAM: "SOCK_DGRAM",
    _socket.SOCK_SEQPACKET: "SOCK_SEQPACKET",
}


class _Index:
    """The ends by address, made anew when somebody is not found in an old one."""

    def __init__(self) -> None:
        self._states: dict[object, State] = {}
        self._made = self._cost = 0.0

    def get(self, key: object) -> State | None:
        """The state of the end at a pair of TCP addresses; never the end itself, which must go with its socket."""
        found = self._states.get(key)
        now = time.monotonic()
        if found is None and now - self._made >= max(YOUNG_SECONDS, 5 * self._cost):
            self._states = {
                key: end.state for end in ends.all() if isinstance(end, EmulatedEnd) for key in end.known_as()
            }
            self._made = time.monotonic()
            self._cost = self._made - now
            found = self._states.get(key)
        return found


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
    carrier = _socket.SOCK_DGRAM if info.type == "SOCK_DGRAM" else _socket.SOCK_STREAM
    state = _index.get((info.local, remote, carrier))
    if state is None:
        return None
    own, other = os.fsdecode(state.name), os.fsdecode(state.peer_name)
    return Annotation(
        family="AF_UNIX",
        type=_TYPES[state.kind],
        local=own,
        remote=other if state.role == "connected" else None,
        transport="emulated",
        path=own or other or None,
    )
