"""shutdown(2) of Internet streams."""

from __future__ import annotations

import errno
import select

import pytest

from conformance.raising import PATIENCE, Background, errno_of


def test_shutting_the_sending_half(net, inet):
    """shutdown(2): after SHUT_WR the peer gets all that was sent, and then the end of the stream."""
    made = inet.connection()
    made.client.sendall(b"x" * 100_000)
    made.client.shutdown(net.SHUT_WR)
    assert inet.drain(made.server) == 100_000


def test_the_other_direction_goes_on(net, inet):
    """shutdown(2): after SHUT_WR the socket still receives, as request and answer need it."""
    made = inet.connection()
    made.client.sendall(b"question")
    made.client.shutdown(net.SHUT_WR)
    with made.server.makefile("rb") as file:
        assert file.read() == b"question"
    made.server.sendall(b"answer")
    made.server.close()
    with made.client.makefile("rb") as file:
        assert file.read() == b"answer"


def test_shutting_both_halves(net, inet):
    """shutdown(2): after SHUT_RDWR the peer is at the end, and so is the socket itself."""
    made = inet.connection()
    made.client.shutdown(net.SHUT_RDWR)
    assert made.server.recv(1) == b""
    assert made.client.recv(1) == b""
    assert errno_of(made.client.send, b"x") == errno.EPIPE


def test_shutting_the_receiving_half(net, inet):
    """shutdown(2): after SHUT_RD the socket is at the end, and still sends."""
    made = inet.connection()
    made.client.shutdown(net.SHUT_RD)
    assert made.client.recv(1) == b""
    made.client.sendall(b"still")
    assert made.server.recv(10) == b"still"


def test_the_peer_of_a_deaf_socket_may_go_on(net, inet):
    """shutdown(2): SHUT_RD does not end the connection for the peer, which may send and receive on (Linux)."""
    made = inet.connection()
    made.client.shutdown(net.SHUT_RD)
    made.server.sendall(b"unheard")
    select.select([made.client], [], [], 0.1)
    made.client.sendall(b"still")
    assert made.server.recv(10) == b"still"


@pytest.mark.parametrize("how", ["SHUT_RD", "SHUT_WR", "SHUT_RDWR"])
def test_no_connection(net, inet, how):
    """shutdown(2): ENOTCONN for a stream socket that is not connected."""
    assert errno_of(inet.tcp().shutdown, getattr(net, how)) == errno.ENOTCONN


def test_a_direction_that_is_none(inet):
    """shutdown(2): EINVAL for a direction that does not exist."""
    assert errno_of(inet.connection().client.shutdown, 7) == errno.EINVAL


def test_shutting_twice(net, inet):
    """shutdown(2): what is shut may be shut again while the connection lasts."""
    made = inet.connection()
    made.client.shutdown(net.SHUT_WR)
    made.client.shutdown(net.SHUT_WR)
    made.server.sendall(b"x")
    assert made.client.recv(1) == b"x"


def test_shutting_one_half_after_the_other(net, inet):
    """shutdown(2): SHUT_RD and then SHUT_WR come to SHUT_RDWR."""
    made = inet.connection()
    made.client.shutdown(net.SHUT_RD)
    made.client.shutdown(net.SHUT_WR)
    assert made.server.recv(1) == b""
    assert made.client.recv(1) == b""


def test_a_closed_socket(net, inet):
    """shutdown(2): EBADF for a closed socket."""
    made = inet.connection()
    made.client.close()
    assert errno_of(made.client.shutdown, net.SHUT_RDWR) == errno.EBADF


@pytest.mark.parametrize("how", ["SHUT_RD", "SHUT_RDWR"])
def test_a_reader_wakes(net, inet, how):
    """shutdown(2): a recv(2) that blocks in another thread gives no bytes at once."""
    made = inet.connection()
    made.client.settimeout(None)
    call = Background(made.client.recv, 1)
    assert call.running(0.1)
    made.client.shutdown(getattr(net, how))
    assert call.result() == b""


def test_a_reader_with_a_timeout_wakes(net, inet):
    """shutdown(2): so does one that has a time-out."""
    made = inet.connection()
    made.client.settimeout(PATIENCE * 2)
    call = Background(made.client.recv, 1)
    assert call.running(0.1)
    made.client.shutdown(net.SHUT_RDWR)
    assert call.result() == b""


def test_a_writer_wakes(net, inet):
    """shutdown(2): a send(2) that blocks in another thread for want of room is EPIPE."""
    made = inet.connection()
    inet.fill(made.client)
    made.client.settimeout(None)
    call = Background(made.client.sendall, b"x" * 10_000_000)
    assert call.running(0.1)
    made.client.shutdown(net.SHUT_RDWR)
    assert errno_of(call.result) == errno.EPIPE


def test_accept_wakes(net, inet):
    """shutdown(2) on Linux: an accept(2) that blocks in another thread is EINVAL."""
    listener = inet.listener()
    listener.settimeout(None)
    call = Background(listener.accept)
    assert call.running(0.1)
    listener.shutdown(net.SHUT_RD)
    assert errno_of(call.result) == errno.EINVAL


def test_a_shut_listener_refuses(net, inet):
    """shutdown(2) on Linux: nobody connects any more to a listener that is shut: ECONNREFUSED."""
    listener = inet.listener()
    listener.shutdown(net.SHUT_RDWR)
    assert errno_of(inet.tcp().connect, listener.getsockname()) == errno.ECONNREFUSED


def test_duplicates_are_shut_as_well(net, inet):
    """shutdown(2) is about the connection: a duplicate of the socket is shut, too."""
    made = inet.connection()
    copy = inet.keep(made.client.dup())
    made.client.shutdown(net.SHUT_WR)
    assert made.server.recv(1) == b""
    assert errno_of(copy.send, b"x") == errno.EPIPE


def test_the_end_can_be_waited_for(net, inet):
    """select(2): the peer of a socket that is shut for sending is readable."""
    made = inet.connection()
    assert select.select([made.server], [], [], 0)[0] == []
    made.client.shutdown(net.SHUT_WR)
    assert select.select([made.server], [], [], PATIENCE)[0] == [made.server]


def test_a_peer_that_has_closed(net, inet):
    """shutdown(2) succeeds after the peer has closed its end properly."""
    made = inet.connection()
    made.server.close()
    assert made.client.recv(1) == b""
    made.client.shutdown(net.SHUT_WR)
