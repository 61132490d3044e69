"""close(2), dup(2) and detach: when a connection ends, and what becomes of data under way."""

from __future__ import annotations

import errno
import os
import select
import struct
from collections.abc import Callable
from typing import Any

import pytest

from conformance.raising import PATIENCE, Background, errno_of, names, ours_alone


def test_the_peer_sees_the_end(inet):
    """close(2) of the last descriptor ends the stream for the peer."""
    made = inet.connection()
    made.client.close()
    assert made.server.recv(1) == b""


def test_what_was_sent_arrives(inet):
    """close(2): what was sent before arrives, also if much of it was still under way."""
    made = inet.connection()
    sent = inet.fill(made.client)
    made.client.close()
    assert inet.drain(made.server) == sent


def test_what_was_sent_arrives_with_linger(net, inet):
    """socket(7): with SO_LINGER close(2) waits for the peer, and all that was sent arrives."""
    made = inet.connection()
    made.client.setsockopt(
        net.SOL_SOCKET, net.SO_LINGER, struct.pack("ii", 1, 2)
    )  # Wine's server waits so long itself
    sent = inet.fill(made.client)
    reading = Background(inet.drain, made.server)
    Background(made.client.close).result()
    assert reading.result() == sent


def test_a_closed_socket_has_no_number(inet):
    """close(): fileno() is -1 afterwards, and the object says that it is closed."""
    sock = inet.tcp()
    assert sock.fileno() >= 0
    sock.close()
    assert sock.fileno() == -1
    assert "closed" in repr(sock)


def test_closing_twice(inet):
    """close() of a closed socket does nothing, and closes nobody else's descriptor."""
    first = inet.tcp()
    first.close()
    second = inet.tcp()
    first.close()
    assert second.getsockopt(inet.net.SOL_SOCKET, inet.net.SO_TYPE) == inet.net.SOCK_STREAM


def test_with_closes(net):
    """close(2): a socket in a with statement is closed at its end (PEP 343)."""
    with net.socket() as sock:
        assert sock.fileno() >= 0
    assert sock.fileno() == -1


def test_a_duplicate_keeps_the_connection(inet):
    """dup(2): the stream ends for the peer when the last duplicate is closed, and no sooner."""
    made = inet.connection()
    copy = inet.keep(made.client.dup())
    made.client.close()
    assert select.select([made.server], [], [], 0.05)[0] == []
    copy.sendall(b"x")
    assert made.server.recv(1) == b"x"
    copy.close()
    assert made.server.recv(1) == b""


def test_a_duplicate_is_the_same_socket(net, inet):
    """dup(2): a duplicate has the same names and options, and another number."""
    made = inet.connection()
    copy = inet.keep(made.client.dup())
    assert type(copy) is net.socket
    assert copy.fileno() != made.client.fileno()
    assert (copy.getsockname(), copy.getpeername()) == (
        made.client.getsockname(),
        made.client.getpeername(),
    )
    copy.setsockopt(net.IPPROTO_TCP, net.TCP_NODELAY, 1)
    assert made.client.getsockopt(net.IPPROTO_TCP, net.TCP_NODELAY) != 0


def test_a_file_keeps_the_connection(inet):
    """makefile(): the connection stays open until socket and file are both closed."""
    made = inet.connection()
    file = made.client.makefile("rwb")
    made.client.close()
    file.write(b"x")
    file.flush()
    assert made.server.recv(1) == b"x"
    file.close()
    assert made.server.recv(1) == b""


def test_detach(net, inet):
    """detach() gives the descriptor away, open: another object may take it (socket(2))."""
    made = inet.connection()
    number = made.client.detach()
    assert made.client.fileno() == -1
    made.client.close()
    with net.socket(fileno=number) as again:
        assert again.fileno() == number
        again.sendall(b"x")
        assert made.server.recv(1) == b"x"


def test_a_descriptor_is_recognised(net, inet):
    """socket(fileno=n) finds out family, type and protocol (socket(7), SO_DOMAIN, SO_TYPE)."""
    for sock in (inet.tcp(), inet.bound_udp()):
        kind = sock.type
        with net.socket(fileno=sock.detach()) as again:
            assert (again.family, again.type) == (net.AF_INET, kind)


def test_the_number_of_nothing(net, inet):
    """close(2) and dup(2): EBADF for a number that is no open descriptor."""
    sock = net.socket()
    number = sock.detach()
    net.close(number)
    for wrong in (number, -1, 2**31 - 4):
        assert errno_of(net.close, wrong) == errno.EBADF
        assert errno_of(net.dup, wrong) == errno.EBADF


def test_the_number_of_a_file(net, tmp_path):
    """close(2) and dup(2) take any descriptor, a file's too."""
    number = os.open(tmp_path / "file", os.O_RDWR | os.O_CREAT)
    copy = net.dup(number)
    os.write(copy, b"x")
    assert os.fstat(number).st_size == 1
    for one in (number, copy):
        net.close(one)
        with pytest.raises(OSError) as caught:
            os.fstat(one)
        assert caught.value.errno == errno.EBADF


def test_the_number_of_a_socket(net, inet):
    """dup(2): the socket of the second number is the same one; close(2) of the first leaves it."""
    made = inet.connection()
    number = made.client.detach()
    copy = inet.keep(net.socket(fileno=net.dup(number)))
    net.close(number)
    copy.send(b"x")
    assert made.server.recv(1) == b"x"


def test_fromfd_duplicates(net, inet):
    """fromfd() gives a socket for a duplicate; the descriptor stays open (dup(2))."""
    made = inet.connection()
    copy = inet.keep(net.fromfd(made.client.fileno(), net.AF_INET, net.SOCK_STREAM))
    assert copy.fileno() != made.client.fileno()
    copy.close()
    made.client.sendall(b"x")
    assert made.server.recv(1) == b"x"


def test_closing_a_number(net, inet):
    """socket.close(n) closes a descriptor that was detached (close(2))."""
    made = inet.connection()
    net.close(made.client.detach())
    assert made.server.recv(1) == b""


def test_closing_with_data_unread(inet):
    """tcp(7), RFC 2525: closing while data are unread resets the connection: the peer learns that they are lost."""
    made = inet.connection()
    made.client.sendall(b"unread")
    select.select([made.server], [], [], PATIENCE)
    made.server.close()
    assert errno_of(made.client.recv, 1) == errno.ECONNRESET


def test_closing_without_lingering(net, inet):
    """socket(7): SO_LINGER with a time of 0 resets the connection at close(2): the peer sees ECONNRESET."""
    made = inet.connection()
    made.client.setsockopt(net.SOL_SOCKET, net.SO_LINGER, struct.pack("ii", 1, 0))
    made.client.close()
    select.select([made.server], [], [], PATIENCE)
    assert errno_of(made.server.recv, 1) == errno.ECONNRESET


def test_a_nonblocking_close_loses_nothing(inet):
    """close(2) of a non-blocking socket does not wait, and what was sent arrives."""
    made = inet.connection()
    made.client.setblocking(False)
    made.client.send(b"x" * 50_000)
    made.client.close()
    assert inet.drain(made.server) == 50_000


def test_the_others_go_on(inet):
    """close(2) of an accepted socket leaves the listener and its other connections alone."""
    listener = inet.listener()
    first, second = inet.client(listener), inet.client(listener)
    one, _ = inet.accept(listener)
    other, _ = inet.accept(listener)
    one.close()
    assert first.recv(1) == b""
    other.sendall(b"x")
    assert second.recv(1) == b"x"
    inet.client(listener)
    inet.accept(listener)


def test_connections_outlive_their_listener(inet):
    """close(2) of a listener leaves its accepted connections alone."""
    made = inet.connection()
    made.listener.close()
    made.client.sendall(b"x")
    assert made.server.recv(1) == b"x"


EVERY_CALL: dict[str, Callable[[Any, Any], Any]] = {
    "accept": lambda net, sock: sock.accept(),
    "bind": lambda net, sock: sock.bind(("127.0.0.1", 0)),
    "connect": lambda net, sock: sock.connect(("127.0.0.1", 9)),
    "dup": lambda net, sock: sock.dup(),
    "get_inheritable": lambda net, sock: sock.get_inheritable(),
    "getpeername": lambda net, sock: sock.getpeername(),
    "getsockname": lambda net, sock: sock.getsockname(),
    "getsockopt": lambda net, sock: sock.getsockopt(net.SOL_SOCKET, net.SO_TYPE),
    "getsockopt of SO_ERROR": lambda net, sock: sock.getsockopt(net.SOL_SOCKET, net.SO_ERROR),
    "getsockopt of SO_REUSEADDR": lambda net, sock: sock.getsockopt(net.SOL_SOCKET, net.SO_REUSEADDR),
    "getsockopt of SO_LINGER": lambda net, sock: sock.getsockopt(net.SOL_SOCKET, net.SO_LINGER, 8),
    "listen": lambda net, sock: sock.listen(),
    "recv": lambda net, sock: sock.recv(1),
    "recv with MSG_DONTWAIT": lambda net, sock: sock.recv(1, net.MSG_DONTWAIT),
    "recv with MSG_OOB": lambda net, sock: sock.recv(1, net.MSG_OOB),
    "recv with MSG_PEEK": lambda net, sock: sock.recv(1, net.MSG_PEEK),
    "recv with MSG_WAITALL": lambda net, sock: sock.recv(1, net.MSG_WAITALL),
    "recv_into": lambda net, sock: sock.recv_into(bytearray(1)),
    "recvfrom": lambda net, sock: sock.recvfrom(1),
    "recvfrom_into": lambda net, sock: sock.recvfrom_into(bytearray(1)),
    "recvmsg": lambda net, sock: sock.recvmsg(1),
    "recvmsg_into": lambda net, sock: sock.recvmsg_into([bytearray(1)]),
    "recv_fds": lambda net, sock: net.recv_fds(sock, 1, 1),
    "send": lambda net, sock: sock.send(b"x"),
    "send of nothing": lambda net, sock: sock.send(b""),
    "send with MSG_DONTWAIT": lambda net, sock: sock.send(b"x", net.MSG_DONTWAIT),
    "sendall": lambda net, sock: sock.sendall(b"x"),
    "sendall of 5 MiB": lambda net, sock: sock.sendall(bytes(5 << 20)),
    "send_fds": lambda net, sock: net.send_fds(sock, [b"x"], [0]),
    "sendmsg": lambda net, sock: sock.sendmsg([b"x"]),
    "sendto": lambda net, sock: sock.sendto(b"x", ("127.0.0.1", 9)),
    "set_inheritable": lambda net, sock: sock.set_inheritable(False),
    "set_inheritable of True": lambda net, sock: sock.set_inheritable(True),
    "setblocking": lambda net, sock: sock.setblocking(False),
    "setblocking of True": lambda net, sock: sock.setblocking(True),
    "setsockopt": lambda net, sock: sock.setsockopt(net.SOL_SOCKET, net.SO_SNDBUF, 9999),
    "setsockopt of SO_LINGER": lambda net, sock: sock.setsockopt(net.SOL_SOCKET, net.SO_LINGER, bytes(8)),
    "setsockopt of SO_REUSEADDR": lambda net, sock: sock.setsockopt(net.SOL_SOCKET, net.SO_REUSEADDR, 1),
    "settimeout": lambda net, sock: sock.settimeout(1.5),
    "settimeout of 0": lambda net, sock: sock.settimeout(0),
    "settimeout of None": lambda net, sock: sock.settimeout(None),
    "shutdown": lambda net, sock: sock.shutdown(net.SHUT_RDWR),
}
"""Every method that asks the system something."""


@pytest.mark.parametrize("mode", [None, 2.5, 0.0])
@pytest.mark.parametrize("kind", ["tcp", "udp"])
@pytest.mark.parametrize("call", EVERY_CALL)
def test_nothing_works_any_more(net, inet, call, kind, mode):
    """close(2): EBADF from every call on a closed socket, whether it blocked, had a time-out or did not block."""
    sock = getattr(inet, kind)()
    sock.settimeout(mode)
    sock.close()
    assert errno_of(EVERY_CALL[call], net, sock) == errno.EBADF


@names("share", "ioctl")
@pytest.mark.parametrize("call", ["share", "ioctl"])
def test_nor_does_what_windows_adds(inet, call):
    """close(2): EBADF, also from the methods that sockets have on Windows alone."""
    sock = inet.tcp()
    sock.close()
    arguments = (os.getpid(),) if call == "share" else (inet.net.SIO_KEEPALIVE_VALS, (0, 0, 0))
    assert errno_of(getattr(sock, call), *arguments) == errno.EBADF


def test_what_can_still_be_asked(net, inet):
    """close(): what the object itself knows it still tells: no system call is made (CPython)."""
    sock = inet.tcp()
    sock.settimeout(2.5)
    sock.close()
    assert (sock.family, sock.type, sock.fileno()) == (net.AF_INET, net.SOCK_STREAM, -1)
    assert (sock.gettimeout(), sock.timeout, sock.getblocking()) == (2.5, 2.5, True)
    assert sock.recv(0) == b""
    assert sock.recv_into(bytearray()) == 0
    assert sock.detach() == -1


@pytest.mark.needs("wake")
@ours_alone
def test_closing_wakes_a_reader(inet):
    """close(wake=True) ends a recv(2) that blocks in another thread: no bytes, or ECONNABORTED."""
    made = inet.connection()
    made.client.settimeout(None)
    call = Background(made.client.recv, 1)
    assert call.running(0.1)
    made.client.close(wake=True)
    try:
        assert call.result() == b""
    except OSError as error:
        assert error.errno == errno.ECONNABORTED


@pytest.mark.needs("wake")
@ours_alone
def test_closing_wakes_accept(inet):
    """close(wake=True) ends an accept(2) that blocks in another thread: ECONNABORTED."""
    listener = inet.listener()
    listener.settimeout(None)
    call = Background(listener.accept)
    assert call.running(0.1)
    listener.close(wake=True)
    assert errno_of(call.result) == errno.ECONNABORTED
