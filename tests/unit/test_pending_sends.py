"""`winsock.pending`: what it hands to Winsock, over calls that are made up."""

from __future__ import annotations

import ctypes
import gc
from collections.abc import Iterator
from typing import Any

import pytest

from samesock.backend import _windows_wait
from samesock.ffi import ws2_32
from samesock.ffi.kernel32_waits import kernel32_waits
from samesock.winsock import pending

IO_PENDING = 997
NOT_CONNECTED = 10057
EVENT, CTRL_C = 0x40, 0x44


class Told(bytes):
    """Bytes that tell when they go."""

    gone: list[int]

    def __del__(self) -> None:
        self.gone.append(len(self))


def collect() -> None:
    """PyPy runs an object's `__del__` after the collection that finds it."""
    for _ in range(3):
        gc.collect()


class Winsock:
    """Takes a send as pending, or refuses it, and ends it in the wait that comes `ends_in`-th."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.refuses = 0
        self.ends_in = 1
        self.sent: list[bytes] = []
        self.numbers: list[int] = []
        self.resets = 0
        self._buffer: Any = None
        self._overlapped: Any = None
        self._waits = 0
        patch.setattr(pending, "_spare", [])
        patch.setattr(_windows_wait, "sigint_event", lambda: CTRL_C)
        patch.setattr(kernel32_waits, "CreateEventW", lambda *_: EVENT)
        patch.setattr(kernel32_waits, "CloseHandle", lambda _: 1)
        patch.setattr(kernel32_waits, "ResetEvent", self.reset)
        patch.setattr(kernel32_waits, "WaitForMultipleObjects", self.wait)
        patch.setattr(ws2_32.prepared_ws2_32, "WSASend", self.send)
        patch.setattr(ws2_32.ws2_32, "WSAGetLastError", lambda: self.refuses or IO_PENDING)

    def send(self, number: Any, buffer: Any, *rest: Any) -> int:
        self.numbers.append(number.value)
        self._buffer, self._overlapped = buffer._obj, rest[3]._obj
        self._overlapped.Internal = 0x103  # as Wine says even when it refuses
        self._waits = 0
        return -1

    def wait(self, _count: int, _handles: Any, _all: int, _milliseconds: int) -> int:
        gc.collect()
        self._waits += 1
        if self._waits < self.ends_in:
            return 1
        self.sent.append(ctypes.string_at(self._buffer.buf, self._buffer.len))
        self._overlapped.Internal, self._overlapped.InternalHigh = 0, self._buffer.len
        return 0

    def reset(self, _event: int) -> int:
        self.resets += 1
        return 1


@pytest.fixture
def winsock(monkeypatch: pytest.MonkeyPatch) -> Iterator[Winsock]:
    """Nothing is refused."""
    yield Winsock(monkeypatch)
    pending._spare.clear()  # the event of each is closed by the made-up call


def test_bytes_are_kept_while_they_are_sent(winsock: Winsock) -> None:
    """Nobody else holds them, and they are there until the send has ended, and no longer."""
    Told.gone = []
    sent = pending.send_piece(7, Told(b"ab" * 3000), 6000)
    assert sent == 6000
    assert winsock.sent == [b"ab" * 3000]
    assert winsock.numbers == [7]
    collect()
    assert Told.gone == [6000]


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_much_goes_in_pieces(winsock: Winsock, kind: Any) -> None:
    """Each of at most a MiB, in order, whatever holds the data; the memory of one is the next one's."""
    data = bytes(range(256)) * (10 << 10)
    assert pending.send(5, kind(data)) == len(data)
    assert b"".join(winsock.sent) == data
    assert [len(piece) for piece in winsock.sent] == [1 << 20, 1 << 20, 1 << 19]
    assert len(pending._spare) == 1


def test_ctrl_c_does_not_end_the_send(winsock: Winsock) -> None:
    """A wait that Ctrl+C has ended is made again for the same send, the event reset each time."""
    winsock.ends_in = 3
    assert pending.send(5, b"x" * 5000) == 5000
    assert winsock.resets == 2
    assert winsock.numbers == [5]


def test_a_refused_send_pends_no_more(winsock: Winsock) -> None:
    """Its error is raised with Winsock's code; the data is let go, and the memory used again."""
    Told.gone = []
    winsock.refuses = NOT_CONNECTED
    with pytest.raises(OSError, match="send") as caught:
        pending.send_piece(5, Told(b"x" * 5000), 5000)
    assert caught.value.winerror == NOT_CONNECTED  # type: ignore[attr-defined]
    del caught
    collect()
    assert Told.gone == [5000]
    assert not pending._given_up
    assert len(pending._spare) == 1
