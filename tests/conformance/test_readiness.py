"""select(2) and poll(2): when a socket is ready, as the module's own selector says."""

from __future__ import annotations

import errno
import selectors as flags
import time

import pytest

from conformance.implementations import selectors_of
from conformance.raising import PATIENCE, Background

READ, WRITE = flags.EVENT_READ, flags.EVENT_WRITE


@pytest.fixture
def selector(net):
    """A new selector of the implementation."""
    with selectors_of(net).DefaultSelector() as made:
        yield made


def ready(selector, timeout=PATIENCE):
    """What is ready: the objects, with what they are ready for."""
    return {key.fileobj: events for key, events in selector.select(timeout)}


def test_a_listener_with_a_connection(inet, selector):
    """select(2): a listener is readable when a connection waits, and not before."""
    listener = inet.listener()
    selector.register(listener, READ)
    assert ready(selector, 0) == {}
    inet.client(listener)
    assert ready(selector) == {listener: READ}
    inet.accept(listener)
    assert ready(selector, 0) == {}


def test_data(inet, selector):
    """select(2): a stream is readable when data have come, and as long as some are left."""
    made = inet.connection()
    selector.register(made.server, READ)
    assert ready(selector, 0) == {}
    made.client.sendall(b"ab")
    for _ in range(2):
        assert ready(selector) == {made.server: READ}
        made.server.recv(1)
    assert ready(selector, 0) == {}


def test_peeking_changes_nothing(net, inet, selector):
    """select(2): a socket whose data were only peeked at is still readable."""
    made = inet.connection()
    selector.register(made.server, READ)
    made.client.sendall(b"x")
    assert ready(selector)
    made.server.recv(1, net.MSG_PEEK)
    assert ready(selector, 0) == {made.server: READ}


def test_the_end_of_the_stream(inet, selector):
    """select(2): a stream is readable when its end has come, and stays so."""
    made = inet.connection()
    selector.register(made.server, READ)
    made.client.close()
    assert ready(selector) == {made.server: READ}
    assert made.server.recv(1) == b""
    assert ready(selector) == {made.server: READ}


def test_a_shut_peer(net, inet, selector):
    """poll(2): a stream whose peer has shut its sending half is readable, and still writable."""
    made = inet.connection()
    made.client.shutdown(net.SHUT_WR)
    selector.register(made.server, READ | WRITE)
    deadline = time.monotonic() + PATIENCE
    while (found := ready(selector)) != {made.server: READ | WRITE}:
        assert time.monotonic() < deadline, found
    made.server.send(b"x")


def test_a_reset(inet, selector):
    """poll(2): a stream that was reset is readable, and reading tells ECONNRESET."""
    made = inet.connection()
    selector.register(made.server, READ)
    inet.reset(made.client)
    assert ready(selector) == {made.server: READ}
    with pytest.raises(ConnectionResetError):
        made.server.recv(1)


def test_room(inet, selector):
    """select(2): a stream is writable while there is room, and is not when a send would block."""
    made = inet.connection()
    selector.register(made.client, WRITE)
    assert ready(selector, 0) == {made.client: WRITE}
    inet.fill(made.client)
    time.sleep(0.1)
    inet.fill(made.client)
    assert ready(selector, 0.05) == {}


def test_room_again(inet, selector):
    """select(2): a stream is writable again when the peer has read."""
    made = inet.connection()
    inet.fill(made.client)
    selector.register(made.client, WRITE)
    reading = Background(inet.drain, made.server)
    assert ready(selector) == {made.client: WRITE}
    made.client.setblocking(False)
    assert made.client.send(b"x") == 1
    made.client.close()
    reading.result()


def test_a_connection_that_was_made(inet, selector):
    """connect(2): a socket whose connect was in progress is writable when it is connected."""
    listener, sock = inet.listener(), inet.tcp()
    sock.setblocking(False)
    sock.connect_ex(listener.getsockname())
    selector.register(sock, WRITE)
    assert ready(selector) == {sock: WRITE}
    assert sock.getpeername() == listener.getsockname()


def test_a_connection_that_failed(net, inet, selector):
    """connect(2): a socket whose connect was in progress is writable when it has failed, and SO_ERROR tells why."""
    sock = inet.tcp()
    sock.setblocking(False)
    sock.connect_ex(inet.closed_port())
    selector.register(sock, WRITE)
    assert ready(selector) == {sock: WRITE}
    assert sock.getsockopt(net.SOL_SOCKET, net.SO_ERROR) == errno.ECONNREFUSED


def test_a_datagram(inet, selector):
    """select(2): a datagram socket is readable when a datagram has come, an empty one, too."""
    one, other = inet.bound_udp(), inet.udp()
    selector.register(one, READ)
    assert ready(selector, 0) == {}
    other.sendto(b"", one.getsockname())
    assert ready(selector) == {one: READ}
    one.recv(1)
    assert ready(selector, 0) == {}


def test_a_datagram_socket_has_room(inet, selector):
    """select(2): a datagram socket is writable."""
    sock = inet.udp()
    selector.register(sock, WRITE)
    assert ready(selector, 0) == {sock: WRITE}


def test_nobody_hears_and_the_wait_goes_on(inet, selector):
    """udp(7): a datagram to a port where nobody is does not make an unconnected socket readable."""
    sock = inet.bound_udp()
    selector.register(sock, READ)
    sock.sendto(b"x", inet.closed_port(inet.net.SOCK_DGRAM))
    assert ready(selector, 0.1) == {}


def test_both_at_once(inet, selector):
    """poll(2): what is ready for reading and writing is told once, with both."""
    made = inet.connection()
    made.client.sendall(b"x")
    selector.register(made.server, READ | WRITE)
    deadline = time.monotonic() + PATIENCE
    while (found := ready(selector)) != {made.server: READ | WRITE}:
        assert time.monotonic() < deadline, found


def test_only_what_was_asked_for(inet, selector):
    """poll(2): what nobody asked for is not told."""
    made = inet.connection()
    made.client.sendall(b"x")
    selector.register(made.server, WRITE)
    selector.register(made.client, READ)
    assert ready(selector) == {made.server: WRITE}


def test_asking_for_something_else(inet, selector):
    """modify() changes what is asked for, and unregister() ends it (epoll_ctl(2))."""
    made = inet.connection()
    selector.register(made.server, WRITE)
    assert ready(selector) == {made.server: WRITE}
    selector.modify(made.server, READ)
    assert ready(selector, 0) == {}
    made.client.sendall(b"x")
    assert ready(selector) == {made.server: READ}
    selector.unregister(made.server)
    assert ready(selector, 0) == {}


def test_the_time_is_over(inet, selector):
    """select(2): a wait for what does not come ends when its time is over, and not before."""
    selector.register(inet.listener(), READ)
    begun = time.monotonic()
    assert ready(selector, 0.2) == {}
    assert 0.18 <= time.monotonic() - begun < PATIENCE


def test_waiting_for_nothing(selector):
    """select(2): a wait for nothing at all lasts its time."""
    begun = time.monotonic()
    assert selector.select(0.2) == []
    assert 0.18 <= time.monotonic() - begun < PATIENCE


def test_a_wait_ends_when_something_comes(inet, selector):
    """select(2): a wait without an end is over as soon as another thread sends."""
    made = inet.connection()
    selector.register(made.server, READ)
    call = Background(selector.select)
    assert call.running(0.1)
    made.client.sendall(b"x")
    assert [key.fileobj for key, _ in call.result()] == [made.server]


def test_hundreds_of_sockets(inet, selector):
    """poll(2): 600 sockets are waited for at once, and those that are ready are told, all and only those."""
    socks = [inet.bound_udp() for _ in range(600)]
    for sock in socks:
        selector.register(sock, READ)
    sender = inet.udp()
    wanted = {socks[0], socks[299], socks[599]}
    for sock in wanted:
        sender.sendto(b"x", sock.getsockname())
    found: set[object] = set()
    deadline = time.monotonic() + PATIENCE
    while found != wanted and time.monotonic() < deadline:
        found |= set(ready(selector, 1))
    assert found == wanted


def test_a_closed_socket_is_no_file(inet, selector):
    """poll(2): a closed socket cannot be waited for: ValueError."""
    sock = inet.tcp()
    sock.close()
    with pytest.raises(ValueError):
        selector.register(sock, READ)


def test_registering_twice(inet, selector):
    """epoll_ctl(2), EEXIST: registering what is registered is a KeyError, and so is unregistering what is not."""
    sock = inet.bound_udp()
    selector.register(sock, READ)
    with pytest.raises(KeyError):
        selector.register(sock, WRITE)
    selector.unregister(sock)
    with pytest.raises(KeyError):
        selector.unregister(sock)


def test_urgent_data_alone_are_not_readable(net, inet, selector):
    """tcp(7): urgent data by themselves do not make a stream readable."""
    made = inet.connection()
    selector.register(made.server, READ)
    made.client.send(b"!", net.MSG_OOB)
    assert ready(selector, 0.1) == {}
