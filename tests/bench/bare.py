"""The calls that the protocol needs of the system for one emulated connection, in a row, with no library around them.

It is the floor under what any Python can reach: each call is there for one of the protocol's promises
(`docs/emulation.md`), and nothing is checked, kept or prepared for the case that it goes otherwise. Linux alone. What
must never be put here: anything of `samesock`, so that a mistake there is not repeated.
"""

from __future__ import annotations

import fcntl
import os
import socket
import struct
import tempfile
import time
from hashlib import blake2b
from hmac import compare_digest

_SIZE = 256
_READ = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_FLOCK = struct.Struct("hhqqi4x")
_GETLK, _SETLK = 36, 37  # F_OFD_GETLK, F_OFD_SETLK
_NETNS_COOKIE = 71


class Bare:
    """Both ends in one thread, as `ends.Alone`."""

    def __init__(self) -> None:
        self.path = os.path.join(tempfile.mkdtemp(prefix="ss-"), "s")
        self.file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        os.write(self.file, bytes(_SIZE))
        fcntl.fcntl(self.file, _SETLK, _FLOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, 0, 1, 0))
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.listener.setblocking(False)
        self.listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def close(self) -> None:
        """Close the listener, remove its path."""
        self.listener.close()
        os.close(self.file)
        os.unlink(self.path)
        os.rmdir(os.path.dirname(self.path))

    def connect(self, rounds: int) -> float:
        """Rounds of connect, accept and close of both ends, a second."""
        listener, server, key = self.listener, self.listener.getsockname(), bytes(32)
        probe = _FLOCK.pack(fcntl.F_RDLCK, os.SEEK_SET, 0, 1, 0)
        begun = time.perf_counter()
        for _ in range(rounds):
            client = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
            client.setblocking(False)
            file = os.open(self.path, _READ)
            os.fstat(file)
            os.pread(file, _SIZE + 1, 0)
            client.getsockopt(socket.SOL_SOCKET, _NETNS_COOKIE, 8)
            fcntl.fcntl(file, _GETLK, probe)
            client.connect_ex(server)
            client.getpeername()
            own = client.getsockname()
            fcntl.fcntl(file, _GETLK, probe)
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            nonce = os.urandom(16)
            proof = blake2b(repr(own).encode() + nonce, key=key, digest_size=32).digest()
            client.send(proof + nonce + bytes(16))
            os.close(file)
            client.setblocking(True)
            listener.setblocking(False)
            accepted, peer = listener.accept()
            hello = accepted.recv(64, socket.MSG_DONTWAIT)
            proof = blake2b(repr(peer).encode() + hello[32:48], key=key, digest_size=32).digest()
            assert compare_digest(proof, hello[:32])
            os.fstat(self.file)
            client.close()
            accepted.close()
        return rounds / (time.perf_counter() - begun)
