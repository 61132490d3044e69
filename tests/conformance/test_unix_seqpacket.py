"""Unix sockets of SOCK_SEQPACKET: connections that keep the boundaries of messages (unix(7), recv(2))."""

from __future__ import annotations

import contextlib
import errno
import os
import select
import threading
import time
from types import SimpleNamespace

import pytest

import samesock
from conformance.raising import errno_of, ours_alone
from samesock.unix.seqpacket import LONGEST_MESSAGE

pytestmark = pytest.mark.needs("unix-seqpacket")
SECONDS = 20.0
MSG_TRUNC = getattr(samesock, "MSG_TRUNC", 0x20)
MSG_EOR = getattr(samesock, "MSG_EOR", 0x80)


class Packets:
    """Sockets of one implementation."""

    def __init__(self, unix):
        self.unix = unix
        self.net = unix.net
        self.path = unix.path

    def socket(self):
        """A new socket, which does not wait for ever."""
        sock = self.unix.socket(self.net.SOCK_SEQPACKET)
        sock.settimeout(SECONDS)
        return sock

    def listener(self, name="s"):
        """One that listens."""
        sock = self.socket()
        sock.bind(self.path(name))
        sock.listen(5)
        return sock

    def is_emulated(self):
        """Whether this implementation's are emulated."""
        return self.net is samesock and samesock.features()["unix-seqpacket"] == "emulated"


@pytest.fixture
def packets(unix):
    """The maker of sockets."""
    return Packets(unix)


@pytest.fixture
def made(packets):
    """A listener, a client and the socket accepted for it."""
    listener, client = packets.listener(), packets.socket()
    client.connect(packets.path("s"))
    server, name = packets.unix.accept(listener)
    server.settimeout(SECONDS)
    return SimpleNamespace(listener=listener, client=client, server=server, name=name, net=packets.net)


MESSAGES = [b"one", b"", b"x" * 3000, b"two", os.urandom(40_000)]


def test_messages_come_out_as_they_went_in(made):
    """Each send(2) is one recv(2) at the other end, in order, empty ones included."""
    for message in MESSAGES:
        assert made.client.send(message) == len(message)
    assert [made.server.recv(100_000) for _ in MESSAGES] == MESSAGES
    for message in MESSAGES:
        made.server.sendall(message)
    assert [made.client.recv(100_000) for _ in MESSAGES] == MESSAGES


def test_the_socket_says_its_type(made):
    """`type` and SO_TYPE are SOCK_SEQPACKET at all three ends."""
    net = made.net
    for sock in (made.listener, made.client, made.server):
        assert sock.type == sock.getsockopt(net.SOL_SOCKET, net.SO_TYPE) == net.SOCK_SEQPACKET
        assert isinstance(sock, net.socket)


def test_names(packets, made):
    """Names are those of streams: the listener's path, '' for an unnamed client, whose recvfrom has no address."""
    assert made.name == made.server.getpeername() == ""
    assert made.client.getpeername() == made.server.getsockname() == packets.path("s")
    made.client.send(b"a")
    assert made.server.recvfrom(10) == (b"a", None)
    made.server.send(b"b")
    assert made.client.recvfrom(10) == (b"b", packets.path("s"))


def test_a_named_client(packets):
    """accept(2) and recvfrom(2) give the path of a client that is bound."""
    listener, client = packets.listener(), packets.socket()
    client.bind(packets.path("c"))
    client.connect(packets.path("s"))
    server, name = packets.unix.accept(listener)
    client.send(b"a")
    assert (name, server.recvfrom(10)) == (packets.path("c"), (b"a", packets.path("c")))


def test_the_rest_of_a_message_is_lost(made):
    """recv(2) into a buffer that is too small cuts the message; the next recv is the next message."""
    made.client.send(b"abcdef")
    made.client.send(b"next")
    assert (made.server.recv(3), made.server.recv(10)) == (b"abc", b"next")


def test_the_cut_is_told(made):
    """recvmsg(2) sets MSG_TRUNC for a cut message; recv_into with MSG_TRUNC gives its real length."""
    made.client.send(b"abcdef")
    buffer = bytearray(3)
    assert made.server.recv_into(buffer, 3, MSG_TRUNC) == 6
    assert buffer == b"abc"
    if not hasattr(made.server, "recvmsg"):
        pytest.skip("recvmsg is absent here")
    made.client.send(b"abcdef")
    assert made.server.recvmsg(3)[2] & MSG_TRUNC
    made.client.send(b"abcdef")
    assert not made.server.recvmsg(6)[2] & MSG_TRUNC


def test_end_of_record(made):
    """MSG_EOR may be given to send(2); recvmsg(2) may tell of it (POSIX; Linux does not, the emulation does)."""
    if not hasattr(made.server, "recvmsg"):
        pytest.skip("recvmsg is absent here")
    made.client.send(b"a", MSG_EOR)
    made.client.send(b"b")
    first, second = made.server.recvmsg(10), made.server.recvmsg(10)
    assert (first[0], second[0]) == (b"a", b"b")
    assert first[2] in (0, MSG_EOR)
    assert second[2] == 0
    if made.client.transport == "emulated" if hasattr(made.client, "transport") else False:
        assert first[2] == MSG_EOR


def test_peek_leaves_the_message(made):
    """MSG_PEEK gives the next message and leaves it, and the socket readable."""
    made.client.send(b"abcdef")
    made.client.send(b"next")
    assert [made.server.recv(4, made.net.MSG_PEEK) for _ in "ab"] == [b"abcd"] * 2
    assert select.select([made.server], [], [], SECONDS)[0]
    assert [made.server.recv(10) for _ in "ab"] == [b"abcdef", b"next"]
    made.server.setblocking(False)
    with pytest.raises(BlockingIOError):
        made.server.recv(10, made.net.MSG_PEEK)


def test_readable_as_long_as_there_is_a_message(made):
    """The descriptor is readable until the last message is taken, and not after it."""
    for message in MESSAGES:
        made.client.send(message)
    for message in MESSAGES:
        assert select.select([made.server], [], [], SECONDS)[0]
        assert made.server.recv(100_000) == message
    assert not select.select([made.server], [], [], 0)[0]


def test_buffers_of_the_caller(made):
    """sendmsg(2) joins, recvmsg_into(2) spreads, recvfrom_into stores one message."""
    made.client.send(b"abcde")
    buffer = bytearray(8)
    assert made.server.recvfrom_into(buffer) == (5, None)
    assert buffer[:5] == b"abcde"
    if not hasattr(made.client, "sendmsg"):
        pytest.skip("sendmsg is absent here")
    assert made.client.sendmsg([b"ab", b"cde"]) == 5
    one, other = bytearray(2), bytearray(2)
    assert made.server.recvmsg_into([one, other])[::2] == (4, MSG_TRUNC)
    assert (one, other) == (b"ab", b"cd")


def test_the_largest_message(packets, made):
    """A message of 65,536 bytes crosses whole; far too long a one is EMSGSIZE, and nothing of it is sent."""
    message = os.urandom(LONGEST_MESSAGE)
    assert made.client.send(message) == len(message)
    assert made.server.recv(100_000) == message
    assert errno_of(made.client.send, bytes(8_000_000)) == errno.EMSGSIZE
    if packets.is_emulated():
        assert errno_of(made.client.send, bytes(LONGEST_MESSAGE + 1)) == errno.EMSGSIZE
    made.client.send(b"after")
    assert made.server.recv(10) == b"after"


def test_the_end_of_the_stream(made):
    """After the peer's close, and after its shutdown(2), recv(2) gives what is left, then b''."""
    made.client.send(b"last")
    made.client.shutdown(made.net.SHUT_WR)
    assert [made.server.recv(10) for _ in "abc"] == [b"last", b"", b""]
    made.server.send(b"answer")
    made.server.close()
    assert [made.client.recv(10) for _ in "ab"] == [b"answer", b""]


def test_a_reset_is_told_once(packets):
    """recv(2): the first call after a listener has closed with the connection in its queue is ECONNRESET, and those
    after it are at the end (Linux)."""
    net = packets.net
    listener, client = packets.listener("r"), packets.socket()
    client.connect(packets.path("r"))
    listener.close()
    with pytest.raises(ConnectionResetError):
        client.recv(9)
    assert client.recv(9) == b""
    assert client.recvmsg(9)[0] == b""
    assert client.getsockopt(net.SOL_SOCKET, net.SO_ERROR) == 0
    with pytest.raises(BrokenPipeError):
        client.send(b"x")


def test_sending_after_shutdown(made):
    """send(2) after one's own SHUT_WR is EPIPE; recv(2) after one's own SHUT_RD is b''."""
    made.client.shutdown(made.net.SHUT_WR)
    assert errno_of(made.client.send, b"x") == errno.EPIPE
    made.client.shutdown(made.net.SHUT_RD)
    assert made.client.recv(10) == b""


def test_sending_to_who_has_left(made):
    """send(2) to a peer that has closed is EPIPE, at once or from the second time on."""
    made.server.close()
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        try:
            made.client.send(b"x")
        except BrokenPipeError:
            return
    raise AssertionError("it was never EPIPE")


def test_an_address_is_ignored(packets, made):
    """sendto(2) of a connected SOCK_SEQPACKET socket goes to the peer, whatever the address."""
    assert made.client.sendto(b"x", packets.path("nowhere")) == 1
    assert made.server.recv(10) == b"x"


def test_without_a_connection(packets):
    """send(2), sendto(2) and recv(2) without a connection are ENOTCONN."""
    packets.listener()
    sock = packets.socket()
    assert errno_of(sock.send, b"x") == errno.ENOTCONN
    assert errno_of(sock.sendto, b"x", packets.path("s")) == errno.ENOTCONN
    assert errno_of(sock.recv, 10) == errno.ENOTCONN


def test_types_do_not_mix(packets):
    """connect(2) to a listener of another type is EPROTOTYPE, from each side, and disturbs nobody."""
    packets.listener("packets")
    packets.unix.listener("stream")
    assert errno_of(packets.socket().connect, packets.path("stream")) == errno.EPROTOTYPE
    assert errno_of(packets.unix.socket().connect, packets.path("packets")) == errno.EPROTOTYPE


def test_time_outs(made):
    """recv(2) waits as long as settimeout says, then TimeoutError; a non-blocking one BlockingIOError."""
    made.client.settimeout(0.1)
    begun = time.monotonic()
    with pytest.raises(TimeoutError):
        made.client.recv(10)
    assert time.monotonic() - begun >= 0.09
    made.client.setblocking(False)
    with pytest.raises(BlockingIOError):
        made.client.recv(10)


@pytest.mark.parametrize("size", [0, 1, 1000, 65_536])
def test_a_full_connection(made, size):
    """A non-blocking send(2) takes a message whole or not at all: what was taken comes out, and nothing else."""
    made.client.setblocking(False)
    sent = []
    with contextlib.suppress(BlockingIOError):
        while len(sent) < 2000:  # of small ones TCP takes more than that
            message = os.urandom(size)
            made.client.send(message)
            sent.append(message)
    assert [made.server.recv(100_000) for _ in sent] == sent
    made.server.setblocking(False)
    with pytest.raises(BlockingIOError):
        made.server.recv(10)
    made.client.settimeout(SECONDS)
    made.client.send(b"again")
    made.server.settimeout(SECONDS)
    assert made.server.recv(10) == b"again"


def test_a_waiting_sender_goes_on(made):
    """A blocking sender waits for room: 40 MB cross in messages of many sizes, in order."""
    sizes = [(n * 7919) % 65_537 for n in range(1200)]
    made.client.settimeout(None)
    thread = threading.Thread(target=lambda: [made.client.send(bytes(size)) for size in sizes])
    thread.start()
    assert [len(made.server.recv(100_000)) for _ in sizes] == sizes
    thread.join()


def test_two_threads_read_whole_messages(made):
    """Two threads that read from one socket get whole messages, each of them once."""
    got: list[bytes] = []

    def read():
        while data := made.server.recv(100_000):
            got.append(data)

    threads = [threading.Thread(target=read) for _ in "ab"]
    for thread in threads:
        thread.start()
    sent = [bytes([n % 256]) * (1 + n * 37 % 9000) for n in range(1, 400)]
    for message in sent:
        made.client.send(message)
    made.client.shutdown(made.net.SHUT_WR)
    for thread in threads:
        thread.join()
    assert sorted(got) == sorted(sent)


def test_a_pair(packets):
    """socketpair(2) of SOCK_SEQPACKET keeps boundaries; the other end's close is the end."""
    one, other = packets.unix.pair(packets.net.SOCK_SEQPACKET)
    assert one.type == packets.net.SOCK_SEQPACKET
    one.send(b"a")
    one.send(b"bc")
    assert (other.recv(10), other.recv(10)) == (b"a", b"bc")
    one.close()
    assert other.recv(10) == b""


def test_duplicates_and_adopted_numbers(made):
    """dup(2) of a connection, and the adoption of its number, give the same connection and type."""
    with made.server.dup() as copy:
        made.server.close()
        made.client.send(b"x")
        assert copy.recv(10) == b"x"
        assert copy.type == made.net.SOCK_SEQPACKET
        with made.net.socket(fileno=copy.detach()) as again:
            made.client.send(b"yz")
            assert again.recv(10) == b"yz"


def test_a_duplicate_of_the_listener(packets, made):
    """A duplicate of the listener accepts sockets of the type."""
    with made.listener.dup() as copy:
        client = packets.socket()
        client.connect(packets.path("s"))
        server, _ = packets.unix.accept(copy)
        client.send(b"x")
        assert server.recv(10) == b"x"


@ours_alone
def test_half_a_message_keeps_nobody_waiting(packets, made):
    """A peer that sends half a frame makes the descriptor readable, and a non-blocking recv EAGAIN; the message comes
    when it is whole, and its end in the middle is the end."""
    if not packets.is_emulated():
        pytest.skip("unix-seqpacket is native here")
    from samesock.unix.calls import calls

    calls.send(made.client, b"\x05\0\0\0abc")
    assert select.select([made.server], [], [], SECONDS)[0]
    made.server.setblocking(False)
    for flags in (0, made.net.MSG_PEEK):
        with pytest.raises(BlockingIOError):
            made.server.recv(10, flags)
    made.server.settimeout(0.1)
    for flags in (0, made.net.MSG_PEEK):
        with pytest.raises(TimeoutError):
            made.server.recv(10, flags)
    calls.send(made.client, b"de\x09\0")
    made.server.settimeout(SECONDS)
    assert made.server.recv(10, made.net.MSG_PEEK) == b"abcde"
    assert made.server.recv(10) == b"abcde"
    made.client.close()
    assert made.server.recv(10) == b""


@ours_alone
@pytest.mark.parametrize("flags", [0, samesock.MSG_PEEK], ids=["taken", "peeked"])
def test_no_message_at_all(packets, made, flags):
    """A peer that sends what is no frame ends its own connection, and fills nobody's memory."""
    if not packets.is_emulated():
        pytest.skip("unix-seqpacket is native here")
    from samesock.unix.calls import calls

    calls.send(made.client, b"\xff\xff\xff\x7f")
    assert errno_of(made.server.recv, 10, flags) == errno.ECONNRESET


@ours_alone
def test_no_half_message_is_left(packets, made, monkeypatch):
    """An exception in the middle of a send ends the connection: what is sent later is never the rest of it."""
    if not packets.is_emulated():
        pytest.skip("unix-seqpacket is native here")
    from samesock.unix import seqpacket

    send, tries = seqpacket.calls.send, []

    def half(sock, data):
        tries.append(data)
        if len(tries) == 2:
            raise KeyboardInterrupt
        return send(sock, data[:3])

    with monkeypatch.context() as patch:
        patch.setattr(seqpacket.calls, "send", half)
        with pytest.raises(KeyboardInterrupt):
            made.client.send(b"secret")
    assert errno_of(made.client.send, b"\x02\0\0\0no") == errno.EPIPE
    assert made.server.recv(10) == b""


@ours_alone
def test_the_transport(made):
    """`transport` is what features() says."""
    assert made.client.transport == samesock.features()["unix-seqpacket"]
