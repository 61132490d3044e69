"""socketpair(2): two ends of one connection, and nobody in between."""

from __future__ import annotations

import errno

import pytest

from conformance.raising import errno_of, ours_alone


def test_a_pair_talks(net):
    """socketpair() gives two connected sockets of the module's class, AF_UNIX by default (samesock: everywhere)."""
    one, other = net.socketpair()
    with one, other:
        assert type(one) is type(other) is net.socket
        assert one.family == other.family == net.AF_UNIX
        one.sendall(b"to")
        other.sendall(b"fro")
        assert (other.recv(10), one.recv(10)) == (b"to", b"fro")
        one.close()
        assert other.recv(1) == b""


def test_a_pair_has_no_names(net):
    """Both ends of a pair are unnamed."""
    one, other = net.socketpair()
    with one, other:
        assert [s() for s in (one.getsockname, one.getpeername, other.getsockname, other.getpeername)] == [
            ""
        ] * 4


def test_a_pair_blocks_and_is_private(net):
    """The ends of a pair are blocking and not inheritable."""
    one, other = net.socketpair()
    with one, other:
        assert [(s.gettimeout(), s.get_inheritable()) for s in (one, other)] == [(None, False)] * 2


def test_the_ends_of_a_pair_can_be_duplicated(net):
    """dup() of an end is that end."""
    one, other = net.socketpair()
    with one, other, one.dup() as copy:
        one.close()
        copy.sendall(b"x")
        assert other.recv(1) == b"x"
        assert copy.family == net.AF_UNIX


def test_a_hundred_pairs(net):
    """A hundred pairs at once do not get mixed up."""
    pairs = [net.socketpair() for _ in range(100)]
    try:
        for number, (one, _) in enumerate(pairs):
            one.sendall(bytes([number]))
        assert [other.recv(2) for _, other in pairs] == [bytes([number]) for number in range(100)]
    finally:
        for pair in pairs:
            for sock in pair:
                sock.close()


@ours_alone
@pytest.mark.parametrize("kind", ["SOCK_RAW", "SOCK_RDM"])
def test_a_pair_of_another_kind(net, kind):
    """socketpair() of a type that Unix sockets do not have is an OSError (Linux takes SOCK_RAW for SOCK_DGRAM)."""
    if not hasattr(net, kind):
        pytest.skip(f"{kind} is absent here")
    try:
        one, other = net.socketpair(net.AF_UNIX, getattr(net, kind))
    except OSError as error:
        assert error.errno in (errno.ESOCKTNOSUPPORT, errno.EPROTONOSUPPORT)
    else:
        one.close()
        other.close()
        assert kind == "SOCK_RAW"


def test_a_pair_of_tcp_is_refused(net):
    """socketpair(2) of AF_INET is EOPNOTSUPP where the kernel makes pairs."""
    if not hasattr(net.SocketType, "sendmsg"):
        pytest.skip("the kernel's socketpair is absent here")
    assert errno_of(net.socketpair, net.AF_INET) == errno.EOPNOTSUPP
