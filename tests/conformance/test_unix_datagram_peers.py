"""Whom a Unix datagram goes to, and from whom it may come: unix(7), connect(2), bind(2), send(2)."""

from __future__ import annotations

import errno
import os

import pytest

from conformance.raising import errno_of

pytestmark = pytest.mark.needs("unix-dgram")


def test_sending_to_nothing(dgram):
    """sendto(2) a path that nothing is at is ENOENT; a plain file or a directory, ECONNREFUSED; no path, EINVAL."""
    sender = dgram.socket()
    assert errno_of(sender.sendto, b"x", dgram.path("nothing")) == errno.ENOENT
    with open(dgram.path("file"), "w"):
        pass
    assert errno_of(sender.sendto, b"x", dgram.path("file")) == errno.ECONNREFUSED
    assert errno_of(sender.sendto, b"x", str(dgram.unix.folder)) == errno.ECONNREFUSED
    assert errno_of(sender.sendto, b"x", "") == errno.EINVAL


def test_a_dead_receiver_refuses(dgram):
    """sendto(2) and connect(2) to the path of a closed socket are ECONNREFUSED, and name the path."""
    dgram.socket("r").close()
    sender = dgram.socket()
    assert errno_of(sender.sendto, b"x", dgram.path("r")) == errno.ECONNREFUSED
    assert errno_of(sender.connect, dgram.path("r")) == errno.ECONNREFUSED


def test_a_peer_that_dies_disconnects(dgram):
    """send(2) to a peer that has closed is ECONNREFUSED; after that there is no peer: ENOTCONN."""
    receiver = dgram.socket("r")
    sender = dgram.connected()
    sender.send(b"x")
    receiver.close()
    assert errno_of(sender.send, b"x") == errno.ECONNREFUSED
    assert errno_of(sender.send, b"x") == errno.ENOTCONN
    assert errno_of(sender.getpeername) == errno.ENOTCONN


def test_a_new_socket_at_the_path_is_another_peer(dgram):
    """A connected sender stays with the socket, not with the path: who binds the path later gets nothing of it."""
    first = dgram.socket("r")
    sender = dgram.connected()
    first.close()
    os.unlink(dgram.path("r"))
    second = dgram.socket("r")
    assert errno_of(sender.send, b"x") == errno.ECONNREFUSED
    assert dgram.socket().sendto(b"new", dgram.path("r")) == 3
    assert second.recv(10) == b"new"


def test_an_unlinked_receiver_is_still_the_peer(dgram):
    """A connected sender reaches its peer though the path is gone; who asks the path is told ENOENT."""
    receiver = dgram.socket("r")
    sender = dgram.connected()
    os.unlink(dgram.path("r"))
    sender.send(b"x")
    assert receiver.recv(10) == b"x"
    assert errno_of(dgram.socket().sendto, b"x", dgram.path("r")) == errno.ENOENT


def test_sending_without_a_peer(dgram):
    """send(2) of a datagram socket that is not connected is ENOTCONN, and so is getpeername(2)."""
    sock = dgram.socket()
    assert errno_of(sock.send, b"x") == errno.ENOTCONN
    assert errno_of(sock.sendall, b"x") == errno.ENOTCONN
    assert errno_of(sock.getpeername) == errno.ENOTCONN


def test_names(dgram):
    """getsockname(2) is '' before bind(2), then the path; getpeername(2) is the path that was connected to."""
    receiver = dgram.socket("r")
    sender = dgram.socket()
    assert sender.getsockname() == ""
    sender.connect(dgram.path("r"))
    assert sender.getpeername() == dgram.path("r")
    sender.bind(dgram.path("s"))
    assert (sender.getsockname(), receiver.getsockname()) == (dgram.path("s"), dgram.path("r"))
    sender.send(b"x")
    assert receiver.recvfrom(10) == (b"x", dgram.path("s"))


def test_binding_twice(dgram):
    """bind(2) of a socket that has a name is EINVAL, to a path that exists EADDRINUSE, into no directory ENOENT."""
    sock = dgram.socket("r")
    assert errno_of(sock.bind, dgram.path("t")) == errno.EINVAL
    assert not os.path.exists(dgram.path("t"))
    assert errno_of(dgram.socket().bind, dgram.path("r")) == errno.EADDRINUSE
    assert errno_of(dgram.socket().bind, dgram.path("no") + "/s") == errno.ENOENT


def test_a_connected_socket_hears_its_peer_alone(dgram):
    """unix(7): a connected datagram socket gets what its peer sends; another sender in this process gets EPERM, from
    sendto(2) as from connect(2)."""
    peer, connected = dgram.socket("p"), dgram.socket("r")
    connected.connect(dgram.path("p"))
    stranger = dgram.socket()
    assert errno_of(stranger.sendto, b"x", dgram.path("r")) == errno.EPERM
    assert errno_of(stranger.connect, dgram.path("r")) == errno.EPERM
    peer.sendto(b"mine", dgram.path("r"))
    assert connected.recvfrom(10) == (b"mine", dgram.path("p"))


def test_what_came_before_connect_stays(dgram):
    """connect(2) leaves what others sent before in the queue."""
    dgram.socket("p")
    receiver = dgram.socket("r")
    dgram.socket().sendto(b"early", dgram.path("r"))
    receiver.connect(dgram.path("p"))
    assert receiver.recv(10) == b"early"


def test_connecting_again(dgram):
    """connect(2) again changes the peer, and empties the queue of what the first one sent."""
    one, other = dgram.socket("a"), dgram.socket("b")
    sock = dgram.socket("r")
    sock.connect(dgram.path("a"))
    one.sendto(b"old", dgram.path("r"))
    sock.connect(dgram.path("b"))
    assert sock.getpeername() == dgram.path("b")
    other.sendto(b"new", dgram.path("r"))
    assert sock.recv(10) == b"new"
    sock.send(b"x")
    assert other.recv(10) == b"x"


def test_sendto_of_a_connected_socket(dgram):
    """sendto(2) of a connected datagram socket goes to the address, not to the peer."""
    peer, other = dgram.socket("p"), dgram.socket("o")
    sock = dgram.connected("p")
    sock.sendto(b"other", dgram.path("o"))
    sock.send(b"peer")
    assert (peer.recv(10), other.recv(10)) == (b"peer", b"other")


def test_a_socket_may_send_to_itself(dgram):
    """A bound datagram socket can send to its own path."""
    sock = dgram.socket("r")
    sock.sendto(b"me", dgram.path("r"))
    assert sock.recvfrom(10) == (b"me", dgram.path("r"))


def test_types_do_not_mix(dgram):
    """connect(2) and sendto(2) to a living socket of another type are EPROTOTYPE."""
    dgram.unix.listener("stream")
    dgram.socket("r")
    sock = dgram.socket()
    assert errno_of(sock.sendto, b"x", dgram.path("stream")) == errno.EPROTOTYPE
    assert errno_of(sock.connect, dgram.path("stream")) == errno.EPROTOTYPE
    assert errno_of(dgram.unix.socket().connect, dgram.path("r")) == errno.EPROTOTYPE


def test_no_listening(dgram):
    """listen(2) of a datagram socket is EOPNOTSUPP."""
    assert errno_of(dgram.socket("r").listen, 1) == errno.EOPNOTSUPP
