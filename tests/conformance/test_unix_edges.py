"""Unix stream sockets at their edges, as Linux has them: what the generated sequences of tests/differential found.

Where POSIX is silent, Linux is the witness.
"""

from __future__ import annotations

import contextlib
import errno
import select
import struct
import time

import pytest

from conformance.raising import errno_of

names = pytest.mark.names


def readable(sock):
    """Wait a moment for what is under way on loopback; whether it has come."""
    return bool(select.select([sock], [], [], 0.5)[0])


# ---- shutdown


@pytest.mark.parametrize("how", ["SHUT_RD", "SHUT_WR", "SHUT_RDWR"])
def test_shutdown_without_a_peer(unix, how):
    """A Unix socket without a peer can be shut down (Linux; POSIX would say ENOTCONN)."""
    unix.socket().shutdown(getattr(unix.net, how))


def test_shutdown_before_connect_counts(unix):
    """What was shut before connect() is shut in the connection."""
    listener = unix.listener()
    client = unix.socket()
    client.shutdown(unix.net.SHUT_RDWR)
    client.connect(unix.path())
    unix.accept(listener)
    assert errno_of(client.send, b"x") == errno.EPIPE
    assert client.recv(1) == b""


def test_shutdown_before_connect_is_ones_own(unix):
    """The peer of a socket that was shut before it connected is told nothing (Linux)."""
    listener = unix.listener()
    client = unix.socket()
    client.shutdown(unix.net.SHUT_WR)
    client.connect(unix.path())
    server, _ = unix.accept(listener)
    server.setblocking(False)
    readable(server)
    with pytest.raises(BlockingIOError):
        server.recv(1)


def test_shutdown_when_the_peer_has_gone(unix):
    """shutdown(2): the halves of a connection can be shut, and shut again, also when the peer has closed it."""
    made = unix.connection()
    made.server.close()
    assert made.client.recv(1) == b""
    made.client.shutdown(unix.net.SHUT_WR)
    made.client.shutdown(unix.net.SHUT_RDWR)
    made.client.shutdown(unix.net.SHUT_RDWR)


def test_a_direction_that_is_none(unix):
    """shutdown(2): EINVAL for a direction that does not exist, with a peer and without."""
    made = unix.connection()
    assert errno_of(made.client.shutdown, 7) == errno.EINVAL
    assert errno_of(unix.socket().shutdown, 7) == errno.EINVAL


@pytest.mark.parametrize("how", ["SHUT_RD", "SHUT_RDWR"])
def test_a_listener_that_is_shut_down_refuses(unix, how):
    """connect(2): ECONNREFUSED at a listener that has been shut down for reading, also of a connected socket."""
    listener = unix.listener()
    other = unix.client()
    listener.shutdown(getattr(unix.net, how))
    listener.shutdown(getattr(unix.net, how))
    assert errno_of(unix.socket().connect, unix.path()) == errno.ECONNREFUSED
    assert errno_of(other.connect, unix.path()) == errno.ECONNREFUSED


def test_a_listener_that_is_shut_down_keeps_its_queue(unix):
    """Who connected before a listener was shut down is still accepted, and data crosses both ways."""
    listener = unix.listener()
    client = unix.client()
    client.send(b"question")
    listener.shutdown(unix.net.SHUT_RD)
    server, _ = unix.accept(listener)
    assert server.recv(100) == b"question"
    server.send(b"answer")
    assert client.recv(100) == b"answer"


def test_what_was_shut_before_listen_refuses(unix):
    """A socket that was shut down for reading refuses its clients also if it listens afterwards (Linux)."""
    listener = unix.socket()
    listener.bind(unix.path())
    listener.shutdown(unix.net.SHUT_RD)
    listener.listen(5)
    assert errno_of(unix.socket().connect, unix.path()) == errno.ECONNREFUSED


def test_shutting_a_listener_for_sending_changes_nothing(unix):
    """A listener sends nothing: after SHUT_WR it goes on."""
    listener = unix.listener()
    listener.shutdown(unix.net.SHUT_WR)
    unix.client()
    unix.accept(listener)


def test_a_listener_that_is_shut_down_still_listens(unix):
    """SO_ACCEPTCONN tells of listen(2), whatever has been shut since."""
    listener = unix.listener()
    listener.shutdown(unix.net.SHUT_RDWR)
    assert listener.getsockopt(unix.net.SOL_SOCKET, unix.net.SO_ACCEPTCONN) == 1


def test_accepting_from_what_is_shut_down(unix):
    """accept(2): a non-blocking accept of a listener that is shut down and has an empty queue is EAGAIN (Linux)."""
    listener = unix.listener()
    listener.setblocking(False)
    listener.shutdown(unix.net.SHUT_RD)
    with pytest.raises(BlockingIOError):
        listener.accept()


def test_a_client_that_has_gone_is_accepted(unix):
    """A client that has closed is still accepted, also when the listener's file was unlinked meanwhile."""
    listener = unix.listener()
    unix.client().close()
    (unix.folder / "s").unlink()
    listener.settimeout(0.5)
    server, _ = unix.accept(listener)
    assert server.recv(1) == b""


# ---- names


def test_the_file_is_looked_at_before_the_socket(unix):
    """bind(2) of a socket that has a name: EADDRINUSE where a file is, EINVAL where none is (Linux)."""
    listener = unix.listener()
    assert errno_of(listener.bind, unix.path()) == errno.EADDRINUSE
    assert errno_of(listener.bind, unix.path("other")) == errno.EINVAL


def test_a_name_that_comes_late(unix):
    """A socket that is bound after it has connected is known to its peer by that name."""
    made = unix.connection()
    made.client.bind(unix.path("late"))
    assert made.server.getpeername() == unix.path("late")


def test_the_end_of_a_stream_has_no_sender(unix):
    """recvfrom at the end of a stream names nobody, also where the peer has a name."""
    made = unix.connection()
    made.server.send(b"last")
    made.server.close()
    assert made.client.recvfrom(10) == (b"last", unix.path())
    assert made.client.recvfrom(10) == (b"", None)
    assert made.client.recvfrom_into(bytearray(10)) == (0, None)


# ---- options


def test_lingering_means_nothing(unix):
    """SO_LINGER is told back, and a Unix socket does not linger: closed with no time for it, what it sent arrives."""
    made = unix.connection()
    value = struct.pack("ii", 1, 0)
    made.client.setsockopt(unix.net.SOL_SOCKET, unix.net.SO_LINGER, value)
    told = made.client.getsockopt(unix.net.SOL_SOCKET, unix.net.SO_LINGER, 8)
    assert told == value
    made.client.send(b"last")
    made.client.close()
    assert readable(made.server)
    assert made.server.recv(10) == b"last"
    assert made.server.recv(10) == b""


@names("SO_PASSCRED")
def test_no_credentials_are_asked_for(unix):
    """unix(7): SO_PASSCRED is off until a program switches it on."""
    assert unix.socket().getsockopt(unix.net.SOL_SOCKET, unix.net.SO_PASSCRED) == 0


# ---- data


def test_receiving_without_a_peer(unix):
    """recv(2) of a Unix stream socket that is not connected is EINVAL (Linux; POSIX says ENOTCONN)."""
    assert errno_of(unix.socket().recv, 1) == errno.EINVAL


def test_sending_without_a_peer(unix):
    """send(2) of a stream socket that is not connected is ENOTCONN."""
    assert errno_of(unix.socket().send, b"x") == errno.ENOTCONN


def test_connecting_a_listener_that_was_shut_down(unix):
    """connect(2) of a listener looks at the other one first: ECONNREFUSED where nobody listens, shut down or not."""
    listener = unix.listener()
    nobody = unix.socket()
    nobody.bind(unix.path("nobody"))
    listener.shutdown(unix.net.SHUT_RDWR)
    assert errno_of(listener.connect, unix.path("nobody")) == errno.ECONNREFUSED
    assert listener.connect_ex(unix.path("nobody")) == errno.ECONNREFUSED


def test_receiving_nothing_waits_for_nothing(unix):
    """recv(0) of a stream socket with a time-out gives no bytes at once, also without a peer (CPython)."""
    sock = unix.socket()
    sock.settimeout(0.05)
    assert sock.recv(0) == b""


def test_the_first_send_to_nobody(unix):
    """send(2) is EPIPE from the first call on when the peer has closed."""
    made = unix.connection()
    made.server.close()
    assert errno_of(made.client.send, b"x") == errno.EPIPE


def test_an_answer_survives_its_senders_close(unix):
    """What was sent is received, also when its sender has then closed with data unread: ECONNRESET comes after it."""
    made = unix.connection()
    made.client.send(b"a long question")
    made.server.send(b"no")
    made.server.close()
    time.sleep(0.1)
    assert made.client.recv(10) == b"no"
    assert errno_of(made.client.recv, 10) == errno.ECONNRESET


def test_nothing_comes_after_a_shutdown(unix):
    """shutdown(2): after SHUT_RD nothing that is sent later is received."""
    made = unix.connection()
    made.server.shutdown(unix.net.SHUT_RD)
    with contextlib.suppress(BrokenPipeError):
        made.client.send(b"late")
    readable(made.server)
    assert made.server.recv(10) == b""


def test_a_reset_is_told_to_each_half(unix):
    """When the peer has closed with data unread, send fails and recv is ECONNRESET all the same."""
    made = unix.connection()
    made.client.send(b"unread")
    made.server.close()
    assert errno_of(made.client.send, b"x") in (errno.EPIPE, errno.ECONNRESET)
    assert errno_of(made.client.recv, 1) == errno.ECONNRESET


@pytest.mark.parametrize("call", ["recv", "recvmsg"])
def test_a_reset_is_told_once(unix, call):
    """recv(2): when the peer has closed with data unread it is ECONNRESET once, and then the end; send is EPIPE."""
    made = unix.connection()
    made.client.send(b"unread")
    made.server.close()
    assert errno_of(getattr(made.client, call), 1) == errno.ECONNRESET
    got = getattr(made.client, call)(1)
    assert (got if call == "recv" else got[0]) == b""
    assert errno_of(made.client.send, b"x") == errno.EPIPE
    assert errno_of(made.client.sendmsg, [b"x"]) == errno.EPIPE
    assert made.client.recv(1) == b""


def test_a_reset_can_be_asked_for(unix):
    """socket(7): when the peer has closed with data unread SO_ERROR is ECONNRESET once, and recv is at the end then."""
    made = unix.connection()
    made.client.send(b"unread")
    made.server.close()
    assert readable(made.client)
    assert made.client.getsockopt(unix.net.SOL_SOCKET, unix.net.SO_ERROR) == errno.ECONNRESET
    assert made.client.getsockopt(unix.net.SOL_SOCKET, unix.net.SO_ERROR) == 0
    assert made.client.recv(1) == b""


def test_the_senders_buffer_is_the_measure(unix):
    """socket(7): the sender's SO_SNDBUF alone says how much fits before send is EAGAIN: at most twice it."""
    counts = []
    for size in (65_536, 4_096):
        listener = unix.listener(str(size))
        client = unix.client(str(size))
        server, _ = unix.accept(listener)
        server.setsockopt(unix.net.SOL_SOCKET, unix.net.SO_RCVBUF, size)
        client.setsockopt(unix.net.SOL_SOCKET, unix.net.SO_SNDBUF, 65_536)
        client.setblocking(False)
        count = 0
        with contextlib.suppress(BlockingIOError):
            for _ in range(10_000):
                count += client.send(b"x" * 16_384)
        counts.append(count)
    assert counts[0] == counts[1] > 0
    assert counts[0] <= 2 * client.getsockopt(unix.net.SOL_SOCKET, unix.net.SO_SNDBUF)


def test_a_full_queue_comes_before_a_connection(unix):
    """connect(2) of a connected socket to a listener whose queue is full is EAGAIN, if it does not block (Linux)."""
    listener = unix.listener(backlog=0)
    client = unix.client()
    unix.accept(listener)
    client.setblocking(False)
    unix.client()  # one fits in
    assert errno_of(client.connect, unix.path()) == errno.EAGAIN
