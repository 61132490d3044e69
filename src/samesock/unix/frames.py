"""The bytes with which descriptors travel inside a stream: made, found and judged. Pure: no socket is touched here.

A frame is a head of 100 bytes, its records (one per descriptor, sealed), and then the message's own bytes, which are
in the clear and in the stream as they are. The head begins with a marker of 16 bytes, by which a receiver finds it
between plain bytes, and ends with a keyed MAC; each record has a MAC of its own, so that of a frame that was cut off
those which came whole can be told. Nothing in a frame is looked at before its MAC is right: bytes that only look like
one are plain bytes. Sealed means encrypted with a keystream of the same key, so that a program which reads a frame as
plain bytes, and passes them on, tells nobody a number or a secret. What must never be put here: what a number means.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from hashlib import blake2b, shake_256
from hmac import compare_digest
from typing import NamedTuple

SEED_SIZE = 32
MARKER_SIZE = 16
INSTANCE_SIZE = 16
MOST_DESCRIPTORS = 253
"""Linux' SCM_MAX_FD."""
LARGEST_BODY = 1 << 20
"""Bytes of all records together: 253 sockets take some 45 KB, each emulated listener 1 KB more."""

_BEGIN = b"\xf5\xc1"
"""How every marker begins: two bytes that no UTF-8 text has, so that a text never ends with what may be a marker."""

_FIELDS = struct.Struct("<16s16sQQQIII")
_MAC_SIZE = 32
HEAD_SIZE = _FIELDS.size + _MAC_SIZE
_TAG_SIZE = 16
_RECORD = struct.Struct("<I")
_BODY = struct.Struct("<BI")
assert HEAD_SIZE == 100


class Keys(NamedTuple):
    """What both ends of a connection know for one direction."""

    marker: bytes
    secret: bytes

    def __repr__(self) -> str:
        """Without the secret."""
        return "<Keys>"


class Head(NamedTuple):
    """What an authentic head says."""

    instance: bytes
    """16 random bytes: one sender in one process."""
    counter: int
    """Of that instance's frames, each greater than the one before."""
    target: int
    """The process that the numbers are for; 0 if any may have them."""
    target_start: int
    """When that process started."""
    number: int
    """Of records."""
    size: int
    """Bytes of the records."""
    data: int
    """Bytes of the message that belong to the descriptors."""


class Record(NamedTuple):
    """One descriptor."""

    space: str
    """Which table it is of: `fd`, `socket`, `handle`; or `lease`: what all of them depend on."""
    token: bytes
    """How the receiver's system gets at it."""
    state: bytes
    """What an emulated Unix socket knows beside its number."""


_SPACES = ("lease", "fd", "socket", "handle")


def keys(seed: bytes, direction: int, marker: bytes | None = None) -> Keys:
    """The keys of one direction (0: from who connected; 1: from who accepted), from 32 bytes that both ends know.

    `marker` is a public one, for connections whose ends know nothing in advance.
    """
    both = blake2b(bytes([direction]), key=seed, person=b"samesock frame 1").digest()
    return Keys(_BEGIN + both[: MARKER_SIZE - len(_BEGIN)] if marker is None else marker, both[32:])


PUBLIC_MARKER = _BEGIN + b"samesock fds 1"
assert len(PUBLIC_MARKER) == MARKER_SIZE


def _mac(secret: bytes, fields: bytes) -> bytes:
    return blake2b(fields, key=secret, digest_size=_MAC_SIZE, person=b"samesock head").digest()


def _place(head: bytes, index: int) -> bytes:
    """Which record of which frame: what its seal and its tag are bound to."""
    return head[MARKER_SIZE : MARKER_SIZE + INSTANCE_SIZE + 8] + index.to_bytes(4, "little")


def _sealed(secret: bytes, place: bytes, data: bytes) -> bytes:
    """The data under a keystream that is used once; the same call takes it off."""
    stream = shake_256(b"samesock seal" + secret + place).digest(len(data))
    return (int.from_bytes(data, "little") ^ int.from_bytes(stream, "little")).to_bytes(len(data), "little")


def _tag(secret: bytes, place: bytes, sealed: bytes) -> bytes:
    return blake2b(place + sealed, key=secret, digest_size=_TAG_SIZE, person=b"samesock record").digest()


def encode(key: Keys, head: Head, records: Sequence[Record]) -> bytes:
    """The frame's bytes, up to the message's own; `head`'s number and size are this function's to set."""
    # The seal needs the instance and the counter alone, which are the same in the final head.
    name = key.marker + head.instance + head.counter.to_bytes(8, "little")
    body = b""
    for index, record in enumerate(records):
        place = _place(name, index)
        plain = _BODY.pack(_SPACES.index(record.space), len(record.token)) + record.token + record.state
        sealed = _sealed(key.secret, place, plain)
        body += _RECORD.pack(len(sealed)) + sealed + _tag(key.secret, place, sealed)
    fields = _FIELDS.pack(
        key.marker,
        head.instance,
        head.counter,
        head.target,
        head.target_start,
        len(records),
        len(body),
        head.data,
    )
    return fields + _mac(key.secret, fields) + body


def find(data: bytes, marker: bytes, start: int = 0) -> int:
    """Where a marker begins in `data`, or may begin at its end; `len(data)` if nowhere."""
    at = data.find(marker, start)
    if at >= 0:
        return at
    tail = max(start, len(data) - MARKER_SIZE + 1)
    at = data.find(marker[:1], tail)
    while at >= 0:
        if marker.startswith(data[at:]):
            return at
        at = data.find(marker[:1], at + 1)
    return len(data)


def instance_of(head: bytes) -> bytes:
    """The instance that a head names, which is not proven by that."""
    return head[MARKER_SIZE : MARKER_SIZE + INSTANCE_SIZE]


def head_of(key: Keys, data: bytes) -> Head | None:
    """The head in these 100 bytes, `None` if it was not made with this key."""
    fields, mac = data[: _FIELDS.size], data[_FIELDS.size : HEAD_SIZE]
    if not compare_digest(mac, _mac(key.secret, fields)):
        return None
    marker, *values = _FIELDS.unpack(fields)
    head = Head(*values)
    if marker != key.marker or head.number > MOST_DESCRIPTORS + 1 or head.size > LARGEST_BODY:
        return None
    return head


def records_of(key: Keys, head: Head, body: bytes) -> list[Record]:
    """The records in the body that are whole and authentic, up to the first that is not."""
    found: list[Record] = []
    name = key.marker + head.instance + head.counter.to_bytes(8, "little")
    at = 0
    for index in range(head.number):
        end = at + _RECORD.size
        if end > len(body):
            break
        (size,) = _RECORD.unpack_from(body, at)
        sealed, tag = body[end : end + size], body[end + size : end + size + _TAG_SIZE]
        place = _place(name, index)
        if not compare_digest(tag, _tag(key.secret, place, sealed)):
            break
        plain = _sealed(key.secret, place, sealed)
        if len(plain) < _BODY.size or plain[0] >= len(_SPACES):
            break
        space, length = _BODY.unpack_from(plain)
        token = plain[_BODY.size : _BODY.size + length]
        found.append(Record(_SPACES[space], token, plain[_BODY.size + length :]))
        at = end + size + _TAG_SIZE
    return found


class Seen:
    """Which frames were taken already: each sender's counter only grows, so that none is good twice."""

    MOST = 256

    def __init__(self) -> None:
        self.last: dict[bytes, int] = {}

    def fresh(self, head: Head) -> bool:
        """Remember the frame; False if it, or a later one of its sender, was seen before."""
        before = self.last.get(head.instance)
        if before is None and len(self.last) >= self.MOST:
            return False
        if before is not None and head.counter <= before:
            return False
        self.last[head.instance] = head.counter
        return True
