"""recv(2) on Internet streams."""

from __future__ import annotations

import errno
import select
import time

import pytest

from conformance.raising import PATIENCE, Background, blocking_errno, errno_of


def arrived(sock):
    """Wait until there is something to read."""
    assert select.select([sock], [], [], PATIENCE)[0]


def test_recv_gives_what_is_there(inet):
    """recv(2) of a blocking socket gives what has come, and does not wait for all that was asked for."""
    made = inet.connection()
    made.client.sendall(b"abc")
    arrived(made.server)
    assert made.server.recv(1000) == b"abc"


def test_recv_gives_no_more_than_asked(inet):
    """recv(2) gives at most as many bytes as asked for, and keeps the rest."""
    made = inet.connection()
    made.client.sendall(b"abcdef")
    arrived(made.server)
    assert [made.server.recv(2), made.server.recv(2), made.server.recv(100)] == [b"ab", b"cd", b"ef"]


def test_recv_waits(inet):
    """recv(2) of a blocking socket waits until something comes."""
    made = inet.connection()
    made.server.settimeout(None)
    call = Background(made.server.recv, 10)
    assert call.running(0.1)
    made.client.sendall(b"now")
    assert call.result() == b"now"


def test_the_end_of_the_stream(inet):
    """recv(2): no bytes when the peer has closed, as often as one asks, after all that it sent."""
    made = inet.connection()
    made.client.sendall(b"all")
    made.client.close()
    assert [made.server.recv(100) for _ in range(3)] == [b"all", b"", b""]


def test_the_end_wakes_a_reader(inet):
    """recv(2): a blocked call gives no bytes when the peer closes."""
    made = inet.connection()
    made.server.settimeout(None)
    call = Background(made.server.recv, 10)
    assert call.running(0.1)
    made.client.close()
    assert call.result() == b""


def test_nothing_there(inet):
    """recv(2): EAGAIN, a BlockingIOError, from a non-blocking socket without data."""
    made = inet.connection()
    made.server.setblocking(False)
    with pytest.raises(BlockingIOError) as caught:
        made.server.recv(1)
    assert caught.value.errno in (errno.EAGAIN, errno.EWOULDBLOCK)


def test_nothing_comes(inet):
    """recv() with a time-out is a TimeoutError when it is over, and what comes later is not lost."""
    made = inet.connection()
    made.server.settimeout(0.05)
    with pytest.raises(TimeoutError):
        made.server.recv(1)
    made.client.sendall(b"late")
    made.server.settimeout(PATIENCE)
    assert made.server.recv(4) == b"late"


def test_peek(net, inet):
    """recv(2): MSG_PEEK gives data and leaves them."""
    made = inet.connection()
    made.client.sendall(b"abc")
    arrived(made.server)
    assert made.server.recv(2, net.MSG_PEEK) == b"ab"
    assert made.server.recv(10, net.MSG_PEEK) == b"abc"
    assert made.server.recv(10) == b"abc"


def test_waitall(net, inet):
    """recv(2): MSG_WAITALL waits until all that was asked for has come."""
    made = inet.connection()
    made.server.settimeout(None)
    made.client.sendall(b"ab")
    call = Background(made.server.recv, 4, net.MSG_WAITALL)
    assert call.running(0.2)
    made.client.sendall(b"cdef")
    assert call.result() == b"abcd"
    assert made.server.recv(10) == b"ef"


def test_waitall_ends_with_the_stream(net, inet):
    """recv(2): MSG_WAITALL gives less when the stream ends."""
    made = inet.connection()
    made.server.settimeout(None)
    made.client.sendall(b"ab")
    made.client.close()
    assert Background(made.server.recv, 4, net.MSG_WAITALL).result() == b"ab"


def test_waitall_into_a_buffer(net, inet):
    """recv(2): MSG_WAITALL fills a buffer whole."""
    made = inet.connection()
    made.server.settimeout(None)
    buffer = bytearray(6)
    made.client.sendall(b"ab")
    call = Background(made.server.recv_into, buffer, 0, net.MSG_WAITALL)
    assert call.running(0.2)
    made.client.sendall(b"cdef")
    assert call.result() == 6
    assert buffer == b"abcdef"


@pytest.mark.parametrize("how", ["recv", "recv_into", "recvfrom", "recvmsg"])
def test_waitall_with_a_timeout(net, inet, how):
    """recv(2): a socket with a time-out is non-blocking below, so MSG_WAITALL gives what is there, as Linux does."""
    made = inet.connection()
    made.client.sendall(b"ab")
    arrived(made.server)
    receive = {
        "recv": lambda: made.server.recv(4, net.MSG_WAITALL),
        "recv_into": lambda: b"ab"[: made.server.recv_into(bytearray(4), 0, net.MSG_WAITALL)],
        "recvfrom": lambda: made.server.recvfrom(4, net.MSG_WAITALL)[0],
        "recvmsg": lambda: made.server.recvmsg(4, 0, net.MSG_WAITALL)[0],
    }[how]
    assert made.server.gettimeout()
    assert Background(receive).result() == b"ab"
    made.server.settimeout(0.05)
    with pytest.raises(TimeoutError):
        receive()


def test_dontwait(net, inet):
    """recv(2): MSG_DONTWAIT is EAGAIN where a blocking socket would wait, and the socket goes on blocking."""
    made = inet.connection()
    made.server.settimeout(None)
    with pytest.raises(BlockingIOError):
        Background(made.server.recv, 1, net.MSG_DONTWAIT).result()
    assert made.server.gettimeout() is None
    made.client.sendall(b"x")
    arrived(made.server)
    assert made.server.recv(1, net.MSG_DONTWAIT) == b"x"
    call = Background(made.server.recv, 1)
    assert call.running(0.1)
    made.client.sendall(b"y")
    assert call.result() == b"y"


def test_recv_into(inet):
    """recv_into() writes into the buffer and returns how much; the rest of the buffer stays (recv(2))."""
    made = inet.connection()
    buffer = bytearray(b"______")
    made.client.sendall(b"abc")
    assert made.server.recv_into(buffer) == 3
    assert buffer == b"abc___"


def test_recv_into_takes_a_number(inet):
    """recv_into(buffer, nbytes) receives at most so much (recv(2))."""
    made = inet.connection()
    buffer = bytearray(6)
    made.client.sendall(b"abcdef")
    arrived(made.server)
    assert made.server.recv_into(buffer, 2) == 2
    assert made.server.recv_into(memoryview(buffer)[2:]) == 4
    assert buffer == b"abcdef"


@pytest.mark.parametrize("number", [-1, 7])
def test_recv_into_minds_the_buffer(inet, number):
    """recv_into() of more than the buffer holds, or of less than nothing, is a ValueError."""
    made = inet.connection()
    made.client.sendall(b"x")
    with pytest.raises(ValueError):
        made.server.recv_into(bytearray(6), number)


def test_a_negative_size(inet):
    """recv() of less than nothing is a ValueError."""
    made = inet.connection()
    with pytest.raises(ValueError):
        made.server.recv(-1)


def test_asking_for_nothing(inet):
    """recv(2) of no bytes gives none and takes none."""
    made = inet.connection()
    made.client.sendall(b"x")
    arrived(made.server)
    assert made.server.recv(0) == b""
    assert made.server.recv(1) == b"x"


def test_recvfrom_of_a_stream(inet):
    """recvfrom(2) on a connected stream gives the data as recv(2) does."""
    made = inet.connection()
    made.client.sendall(b"abcd")
    arrived(made.server)
    buffer = bytearray(2)
    assert made.server.recvfrom(2)[0] == b"ab"
    assert made.server.recvfrom_into(buffer)[0] == 2
    assert buffer == b"cd"


def test_no_connection(inet):
    """recv(2): ENOTCONN for a stream socket that is not connected."""
    assert blocking_errno(inet.tcp(), "recv", 1) == errno.ENOTCONN


@pytest.mark.parametrize("timeout", [0, 30], ids=["non-blocking", "time-out"])
def test_no_connection_is_told_at_once(inet, timeout):
    """recv(2): ENOTCONN for an unconnected stream in every mode: a time-out is not waited for."""
    sock = inet.tcp()
    sock.settimeout(timeout)
    start = time.monotonic()
    with pytest.raises(OSError) as caught:
        sock.recv(1)
    assert caught.value.errno == errno.ENOTCONN
    assert time.monotonic() - start < 10


def test_a_closed_socket(inet):
    """recv(2): EBADF for a closed socket."""
    made = inet.connection()
    made.server.close()
    assert errno_of(made.server.recv, 1) == errno.EBADF


def test_a_reset(inet):
    """recv(2): ECONNRESET, a ConnectionResetError, after the peer has reset the connection."""
    made = inet.connection()
    inet.reset(made.client)
    arrived(made.server)
    with pytest.raises(ConnectionResetError) as caught:
        made.server.recv(1)
    assert caught.value.errno == errno.ECONNRESET


def test_a_reset_wakes_a_reader(inet):
    """recv(2): a blocked call is ECONNRESET when the peer resets the connection."""
    made = inet.connection()
    made.server.settimeout(None)
    call = Background(made.server.recv, 1)
    assert call.running(0.1)
    inet.reset(made.client)
    assert errno_of(call.result) == errno.ECONNRESET


def test_reading_after_ones_own_shutdown(net, inet):
    """recv(2): no bytes after shutdown(SHUT_RD), without waiting."""
    made = inet.connection()
    made.server.shutdown(net.SHUT_RD)
    assert made.server.recv(1) == b""


def test_reading_goes_on_after_shutting_the_other_half(net, inet):
    """shutdown(2): SHUT_WR leaves receiving as it was."""
    made = inet.connection()
    made.server.shutdown(net.SHUT_WR)
    made.client.sendall(b"x")
    assert made.server.recv(1) == b"x"


def test_reading_as_from_a_file(inet):
    """makefile("rb") reads lines, and the end of the stream as the end of the file."""
    made = inet.connection()
    made.client.sendall(b"one\ntwo\nrest")
    made.client.close()
    with made.server.makefile("rb") as file:
        assert file.readlines() == [b"one\n", b"two\n", b"rest"]


def test_reading_text(inet):
    """makefile("r") decodes what comes."""
    made = inet.connection()
    made.client.sendall("größe\n".encode())
    with made.server.makefile("r", encoding="utf-8") as file:
        assert file.readline() == "größe\n"


def test_urgent_data_are_no_data(net, inet):
    """tcp(7): recv(2) without MSG_OOB stops before urgent data and leaves them out."""
    made = inet.connection()
    made.client.send(b"ab")
    made.client.send(b"!", net.MSG_OOB)
    made.client.send(b"cd")
    made.client.shutdown(net.SHUT_WR)
    with made.server.makefile("rb") as file:
        assert file.read() == b"abcd"


class Number:
    """Stands for a number, and is none (PEP 357)."""

    def __index__(self):
        return 2


@pytest.mark.parametrize("mode", [None, PATIENCE, 0.0])
@pytest.mark.parametrize(
    "call",
    [
        lambda sock: sock.recv(Number()),
        lambda sock: sock.recvfrom(Number())[0],
        lambda sock: sock.recvmsg(Number())[0],
        lambda sock: bytes(2)[: sock.recv_into(bytearray(8), Number())],
        lambda sock: bytes(2)[: sock.recvfrom_into(bytearray(8), Number())[0]],
    ],
    ids=["recv", "recvfrom", "recvmsg", "recv_into", "recvfrom_into"],
)
def test_a_size_that_stands_for_a_number(inet, call, mode):
    """recv(2): a size may be any object that stands for a number (PEP 357)."""
    made = inet.connection()
    made.client.sendall(b"1234")
    arrived(made.server)
    made.server.settimeout(mode)
    assert len(call(made.server)) == 2
