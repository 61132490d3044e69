"""sendfile() on Windows where TransmitFile, or a call on the file, fails."""

from __future__ import annotations

import errno

import pytest

from samesock.fd.descriptor import Descriptor
from samesock.fd.windows import files, flow, sending
from samesock.ffi.mswsock import mswsock
from unit.fd_windows.answers import (
    HANDLE_EOF,
    INVALID_HANDLE,
    IO_PENDING,
    NOT_ENOUGH_MEMORY,
    RESET,
    SOCKET,
    failure,
    handle,
    moves,
)
from unit.made_up_kernel import DISK, Kernel, put


class Sock:
    """A socket object that waits."""

    def gettimeout(self) -> None:
        return None


@pytest.fixture
def source(kernel: Kernel, monkeypatch: pytest.MonkeyPatch) -> Descriptor:
    """A file of 100 bytes at its start, and out of it a socket that waits."""
    kernel.type = DISK
    one = handle(kernel)
    kernel.set("SetFilePointerEx", lambda where, distance, found, _: put(found, distance) or 1)
    kernel.set("GetFileSizeEx", lambda where, size: put(size, 100) or 1)
    monkeypatch.setattr(sending, "socket_object", lambda _: Sock())
    return one


def send(source: Descriptor) -> int:
    """Send 50 bytes of it."""
    return sending.sendfile(SOCKET, SOCKET, source, 10, 50)


def test_transmitting(kernel: Kernel, source: Descriptor, monkeypatch: pytest.MonkeyPatch) -> None:
    """What TransmitFile has only begun is waited for; its error is told; no event stays open."""
    monkeypatch.setattr(mswsock, "TransmitFile", lambda *_: setattr(kernel, "code", IO_PENDING) or 0)
    kernel.set("GetOverlappedResult", lambda where, _, moved, wait: put(moved, 50) or int(wait))
    assert send(source) == 50
    kernel.fails("GetOverlappedResult", RESET)
    assert failure(send, source)[1] == RESET
    assert kernel.open == {source}
    kernel.fails("CreateEventW", NOT_ENOUGH_MEMORY)
    assert failure(send, source) == (errno.ENOMEM, NOT_ENOUGH_MEMORY)


def test_a_file_that_cannot_be_measured(kernel: Kernel, source: Descriptor) -> None:
    """Position and size come from the system, and so does their error."""
    kernel.fails("GetFileSizeEx", INVALID_HANDLE)
    assert failure(send, source) == (errno.EBADF, INVALID_HANDLE)
    kernel.fails("SetFilePointerEx", INVALID_HANDLE)
    assert failure(send, source) == (errno.EBADF, INVALID_HANDLE)


def test_a_file_that_ends_or_fails_while_it_is_read(
    kernel: Kernel, source: Descriptor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that was cut short meanwhile gives nothing; one that cannot be read is an error."""
    monkeypatch.setattr(sending, "socket_object", lambda _: None)
    sent: list[bytes] = []
    monkeypatch.setattr(flow, "write", lambda out, data: sent.append(data) or len(data))
    moves(kernel, "ReadFile", (HANDLE_EOF, 0), (NOT_ENOUGH_MEMORY, 0))
    monkeypatch.setattr(
        sending, "OVERLAPPED", lambda **where: files.OVERLAPPED(hEvent=int(source) | 1, **where)
    )
    assert send(source) == 0
    assert sent == [b""]
    assert failure(send, source) == (errno.ENOMEM, NOT_ENOUGH_MEMORY)


@pytest.mark.parametrize(("offset", "count"), [(-1, 1), (0, -1)])
def test_no_such_part(source: Descriptor, offset: int, count: int) -> None:
    """A negative offset or count is EINVAL; so is a source that is a socket or no file."""
    assert failure(sending.sendfile, SOCKET, SOCKET, source, offset, count)[0] == errno.EINVAL
    assert failure(sending.sendfile, SOCKET, SOCKET, SOCKET, 0, 1)[0] == errno.EINVAL
