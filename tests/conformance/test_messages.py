"""sendmsg(2) and recvmsg(2): several buffers, flags, and ancillary data (cmsg(3), ip(7), ipv6(7), unix(7))."""

from __future__ import annotations

import errno
import select
import struct

import pytest

from conformance.raising import PATIENCE, Background, blocking_errno, errno_of, names

sending = pytest.mark.needs("sendmsg")
receiving = pytest.mark.needs("recvmsg")
ancillary = pytest.mark.needs("ancillary")


@pytest.fixture
def two(inet):
    """Two datagram sockets, each bound to a port."""
    return inet.bound_udp(), inet.bound_udp()


@pytest.fixture
def two6(net, inet):
    """The same over IPv6."""
    return inet.bound_udp(net.AF_INET6), inet.bound_udp(net.AF_INET6)


def arrived(sock):
    """Wait until there is something to read."""
    assert select.select([sock], [], [], PATIENCE)[0]


def told_beside(net, one, other):
    """Send a datagram from one to the other, and receive the one control message that comes with it."""
    one.sendto(b"x", other.getsockname())
    _, [message], _, _ = other.recvmsg(10, net.CMSG_SPACE(64))
    return message


def number(data):
    """An int of C as ancillary data carry it."""
    return struct.unpack("i", data)[0]


@sending
def test_several_buffers_are_one_stream(inet):
    """sendmsg(2) sends several buffers as if they were one, and returns how many bytes it took."""
    made = inet.connection()
    assert made.client.sendmsg([b"ab", bytearray(b"cd"), memoryview(b"ef")]) == 6
    assert made.server.recv(100) == b"abcdef"


@sending
def test_several_buffers_are_one_datagram(two):
    """sendmsg(2) on a datagram socket sends one datagram of all buffers, to the address that it is given."""
    one, other = two
    assert one.sendmsg([b"ab", b"", b"cd"], [], 0, other.getsockname()) == 4
    assert other.recvfrom(100) == (b"abcd", one.getsockname())


@sending
def test_sendmsg_of_nothing(two):
    """sendmsg(2) of no buffers on a datagram socket sends an empty datagram."""
    one, other = two
    assert one.sendmsg([], [], 0, other.getsockname()) == 0
    assert other.recvfrom(10) == (b"", one.getsockname())


@sending
def test_sendmsg_to_the_peer(two):
    """sendmsg(2) without an address sends to the peer of a connected datagram socket."""
    one, other = two
    one.connect(other.getsockname())
    one.sendmsg([b"x"])
    assert other.recv(1) == b"x"


@sending
def test_many_buffers(inet):
    """sendmsg(2) takes as many as 1,024 buffers (IOV_MAX)."""
    made = inet.connection()
    assert made.client.sendmsg([b"x"] * 1024) == 1024
    made.client.shutdown(inet.net.SHUT_WR)
    assert inet.drain(made.server) == 1024


@sending
def test_sendmsg_to_nowhere(two):
    """sendmsg(2): EDESTADDRREQ for a datagram without an address from a socket that is not connected."""
    assert errno_of(two[0].sendmsg, [b"x"]) == errno.EDESTADDRREQ


@sending
def test_sendmsg_after_ones_own_shutdown(net, inet):
    """sendmsg(2): EPIPE after shutdown(SHUT_WR)."""
    made = inet.connection()
    made.client.shutdown(net.SHUT_WR)
    assert errno_of(made.client.sendmsg, [b"x"]) == errno.EPIPE


@sending
def test_sendmsg_without_room(inet):
    """sendmsg(2): EAGAIN from a non-blocking socket when there is no room, and what it took before is what arrives."""
    made = inet.connection()
    made.client.setblocking(False)
    sent = 0
    with pytest.raises(BlockingIOError):
        for _ in range(10_000):
            sent += made.client.sendmsg([b"x" * 40_000, b"y" * 40_000])
    made.client.shutdown(inet.net.SHUT_WR)
    assert inet.drain(made.server) == sent


@sending
def test_sendmsg_with_a_timeout(inet):
    """sendmsg() with a time-out is a TimeoutError when the peer has not read in time."""
    made = inet.connection()
    inet.fill(made.client)
    made.client.settimeout(0.1)
    with pytest.raises(TimeoutError):
        for _ in range(100):
            made.client.sendmsg([b"x" * (1 << 20)])


@sending
def test_sendmsg_with_dontwait(net, inet):
    """sendmsg(2): MSG_DONTWAIT is EAGAIN where a blocking socket would wait."""
    made = inet.connection()
    inet.fill(made.client)
    made.client.settimeout(None)
    with pytest.raises(BlockingIOError):
        for _ in range(100):
            made.client.sendmsg([b"x" * 65_536], [], net.MSG_DONTWAIT)


@sending
def test_sendmsg_takes_buffers_alone(inet):
    """sendmsg() of what is no sequence of buffers is a TypeError."""
    made = inet.connection()
    for wrong in (7, [7], ["text"]):
        with pytest.raises(TypeError):
            made.client.sendmsg(wrong)


@sending
def test_what_is_no_address(inet, two):
    """sendmsg(2): TypeError for an address of a wrong kind, also where the peer is known; nothing is sent."""
    made = inet.connection()
    for sock in (made.client, *two):
        for wrong in (object(), "127.0.0.1", ("127.0.0.1",)):
            with pytest.raises(TypeError):
                sock.sendmsg([b"x"], [], 0, wrong)
    made.client.sendall(b"y")
    assert made.server.recv(100) == b"y"


def test_sendto_takes_bytes(two):
    """sendto(2): TypeError, in C's words, for data that are not bytes-like."""
    for data in ("text", 5j):
        for where in ((two[1].getsockname(),), (0, two[1].getsockname())):
            with pytest.raises(TypeError, match=r"^a bytes-like object is required, not '(str|complex)'$"):
                two[0].sendto(data, *where)


@sending
def test_sendmsg_of_a_closed_socket(two):
    """sendmsg(2): EBADF for a closed socket."""
    two[0].close()
    assert errno_of(two[0].sendmsg, [b"x"]) == errno.EBADF


@receiving
def test_recvmsg_of_a_stream(inet):
    """recvmsg(2) of a stream gives data, no ancillary data, and no flags."""
    made = inet.connection()
    made.client.sendall(b"abc")
    data, more, flags, _ = made.server.recvmsg(100)
    assert (data, more, flags) == (b"abc", [], 0)


@receiving
def test_recvmsg_of_a_datagram(two):
    """recvmsg(2) gives a datagram and its sender."""
    one, other = two
    one.sendto(b"abc", other.getsockname())
    assert other.recvmsg(100) == (b"abc", [], 0, one.getsockname())


@receiving
def test_recvmsg_tells_of_a_cut(net, two):
    """recvmsg(2): MSG_TRUNC is set for a datagram that did not fit, and for no other."""
    one, other = two
    one.sendto(b"0123456789", other.getsockname())
    one.sendto(b"0123", other.getsockname())
    data, _, flags, sender = other.recvmsg(4)
    assert (data, sender) == (b"0123", one.getsockname())
    assert flags & net.MSG_TRUNC
    data, _, flags, _ = other.recvmsg(4)
    assert data == b"0123"
    assert not flags & net.MSG_TRUNC


@receiving
def test_recvmsg_into_several_buffers(inet):
    """recvmsg_into() fills the buffers one after the other (recvmsg(2), struct iovec)."""
    made = inet.connection()
    made.client.sendall(b"abcdef")
    arrived(made.server)
    first, second, third = bytearray(2), bytearray(3), bytearray(b"___")
    assert made.server.recvmsg_into([first, second, third])[0] == 6
    assert (first, second, third) == (b"ab", b"cde", b"f__")


@receiving
def test_recvmsg_into_tells_of_a_cut(net, two):
    """recvmsg_into(): MSG_TRUNC is set for a datagram that the buffers did not hold (recvmsg(2))."""
    one, other = two
    one.sendto(b"0123456789", other.getsockname())
    first, second = bytearray(2), bytearray(2)
    count, _, flags, sender = other.recvmsg_into([first, second])
    assert (count, sender) == (4, one.getsockname())
    assert flags & net.MSG_TRUNC
    assert (first, second) == (b"01", b"23")


@receiving
def test_a_buffer_that_cannot_be_filled(two):
    """recvmsg(2), recv(2) and recvfrom(2) into memory that is read-only: TypeError, and the datagram stays."""
    one, other = two
    one.sendto(b"whole", other.getsockname())
    arrived(other)
    fixed = b"read-only"
    for call, wrong in (
        (other.recvmsg_into, [bytearray(1), fixed]),
        (other.recvmsg_into, [object()]),
        (other.recvmsg_into, bytearray(10)),
        (other.recv_into, fixed),
        (other.recvfrom_into, fixed),
    ):
        with pytest.raises(TypeError):
            call(wrong)
    assert other.recv(100) == b"whole"


@receiving
def test_recvmsg_at_the_end(inet):
    """recvmsg(2): no bytes at the end of the stream."""
    made = inet.connection()
    made.client.close()
    assert made.server.recvmsg(10)[:3] == (b"", [], 0)


@receiving
def test_recvmsg_of_an_empty_datagram(two):
    """recvmsg(2) gives an empty datagram with its sender."""
    one, other = two
    one.sendto(b"", other.getsockname())
    assert other.recvmsg(10) == (b"", [], 0, one.getsockname())


@receiving
def test_recvmsg_peeks(net, two):
    """recvmsg(2): MSG_PEEK leaves the datagram."""
    one, other = two
    one.sendto(b"abc", other.getsockname())
    assert other.recvmsg(10, 0, net.MSG_PEEK)[0] == b"abc"
    assert other.recvmsg(10)[0] == b"abc"


@receiving
def test_recvmsg_without_data(net, two):
    """recvmsg(2): EAGAIN where it would wait and must not: non-blocking, or with MSG_DONTWAIT."""
    one, other = two
    one.settimeout(None)
    with pytest.raises(BlockingIOError):
        Background(one.recvmsg, 1, 0, net.MSG_DONTWAIT).result()
    other.setblocking(False)
    with pytest.raises(BlockingIOError):
        other.recvmsg(1)


@receiving
def test_recvmsg_with_a_timeout(two):
    """recvmsg() with a time-out is a TimeoutError when it is over."""
    two[0].settimeout(0.05)
    with pytest.raises(TimeoutError):
        two[0].recvmsg(1)


@receiving
def test_recvmsg_waits(two):
    """recvmsg(2) of a blocking socket waits until something comes."""
    one, other = two
    one.settimeout(None)
    call = Background(one.recvmsg, 10)
    assert call.running(0.1)
    other.sendto(b"now", one.getsockname())
    assert call.result() == (b"now", [], 0, other.getsockname())


@receiving
def test_recvmsg_without_a_connection(inet):
    """recvmsg(2): ENOTCONN for a stream socket that is not connected."""
    assert blocking_errno(inet.tcp(), "recvmsg", 1) == errno.ENOTCONN


@sending
def test_sendmsg_without_a_connection(inet):
    """sendmsg(2): ENOTCONN or EPIPE for a stream socket that is not connected."""
    assert blocking_errno(inet.tcp(), "sendmsg", [b"x"]) in (errno.ENOTCONN, errno.EPIPE)


@receiving
def test_recvmsg_after_a_reset(inet):
    """recvmsg(2): ECONNRESET after the peer has reset the connection."""
    made = inet.connection()
    inet.reset(made.client)
    arrived(made.server)
    assert errno_of(made.server.recvmsg, 1) == errno.ECONNRESET


@receiving
def test_recvmsg_is_not_disturbed(inet, two):
    """udp(7): a datagram to a port where nobody is does not disturb recvmsg(2) of an unconnected socket."""
    one, other = two
    one.sendto(b"x", inet.closed_port(inet.net.SOCK_DGRAM))
    other.sendto(b"real", one.getsockname())
    assert one.recvmsg(10)[0] == b"real"


@receiving
def test_negative_sizes(two):
    """recvmsg() of less than nothing, or with less than no room for ancillary data, is a ValueError."""
    with pytest.raises(ValueError):
        two[0].recvmsg(-1)
    with pytest.raises(ValueError):
        two[0].recvmsg(1, -1)


def test_the_sizes_of_ancillary_data(net):
    """cmsg(3): CMSG_LEN is header and data, CMSG_SPACE that with padding, and both refuse what cannot be."""
    for size in range(40):
        assert net.CMSG_LEN(size) == net.CMSG_LEN(0) + size
        assert net.CMSG_LEN(size) <= net.CMSG_SPACE(size) < net.CMSG_LEN(size) + 16
    assert net.CMSG_SPACE(1) == net.CMSG_SPACE(4)
    largest = 2**31 - 1  # of a socklen_t
    assert net.CMSG_LEN(largest - net.CMSG_LEN(0)) == largest
    assert net.CMSG_SPACE(largest - net.CMSG_SPACE(1)) <= largest
    for call, around in ((net.CMSG_LEN, net.CMSG_LEN(0)), (net.CMSG_SPACE, net.CMSG_SPACE(1))):
        for impossible in (-1, largest - around + 1):
            with pytest.raises(OverflowError):
                call(impossible)


@ancillary
@names("IP_PKTINFO")
def test_the_address_that_was_called(net, two):
    """ip(7): with IP_PKTINFO recvmsg(2) tells at which of its addresses a datagram reached the machine."""
    one, other = two
    other.setsockopt(net.IPPROTO_IP, net.IP_PKTINFO, 1)
    one.sendto(b"x", other.getsockname())
    data, [(level, kind, value)], flags, _ = other.recvmsg(10, net.CMSG_SPACE(64))
    assert (data, level, kind, flags) == (b"x", net.IPPROTO_IP, net.IP_PKTINFO, 0)
    assert value[-4:] == net.inet_aton("127.0.0.1")


@ancillary
@names("IP_RECVTTL", "IP_TTL")
def test_the_time_to_live_that_was_left(net, two):
    """ip(7): with IP_RECVTTL recvmsg(2) tells a datagram's time to live, as IP_TTL, an int."""
    one, other = two
    other.setsockopt(net.IPPROTO_IP, net.IP_RECVTTL, 1)
    one.setsockopt(net.IPPROTO_IP, net.IP_TTL, 33)
    level, kind, value = told_beside(net, one, other)
    assert (level, kind, number(value)) == (net.IPPROTO_IP, net.IP_TTL, 33)


@ancillary
@names("IPV6_RECVPKTINFO", "IPV6_PKTINFO")
def test_the_ipv6_address_that_was_called(net, two6):
    """RFC 3542: with IPV6_RECVPKTINFO recvmsg(2) tells the address and the interface, as IPV6_PKTINFO."""
    one, other = two6
    other.setsockopt(net.IPPROTO_IPV6, net.IPV6_RECVPKTINFO, 1)
    level, kind, value = told_beside(net, one, other)
    assert (level, kind) == (net.IPPROTO_IPV6, net.IPV6_PKTINFO)
    address, interface = struct.unpack("16sI", value)
    assert address == net.inet_pton(net.AF_INET6, "::1")
    assert interface in dict(net.if_nameindex())


@ancillary
@names("IPV6_RECVHOPLIMIT", "IPV6_HOPLIMIT")
def test_the_hop_limit_that_was_left(net, two6):
    """RFC 3542: with IPV6_RECVHOPLIMIT recvmsg(2) tells the hop limit, as IPV6_HOPLIMIT, an int."""
    one, other = two6
    other.setsockopt(net.IPPROTO_IPV6, net.IPV6_RECVHOPLIMIT, 1)
    one.setsockopt(net.IPPROTO_IPV6, net.IPV6_UNICAST_HOPS, 33)
    level, kind, value = told_beside(net, one, other)
    assert (level, kind, number(value)) == (net.IPPROTO_IPV6, net.IPV6_HOPLIMIT, 33)


@ancillary
@names("IPV6_RECVTCLASS", "IPV6_TCLASS")
def test_the_traffic_class(net, two6):
    """RFC 3542: with IPV6_RECVTCLASS recvmsg(2) tells the traffic class, as IPV6_TCLASS, an int."""
    one, other = two6
    other.setsockopt(net.IPPROTO_IPV6, net.IPV6_RECVTCLASS, 1)
    one.setsockopt(net.IPPROTO_IPV6, net.IPV6_TCLASS, 32)
    level, kind, value = told_beside(net, one, other)
    assert (level, kind, number(value)) == (net.IPPROTO_IPV6, net.IPV6_TCLASS, 32)


@ancillary
@names("IP_RECVTOS", "IP_TOS")
def test_the_type_of_service(net, two):
    """ip(7): with IP_RECVTOS recvmsg(2) tells a datagram's type of service, as IP_TOS, whose first byte it is."""
    one, other = two
    other.setsockopt(net.IPPROTO_IP, net.IP_RECVTOS, 1)
    one.setsockopt(net.IPPROTO_IP, net.IP_TOS, 0x10)
    level, kind, value = told_beside(net, one, other)
    assert (level, kind, value[0]) == (net.IPPROTO_IP, net.IP_TOS, 0x10)


@ancillary
@names("IPV6_RECVHOPLIMIT")
def test_no_room_for_ancillary_data(net, two6):
    """recvmsg(2): MSG_CTRUNC is set where there was no room for the ancillary data, and the datagram is whole."""
    one, other = two6
    other.setsockopt(net.IPPROTO_IPV6, net.IPV6_RECVHOPLIMIT, 1)
    one.sendto(b"abc", other.getsockname())
    data, more, flags, _ = other.recvmsg(10, 1)
    assert (data, more) == (b"abc", [])
    assert flags & net.MSG_CTRUNC


@ancillary
@names("IP_RECVTTL", "IP_TTL")
def test_a_time_to_live_of_one_datagram(net, two):
    """ip(7): IP_TTL as ancillary data of sendmsg(2) is the time to live of that datagram alone."""
    one, other = two
    other.setsockopt(net.IPPROTO_IP, net.IP_RECVTTL, 1)
    one.sendmsg([b"x"], [(net.IPPROTO_IP, net.IP_TTL, struct.pack("i", 7))], 0, other.getsockname())
    one.sendto(b"y", other.getsockname())
    values = [number(other.recvmsg(10, net.CMSG_SPACE(64))[1][0][2]) for _ in range(2)]
    assert values[0] == 7
    assert values[1] != 7


@ancillary
@names("IPV6_RECVHOPLIMIT", "IPV6_HOPLIMIT")
def test_a_hop_limit_of_one_datagram(net, two6):
    """RFC 3542: IPV6_HOPLIMIT as ancillary data of sendmsg(2) is the hop limit of that datagram alone."""
    one, other = two6
    other.setsockopt(net.IPPROTO_IPV6, net.IPV6_RECVHOPLIMIT, 1)
    data = [(net.IPPROTO_IPV6, net.IPV6_HOPLIMIT, struct.pack("i", 7))]
    one.sendmsg([b"x"], data, 0, other.getsockname())
    one.sendto(b"y", other.getsockname())
    values = [number(other.recvmsg(10, net.CMSG_SPACE(64))[1][0][2]) for _ in range(2)]
    assert values[0] == 7
    assert values[1] != 7


@ancillary
def test_unknown_ancillary_data(net, two):
    """sendmsg(2): EINVAL for ancillary data of IP that the system does not know."""
    one, other = two
    wrong = [(net.IPPROTO_IP, 9999, b"1234")]
    assert errno_of(one.sendmsg, [b"x"], wrong, 0, other.getsockname()) == errno.EINVAL


@pytest.mark.needs("passing")
def test_a_socket_can_be_passed(net, inet):
    """unix(7): a descriptor sent with SCM_RIGHTS arrives as one of the same socket."""
    made = inet.connection()
    one, other = net.socketpair()
    with one, other:
        other.settimeout(PATIENCE)
        net.send_fds(one, [b"take"], [made.server.fileno()])
        data, [passed], flags, _ = net.recv_fds(other, 100, 4)
        assert (data, flags & net.MSG_CTRUNC) == (b"take", 0)
        with net.socket(fileno=passed) as copy:
            assert copy.getpeername() == made.client.getsockname()
            made.server.close()
            copy.sendall(b"it lives")
            assert made.client.recv(100) == b"it lives"
