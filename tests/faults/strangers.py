"""Connections to an emulated listener by plain TCP, with whatever one likes for a hello."""

from __future__ import annotations

import os
import random
import socket
import struct
from pathlib import Path

import samesock
from samesock.unix import hello, rendezvous
from samesock.unix.rendezvous import Record

Address = tuple[str, int]
RESET_ON_CLOSE = struct.pack("<HH" if hasattr(socket.socket, "share") else "ii", 1, 0)


def record_at(path: str) -> Record:
    """What the rendezvous file at the path says."""
    record = rendezvous.decode(Path(path).read_bytes())
    assert record is not None
    return record


def stranger(record: Record, *, source: Address | None = None) -> socket.socket:
    """A TCP connection to the listener's port."""
    tcp = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        tcp.settimeout(20)
        if source is not None:
            tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            tcp.bind(source)
        tcp.connect(("127.0.0.1", record.port))
        tcp.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    except BaseException:
        tcp.close()
        raise
    return tcp


def quiet_source() -> Address:
    """An address whose port no system gives out by itself: a second connection from there finds it free."""
    for port in random.sample(range(10_000, 30_000), 50):
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as tcp:
            try:
                tcp.bind(("127.0.0.1", port))
            except OSError:
                continue
            return "127.0.0.1", port
    raise AssertionError("50 ports in a row are taken")


def hello_of(record: Record, tcp: socket.socket, name: bytes = b"") -> bytes:
    """The hello that is right for this connection."""
    server = ("127.0.0.1", record.port)
    return hello.make(record, tcp.getsockname(), server, pid=os.getpid(), uid=0, name=name)


def close_with_reset(tcp: socket.socket) -> None:
    """Close so that no TIME_WAIT stays behind."""
    # Not the socket's own method: a Unix socket does not linger.
    socket.socket.setsockopt(tcp, socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
    tcp.close()


def was_reset(tcp: socket.socket) -> bool:
    """Whether the other end has gone with a reset; waits for it."""
    try:
        return tcp.recv(1) == b"" and False
    except ConnectionError:
        return True


def exchange(path: str, listener: samesock.socket) -> None:
    """An honest client's connect, a word to the server, a word back; accepted by the calling thread."""
    with samesock.socket(samesock.AF_UNIX) as client:
        client.settimeout(20)
        client.connect(path)
        client.sendall(b"ping")
        served, _ = listener.accept()
        with served:
            served.settimeout(20)
            assert served.recv(16) == b"ping"
            served.sendall(b"pong")
        assert client.recv(16) == b"pong"
