"""connect(2) of Internet sockets."""

from __future__ import annotations

import errno
import selectors

import pytest

from conformance.raising import PATIENCE, blocking_errno, errno_of


def writable(sock, timeout=PATIENCE):
    """Whether a wait says so in time."""
    with selectors.DefaultSelector() as selector:
        selector.register(sock, selectors.EVENT_WRITE)
        return bool(selector.select(timeout))


def pending(inet, first=lambda _: None):
    """A non-blocking socket whose connect is under way: the listener's queue is full, so nobody answers. What is to be
    done before its connect is `first`."""
    listener = inet.listener(0)
    for _ in range(16):
        sock = inet.tcp()
        sock.setblocking(False)
        first(sock)
        assert sock.connect_ex(listener.getsockname()) in (0, errno.EINPROGRESS, errno.EWOULDBLOCK)
        if not writable(sock, 0.1):
            return sock
    pytest.fail("a queue of length 0 took sixteen connections")


def test_nobody_listens(inet):
    """connect(2): ECONNREFUSED where nobody listens."""
    with pytest.raises(ConnectionRefusedError) as caught:
        inet.tcp().connect(inet.closed_port())
    assert caught.value.errno == errno.ECONNREFUSED


def test_connect_ex_gives_the_number(inet):
    """connect_ex() gives 0, or the errno that connect(2) has."""
    assert inet.tcp().connect_ex(inet.listener().getsockname()) == 0
    assert inet.tcp().connect_ex(inet.closed_port()) == errno.ECONNREFUSED


def test_a_non_blocking_connect_is_in_progress(inet):
    """connect(2): EINPROGRESS, a BlockingIOError, from a non-blocking stream socket."""
    sock = inet.tcp()
    sock.setblocking(False)
    with pytest.raises(BlockingIOError) as caught:
        sock.connect(inet.listener().getsockname())
    assert caught.value.errno == errno.EINPROGRESS


def test_a_non_blocking_connect_ex_is_in_progress(inet):
    """connect(2): connect_ex() of a non-blocking stream socket gives EINPROGRESS."""
    sock = inet.tcp()
    sock.setblocking(False)
    assert sock.connect_ex(inet.listener().getsockname()) == errno.EINPROGRESS


def test_the_end_of_a_connect(net, inet):
    """connect(2): when a connection is made the socket is writable, SO_ERROR is 0, and it talks."""
    listener = inet.listener()
    sock = inet.tcp()
    sock.setblocking(False)
    sock.connect_ex(listener.getsockname())
    assert writable(sock)
    assert sock.getsockopt(net.SOL_SOCKET, net.SO_ERROR) == 0
    assert sock.getpeername() == listener.getsockname()
    sock.send(b"x")
    server, _ = inet.accept(listener)
    server.settimeout(PATIENCE)
    assert server.recv(1) == b"x"


def test_the_failure_of_a_connect(net, inet):
    """connect(2): when a connection fails the socket is writable, and SO_ERROR is ECONNREFUSED, once."""
    sock = inet.tcp()
    sock.setblocking(False)
    assert sock.connect_ex(inet.closed_port()) in (errno.EINPROGRESS, errno.ECONNREFUSED)
    assert writable(sock)
    assert sock.getsockopt(net.SOL_SOCKET, net.SO_ERROR) == errno.ECONNREFUSED
    assert sock.getsockopt(net.SOL_SOCKET, net.SO_ERROR) == 0


def refused(inet):
    """A non-blocking socket whose connect was refused after its call, and nobody has been told yet."""
    sock = inet.tcp()
    sock.setblocking(False)
    assert sock.connect_ex(inet.closed_port()) == errno.EINPROGRESS
    assert writable(sock)
    return sock


def outcome(sock, call, address):
    """The errno of connect() or connect_ex(), 0 for none."""
    try:
        return getattr(sock, call)(address) or 0
    except OSError as error:
        return error.errno


MODES = pytest.mark.parametrize("mode", [None, 0, PATIENCE], ids=["blocking", "non-blocking", "time-out"])
TO = pytest.mark.parametrize("to", ["nobody", "a listener"])
TAKERS = {
    "SO_ERROR": lambda net, sock: sock.getsockopt(net.SOL_SOCKET, net.SO_ERROR),
    "recv": lambda _, sock: errno_of(sock.recv, 1),
    "recv_into": lambda _, sock: errno_of(sock.recv_into, bytearray(1)),
    "a peek": lambda net, sock: errno_of(sock.recv, 1, net.MSG_PEEK),
    "send": lambda _, sock: errno_of(sock.send, b"x"),
    "sendall": lambda _, sock: errno_of(sock.sendall, b"x"),
}
"""What takes the error of a refused connect, and gives it."""


@TO
@MODES
def test_asking_by_a_second_connect_why_the_first_failed(inet, to, mode):
    """connect(2): the next connect() after a refused non-blocking one tells of it: ECONNREFUSED, to whomever it is.
    The one after that begins anew."""
    sock = refused(inet)
    address = inet.listener().getsockname() if to == "a listener" else inet.closed_port()
    sock.settimeout(mode)
    assert outcome(sock, "connect_ex", address) == errno.ECONNREFUSED
    assert errno_of(sock.getpeername) == errno.ENOTCONN
    check_new_connect(sock, "connect_ex", address, errno.ECONNREFUSED if to == "nobody" else 0)


@MODES
@pytest.mark.parametrize("taker", TAKERS)
def test_a_second_connect_when_the_error_has_been_taken(net, inet, taker, mode):
    """connect(2): once a call has taken a refused connect's error (SO_ERROR, recv or send), the next connect() is
    ECONNABORTED on Linux, and no success; the one after that begins anew."""
    sock = refused(inet)
    address = inet.listener().getsockname()
    assert TAKERS[taker](net, sock) == errno.ECONNREFUSED
    sock.settimeout(mode)
    assert outcome(sock, "connect", address) == errno.ECONNABORTED
    assert errno_of(sock.getpeername) == errno.ENOTCONN
    assert sock.getsockopt(net.SOL_SOCKET, net.SO_ERROR) == 0
    check_new_connect(sock, "connect", address, 0)


@TO
@pytest.mark.parametrize("call", ["connect", "connect_ex"])
def test_a_second_connect_is_no_success(net, inet, call, to):
    """connect(2): ECONNABORTED by either call, wherever the connect leads."""
    sock = refused(inet)
    address = inet.listener().getsockname() if to == "a listener" else inet.closed_port()
    assert sock.getsockopt(net.SOL_SOCKET, net.SO_ERROR) == errno.ECONNREFUSED
    assert outcome(sock, call, address) == errno.ECONNABORTED
    check_new_connect(sock, call, address, errno.ECONNREFUSED if to == "nobody" else 0)


def check_new_connect(sock, call, address, end):
    """A connect of a socket that has failed before is one like the first."""
    if sock.gettimeout() != 0:
        assert outcome(sock, call, address) == end
    else:
        assert outcome(sock, call, address) == errno.EINPROGRESS
        assert writable(sock)
        assert outcome(sock, call, address) == end
    if not end:
        assert sock.getpeername() == address


@pytest.mark.parametrize("taker", TAKERS)
def test_the_end_of_a_refused_socket(net, inet, taker):
    """socket(7): a refused connect's error is told once, by SO_ERROR or the call that moves data; on Linux recv is then
    at the end of the stream, send is EPIPE."""
    sock = refused(inet)
    assert TAKERS[taker](net, sock) == errno.ECONNREFUSED
    assert sock.getsockopt(net.SOL_SOCKET, net.SO_ERROR) == 0
    assert sock.recv(1) == b""
    assert sock.recv_into(bytearray(1)) == 0
    assert errno_of(sock.send, b"x") == errno.EPIPE


def test_a_duplicate_takes_the_error_too(net, inet):
    """dup(2): the error of a refused connect that a duplicate has taken is not told a second time: ECONNABORTED."""
    sock = refused(inet)
    copy = inet.stack.enter_context(sock.dup())
    assert copy.getsockopt(net.SOL_SOCKET, net.SO_ERROR) == errno.ECONNREFUSED
    assert errno_of(sock.connect, inet.listener().getsockname()) == errno.ECONNABORTED


def test_a_second_connect_while_the_first_is_under_way(inet):
    """connect(2): EALREADY while a non-blocking connect is under way."""
    sock = pending(inet)
    assert errno_of(sock.connect, (inet.host, 9)) == errno.EALREADY


def test_no_peer_while_a_connect_is_under_way(inet):
    """getpeername(2): ENOTCONN while a non-blocking connect is under way."""
    assert errno_of(pending(inet).getpeername) == errno.ENOTCONN


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_duplicate_has_no_peer_either(inet, when):
    """dup(2): a duplicate, made before the connect or while it is under way, is the same socket: ENOTCONN, EALREADY."""
    copies = {}
    sock = pending(inet, lambda new: copies.setdefault(new, new.dup()) if when == "before" else None)
    copy = copies[sock] if when == "before" else sock.dup()
    for made in (copy, *copies.values()):
        inet.stack.enter_context(made)
    assert errno_of(copy.getpeername) == errno.ENOTCONN
    assert errno_of(copy.connect, (inet.host, 9)) == errno.EALREADY


@pytest.mark.parametrize(("call", "argument"), [("send", b"x"), ("recv", 1)])
def test_no_data_while_a_connect_is_under_way(inet, call, argument):
    """send(2) and recv(2): EAGAIN while a non-blocking connect is under way."""
    with pytest.raises(BlockingIOError):
        getattr(pending(inet), call)(argument)


def test_a_connect_that_is_given_up(inet):
    """close(2) of a socket whose connect is under way gives it up at once."""
    sock = pending(inet)
    sock.close()
    assert sock.fileno() == -1


def test_a_connect_with_a_timeout(inet):
    """connect() with a time-out is a TimeoutError when nobody has answered in time."""
    address = pending(inet)
    listener = inet.listener(0)
    for _ in range(16):
        sock = inet.tcp()
        sock.settimeout(0.1)
        try:
            sock.connect(listener.getsockname())
        except TimeoutError:
            break
    else:
        pytest.fail("a queue of length 0 took sixteen connections")
    address.close()


def test_a_connected_socket_is_connected(inet):
    """connect(2): EISCONN for a stream socket that is connected."""
    listener, client = inet.listener(), inet.tcp()
    client.settimeout(None)
    client.connect(listener.getsockname())
    server, _ = inet.accept(listener)
    assert blocking_errno(client, "connect", listener.getsockname()) == errno.EISCONN
    assert blocking_errno(server, "connect", listener.getsockname()) == errno.EISCONN


def test_connect_ex_of_a_connected_socket(inet):
    """connect(2): connect_ex() of a connected stream socket gives EISCONN."""
    made = inet.connection()
    made.server.settimeout(None)
    assert made.server.connect_ex(made.listener.getsockname()) == errno.EISCONN


def test_asking_by_a_second_connect(inet):
    """connect(2): a second connect after a non-blocking one has succeeded is EISCONN, or 0 once on Linux."""
    listener = inet.listener()
    sock = inet.tcp()
    sock.setblocking(False)
    sock.connect_ex(listener.getsockname())
    assert writable(sock)
    assert sock.connect_ex(listener.getsockname()) in (0, errno.EISCONN)
    assert sock.connect_ex(listener.getsockname()) == errno.EISCONN


@pytest.mark.parametrize("host", ["0.0.0.0", ""])
def test_the_wildcard_leads_to_this_machine(inet, host):
    """ip(7): connecting to INADDR_ANY reaches this machine by loopback."""
    listener = inet.listener()
    client = inet.tcp()
    client.connect((host, listener.getsockname()[1]))
    assert client.getpeername() == listener.getsockname()


def test_the_wildcard_leads_to_this_machine_without_blocking(inet):
    """ip(7): a non-blocking connect to INADDR_ANY reaches this machine, too."""
    listener = inet.listener()
    client = inet.tcp()
    client.setblocking(False)
    assert client.connect_ex(("0.0.0.0", listener.getsockname()[1])) == errno.EINPROGRESS
    assert writable(client)
    assert client.getpeername() == listener.getsockname()


def test_the_ipv6_wildcard_leads_to_this_machine(net, inet):
    """ipv6(7): connecting to `::` reaches this machine by loopback."""
    listener = inet.listener(family=net.AF_INET6)
    client = inet.tcp(net.AF_INET6)
    client.connect(("::", listener.getsockname()[1]))
    assert client.getpeername() == listener.getsockname()


def test_a_bound_client_keeps_its_name(inet):
    """connect(2): a socket that was bound connects from that address."""
    listener, client = inet.listener(), inet.tcp()
    client.bind((inet.host, 0))
    name = client.getsockname()
    client.connect(listener.getsockname())
    assert client.getsockname() == name
    assert inet.accept(listener)[1] == name


def test_a_closed_socket_does_not_connect(inet):
    """connect(2): EBADF for a closed socket."""
    sock = inet.tcp()
    sock.close()
    assert errno_of(sock.connect, inet.listener().getsockname()) == errno.EBADF


def test_a_refused_datagram_socket_may_connect_elsewhere(inet):
    """connect(2): a datagram socket may be connected again, and hears the new peer."""
    first, second, sock = inet.bound_udp(), inet.bound_udp(), inet.udp()
    sock.connect(first.getsockname())
    sock.send(b"one")
    sock.connect(second.getsockname())
    sock.send(b"two")
    assert (first.recv(9), second.recv(9)) == (b"one", b"two")
    assert sock.getpeername() == second.getsockname()


def test_a_datagram_connect_does_not_wait(inet):
    """connect(2): a datagram socket connects at once, non-blocking or not, whether anybody is there or not."""
    sock = inet.udp()
    sock.setblocking(False)
    sock.connect(inet.closed_port(inet.net.SOCK_DGRAM))
    assert sock.connect_ex(inet.bound_udp().getsockname()) == 0


def test_create_connection(net, inet):
    """create_connection() gives a connected socket of the module's class, with the time-out asked for."""
    listener = inet.listener()
    sock = inet.stack.enter_context(net.create_connection(listener.getsockname(), timeout=3.5))
    assert type(sock) is net.socket
    assert sock.gettimeout() == 3.5
    assert sock.getpeername() == listener.getsockname()


def test_create_connection_from_an_address(net, inet):
    """create_connection(source_address=...) connects from there (bind(2))."""
    listener = inet.listener()
    sock = inet.stack.enter_context(
        net.create_connection(listener.getsockname(), PATIENCE, source_address=(inet.host, 0))
    )
    assert inet.accept(listener)[1] == sock.getsockname()


def test_create_connection_tries_every_address(net, inet):
    """create_connection() of a name goes through all its addresses until one answers (getaddrinfo(3))."""
    listener = inet.listener()
    sock = inet.stack.enter_context(
        net.create_connection(("localhost", listener.getsockname()[1]), PATIENCE * 2)
    )
    assert sock.getpeername() == listener.getsockname()


def test_create_connection_refused(net, inet):
    """create_connection(): ECONNREFUSED where nobody listens (connect(2))."""
    assert errno_of(net.create_connection, inet.closed_port(), PATIENCE) == errno.ECONNREFUSED
