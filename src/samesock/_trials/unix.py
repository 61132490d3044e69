"""Trials of Unix sockets: both halves of each, the doctor's first, then the child's.

What must never be put here: what does not need AF_UNIX.
"""

from __future__ import annotations

import base64
import os
import secrets
from typing import Any, cast

import samesock
from samesock import AF_INET, AF_UNIX, SOCK_DGRAM, SOCK_STREAM
from samesock._probes import Support
from samesock._trials import MEBIBYTE, Absent, Bench, Shown, digest, equal
from samesock._trials.child import Wire

_MESSAGES = [bytes([n]) * (n * 60) for n in range(1, 17)]
"""Sixteen of different lengths; macOS takes datagrams of up to 2,048 bytes."""

_PAIRS = list(zip(_MESSAGES[::2], _MESSAGES[1::2], strict=True))
"""Two are under way at a time: what becomes of more than a queue takes is not this trial's matter. Linux takes 11,
macOS 4,096 bytes; PyPy then raises BlockingIOError for a sender that is not connected, whatever its time-out."""


def unix_stream(bench: Bench) -> Shown:
    """A child serves at a path."""
    path = bench.path("stream")
    with samesock.socket(AF_UNIX, SOCK_STREAM) as client:
        client.settimeout(bench.seconds)
        child = bench.child(serve_digest, family=int(AF_UNIX), address=path)
        child.told()
        client.connect(path)
        equal(client.getpeername(), path, "the peer's name")
        exchange(client, os.urandom(MEBIBYTE))
        word = word_of(client)
    return Shown(word, "a child served at a path: SHA-256 of 1 MiB is equal at both ends")


def serve_digest(wire: Wire, family: int, address: Any) -> None:
    """Take one connection and answer with the digest of all that comes."""
    with samesock.socket(family, SOCK_STREAM) as listener:
        listener.settimeout(wire.seconds)
        listener.bind(tuple(address) if isinstance(address, list) else address)
        listener.listen(1)
        wire.tell(address=listener.getsockname() if family != AF_UNIX else "")
        accept_and_answer(listener, wire.seconds)


def accept_and_answer(listener: samesock.socket, seconds: float) -> None:
    """One connection's part of `serve_digest`."""
    accepted, _ = listener.accept()
    with accepted:
        accepted.settimeout(seconds)
        accepted.sendall(digest(received(accepted)).encode())


def received(sock: Any) -> bytes:
    """Everything up to the end of the stream."""
    data = bytearray()
    while chunk := sock.recv(65536):
        data += chunk
    return bytes(data)


def exchange(sock: Any, data: bytes, sent: int = 0) -> None:
    """Send the data, less what was sent already, end the stream, and compare the digest that comes back."""
    sock.sendall(memoryview(data)[sent:])
    sock.shutdown(samesock.SHUT_WR)
    equal(received(sock).decode(), digest(data), f"SHA-256 of {len(data)} bytes")


def word_of(sock: Any) -> Support:
    """Who carries this Unix socket."""
    return cast(Support, sock.transport)


def families() -> list[int]:
    """The families of stream sockets that there are: TCP's, and AF_UNIX unless the system refuses it."""
    try:
        samesock.socket(AF_UNIX, SOCK_STREAM).close()
    except OSError:
        return [int(AF_INET)]
    return [int(AF_UNIX), int(AF_INET)]


def name_of(family: int) -> str:
    """What the table calls a stream socket of the family."""
    return "AF_UNIX" if family == AF_UNIX else "TCP"


def unix_dgram(bench: Bench) -> Shown:
    """Datagrams between two bound paths."""
    with samesock.socket(AF_UNIX, SOCK_DGRAM) as sock:
        sock.settimeout(bench.seconds)
        here, there = bench.path("here"), bench.path("there")
        sock.bind(here)
        bench.child(answer_datagrams, path=there).told()
        for pair in _PAIRS:
            for message in pair:
                sock.sendto(message, there)
            equal(
                sock.recvfrom(100),
                (digest(repr(pair).encode()).encode(), there),
                "the answer to two datagrams, and its sender",
            )
        return Shown(
            word_of(sock), "16 datagrams to a child's path came as sent; its answers came from that path"
        )


def answer_datagrams(wire: Wire, path: str) -> None:
    """Answer each two datagrams with one, to the path of whoever sent the second."""
    with samesock.socket(AF_UNIX, SOCK_DGRAM) as sock:
        sock.settimeout(wire.seconds)
        sock.bind(path)
        wire.tell(ready=True)
        for _ in _PAIRS:
            (first, _), (second, sender) = sock.recvfrom(4096), sock.recvfrom(4096)
            sock.sendto(digest(repr((first, second)).encode()).encode(), sender)
        wire.told()


def unix_seqpacket(bench: Bench) -> Shown:
    """Messages over a connection."""
    kind = getattr(samesock, "SOCK_SEQPACKET", None)
    if kind is None:
        raise Absent("this system has no SOCK_SEQPACKET")
    path = bench.path("seqpacket")
    with samesock.socket(AF_UNIX, kind) as client:
        client.settimeout(bench.seconds)
        child = bench.child(tell_messages, path=path, kind=int(kind))
        child.told()
        client.connect(path)
        for message in _MESSAGES:
            client.send(message)
        equal(child.told()["digest"], digest(repr(_MESSAGES).encode()), "the messages")
        return Shown(word_of(client), "16 messages over one connection came out of a child's as 16")


def tell_messages(wire: Wire, path: str, kind: int) -> None:
    """Take one connection, and tell what came in which portions."""
    with samesock.socket(AF_UNIX, kind) as listener:
        listener.settimeout(wire.seconds)
        listener.bind(path)
        listener.listen(1)
        wire.tell(ready=True)
        accepted, _ = listener.accept()
        with accepted:
            accepted.settimeout(wire.seconds)
            wire.tell(digest=digest(repr([accepted.recv(4096) for _ in _MESSAGES]).encode()))


def unix_abstract(bench: Bench) -> Shown:
    """A name without a file."""
    name = f"\0samesock-{secrets.token_hex(8)}"
    with samesock.socket(AF_UNIX, SOCK_STREAM) as listener:
        listener.settimeout(bench.seconds)
        try:
            listener.bind(name)
        except OSError as error:
            raise Absent(f"binding one is refused: {error.strerror}") from error
        listener.listen(1)
        child = bench.child(send_blob, address=name)
        accept_and_answer(listener, bench.seconds)
        child.told()
        return Shown(
            word_of(listener), "a child connected to a name without a file: 1 MiB crossed, SHA-256 equal"
        )


def send_blob(wire: Wire, address: str) -> None:
    """Connect, send 1 MiB, compare the digest."""
    with samesock.socket(AF_UNIX, SOCK_STREAM) as sock:
        sock.settimeout(wire.seconds)
        sock.connect(address)
        exchange(sock, os.urandom(MEBIBYTE))
    wire.tell(equal=True)


def socketpair(bench: Bench) -> Shown:
    """One end of a pair stays, the other goes to a child."""
    one, other = samesock.socketpair()
    with one:
        with other:
            equal(one.family, AF_UNIX, "the pair's family")
            share = getattr(other, "share", None)
            child = bench.child(
                answer_on_pair, popen={} if share is not None else {"pass_fds": [other.fileno()]}
            )
            if share is not None:
                child.tell(share=base64.b64encode(share(child.pid)).decode())
            else:
                child.tell(number=other.fileno())
            child.told()
        one.settimeout(bench.seconds)
        exchange(one, os.urandom(MEBIBYTE))
        return Shown(word_of(one), "one end went to a child: 1 MiB crossed, SHA-256 equal")


def answer_on_pair(wire: Wire) -> None:
    """Answer on the socket that comes."""
    with wire.socket(AF_UNIX, SOCK_STREAM) as sock:
        sock.settimeout(wire.seconds)
        wire.tell(ready=True)
        sock.sendall(digest(received(sock)).encode())


def peercred(bench: Bench) -> Shown:
    """Both ends of a connection are asked for the other."""
    path = bench.path("peer")
    with samesock.socket(AF_UNIX, SOCK_STREAM) as listener:
        listener.settimeout(bench.seconds)
        listener.bind(path)
        listener.listen(1)
        child = bench.child(name_peer, path=path)
        accepted, _ = listener.accept()
        with accepted:
            client = samesock.peercred(accepted)
            server = child.told()
    if (client.pid, client.uid, client.sid) == (None, None, None):
        raise Absent("nothing can be found out about the peer")
    uid = getattr(os, "getuid", lambda: None)()
    for who, pid in ((client._asdict(), child.pid), (server, os.getpid())):
        if who["pid"] is not None:
            equal(who["pid"], pid, "the peer's pid")
        if who["uid"] is not None:
            equal(who["uid"], uid, "the peer's uid")
    known = [name for name in ("pid", "uid", "sid") if getattr(client, name) is not None]
    return Shown(
        "native" if client.trust == "kernel" else "emulated",
        f"the peer's {' and '.join(known)} right at both ends of a child's connection; trust: {client.trust}",
    )


def name_peer(wire: Wire, path: str) -> None:
    """Connect and say who serves."""
    with samesock.socket(AF_UNIX, SOCK_STREAM) as sock:
        sock.settimeout(wire.seconds)
        sock.connect(path)
        wire.tell(**samesock.peercred(sock)._asdict())
        sock.recv(1)
