"""The rendezvous file's 256 bytes: what a bound name tells those who may read it.

Pure: bytes in, a record out, and back. The file is made and opened by the backend; nothing of that belongs here.

Offsets: 0 magic (12), 12 size u16, 14 port u16, 16 address (4), 20 pid u32, 24 realm (8), 32 id (16), 48 secret (32),
80 length of the name u8, 81 name (108), 189 type u8 (0 stream, 1 datagram, 2 seqpacket),
192 the binder's start time u64, 200 socket cookie u64, 224 SHA-256 of the
first 224. Little endian; all else is zero. The checksum tells torn and truncated files; it protects from nobody.
"""

from __future__ import annotations

import _socket
import functools
import hashlib
import secrets
import struct
from typing import NamedTuple

SIZE = 256
MAGIC = b"!samesock 1\n"
LOOPBACK = b"\x7f\x00\x00\x01"
LONGEST_NAME = 108

_LAYOUT = struct.Struct("<12sHH4sI8s16s32sB108sB2xQQ16x")
assert _LAYOUT.size == SIZE - 32

_KINDS = (_socket.SOCK_STREAM, _socket.SOCK_DGRAM, _socket.SOCK_SEQPACKET)
"""By the number in the file: those of `SOCK_*` are not the same on every system."""


class Record(NamedTuple):
    """What a rendezvous file says."""

    port: int
    pid: int
    realm: bytes
    id: bytes
    secret: bytes
    name: bytes
    start: int
    cookie: int
    kind: int = _socket.SOCK_STREAM

    def __repr__(self) -> str:
        """Without the secret, which must reach no log and no traceback."""
        return f"<Record of {self.name!r}: port {self.port}, pid {self.pid}>"


def new(
    *,
    port: int,
    pid: int,
    realm: bytes,
    name: bytes,
    start: int,
    cookie: int,
    kind: int = _socket.SOCK_STREAM,
) -> Record:
    """A record with a fresh id and secret."""
    return Record(
        port, pid, realm, secrets.token_bytes(16), secrets.token_bytes(32), name, start, cookie, kind
    )


def encode(record: Record) -> bytes:
    """The record's 256 bytes."""
    body = _LAYOUT.pack(
        MAGIC,
        SIZE,
        record.port,
        LOOPBACK,
        record.pid,
        record.realm,
        record.id,
        record.secret,
        len(record.name),
        record.name,
        _KINDS.index(record.kind),
        record.start,
        record.cookie,
    )
    return body + hashlib.sha256(body).digest()


@functools.lru_cache(maxsize=32)
def decode(data: bytes) -> Record | None:
    """The record in these bytes, or `None` for anything that is not exactly one (torn, truncated, longer, foreign).

    A client connects to the same few names again and again, so the last answers are remembered.
    """
    if len(data) != SIZE or not data.startswith(MAGIC):
        return None
    if hashlib.sha256(data[: _LAYOUT.size]).digest() != data[_LAYOUT.size :]:
        return None
    _, size, port, address, pid, realm, id_, secret, length, name, kind, start, cookie = _LAYOUT.unpack_from(
        data
    )
    if size != SIZE or address != LOOPBACK or port == 0 or length > LONGEST_NAME or kind >= len(_KINDS):
        return None
    return Record(port, pid, realm, id_, secret, name[:length], start, cookie, _KINDS[kind])
