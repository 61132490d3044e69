"""The note that a child gets with its descriptors: what they are, and what a number alone does not say.

A note begins with a line that names it, then has one JSON object. What must never be put here: how the note gets
to the child.
"""

from __future__ import annotations

import base64
import json
from typing import NamedTuple

from samesock.fd.descriptor import Descriptor, Thing, socket_object
from samesock.fdtable.words import Space

VARIABLE = "SAMESOCK_INHERITED"
"""The environment variable that says where a child finds its note."""

_HEAD = b"samesock inherited 1\n"


class Entry(NamedTuple):
    """One descriptor: its table and number in the child, an emulated Unix socket's state, and how to get at it."""

    space: Space
    number: int
    state: str = ""
    identity: list[int] | None = None
    share: str = ""


def encode(entries: list[Entry]) -> bytes:
    """The note's bytes."""
    return _HEAD + json.dumps([list(entry) for entry in entries]).encode()


def decode(data: bytes) -> list[Entry] | None:
    """The entries; `None` for what is no note."""
    if not data.startswith(_HEAD):
        return None
    return [Entry(*fields) for fields in json.loads(data[len(_HEAD) :])]


def state_of(thing: Thing) -> str:
    """What an emulated Unix socket's object knows beside its number, as text; "" for anything else."""
    from samesock.unix import ends

    sock = socket_object(thing)
    end = None if sock is None else ends.get(sock)
    if end is None:
        return ""
    end.hand_on()
    blob = end.export()
    return "" if blob is None else base64.b64encode(blob).decode()


def restore(entry: Entry, one: Descriptor) -> Descriptor:
    """Have `samesock.socket(fileno=one)` find the state again; the same descriptor."""
    if entry.state:
        from samesock._socket import socket
        from samesock.unix.emulated import restored
        from samesock.unix.making import adopted

        adopted(socket, int(one), restored(int(one), base64.b64decode(entry.state))).detach()
    return one
