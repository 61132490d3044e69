"""Room in a Windows pipe, against a script that plays NT: what its quotas mean, and what they do not tell."""

from __future__ import annotations

import ctypes
from typing import Any

import pytest
from selectors_shared import READ, WRITE

from samesock.ffi.kernel32_waits import FILE_PIPE_LOCAL_INFORMATION, kernel32_waits, ntdll_waits
from samesock.readiness import pipes


class NT:
    """One pipe."""

    def __init__(self) -> None:
        self.room = 4096
        self.state = 3
        self.status = 0
        self.waiting = 0
        self.broken = False
        self.closed: list[int] = []

    def query(self, handle: int, block: Any, info: Any, size: int, kind: int) -> int:
        """NtQueryInformationFile."""
        assert (size, kind) == (40, 24)
        told = ctypes.cast(info, ctypes.POINTER(FILE_PIPE_LOCAL_INFORMATION)).contents
        told.WriteQuotaAvailable = self.room
        told.NamedPipeState = self.state
        return self.status

    def peek(self, handle: int, *arguments: Any) -> int:
        """PeekNamedPipe."""
        ctypes.cast(arguments[3], ctypes.POINTER(ctypes.c_uint32)).contents.value = self.waiting
        return 0 if self.broken else 1


@pytest.fixture
def nt(monkeypatch: pytest.MonkeyPatch) -> NT:
    """The script in the tables' places."""
    made = NT()
    monkeypatch.setattr(ntdll_waits, "NtQueryInformationFile", made.query, raising=False)
    monkeypatch.setattr(kernel32_waits, "PeekNamedPipe", made.peek, raising=False)
    monkeypatch.setattr(kernel32_waits, "CreateEventW", lambda *_: 77, raising=False)
    monkeypatch.setattr(kernel32_waits, "CloseHandle", made.closed.append, raising=False)
    monkeypatch.setattr(pipes, "quota_is_told", lambda: True)
    return made


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time, in a list."""
    now = [100.0]
    monkeypatch.setattr(pipes.time, "monotonic", lambda: now[0])
    return now


def _pipe(events: int) -> pipes.Pipe:
    return pipes.Pipe(5, events, lambda: None)


def test_room(nt: NT) -> None:
    """A pipe with room for a byte is writable, and one without is not; it is looked at 20 times a second."""
    pipe = _pipe(WRITE)
    assert pipe.ready() == WRITE
    nt.room = 0
    assert pipe.ready() == 0
    assert pipe.look_again() == 0.05
    nt.room = 1
    assert pipe.ready() == WRITE


def test_nothing_is_looked_at_again_for_reading(nt: NT) -> None:
    """A pipe that is waited for to be read wakes the wait by itself."""
    assert _pipe(READ).look_again() is None


def test_a_reader_that_waits(nt: NT, clock: list[float]) -> None:
    """Without room for a second a pipe is writable: its reader may be waiting with a buffer that NT counts as used."""
    pipe = _pipe(WRITE)
    nt.room = 0
    assert pipe.ready() == 0
    clock[0] += 0.9
    assert pipe.ready() == 0
    clock[0] += 0.2
    assert pipe.ready() == WRITE
    nt.room = 10
    assert pipe.ready() == WRITE
    nt.room = 0
    assert pipe.ready() == 0


def test_the_other_end_has_gone(nt: NT) -> None:
    """A pipe that is not connected any more, or cannot be asked, is ready: using it tells."""
    pipe = _pipe(READ | WRITE)
    assert pipe.ready() == WRITE
    nt.room, nt.state, nt.broken = 0, 4, True
    assert pipe.ready() == READ | WRITE
    nt.state, nt.status = 3, 0xC0000022
    assert pipe.ready() == READ | WRITE


def test_quotas_that_say_nothing(nt: NT, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a new pipe has no room by its quota, every pipe is writable."""
    monkeypatch.setattr(pipes, "quota_is_told", lambda: False)
    nt.room = 0
    assert _pipe(WRITE).ready() == WRITE


def test_bytes_wait(nt: NT) -> None:
    """A pipe is readable when bytes wait; ending lets go of its event."""
    pipe = _pipe(READ)
    assert pipe.ready() == 0
    nt.waiting = 3
    assert pipe.ready() == READ
    pipe.end()
    assert nt.closed == [77]
