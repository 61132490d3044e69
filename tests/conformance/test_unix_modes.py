"""Blocking, time-outs and readiness of Unix stream sockets (fcntl(2) O_NONBLOCK, poll(2), select(2))."""

from __future__ import annotations

import select
import selectors
import threading
import time

import pytest


def test_a_non_blocking_accept(unix):
    """accept(2) of a non-blocking listener with an empty queue is EAGAIN."""
    listener = unix.listener()
    listener.setblocking(False)
    with pytest.raises(BlockingIOError):
        listener.accept()
    unix.client()
    unix.accept(listener)
    with pytest.raises(BlockingIOError):
        listener.accept()


def test_an_accept_with_a_timeout(unix):
    """accept() with a time-out raises TimeoutError when it is over, and not before."""
    listener = unix.listener()
    listener.settimeout(0.1)
    begun = time.monotonic()
    with pytest.raises(TimeoutError):
        listener.accept()
    assert time.monotonic() - begun >= 0.09


def test_an_accept_with_a_timeout_takes_who_comes(unix):
    """accept() with a time-out returns as soon as a client connects."""
    listener = unix.listener()
    listener.settimeout(30)
    timer = threading.Timer(0.1, unix.client)
    timer.start()
    unix.accept(listener)
    timer.join()


def test_a_blocking_accept_takes_who_comes(unix):
    """A blocking accept(2) returns when a client connects."""
    listener = unix.listener()
    timer = threading.Timer(0.1, unix.client)
    timer.start()
    unix.accept(listener)
    timer.join()


def test_a_non_blocking_recv(unix):
    """recv(2) of a non-blocking socket without data is EAGAIN; with data it gives them."""
    made = unix.connection()
    made.server.setblocking(False)
    with pytest.raises(BlockingIOError):
        made.server.recv(1)
    made.client.send(b"x")
    select.select([made.server], [], [], 10)
    assert made.server.recv(1) == b"x"


def test_a_recv_with_a_timeout(unix):
    """recv with a time-out raises TimeoutError when it is over."""
    made = unix.connection()
    made.server.settimeout(0.05)
    with pytest.raises(TimeoutError):
        made.server.recv(1)


def test_a_full_buffer_is_eagain(unix):
    """A non-blocking send to a peer that does not read is EAGAIN in the end, and what was taken arrives."""
    made = unix.connection()
    made.client.setblocking(False)
    sent = 0
    with pytest.raises(BlockingIOError):
        for _ in range(100_000):
            sent += made.client.send(b"x" * 65_536)
    made.client.setblocking(True)
    made.client.shutdown(unix.net.SHUT_WR)
    while piece := made.server.recv(1 << 20):
        sent -= len(piece)
    assert sent == 0


def test_modes_are_kept(unix):
    """connect and accept leave a socket's own mode as it was."""
    listener = unix.listener()
    listener.settimeout(7.5)
    client = unix.socket()
    client.settimeout(3.25)
    client.connect(unix.path())
    unix.accept(listener)
    assert (listener.gettimeout(), client.gettimeout()) == (7.5, 3.25)
    client.settimeout(None)
    assert client.getblocking()


def test_the_default_timeout_counts(unix):
    """setdefaulttimeout is the time-out of new and accepted sockets."""
    listener = unix.listener()
    unix.net.setdefaulttimeout(2.5)
    try:
        client = unix.client()
        server, _ = unix.accept(listener)
        assert (client.gettimeout(), server.gettimeout()) == (2.5, 2.5)
        client.sendall(b"x")
        assert server.recv(1) == b"x"
    finally:
        unix.net.setdefaulttimeout(None)
    assert unix.socket().gettimeout() is None


def test_a_listener_is_readable_when_somebody_waits(unix):
    """select(2): a listener is readable when a connection waits, and not before."""
    listener = unix.listener()
    assert select.select([listener], [], [], 0)[0] == []
    unix.client()
    assert select.select([listener], [], [], 10)[0] == [listener]
    listener.setblocking(False)
    unix.accept(listener)


def test_a_selector_serves_many(unix):
    """A server on one selector and non-blocking sockets answers twenty clients."""
    listener = unix.listener(backlog=32)
    listener.setblocking(False)
    clients = [unix.client() for _ in range(20)]
    for number, client in enumerate(clients):
        client.sendall(bytes([number]))
    answered = 0
    with selectors.DefaultSelector() as selector:
        selector.register(listener, selectors.EVENT_READ)
        deadline = time.monotonic() + 30
        while answered < 20 and time.monotonic() < deadline:
            for key, _ in selector.select(1):
                if key.fileobj is listener:
                    try:
                        server, _ = unix.accept(listener)
                    except BlockingIOError:
                        continue
                    server.setblocking(False)
                    selector.register(server, selectors.EVENT_READ)
                else:
                    key.fileobj.send(key.fileobj.recv(1))
                    selector.unregister(key.fileobj)
                    answered += 1
    assert [client.recv(1) for client in clients] == [bytes([number]) for number in range(20)]


def test_a_connected_socket_is_writable(unix):
    """select(2): a connected socket is writable, and readable when data or the end have come."""
    made = unix.connection()
    assert select.select([made.server], [made.server], [], 0) == ([], [made.server], [])
    made.client.close()
    assert select.select([made.server], [], [], 10)[0] == [made.server]
    assert made.server.recv(1) == b""
