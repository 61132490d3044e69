"""bind(2) of Internet sockets: who may have a port, and what SO_REUSEADDR and IPV6_V6ONLY change (ip(7), ipv6(7))."""

from __future__ import annotations

import errno

import pytest

from conformance.raising import errno_of, names


def reuse(sock, net):
    """SO_REUSEADDR on the socket."""
    sock.setsockopt(net.SOL_SOCKET, net.SO_REUSEADDR, 1)
    return sock


def reusing_listener(net, inet, address):
    """A listener there, with SO_REUSEADDR."""
    listener = reuse(inet.tcp(), net)
    listener.bind(address)
    listener.listen(1)
    return listener


def test_an_address_of_another_machine(inet):
    """bind(2): EADDRNOTAVAIL for an address that this machine has not got."""
    assert errno_of(inet.tcp().bind, ("192.0.2.1", 0)) == errno.EADDRNOTAVAIL


def test_a_socket_is_bound_once(inet):
    """bind(2): EINVAL for a socket that is bound already."""
    sock = inet.tcp()
    sock.bind((inet.host, 0))
    assert errno_of(sock.bind, (inet.host, 0)) == errno.EINVAL


def test_a_connected_socket_cannot_be_bound(inet):
    """bind(2): EINVAL for a socket that connect(2) has bound."""
    assert errno_of(inet.connection().client.bind, (inet.host, 0)) == errno.EINVAL


def test_a_port_in_use(inet):
    """bind(2): EADDRINUSE for a port where somebody listens."""
    assert errno_of(inet.tcp().bind, inet.listener().getsockname()) == errno.EADDRINUSE


def test_a_bound_port_is_in_use(inet):
    """bind(2): EADDRINUSE for a port that is bound, though nobody listens yet."""
    holder = inet.tcp()
    holder.bind((inet.host, 0))
    assert errno_of(inet.tcp().bind, holder.getsockname()) == errno.EADDRINUSE


def test_the_wildcard_meets_a_listener(inet):
    """bind(2): EADDRINUSE for the wildcard address with a port where somebody listens on one address."""
    port = inet.listener().getsockname()[1]
    assert errno_of(inet.tcp().bind, ("", port)) == errno.EADDRINUSE


def test_an_address_meets_a_wildcard_listener(inet):
    """bind(2): EADDRINUSE for an address with a port where somebody listens on the wildcard."""
    listener = inet.tcp()
    listener.bind(("", 0))
    listener.listen(1)
    assert errno_of(inet.tcp().bind, (inet.host, listener.getsockname()[1])) == errno.EADDRINUSE


def test_a_listener_cannot_be_robbed(net, inet):
    """ip(7): with SO_REUSEADDR on both sockets a port where somebody listens is still EADDRINUSE."""
    listener = reusing_listener(net, inet, (inet.host, 0))
    assert errno_of(reuse(inet.tcp(), net).bind, listener.getsockname()) == errno.EADDRINUSE


def test_a_wildcard_cannot_rob_a_listener(net, inet):
    """ip(7): nor does SO_REUSEADDR let a wildcard socket have the port of a listener on one address."""
    listener = reusing_listener(net, inet, (inet.host, 0))
    port = listener.getsockname()[1]
    assert errno_of(reuse(inet.tcp(), net).bind, ("", port)) == errno.EADDRINUSE


def test_an_address_cannot_rob_a_wildcard_listener(net, inet):
    """ip(7): nor does it let a socket with one address take the port of a listener on the wildcard."""
    listener = reusing_listener(net, inet, ("", 0))
    assert errno_of(reuse(inet.tcp(), net).bind, (inet.host, listener.getsockname()[1])) == errno.EADDRINUSE


def test_a_server_can_be_restarted(net, inet):
    """socket(7): with SO_REUSEADDR a port can be bound while old connections of it are in TIME_WAIT."""
    listener = reusing_listener(net, inet, (inet.host, 0))
    address = listener.getsockname()
    client = inet.client(listener)
    server, _ = inet.accept(listener)
    server.close()
    assert client.recv(1) == b""
    client.close()
    listener.close()
    again = reusing_listener(net, inet, address)
    inet.client(again)
    inet.accept(again)


def test_a_server_can_be_restarted_beside_its_connections(net, inet):
    """socket(7): with SO_REUSEADDR a port can be bound while a connection that was accepted there lives on."""
    listener = reusing_listener(net, inet, (inet.host, 0))
    address = listener.getsockname()
    client = inet.client(listener)
    server, _ = inet.accept(listener)
    listener.close()
    again = reusing_listener(net, inet, address)
    client.sendall(b"old")
    assert server.recv(3) == b"old"
    inet.client(again)
    inet.accept(again)


def test_a_port_is_free_when_its_listener_is_closed(inet):
    """close(2): the port of a listener that never had a connection can be bound at once."""
    listener = inet.listener()
    address = listener.getsockname()
    listener.close()
    inet.tcp().bind(address)


def test_a_datagram_port_in_use(inet):
    """bind(2): EADDRINUSE for a datagram port that another socket has."""
    assert errno_of(inet.udp().bind, inet.bound_udp().getsockname()) == errno.EADDRINUSE


def test_a_datagram_port_is_free_when_its_socket_is_closed(inet):
    """close(2): the port of a datagram socket can be bound at once."""
    first = inet.bound_udp()
    address = first.getsockname()
    first.close()
    inet.udp().bind(address)


def test_streams_and_datagrams_have_ports_of_their_own(inet):
    """ip(7): TCP and UDP have separate ports, so both can have the same number."""
    address = inet.listener().getsockname()
    sock = inet.udp()
    sock.bind(address)
    assert sock.getsockname() == address


def test_two_datagram_sockets_may_share_a_port(net, inet):
    """socket(7): with SO_REUSEADDR on both, two datagram sockets can have one port, as multicast needs it."""
    first = reuse(inet.udp(), net)
    first.bind((inet.host, 0))
    reuse(inet.udp(), net).bind(first.getsockname())


@names("SO_REUSEPORT")
def test_two_listeners_may_share_a_port(net, inet):
    """socket(7): with SO_REUSEPORT on both, two sockets can listen at one port."""
    first, second = inet.tcp(), inet.tcp()
    for sock in (first, second):
        sock.setsockopt(net.SOL_SOCKET, net.SO_REUSEPORT, 1)
        sock.bind((inet.host, 0) if sock is first else first.getsockname())
        sock.listen(1)


def test_the_wildcard_is_reached_on_loopback(inet):
    """ip(7): a socket bound to the wildcard address, written as an empty host, is reached at every address."""
    listener = inet.tcp()
    listener.bind(("", 0))
    listener.listen(1)
    inet.tcp().connect((inet.host, listener.getsockname()[1]))
    inet.accept(listener)


def test_a_host_may_be_a_name(inet):
    """bind(2) takes a host's name as getaddrinfo(3) resolves it."""
    sock = inet.tcp()
    sock.bind(("localhost", 0))
    assert sock.getsockname()[0] == inet.host


def test_a_failed_bind_changes_nothing(inet):
    """bind(2): a socket that could not be bound can be bound to another address."""
    sock = inet.tcp()
    with pytest.raises(OSError):
        sock.bind(inet.listener().getsockname())
    sock.bind((inet.host, 0))
    sock.listen(1)


def test_an_address_of_the_other_family(net, inet):
    """bind(2): an IPv6 address for an IPv4 socket is refused by getaddrinfo(3)."""
    with pytest.raises(net.gaierror):
        inet.tcp().bind(("::1", 0))


def test_ipv6_takes_ipv4_as_well_by_default(net, inet):
    """ipv6(7), RFC 3493: IPV6_V6ONLY is off in a new socket."""
    inet.loopback(net.AF_INET6)
    assert inet.tcp(net.AF_INET6).getsockopt(net.IPPROTO_IPV6, net.IPV6_V6ONLY) == 0
    assert inet.udp(net.AF_INET6).getsockopt(net.IPPROTO_IPV6, net.IPV6_V6ONLY) == 0


def test_both_families_with_one_listener(net, inet):
    """ipv6(7): a listener on `::` without IPV6_V6ONLY takes connections of both families."""
    inet.loopback(net.AF_INET6)
    listener = inet.tcp(net.AF_INET6)
    listener.setsockopt(net.IPPROTO_IPV6, net.IPV6_V6ONLY, 0)
    listener.bind(("::", 0))
    listener.listen(2)
    port = listener.getsockname()[1]
    inet.tcp().connect((inet.host, port))
    inet.tcp(net.AF_INET6).connect((inet.host6, port))
    inet.accept(listener)
    inet.accept(listener)


def test_v6only_leaves_ipv4_alone(net, inet):
    """ipv6(7): with IPV6_V6ONLY the same port can be bound for IPv4, and each client reaches its own."""
    inet.loopback(net.AF_INET6)
    for _ in range(10):  # a port that is free for IPv6 may be another program's for IPv4
        sixth, fourth = inet.tcp(net.AF_INET6), inet.tcp()
        sixth.setsockopt(net.IPPROTO_IPV6, net.IPV6_V6ONLY, 1)
        sixth.bind(("::", 0))
        sixth.listen(1)
        try:
            fourth.bind(("", sixth.getsockname()[1]))
        except OSError as error:
            assert error.errno == errno.EADDRINUSE
        else:
            break
    else:
        pytest.fail("each port is in use")
    fourth.listen(1)
    inet.tcp().connect((inet.host, fourth.getsockname()[1]))
    inet.accept(fourth)


def test_a_dualstack_port_is_taken_for_ipv4(net, inet):
    """ipv6(7): a listener on `::` without IPV6_V6ONLY has the port for IPv4, too: EADDRINUSE."""
    inet.loopback(net.AF_INET6)
    listener = inet.tcp(net.AF_INET6)
    listener.setsockopt(net.IPPROTO_IPV6, net.IPV6_V6ONLY, 0)
    listener.bind(("::", 0))
    listener.listen(1)
    assert errno_of(inet.tcp().bind, ("", listener.getsockname()[1])) == errno.EADDRINUSE


def test_v6only_is_settled_by_bind(net, inet):
    """ipv6(7): IPV6_V6ONLY of a bound socket cannot be changed: EINVAL."""
    sock = inet.listener(family=net.AF_INET6)
    assert errno_of(sock.setsockopt, net.IPPROTO_IPV6, net.IPV6_V6ONLY, 1) == errno.EINVAL


def test_create_server_for_both_families(net, inet):
    """create_server(dualstack_ipv6=True) listens for IPv4 and IPv6 (ipv6(7)), and has_dualstack_ipv6() says so."""
    inet.loopback(net.AF_INET6)
    assert net.has_dualstack_ipv6()
    listener = inet.keep(net.create_server(("", 0), family=net.AF_INET6, dualstack_ipv6=True))
    port = listener.getsockname()[1]
    inet.tcp().connect((inet.host, port))
    inet.tcp(net.AF_INET6).connect((inet.host6, port))
    inet.accept(listener)
    inet.accept(listener)


def test_create_server_can_be_restarted(net, inet):
    """create_server() binds a port whose old connections are in TIME_WAIT (socket(7), SO_REUSEADDR)."""
    listener = inet.keep(net.create_server((inet.host, 0)))
    address = listener.getsockname()
    client = inet.client(listener)
    server, _ = inet.accept(listener)
    server.close()
    assert client.recv(1) == b""
    client.close()
    listener.close()
    inet.client(inet.keep(net.create_server(address)))


def test_create_server_does_not_rob(net, inet):
    """create_server(): EADDRINUSE for a port where somebody listens (bind(2))."""
    listener = inet.keep(net.create_server((inet.host, 0)))
    assert errno_of(net.create_server, listener.getsockname()) == errno.EADDRINUSE
