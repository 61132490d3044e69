"""A descriptor on its way: what is told of it when it is sent, and what is made of it where it arrives.

What must never be put here: bytes of a stream, and how a system moves descriptors (the backend).
"""

from __future__ import annotations

import _socket
from typing import TYPE_CHECKING

from samesock.backend import system
from samesock.unix import End, ends, frames
from samesock.unix.calls import calls

if TYPE_CHECKING:
    from samesock.fd.descriptor import Thing


def os_space(record: frames.Record) -> str:
    return "socket" if record.space == "socket" else "handle"


def described(thing: Thing) -> tuple[str, int, bytes]:
    """The table that a descriptor is of, the system's own number, and what an emulated Unix socket knows beside it."""
    from samesock.fd import state

    one = state.resolved(thing, "passing:")
    # Whether a socket is open, the call that duplicates it tells: to ask before costs two trips to Wine's server.
    number = int(one) if one.space == "socket" else int(state.handle(one))
    end = _end_of(thing, int(one)) if one.space != "handle" else None
    blob = None if end is None else end.export()
    return one.space, number, blob or b""


def _end_of(thing: object, number: int) -> End | None:
    """The end of a socket object, or of the object that has this number."""
    if isinstance(thing, _socket.socket):
        return ends.get(thing)
    if not isinstance(thing, int):
        return None
    for reference in list(ends.by_reference):
        sock = reference()
        if sock is not None and calls.fileno(sock) == number:
            return ends.get(sock)
    return None


def usable(record: frames.Record, number: int) -> int:
    """The descriptor as the program gets it; `number` is closed if that fails."""
    if record.state:
        from samesock._socket import socket
        from samesock.unix.emulated import restored
        from samesock.unix.making import adopted

        adopted(socket, number, restored(number, record.state)).detach()
    if not system.passing.NEEDS_TARGET:
        return number
    from samesock.fd.descriptor import Descriptor
    from samesock.fd.state import from_handle

    if record.space != "fd":
        return Descriptor(number, "socket" if record.space == "socket" else "handle")
    try:
        return from_handle(number)
    except OSError:
        system.passing.close("handle", number)
        raise
