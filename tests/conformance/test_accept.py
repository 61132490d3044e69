"""accept(2) of Internet listeners."""

from __future__ import annotations

import errno
import threading
import time

import pytest

from conformance.raising import PATIENCE, Background, blocking_errno, errno_of


def test_accept_gives_a_socket(net, inet):
    """accept(2) gives a new socket of the same class, family and type, and the peer's address."""
    listener = inet.listener()
    client = inet.client(listener)
    server, name = inet.accept(listener)
    assert type(server) is net.socket
    assert (server.family, server.type) == (net.AF_INET, net.SOCK_STREAM)
    assert name == client.getsockname()
    assert server.fileno() != listener.fileno()


def test_only_a_listener_accepts(inet):
    """accept(2): EINVAL for a socket that does not listen."""
    sock = inet.tcp()
    assert blocking_errno(sock, "accept") == errno.EINVAL
    sock.bind((inet.host, 0))
    assert blocking_errno(sock, "accept") == errno.EINVAL


def test_only_a_listener_waits(inet):
    """accept(2): EINVAL at once for a socket that does not listen: a time-out is not waited for."""
    sock = inet.tcp()
    sock.bind((inet.host, 0))
    sock.settimeout(30)
    start = time.monotonic()
    with pytest.raises(OSError) as caught:
        sock.accept()
    assert caught.value.errno == errno.EINVAL
    assert time.monotonic() - start < 10


def test_a_connected_socket_does_not_accept(inet):
    """accept(2): EINVAL for a connected socket."""
    assert blocking_errno(inet.connection().client, "accept") == errno.EINVAL


def test_a_datagram_socket_does_not_accept(inet):
    """accept(2): EOPNOTSUPP for a datagram socket."""
    assert blocking_errno(inet.bound_udp(), "accept") == errno.EOPNOTSUPP


def test_a_closed_listener_does_not_accept(inet):
    """accept(2): EBADF for a closed socket."""
    listener = inet.listener()
    listener.close()
    assert errno_of(listener.accept) == errno.EBADF


def test_nobody_there(inet):
    """accept(2): a non-blocking listener without a connection is EAGAIN, a BlockingIOError."""
    listener = inet.listener()
    listener.setblocking(False)
    with pytest.raises(BlockingIOError) as caught:
        listener.accept()
    assert caught.value.errno in (errno.EAGAIN, errno.EWOULDBLOCK)


def test_nobody_comes(inet):
    """accept() with a time-out is a TimeoutError when it is over."""
    listener = inet.listener()
    listener.settimeout(0.05)
    with pytest.raises(TimeoutError):
        listener.accept()
    inet.client(listener)
    inet.accept(listener)


def test_accept_waits(inet):
    """accept(2) of a blocking listener waits until somebody connects."""
    listener = inet.listener()
    listener.settimeout(None)
    call = Background(inet.accept, listener)
    assert call.running(0.1)
    client = inet.client(listener)
    assert call.result()[1] == client.getsockname()


@pytest.mark.parametrize("timeout", [0.0, 7.5])
def test_the_listeners_mode_is_its_own(inet, timeout):
    """accept(2) on Linux, and Python everywhere: the new socket blocks, whatever the listener's mode is."""
    listener = inet.listener()
    client = inet.client(listener)
    listener.settimeout(timeout)
    while True:
        try:
            server, _ = inet.accept(listener)
            break
        except BlockingIOError:
            continue
    assert server.gettimeout() is None
    call = Background(server.recv, 1)
    assert call.running(0.1)
    client.sendall(b"x")
    assert call.result() == b"x"
    assert listener.gettimeout() == timeout


def test_the_default_timeout_counts(net, inet):
    """setdefaulttimeout() is the time-out of accepted sockets."""
    listener = inet.listener()
    inet.client(listener)
    net.setdefaulttimeout(2.5)
    try:
        server, _ = inet.accept(listener)
    finally:
        net.setdefaulttimeout(None)
    assert server.gettimeout() == 2.5


def test_an_accepted_socket_is_private(inet):
    """accept(2), PEP 446: the new socket is not inheritable, whatever the listener is."""
    listener = inet.listener()
    listener.set_inheritable(True)
    inet.client(listener)
    server, _ = inet.accept(listener)
    assert server.get_inheritable() is False


def test_who_left_is_accepted(inet):
    """accept(2): a connection whose client has sent and closed is accepted, and gives what was sent."""
    listener = inet.listener()
    client = inet.client(listener)
    client.sendall(b"last words")
    client.close()
    server, _ = inet.accept(listener)
    server.settimeout(PATIENCE)
    assert server.recv(100) == b"last words"
    assert server.recv(100) == b""


def test_who_was_reset_does_no_harm(inet):
    """accept(2): a connection that was reset is ECONNABORTED, or a socket that says ECONNRESET; the next one works."""
    listener = inet.listener()
    inet.reset(inet.client(listener))
    client = inet.client(listener)
    for _ in range(2):
        try:
            server, name = inet.accept(listener)
        except OSError as error:
            assert error.errno == errno.ECONNABORTED
            continue
        if name == client.getsockname():
            return
        server.settimeout(PATIENCE)
        assert errno_of(server.recv, 1) == errno.ECONNRESET
    assert inet.accept(listener)[1] == client.getsockname()


def test_several_threads_accept(inet):
    """accept(2): each connection goes to one of the threads that wait for one."""
    listener = inet.listener()
    listener.settimeout(PATIENCE)
    taken = []
    lock = threading.Lock()

    def take() -> None:
        _, name = inet.accept(listener)
        with lock:
            taken.append(name)

    calls = [Background(take) for _ in range(4)]
    names = [inet.client(listener).getsockname() for _ in calls]
    for call in calls:
        call.result()
    assert sorted(taken) == sorted(names)


def test_a_listener_goes_on(inet):
    """accept(2): a listener serves one client after the other, whatever became of those before."""
    listener = inet.listener()
    for number in range(20):
        client = inet.client(listener)
        server, _ = inet.accept(listener)
        client.sendall(bytes([number]))
        server.settimeout(PATIENCE)
        assert server.recv(1) == bytes([number])
        (client if number % 2 else server).close()


def test_no_delay_is_inherited(net, inet):
    """tcp(7): on Linux an accepted socket has its listener's TCP_NODELAY and SO_KEEPALIVE."""
    listener = inet.listener()
    listener.setsockopt(net.IPPROTO_TCP, net.TCP_NODELAY, 1)
    listener.setsockopt(net.SOL_SOCKET, net.SO_KEEPALIVE, 1)
    inet.client(listener)
    server, _ = inet.accept(listener)
    assert server.getsockopt(net.IPPROTO_TCP, net.TCP_NODELAY) != 0
    assert server.getsockopt(net.SOL_SOCKET, net.SO_KEEPALIVE) != 0


def test_a_duplicate_of_a_listener_accepts(inet):
    """dup(2): a duplicate of a listener takes connections of the same queue, also when the first is closed."""
    listener = inet.listener()
    address = listener.getsockname()
    copy = inet.keep(listener.dup())
    listener.close()
    client = inet.tcp()
    client.connect(address)
    assert inet.accept(copy)[1] == client.getsockname()
