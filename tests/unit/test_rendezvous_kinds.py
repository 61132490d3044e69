"""The type of socket in a rendezvous file and in a hello: pure."""

from __future__ import annotations

import hashlib
import socket

import pytest

from samesock.unix import hello, rendezvous
from samesock.unix.rendezvous import Record

KINDS = (socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_SEQPACKET)


def record(kind: int) -> Record:
    """A record of a socket of that type."""
    return rendezvous.new(port=7, pid=1, realm=bytes(8), name=b"/n", start=2, cookie=3, kind=kind)


@pytest.mark.parametrize("kind", KINDS)
def test_the_type_is_in_the_file(kind: int) -> None:
    """A record says of which type its socket is, by a number that is the same on every system."""
    made = record(kind)
    encoded = rendezvous.encode(made)
    assert encoded[189] == KINDS.index(kind)
    assert rendezvous.decode(encoded) == made


def test_a_type_that_nobody_knows_is_no_record() -> None:
    """A file that says a type of a later version is none, and so refuses."""
    body = bytearray(rendezvous.encode(record(socket.SOCK_STREAM))[:224])
    body[189] = 3
    assert rendezvous.decode(bytes(body) + hashlib.sha256(body).digest()) is None


def test_a_hello_is_for_one_type() -> None:
    """A hello that was made for packets is none at a stream, all else being equal."""
    packets = record(socket.SOCK_SEQPACKET)
    stream = packets._replace(kind=socket.SOCK_STREAM)
    client, listener = ("127.0.0.1", 1), ("127.0.0.1", 7)
    said = hello.make(packets, client, listener, pid=1, uid=2, name=b"")
    assert hello.check(packets, client, listener, said) is not None
    assert hello.check(stream, client, listener, said) is None
