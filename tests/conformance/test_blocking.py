"""Blocking, non-blocking and timed sockets: fcntl(2) O_NONBLOCK, and Python's time-outs."""

from __future__ import annotations

import errno
import time

import pytest

from conformance.raising import PATIENCE, Background, names


def test_a_new_socket_blocks(inet, net):
    """socket(2): a new socket blocks."""
    with net.socket() as sock:
        assert sock.gettimeout() is None
        assert sock.getblocking() is True


@pytest.mark.parametrize(
    ("seconds", "blocks"), [(None, True), (0.0, False), (2.5, True)], ids=["none", "zero", "some"]
)
def test_a_mode_is_kept(net, seconds, blocks):
    """settimeout() and setblocking() are read back by gettimeout() and getblocking()."""
    with net.socket() as sock:
        sock.settimeout(seconds)
        assert (sock.gettimeout(), sock.getblocking()) == (seconds, blocks)
        sock.setblocking(blocks)
        assert sock.gettimeout() == (None if blocks else 0.0)


@pytest.mark.parametrize("wrong", [-1, -0.1, float("nan")])
def test_a_timeout_is_no_less_than_nothing(net, wrong):
    """settimeout() of a negative number, or of no number, is a ValueError, and changes nothing."""
    with net.socket() as sock:
        with pytest.raises(ValueError):
            sock.settimeout(wrong)
        assert sock.gettimeout() is None


@pytest.mark.parametrize(
    ("call", "arguments"), [("recv", (1,)), ("recvfrom", (1,)), ("recv_into", (bytearray(1),))]
)
def test_a_non_blocking_call_comes_back(inet, call, arguments):
    """fcntl(2), O_NONBLOCK: a call that would wait is EAGAIN or EWOULDBLOCK at once, a BlockingIOError."""
    made = inet.connection()
    made.client.setblocking(False)
    with pytest.raises(BlockingIOError) as caught:
        getattr(made.client, call)(*arguments)
    assert caught.value.errno in (errno.EAGAIN, errno.EWOULDBLOCK)


@pytest.mark.parametrize(
    ("call", "arguments"), [("recv", (1,)), ("recvfrom", (1,)), ("recv_into", (bytearray(1),))]
)
def test_a_timeout_ends_a_call(inet, call, arguments):
    """settimeout(): a call that has waited so long is a TimeoutError, and never sooner."""
    made = inet.connection()
    made.client.settimeout(0.2)
    begun = time.monotonic()
    with pytest.raises(TimeoutError):
        getattr(made.client, call)(*arguments)
    assert 0.19 <= time.monotonic() - begun < PATIENCE


def test_a_short_timeout_is_one(inet):
    """settimeout(): a time-out too short for the system's clock is a TimeoutError, not a BlockingIOError."""
    made = inet.connection()
    made.client.settimeout(1e-6)
    with pytest.raises(TimeoutError):
        made.client.recv(1)


def test_what_comes_in_time(inet):
    """settimeout(): a call returns as soon as data come, long before its time is over."""
    made = inet.connection()
    made.client.settimeout(60)
    call = Background(made.client.recv, 1)
    assert call.running(0.1)
    made.server.sendall(b"x")
    assert call.result() == b"x"


def test_a_timeout_is_for_each_call(inet):
    """settimeout(): each call has the whole time for itself."""
    made = inet.connection()
    made.client.settimeout(0.5)
    for _ in range(4):
        time.sleep(0.2)
        made.server.sendall(b"x")
        assert made.client.recv(1) == b"x"


def test_a_timeout_is_over_and_forgotten(inet):
    """settimeout(): after a TimeoutError the connection is as it was."""
    made = inet.connection()
    made.client.settimeout(0.05)
    for _ in range(3):
        with pytest.raises(TimeoutError):
            made.client.recv(1)
    made.client.sendall(b"question")
    assert made.server.recv(100) == b"question"
    made.server.sendall(b"answer")
    made.client.settimeout(PATIENCE)
    assert made.client.recv(100) == b"answer"


def test_a_timeout_holds_after_much_has_come(inet):
    """settimeout(): a read of a stream that has just given much waits like any other, for its time and no longer."""
    made = inet.connection()
    much = bytes(range(256)) * 200
    made.client.settimeout(PATIENCE)
    for _ in range(3):
        made.server.sendall(much)
        got = b""
        while len(got) < len(much):
            got += made.client.recv(1 << 20)
        assert got == much
        made.client.settimeout(0.1)
        begun = time.monotonic()
        with pytest.raises(TimeoutError):
            made.client.recv_into(bytearray(10))
        assert time.monotonic() - begun >= 0.09
        made.client.settimeout(PATIENCE)
        call = Background(made.client.recv, 10)
        assert call.running(0.1)
        made.server.sendall(b"late")
        assert call.result() == b"late"


def test_a_timeout_holds_beside_a_blocking_duplicate(inet):
    """settimeout(): the time is the object's own; that a duplicate waits for ever makes no call of this one's do so."""
    made = inet.connection()
    made.client.settimeout(1.0)
    much = bytes(8192)
    made.server.sendall(much)
    got = 0
    while got < len(much):
        got += len(made.client.recv(1 << 20))
    inet.keep(made.client.dup()).setblocking(True)  # the last to set the mode, which the two share
    with pytest.raises(TimeoutError):
        Background(made.client.recv, 10).result()


def test_a_timeout_is_the_sends_too(inet):
    """settimeout(): a send that finds no room waits for some until its time is over, and is then sent whole."""
    made = inet.connection()
    inet.fill(made.client)
    made.client.settimeout(0.1)
    begun = time.monotonic()
    with pytest.raises(TimeoutError):
        made.client.send(b"x" * 5000)
    assert time.monotonic() - begun >= 0.09
    made.client.settimeout(PATIENCE)
    call = Background(made.client.sendall, b"and then")
    assert call.running(0.1)
    made.server.settimeout(PATIENCE)
    end = b""
    while end != b"and then":
        end = (end + made.server.recv(1 << 20))[-8:]
    assert call.result() is None


def test_the_whole_of_sendall_has_one_timeout(inet):
    """settimeout(): sendall() is over when its time is, also if the peer takes a little now and then."""
    made = inet.connection()
    inet.fill(made.client)
    made.client.settimeout(0.3)
    stop = []

    def trickle() -> None:
        while not stop:
            made.server.recv(1000)
            time.sleep(0.02)

    reading = Background(trickle)
    try:
        with pytest.raises(TimeoutError):
            Background(made.client.sendall, b"x" * (64 << 20)).result()
    finally:
        stop.append(True)
        reading.result()


def test_back_to_blocking(inet):
    """setblocking(True) makes a non-blocking socket wait again (fcntl(2))."""
    made = inet.connection()
    made.client.setblocking(False)
    with pytest.raises(BlockingIOError):
        made.client.recv(1)
    made.client.setblocking(True)
    call = Background(made.client.recv, 1)
    assert call.running(0.1)
    made.server.sendall(b"x")
    assert call.result() == b"x"


def test_sending_goes_on_beside_a_waiting_reader(inet):
    """pthreads(7): a socket may be used by two threads: one that waits in recv(2), and one that sends."""
    made = inet.connection()
    made.client.settimeout(None)
    call = Background(made.client.recv, 1)
    assert call.running(0.05)
    made.client.sendall(b"meanwhile")
    assert made.server.recv(100) == b"meanwhile"
    made.server.sendall(b"x")
    assert call.result() == b"x"


def test_the_default_timeout(net):
    """setdefaulttimeout() is the mode of sockets made afterwards."""
    net.setdefaulttimeout(1.5)
    try:
        assert net.getdefaulttimeout() == 1.5
        with net.socket() as sock:
            assert sock.gettimeout() == 1.5
    finally:
        net.setdefaulttimeout(None)
    with net.socket() as sock:
        assert sock.gettimeout() is None


def test_a_duplicate_has_the_mode(inet):
    """dup(2): a duplicate has the socket's mode."""
    sock = inet.tcp()
    for seconds in (None, 0.0, 2.5):
        sock.settimeout(seconds)
        with sock.dup() as copy:
            assert copy.gettimeout() == seconds


@names("SOCK_NONBLOCK")
def test_non_blocking_from_the_start(net):
    """socket(2): with SOCK_NONBLOCK a socket is made non-blocking, and its type does not show it."""
    with net.socket(net.AF_INET, net.SOCK_STREAM | net.SOCK_NONBLOCK) as sock:
        assert sock.gettimeout() == 0.0
        assert sock.type == net.SOCK_STREAM


def test_a_timeout_is_a_standard_error(net):
    """PEP 3151: socket.timeout is TimeoutError, and an OSError."""
    assert net.timeout is TimeoutError
    assert issubclass(TimeoutError, OSError)


def test_a_file_of_a_timed_socket(inet):
    """makefile(): reading from a timed socket is a TimeoutError when the time is over."""
    made = inet.connection()
    made.client.settimeout(0.05)
    with made.client.makefile("rb") as file, pytest.raises(TimeoutError):
        file.read(1)


def test_a_non_blocking_file(inet):
    """makefile(): a raw file of a non-blocking socket reads None where nothing is there (io.RawIOBase)."""
    made = inet.connection()
    made.client.setblocking(False)
    with made.client.makefile("rb", buffering=0) as file:
        assert file.read(1) is None
        made.server.sendall(b"x")
        made.client.settimeout(PATIENCE)
        assert file.read(1) == b"x"
