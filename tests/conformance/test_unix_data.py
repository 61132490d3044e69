"""send(2), recv(2), shutdown(2) and close(2) on connected Unix stream sockets."""

from __future__ import annotations

import errno
import hashlib
import random
import threading

import pytest

from conformance.raising import errno_of


def test_bytes_arrive_in_order(unix):
    """What is sent arrives, in order and whole, in both directions."""
    made = unix.connection()
    made.client.sendall(b"question")
    assert made.server.recv(100) == b"question"
    made.server.sendall(b"answer")
    assert made.client.recv(100) == b"answer"


def test_a_mebibyte_crosses_whole(unix):
    """sendall of more than any buffer arrives byte for byte."""
    made = unix.connection()
    data = random.Random(1).randbytes(3 << 20)
    thread = threading.Thread(target=made.client.sendall, args=(data,))
    thread.start()
    got, rest = hashlib.sha256(), len(data)
    while rest:
        piece = made.server.recv(1 << 16)
        got.update(piece)
        rest -= len(piece)
    thread.join()
    assert got.digest() == hashlib.sha256(data).digest()


def test_recv_into_fills_a_buffer(unix):
    """recv_into writes into the buffer that it is given."""
    made = unix.connection()
    made.client.send(b"abc")
    buffer = bytearray(5)
    assert made.server.recv_into(buffer) == 3
    assert buffer == b"abc\0\0"
    made.client.send(b"xyz")
    assert made.server.recvfrom_into(buffer, 3) == (3, None)
    assert buffer == b"xyz\0\0"


def test_peeking_leaves_the_bytes(unix):
    """MSG_PEEK gives the bytes and leaves them."""
    made = unix.connection()
    made.client.send(b"look")
    assert made.server.recv(4, unix.net.MSG_PEEK) == b"look"
    assert made.server.recv(4) == b"look"


def test_sendto_an_address_is_refused(unix):
    """sendto(2) with an address is EISCONN on a connected stream and EOPNOTSUPP on an unconnected one."""
    made = unix.connection()
    assert errno_of(made.client.sendto, b"x", unix.path()) == errno.EISCONN
    assert errno_of(unix.socket().sendto, b"x", unix.path()) == errno.EOPNOTSUPP


def test_the_end_is_seen(unix):
    """After the peer has closed, recv gives what was sent and then nothing."""
    made = unix.connection()
    made.client.send(b"last")
    made.client.close()
    assert made.server.recv(10) == b"last"
    assert made.server.recv(10) == b""
    assert made.server.recv(10) == b""


def test_half_of_a_connection_can_be_shut(unix):
    """After shutdown(SHUT_WR) the peer sees the end, and can still answer."""
    made = unix.connection()
    made.client.send(b"all")
    made.client.shutdown(unix.net.SHUT_WR)
    assert made.server.recv(10) == b"all"
    assert made.server.recv(10) == b""
    made.server.send(b"heard")
    assert made.client.recv(10) == b"heard"


def test_sending_after_shutdown_is_a_broken_pipe(unix):
    """send(2) after one's own shutdown(SHUT_WR) is EPIPE."""
    made = unix.connection()
    made.client.shutdown(unix.net.SHUT_WR)
    with pytest.raises(BrokenPipeError):
        made.client.send(b"x")


def test_sending_to_nobody_fails_in_the_end(unix):
    """send(2) after the peer has closed is EPIPE or ECONNRESET, at the latest when the peer's kernel has answered."""
    made = unix.connection()
    made.server.close()
    with pytest.raises((BrokenPipeError, ConnectionResetError, ConnectionAbortedError)):
        for _ in range(200):
            made.client.send(b"x" * 1000)


def test_shutting_an_unconnected_socket(unix):
    """recv(2) of an unconnected stream socket is EINVAL or ENOTCONN."""
    assert errno_of(unix.socket().recv, 1) in (errno.EINVAL, errno.ENOTCONN)


def test_a_file_over_a_socket(unix):
    """makefile reads and writes lines, and keeps the socket open until it is closed itself."""
    made = unix.connection()
    with made.client.makefile("rw", newline="\n") as file:
        made.client.close()
        file.write("line one\nline two\n")
        file.flush()
        with made.server.makefile("rb") as lines:
            assert lines.readline() == b"line one\n"
            assert lines.readline() == b"line two\n"
        made.server.sendall(b"back\n")
        assert file.readline() == "back\n"
    assert made.server.recv(1) == b""


def test_many_conversations_at_once(unix):
    """Fifty clients in threads each get their own echo."""
    listener = unix.listener(backlog=64)
    failures = []

    def serve() -> None:
        for _ in range(50):
            server, _ = listener.accept()
            with server:
                server.sendall(server.recv(100))

    def talk(number: int) -> None:
        word = f"client {number}".encode()
        with unix.net.socket(unix.net.AF_UNIX) as client:
            client.connect(unix.path())
            client.sendall(word)
            if client.recv(100) != word:
                failures.append(number)

    threads = [threading.Thread(target=serve)] + [threading.Thread(target=talk, args=(n,)) for n in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
