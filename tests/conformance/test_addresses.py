"""getsockname(2), getpeername(2), and how an Internet address is written."""

from __future__ import annotations

import errno

import pytest

from conformance.raising import errno_of


@pytest.mark.parametrize("kind", ["SOCK_STREAM", "SOCK_DGRAM"])
def test_an_unbound_socket_is_the_wildcard(net, inet, kind):
    """getsockname(2): the name of an Internet socket that was never bound is the wildcard address and port 0."""
    sock = inet.keep(net.socket(net.AF_INET, getattr(net, kind)))
    assert sock.getsockname() == ("0.0.0.0", 0)


@pytest.mark.parametrize("kind", ["SOCK_STREAM", "SOCK_DGRAM"])
def test_an_unbound_ipv6_socket_is_the_wildcard(net, inet, kind):
    """getsockname(2): the name of an IPv6 socket that was never bound is `::`, port 0, no flow and no scope."""
    inet.loopback(net.AF_INET6)
    sock = inet.keep(net.socket(net.AF_INET6, getattr(net, kind)))
    assert sock.getsockname() == ("::", 0, 0, 0)


def test_port_zero_becomes_a_port(inet):
    """bind(2): port 0 lets the system choose one, and getsockname(2) tells which."""
    sock = inet.tcp()
    sock.bind((inet.host, 0))
    host, port = sock.getsockname()
    assert host == inet.host
    assert 0 < port < 65_536


def test_the_name_is_what_was_bound(inet):
    """getsockname(2): the name of a bound socket is the address that bind(2) was given."""
    address = inet.closed_port()
    sock = inet.tcp()
    sock.bind(address)
    assert sock.getsockname() == address


def test_the_wildcard_is_its_own_name(inet):
    """getsockname(2): a socket bound to the wildcard address has that name, with its port."""
    sock = inet.tcp()
    sock.bind(("", 0))
    assert sock.getsockname()[0] == "0.0.0.0"
    assert sock.getsockname()[1] != 0


def test_connect_names_the_local_end(inet):
    """getsockname(2): after connect(2) the local name is the address and port that the connection uses."""
    made = inet.connection()
    host, port = made.client.getsockname()
    assert host == inet.host
    assert port not in (0, made.listener.getsockname()[1])


def test_the_clients_peer_is_the_listener(inet):
    """getpeername(2): a client's peer is the address that it connected to."""
    made = inet.connection()
    assert made.client.getpeername() == made.listener.getsockname()


def test_the_servers_peer_is_the_client(inet):
    """getpeername(2) of the accepted socket is the client's own name."""
    made = inet.connection()
    assert made.server.getpeername() == made.client.getsockname()


def test_accept_tells_the_peer(inet):
    """accept(2) gives the address that getpeername(2) of the new socket gives."""
    listener = inet.listener()
    client = inet.client(listener)
    server, name = inet.accept(listener)
    assert name == server.getpeername() == client.getsockname()


def test_an_accepted_socket_has_the_address_that_was_called(inet):
    """accept(2): below a wildcard listener the new socket's name is the address that the client connected to."""
    listener = inet.tcp()
    listener.bind(("", 0))
    listener.listen(1)
    port = listener.getsockname()[1]
    inet.tcp().connect((inet.host, port))
    server, _ = inet.accept(listener)
    assert server.getsockname() == (inet.host, port)


@pytest.mark.parametrize("kind", ["tcp", "udp", "bound_udp", "listener"])
def test_no_peer_is_enotconn(inet, kind):
    """getpeername(2): ENOTCONN for a socket without a peer, be it new, bound or listening."""
    assert errno_of(getattr(inet, kind)().getpeername) == errno.ENOTCONN


def test_a_connected_datagram_socket_has_a_peer(inet):
    """getpeername(2): a datagram socket's peer is the one that connect(2) set."""
    receiver, sender = inet.bound_udp(), inet.udp()
    sender.connect(receiver.getsockname())
    assert sender.getpeername() == receiver.getsockname()


def test_connecting_binds_a_datagram_socket(inet):
    """connect(2): a datagram socket that was not bound gets the local address that leads to the peer."""
    sender = inet.udp()
    sender.connect(inet.bound_udp().getsockname())
    assert sender.getsockname()[0] == inet.host
    assert sender.getsockname()[1] != 0


def test_sending_binds_a_datagram_socket(inet):
    """sendto(2): a datagram socket that was not bound gets a port by its first datagram, and keeps it."""
    receiver, sender = inet.bound_udp(), inet.udp()
    sender.sendto(b"x", receiver.getsockname())
    port = sender.getsockname()[1]
    assert port != 0
    assert receiver.recvfrom(1)[1] == (inet.host, port)


def test_the_peers_name_outlives_its_end_of_stream(inet):
    """getpeername(2) works after the peer has shut its side of the connection."""
    made = inet.connection()
    name = made.server.getsockname()
    made.server.shutdown(inet.net.SHUT_WR)
    assert made.client.recv(1) == b""
    assert made.client.getpeername() == name


def test_the_own_name_outlives_a_shutdown(inet):
    """getsockname(2) works after shutdown(2)."""
    made = inet.connection()
    name = made.client.getsockname()
    made.client.shutdown(inet.net.SHUT_RDWR)
    assert made.client.getsockname() == name


def test_a_listeners_name_stays(inet):
    """getsockname(2): neither listen(2) nor accept(2) changes a listener's name."""
    listener = inet.tcp()
    listener.bind((inet.host, 0))
    name = listener.getsockname()
    listener.listen(1)
    inet.client(listener)
    inet.accept(listener)
    assert listener.getsockname() == name


def test_an_ipv6_address_has_four_parts(net, inet):
    """ipv6(7): an address is host, port, flow and scope, in getsockname(2), getpeername(2) and accept(2)."""
    listener = inet.listener(family=net.AF_INET6)
    client = inet.client(listener, net.AF_INET6)
    _, name = inet.accept(listener)
    assert name == client.getsockname() == ("::1", client.getsockname()[1], 0, 0)
    assert client.getpeername() == listener.getsockname()


def test_an_ipv4_peer_of_an_ipv6_listener_is_mapped(net, inet):
    """ipv6(7): an IPv4 client of a listener without IPV6_V6ONLY has an address that begins with `::ffff:`."""
    inet.loopback(net.AF_INET6)
    listener = inet.tcp(net.AF_INET6)
    listener.setsockopt(net.IPPROTO_IPV6, net.IPV6_V6ONLY, 0)
    listener.bind(("::", 0))
    listener.listen(1)
    client = inet.tcp()
    client.connect((inet.host, listener.getsockname()[1]))
    _, name = inet.accept(listener)
    assert name[:2] == ("::ffff:127.0.0.1", client.getsockname()[1])


@pytest.mark.parametrize("address", ["127.0.0.1", ("127.0.0.1",), 7, None, ("127.0.0.1", "80")])
@pytest.mark.parametrize("call", ["bind", "connect"])
def test_an_address_of_another_shape_is_a_type_error(inet, call, address):
    """bind(2) and connect(2) of an Internet socket take host and port; anything else is a TypeError."""
    with pytest.raises(TypeError):
        getattr(inet.tcp(), call)(address)


@pytest.mark.parametrize("port", [-1, 65_536])
@pytest.mark.parametrize("call", ["bind", "connect"])
def test_a_port_has_sixteen_bits(inet, call, port):
    """ip(7): a port is 0 to 65535; another number is an OverflowError, never another port."""
    with pytest.raises(OverflowError):
        getattr(inet.tcp(), call)((inet.host, port))


def test_addresses_in_text_and_back(net):
    """inet_pton(3) and inet_ntop(3) are each other's inverse, and write IPv6 in its short form."""
    assert net.inet_pton(net.AF_INET, "127.0.0.1") == b"\x7f\0\0\1"
    assert net.inet_ntop(net.AF_INET, b"\x7f\0\0\1") == "127.0.0.1"
    assert net.inet_pton(net.AF_INET6, "::1") == bytes(15) + b"\1"
    assert net.inet_ntop(net.AF_INET6, bytes(15) + b"\1") == "::1"
    assert net.inet_ntop(net.AF_INET6, net.inet_pton(net.AF_INET6, "FE80:0:0:0:0:0:0:0A")) == "fe80::a"


@pytest.mark.parametrize("text", ["127.1", "256.0.0.1", "127.0.0.1 ", "::1", ""])
def test_inet_pton_is_strict(net, text):
    """inet_pton(3) of AF_INET takes four decimal numbers and nothing else."""
    with pytest.raises(OSError):
        net.inet_pton(net.AF_INET, text)


def test_inet_aton_takes_the_short_forms(net):
    """inet_aton(3) takes one to four parts, decimal, octal or hexadecimal; inet_ntoa(3) writes four."""
    assert net.inet_aton("127.1") == net.inet_aton("0x7f000001") == net.inet_aton("0177.0.0.1")
    assert net.inet_ntoa(net.inet_aton("127.1")) == "127.0.0.1"


def test_the_byte_order_of_the_network(net):
    """htons(3), htonl(3) and their inverses turn numbers into the network's order and back."""
    assert net.htons(1).to_bytes(2, "little" if net.htons(1) != 1 else "big") == b"\0\1"
    assert net.ntohs(net.htons(0x1234)) == 0x1234
    assert net.ntohl(net.htonl(0x12345678)) == 0x12345678


def test_interfaces_have_names_and_numbers(net):
    """if_nameindex(3) lists the interfaces; if_nametoindex(3) and if_indextoname(3) are each other's inverse."""
    listed = net.if_nameindex()
    assert listed
    for number, name in listed:
        assert net.if_nametoindex(name) == number
        assert net.if_indextoname(number) == name


def test_an_unknown_interface_is_an_error(net):
    """if_nametoindex(3): a name that no interface has is an OSError."""
    with pytest.raises(OSError):
        net.if_nametoindex("no-such-interface-0")
