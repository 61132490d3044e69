"""FIFOs: their names, who waits for whom, their ends, and who may come between."""

from __future__ import annotations

import errno
import os
import threading
import time

import pytest

from fd.makers import close, fifo, number
from samesock import fd


def test_names(tmp_path):
    """mkfifo() of a name that exists is EEXIST, in no folder ENOENT; errors name the path."""
    path = tmp_path / "f"
    fd.mkfifo(path)
    for wrong, code in ((path, errno.EEXIST), (tmp_path / "none" / "f", errno.ENOENT)):
        with pytest.raises(OSError) as caught:
            fd.mkfifo(wrong)
        assert (caught.value.errno, caught.value.filename) == (code, str(wrong))
    os.unlink(path)
    fd.mkfifo(os.fsencode(path))
    assert path.exists()


def test_no_fifo(tmp_path):
    """open_fifo() of what is no FIFO is EINVAL, of nothing ENOENT, and it changes nothing."""
    plain = tmp_path / "plain"
    plain.write_bytes(b"x" * 60)
    for path, code in ((plain, errno.EINVAL), (tmp_path, errno.EINVAL), (tmp_path / "none", errno.ENOENT)):
        for mode in "rw":
            with pytest.raises(OSError) as caught:
                fd.open_fifo(path, mode)
            assert (caught.value.errno, caught.value.filename) == (code, str(path))
    assert plain.read_bytes() == b"x" * 60
    with pytest.raises(ValueError, match="mode"):
        fd.open_fifo(plain, "r+")


def test_a_writer_waits_for_a_reader(tmp_path, stack):
    """Opening for writing waits until somebody reads; opening for reading until somebody writes."""
    fd.mkfifo(tmp_path / "f")
    opened: list[fd.Descriptor] = []
    thread = threading.Thread(target=lambda: opened.append(fd.open_fifo(tmp_path / "f", "w")))
    thread.start()
    time.sleep(0.2)
    assert not opened
    reader = number(stack, fd.open_fifo(tmp_path / "f", "r"))
    thread.join(20)
    writer = number(stack, opened[0])
    assert fd.write(writer, b"hello") == 5
    assert fd.read(reader, 10) == b"hello"
    assert (fd.get_blocking(reader), fd.get_blocking(writer)) == (True, True)


def test_non_blocking(tmp_path, stack):
    """Without waiting a writer gets ENXIO where nobody reads, and a reader opens and reads b"" until one comes."""
    fd.mkfifo(tmp_path / "f")
    with pytest.raises(OSError) as caught:
        fd.open_fifo(tmp_path / "f", "w", blocking=False)
    assert caught.value.errno == errno.ENXIO
    reader = number(stack, fd.open_fifo(tmp_path / "f", "r", blocking=False))
    assert fd.read(reader, 10) == b""
    writer = number(stack, fd.open_fifo(tmp_path / "f", "w", blocking=False))
    with pytest.raises(BlockingIOError):
        fd.read(reader, 10)
    assert fd.write(writer, b"now") == 3
    assert fd.read(reader, 10) == b"now"
    assert (fd.get_blocking(reader), fd.get_blocking(writer)) == (False, False)


def test_a_full_one(tmp_path, stack):
    """A non-blocking writer is told how much was taken, then BlockingIOError; all that was taken arrives."""
    fd.mkfifo(tmp_path / "f")
    reader = number(stack, fd.open_fifo(tmp_path / "f", "r", blocking=False))
    writer = number(stack, fd.open_fifo(tmp_path / "f", "w", blocking=False))
    taken = 0
    with pytest.raises(BlockingIOError):
        for _ in range(1000):
            taken += fd.write(writer, b"x" * 100_000)
    assert taken > 0
    close(writer)
    got = 0
    while piece := fd.read(reader, 65536):
        got += len(piece)
    assert got == taken


def test_writers_one_after_the_other(tmp_path, stack):
    """The end is b"" each time a writer has gone, and the next one's bytes come to the same reader."""
    reader, writer = fifo(stack, tmp_path / "f")
    for text in (b"one", b"two", b"three"):
        assert fd.write(writer, text) == len(text)
        close(writer)
        assert fd.read(reader, 100) == text
        assert fd.read(reader, 100) == b""
        writer = number(stack, fd.open_fifo(tmp_path / "f", "w"))
    close(reader)
    with pytest.raises(BrokenPipeError):
        fd.write(writer, b"x")


def test_as_a_file(tmp_path, stack):
    """Both ends work as file objects, and closing those ends the FIFO's use."""
    ends = fifo(stack, tmp_path / "f")
    reader, writer = map(fd.dup, ends)
    with fd.fdopen(writer, "w", encoding="utf-8", newline="\n") as out:
        out.write("line 1\nline 2\n")
    close(ends[1])
    with fd.fdopen(reader, "r", encoding="utf-8") as lines:
        assert list(lines) == ["line 1\n", "line 2\n"]


if not hasattr(os, "mkfifo"):
    from samesock.backend import _windows_security as security
    from samesock.ffi.kernel32 import kernel32
    from samesock.ffi.kernel32_files import kernel32_files

    def test_a_squatter_keeps_out_and_learns_nothing(tmp_path, stack, monkeypatch):
        """A reader whose pipe is taken gets EBUSY; a writer trusts no pipe that is not this user's alone."""
        from samesock.fd.windows import fifos

        path = tmp_path / "f"
        fd.mkfifo(path)
        name = "\\\\.\\pipe\\samesock-fifo-" + fifos._read_marker(str(path))
        squatter = kernel32_files.CreateNamedPipeW(name, 3, 0, 1, 4096, 4096, 0, None)
        stack.callback(kernel32.CloseHandle, squatter)
        with pytest.raises(OSError) as caught:
            fd.open_fifo(path, "r")
        assert caught.value.errno == errno.EBUSY
        with monkeypatch.context() as patch:
            answers = iter([True, False])  # the marker is ours, the pipe is not
            patch.setattr(security, "mine_alone", lambda _: next(answers))
            with pytest.raises(OSError) as caught:
                fd.open_fifo(path, "w")
        assert caught.value.errno == errno.EPERM

    def test_a_marker_of_anothers_is_refused(tmp_path, monkeypatch):
        """A marker file that is not this user's alone is EPERM, and no pipe is touched."""
        fd.mkfifo(tmp_path / "f")
        monkeypatch.setattr(security, "mine_alone", lambda _: False)
        for mode in "rw":
            with pytest.raises(OSError) as caught:
                fd.open_fifo(tmp_path / "f", mode)
            assert caught.value.errno == errno.EPERM

    def test_the_marker_and_the_pipe_are_this_users_alone(tmp_path, stack):
        """Nobody else may write to the marker file or the pipe, and a second reader is refused."""
        reader, _ = fifo(stack, tmp_path / "f")
        assert security.mine_alone(security.of_handle(fd.handle(reader), "test"))
        with pytest.raises(OSError) as caught:
            fd.open_fifo(tmp_path / "f", "r")
        assert caught.value.errno == errno.EBUSY
        with pytest.raises(OSError) as caught:
            fd.open_fifo(tmp_path / "f", "w", blocking=False)
        assert caught.value.errno == errno.EBUSY
