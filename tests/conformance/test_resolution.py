"""getaddrinfo(3) and getnameinfo(3): names and numbers. Nothing here asks the network."""

from __future__ import annotations

import pytest

from conformance.raising import PATIENCE


def eai_of(net, *arguments, **keywords):
    """The number of the gaierror; the test fails if there is none."""
    with pytest.raises(net.gaierror) as caught:
        net.getaddrinfo(*arguments, **keywords)
    return caught.value.errno


def test_a_number_is_an_address(net):
    """getaddrinfo(3): a host and a service in numbers are taken as they are."""
    found = net.getaddrinfo("127.0.0.1", 80, type=net.SOCK_STREAM)
    assert [(family, kind, address) for family, kind, _, _, address in found] == [
        (net.AF_INET, net.SOCK_STREAM, ("127.0.0.1", 80))
    ]


def test_an_ipv6_number_is_an_address(net):
    """getaddrinfo(3): an IPv6 address in numbers has its four parts."""
    found = net.getaddrinfo("::1", "80", type=net.SOCK_STREAM)
    assert [(family, kind, address) for family, kind, _, _, address in found] == [
        (net.AF_INET6, net.SOCK_STREAM, ("::1", 80, 0, 0))
    ]


def test_one_entry_for_each_type(net):
    """getaddrinfo(3): with type 0 there is an entry for streams, and one for datagrams, of each address."""
    found = net.getaddrinfo("127.0.0.1", 80)
    kinds = [kind for _, kind, _, _, _ in found]
    assert {net.SOCK_STREAM, net.SOCK_DGRAM} <= set(kinds)
    assert len(kinds) == len(set(kinds))


def test_a_type_and_its_protocol(net):
    """getaddrinfo(3): an entry's protocol goes with its type."""
    found = net.getaddrinfo("127.0.0.1", 80)
    protocols = {kind: proto for _, kind, proto, _, _ in found}
    assert protocols[net.SOCK_STREAM] == net.IPPROTO_TCP
    assert protocols[net.SOCK_DGRAM] == net.IPPROTO_UDP


@pytest.mark.parametrize("kind", ["SOCK_STREAM", "SOCK_DGRAM"])
def test_one_type_alone(net, kind):
    """getaddrinfo(3): with a type there are entries of that type alone."""
    found = net.getaddrinfo("127.0.0.1", 80, type=getattr(net, kind))
    assert {entry[1] for entry in found} == {getattr(net, kind)}


def test_one_protocol_alone(net):
    """getaddrinfo(3): with a protocol there are entries of that protocol alone."""
    found = net.getaddrinfo("127.0.0.1", 80, proto=net.IPPROTO_UDP)
    assert [(entry[1], entry[2]) for entry in found] == [(net.SOCK_DGRAM, net.IPPROTO_UDP)]


def test_one_family_alone(net):
    """getaddrinfo(3): with a family there are addresses of that family alone."""
    found = net.getaddrinfo("localhost", 80, family=net.AF_INET, type=net.SOCK_STREAM)
    assert {entry[0] for entry in found} == {net.AF_INET}
    assert ("127.0.0.1", 80) in [entry[4] for entry in found]


def test_passive_is_the_wildcard(net):
    """getaddrinfo(3): no host with AI_PASSIVE is the wildcard address, to bind to."""
    found = net.getaddrinfo(None, 80, net.AF_INET, net.SOCK_STREAM, 0, net.AI_PASSIVE)
    assert [entry[4] for entry in found] == [("0.0.0.0", 80)]


def test_not_passive_is_loopback(net):
    """getaddrinfo(3): no host without AI_PASSIVE is the loopback address, to connect to."""
    found = net.getaddrinfo(None, 80, net.AF_INET, net.SOCK_STREAM)
    assert [entry[4] for entry in found] == [("127.0.0.1", 80)]


def test_passive_changes_nothing_with_a_host(net):
    """getaddrinfo(3): AI_PASSIVE is without meaning where there is a host."""
    found = net.getaddrinfo("127.0.0.1", 80, 0, net.SOCK_STREAM, 0, net.AI_PASSIVE)
    assert [entry[4] for entry in found] == [("127.0.0.1", 80)]


@pytest.mark.parametrize("port", [None, 0, "0", b"0"])
def test_no_port_is_port_zero(net, port):
    """getaddrinfo(3): no service, and 0 however it is written, is port 0."""
    found = net.getaddrinfo("127.0.0.1", port, type=net.SOCK_STREAM)
    assert found[0][4] == ("127.0.0.1", 0)


def test_neither_host_nor_service(net):
    """getaddrinfo(3): EAI_NONAME where there is neither a host nor a service."""
    assert eai_of(net, None, None) == net.EAI_NONAME


def test_a_name_is_no_number(net):
    """getaddrinfo(3): EAI_NONAME for a name with AI_NUMERICHOST, which asks nobody."""
    assert eai_of(net, "localhost", 80, flags=net.AI_NUMERICHOST) == net.EAI_NONAME


def test_a_service_is_no_number(net):
    """getaddrinfo(3): EAI_NONAME for a service's name with AI_NUMERICSERV."""
    assert eai_of(net, "127.0.0.1", "http", flags=net.AI_NUMERICSERV) == net.EAI_NONAME


def test_a_number_with_numericserv(net):
    """getaddrinfo(3): with AI_NUMERICSERV a number is a port."""
    found = net.getaddrinfo("127.0.0.1", "80", 0, net.SOCK_STREAM, 0, net.AI_NUMERICSERV)
    assert found[0][4] == ("127.0.0.1", 80)


def test_an_unknown_service(net):
    """getaddrinfo(3): EAI_SERVICE or EAI_NONAME for a service that nobody knows."""
    code = eai_of(net, "127.0.0.1", "no-such-service", type=net.SOCK_STREAM)
    assert code in (net.EAI_SERVICE, net.EAI_NONAME)


def test_an_unknown_family(net):
    """getaddrinfo(3): EAI_FAMILY for a family that does not exist."""
    assert eai_of(net, "127.0.0.1", 80, family=213) == net.EAI_FAMILY


def test_an_unknown_type(net):
    """getaddrinfo(3): EAI_SOCKTYPE for a type that does not exist."""
    assert eai_of(net, "127.0.0.1", 80, type=99) == net.EAI_SOCKTYPE


def test_a_type_and_another_ones_protocol(net):
    """getaddrinfo(3): EAI_SOCKTYPE or EAI_SERVICE where type and protocol do not go together."""
    code = eai_of(net, "127.0.0.1", 80, type=net.SOCK_STREAM, proto=net.IPPROTO_UDP)
    assert code in (net.EAI_SOCKTYPE, net.EAI_SERVICE)


def test_an_address_of_the_other_family(net):
    """getaddrinfo(3): an IPv4 address is no IPv6 one: EAI_ADDRFAMILY or EAI_NONAME."""
    code = eai_of(net, "127.0.0.1", 80, family=net.AF_INET6)
    assert code in (getattr(net, "EAI_ADDRFAMILY", None), net.EAI_NONAME)


def test_an_address_can_be_mapped(net):
    """getaddrinfo(3): with AI_V4MAPPED an IPv4 address is given as an IPv6 one."""
    found = net.getaddrinfo("127.0.0.1", 80, net.AF_INET6, net.SOCK_STREAM, 0, net.AI_V4MAPPED)
    assert found[0][4][:2] == ("::ffff:127.0.0.1", 80)


def test_the_canonical_name(net):
    """getaddrinfo(3): with AI_CANONNAME the first entry has the host's name, else none has."""
    found = net.getaddrinfo("127.0.0.1", 80, 0, net.SOCK_STREAM, 0, net.AI_CANONNAME)
    assert found[0][3] == "127.0.0.1"
    assert {entry[3] for entry in net.getaddrinfo("127.0.0.1", 80)} == {""}


def test_addrconfig_keeps_loopback(net):
    """getaddrinfo(3): with AI_ADDRCONFIG an address in numbers is given as ever."""
    found = net.getaddrinfo("127.0.0.1", 80, 0, net.SOCK_STREAM, 0, net.AI_ADDRCONFIG)
    assert [entry[4] for entry in found] == [("127.0.0.1", 80)]


def test_localhost(net):
    """RFC 6761: `localhost` is the loopback address."""
    found = net.getaddrinfo("localhost", 80, type=net.SOCK_STREAM)
    assert {entry[4][0] for entry in found} <= {"127.0.0.1", "::1"}
    assert found


def test_entries_have_names(net):
    """getaddrinfo() gives families and types as the module's own constants."""
    family, kind, *_ = net.getaddrinfo("127.0.0.1", 80, type=net.SOCK_STREAM)[0]
    assert family is net.AF_INET
    assert kind is net.SOCK_STREAM


def test_an_entry_makes_a_socket(net, inet):
    """getaddrinfo(3): each entry is what socket(2) and connect(2) take."""
    listener = inet.listener()
    for family, kind, proto, _, address in net.getaddrinfo(*listener.getsockname(), type=net.SOCK_STREAM):
        sock = inet.keep(net.socket(family, kind, proto))
        sock.connect(address)
        assert sock.getpeername() == listener.getsockname()


def test_an_address_in_numbers(net):
    """getnameinfo(3): with NI_NUMERICHOST and NI_NUMERICSERV both come as numbers, in text."""
    flags = net.NI_NUMERICHOST | net.NI_NUMERICSERV
    assert net.getnameinfo(("127.0.0.1", 80), flags) == ("127.0.0.1", "80")
    assert net.getnameinfo(("::1", 80, 0, 0), flags) == ("::1", "80")


def test_a_name_is_no_address_to_name(net):
    """getnameinfo(3) takes an address in numbers: a name is an OSError."""
    with pytest.raises(OSError):
        net.getnameinfo(("localhost", 80), net.NI_NUMERICHOST | net.NI_NUMERICSERV)


def test_gethostbyname_of_a_number(net):
    """gethostbyname(3) of an address is that address."""
    assert net.gethostbyname("127.0.0.1") == "127.0.0.1"
    assert net.gethostbyname_ex("127.0.0.1")[2] == ["127.0.0.1"]


def test_this_machine_has_a_name(net):
    """gethostname(2) gives a name."""
    assert isinstance(net.gethostname(), str)
    assert net.gethostname()


def test_a_label_too_long(net):
    """A name that cannot be written in the DNS is a UnicodeError or a gaierror before anybody is asked (RFC 1035)."""
    with pytest.raises((UnicodeError, net.gaierror)):
        net.getaddrinfo("x" * 64 + ".invalid", 80)


def test_a_connection_by_name(net, inet):
    """create_connection() by name reaches a listener on any of the name's addresses (getaddrinfo(3))."""
    listener = inet.listener()
    with net.create_connection(("localhost", listener.getsockname()[1]), PATIENCE * 2) as sock:
        assert sock.getpeername() == listener.getsockname()
