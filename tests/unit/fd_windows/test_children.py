"""Descriptors for a child on Windows where a call fails: the note that tells it of them, its start, and closefrom()."""

from __future__ import annotations

import ctypes
import errno
from typing import Any

import pytest

from samesock.fd.descriptor import Descriptor
from samesock.fd.windows import runtime, spawning, state
from unit.fd_windows.answers import (
    BROKEN_PIPE,
    DISK_FULL,
    NO_DATA,
    NOT_ENOUGH_MEMORY,
    RESET,
    SOCKET,
    failure,
    handle,
    moves,
    named,
    winsock,
)
from unit.made_up_kernel import DISK, PIPE, Kernel, put


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
