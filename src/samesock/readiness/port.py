"""A completion port: where everything that a Windows selector waits for arrives, and where another thread wakes it.

`Batch` is what one call took out. It keeps its count until each completion was dealt with, so that Ctrl+C in between
loses none. What must never be put here: what a completion means.
"""

from __future__ import annotations

import ctypes
import math
from collections.abc import Callable

from samesock import _errors
from samesock.ffi import BOOL, DWORD, HANDLE, INVALID_HANDLE_VALUE, LPVOID, ULONG
from samesock.ffi.kernel32_waits import INFINITE, OVERLAPPED_ENTRY, WAIT_TIMEOUT, kernel32_waits
from samesock.readiness.registry import Identity

WAKE = 1
"""The key of a completion that says nothing but: look again. Those of the driver have 0."""

_ROOM = 256
_WORDS = ctypes.sizeof(OVERLAPPED_ENTRY) // ctypes.sizeof(ctypes.c_size_t)

Found = dict[Identity, int]
"""What is so of whom."""


class Batch:
    """Room for completions, and how many of them are still to be dealt with."""

    __slots__ = ("_arguments", "_entries", "_left", "_milliseconds", "_words")

    def __init__(self, port: HANDLE) -> None:
        self._entries = (OVERLAPPED_ENTRY * _ROOM)()
        # A word at a time: reading a field of a structure in an array costs ten times as much.
        self._words: memoryview[int] = memoryview(self._entries).cast("B").cast("P")
        self._left = ULONG(0)
        self._milliseconds = DWORD(0)
        # Kept, and of the very types that are declared: ctypes makes nothing new of them (0.9 us of 2.4 a call).
        self._arguments = (
            port,
            LPVOID(ctypes.addressof(self._entries)),
            ULONG(_ROOM),
            LPVOID(ctypes.addressof(self._left)),
            self._milliseconds,
            BOOL(0),
        )

    def fill(self, milliseconds: int) -> bool:
        """Whether there is anything: left over, or waiting at the port, or coming within the time."""
        if self._left.value:
            return True
        self._milliseconds.value = milliseconds
        if kernel32_waits.GetQueuedCompletionStatusEx(*self._arguments):
            return True
        code = kernel32_waits.GetLastError()
        self._left.value = 0
        if code != WAIT_TIMEOUT:
            raise _errors.error(code, "waiting on a completion port")
        return False

    def consume(self, answered: Callable[[int, Found], object], found: Found) -> None:
        """Call `answered` with the address in each completion of the driver, and `found`; what it does not return
        from is left.
        """
        left, words = self._left, self._words
        count = left.value
        while count:
            count -= 1
            first = count * _WORDS
            if words[first] != WAKE:
                answered(words[first + 1], found)
            # A call that finds nothing may leave a count all the same (Wine): then there must be no old address.
            words[first + 1] = 0
            left.value = count


class Port:
    """The port, and the batches that are not in use."""

    def __init__(self) -> None:
        self.handle: int = kernel32_waits.CreateIoCompletionPort(INVALID_HANDLE_VALUE, 0, 0, 0)
        if not self.handle:
            raise _errors.error(kernel32_waits.GetLastError(), "making a completion port")
        self._word = HANDLE(self.handle)
        self._batches: list[Batch] = []

    def borrow(self) -> Batch:
        """A batch for one thread; the last one that was given back, with what is left in it."""
        return self._batches.pop() if self._batches else Batch(self._word)

    def give_back(self, batch: Batch) -> None:
        """Keep a batch for the next call."""
        self._batches.append(batch)

    def wake(self) -> None:
        """End one wait at the port now, or the next."""
        if self.handle:
            kernel32_waits.PostQueuedCompletionStatus(self.handle, 0, WAKE, None)

    def close(self) -> None:
        """Close it; the batches wait at no other one that gets its number."""
        handle, self.handle, self._word.value = self.handle, 0, 0
        if handle:
            kernel32_waits.CloseHandle(handle)


def milliseconds(seconds: float | None) -> int:
    """A time-out in seconds as the port takes it: never shorter, None for ever."""
    return INFINITE if seconds is None else min(max(0, math.ceil(seconds * 1e3)), INFINITE - 1)
