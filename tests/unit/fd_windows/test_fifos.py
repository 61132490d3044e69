"""FIFOs on Windows where a call of the system fails: the marker's file, the pipe behind it, its readers and writers."""

from __future__ import annotations

import ctypes
import errno
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from samesock.fd.windows import fifos, runtime, state
from samesock.fdtable import bounded
from unit.fd_windows.answers import (
    ACCESS_DENIED,
    CONNECTED,
    FILE_NOT_FOUND,
    INVALID_HANDLE,
    NO_DATA,
    NOT_ENOUGH_MEMORY,
    PIPE_BUSY,
    WRITE_PROTECT,
    failure,
    handle,
    named,
)
from unit.made_up_kernel import CHARACTERS, DISK, Kernel, invalid, put


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
