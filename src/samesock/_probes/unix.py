"""Probes of Unix sockets. What must never be put here: what does not need AF_UNIX."""

from __future__ import annotations

import contextlib
import os
import secrets
import socket as _stdlib
from collections.abc import Iterator
from typing import cast

from samesock import _socket
from samesock._family import AF_UNIX
from samesock._probes import SECONDS, Support, short_folder


@contextlib.contextmanager
def _unix(kind: int) -> Iterator[_socket.socket]:
    with _socket.socket(AF_UNIX, kind) as sock:
        sock.settimeout(SECONDS)
        yield sock


@contextlib.contextmanager
def _met_at(name: str, kind: int = _stdlib.SOCK_STREAM) -> Iterator[tuple[_socket.socket, _socket.socket]]:
    """A client and the server's end of its connection, which met at that name."""
    with _unix(kind) as listener:
        listener.bind(name)
        listener.listen(1)
        with _unix(kind) as client:
            client.connect(name)
            accepted, _ = listener.accept()
            with accepted as server:
                server.settimeout(SECONDS)
                yield client, server


def _echoed(client: _socket.socket, server: _socket.socket) -> Support:
    """The word for a connection over which two messages get across, and the answer back."""
    client.sendall(b"?")
    asked = server.recv(1)
    server.sendall(b"!")
    return _word_of(client) if (asked, client.recv(1)) == (b"?", b"!") else "absent"


def _word_of(sock: _socket.socket) -> Support:
    return cast(Support, sock.transport)


def unix_stream() -> Support:
    """A listener at a path, a connection to it, a byte each way."""
    with short_folder() as folder, _met_at(os.path.join(folder, "s")) as (client, server):
        return _echoed(client, server)


def unix_dgram() -> Support:
    """A datagram between two paths: what `recvfrom` gives, and from whom."""
    with short_folder() as folder, _unix(_stdlib.SOCK_DGRAM) as one, _unix(_stdlib.SOCK_DGRAM) as other:
        here, there = os.path.join(folder, "1"), os.path.join(folder, "2")
        one.bind(here)
        other.bind(there)
        one.sendto(b"?", there)
        return _word_of(other) if other.recvfrom(9) == (b"?", here) else "absent"


def unix_seqpacket() -> Support:
    """Two messages over one connection, which come out as two."""
    kind = getattr(_stdlib, "SOCK_SEQPACKET", None)
    if kind is None:
        return "absent"
    with short_folder() as folder, _met_at(os.path.join(folder, "s"), kind) as (client, server):
        client.send(b"one")
        client.send(b"two")
        return _word_of(server) if [server.recv(9), server.recv(9)] == [b"one", b"two"] else "absent"


def unix_abstract() -> Support:
    """A connection to a name that no file has."""
    with _met_at(f"\0samesock-{secrets.token_hex(8)}") as (client, server):
        return _echoed(client, server)


def socketpair() -> Support:
    """A pair of Unix sockets, a byte each way."""
    one, other = _socket.socketpair()
    with one, other:
        one.settimeout(SECONDS)
        other.settimeout(SECONDS)
        return _echoed(one, other) if one.family == AF_UNIX else "absent"


def peercred() -> Support:
    """This very process as the peer of a Unix socket; a wrong answer counts as none."""
    from samesock.unix import peers

    with short_folder() as folder, _met_at(os.path.join(folder, "s")) as (_, server):
        who = peers.peercred(server)
    if who.pid not in (None, os.getpid()) or (who.pid, who.uid, who.sid) == (None, None, None):
        return "absent"
    return "native" if who.trust == "kernel" else "emulated"
