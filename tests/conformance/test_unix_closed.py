"""A closed Unix socket, and one whose peer has gone: what each method says of it."""

from __future__ import annotations

import errno
import time
from typing import Any

import pytest

from conformance.raising import errno_of, names

pytestmark = [pytest.mark.needs("unix-seqpacket", "unix-dgram"), names("SOCK_SEQPACKET")]


@pytest.fixture(params=["SOCK_STREAM", "SOCK_SEQPACKET", "SOCK_DGRAM"])
def closed(request: pytest.FixtureRequest, unix: Any) -> Any:
    """A closed Unix socket of each type."""
    sock = unix.socket(getattr(unix.net, request.param))
    sock.close()
    return sock


def test_options_of_a_closed_one(closed: Any, net: Any) -> None:
    """getsockopt(2) and setsockopt(2): EBADF for a closed socket, whatever the option."""
    for option in (net.SO_TYPE, net.SO_ACCEPTCONN, net.SO_REUSEADDR, net.SO_SNDBUF, net.SO_LINGER):
        assert errno_of(closed.getsockopt, net.SOL_SOCKET, option) == errno.EBADF
    for option in (net.SO_REUSEADDR, net.SO_KEEPALIVE, net.SO_SNDBUF):
        assert errno_of(closed.setsockopt, net.SOL_SOCKET, option, 1) == errno.EBADF
    assert errno_of(closed.setsockopt, net.IPPROTO_TCP, net.TCP_NODELAY, 1) == errno.EBADF


def test_messages_of_a_closed_one(closed: Any, net: Any, unix: Any) -> None:
    """send(2), recv(2) and their relatives: EBADF for a closed socket."""
    calls = [
        (closed.send, b"x"),
        (closed.sendmsg, [b"x"]),
        (closed.sendto, b"x", unix.path()),
        (closed.recv, 1),
        (closed.recvfrom, 1),
        (closed.recvmsg, 1),
        (closed.recvmsg, 1, 100),
        (closed.recvmsg_into, [bytearray(1)]),
    ]
    for call, *arguments in calls:
        assert errno_of(call, *arguments) == errno.EBADF, call


def test_modes_of_a_closed_one(closed: Any) -> None:
    """fcntl(2) and ioctl(2): EBADF for a closed socket."""
    for value in (None, 0, 1.5):
        assert errno_of(closed.settimeout, value) == errno.EBADF
    for flag in (False, True):
        assert errno_of(closed.setblocking, flag) == errno.EBADF
        assert errno_of(closed.set_inheritable, flag) == errno.EBADF
    assert errno_of(closed.get_inheritable) == errno.EBADF


@pytest.mark.parametrize("how", ["closed", "detached"])
def test_addresses_of_a_closed_one(closed: Any, unix: Any, how: str) -> None:
    """bind(2), connect(2), accept(2) and their relatives: EBADF for a closed socket, and for one whose number was given
    away."""
    sock = closed
    if how == "detached":
        sock = unix.socket(closed.type)
        unix.net.close(sock.detach())
    for call, *arguments in (
        (sock.getsockname,),
        (sock.getpeername,),
        (sock.bind, unix.path()),
        (sock.listen,),
        (sock.accept,),
        (sock.connect, unix.path()),
        (sock.shutdown, unix.net.SHUT_RDWR),
        (sock.dup,),
    ):
        assert errno_of(call, *arguments) == errno.EBADF, call
    assert sock.connect_ex(unix.path()) == errno.EBADF


def test_the_end_has_no_sender(unix: Any) -> None:
    """recvmsg(2) and recvmsg_into(2) name the peer beside bytes, and nobody at the end of the stream (Linux)."""
    listener = unix.listener()
    client = unix.client()
    server, _ = unix.accept(listener)
    server.sendall(b"xy")
    assert client.recvmsg(1)[3] == listener.getsockname()
    assert client.recvmsg_into([bytearray(1)])[3] == listener.getsockname()
    server.close()
    assert client.recvmsg(1) == (b"", [], 0, None)
    assert client.recvmsg_into([bytearray(1)]) == (0, [], 0, None)


def test_too_many_buffers(unix: Any) -> None:
    """sendmsg(2) and recvmsg(2): EMSGSIZE for more than IOV_MAX buffers, which is 1,024 at the least everywhere."""
    one, other = unix.pair(unix.net.SOCK_STREAM)
    other.send(b"x")
    assert errno_of(one.sendmsg, [b"x"] * 1025) == errno.EMSGSIZE
    assert errno_of(one.recvmsg_into, [bytearray(1) for _ in range(1025)]) == errno.EMSGSIZE
    assert one.sendmsg([b"x"] * 1024) == 1024


def test_sending_to_whoever_has_gone(unix: Any) -> None:
    """send(2) on a Unix stream whose peer has gone is EPIPE in the end, and never another error."""
    one, other = unix.pair(unix.net.SOCK_STREAM)
    other.close()
    seen = []
    for _ in range(200):
        try:
            one.send(b"x")
        except OSError as error:
            seen.append(error.errno)
        if len(seen) == 3:
            break
        time.sleep(0.01)
    assert seen == [errno.EPIPE] * 3
