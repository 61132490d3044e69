"""The hello: the first bytes of every emulated connection, which prove that the client could read the file.

Pure: no socket is touched here. A hello is made inside `connect` and checked inside `accept`. Layout: `a5 53 31 0a`,
pid u32, uid u32, length of the name u8 (at most 108), three zeros, nonce (16), MAC (32), name.
The MAC binds the hello to one pair of TCP addresses, one bound name and one secret, so that whoever relays it to
another listener, or sends it again, has gained nothing. It is keyed BLAKE2b (RFC 7693), one call of a third of the
price of HMAC-SHA256, and always there: `docs/decisions/0002`.
"""

from __future__ import annotations

import _socket
import struct
from collections import OrderedDict
from hashlib import blake2b
from hmac import compare_digest
from secrets import token_bytes
from typing import NamedTuple

from samesock.unix.rendezvous import LONGEST_NAME, Record

Address = tuple[str, int]

SIZE = 64
MAGIC = b"\xa5S1\n"
LONGEST = SIZE + LONGEST_NAME
REMEMBERED_NONCES = 4096

_OPEN = struct.Struct("<4sIIB3x16s")
_LABELS = {_socket.SOCK_STREAM: b"samesock hello 1", _socket.SOCK_SEQPACKET: b"samesock packets"}
"""BLAKE2's personalization, 16 bytes: a hello is for one type of socket."""
_MAC_AT = _OPEN.size
assert _MAC_AT == 32


class Hello(NamedTuple):
    """What a proven client claims of itself."""

    pid: int
    uid: int
    name: bytes
    nonce: bytes


def _mac(record: Record, client: Address, listener: Address, head: bytes, name: bytes) -> bytes:
    (host, port), (own_host, own_port) = client, listener
    message = record.id + f"{host}:{port} {own_host}:{own_port} ".encode() + head + name
    return blake2b(message, key=record.secret, digest_size=32, person=_LABELS[record.kind]).digest()


def make(record: Record, client: Address, listener: Address, *, pid: int, uid: int, name: bytes) -> bytes:
    """The hello of a client at `client` to the listener at `listener` (pairs of dotted quad and port)."""
    head = _OPEN.pack(MAGIC, pid, uid, len(name), token_bytes(16))
    return head + _mac(record, client, listener, head, name) + name


def nonce_of(message: bytes) -> bytes:
    """The nonce in a hello that was made here."""
    return message[16:_MAC_AT]


def missing(got: bytes) -> int | None:
    """How many bytes to read next: 0 when the hello is whole, `None` when it is none of ours."""
    if not MAGIC.startswith(got[:4]):
        return None
    if len(got) < SIZE:
        return SIZE - len(got)
    length = got[12]
    if length > LONGEST_NAME:
        return None
    return SIZE + length - len(got)


def check(record: Record, client: Address, listener: Address, got: bytes) -> Hello | None:
    """What a whole hello says, or `None` if its MAC is not the one that the record's secret makes."""
    head, mac, name = got[:_MAC_AT], got[_MAC_AT:SIZE], got[SIZE:]
    if not compare_digest(mac, _mac(record, client, listener, head, name)):
        return None
    _, pid, uid, _, nonce = _OPEN.unpack(head)
    return Hello(pid, uid, name, nonce)


class Nonces:
    """The last nonces that were used here: each is good for one connection."""

    def __init__(self) -> None:
        self._used: OrderedDict[bytes, None] = OrderedDict()

    def use(self, nonce: bytes) -> bool:
        """Remember the nonce; False if it was used before."""
        if nonce in self._used:
            return False
        self._used[nonce] = None
        if len(self._used) > REMEMBERED_NONCES:
            self._used.popitem(last=False)
        return True
