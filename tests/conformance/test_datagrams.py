"""sendto(2), recvfrom(2) and connect(2) of UDP sockets (udp(7))."""

from __future__ import annotations

import contextlib
import errno
import select

import pytest

from conformance.raising import PATIENCE, Background, blocking_errno, errno_of, names, ours_alone


@pytest.fixture
def two(inet):
    """Two datagram sockets, each bound to a port."""
    return inet.bound_udp(), inet.bound_udp()


def test_a_datagram_and_its_sender(two):
    """recvfrom(2) gives a datagram and the address that it came from."""
    one, other = two
    assert one.sendto(b"hello", other.getsockname()) == 5
    assert other.recvfrom(100) == (b"hello", one.getsockname())


def test_datagrams_stay_apart(two):
    """udp(7): each recv(2) gives one datagram, whole, in the order of one sender on loopback."""
    one, other = two
    for data in (b"a", b"bb", b"ccc"):
        one.sendto(data, other.getsockname())
    assert [other.recv(100) for _ in range(3)] == [b"a", b"bb", b"ccc"]


def test_an_empty_datagram(two):
    """udp(7): a datagram of no bytes is delivered like any other."""
    one, other = two
    assert one.sendto(b"", other.getsockname()) == 0
    one.sendto(b"x", other.getsockname())
    assert other.recvfrom(10) == (b"", one.getsockname())
    assert other.recv(10) == b"x"


def test_an_empty_datagram_from_a_connected_socket(two):
    """send(2) of no bytes on a connected datagram socket sends an empty datagram."""
    one, other = two
    one.connect(other.getsockname())
    assert one.send(b"") == 0
    assert other.recvfrom(10) == (b"", one.getsockname())


def test_a_long_datagram_is_cut(two):
    """recv(2): what does not fit of a datagram is dropped in silence, and the next one is whole."""
    one, other = two
    one.sendto(b"0123456789", other.getsockname())
    one.sendto(b"next", other.getsockname())
    assert other.recv(4) == b"0123"
    assert other.recv(100) == b"next"


def test_asking_for_nothing(two):
    """recv() of no bytes, and recv_into() without room, take no datagram, and wait for none (CPython)."""
    one, other = two
    assert other.recv(0) == b""
    one.sendto(b"abc", other.getsockname())
    assert select.select([other], [], [], PATIENCE)[0]
    assert other.recv(0) == b""
    assert other.recv_into(bytearray()) == 0
    assert other.recv(10) == b"abc"


def test_recvfrom_cuts_a_long_datagram(two):
    """recvfrom(2): a datagram that does not fit is cut, and its sender is told."""
    one, other = two
    one.sendto(b"0123456789", other.getsockname())
    assert other.recvfrom(4) == (b"0123", one.getsockname())


def test_recv_into_cuts_a_long_datagram(two):
    """recv_into(): a datagram that does not fit fills the buffer, and the number is the buffer's (recv(2))."""
    one, other = two
    one.sendto(b"0123456789", other.getsockname())
    buffer = bytearray(4)
    assert other.recv_into(buffer) == 4
    assert buffer == b"0123"


def test_recvfrom_into_cuts_a_long_datagram(two):
    """recvfrom_into(): the same, with the sender (recvfrom(2))."""
    one, other = two
    one.sendto(b"0123456789", other.getsockname())
    buffer = bytearray(4)
    assert other.recvfrom_into(buffer) == (4, one.getsockname())
    assert buffer == b"0123"


def test_recvfrom_into(two):
    """recvfrom_into() fills the buffer with a datagram and tells its length and its sender (recvfrom(2))."""
    one, other = two
    one.sendto(b"abc", other.getsockname())
    buffer = bytearray(b"______")
    assert other.recvfrom_into(buffer) == (3, one.getsockname())
    assert buffer == b"abc___"


def test_trunc_asks_for_the_length(net, two):
    """recv(2): with MSG_TRUNC the number is the datagram's own length, even if it was cut (Linux)."""
    one, other = two
    one.sendto(b"0123456789", other.getsockname())
    buffer = bytearray(4)
    assert other.recv_into(buffer, 4, net.MSG_TRUNC) == 10
    assert buffer == b"0123"


def test_asking_for_nothing_takes_a_datagram(two):
    """recvfrom(2) of no bytes takes a datagram, and drops what is in it."""
    one, other = two
    one.sendto(b"dropped", other.getsockname())
    one.sendto(b"kept", other.getsockname())
    assert other.recvfrom(0) == (b"", one.getsockname())
    assert other.recv(10) == b"kept"


def test_peek(net, two):
    """recv(2): MSG_PEEK leaves the datagram, also where the buffer was too short for it."""
    one, other = two
    one.sendto(b"0123456789", other.getsockname())
    assert other.recvfrom(4, net.MSG_PEEK) == (b"0123", one.getsockname())
    assert other.recv(100, net.MSG_PEEK) == b"0123456789"
    assert other.recv(100) == b"0123456789"


def test_the_largest_datagram(two):
    """udp(7): a datagram of 65,507 bytes is delivered on loopback."""
    one, other = two
    data = bytes(range(256)) * 255 + bytes(227)
    assert len(data) == 65_507
    assert one.sendto(data, other.getsockname()) == len(data)
    assert other.recv(70_000) == data


def test_too_long_a_datagram(two):
    """send(2): EMSGSIZE for a datagram that is longer than the protocol allows."""
    one, other = two
    assert errno_of(one.sendto, b"x" * 65_508, other.getsockname()) == errno.EMSGSIZE
    one.sendto(b"x", other.getsockname())
    assert other.recv(10) == b"x"


def test_a_datagram_to_nowhere(two):
    """send(2): EDESTADDRREQ for a datagram without an address from a socket that is not connected."""
    assert errno_of(two[0].send, b"x") == errno.EDESTADDRREQ


def test_nobody_hears_nobody_answers(inet, two):
    """udp(7): a datagram to a port where nobody is never disturbs an unconnected socket, neither now nor later."""
    one, other = two
    nobody = inet.closed_port(inet.net.SOCK_DGRAM)
    for _ in range(3):
        one.sendto(b"x", nobody)
    one.settimeout(0.1)
    with pytest.raises(TimeoutError):
        one.recvfrom(10)
    other.sendto(b"real", one.getsockname())
    one.settimeout(PATIENCE)
    assert one.recvfrom(10) == (b"real", other.getsockname())


def test_nobody_hears_and_recv_is_not_disturbed(inet, two):
    """udp(7): nor does it disturb recv(2) and recv_into() of an unconnected socket."""
    one, other = two
    one.sendto(b"x", inet.closed_port(inet.net.SOCK_DGRAM))
    other.sendto(b"first", one.getsockname())
    assert one.recv(10) == b"first"
    one.sendto(b"x", inet.closed_port(inet.net.SOCK_DGRAM))
    other.sendto(b"second", one.getsockname())
    buffer = bytearray(6)
    assert one.recv_into(buffer) == 6
    assert buffer == b"second"


def test_sending_is_not_disturbed(inet, two):
    """udp(7): an unconnected socket goes on sending after a datagram to a port where nobody is."""
    one, other = two
    nobody = inet.closed_port(inet.net.SOCK_DGRAM)
    for number in range(5):
        one.sendto(b"x", nobody)
        one.sendto(bytes([number]), other.getsockname())
    assert [other.recv(1) for _ in range(5)] == [bytes([number]) for number in range(5)]


def test_a_connected_socket_hears_of_it(inet):
    """udp(7): on a connected socket a datagram to a port where nobody is comes back as ECONNREFUSED."""
    sock = inet.udp()
    sock.connect(inet.closed_port(inet.net.SOCK_DGRAM))
    sock.send(b"x")
    select.select([sock], [], [], PATIENCE)
    with pytest.raises(ConnectionRefusedError) as caught:
        sock.recv(1)
    assert caught.value.errno == errno.ECONNREFUSED


def test_an_error_is_told_once(inet, two):
    """udp(7): an error of the past is told by one call, and the socket works on."""
    one, _ = two
    sock = inet.udp()
    sock.connect(inet.closed_port(inet.net.SOCK_DGRAM))
    sock.send(b"x")
    select.select([sock], [], [], PATIENCE)
    with pytest.raises(ConnectionRefusedError):
        sock.recv(1)
    sock.settimeout(0.05)
    with pytest.raises(TimeoutError):
        sock.recv(1)
    sock.connect(one.getsockname())
    sock.send(b"works")
    assert one.recv(10) == b"works"


def test_a_connected_socket_hears_its_peer_alone(inet, two):
    """connect(2): a connected datagram socket gets datagrams from its peer, and from nobody else."""
    one, other = two
    stranger = inet.bound_udp()
    one.connect(other.getsockname())
    stranger.sendto(b"stranger", one.getsockname())
    other.sendto(b"peer", one.getsockname())
    assert one.recv(100) == b"peer"
    one.settimeout(0.05)
    with pytest.raises(TimeoutError):
        one.recv(100)


@ours_alone
@names("disconnect")
def test_a_connection_can_be_undone(inet, two):
    """connect(2), AF_UNSPEC: after disconnect() a datagram socket has no peer, and hears everybody again."""
    one, other = two
    stranger = inet.bound_udp()
    one.connect(other.getsockname())
    one.disconnect()
    assert errno_of(one.getpeername) == errno.ENOTCONN
    assert errno_of(one.send, b"x") == errno.EDESTADDRREQ
    stranger.sendto(b"stranger", one.getsockname())
    assert one.recvfrom(100) == (b"stranger", stranger.getsockname())


def test_a_connected_socket_sends_without_an_address(two):
    """connect(2): a connected datagram socket sends to its peer by send(2)."""
    one, other = two
    one.connect(other.getsockname())
    assert one.send(b"abc") == 3
    one.sendall(b"def")
    assert [other.recv(10), other.recv(10)] == [b"abc", b"def"]


def test_recvfrom_names_the_peer_of_a_connected_socket(two):
    """recvfrom(2) of a connected datagram socket tells the sender, too."""
    one, other = two
    one.connect(other.getsockname())
    other.sendto(b"x", one.getsockname())
    assert one.recvfrom(1) == (b"x", other.getsockname())


def test_nothing_there(two):
    """recvfrom(2): EAGAIN, a BlockingIOError, from a non-blocking socket without a datagram."""
    two[0].setblocking(False)
    with pytest.raises(BlockingIOError):
        two[0].recvfrom(1)


def test_dontwait(net, two):
    """recvfrom(2): MSG_DONTWAIT is EAGAIN where a blocking socket would wait."""
    one, other = two
    one.settimeout(None)
    with pytest.raises(BlockingIOError):
        Background(one.recvfrom, 1, net.MSG_DONTWAIT).result()
    assert one.sendto(b"x", net.MSG_DONTWAIT, other.getsockname()) == 1
    assert other.recv(1) == b"x"


def test_nothing_comes(two):
    """recvfrom() with a time-out is a TimeoutError when it is over."""
    two[0].settimeout(0.05)
    with pytest.raises(TimeoutError):
        two[0].recvfrom(1)


def test_recvfrom_waits(two):
    """recvfrom(2) of a blocking socket waits until a datagram comes."""
    one, other = two
    one.settimeout(None)
    call = Background(one.recvfrom, 10)
    assert call.running(0.1)
    other.sendto(b"now", one.getsockname())
    assert call.result() == (b"now", other.getsockname())


def test_an_unbound_socket_hears_nothing(inet):
    """recvfrom(2) of a datagram socket that has no port gives nothing: non-blocking, it is EAGAIN."""
    sock = inet.udp()
    sock.setblocking(False)
    with pytest.raises(BlockingIOError):
        sock.recvfrom(1)


def test_sending_never_waits(two):
    """udp(7): a receiver that does not read loses datagrams and does not hold up the sender."""
    one, other = two

    def send() -> None:
        for _ in range(1500):  # more than any receive buffer holds
            with contextlib.suppress(BlockingIOError):
                one.sendto(b"x" * 1000, other.getsockname())

    Background(send).result()
    assert other.recv(2000) == b"x" * 1000


def test_a_broadcast_needs_leave(inet):
    """socket(7): EACCES for a datagram to a broadcast address without SO_BROADCAST."""
    assert errno_of(inet.udp().sendto, b"x", ("127.255.255.255", 9)) == errno.EACCES


def test_datagrams_over_ipv6(net, inet):
    """udp(7), ipv6(7): datagrams over IPv6, with the sender's four-part address."""
    one, other = inet.bound_udp(net.AF_INET6), inet.bound_udp(net.AF_INET6)
    one.sendto(b"six", other.getsockname())
    assert other.recvfrom(10) == (b"six", one.getsockname())


def test_a_closed_socket(two):
    """sendto(2) and recvfrom(2): EBADF for a closed socket."""
    one, other = two
    one.close()
    assert errno_of(one.sendto, b"x", other.getsockname()) == errno.EBADF
    assert errno_of(one.recvfrom, 1) == errno.EBADF


def test_the_sender_may_be_gone(inet, two):
    """udp(7): a datagram outlives the socket that sent it."""
    one, other = two
    name = one.getsockname()
    one.sendto(b"last", other.getsockname())
    one.close()
    assert other.recvfrom(10) == (b"last", name)


def test_sendto_takes_flags_before_the_address(net, two):
    """sendto() takes `data, flags, address` and `data, address`; without an address it is a TypeError."""
    one, other = two
    assert one.sendto(b"x", 0, other.getsockname()) == 1
    assert other.recv(1) == b"x"
    with pytest.raises(TypeError):
        one.sendto(b"x")


def test_multicast_on_loopback(net, inet):
    """ip(7): who has joined a group (IP_ADD_MEMBERSHIP) gets what is sent to it, the sender's own machine included."""
    group, port = "239.255.77.77", inet.closed_port(net.SOCK_DGRAM)[1]
    receiver, sender = inet.udp(), inet.udp()
    receiver.bind(("", port))
    here = net.inet_aton("127.0.0.1")
    receiver.setsockopt(net.IPPROTO_IP, net.IP_ADD_MEMBERSHIP, net.inet_aton(group) + here)
    sender.setsockopt(net.IPPROTO_IP, net.IP_MULTICAST_IF, here)
    sender.setsockopt(net.IPPROTO_IP, net.IP_MULTICAST_LOOP, 1)
    sender.sendto(b"to all", (group, port))
    assert receiver.recv(10) == b"to all"
    receiver.setsockopt(net.IPPROTO_IP, net.IP_DROP_MEMBERSHIP, net.inet_aton(group) + here)


def test_a_shutdown_without_a_peer(net, two):
    """shutdown(2): ENOTCONN for a datagram socket that is not connected."""
    assert errno_of(two[0].shutdown, net.SHUT_RDWR) == errno.ENOTCONN


def test_a_connected_datagram_socket_is_no_stream(two):
    """accept(2): EOPNOTSUPP for a connected datagram socket."""
    one, other = two
    one.connect(other.getsockname())
    assert blocking_errno(one, "accept") == errno.EOPNOTSUPP
