"""send(2) on Internet streams."""

from __future__ import annotations

import array
import ctypes
import errno
import io
import pickle
import select
import time

import pytest

from conformance.raising import PATIENCE, Background, blocking_errno, errno_of


def test_send_tells_how_much(inet):
    """send(2) returns how many bytes it took, and they arrive as they were."""
    made = inet.connection()
    assert made.client.send(b"hello") == 5
    assert made.server.recv(100) == b"hello"


@pytest.mark.parametrize("make", [bytes, bytearray, memoryview, lambda data: array.array("B", data)])
def test_whatever_has_bytes_can_be_sent(inet, make):
    """send(2): a buffer of any type is sent as the bytes that it holds."""
    made = inet.connection()
    assert made.client.send(make(b"abc")) == 3
    made.client.sendall(make(b"def"))
    made.client.shutdown(inet.net.SHUT_WR)
    assert inet.drain(made.server) == 6


def test_text_is_no_data(inet):
    """send() of a str is a TypeError, and nothing is sent."""
    made = inet.connection()
    for call in (made.client.send, made.client.sendall):
        with pytest.raises(TypeError):
            call("text")
    made.client.close()
    assert made.server.recv(1) == b""


def test_sending_nothing(inet):
    """send(2) of no bytes on a stream returns 0 and sends nothing."""
    made = inet.connection()
    assert made.client.send(b"") == 0
    assert made.client.sendall(b"") is None
    made.client.send(b"x")
    assert made.server.recv(10) == b"x"


def test_much_data(inet):
    """sendall() sends 4 MiB while the peer reads, in order and without loss (tcp(7))."""
    made = inet.connection()
    data = bytes(range(256)) * 16_384
    call = Background(made.client.sendall, data)
    received = bytearray()
    while len(received) < len(data):
        received += made.server.recv(1 << 16)
    call.result()
    assert received == data


def test_a_blocking_sendall_waits(inet):
    """send(2) of a blocking socket waits while the peer does not read, and goes on when it does."""
    made = inet.connection()
    inet.fill(made.client)
    made.client.settimeout(None)
    call = Background(made.client.sendall, b"y" * 1_000_000)
    assert call.running(0.1)
    reading = Background(inet.drain, made.server)
    call.result()
    made.client.shutdown(inet.net.SHUT_WR)
    assert reading.result() >= 1_000_000


def test_a_full_connection_is_eagain(inet):
    """send(2): EAGAIN, a BlockingIOError, from a non-blocking socket when there is no room; all it took arrives."""
    made = inet.connection()
    sent = inet.fill(made.client)
    made.client.setblocking(False)
    with pytest.raises(BlockingIOError) as caught:
        made.client.send(b"x" * 65_536)
    assert caught.value.errno in (errno.EAGAIN, errno.EWOULDBLOCK)
    made.client.shutdown(inet.net.SHUT_WR)
    assert inet.drain(made.server) == sent


def test_a_connection_has_a_limit(inet):
    """send(2): a non-blocking socket takes a bounded amount while the peer does not read (socket(7), SO_SNDBUF)."""
    made = inet.connection()
    assert inet.fill(made.client) < 64 << 20
    made.client.setblocking(False)
    with pytest.raises(BlockingIOError):
        for _ in range(4_000):  # a kernel may still be moving what it has to the other end
            made.client.send(b"x" * 4_096)


@pytest.mark.parametrize("call", ["send", "sendall"])
def test_a_send_with_a_timeout(inet, call):
    """send() with a time-out is a TimeoutError when the peer has not read in time."""
    made = inet.connection()
    inet.fill(made.client)
    made.client.settimeout(0.1)
    with pytest.raises(TimeoutError):
        for _ in range(100):
            getattr(made.client, call)(b"x" * (1 << 20))


def test_dontwait(net, inet):
    """send(2): MSG_DONTWAIT is EAGAIN where a blocking socket would wait, and the socket goes on blocking."""
    made = inet.connection()
    inet.fill(made.client)
    made.client.settimeout(None)
    with pytest.raises(BlockingIOError):
        for _ in range(100):
            made.client.send(b"x" * 65_536, net.MSG_DONTWAIT)
    assert made.client.gettimeout() is None
    call = Background(made.client.sendall, b"y" * 1_000_000)
    assert call.running(0.1)
    made.server.close()
    with pytest.raises(OSError):
        call.result()


def test_nosignal(net, inet):
    """send(2): MSG_NOSIGNAL sends as ever, and to a stream that is shut it is EPIPE like without."""
    made = inet.connection()
    assert made.client.send(b"x", net.MSG_NOSIGNAL) == 1
    made.client.shutdown(net.SHUT_WR)
    assert errno_of(made.client.send, b"x", net.MSG_NOSIGNAL) == errno.EPIPE


def test_sending_after_ones_own_shutdown(net, inet):
    """send(2): EPIPE, a BrokenPipeError, after shutdown(SHUT_WR)."""
    made = inet.connection()
    made.client.shutdown(net.SHUT_WR)
    for call in (made.client.send, made.client.sendall):
        with pytest.raises(BrokenPipeError) as caught:
            call(b"x")
        assert caught.value.errno == errno.EPIPE


def test_sending_without_a_connection(inet):
    """send(2): ENOTCONN or EPIPE for a stream socket that is not connected."""
    assert blocking_errno(inet.tcp(), "send", b"x") in (errno.ENOTCONN, errno.EPIPE)
    assert blocking_errno(inet.tcp(), "sendall", b"x") in (errno.ENOTCONN, errno.EPIPE)


@pytest.mark.parametrize("name", ["send", "sendall"])
def test_sending_without_a_connection_and_a_time_out(inet, name):
    """send(2): ENOTCONN or EPIPE at once for an unconnected stream: a time-out is not waited for."""
    sock = inet.tcp()
    sock.settimeout(30)
    start = time.monotonic()
    with pytest.raises(OSError) as caught:
        getattr(sock, name)(b"x")
    assert caught.value.errno in (errno.ENOTCONN, errno.EPIPE)
    assert time.monotonic() - start < 10


def test_sending_from_a_closed_socket(inet):
    """send(2): EBADF for a closed socket."""
    made = inet.connection()
    made.client.close()
    assert errno_of(made.client.send, b"x") == errno.EBADF


def test_sending_after_a_reset(inet):
    """send(2): ECONNRESET or EPIPE after the peer has reset the connection."""
    made = inet.connection()
    inet.reset(made.server)
    select.select([made.client], [], [], PATIENCE)
    assert errno_of(made.client.send, b"x") in (errno.ECONNRESET, errno.EPIPE)
    assert errno_of(made.client.send, b"x") in (errno.ECONNRESET, errno.EPIPE)


def test_sending_to_a_closed_peer(inet):
    """send(2): after the peer has closed, sending fails in the end, by ECONNRESET or EPIPE."""
    made = inet.connection()
    made.server.close()
    with pytest.raises((ConnectionResetError, BrokenPipeError)) as caught:
        for _ in range(1000):
            made.client.send(b"x" * 1000)
            select.select([], [], [made.client], 0.01)
    assert caught.value.errno in (errno.ECONNRESET, errno.EPIPE)


def test_urgent_data(net, inet):
    """tcp(7): a byte sent with MSG_OOB is announced as an exception, and is received with MSG_OOB alone."""
    made = inet.connection()
    made.client.send(b"ab")
    made.client.send(b"!", net.MSG_OOB)
    assert select.select([], [], [made.server], PATIENCE)[2] == [made.server]
    assert made.server.recv(1, net.MSG_OOB) == b"!"
    assert made.server.recv(10) == b"ab"


def test_urgent_data_inline(net, inet):
    """socket(7): with SO_OOBINLINE urgent data stay in the stream."""
    made = inet.connection()
    made.server.setsockopt(net.SOL_SOCKET, net.SO_OOBINLINE, 1)
    made.client.send(b"a")
    made.client.send(b"!", net.MSG_OOB)
    made.client.shutdown(net.SHUT_WR)
    with made.server.makefile("rb") as file:
        assert file.read() == b"a!"


def test_a_file_can_be_sent(inet, tmp_path):
    """sendfile() sends a whole file, and leaves it at its end (sendfile(2))."""
    made = inet.connection()
    (tmp_path / "data").write_bytes(b"0123456789" * 1000)
    with (tmp_path / "data").open("rb") as file:
        assert made.client.sendfile(file) == 10_000
        assert file.tell() == 10_000
    made.client.shutdown(inet.net.SHUT_WR)
    assert inet.drain(made.server) == 10_000


def test_a_part_of_a_file_can_be_sent(inet, tmp_path):
    """sendfile() with offset and count sends that part (sendfile(2))."""
    made = inet.connection()
    (tmp_path / "data").write_bytes(b"0123456789")
    with (tmp_path / "data").open("rb") as file:
        assert made.client.sendfile(file, offset=2, count=3) == 3
    made.client.close()
    assert made.server.recv(100) == b"234"


def test_what_is_no_file_can_be_sent(inet):
    """sendfile() of an object without a descriptor sends what it reads from it."""
    made = inet.connection()
    assert made.client.sendfile(io.BytesIO(b"in memory")) == 9
    made.client.close()
    assert made.server.recv(100) == b"in memory"


def test_writing_as_to_a_file(inet):
    """makefile("wb") sends what is written when it is flushed."""
    made = inet.connection()
    with made.client.makefile("wb") as file:
        file.write(b"line\n")
        file.flush()
        assert made.server.recv(100) == b"line\n"


def test_both_directions_at_once(inet):
    """tcp(7): a connection carries data in both directions at once, each in its order."""
    made = inet.connection()
    data = bytes(range(256)) * 4096

    def receive(sock):
        got = bytearray()
        while len(got) < len(data):
            got += sock.recv(1 << 16)
        return bytes(got)

    receiving = [Background(receive, sock) for sock in (made.client, made.server)]
    sending = [Background(sock.sendall, data) for sock in (made.client, made.server)]
    for call in sending:
        call.result()
    assert [call.result() for call in receiving] == [data, data]


@pytest.mark.parametrize("method", ["send", "sendall"])
@pytest.mark.parametrize(
    "data",
    [
        (ctypes.c_int32 * 2)(1, 2),
        ctypes.c_int32(3),
        pickle.PickleBuffer(b"12345678"),
        memoryview(b"1").cast("B", ()),
        array.array("q", range(4096)),
    ],
    ids=["array of C's", "number of C's", "pickle", "no dimension", "array"],
)
def test_whatever_has_bytes_is_sent(inet, method, data):
    """send(2) of the bytes of an object, all of them, whatever its length is counted in, and also if it has none."""
    made = inet.connection()
    made.client.settimeout(PATIENCE)
    made.server.settimeout(PATIENCE)
    wanted = memoryview(data).tobytes()
    assert getattr(made.client, method)(data) in (None, len(wanted))
    got = b""
    while len(got) < len(wanted):
        got += made.server.recv(1 << 16)
    made.client.settimeout(None)
    assert getattr(made.client, method)(data) in (None, len(wanted))
    while len(got) < 2 * len(wanted):
        got += made.server.recv(1 << 16)
    assert got == 2 * wanted
