"""Unix datagram sockets that wait, for a datagram or for room: unix(7), and what the emulation promises of it."""

from __future__ import annotations

import contextlib
import errno
import threading
import time

import pytest

from conformance.raising import errno_of

pytestmark = pytest.mark.needs("unix-dgram")


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
