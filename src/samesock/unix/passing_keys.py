"""The keys by which an end of a connection knows the other end's frames.

An emulated connection has a secret already: who accepted and who connected both know the file's secret and the
hello's nonce. A native one of Winsock's has none, and its kernel tells no more than a process's number: there the
sender publishes a key where this user alone can read and write, in the private directory, under a random name that
its frames carry; who can put a file there could do anything to the receiver anyway, and whoever only feeds bytes to
a proxy cannot. What must never be put here: a frame's bytes, a socket.
"""

from __future__ import annotations

import os
from hashlib import blake2b
from secrets import token_bytes

from samesock.backend import system
from samesock.unix import frames
from samesock.unix.rendezvous import Record

Address = tuple[str, int]

MOST_PUBLISHED = 16
"""Keys that one connection learns: one for each process that sends on it."""

_SUFFIX = ".passing"


def seed_of(record: Record, nonce: bytes, client: Address, listener: Address) -> bytes:
    """What both ends of an emulated connection know and nobody else does."""
    addresses = f"{client[0]}:{client[1]} {listener[0]}:{listener[1]}"
    message = record.id + nonce + addresses.encode()
    return blake2b(message, key=record.secret, digest_size=32, person=b"samesock passing").digest()


class ConnectionKeys:
    """The keys of an emulated connection. `side` is 0 for who connected and 1 for who accepted."""

    MARKED_SECONDS = 5.0
    """How long bytes are held back that begin with a whole marker: it is a secret, so this is a frame under way."""

    def __init__(self, seed: bytes, side: int) -> None:
        self._outgoing = frames.keys(seed, side)
        self._incoming = frames.keys(seed, 1 - side)
        self.marker: bytes = self._incoming.marker
        self._instance = b""
        self._pid = 0

    def outgoing(self) -> tuple[frames.Keys, bytes]:
        """The key, and this process's instance: after a fork each has its own."""
        if self._pid != os.getpid():
            self._instance, self._pid = token_bytes(frames.INSTANCE_SIZE), os.getpid()
        return self._outgoing, self._instance

    def incoming(self, head: bytes) -> frames.Keys | None:  # noqa: ARG002  (there is one key)
        """The key for a frame that begins so."""
        return self._incoming

    def close(self) -> None:
        """Nothing is left behind."""


class PublishedKeys:
    """The keys of a native connection, each in a file of its sender's until the receiver has read it."""

    marker = frames.PUBLIC_MARKER

    MARKED_SECONDS = 0.5
    """The same for a marker that anybody can write."""

    def __init__(self) -> None:
        self._own: tuple[frames.Keys, bytes] | None = None
        self._path = ""
        self._pid = 0
        self._learnt: dict[bytes, frames.Keys] = {}

    def outgoing(self) -> tuple[frames.Keys, bytes]:
        """The key, published when it is first used, and its name."""
        if self._own is None or self._pid != os.getpid():
            name, seed = token_bytes(frames.INSTANCE_SIZE), token_bytes(frames.SEED_SIZE)
            path = _path_of(name)
            number = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o600)
            try:
                os.write(number, seed)
            finally:
                os.close(number)
            self._own = frames.keys(seed, 0, self.marker), name
            self._path, self._pid = path, os.getpid()
        return self._own

    def incoming(self, head: bytes) -> frames.Keys | None:
        """The key whose name the frame carries, `None` if there is none: then it is no frame."""
        name = frames.instance_of(head)
        if self._own is not None and name == self._own[1]:
            return None  # thrown back at its sender
        known = self._learnt.get(name)
        if known is not None or len(self._learnt) >= MOST_PUBLISHED:
            return known
        path = _path_of(name)
        try:
            with open(path, "rb") as file:
                seed = file.read(frames.SEED_SIZE + 1)
        except OSError:
            return None
        if len(seed) != frames.SEED_SIZE:
            return None
        key = frames.keys(seed, 0, self.marker)
        if frames.head_of(key, head) is None:
            return None
        _remove(path)  # it is one connection's: nobody can show this frame to another one
        self._learnt[name] = key
        return key

    def close(self) -> None:
        """Take back a key that nobody has read."""
        if self._path and self._pid == os.getpid():
            _remove(self._path)
        self._path = ""


def _path_of(name: bytes) -> str:
    return os.path.join(system.private_directory(), name.hex() + _SUFFIX)


def _remove(path: str) -> None:
    try:
        os.unlink(path)
    except OSError:
        pass  # the other end has removed it
