"""getsockopt(2) and setsockopt(2): what an option's value looks like, and what it does (socket(7), tcp(7), ip(7))."""

from __future__ import annotations

import errno
import struct
import sys

import pytest

from conformance.implementations import selectors_of
from conformance.raising import PATIENCE, Background, errno_of, names

BOOLEANS = [
    ("SOL_SOCKET", "SO_REUSEADDR"),
    ("SOL_SOCKET", "SO_KEEPALIVE"),
    ("SOL_SOCKET", "SO_OOBINLINE"),
    ("IPPROTO_TCP", "TCP_NODELAY"),
]


@pytest.mark.parametrize(("level", "option"), BOOLEANS)
def test_a_switch_is_off_on_and_off(net, inet, level, option):
    """socket(7), tcp(7): a switch is 0 in a new socket, not 0 when it was set, and 0 when it was set to 0."""
    sock, where, which = inet.tcp(), getattr(net, level), getattr(net, option)
    assert sock.getsockopt(where, which) == 0
    sock.setsockopt(where, which, 1)
    assert sock.getsockopt(where, which) != 0
    sock.setsockopt(where, which, 0)
    assert sock.getsockopt(where, which) == 0


@pytest.mark.parametrize(("level", "option"), BOOLEANS)
def test_a_switch_is_a_whole_int(net, inet, level, option):
    """getsockopt(2): a switch is read as an int of C, all of its bytes."""
    sock, where, which = inet.tcp(), getattr(net, level), getattr(net, option)
    for value in (0, 1):
        sock.setsockopt(where, which, struct.pack("i", value))
        raw = sock.getsockopt(where, which, 4)
        assert len(raw) == 4
        assert bool(int.from_bytes(raw, sys.byteorder)) is bool(value)
        assert raw[1:] == b"\0\0\0" or sys.byteorder == "big"


def test_the_type_of_a_socket(net, inet):
    """socket(7): SO_TYPE is the socket's type."""
    assert inet.tcp().getsockopt(net.SOL_SOCKET, net.SO_TYPE) == net.SOCK_STREAM
    assert inet.udp().getsockopt(net.SOL_SOCKET, net.SO_TYPE) == net.SOCK_DGRAM


@names("SO_DOMAIN", "SO_PROTOCOL")
def test_the_family_of_a_socket(net, inet):
    """socket(7): SO_DOMAIN is the socket's family, SO_PROTOCOL its protocol."""
    assert inet.tcp().getsockopt(net.SOL_SOCKET, net.SO_DOMAIN) == net.AF_INET
    assert inet.tcp().getsockopt(net.SOL_SOCKET, net.SO_PROTOCOL) == net.IPPROTO_TCP


def test_no_error_is_zero(net, inet):
    """socket(7): SO_ERROR is 0 where nothing has failed."""
    made = inet.connection()
    assert made.client.getsockopt(net.SOL_SOCKET, net.SO_ERROR) == 0
    assert inet.udp().getsockopt(net.SOL_SOCKET, net.SO_ERROR) == 0


def test_a_datagram_error_is_read_once(net, inet):
    """socket(7): SO_ERROR gives the error of a connected datagram socket, and clears it."""
    sock = inet.udp()
    sock.connect(inet.closed_port(net.SOCK_DGRAM))
    sock.send(b"x")
    with selectors_of(net).DefaultSelector() as selector:
        selector.register(sock, 1)
        assert selector.select(PATIENCE)
    assert sock.getsockopt(net.SOL_SOCKET, net.SO_ERROR) == errno.ECONNREFUSED
    assert sock.getsockopt(net.SOL_SOCKET, net.SO_ERROR) == 0


def test_linger_is_two_ints(net, inet):
    """socket(7): SO_LINGER is a struct of two ints, whether to linger and for how many seconds."""
    sock = inet.tcp()
    assert struct.unpack("ii", sock.getsockopt(net.SOL_SOCKET, net.SO_LINGER, 8))[0] == 0
    sock.setsockopt(net.SOL_SOCKET, net.SO_LINGER, struct.pack("ii", 1, 7))
    assert struct.unpack("ii", sock.getsockopt(net.SOL_SOCKET, net.SO_LINGER, 8)) == (1, 7)


@pytest.mark.parametrize("option", ["SO_RCVBUF", "SO_SNDBUF"])
def test_a_buffers_size(net, inet, option):
    """socket(7): a buffer is at least as large as was asked for."""
    sock = inet.tcp()
    assert sock.getsockopt(net.SOL_SOCKET, getattr(net, option)) > 0
    sock.setsockopt(net.SOL_SOCKET, getattr(net, option), 30_000)
    assert sock.getsockopt(net.SOL_SOCKET, getattr(net, option)) >= 30_000


@names("SO_RCVTIMEO")
def test_a_receive_timeout_of_the_system(net, inet):
    """socket(7): SO_RCVTIMEO is a timeval, after which a blocking recv(2) is EAGAIN."""
    made = inet.connection()
    made.client.settimeout(None)
    made.client.setsockopt(net.SOL_SOCKET, net.SO_RCVTIMEO, struct.pack("@ll", 0, 100_000))
    size = struct.calcsize("@ll")
    seconds, microseconds = struct.unpack(
        "@ll", made.client.getsockopt(net.SOL_SOCKET, net.SO_RCVTIMEO, size)
    )
    assert seconds == 0
    assert 90_000 <= microseconds <= 120_000
    call = Background(made.client.recv, 1)
    with pytest.raises(BlockingIOError):
        call.result()


@names("SO_SNDTIMEO")
def test_a_send_timeout_of_the_system(net, inet):
    """socket(7): SO_SNDTIMEO is a timeval, after which a blocking send(2) without room is EAGAIN."""
    made = inet.connection()
    inet.fill(made.client)
    made.client.settimeout(None)
    made.client.setsockopt(net.SOL_SOCKET, net.SO_SNDTIMEO, struct.pack("@ll", 0, 100_000))

    def send() -> None:
        for _ in range(100):
            made.client.send(b"x" * (1 << 20))

    with pytest.raises(BlockingIOError):
        Background(send).result()


def test_broadcast(net, inet):
    """socket(7): SO_BROADCAST is off in a new datagram socket, and is read as it was set."""
    sock = inet.udp()
    assert sock.getsockopt(net.SOL_SOCKET, net.SO_BROADCAST) == 0
    sock.setsockopt(net.SOL_SOCKET, net.SO_BROADCAST, 1)
    assert sock.getsockopt(net.SOL_SOCKET, net.SO_BROADCAST) == 1


@names("TCP_KEEPIDLE", "TCP_KEEPINTVL", "TCP_KEEPCNT")
def test_keep_alive(net, inet):
    """tcp(7): TCP_KEEPIDLE, TCP_KEEPINTVL and TCP_KEEPCNT are seconds, seconds and a number, read as they were set."""
    sock = inet.tcp()
    sock.setsockopt(net.SOL_SOCKET, net.SO_KEEPALIVE, 1)
    for option, value in (("TCP_KEEPIDLE", 60), ("TCP_KEEPINTVL", 7), ("TCP_KEEPCNT", 4)):
        sock.setsockopt(net.IPPROTO_TCP, getattr(net, option), value)
        assert sock.getsockopt(net.IPPROTO_TCP, getattr(net, option)) == value


@names("TCP_USER_TIMEOUT")
def test_the_user_timeout(net, inet):
    """tcp(7): TCP_USER_TIMEOUT is in milliseconds, and is read as it was set."""
    sock = inet.tcp()
    sock.setsockopt(net.IPPROTO_TCP, net.TCP_USER_TIMEOUT, 30_000)
    assert sock.getsockopt(net.IPPROTO_TCP, net.TCP_USER_TIMEOUT) == 30_000


def test_the_time_to_live(net, inet):
    """ip(7): IP_TTL is 1 to 255, and is read as it was set."""
    sock = inet.udp()
    assert 1 <= sock.getsockopt(net.IPPROTO_IP, net.IP_TTL) <= 255
    sock.setsockopt(net.IPPROTO_IP, net.IP_TTL, 33)
    assert sock.getsockopt(net.IPPROTO_IP, net.IP_TTL) == 33


@pytest.mark.parametrize("value", [0, 256])
def test_a_time_to_live_that_is_none(net, inet, value):
    """ip(7): EINVAL for a time to live that is not 1 to 255."""
    assert errno_of(inet.udp().setsockopt, net.IPPROTO_IP, net.IP_TTL, value) == errno.EINVAL


def test_the_type_of_service(net, inet):
    """ip(7): IP_TOS can be set on a stream and on a datagram socket, and is read as it was set."""
    for sock in (inet.tcp(), inet.udp()):
        sock.setsockopt(net.IPPROTO_IP, net.IP_TOS, 0x10)
        assert sock.getsockopt(net.IPPROTO_IP, net.IP_TOS) == 0x10


def test_the_hop_limit(net, inet):
    """ipv6(7): IPV6_UNICAST_HOPS is read as it was set."""
    inet.loopback(net.AF_INET6)
    sock = inet.udp(net.AF_INET6)
    sock.setsockopt(net.IPPROTO_IPV6, net.IPV6_UNICAST_HOPS, 33)
    assert sock.getsockopt(net.IPPROTO_IPV6, net.IPV6_UNICAST_HOPS) == 33


def test_v6only(net, inet):
    """ipv6(7): IPV6_V6ONLY of a socket that is not bound is read as it was set."""
    inet.loopback(net.AF_INET6)
    sock = inet.tcp(net.AF_INET6)
    for value in (1, 0):
        sock.setsockopt(net.IPPROTO_IPV6, net.IPV6_V6ONLY, value)
        assert sock.getsockopt(net.IPPROTO_IPV6, net.IPV6_V6ONLY) == value


def test_multicast_starts_close(net, inet):
    """ip(7): IP_MULTICAST_TTL is 1 and IP_MULTICAST_LOOP on in a new datagram socket."""
    sock = inet.udp()
    assert sock.getsockopt(net.IPPROTO_IP, net.IP_MULTICAST_TTL) == 1
    assert sock.getsockopt(net.IPPROTO_IP, net.IP_MULTICAST_LOOP) == 1


def test_multicast_options_are_kept(net, inet):
    """ip(7): IP_MULTICAST_TTL and IP_MULTICAST_LOOP are read as they were set."""
    sock = inet.udp()
    for option, value in ((net.IP_MULTICAST_TTL, 4), (net.IP_MULTICAST_LOOP, 0)):
        sock.setsockopt(net.IPPROTO_IP, option, value)
        assert sock.getsockopt(net.IPPROTO_IP, option) == value


def test_an_unknown_option(net, inet):
    """getsockopt(2), setsockopt(2): ENOPROTOOPT for an option that does not exist at its level."""
    sock = inet.tcp()
    for level in (net.SOL_SOCKET, net.IPPROTO_TCP):
        assert errno_of(sock.getsockopt, level, 0x7ABC) == errno.ENOPROTOOPT
        assert errno_of(sock.setsockopt, level, 0x7ABC, 1) == errno.ENOPROTOOPT


def test_an_option_of_another_protocol(net, inet):
    """setsockopt(2): TCP's options are not a datagram socket's: an OSError that says so."""
    code = errno_of(inet.udp().setsockopt, net.IPPROTO_TCP, net.TCP_NODELAY, 1)
    assert code in (errno.ENOPROTOOPT, errno.EOPNOTSUPP)


def test_a_value_too_short(net, inet):
    """setsockopt(2): EINVAL for a value that is shorter than the option's."""
    assert errno_of(inet.tcp().setsockopt, net.SOL_SOCKET, net.SO_LINGER, b"\1") == errno.EINVAL


def test_a_value_of_no_type(net, inet):
    """setsockopt() takes an int, bytes, or None with a length; text is a TypeError."""
    with pytest.raises(TypeError):
        inet.tcp().setsockopt(net.SOL_SOCKET, net.SO_KEEPALIVE, "1")


def test_a_closed_socket(net, inet):
    """getsockopt(2), setsockopt(2): EBADF for a closed socket."""
    sock = inet.tcp()
    sock.close()
    assert errno_of(sock.getsockopt, net.SOL_SOCKET, net.SO_TYPE) == errno.EBADF
    assert errno_of(sock.setsockopt, net.SOL_SOCKET, net.SO_KEEPALIVE, 1) == errno.EBADF


def test_no_delay_on_a_connection(net, inet):
    """tcp(7): TCP_NODELAY can be set and read at both ends of a connection."""
    made = inet.connection()
    for sock in (made.client, made.server):
        sock.setsockopt(net.IPPROTO_TCP, net.TCP_NODELAY, 1)
        assert sock.getsockopt(net.IPPROTO_TCP, net.TCP_NODELAY) != 0


def test_options_set_before_connecting_stay(net, inet):
    """connect(2) leaves options as they were set."""
    listener, sock = inet.listener(), inet.tcp()
    sock.setsockopt(net.SOL_SOCKET, net.SO_KEEPALIVE, 1)
    sock.setsockopt(net.IPPROTO_TCP, net.TCP_NODELAY, 1)
    sock.connect(listener.getsockname())
    assert sock.getsockopt(net.SOL_SOCKET, net.SO_KEEPALIVE) != 0
    assert sock.getsockopt(net.IPPROTO_TCP, net.TCP_NODELAY) != 0
