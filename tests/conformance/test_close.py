"""close(2), dup(2) and detach: when a connection ends, and what becomes of data under way."""

from __future__ import annotations

import errno
import select
import struct

import pytest

from conformance.raising import PATIENCE, Background, errno_of, ours_alone


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


@pytest.mark.parametrize("call", ["getsockname", "getpeername", "dup", "listen", "accept"])
def test_nothing_works_any_more(inet, call):
    """close(2): EBADF from every call on a closed socket."""
    sock = inet.tcp()
    sock.close()
    assert errno_of(getattr(sock, call)) == errno.EBADF


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
