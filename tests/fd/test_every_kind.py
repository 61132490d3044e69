"""What holds for every descriptor, whatever it is; where `os` can do the same it is the witness."""

from __future__ import annotations

import copy
import errno
import os
import pickle

import pytest

from fd.makers import DATA, Made, close, number
from samesock import fd


def witness(made: Made) -> int | None:
    """The number that `os` takes for it, `None` where it has none (a socket or handle on Windows)."""
    return (
        int(made.thing.fileno() if hasattr(made.thing, "fileno") else made.thing) if _all_are_fds() else None
    )


def _all_are_fds() -> bool:
    return hasattr(os, "readv")


def test_kind(made):
    """kind() names what it is."""
    assert fd.kind(made.thing) == made.kind


def test_read(made):
    """read() gives what waits in it, and a part of it at a time; a directory is EISDIR, a write end EBADF."""
    if made.reads:
        assert fd.read(made.thing, 4) == DATA[:4]
        if fd.kind(made.thing) != "socket" or getattr(made.thing, "type", None) != 2:
            assert fd.read(made.thing, 100) == DATA[4:]
    elif made.kind == "char":
        assert fd.read(made.thing, 4) == b""
    elif made.kind != "tty":
        with pytest.raises(OSError) as caught:
            fd.read(made.thing, 4)
        assert caught.value.errno == (errno.EISDIR if made.kind == "dir" else errno.EBADF)
        if (one := witness(made)) is not None:
            with pytest.raises(OSError) as theirs:
                os.read(one, 4)
            assert theirs.value.errno == caught.value.errno


def test_read_nothing(made):
    """read() of no bytes takes nothing and does not wait; a negative size is EINVAL."""
    if not made.reads:
        pytest.skip("absent here: something to read")
    assert fd.read(made.thing, 0) == b""
    assert fd.read(made.thing, 100) == DATA
    with pytest.raises(OSError) as caught:
        fd.read(made.thing, -1)
    assert caught.value.errno == errno.EINVAL


def test_readv(made):
    """readv() fills the first buffer before the second, and says how much came."""
    if not made.reads:
        pytest.skip("absent here: something to read")
    first, second = bytearray(4), bytearray(100)
    assert fd.readv(made.thing, [first, second]) == len(DATA)
    assert bytes(first + second).rstrip(b"\0") == DATA


def test_write(made):
    """write() says how much it took, and the other end reads that; a read end or a directory is EBADF."""
    if made.other is not None:
        assert fd.write(made.thing, b"abc") == 3
        assert fd.read(made.other, 10) == b"abc"
        assert fd.write(made.thing, memoryview(bytearray(b"de"))) == 2
        assert fd.read(made.other, 10) == b"de"
    elif made.kind in {"file", "char", "tty"}:
        assert fd.write(made.thing, b"\r") == 1
    else:
        with pytest.raises(OSError) as caught:
            fd.write(made.thing, b"abc")
        assert caught.value.errno == errno.EBADF


def test_writev(made):
    """writev() writes the buffers one after the other; a datagram socket sends one datagram."""
    if made.other is None:
        pytest.skip("absent here: somebody to write to")
    assert fd.writev(made.thing, [b"ab", bytearray(b""), memoryview(b"cde")]) == 5
    assert fd.read(made.other, 10) == b"abcde"


def test_is_open_until_closed_once(made):
    """close() closes it, once: then it is not open, and everything about it is EBADF."""
    assert fd.is_open(made.thing)
    close(made.thing)
    assert not fd.is_open(made.thing)
    if getattr(made.thing, "space", "fd") != "handle":
        with pytest.raises(OSError) as caught:
            fd.close(made.thing)
        assert caught.value.errno == errno.EBADF
    calls = (fd.kind, fd.dup, fd.handle, fd.get_inheritable, fd.get_blocking)
    for call in calls:
        with pytest.raises(OSError) as caught:
            call(made.thing)
        assert caught.value.errno == errno.EBADF, call
    for tried in (lambda: fd.read(made.thing, 1), lambda: fd.write(made.thing, b"x")):
        with pytest.raises(OSError) as caught:
            tried()
        assert caught.value.errno == errno.EBADF


def test_dup(made, stack):
    """dup() gives another number for the same thing, of the same kind and space, not inheritable."""
    copy_ = number(stack, fd.dup(made.thing))
    assert fd.kind(copy_) == made.kind
    assert not fd.get_inheritable(copy_)
    close(made.thing)
    assert fd.is_open(copy_)
    if made.reads:
        assert fd.read(copy_, 100) == DATA


def test_inheritable(made):
    """A descriptor is made not inheritable; set_inheritable() is what get_inheritable() says afterwards."""
    assert fd.get_inheritable(made.thing) is (made.kind == "tty" and fd.get_inheritable(made.thing))
    for wanted in (True, False):
        fd.set_inheritable(made.thing, wanted)
        assert fd.get_inheritable(made.thing) is wanted
        if (one := witness(made)) is not None:
            assert os.get_inheritable(one) is wanted


def test_blocking(made):
    """set_blocking(False) makes reads raise BlockingIOError where they would wait; True ends that."""
    assert fd.get_blocking(made.thing) if not isinstance(made.thing, int) or made.kind != "socket" else True
    try:
        fd.set_blocking(made.thing, False)
    except OSError as error:
        assert error.errno == errno.EOPNOTSUPP
        pytest.skip(f"absent here: a non-blocking {made.kind}")
    if made.reads and made.kind != "file":
        assert fd.read(made.thing, 100) == DATA
        if made.kind in {"socket", "pipe", "fifo", "tty"}:
            with pytest.raises(BlockingIOError):
                fd.read(made.thing, 100)
    fd.set_blocking(made.thing, True)
    if (one := witness(made)) is not None:
        assert os.get_blocking(one)


def test_handle_and_back(made, stack):
    """handle() is the system's own; from_handle() makes of it a descriptor of the same thing."""
    assert fd.kind(fd.handle(made.thing)) == made.kind
    copy_ = fd.dup(made.thing)
    own = fd.handle(copy_)
    if own.space == "handle" and copy_.space == "fd":
        copy_ = number(stack, copy_)  # the handle is the descriptor's: it cannot have two
        own = fd.dup(own)
    back = number(stack, fd.from_handle(own))
    assert fd.kind(back) == made.kind
    if (one := witness(made)) is not None:
        assert fd.handle(made.thing) == one


def test_fdopen_of_a_number_owns_it(made, stack):
    """A file made of a number reads what waits there, and closes the number with itself.

    CPython's own file on a Windows console says by `closefd` that it never does.
    """
    copy_ = fd.dup(made.thing)
    if made.kind == "dir":
        number(stack, copy_)
        with pytest.raises(IsADirectoryError):
            fd.fdopen(copy_, "rb")
        assert fd.is_open(copy_)
        return
    mode = "wb" if not made.reads and (made.other is not None or made.kind == "tty") else "rb"
    with fd.fdopen(copy_, mode, 0) as opened:
        if made.reads:
            assert opened.read(len(DATA)) == DATA
        elif mode == "wb":
            opened.write(b"abc")
            assert made.other is None or fd.read(made.other, 10) == b"abc"
    if getattr(opened, "closefd", True):
        assert not fd.is_open(copy_)
    else:
        close(copy_)
    assert fd.is_open(made.thing)


def test_descriptor_equality():
    """A Descriptor is its number wherever an int is; two of different spaces differ; it survives copy and pickle."""
    one = fd.Descriptor(5, "socket")
    assert one == 5
    assert hash(one) == hash(5)
    assert {5: "x"}[one] == "x"
    assert one != fd.Descriptor(5, "fd")
    assert one == fd.Descriptor(5, "socket")
    for again in (copy.copy(one), pickle.loads(pickle.dumps(one))):
        assert (again, again.space) == (5, "socket")
    assert (repr(one), f"{one}") == ("Descriptor(5, 'socket')", "5")
    with pytest.raises(ValueError, match="space"):
        fd.Descriptor(5, "window")


@pytest.mark.parametrize("bad", [-1, 7999, 2**31 - 1, 2**31, 2**70])
def test_a_number_that_is_not_open(bad):
    """Whatever is tried with it is EBADF, and no number is too large or too small for that."""
    assert not fd.is_open(bad)
    for call in (
        *(
            fd.kind,
            fd.close,
            fd.dup,
            fd.get_blocking,
            fd.get_inheritable,
            fd.handle,
            fd.from_handle,
            fd.fdopen,
        ),
        lambda n: fd.read(n, 1),
        lambda n: fd.write(n, b"x"),
        lambda n: fd.readv(n, [bytearray(1)]),
        lambda n: fd.writev(n, [b"x"]),
        lambda n: fd.set_blocking(n, False),
        lambda n: fd.set_inheritable(n, False),
        lambda n: fd.dup2(n, n),
    ):
        with pytest.raises(OSError) as caught:
            call(bad)
        assert caught.value.errno == errno.EBADF, call
        assert str(bad) in str(caught.value)


def test_what_has_no_number():
    """An argument that is no int and has no fileno() is a TypeError that says so."""
    with pytest.raises(TypeError, match="fileno"):
        fd.read("path", 1)


def test_an_object_that_owns_nothing_is_not_closed(stack):
    """close() of an object without a close() of its own is a TypeError, and its descriptor stays open."""

    class Borrowed:
        def __init__(self, one: int) -> None:
            self.one = one

        def fileno(self) -> int:
            return self.one

    reader, _ = (number(stack, end) for end in fd.pipe())
    with pytest.raises(TypeError, match="own"):
        fd.close(Borrowed(reader))
    assert fd.is_open(Borrowed(reader))
