"""sendmsg(2) and recvmsg(2) with SCM_RIGHTS: descriptors over Unix stream sockets, within and between processes."""

from __future__ import annotations

import array
import contextlib
import errno
import os
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import samesock
from conformance.raising import errno_of, ours_alone
from samesock import fd
from samesock.backend import system

pytestmark = pytest.mark.needs("passing")

SECONDS = 30.0
INT = 4


def room(count: int) -> int:
    """CMSG_LEN(count * 4), which the interpreter lacks on Windows."""
    return (16 if sys.maxsize > 2**32 else 12) + count * INT


@pytest.fixture
def pair(unix: Any) -> tuple[Any, Any]:
    """Two ends of one connection, neither of which waits for ever."""
    made = unix.connection()
    made.client.settimeout(SECONDS)
    made.server.settimeout(SECONDS)
    return made.client, made.server


def take(net: Any, sock: Any, size: int, most: int) -> tuple[bytes, list[int], int]:
    """recv_fds, as often as it takes for the first descriptors to come; the bytes in one piece."""
    got, numbers, flags = b"", [], 0
    while len(got) < size:
        data, numbers, flags, _ = net.recv_fds(sock, size - len(got), most)
        assert data, f"the end after {got!r}"
        got += data
        if numbers or flags:
            break
    return got, list(numbers), flags


def ends_of_pipe(pipe: list[int]) -> bool:
    """Whether the pipe's last writer has gone: its own writing end must be closed."""
    return os.read(pipe[0], 1) == b""


def test_a_pipe_arrives(pair, pipe, net):
    """A pipe's reading end arrives as another number for the same pipe, with the bytes that it was sent with."""
    one, other = pair
    assert net.send_fds(one, [b"he", b"re"], [pipe[0]]) == 4
    data, (number,), flags, _ = net.recv_fds(other, 100, 4)
    try:
        assert (data, flags & net.MSG_CTRUNC) == (b"here", 0)
        os.write(pipe[1], b"through")
        assert number != pipe[0]
        assert os.read(number, 100) == b"through"
    finally:
        fd.close(number)


@pytest.mark.fd_leaks("allow", reason="on Windows the descriptors stay with their receiver, this process")
def test_a_plain_recv_gets_the_bytes_alone(pair, pipe, net):
    """unix(7): where recv(2) is called in place of recvmsg(2), the bytes come alone and the descriptors are closed."""
    one, other = pair
    net.send_fds(one, [b"here"], [pipe[1]])
    assert other.recv(4096) == b"here"
    os.close(pipe.pop())
    assert ends_of_pipe(pipe)


def test_both_directions(pair, pipe, net):
    """Either end may send descriptors."""
    for one, other in (pair, pair[::-1]):
        net.send_fds(one, [b"x"], [pipe[0], pipe[1]])
        data, numbers, _, _ = net.recv_fds(other, 1, 2)
        assert data == b"x"
        assert [fd.kind(number) for number in numbers] == ["pipe", "pipe"]
        for number in numbers:
            fd.close(number)


def test_the_senders_number_may_be_closed_at_once(pair, pipe, net):
    """What is under way is open, whatever its sender closes; and it is the pipe's only writer then."""
    one, other = pair
    net.send_fds(one, [b"x"], [pipe[1]])
    os.close(pipe.pop())
    _, (number,), _, _ = net.recv_fds(other, 1, 1)
    os.write(number, b"still")
    fd.close(number)
    assert os.read(pipe[0], 100) == b"still"
    assert ends_of_pipe(pipe)


def test_bytes_around_arrive_once_and_in_order(pair, pipe, net):
    """Bytes before, with and after descriptors come out in that order, once, and each descriptor with its message."""
    one, other = pair
    one.sendall(b"before ")
    net.send_fds(one, [b"first "], [pipe[0]])
    net.send_fds(one, [b"second "], [pipe[0], pipe[1]])
    one.sendall(b"after")
    wanted = b"before first second after"
    got, counts = b"", []
    while len(got) < len(wanted):
        data, numbers, flags, _ = net.recv_fds(other, 100, 8)
        assert data
        assert not flags & net.MSG_CTRUNC
        got += data
        if numbers:
            counts.append((len(numbers), got))
        for number in numbers:
            fd.close(number)
    assert got == wanted
    assert [count for count, _ in counts] == [1, 2]
    assert counts[0][1] == b"before first "
    assert counts[1][1].startswith(b"before first second ")


def test_a_message_read_in_pieces(pair, pipe, net):
    """The descriptors come with the message's first byte, the rest of its bytes later."""
    one, other = pair
    net.send_fds(one, [b"abcdef"], [pipe[0]])
    data, (number,), _, _ = net.recv_fds(other, 2, 1)
    fd.close(number)
    assert data == b"ab"
    assert other.recv(100) == b"cdef"


def test_more_than_asked_for_are_closed(pair, pipe, net):
    """Descriptors beyond the number asked for are closed, and MSG_CTRUNC says so."""
    one, other = pair
    spare = os.dup(pipe[0])
    # As odd and even numbers: Linux rounds the room for them up to eight bytes.
    net.send_fds(one, [b"x"], [spare, pipe[0], pipe[1]])
    os.close(spare)
    os.close(pipe.pop())
    data, numbers, flags, _ = net.recv_fds(other, 1, 1)
    for number in numbers:
        fd.close(number)
    assert data == b"x"
    assert len(numbers) <= 2
    assert flags & net.MSG_CTRUNC
    assert ends_of_pipe(pipe)


def test_none_asked_for(pair, pipe, net):
    """recvmsg without room for ancillary data closes the descriptors and says MSG_CTRUNC."""
    one, other = pair
    net.send_fds(one, [b"x"], [pipe[1]])
    os.close(pipe.pop())
    data, ancillary, flags, _ = other.recvmsg(10)
    assert (data, ancillary) == (b"x", [])
    assert flags & net.MSG_CTRUNC
    assert ends_of_pipe(pipe)


def test_by_sendmsg_and_recvmsg(pair, pipe, net):
    """The methods take and give an array of int as (SOL_SOCKET, SCM_RIGHTS, bytes)."""
    one, other = pair
    assert (
        one.sendmsg([b"a", b"bc"], [(net.SOL_SOCKET, net.SCM_RIGHTS, array.array("i", [pipe[0], pipe[1]]))])
        == 3
    )
    data, ancillary, flags, _ = other.recvmsg(100, room(2))
    ((level, kind, raw),) = ancillary
    numbers = array.array("i", raw)
    for number in numbers:
        fd.close(number)
    assert (data, level, kind, len(numbers)) == (b"abc", net.SOL_SOCKET, net.SCM_RIGHTS, 2)
    assert not flags & net.MSG_CTRUNC


def test_into_buffers(pair, pipe, net):
    """recvmsg_into fills the buffers in turn."""
    one, other = pair
    net.send_fds(one, [b"abcde"], [pipe[0]])
    buffers = [bytearray(2), bytearray(5)]
    count, ((_, _, raw),), _, _ = other.recvmsg_into(buffers, room(1))
    fd.close(array.array("i", raw)[0])
    assert count == 5
    assert buffers == [b"ab", b"cde\0\0"]


def test_sendmsg_of_plain_buffers(pair, net):
    """Without ancillary data sendmsg sends the buffers' bytes, and recv gets them and nothing else."""
    one, other = pair
    assert one.sendmsg([b"ab", b"", bytearray(b"cd")]) == 4
    assert other.recv(100) == b"abcd"


WRONG: list[Any] = [
    object(),
    [object()],
    [(object(), 0, b"data")],
    [(0, object(), b"data")],
    [(0, 0, object())],
    [(0, 0)],
    [(0, 0, b"data", 42)],
    [0, 0, b""],
    [(0, 0, b""), object()],
]


def test_ancillary_data_of_another_form(pair, net):
    """sendmsg: TypeError for ancillary data that are no tuples of two integers and bytes, and nothing is sent."""
    one, other = pair
    for wrong in WRONG:
        with pytest.raises(TypeError):
            one.sendmsg([b"x"], wrong)
    one.sendall(b"y")
    assert other.recv(100) == b"y"


def test_a_buffer_that_cannot_be_filled(pair, pipe, net):
    """recvmsg_into: TypeError for memory that is read-only, and neither bytes nor descriptors are lost."""
    one, other = pair
    net.send_fds(one, [b"whole"], [pipe[0]])
    for wrong in ([bytearray(1), b"read-only"], [object()], bytearray(10)):
        with pytest.raises(TypeError):
            other.recvmsg_into(wrong, room(1))
    data, (number,), _, _ = net.recv_fds(other, 100, 1)
    fd.close(number)
    assert data == b"whole"


def test_what_is_no_address(pair, net):
    """sendto and sendmsg: TypeError for an address that is neither a path nor bytes, and for none at all."""
    one, other = pair
    for wrong in (object(), 1, ("127.0.0.1", 80)):
        with pytest.raises(TypeError):
            one.sendto(b"x", wrong)
        with pytest.raises(TypeError):
            one.sendmsg([b"x"], [], 0, wrong)
    for arguments in ((), (0,), (b"x",), ("text", 0, "path")):
        with pytest.raises(TypeError):
            one.sendto(*arguments)
    one.sendall(b"y")
    assert other.recv(100) == b"y"


def test_two_hundred_and_fifty_three_at_once(pair, pipe, net):
    """253 descriptors are one message; one more is EINVAL, and nothing is sent."""
    one, other = pair
    assert errno_of(net.send_fds, one, [b"x"], [pipe[0]] * 254) == errno.EINVAL
    net.send_fds(one, [b"y"], [pipe[0]] * 253)
    data, numbers, flags, _ = net.recv_fds(other, 10, 253)
    for number in numbers:
        fd.close(number)
    assert (data, len(set(numbers)), flags & net.MSG_CTRUNC) == (b"y", 253, 0)


def test_a_number_that_is_not_open(pair, pipe, net):
    """It is EBADF, and neither the bytes nor the other descriptors are sent."""
    one, other = pair
    closed = os.dup(pipe[0])
    os.close(closed)
    assert errno_of(net.send_fds, one, [b"x"], [pipe[0], closed]) == errno.EBADF
    one.sendall(b"y")
    assert other.recv(10) == b"y"


def test_without_a_byte(pair, pipe, net):
    """On a stream descriptors travel with a byte: an empty message sends nothing."""
    one, other = pair
    assert net.send_fds(one, [b""], [pipe[0]]) == 0
    one.sendall(b"y")
    assert net.recv_fds(other, 10, 1)[:2] == (b"y", [])


def test_without_a_connection(unix, pipe, net):
    """Sending on an unconnected socket is ENOTCONN."""
    assert errno_of(net.send_fds, unix.socket(), [b"x"], [pipe[0]]) == errno.ENOTCONN


def test_nothing_to_receive(pair, net):
    """A non-blocking recvmsg with nothing there is EAGAIN, one with a time-out times out."""
    _, other = pair
    other.setblocking(False)
    with pytest.raises(BlockingIOError):
        net.recv_fds(other, 10, 1)
    other.settimeout(0.05)
    with pytest.raises(TimeoutError):
        other.recvmsg(10, room(1))


def test_the_end(pair, pipe, net):
    """What was sent before a close is still received, descriptors included; then comes the end."""
    one, other = pair
    net.send_fds(one, [b"last"], [pipe[0]])
    one.close()
    data, (number,), _, _ = net.recv_fds(other, 10, 1)
    fd.close(number)
    assert data == b"last"
    assert net.recv_fds(other, 10, 1)[:2] == (b"", [])


def test_a_queue_that_is_full(pair, pipe, net):
    """A non-blocking send into a full queue is EAGAIN, and what got through comes out whole."""
    one, other = pair
    one.setblocking(False)
    sent = 0
    with contextlib.suppress(BlockingIOError):
        while True:
            sent += one.send(b"." * 65536)
    with pytest.raises(BlockingIOError):
        for _ in range(64):
            sent += net.send_fds(one, [b"." * 1000], [pipe[0]])
    other.settimeout(SECONDS)
    got = 0
    while got < sent:
        data, numbers, flags, _ = net.recv_fds(other, 65536, 4)
        assert set(data) == set(b".")
        assert not flags & net.MSG_CTRUNC
        got += len(data)
        for number in numbers:
            fd.close(number)
    assert got == sent


def test_a_long_message(pair, pipe, net):
    """A message that is longer than any buffer arrives whole, with its descriptor."""
    import threading

    one, other = pair
    one.settimeout(None)
    data = os.urandom(1 << 20)
    sent = []
    thread = threading.Thread(target=lambda: sent.append(net.send_fds(one, [data], [pipe[0]])))
    thread.start()
    got, numbers = b"", []
    while len(got) < len(data):
        piece, some, _, _ = net.recv_fds(other, 65536, 4)
        got += piece
        numbers += some
    thread.join()
    for number in numbers:
        fd.close(number)
    assert got == data
    assert sent == [len(data)]
    assert len(numbers) == 1


@ours_alone
def test_they_are_not_inheritable(pair, pipe, net):
    """Received descriptors are not inheritable, whatever they were before."""
    one, other = pair
    os.set_inheritable(pipe[0], True)
    net.send_fds(one, [b"xy"], [pipe[0]])
    net.send_fds(one, [b"z"], [pipe[0]])
    _, (number,), _, _ = net.recv_fds(other, 2, 1)
    _, ((_, _, raw),), flags, _ = other.recvmsg(1, room(1))
    second = array.array("i", raw)[0]
    try:
        assert not fd.get_inheritable(number)
        assert not fd.get_inheritable(second)
        assert flags == 0
    finally:
        fd.close(number)
        fd.close(second)


@ours_alone
def test_objects_may_be_passed(pair, socket_dir, net):
    """send_fds takes objects with fileno(): files and sockets."""
    one, other = pair
    with open(socket_dir / "f", "wb+") as file, net.socket(net.AF_INET, net.SOCK_DGRAM) as udp:
        file.write(b"content")
        file.flush()
        file.seek(0)
        udp.bind(("127.0.0.1", 0))
        net.send_fds(one, [b"x"], [file, udp])
        _, (first, second), _, _ = net.recv_fds(other, 1, 2)
        with open(first, "rb") as copy, net.socket(fileno=second) as twin:
            assert copy.read() == b"content"
            assert twin.getsockname() == udp.getsockname()
            assert twin.type == net.SOCK_DGRAM


def test_sockets_of_every_kind(pair, unix, net):
    """Listening, connected, datagram and Unix sockets work where they arrive."""
    one, other = pair
    with contextlib.ExitStack() as stack:
        tcp = stack.enter_context(net.socket(net.AF_INET, net.SOCK_STREAM))
        tcp.bind(("127.0.0.1", 0))
        tcp.listen(5)
        listener = unix.listener("passed")
        connected = unix.client("passed")
        server, _ = unix.accept(listener)
        net.send_fds(one, [b"x"], [sock.fileno() for sock in (tcp, listener, connected)])
        _, numbers, _, _ = net.recv_fds(other, 1, 3)
        families = (net.AF_INET, net.AF_UNIX, net.AF_UNIX)
        twins = [
            stack.enter_context(net.socket(family, net.SOCK_STREAM, 0, fileno=number))
            for family, number in zip(families, numbers, strict=True)
        ]
        listener.close()
        connected.close()
        client = stack.enter_context(net.create_connection(tcp.getsockname(), timeout=SECONDS))
        accepted, _ = twins[0].accept()
        stack.enter_context(accepted).sendall(b"tcp")
        assert client.recv(10) == b"tcp"
        late = unix.client("passed")
        accepted, _ = twins[1].accept()
        stack.enter_context(accepted).sendall(b"unix")
        assert late.recv(10) == b"unix"
        server.settimeout(SECONDS)
        twins[2].sendall(b"connected")
        assert server.recv(10) == b"connected"


HEAD = """
import os, sys
sys.path[:0] = sys.argv[3].split(os.pathsep)
import importlib
net = importlib.import_module(sys.argv[1])
sock = net.socket(net.AF_UNIX, net.SOCK_STREAM)
sock.settimeout(30)
sock.connect(sys.argv[2])
"""


@contextlib.contextmanager
def child(net: Any, path: str, code: str) -> Iterator[subprocess.Popen[bytes]]:
    """Another process that runs `code` with `sock` connected to the path."""
    source = str(Path(samesock.__file__).parents[1])
    name = net.__name__
    process = subprocess.Popen(
        [sys.executable, "-c", HEAD + textwrap.dedent(code), name, path, source],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


SERVE = """
_, (file, listener), _, _ = net.recv_fds(sock, 100, 2)
with open(file, "rb") as source, net.socket(net.AF_INET, net.SOCK_STREAM, 0, fileno=listener) as server:
    server.settimeout(30)
    for _ in range(3):
        served, _ = server.accept()
        with served:
            source.seek(0)
            served.sendall(served.recv(100) + b": " + source.read())
"""


def test_a_child_serves_from_what_it_was_passed(unix, net, socket_dir):
    """A process that gets a listening socket and an open file serves the one from the other."""
    listener = unix.listener()
    listener.settimeout(SECONDS)
    with net.socket(net.AF_INET, net.SOCK_STREAM) as tcp, open(socket_dir / "f", "wb+") as file:
        tcp.bind(("127.0.0.1", 0))
        tcp.listen(5)
        address = tcp.getsockname()
        file.write(b"from the file")
        file.flush()
        with child(net, unix.path(), SERVE):
            accepted, _ = unix.accept(listener)
            net.send_fds(accepted, [b"serve"], [file.fileno(), tcp.fileno()])
            file.close()
            for number in range(3):
                word = f"client {number}".encode()
                with net.create_connection(address, timeout=SECONDS) as client:
                    client.sendall(word)
                    got = b""
                    while data := client.recv(100):
                        got += data
                assert got == word + b": from the file"


SERVE_UNIX = """
_, (number,), _, _ = net.recv_fds(sock, 100, 1)
with net.socket(net.AF_UNIX, net.SOCK_STREAM, 0, fileno=number) as server:
    server.settimeout(30)
    sock.sendall(b"r")
    served, _ = server.accept()
    with served:
        served.sendall(served.recv(100).upper())
"""


def test_a_child_serves_on_a_unix_listener_that_it_was_passed(unix, net):
    """A process that gets a listening Unix socket goes on serving at its path when the sender has closed it."""
    listener = unix.listener()
    listener.settimeout(SECONDS)
    with child(net, unix.path(), SERVE_UNIX):
        accepted, _ = unix.accept(listener)
        accepted.settimeout(SECONDS)
        net.send_fds(accepted, [b"serve"], [listener.fileno()])
        assert accepted.recv(1) == b"r"
        listener.close()
        client = unix.client()
        client.settimeout(SECONDS)
        client.sendall(b"word")
        assert client.recv(100) == b"WORD"


GIVE = """
reader, writer = os.pipe()
net.send_fds(sock, [b"from a child"], [reader, writer])
if sys.stdin.buffer.read(1) == b"":
    pass
os._exit(0)
"""


def take_what_a_child_gave(net, accepted):
    """Receive it, and see that it is a pipe."""
    data, (reader, writer), _, _ = net.recv_fds(accepted, 100, 2)
    os.write(writer, b"loop")
    assert data == b"from a child"
    assert os.read(reader, 10) == b"loop"
    fd.close(reader)
    fd.close(writer)


def test_a_child_gives(unix, net):
    """The client may be the one that passes, before it was accepted even."""
    listener = unix.listener()
    listener.settimeout(SECONDS)
    with child(net, unix.path(), GIVE):
        accepted, _ = unix.accept(listener)
        accepted.settimeout(SECONDS)
        take_what_a_child_gave(net, accepted)


def test_the_sender_may_have_gone(unix, net, pipe):
    """What a process sent before it ended is received all the same."""
    listener = unix.listener()
    listener.settimeout(SECONDS)
    if getattr(listener, "transport", "native") == "emulated" and not system.passing.NEEDS_TARGET:
        pytest.skip("passing: where descriptors are fetched from their sender, it must live until then")
    with child(net, unix.path(), GIVE) as process:
        assert process.stdin is not None
        process.stdin.close()
        process.stdin = None
        accepted, _ = unix.accept(listener)
        accepted.settimeout(SECONDS)
        process.wait(SECONDS)
        take_what_a_child_gave(net, accepted)


def test_the_receiver_may_go(unix, net, pipe):
    """A process that ends before it takes its descriptors leaves none open anywhere."""
    listener = unix.listener()
    listener.settimeout(SECONDS)
    with child(net, unix.path(), "sys.stdin.buffer.read(1); os._exit(0)") as process:
        accepted, _ = unix.accept(listener)
        net.send_fds(accepted, [b"x"], [pipe[1]])
        process.kill()
        process.wait(SECONDS)
        accepted.close()
    os.close(pipe.pop())
    assert ends_of_pipe(pipe)
