"""What Unix datagram sockets send and receive: unix(7), send(2), recv(2), and what the emulation of them promises."""

from __future__ import annotations

import errno
import os
import select

import pytest

import samesock
from conformance.raising import errno_of
from conformance.unix_datagrams import SECONDS
from samesock.unix.letters import LONGEST_MESSAGE

pytestmark = pytest.mark.needs("unix-dgram")
MSG_TRUNC = getattr(samesock, "MSG_TRUNC", 0x20)


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
