"""A Unix datagram socket as a thing: its pairs, duplicates, numbers and heirs, its type, its end."""

from __future__ import annotations

import errno
import gc
import os
import warnings
from importlib.util import find_spec

import pytest

import samesock
from conformance.raising import errno_of, ours_alone
from conformance.unix_datagrams import SECONDS

pytestmark = pytest.mark.needs("unix-dgram")


def test_shutdown(dgram):
    """shutdown(2) needs no peer; after SHUT_WR send(2) is EPIPE; to one that is shut for reading, EPIPE, too."""
    receiver, sender = dgram.socket("r"), dgram.socket()
    sender.shutdown(dgram.net.SHUT_WR)
    assert errno_of(sender.sendto, b"x", dgram.path("r")) == errno.EPIPE
    receiver.shutdown(dgram.net.SHUT_RD)
    assert errno_of(dgram.socket().sendto, b"x", dgram.path("r")) == errno.EPIPE
    receiver.settimeout(None)
    assert receiver.recv(10) == b""


def test_what_was_sent_outlives_the_sender(dgram):
    """A datagram stays in the receiver's queue when its sender has closed."""
    receiver = dgram.socket("r")
    with dgram.net.socket(dgram.net.AF_UNIX, dgram.net.SOCK_DGRAM) as sender:
        sender.bind(dgram.path("s"))
        sender.sendto(b"x", dgram.path("r"))
    assert receiver.recvfrom(10) == (b"x", dgram.path("s"))


def test_a_pair_of_datagram_sockets(dgram):
    """socketpair(2) of SOCK_DGRAM: unnamed, connected to each other, boundaries kept; a closed end refuses."""
    one, other = dgram.unix.pair(dgram.net.SOCK_DGRAM)
    assert (one.type, one.family) == (dgram.net.SOCK_DGRAM, dgram.net.AF_UNIX)
    assert [s() for s in (one.getsockname, one.getpeername, other.getsockname, other.getpeername)] == [""] * 4
    one.send(b"to")
    one.send(b"gether")
    other.send(b"fro")
    assert (other.recvfrom(10), other.recv(10), one.recv(10)) == ((b"to", None), b"gether", b"fro")
    other.close()
    assert errno_of(one.send, b"x") == errno.ECONNREFUSED


def test_duplicates_are_one_socket(dgram):
    """dup(2) of a datagram socket is that socket: it sends, receives and keeps the name alive."""
    receiver = dgram.socket("r")
    sender = dgram.connected(name="s")
    with receiver.dup() as copy, sender.dup() as other:
        receiver.close()
        sender.send(b"1")
        sender.close()
        other.send(b"2")
        assert [copy.recvfrom(10) for _ in range(2)] == [(b"1", dgram.path("s")), (b"2", dgram.path("s"))]
        assert type(copy) is type(receiver)
        assert (copy.family, copy.type) == (dgram.net.AF_UNIX, dgram.net.SOCK_DGRAM)
    assert errno_of(dgram.socket().sendto, b"x", dgram.path("r")) == errno.ECONNREFUSED


def test_the_number_is_adopted(dgram):
    """socket(fileno=) of a detached datagram socket is that socket again."""
    sock = dgram.socket("r")
    with dgram.net.socket(fileno=sock.detach()) as again:
        assert (again.family, again.type) == (dgram.net.AF_UNIX, dgram.net.SOCK_DGRAM)
        assert again.getsockname() == dgram.path("r")
        dgram.socket().sendto(b"x", dgram.path("r"))
        assert again.recv(10) == b"x"


def test_the_socket_says_its_type(dgram):
    """`type` and SO_TYPE are SOCK_DGRAM, and its class a `socket` of the module."""
    net = dgram.net
    sock = dgram.socket("r")
    assert sock.type == sock.getsockopt(net.SOL_SOCKET, net.SO_TYPE) == net.SOCK_DGRAM
    assert isinstance(sock, net.socket)
    assert type(sock).__name__ == "socket"


def test_a_closed_socket(dgram):
    """Every call of a closed datagram socket is EBADF."""
    sock = dgram.socket("r")
    sock.close()
    for call, *arguments in ((sock.recv, 1), (sock.send, b"x"), (sock.sendto, b"x", dgram.path("r"))):
        assert errno_of(call, *arguments) == errno.EBADF


@pytest.mark.skipif(not hasattr(os, "fork"), reason="fork is absent here")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_fork(dgram):
    """After fork(2) parent and child send from one socket and receive at one, and a child keeps the name alive."""
    receiver = dgram.socket("r")
    sender = dgram.connected()
    sender.send(b"before")
    child = os.fork()
    if child == 0:
        try:
            sender.send(b"child")
            os._exit(0)
        except BaseException:  # noqa: BLE001 -- the exit code tells
            os._exit(1)
    assert os.waitpid(child, 0)[1] == 0
    sender.send(b"parent")
    assert [receiver.recv(10) for _ in range(3)] == [b"before", b"child", b"parent"]


def test_nothing_is_left_over(dgram):
    """Closed, or dropped without close, datagram sockets leave no descriptor behind."""
    if not os.path.isdir("/proc/self/fd") or not find_spec(
        "resource"
    ):  # under Wine it is of another system's numbers
        pytest.skip("/proc is absent here")

    def use(*, close):
        receiver = dgram.net.socket(dgram.net.AF_UNIX, dgram.net.SOCK_DGRAM)
        sender = dgram.net.socket(dgram.net.AF_UNIX, dgram.net.SOCK_DGRAM)
        receiver.bind(dgram.path("r"))
        sender.connect(dgram.path("r"))
        sender.send(b"x")
        assert receiver.recv(1) == b"x"
        if close:
            receiver.close()
            sender.close()
        os.unlink(dgram.path("r"))

    use(close=True)
    gc.collect()
    before = sorted(os.listdir("/proc/self/fd"))
    for close in (True, False, True):
        if close:
            use(close=True)
        else:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ResourceWarning)
                use(close=False)
                gc.collect()
    assert sorted(os.listdir("/proc/self/fd")) == before


@ours_alone
def test_a_shared_socket(dgram):
    """share() and fromshare() give a bound datagram socket and its peer to a process, which then keeps it alive."""
    receiver, peer = dgram.socket("r"), dgram.socket("p")
    if not hasattr(receiver, "share"):
        pytest.skip("share() is absent here")
    receiver.connect(dgram.path("p"))
    with dgram.net.fromshare(receiver.share(os.getpid())) as again:
        receiver.close()
        again.settimeout(SECONDS)
        assert (again.getsockname(), again.getpeername()) == (dgram.path("r"), dgram.path("p"))
        peer.sendto(b"x", dgram.path("r"))
        assert again.recvfrom(10) == (b"x", dgram.path("p"))
        again.send(b"y")
        assert peer.recvfrom(10) == (b"y", dgram.path("r"))
    assert errno_of(peer.sendto, b"x", dgram.path("r")) == errno.ECONNREFUSED


@ours_alone
def test_the_transport(dgram):
    """`transport` of a datagram socket is what features() says."""
    assert dgram.socket().transport == samesock.features()["unix-dgram"]
