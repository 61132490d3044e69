"""listen(2): the queue of an Internet listener."""

from __future__ import annotations

import errno

import pytest

from conformance.raising import PATIENCE, blocking_errno, errno_of


def test_listening_binds(inet):
    """listen(2): a socket that was not bound gets the wildcard address and a port, and can be reached."""
    listener = inet.tcp()
    listener.listen(1)
    host, port = listener.getsockname()
    assert host == "0.0.0.0"
    assert port != 0
    inet.tcp().connect((inet.host, port))
    inet.accept(listener)


def test_a_listener_says_so(net, inet):
    """socket(7): SO_ACCEPTCONN tells whether a socket listens."""
    sock = inet.tcp()
    sock.bind((inet.host, 0))
    assert sock.getsockopt(net.SOL_SOCKET, net.SO_ACCEPTCONN) == 0
    sock.listen(1)
    assert sock.getsockopt(net.SOL_SOCKET, net.SO_ACCEPTCONN) == 1


def test_listening_twice(inet):
    """listen(2): a listener may be given another backlog."""
    listener = inet.listener(1)
    inet.client(listener)
    listener.listen(5)
    inet.client(listener)
    inet.accept(listener)
    inet.accept(listener)


@pytest.mark.parametrize("backlog", [0, -1, 1_000_000])
def test_an_odd_backlog(inet, backlog):
    """listen(2): a backlog of nothing, less, or more than the system has still takes a connection."""
    listener = inet.listener(backlog)
    inet.client(listener)
    inet.accept(listener)


def test_listening_without_a_number(inet):
    """listen() without a backlog takes a reasonable one (listen(2), SOMAXCONN)."""
    listener = inet.tcp()
    listener.bind((inet.host, 0))
    listener.listen()
    clients = [inet.client(listener) for _ in range(20)]
    assert len({inet.accept(listener)[1] for _ in clients}) == 20


def test_a_datagram_socket_does_not_listen(inet):
    """listen(2): EOPNOTSUPP for a datagram socket."""
    assert errno_of(inet.bound_udp().listen, 1) == errno.EOPNOTSUPP


def test_a_connected_socket_does_not_listen(inet):
    """listen(2): EINVAL for a connected socket."""
    assert errno_of(inet.connection().client.listen, 1) == errno.EINVAL


def test_connect_does_not_wait_for_accept(inet):
    """listen(2): a connection is made, and data can be sent, before anybody calls accept(2)."""
    listener = inet.listener()
    client = inet.client(listener)
    client.sendall(b"early")
    server, _ = inet.accept(listener)
    server.settimeout(PATIENCE)
    assert server.recv(5) == b"early"


def test_connections_wait_in_order(inet):
    """listen(2): connections are accepted in the order in which they were made."""
    listener = inet.listener()
    clients = [inet.client(listener) for _ in range(8)]
    assert [inet.accept(listener)[1] for _ in clients] == [client.getsockname() for client in clients]


def test_many_wait(inet):
    """listen(2): as many connections as the backlog says wait to be accepted."""
    listener = inet.listener(100)
    names = [inet.client(listener).getsockname() for _ in range(100)]
    assert sorted(inet.accept(listener)[1] for _ in names) == sorted(names)


def test_nobody_connects_to_a_bound_socket(inet):
    """connect(2): ECONNREFUSED where a socket is bound and does not listen."""
    sock = inet.tcp()
    sock.bind((inet.host, 0))
    assert errno_of(inet.tcp().connect, sock.getsockname()) == errno.ECONNREFUSED


def test_a_listener_carries_no_data(inet):
    """recv(2): ENOTCONN for a listener; send(2): ENOTCONN or EPIPE."""
    listener = inet.listener()
    assert blocking_errno(listener, "recv", 1) == errno.ENOTCONN
    assert blocking_errno(listener, "send", b"x") in (errno.ENOTCONN, errno.EPIPE)


def test_a_listener_does_not_connect(inet):
    """connect(2): EISCONN for a listener, as Linux says (POSIX also allows EOPNOTSUPP)."""
    address = inet.listener().getsockname()
    assert blocking_errno(inet.listener(), "connect", address) in (errno.EISCONN, errno.EOPNOTSUPP)


def test_a_closed_listener_refuses(inet):
    """close(2): nobody connects to a listener that is closed: ECONNREFUSED."""
    listener = inet.listener()
    address = listener.getsockname()
    listener.close()
    assert errno_of(inet.tcp().connect, address) == errno.ECONNREFUSED


def test_a_closed_listener_drops_who_waits(inet):
    """close(2): a connection that was never accepted ends with its listener, by ECONNRESET or the end of the stream."""
    listener = inet.listener()
    client = inet.client(listener)
    listener.close()
    try:
        assert client.recv(1) == b""
    except OSError as error:
        assert error.errno == errno.ECONNRESET


def test_a_closed_socket_does_not_listen(inet):
    """listen(2): EBADF for a closed socket."""
    sock = inet.tcp()
    sock.close()
    assert errno_of(sock.listen, 1) == errno.EBADF
