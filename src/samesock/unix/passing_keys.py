"""The keys by which an end of a connection knows the other end's frames.

An emulated connection has a secret already: who accepted and who connected both know the file's secret and the
hello's nonce. A native one of Winsock's has none, and its kernel tells no more than a process's number: there the
sender publishes a key where this user alone can read and write, in the private directory, under a random name that
its frames carry; who can put a file there could do anything to the receiver anyway, and whoever only feeds bytes to
a proxy cannot. The file outlives its sender, since what was sent before a close, or an exit, is still received; the
receiver removes it, or, where that has ended, the next process that publishes one. What must never be put here: a
frame's bytes, a socket.
"""

from __future__ import annotations

import os
import re
import struct
import time
from bisect import bisect_left
from hashlib import blake2b
from secrets import token_bytes

from samesock._errors import named_error
from samesock.backend import system
from samesock.unix import frames
from samesock.unix.rendezvous import Record

Address = tuple[str, int]

MOST_PUBLISHED = 16
"""Keys that one connection learns: one for each process that sends on it."""

_SUFFIX = ".passing"
_FILE = re.compile(rf"[0-9a-f]{{{2 * frames.INSTANCE_SIZE}}}{re.escape(_SUFFIX)}")
_READER = struct.Struct("<IQ")  # its process and when that started; zeros: not known
_SIZE = frames.SEED_SIZE + _READER.size
_LITTER_SECONDS = 86_400.0
"""After this time a key is removed whose reader is not known."""
_SWEEP_SECONDS = 0.1
"""5,000 keys of ended readers took 3.6 s. What is left over the next processes find: each begins somewhere else."""

_swept_by = 0
"""The process that has looked for keys nobody will read."""


def seed_of(record: Record, nonce: bytes, client: Address, listener: Address) -> bytes:
    """What both ends of an emulated connection know and nobody else does."""
    addresses = f"{client[0]}:{client[1]} {listener[0]}:{listener[1]}"
    message = record.id + nonce + addresses.encode()
    return blake2b(message, key=record.secret, digest_size=32, person=b"samesock passing").digest()


class ConnectionKeys:
    """The keys of an emulated connection. `side` is 0 for who connected and 1 for who accepted."""

    MARKED_SECONDS = 5.0
    """How long bytes are held back that begin with a whole marker: it is a secret, so this is a frame under way."""

    published: bool = False

    def __init__(self, seed: bytes, side: int) -> None:
        self._outgoing = frames.keys(seed, side)
        self._incoming = frames.keys(seed, 1 - side)
        self.marker: bytes = self._incoming.marker
        self._instance = b""
        self._pid = 0

    def outgoing(self, reader: int = 0, started: int = 0) -> tuple[frames.Keys, bytes]:  # noqa: ARG002
        """The key, and this process's instance: after a fork each has its own."""
        if self._pid != os.getpid():
            self._instance, self._pid = token_bytes(frames.INSTANCE_SIZE), os.getpid()
        return self._outgoing, self._instance

    def incoming(self, head: bytes) -> frames.Keys | None:  # noqa: ARG002  (there is one key)
        """The key for a frame that begins so."""
        return self._incoming

    def sent(self) -> None:
        """Nothing depends on it."""

    def close(self) -> None:
        """Nothing is left behind."""


class PublishedKeys:
    """The keys of a native connection, each in a file of its sender's until the receiver has read it."""

    marker = frames.PUBLIC_MARKER

    MARKED_SECONDS = 0.5
    """The same for a marker that anybody can write."""

    published: bool = True

    def __init__(self) -> None:
        self._own: tuple[frames.Keys, bytes] | None = None
        self._path = ""
        self._pid = 0
        self._sent = False
        self._reader = 0, 0
        self._learnt: dict[bytes, frames.Keys] = {}

    def outgoing(self, reader: int = 0, started: int = 0) -> tuple[frames.Keys, bytes]:
        """The key, published when it is first used, and its name. The process that will read it, and when that started,
        if that is known."""
        if self._own is None or self._pid != os.getpid():
            name, seed = token_bytes(frames.INSTANCE_SIZE), token_bytes(frames.SEED_SIZE)
            _sweep_once(name.hex())
            path = _path_of(name)
            _publish(path, seed + _READER.pack(reader, started))
            self._own = frames.keys(seed, 0, self.marker), name
            self._path, self._pid, self._sent, self._reader = path, os.getpid(), False, (reader, started)
        return self._own

    def incoming(self, head: bytes) -> frames.Keys | None:
        """The key whose name the frame carries, `None` if there is none: then it is no frame."""
        name = frames.instance_of(head)
        if self._own is not None and name == self._own[1]:
            return None  # thrown back at its sender
        known = self._learnt.get(name)
        if known is not None or len(self._learnt) >= MOST_PUBLISHED:
            return known
        try:
            path = _path_of(name)
        except OSError:
            return None  # without the directory there is no key, and anybody can write the marker
        content = _read(path)
        if content is None:
            return None
        seed, _, _ = content
        key = frames.keys(seed, 0, self.marker)
        if frames.head_of(key, head) is None:
            return None
        _remove(path)  # it is one connection's: nobody can show this frame to another one
        self._learnt[name] = key
        return key

    def sent(self) -> None:
        """A frame is under way: the key is its receiver's now."""
        self._sent = True

    def close(self) -> None:
        """Take back a key that nobody will read."""
        if (
            self._path
            and self._pid == os.getpid()
            and (not self._sent or _is_litter(self._path, *self._reader))
        ):
            _remove(self._path)
        self._path = ""


def _path_of(name: bytes) -> str:
    return os.path.join(system.private_directory(), name.hex() + _SUFFIX)


def _read(path: str) -> tuple[bytes, int, int] | None:
    """A key's seed, and its reader's process and start; `None` for what is no key."""
    try:
        with open(path, "rb") as file:
            content = file.read(_SIZE + 1)
    except OSError:
        return None
    if len(content) != _SIZE:
        return None
    return content[: frames.SEED_SIZE], *_READER.unpack(content[frames.SEED_SIZE :])


def _publish(path: str, content: bytes) -> None:
    """The whole key, or an error and no file: by a piece of it the receiver would know no frame."""
    number = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o600)
    try:
        try:
            written = os.write(number, content)
        finally:
            os.close(number)
        if written != len(content):
            raise named_error("ENOSPC", "publishing a key for passed descriptors", path)
    except BaseException:
        _remove(path)
        raise


def _is_litter(path: str, reader: int, started: int) -> bool:
    """Whether nobody will read the key: its reader has ended, or is not known and has had a day. The file is not
    opened, which on Windows would keep its receiver from removing it."""
    if reader:
        return system.start_time(reader) != started
    try:
        return time.time() - os.stat(path).st_mtime > _LITTER_SECONDS
    except OSError:
        return False


def _sweep_once(begin: str) -> None:
    """Once in a process: remove the keys of senders that have gone, to receivers that have; in the order of their
    names, from `begin` on. A directory that cannot be listed is no reason not to send, and a full one none to wait."""
    global _swept_by  # noqa: PLW0603
    if _swept_by == os.getpid():
        return
    _swept_by = os.getpid()
    folder = system.private_directory()
    try:
        names = sorted(filter(_FILE.fullmatch, os.listdir(folder)))
    except OSError:
        return
    first = bisect_left(names, begin)
    end = time.monotonic() + _SWEEP_SECONDS
    for name in names[first:] + names[:first]:
        if time.monotonic() >= end:
            return
        path = os.path.join(folder, name)
        # What is no whole key may be one that is being written.
        _, reader, started = _read(path) or (b"", 0, 0)
        if _is_litter(path, reader, started):
            _remove(path)


def _remove(path: str) -> None:
    """So that it is no key any more. On Windows a file that somebody has open cannot be deleted, a sweeper for one: it
    is emptied then, and has a day."""
    try:
        os.unlink(path)
    except FileNotFoundError:
        pass  # the other end has removed it
    except OSError:
        try:
            os.truncate(path, 0)
        except OSError:
            pass  # somebody of this user's has it for himself alone
