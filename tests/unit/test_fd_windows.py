"""Windows' side of samesock.fd where a call of the system fails, over a kernel32 that is made up."""

from __future__ import annotations

import ctypes
import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from samesock.fd.descriptor import Descriptor
from samesock.fd.windows import fifos, files, flow, runtime, sending, spawning, state
from samesock.fdtable import bounded
from samesock.ffi.mswsock import mswsock, ws2_vectors
from samesock.ffi.ws2_32 import ws2_32
from unit.made_up_kernel import CHARACTERS, DISK, PIPE, Kernel, invalid, put

ACCESS_DENIED, INVALID_HANDLE, WRITE_PROTECT, DISK_FULL = 5, 6, 19, 112
BROKEN_PIPE, PIPE_BUSY, NO_DATA, MORE_DATA, IO_PENDING, CONNECTED = 109, 231, 232, 234, 997, 535
FILE_NOT_FOUND, HANDLE_EOF, NOT_ENOUGH_MEMORY, OPERATION_ABORTED = 2, 38, 8, 995


@pytest.fixture
def kernel(monkeypatch: pytest.MonkeyPatch) -> Kernel:
    """Nothing is open in it."""
    return Kernel(monkeypatch)


def failure(function: Callable[..., Any], *arguments: Any) -> tuple[int | None, int | None]:
    """The errno and the winerror of what it raises; an errno of Winsock's by POSIX's number."""
    with pytest.raises(OSError) as caught:
        function(*arguments)
    return caught.value.errno, getattr(caught.value, "winerror", None)


def handle(kernel: Kernel) -> Descriptor:
    """An open handle."""
    return Descriptor(kernel.new(), "handle")


# ---- FIFOs: the marker


def writes(kernel: Kernel, count: Callable[[int], int], code: int = 0) -> None:
    """WriteFile takes so many of as many bytes; with a code it fails."""

    def write(where: int, data: bytes, size: int, written: Any, _: Any) -> int:
        kernel.check(where)
        put(written, count(size))
        kernel.code = code
        return int(not code)

    kernel.set("WriteFile", write)


def test_a_marker_is_written_whole(kernel: Kernel) -> None:
    """mkfifo() writes the marker and leaves nothing open."""
    kernel.type = DISK
    writes(kernel, lambda size: size)
    fifos.mkfifo("f", 0o600)
    assert not kernel.open
    assert len(kernel.closed) == 1


@pytest.mark.parametrize(
    ("count", "code", "expected"),
    [(0, WRITE_PROTECT, (errno.EROFS, WRITE_PROTECT)), (5, 0, (errno.ENOSPC, None))],
    ids=["refused", "in part"],
)
def test_a_marker_that_is_not_written_goes(
    kernel: Kernel, count: int, code: int, expected: tuple[int, int | None]
) -> None:
    """A marker that cannot be written, or not whole, is deleted and closed, and the error says why."""
    kernel.type = DISK
    deleted: list[int] = []
    writes(kernel, lambda _: count, code)
    kernel.set("SetFileInformationByHandle", lambda file, *_: deleted.append(kernel.check(file)) or 1)
    found, winerror = failure(fifos.mkfifo, "f", 0o600)
    assert (found, winerror) == expected
    assert deleted == kernel.closed
    assert not kernel.open


def test_a_marker_that_others_may_write_goes(kernel: Kernel) -> None:
    """On a volume without access lists mkfifo() is EPERM, and nothing stays."""
    kernel.type = DISK
    kernel.mine = False
    deleted: list[int] = []
    kernel.set("SetFileInformationByHandle", lambda file, *_: deleted.append(file) or 1)
    assert failure(fifos.mkfifo, "f", 0o600)[0] == errno.EPERM
    assert deleted == kernel.closed
    assert not kernel.open


def test_a_devices_name_is_no_fifos(kernel: Kernel) -> None:
    """mkfifo("COM1") opens a device, which is let go of untouched: EINVAL."""
    kernel.type = CHARACTERS
    assert failure(fifos.mkfifo, "COM1", 0o600)[0] == errno.EINVAL
    assert not kernel.open


@pytest.mark.parametrize(
    ("path", "expected"),
    [("a\0b", ValueError), ("file:stream", OSError)],
    ids=["NUL", "another file's stream"],
)
def test_a_name_that_means_another_file(kernel: Kernel, path: str, expected: type[Exception]) -> None:
    """mkfifo() of a name that the system would cut or divert is refused before it is asked."""
    with pytest.raises(expected):
        fifos.mkfifo(path, 0o600)
    assert not kernel.closed


def marked(kernel: Kernel, data: bytes = b"!<samesock fifo 1>\n" + b"0123456789abcdef" * 2 + b"\n") -> None:
    """CreateFileW opens a marker with these bytes, and what has a pipe's name is a pipe."""

    def read(file: int, room: Any, size: int, got: Any, _: Any) -> int:
        kernel.check(file)
        ctypes.memmove(room, data, min(size, len(data)))
        put(got, min(size, len(data)))
        return 1

    kernel.type = DISK
    kernel.set("ReadFile", read)


@pytest.mark.parametrize(
    "data",
    [b"", b"!<samesock fifo 1>\n", b"!<samesock fifo 1>\n" + b"x" * 32 + b"\n", b"?" * 52],
    ids=["nothing", "no name", "not hexadecimal", "something else"],
)
def test_what_is_no_marker(kernel: Kernel, data: bytes) -> None:
    """open_fifo() of a file that is no marker is EINVAL, and the file is closed again."""
    marked(kernel, data)
    assert failure(fifos.open_fifo, "f", "r", True)[0] == errno.EINVAL
    assert not kernel.open


def test_a_folder_that_may_not_be_opened(kernel: Kernel, tmp_path: Path) -> None:
    """A folder, which Windows refuses to open so, is no FIFO: EINVAL; a file refused is EACCES."""
    invalid(kernel, "CreateFileW", ACCESS_DENIED)
    assert failure(fifos.open_fifo, str(tmp_path), "r", True) == (errno.EINVAL, ACCESS_DENIED)
    assert failure(fifos.open_fifo, str(tmp_path / "f"), "r", True) == (errno.EACCES, ACCESS_DENIED)


# ---- FIFOs: the pipe


@pytest.fixture
def numbered(monkeypatch: pytest.MonkeyPatch) -> None:
    """A C runtime descriptor for a handle is its number."""
    monkeypatch.setattr(runtime, "descriptor_for", lambda handle, writing: handle)


@pytest.mark.parametrize(
    ("code", "expected"),
    [(PIPE_BUSY, errno.EBUSY), (ACCESS_DENIED, errno.EBUSY), (NOT_ENOUGH_MEMORY, errno.ENOMEM)],
)
def test_a_pipe_that_cannot_be_made(kernel: Kernel, code: int, expected: int) -> None:
    """A reader whose pipe is taken, by whomever, is EBUSY; any other failure is the system's."""
    marked(kernel)
    invalid(kernel, "CreateNamedPipeW", code)
    assert failure(fifos.open_fifo, "f", "r", False) == (expected, code)
    assert not kernel.open


def test_a_reading_half_that_cannot_be_made(kernel: Kernel) -> None:
    """Without the handle for reading alone the whole one does not stay open either."""
    marked(kernel)
    kernel.makes("CreateNamedPipeW")
    kernel.fails("DuplicateHandle", NOT_ENOUGH_MEMORY)
    assert failure(fifos.open_fifo, "f", "r", False) == (errno.ENOMEM, NOT_ENOUGH_MEMORY)
    assert not kernel.open


def test_a_reader_that_cannot_wait_again(kernel: Kernel) -> None:
    """A pipe that will not go back to blocking is closed, and the error is the system's."""
    marked(kernel)
    kernel.makes("CreateNamedPipeW")
    kernel.fails("ConnectNamedPipe", CONNECTED)
    kernel.fails("SetNamedPipeHandleState", INVALID_HANDLE)
    assert failure(fifos.open_fifo, "f", "r", True) == (errno.EBADF, INVALID_HANDLE)
    assert not kernel.open


@pytest.mark.usefixtures("numbered")
def test_a_reader_waits_for_a_writer(kernel: Kernel) -> None:
    """A blocking reader listens again and again until somebody has come, and alone its own end is open then."""
    marked(kernel)
    kernel.makes("CreateNamedPipeW")
    answers = iter([(1, 0), (0, 536), (0, NO_DATA)])  # it listens; nobody yet; one has come and gone again

    def connect(where: int, _: Any) -> int:
        kernel.check(where)
        result, kernel.code = next(answers)
        return result

    states: list[int] = []
    kernel.set("ConnectNamedPipe", connect)
    kernel.set("SetNamedPipeHandleState", lambda where, state, *_: states.append(state._obj.value) or 1)
    assert fifos.open_fifo("f", "r", True) in kernel.open
    assert len(kernel.open) == 1
    assert states == [0]
    assert next(answers, None) is None


def test_no_descriptor_left(kernel: Kernel, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the C runtime has no descriptor left, EMFILE closes the pipe's end."""
    marked(kernel)
    kernel.makes("CreateNamedPipeW")
    kernel.succeeds("ConnectNamedPipe")

    def full(*_: Any, writing: bool) -> int:
        raise OSError(errno.EMFILE, "no descriptor")

    monkeypatch.setattr(runtime, "descriptor_for", full)
    assert failure(fifos.open_fifo, "f", "r", False)[0] == errno.EMFILE
    assert not kernel.open


def opens(kernel: Kernel, monkeypatch: pytest.MonkeyPatch, *codes: int) -> None:
    """The marker opens; then the pipe fails with each code, and opens at last."""
    answers = iter([0, *codes])

    def create(*_: Any) -> int:
        kernel.code = next(answers, 0)
        return -1 & (2 ** (8 * ctypes.sizeof(ctypes.c_size_t)) - 1) if kernel.code else kernel.new()

    kernel.set("CreateFileW", create)
    monkeypatch.setattr(fifos, "_FIRST_PAUSE", 0.0)


@pytest.mark.parametrize(
    ("code", "blocking", "expected"),
    [
        (FILE_NOT_FOUND, False, errno.ENXIO),
        (PIPE_BUSY, False, errno.EBUSY),
        (NOT_ENOUGH_MEMORY, False, errno.ENOMEM),
        (NOT_ENOUGH_MEMORY, True, errno.ENOMEM),
    ],
)
def test_a_writer_that_finds_no_pipe(
    kernel: Kernel, monkeypatch: pytest.MonkeyPatch, code: int, blocking: bool, expected: int
) -> None:
    """Without waiting a writer is ENXIO where nobody reads, EBUSY where another one writes; anything else ends a
    wait, too."""
    marked(kernel)
    opens(kernel, monkeypatch, code)
    assert failure(fifos.open_fifo, "f", "w", blocking) == (expected, code)
    assert not kernel.open


@pytest.mark.usefixtures("numbered")
def test_a_writer_waits_for_a_reader(kernel: Kernel, monkeypatch: pytest.MonkeyPatch) -> None:
    """A blocking writer goes on while nobody reads and while another one writes, then has the pipe."""
    marked(kernel)
    opens(kernel, monkeypatch, FILE_NOT_FOUND, PIPE_BUSY, FILE_NOT_FOUND)
    assert {fifos.open_fifo("f", "w", True)} == kernel.open


def test_a_pipe_of_anothers(kernel: Kernel, monkeypatch: pytest.MonkeyPatch) -> None:
    """A writer lets go of a pipe that is not this user's alone: EPERM, before it has written a byte."""
    from samesock.backend import _windows_security as security

    marked(kernel)
    opens(kernel, monkeypatch)
    answers = iter([True, False])  # the marker, the pipe
    monkeypatch.setattr(security, "mine_alone", lambda _: next(answers))
    assert failure(fifos.open_fifo, "f", "w", True)[0] == errno.EPERM
    assert not kernel.open


def test_a_writer_that_cannot_be_made_non_blocking(kernel: Kernel, monkeypatch: pytest.MonkeyPatch) -> None:
    """A pipe that takes no mode is closed, and the error is the system's."""
    marked(kernel)
    opens(kernel, monkeypatch)
    kernel.fails("SetNamedPipeHandleState", INVALID_HANDLE)
    assert failure(fifos.open_fifo, "f", "w", False) == (errno.EBADF, INVALID_HANDLE)
    assert not kernel.open


def named(kernel: Kernel, name: str) -> None:
    """The pipe's name, as GetFileInformationByHandleEx writes it."""

    def look(where: int, what: int, room: Any, _: int) -> int:
        raw = name.encode("utf-16-le")
        room.raw = (len(raw).to_bytes(4, "little") + raw).ljust(len(room), b"\0")
        return 1

    kernel.set("GetFileInformationByHandleEx", look)


@pytest.mark.parametrize(("state", "changes"), [(0, [1, 0]), (1, [1])], ids=["blocking", "non-blocking"])
def test_the_next_writer(kernel: Kernel, state: int, changes: list[int]) -> None:
    """After the end a FIFO's reader is disconnected and listens again without waiting, and has its own mode back."""
    named(kernel, "\\samesock-fifo-0")
    called: list[Any] = []
    kernel.set("GetNamedPipeHandleStateW", lambda where, found, *_: put(found, state) or 1)
    kernel.set("SetNamedPipeHandleState", lambda where, new, *_: called.append(new._obj.value) or 1)
    kernel.set("DisconnectNamedPipe", lambda where: called.append("disconnect") or 1)
    kernel.set("ConnectNamedPipe", lambda where, _: called.append("listen") or 1)
    fifos.await_next_writer(kernel.new())
    assert called == [changes[0], "disconnect", "listen", *changes[1:]]


def test_a_pipe_of_other_peoples_is_left_alone(kernel: Kernel) -> None:
    """At the end of a pipe that is no FIFO, of one without a name and of one that tells no mode, nothing is changed."""
    named(kernel, "\\somebody-elses")
    fifos.await_next_writer(kernel.new())
    kernel.fails("GetFileInformationByHandleEx", INVALID_HANDLE)
    fifos.await_next_writer(kernel.new())
    named(kernel, "\\samesock-fifo-0")
    kernel.fails("GetNamedPipeHandleStateW", INVALID_HANDLE)
    fifos.await_next_writer(kernel.new())


def test_a_pipe_that_does_not_say_its_name(kernel: Kernel, monkeypatch: pytest.MonkeyPatch) -> None:
    """kind() of a pipe that somebody reads from, so that its name cannot be asked, is "pipe"; it does not wait."""

    def blocked(question: Callable[[], Any]) -> Any:
        raise bounded.Blocked("no answer")

    monkeypatch.setattr(bounded, "ask", blocked)
    monkeypatch.setattr(state, "is_socket", lambda _: False)
    assert state.kind(handle(kernel)) == "pipe"


# ---- bytes


def moves(kernel: Kernel, name: str, *answers: tuple[int, int]) -> list[int]:
    """ReadFile or WriteFile give each (code, count) in turn; the sizes that they were asked for."""
    left = iter(answers)
    sizes: list[int] = []

    def move(where: int, room: Any, size: int, moved: Any, overlapped: Any) -> int:
        kernel.check(where)
        if overlapped is not None:
            assert overlapped._obj.hEvent & 1  # or a completion port would be told
            kernel.check(overlapped._obj.hEvent & ~1)
        sizes.append(size)
        kernel.code, count = next(left)
        put(moved, count)
        return int(not kernel.code)

    kernel.set(name, move)
    return sizes


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


# ---- what it is, copies and modes


def test_calls_that_fail(kernel: Kernel) -> None:
    """Closing, copying, and asking and setting modes: the error is the system's, with its code."""
    one = handle(kernel)
    for name in ("CloseHandle", "DuplicateHandle", "SetHandleInformation"):
        kernel.fails(name, NOT_ENOUGH_MEMORY)
    kernel.fails("GetNamedPipeHandleStateW", NOT_ENOUGH_MEMORY)
    kernel.fails("SetNamedPipeHandleState", NOT_ENOUGH_MEMORY)
    expected = errno.ENOMEM, NOT_ENOUGH_MEMORY
    assert failure(state.close, one) == expected
    assert failure(state.dup, one) == expected
    assert failure(state.set_inheritable, one, True) == expected
    assert failure(state.get_blocking, one) == expected
    assert failure(state.set_blocking, one, False) == expected
    answers = iter([1, 0])  # open, and then it does not say its flags
    kernel.set("GetHandleInformation", lambda *_: next(answers))
    kernel.code = NOT_ENOUGH_MEMORY
    assert failure(state.get_inheritable, one) == expected


def test_what_always_waits(kernel: Kernel) -> None:
    """A file waits: get_blocking() is True, and to make it non-blocking is EOPNOTSUPP."""
    kernel.type = DISK
    one = handle(kernel)
    assert state.get_blocking(one)
    state.set_blocking(one, True)
    assert failure(state.set_blocking, one, False)[0] == errno.EOPNOTSUPP


def test_dup2_of_a_handle(kernel: Kernel, monkeypatch: pytest.MonkeyPatch) -> None:
    """dup2() between tables whose numbers the system chooses is EOPNOTSUPP, and closes nothing."""
    monkeypatch.setattr(state, "is_socket", lambda _: False)
    one, other = handle(kernel), handle(kernel)
    assert failure(state.dup2, one, other, False)[0] == errno.EOPNOTSUPP
    assert kernel.open == {one, other}


def test_from_handle(kernel: Kernel, monkeypatch: pytest.MonkeyPatch) -> None:
    """from_handle() of a number that none can have is EBADF; of one that the C runtime refuses its error."""
    monkeypatch.setattr(state, "is_socket", lambda _: False)
    assert failure(state.from_handle, -1)[0] == errno.EBADF
    assert failure(state.from_handle, 0x9990)[0] == errno.EBADF

    def full(_: int) -> int:
        raise OSError(errno.EMFILE, "no descriptor")

    monkeypatch.setattr(runtime, "descriptor_for", full)
    with pytest.raises(OSError, match="taking over the handle") as caught:
        state.from_handle(handle(kernel))
    assert caught.value.errno == errno.EMFILE
    assert len(kernel.open) == 1


def test_a_stream_of_a_handle(kernel: Kernel, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file object takes a handle over; of one that stays its owner's, a copy."""
    kernel.type = DISK
    monkeypatch.setattr(state, "is_socket", lambda _: False)
    monkeypatch.setattr(runtime, "descriptor_for", lambda number: number)
    one = handle(kernel)
    assert state.stream(one, owned=True) == (int(one), True)
    copied, closes = state.stream(one, owned=False)
    assert closes
    assert kernel.open == {one, copied}


# ---- sockets


def winsock(monkeypatch: pytest.MonkeyPatch, code: int, kind: int = 1) -> None:
    """Every call of Winsock's fails with that code, and the number is a socket of that type."""

    def tell(number: int, level: int, option: int, value: Any, size: Any) -> int:
        put(value, kind)
        return 0

    monkeypatch.setattr(ws2_32, "getsockopt", tell)
    monkeypatch.setattr(ws2_32, "WSAGetLastError", lambda: code)
    for name in ("closesocket", "ioctlsocket", "WSADuplicateSocketW"):
        monkeypatch.setattr(ws2_32, name, lambda *_: -1)
    for name in ("WSARecv", "WSASend"):
        monkeypatch.setattr(ws2_vectors, name, lambda *_: -1)


SOCKET = Descriptor(0x500, "socket")
NOT_A_SOCKET, NOT_CONNECTED, SHUT_DOWN, MESSAGE_SIZE, RESET = 10038, 10057, 10058, 10040, 10054


def test_a_socket_that_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """A number that Winsock does not know is not open: EBADF, and never another table's."""
    winsock(monkeypatch, NOT_A_SOCKET)
    for operation in (
        lambda: flow.read(SOCKET, 1),
        lambda: flow.write(SOCKET, b"x"),
        lambda: state.close(SOCKET),
        lambda: state.set_blocking(SOCKET, True),
    ):
        assert failure(operation) == (errno.EBADF, NOT_A_SOCKET)


@pytest.mark.parametrize(("code", "expected"), [(MESSAGE_SIZE, 4), (SHUT_DOWN, 0)])
def test_reading_what_posix_has_no_error_for(
    monkeypatch: pytest.MonkeyPatch, code: int, expected: int
) -> None:
    """A datagram that is too long is cut; a socket that was shut down for reading is at its end."""
    winsock(monkeypatch, code)
    assert len(flow.read(SOCKET, 4)) == expected
    assert flow.readv(SOCKET, [bytearray(2), bytearray(0), bytearray(2)]) == expected


def test_socket_errors(monkeypatch: pytest.MonkeyPatch) -> None:
    """A datagram socket without a peer is EDESTADDRREQ to write to, a stream ENOTCONN; a reset is ECONNRESET."""
    winsock(monkeypatch, NOT_CONNECTED, kind=2)
    assert failure(flow.write, SOCKET, b"x")[1] == NOT_CONNECTED
    with pytest.raises(OSError, match="writing 1 bytes") as caught:
        flow.write(SOCKET, b"x")
    assert caught.value.errno == errno.EDESTADDRREQ
    winsock(monkeypatch, RESET)
    with pytest.raises(ConnectionResetError):
        flow.read(SOCKET, 1)


def test_a_sockets_mode(monkeypatch: pytest.MonkeyPatch) -> None:
    """Winsock tells nobody a socket's mode: EOPNOTSUPP."""
    winsock(monkeypatch, 0)
    with pytest.raises(OSError, match="Winsock does not tell") as caught:
        state.get_blocking(SOCKET)
    assert caught.value.errno == errno.EOPNOTSUPP


# ---- sendfile


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


# ---- children


def test_a_note_that_is_none(kernel: Kernel) -> None:
    """A number that is no pipe, or a pipe with other bytes, is no note: nothing is taken, and it stays open."""
    one = kernel.new()
    kernel.type = DISK
    assert spawning.take(str(one)) == []
    kernel.type = PIPE
    named(kernel, "\\other")
    moves(kernel, "ReadFile", (0, 4), (BROKEN_PIPE, 0))
    assert spawning.take(str(one)) == []
    moves(kernel, "ReadFile", (NOT_ENOUGH_MEMORY, 0))
    assert spawning.take(str(one)) == []
    assert kernel.open == {one}


def test_a_note_is_read_and_closed(kernel: Kernel, monkeypatch: pytest.MonkeyPatch) -> None:
    """The descriptors in the note are given, not inheritable any more, and the pipe is closed."""
    from samesock.fd import notes

    passed = kernel.new()
    note = notes.encode([notes.Entry("handle", passed)])
    pipe = kernel.new()
    flags: list[tuple[int, int]] = []

    def read(where: int, room: Any, size: int, moved: Any, _: Any) -> int:
        nonlocal note
        ctypes.memmove(room, note, len(note))
        put(moved, len(note))
        kernel.code = 0 if note else BROKEN_PIPE
        good, note = bool(note), b""
        return int(good)

    named(kernel, "\\other")
    kernel.set("ReadFile", read)
    kernel.set("SetHandleInformation", lambda one, mask, flag: flags.append((one, flag)) or 1)
    monkeypatch.setattr(state, "is_socket", lambda _: False)
    assert spawning.take(str(pipe)) == [Descriptor(passed, "handle")]
    assert flags == [(passed, 0)]
    assert kernel.open == {passed}


class Child:
    """A process that was started."""

    pid = 77

    def __init__(self, words: Any, **_: Any) -> None:
        self.ended = words

    def kill(self) -> None:
        self.ended.append("kill")

    def wait(self) -> None:
        self.ended.append("wait")


class Startup:
    """subprocess.STARTUPINFO."""

    lpAttributeList: dict[str, Any] | None = None  # noqa: N815


def spawning_over(kernel: Kernel, monkeypatch: pytest.MonkeyPatch, start: Any = Child) -> None:
    """The note's pipe, and a child that starts."""

    def make(reader: Any, writer: Any, *_: Any) -> int:
        put(reader, kernel.new())
        put(writer, kernel.new())
        return 1

    kernel.set("CreatePipe", make)
    kernel.set("SetHandleInformation", lambda *_: 1)
    monkeypatch.setattr(spawning, "_sockets_go_by_number", lambda: True)
    monkeypatch.setattr(spawning.subprocess, "STARTUPINFO", Startup, raising=False)
    monkeypatch.setattr(spawning.subprocess, "Popen", start)


def test_a_child_without_its_note_is_ended(kernel: Kernel, monkeypatch: pytest.MonkeyPatch) -> None:
    """A child that cannot be told what it has is killed and waited for, and neither end of the pipe stays open."""
    spawning_over(kernel, monkeypatch)
    moves(kernel, "WriteFile", (DISK_FULL, 0))
    ended: list[str] = []
    assert failure(spawning.spawn, ended, [], {}, {})[0] == errno.ENOSPC
    assert ended == ["kill", "wait"]
    assert not kernel.open


def test_a_child_that_has_ended_already(kernel: Kernel, monkeypatch: pytest.MonkeyPatch) -> None:
    """A child that went before it read its note is given all the same."""
    spawning_over(kernel, monkeypatch)
    moves(kernel, "WriteFile", (NO_DATA, 0))
    ended: list[str] = []
    environment: dict[str, str] = {}
    assert spawning.spawn(ended, [], environment, {}).pid == 77
    assert not ended
    assert not kernel.open
    assert set(environment) == {"SAMESOCK_INHERITED"}


def test_a_child_that_does_not_start(kernel: Kernel, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the child cannot be started, what was made inheritable for it is so no more, and the pipe is closed."""

    def refuse(*_: Any, **__: Any) -> Any:
        raise FileNotFoundError(errno.ENOENT, "no such program")

    spawning_over(kernel, monkeypatch, refuse)
    flags: list[tuple[int, int]] = []
    kernel.set("SetHandleInformation", lambda one, _, flag: flags.append((one, flag)) or 1)
    one = handle(kernel)
    assert failure(spawning.spawn, [], [(one, one)], {}, {})[0] == errno.ENOENT
    last = dict(flags)
    assert len(last) == 2
    assert set(last.values()) == {0}
    assert kernel.open == {one}


def test_no_pipe_for_the_note(kernel: Kernel, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a pipe no child is started: the system's error."""
    spawning_over(kernel, monkeypatch)
    kernel.fails("CreatePipe", NOT_ENOUGH_MEMORY)
    assert failure(spawning.spawn, [], [], {}, {}) == (errno.ENOMEM, NOT_ENOUGH_MEMORY)


def test_a_socket_that_cannot_be_shared(kernel: Kernel, monkeypatch: pytest.MonkeyPatch) -> None:
    """A socket that Winsock does not duplicate for the child: its error, and the child is ended."""
    winsock(monkeypatch, RESET)
    spawning_over(kernel, monkeypatch)
    monkeypatch.setattr(spawning, "_sockets_go_by_number", lambda: False)
    ended: list[str] = []
    assert failure(spawning.spawn, ended, [(SOCKET, SOCKET)], {}, {})[1] == RESET
    assert ended == ["kill", "wait"]
    assert not kernel.open


def test_closefrom(monkeypatch: pytest.MonkeyPatch) -> None:
    """closefrom() closes the C runtime's descriptors from the number on, and those alone that are open."""
    closed: list[int] = []

    def behind(number: int) -> int:
        if number in (3, 5, 8):
            return number * 4
        raise OSError(errno.EBADF, "not open")

    monkeypatch.setattr(runtime, "handle_behind", behind)
    monkeypatch.setattr(spawning, "os", type("System", (), {"close": closed.append}))
    spawning.closefrom(5)
    assert closed == [5, 8]


@pytest.mark.skipif(hasattr(os, "O_BINARY"), reason="the C runtime's descriptors are native here")
def test_without_a_c_runtime() -> None:
    """Elsewhere than on Windows the C runtime's descriptors are absent: EOPNOTSUPP."""
    for call in (lambda: runtime.handle_behind(0), lambda: runtime.descriptor_for(4, writing=False)):
        assert failure(call)[0] == errno.EOPNOTSUPP
