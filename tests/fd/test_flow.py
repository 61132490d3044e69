"""Reading, writing and sending beyond what every kind has in common."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import threading

import pytest

import samesock
from fd.makers import close, number
from samesock import fd


@pytest.fixture
def stream(stack):
    """Two connected Unix sockets."""
    one, other = samesock.socketpair()
    stack.callback(one.close)
    stack.callback(other.close)
    for end in (one, other):
        end.settimeout(None)
    return one, other


@pytest.fixture
def source(stack, tmp_path):
    """A file of 300,000 bytes, opened, at its start."""
    path = tmp_path / "source"
    path.write_bytes(bytes(range(250)) * 1200)
    return stack.enter_context(path.open("rb", buffering=0))


def received(sock, count):
    """So many bytes of the socket."""
    data = b""
    while len(data) < count and (piece := fd.read(sock, count - len(data))):
        data += piece
    return data


@pytest.mark.parametrize("as_number", [False, True])
def test_sendfile_all(stream, source, as_number):
    """A file goes through whole, in as many calls as it takes; the last one says 0."""
    one, other = stream
    whole = os.path.getsize(source.name)
    got: list[bytes] = []
    thread = threading.Thread(target=lambda: got.append(received(other, whole)))
    thread.start()
    sent = 0
    while piece := fd.sendfile(one.fileno() if as_number else one, source, sent, 1 << 20):
        sent += piece
    thread.join(30)
    assert sent == whole
    source.seek(0)
    assert got == [source.read()]


def test_sendfile_positions(stream, source):
    """With an offset the file's position stays; with None it starts there and moves by what was sent."""
    one, other = stream
    source.seek(7)
    assert fd.sendfile(one, source, 100, 10) == 10
    assert source.tell() == 7
    assert fd.sendfile(one, source, None, 5) == 5
    assert source.tell() == 12
    assert fd.sendfile(one, source, 0, 0) == 0
    assert received(other, 15) == bytes(range(100, 110)) + bytes(range(7, 12))


def test_sendfile_non_blocking(stream, source):
    """A non-blocking output takes what it has room for, then raises BlockingIOError; the position moves by that."""
    one, _ = stream
    fd.set_blocking(one, False)
    sent = 0
    with pytest.raises(BlockingIOError):
        for _ in range(10_000):
            source.seek(0)
            sent += (piece := fd.sendfile(one, source, None, 1 << 20))
            assert source.tell() == piece
    assert sent > 0


def test_sendfile_to_a_pipe_and_a_file(stack, source, tmp_path):
    """The output may be anything that can be written to."""
    reader, writer = (number(stack, end) for end in fd.pipe())
    assert fd.sendfile(writer, source, 10, 20) == 20
    assert fd.read(reader, 100) == bytes(range(10, 30))
    with (tmp_path / "out").open("wb") as out:
        assert fd.sendfile(out, source, 10, 20) == 20
    assert (tmp_path / "out").read_bytes() == bytes(range(10, 30))


def test_sendfile_from_what_is_no_file(stack, stream):
    """What is no regular file is EINVAL, as are negative numbers."""
    reader, _ = (number(stack, end) for end in fd.pipe())
    for wrong in (reader, stream[1]):
        with pytest.raises(OSError) as caught:
            fd.sendfile(stream[0], wrong, 0, 10)
        assert caught.value.errno == errno.EINVAL


def test_line_ends_and_appending(stack, tmp_path):
    """Bytes are not changed, whatever mode os.open chose; O_APPEND goes on to append."""
    text = b"a\r\nb\nc\x1ad"
    one = number(stack, os.open(tmp_path / "t", os.O_CREAT | os.O_RDWR))
    assert fd.write(one, text) == len(text)
    os.lseek(one, 0, os.SEEK_SET)
    assert fd.read(one, 100) == text
    more = number(stack, os.open(tmp_path / "t", os.O_WRONLY | os.O_APPEND))
    fd.write(more, b"end")
    os.lseek(one, 0, os.SEEK_SET)
    assert fd.read(one, 100) == text + b"end"


def test_a_datagram_is_cut_and_its_rest_gone(stack):
    """read() of fewer bytes than a datagram has gives its beginning, and the next read the next datagram."""
    ends = [stack.enter_context(samesock.socket(samesock.AF_INET, samesock.SOCK_DGRAM)) for _ in "ab"]
    ends[0].bind(("127.0.0.1", 0))
    with pytest.raises(OSError) as caught:
        fd.write(ends[1], b"x")
    assert caught.value.errno == errno.EDESTADDRREQ
    ends[1].connect(ends[0].getsockname())
    fd.writev(ends[1], [b"lo", b"ng"])
    fd.write(ends[1], b"next")
    assert fd.read(ends[0], 2) == b"lo"
    assert fd.read(ends[0], 100) == b"next"


def test_the_end_of_a_pipe(stack):
    """A pipe whose writers have gone reads as b"", again and again; one without readers is EPIPE to write to."""
    reader, writer = (number(stack, end) for end in fd.pipe())
    fd.write(writer, b"")
    fd.write(writer, b"x")
    close(writer)
    assert [fd.read(reader, 10) for _ in range(3)] == [b"x", b"", b""]
    reader, writer = (number(stack, end) for end in fd.pipe())
    close(reader)
    with pytest.raises(BrokenPipeError):
        fd.write(writer, b"x")


def test_kind_does_not_wait_for_a_reader(stack):
    """kind() and is_open() answer while another thread reads from the same pipe."""
    reader, writer = (number(stack, end) for end in fd.pipe())
    thread = threading.Thread(target=fd.read, args=(reader, 1))
    thread.start()
    try:
        assert (fd.kind(reader), fd.is_open(reader)) == ("pipe", True)
    finally:
        fd.write(writer, b"x")
        thread.join(20)


def test_shut_down(stream):
    """After the peer's shutdown a read gives b""; a write after one's own is EPIPE."""
    one, other = stream
    one.shutdown(samesock.SHUT_WR)
    assert fd.read(other, 10) == b""
    with pytest.raises(BrokenPipeError):
        fd.write(one, b"x")


def test_dup2(stack, tmp_path):
    """dup2() makes a number another descriptor of a file, closing what it was; inheritable if not told otherwise."""
    (tmp_path / "f").write_bytes(b"0123")
    one = number(stack, os.open(tmp_path / "f", os.O_RDONLY))
    reader, writer = (number(stack, end) for end in fd.pipe())
    assert fd.dup2(one, reader) == reader
    assert fd.read(reader, 2) == b"01"
    assert fd.read(one, 2) == b"23"
    assert fd.get_inheritable(reader)
    assert not fd.get_inheritable(fd.dup2(one, reader, inheritable=False))
    with pytest.raises(BrokenPipeError):
        fd.write(writer, b"x")


def test_fdopen_of_an_object_leaves_it_open(stream, source):
    """A file made of an object that owns its descriptor leaves it open when it is closed."""
    one, other = stream
    with fd.fdopen(one, "r+b") as both:
        both.write(b"ping\n")
        both.flush()
        assert fd.read(other, 10) == b"ping\n"
        fd.write(other, b"pong\n")
        assert both.readline() == b"pong\n"
    assert fd.is_open(one)
    with fd.fdopen(source, "rb") as again:
        assert again.read(2) == b"\0\1"
    assert fd.is_open(source)


def test_close_by_object_flushes_and_is_known(tmp_path):
    """Closing an object goes through its own close: a file is flushed, a socket knows that it is closed."""
    out = open(tmp_path / "f", "wb")  # noqa: SIM115
    out.write(b"kept")
    fd.close(out)
    assert (tmp_path / "f").read_bytes() == b"kept"
    sock = samesock.socket(samesock.AF_INET, samesock.SOCK_DGRAM)
    fd.close(sock)
    assert sock.fileno() == -1


def test_importing_samesock_does_not_import_it():
    """`import samesock` brings nothing of `samesock.fd`, unless it is told to emulate where processes fork."""
    code = "import sys; sys.path[:] = eval(sys.argv[1]); import samesock; print('samesock.fd' in sys.modules)"
    environment = {key: value for key, value in os.environ.items() if key != "SAMESOCK_UNIX"}
    done = subprocess.run(
        [sys.executable, "-c", code, repr(sys.path)],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "False"
