"""Unix datagram sockets: unix(7), send(2), recv(2), connect(2), and what the emulation of them promises."""

from __future__ import annotations

import contextlib
import errno
import gc
import os
import select
import threading
import time
import warnings
from importlib.util import find_spec

import pytest

import samesock
from conformance.raising import errno_of, ours_alone
from samesock.unix.letters import LONGEST_MESSAGE

pytestmark = pytest.mark.needs("unix-dgram")
SECONDS = 20.0
MSG_TRUNC = getattr(samesock, "MSG_TRUNC", 0x20)


def emulated() -> bool:
    """Whether samesock's datagram sockets are emulated here."""
    return samesock.features()["unix-dgram"] == "emulated"


class Datagrams:
    """Datagram sockets of one implementation."""

    def __init__(self, unix):
        self.unix = unix
        self.net = unix.net
        self.path = unix.path

    def socket(self, name=None):
        """A datagram socket, bound to a name if one is given; none of them waits for ever."""
        sock = self.unix.socket(self.net.SOCK_DGRAM)
        sock.settimeout(SECONDS)
        if name is not None:
            sock.bind(self.path(name))
        return sock

    def connected(self, target="r", name=None):
        """One that is connected to that name."""
        sock = self.socket(name)
        sock.connect(self.path(target))
        return sock

    def is_emulated(self):
        """Whether this implementation's are emulated."""
        return self.net is samesock and emulated()


@pytest.fixture
def dgram(unix):
    """The maker of datagram sockets."""
    return Datagrams(unix)


def test_a_datagram_arrives_with_its_senders_path(dgram):
    """recvfrom(2) gives a datagram and the path that its sender is bound to."""
    receiver, sender = dgram.socket("r"), dgram.socket("s")
    assert sender.sendto(b"hello", dgram.path("r")) == 5
    assert receiver.recvfrom(100) == (b"hello", dgram.path("s"))


def test_an_unnamed_sender_is_none(dgram):
    """recvfrom(2) of a datagram whose sender is not bound has no address: None, as CPython gives it."""
    receiver = dgram.socket("r")
    dgram.socket().sendto(b"hello", dgram.path("r"))
    assert receiver.recvfrom(100) == (b"hello", None)


def test_an_answer_goes_to_the_senders_path(dgram):
    """The path that recvfrom(2) gives is an address for sendto(2)."""
    receiver, sender = dgram.socket("r"), dgram.socket("s")
    sender.sendto(b"ask", dgram.path("r"))
    _, address = receiver.recvfrom(100)
    receiver.sendto(b"answer", address)
    assert sender.recvfrom(100) == (b"answer", dgram.path("r"))


def test_boundaries_and_order(dgram):
    """Datagrams come one by one, whole, in the order in which they were sent."""
    receiver = dgram.socket("r")
    sender = dgram.connected()
    messages = [b"a", b"bb" * 50, b"", b"c" * 4000]
    for message in messages:
        sender.send(message)
    assert [receiver.recv(5000) for _ in messages] == messages


def test_an_empty_datagram(dgram):
    """A datagram may be empty: it is received as b'', and wakes a select."""
    receiver = dgram.socket("r")
    assert dgram.socket().sendto(b"", dgram.path("r")) == 0
    assert select.select([receiver], [], [], SECONDS)[0]
    assert receiver.recvfrom(10) == (b"", None)


def test_what_does_not_fit_is_lost(dgram):
    """recv(2) into a buffer that is too small cuts the datagram; the next recv is the next one."""
    receiver = dgram.socket("r")
    sender = dgram.connected()
    sender.send(b"abcdef")
    sender.send(b"next")
    assert receiver.recv(3) == b"abc"
    assert receiver.recv(10) == b"next"


def test_recvmsg_tells_of_the_cut(dgram):
    """recvmsg(2) sets MSG_TRUNC for a datagram that was cut, and not for one that fits."""
    receiver = dgram.socket("r")
    if not hasattr(receiver, "recvmsg"):
        pytest.skip("recvmsg is absent here")
    sender = dgram.connected(name="s")
    sender.send(b"abcdef")
    sender.send(b"abcdef")
    assert receiver.recvmsg(3) == (b"abc", [], MSG_TRUNC, dgram.path("s"))
    assert receiver.recvmsg(6) == (b"abcdef", [], 0, dgram.path("s"))


def test_recv_into_counts_what_was_cut_if_asked(dgram):
    """recv(2) with MSG_TRUNC gives the datagram's real length; without it, the bytes stored."""
    receiver = dgram.socket("r")
    sender = dgram.connected()
    buffer = bytearray(3)
    sender.send(b"abcdef")
    sender.send(b"ghijkl")
    assert receiver.recv_into(buffer, 0, MSG_TRUNC) == 6
    assert buffer == b"abc"
    assert receiver.recv_into(buffer) == 3
    assert buffer == b"ghi"


def test_recvfrom_into(dgram):
    """recvfrom_into stores the datagram and gives its sender; `nbytes` limits it."""
    receiver = dgram.socket("r")
    sender = dgram.connected(name="s")
    sender.send(b"abcdef")
    sender.send(b"ghijkl")
    buffer = bytearray(10)
    assert receiver.recvfrom_into(buffer) == (6, dgram.path("s"))
    assert receiver.recvfrom_into(buffer, 2) == (2, dgram.path("s"))
    assert buffer[:6] == b"ghcdef"
    with pytest.raises(ValueError, match="buffer"):
        receiver.recv_into(buffer, 11)


def test_sendmsg_and_recvmsg_into(dgram):
    """sendmsg(2) joins its buffers to one datagram; recvmsg_into(2) spreads one over several."""
    receiver = dgram.socket("r")
    sender = dgram.socket()
    if not hasattr(sender, "sendmsg"):
        pytest.skip("sendmsg is absent here")
    assert sender.sendmsg([b"ab", b"", b"cde"], [], 0, dgram.path("r")) == 5
    one, other = bytearray(2), bytearray(2)
    assert receiver.recvmsg_into([one, other])[::2] == (4, MSG_TRUNC)
    assert (one, other) == (b"ab", b"cd")


def test_arguments_of_a_wrong_kind(dgram):
    """TypeError comes before anything is sent or taken: for data, control messages and addresses that are none, and
    for buffers that are read-only."""
    receiver = dgram.socket("r")
    sender = dgram.connected("r")
    for call, arguments in (
        (sender.sendmsg, ([object()],)),
        (sender.sendmsg, (b"not in an iterable",)),
        (sender.sendmsg, ([b"x"], [(0, 0)])),
        (sender.sendmsg, ([b"x"], [(object(), 0, b"")])),
        (sender.sendmsg, ([b"x"], [], 0, object())),
        (sender.sendto, ("text", dgram.path("r"))),
        (sender.sendto, (b"x", object())),
        (sender.send, ("text",)),
    ):
        with pytest.raises(TypeError):
            call(*arguments)
    sender.send(b"whole")
    for call, wrong in (
        (receiver.recvmsg_into, [bytearray(1), b"read-only"]),
        (receiver.recvmsg_into, bytearray(10)),
        (receiver.recv_into, b"read-only"),
        (receiver.recvfrom_into, b"read-only"),
    ):
        with pytest.raises(TypeError):
            call(wrong)
    assert receiver.recv(100) == b"whole"


def test_peek_leaves_the_datagram(dgram):
    """MSG_PEEK gives the datagram and its sender and leaves it in the queue, readable."""
    receiver = dgram.socket("r")
    sender = dgram.connected(name="s")
    sender.send(b"abcdef")
    for _ in range(3):
        assert receiver.recvfrom(4, dgram.net.MSG_PEEK) == (b"abcd", dgram.path("s"))
    assert select.select([receiver], [], [], SECONDS)[0]
    assert receiver.recv(10) == b"abcdef"
    receiver.setblocking(False)
    assert errno_of(receiver.recv, 10, dgram.net.MSG_PEEK) in (errno.EAGAIN, errno.EWOULDBLOCK)


def test_the_largest_datagram(dgram):
    """A datagram of 65,000 bytes crosses whole; far too long a one is EMSGSIZE, before the path is looked at."""
    receiver = dgram.socket("r")
    sender = dgram.socket()
    message = os.urandom(LONGEST_MESSAGE)
    assert sender.sendto(message, dgram.path("r")) == len(message)
    assert receiver.recv(100_000) == message
    assert errno_of(sender.sendto, bytes(4_000_000), dgram.path("r")) == errno.EMSGSIZE
    assert errno_of(sender.sendto, bytes(4_000_000), dgram.path("nobody")) == errno.EMSGSIZE
    if dgram.is_emulated():
        assert errno_of(sender.sendto, bytes(LONGEST_MESSAGE + 1), dgram.path("r")) == errno.EMSGSIZE


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


def test_time_outs(dgram):
    """recv waits as long as settimeout says, then raises TimeoutError; a non-blocking one raises BlockingIOError."""
    sock = dgram.socket("r")
    sock.settimeout(0.1)
    begun = time.monotonic()
    with pytest.raises(TimeoutError):
        sock.recv(10)
    assert time.monotonic() - begun >= 0.09
    sock.setblocking(False)
    with pytest.raises(BlockingIOError):
        sock.recvfrom(10)


def test_a_blocked_recv_is_woken(dgram):
    """recv of a blocking socket waits for the next datagram."""
    receiver, sender = dgram.socket("r"), dgram.socket()
    receiver.settimeout(None)
    timer = threading.Timer(0.1, sender.sendto, (b"x", dgram.path("r")))
    timer.start()
    assert receiver.recv(10) == b"x"
    timer.join()


def test_what_was_sent_outlives_the_sender(dgram):
    """A datagram stays in the receiver's queue when its sender has closed."""
    receiver = dgram.socket("r")
    with dgram.net.socket(dgram.net.AF_UNIX, dgram.net.SOCK_DGRAM) as sender:
        sender.bind(dgram.path("s"))
        sender.sendto(b"x", dgram.path("r"))
    assert receiver.recvfrom(10) == (b"x", dgram.path("s"))


def test_shutdown(dgram):
    """shutdown(2) needs no peer; after SHUT_WR send(2) is EPIPE; to one that is shut for reading, EPIPE, too."""
    receiver, sender = dgram.socket("r"), dgram.socket()
    sender.shutdown(dgram.net.SHUT_WR)
    assert errno_of(sender.sendto, b"x", dgram.path("r")) == errno.EPIPE
    receiver.shutdown(dgram.net.SHUT_RD)
    assert errno_of(dgram.socket().sendto, b"x", dgram.path("r")) == errno.EPIPE
    receiver.settimeout(None)
    assert receiver.recv(10) == b""


def fill(sender, address, message=b"x"):
    """Send until the sender would wait; how many it took."""
    sender.setblocking(False)
    count = 0
    with contextlib.suppress(BlockingIOError):
        while count < 100_000:
            sender.sendto(message, address)
            count += 1
    return count


@pytest.mark.parametrize("size", [1, 4000, 65_000])
def test_a_full_receiver_makes_the_sender_wait(dgram, size):
    """Unix datagrams are reliable: a sender whose receiver does not read is told EAGAIN, and nothing that was taken
    is lost."""
    receiver, sender = dgram.socket("r"), dgram.socket()
    count = fill(sender, dgram.path("r"), bytes(size))
    assert 1 <= count < 100_000
    assert [len(receiver.recv(100_000)) for _ in range(count)] == [size] * count
    receiver.setblocking(False)
    assert errno_of(receiver.recv, 10) in (errno.EAGAIN, errno.EWOULDBLOCK)
    assert fill(sender, dgram.path("r"), bytes(size)) >= 1


def test_a_waiting_sender_times_out(dgram):
    """A sender with a time-out that finds its receiver full raises TimeoutError when it is over."""
    dgram.socket("r")
    sender = dgram.socket()
    fill(sender, dgram.path("r"))
    sender.settimeout(0.2)
    begun = time.monotonic()
    with pytest.raises(TimeoutError):
        sender.sendto(b"x", dgram.path("r"))
    assert time.monotonic() - begun >= 0.19


def test_a_waiting_sender_goes_on_when_the_receiver_reads(dgram):
    """A blocking sender that waits for room sends as soon as there is some: 500 datagrams, none lost, in order."""
    receiver = dgram.socket("r")
    sender = dgram.connected()
    sender.settimeout(None)
    sending = threading.Thread(target=lambda: [sender.send(b"%d" % n) for n in range(500)])
    sending.start()
    assert [receiver.recv(10) for _ in range(500)] == [b"%d" % n for n in range(500)]
    sending.join()


def test_a_waiting_sender_learns_of_the_receivers_death(dgram):
    """A blocking sender that waits for room is told ECONNREFUSED when the receiver closes."""
    receiver, sender = dgram.socket("r"), dgram.socket()
    fill(sender, dgram.path("r"))
    sender.settimeout(None)
    timer = threading.Timer(0.2, receiver.close)
    timer.start()
    assert errno_of(sender.sendto, b"x", dgram.path("r")) == errno.ECONNREFUSED
    timer.join()


def test_many_senders(dgram):
    """Twenty senders that each fill the receiver as far as they may lose nothing."""
    receiver = dgram.socket("r")
    senders = [dgram.socket() for _ in range(20)]
    sent = sum(fill(sender, dgram.path("r")) for sender in senders)
    receiver.setblocking(False)
    got = 0
    with contextlib.suppress(BlockingIOError):
        while receiver.recv(10) == b"x":
            got += 1
    assert got == sent


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
