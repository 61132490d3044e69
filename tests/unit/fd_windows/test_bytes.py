"""read() and write() on Windows where a call of the system fails: ends, parts, rights, and what is under way."""

from __future__ import annotations

import errno

import pytest

from samesock.fd.descriptor import Descriptor
from samesock.fd.windows import flow, sending, state
from unit.fd_windows.answers import (
    ACCESS_DENIED,
    BROKEN_PIPE,
    DISK_FULL,
    IO_PENDING,
    MORE_DATA,
    NO_DATA,
    NOT_ENOUGH_MEMORY,
    OPERATION_ABORTED,
    failure,
    handle,
    moves,
    named,
)
from unit.made_up_kernel import DISK, PIPE, Kernel, put


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        ([(0, 0), (0, 3)], 3),
        ([(MORE_DATA, 8)], 8),
        ([(BROKEN_PIPE, 0)], 0),
        ([(233, 0)], 0),
        ([(536, 0)], 0),
    ],
    ids=["an empty write before", "a longer message", "the writer left", "nobody came", "it listens"],
)
def test_reading_a_pipe(kernel: Kernel, answers: list[tuple[int, int]], expected: int) -> None:
    """An empty write is no end; a message's rest is for the next read; an end is no bytes; no event stays open."""
    named(kernel, "\\other")
    moves(kernel, "ReadFile", *answers)
    one = handle(kernel)
    assert len(flow.read(one, 8)) == expected
    assert kernel.open == {one}


@pytest.mark.parametrize(
    ("code", "expected"),
    [(NO_DATA, errno.EAGAIN), (ACCESS_DENIED, errno.EISDIR), (OPERATION_ABORTED, errno.EISDIR)],
)
def test_reading_fails(kernel: Kernel, code: int, expected: int) -> None:
    """An empty non-blocking pipe is EAGAIN; a directory is EISDIR whatever the system says."""
    kernel.type = PIPE if code == NO_DATA else DISK
    kernel.set(
        "GetFileInformationByHandle", lambda _, about: setattr(about._obj, "dwFileAttributes", 0x10) or 1
    )
    moves(kernel, "ReadFile", (code, 0))
    one = handle(kernel)
    assert failure(flow.read, one, 8)[0] in (expected, *([errno.EWOULDBLOCK] if code == NO_DATA else []))
    assert kernel.open == {one}


def test_what_is_not_open_for_that(kernel: Kernel) -> None:
    """Reading without the right to, and writing without it, is EBADF, as of a descriptor open the other way."""
    kernel.type = DISK
    one = handle(kernel)
    moves(kernel, "ReadFile", (ACCESS_DENIED, 0))
    assert failure(flow.read, one, 8) == (errno.EBADF, ACCESS_DENIED)
    moves(kernel, "WriteFile", (ACCESS_DENIED, 0))
    assert failure(flow.write, one, b"x") == (errno.EBADF, ACCESS_DENIED)
    moves(kernel, "ReadFile", (NOT_ENOUGH_MEMORY, 0))
    assert failure(flow.read, one, 8) == (errno.ENOMEM, NOT_ENOUGH_MEMORY)
    moves(kernel, "WriteFile", (DISK_FULL, 0))
    assert failure(flow.write, one, b"x") == (errno.ENOSPC, DISK_FULL)


def test_a_part_of_much(kernel: Kernel) -> None:
    """A non-blocking pipe that takes nothing of much is offered half until it takes a part, 4,096 at the least."""
    sizes = moves(kernel, "WriteFile", (0, 0), (0, 0), (0, 5000))
    one = handle(kernel)
    assert flow.write(one, bytes(20000)) == 5000
    assert sizes == [20000, 10000, 5000]
    sizes = moves(kernel, "WriteFile", (0, 0), (0, 0))
    assert failure(flow.write, one, bytes(5000))[0] in (errno.EAGAIN, errno.EWOULDBLOCK)
    assert sizes == [5000, 4096]
    assert kernel.open == {one}


def test_a_wait_for_what_is_under_way(kernel: Kernel) -> None:
    """What an overlapped pipe has only begun is waited for: its count, or its error."""
    one = handle(kernel)
    moves(kernel, "WriteFile", (IO_PENDING, 0), (IO_PENDING, 0))
    kernel.set("GetOverlappedResult", lambda where, _, moved, wait: put(moved, 2) or int(wait))
    assert flow.write(one, b"xy") == 2
    kernel.fails("GetOverlappedResult", BROKEN_PIPE)
    assert failure(flow.write, one, b"xy") == (errno.EPIPE, BROKEN_PIPE)
    assert kernel.open == {one}


def test_no_event_left(kernel: Kernel) -> None:
    """Without an event to wait with, a pipe is not read from: the system's error."""
    one = handle(kernel)
    kernel.fails("CreateEventW", NOT_ENOUGH_MEMORY)
    assert failure(flow.read, one, 8) == (errno.ENOMEM, NOT_ENOUGH_MEMORY)


def test_a_number_that_is_not_open(kernel: Kernel) -> None:
    """Every operation on a handle that is not open is EBADF."""
    one = Descriptor(0x9990, "handle")
    for operation in (
        lambda: flow.read(one, 1),
        lambda: flow.read(one, 0),
        lambda: flow.write(one, b"x"),
        lambda: state.kind(one),
        lambda: state.get_blocking(one),
        lambda: state.set_blocking(one, True),
        lambda: state.handle(one),
        lambda: sending.sendfile(one, one, one, 0, 1),
    ):
        assert failure(operation)[0] == errno.EBADF
    assert failure(flow.read, one, -1)[0] == errno.EINVAL


def test_reading_nothing(kernel: Kernel) -> None:
    """read() of no bytes from a pipe is none at once; ReadFile, which would wait, is not called."""
    assert flow.read(handle(kernel), 0) == b""
