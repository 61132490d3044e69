"""What NT's kernel signals: processes, events and the like, and console input, which is signalled by its records.

A console is ready when a key was pressed. Records that a read would skip (keys let go of, Shift and its like alone,
the mouse, the window) are taken out, since they would keep the console signalled: the wait would turn in circles. In
line mode, as after start, a read then still waits for Enter. What must never be put here: pipes and sockets.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from selectors import EVENT_READ, EVENT_WRITE
from typing import Final

from samesock import _errors
from samesock.ffi import DWORD, HANDLE
from samesock.ffi import kernel32_waits as waits
from samesock.ffi.kernel32_waits import INPUT_RECORD, kernel32_waits
from samesock.readiness.sentry import Sentry

_SILENT_KEYS: Final = {
    waits.VK_SHIFT,
    waits.VK_CONTROL,
    waits.VK_MENU,
    waits.VK_CAPITAL,
    waits.VK_LWIN,
    waits.VK_RWIN,
    waits.VK_NUMLOCK,
    waits.VK_SCROLL,
}


class Signalled:
    """One registered handle."""

    def __init__(self, handle: int, events: int, wake: Callable[[], None]) -> None:
        self.handle = handle
        self.events = events
        self._stop = kernel32_waits.CreateEventW(None, 1, 0, None)
        if not self._stop:
            raise _errors.error(kernel32_waits.GetLastError(), "making an event")
        self._both = (HANDLE * 2)(handle, self._stop)
        self._sentry = Sentry(self._block, self._interrupt, wake)

    def ready(self) -> int:
        """What is so of what is wanted."""
        if kernel32_waits.WaitForSingleObject(self.handle, 0) == waits.WAIT_TIMEOUT:
            return 0
        return self.events & EVENT_READ

    def look_again(self) -> float | None:
        """Never by itself."""
        return None

    def arm(self) -> None:
        """Have a wait be woken."""
        kernel32_waits.ResetEvent(self._stop)
        self._sentry.arm()

    def disarm(self) -> None:
        """Let go of the handle."""
        self._sentry.disarm()

    def end(self) -> None:
        """Let go of it for good."""
        self._sentry.end()
        stop, self._stop = self._stop, 0
        if stop:
            kernel32_waits.CloseHandle(stop)

    def _block(self) -> bool:
        told = kernel32_waits.WaitForMultipleObjects(2, ctypes.byref(self._both), 0, waits.INFINITE)
        return told != waits.WAIT_OBJECT_0 + 1

    def _interrupt(self) -> None:
        kernel32_waits.SetEvent(self._stop)


class Console(Signalled):
    """Console input."""

    def ready(self) -> int:
        """A key was pressed; writing is always possible."""
        found = EVENT_READ if super().ready() and self._has_key() else 0
        return self.events & (found | EVENT_WRITE)

    def _has_key(self) -> bool:
        record = INPUT_RECORD()
        count = DWORD()
        where, how_many = ctypes.byref(record), ctypes.byref(count)
        while kernel32_waits.PeekConsoleInputW(self.handle, where, 1, how_many):
            if not count.value:
                return False
            key = record.KeyEvent
            if (
                record.EventType == waits.KEY_EVENT
                and key.bKeyDown
                and key.wVirtualKeyCode not in _SILENT_KEYS
            ):
                return True
            kernel32_waits.ReadConsoleInputW(self.handle, where, 1, how_many)
        return True  # an error: reading tells


class Always:
    """What is always ready."""

    def __init__(self, handle: int, events: int) -> None:
        self.handle = handle
        self.events = events

    def ready(self) -> int:
        """All that is wanted."""
        return self.events

    def look_again(self) -> float | None:
        """Never."""
        return None

    def arm(self) -> None:
        """Nothing to do: no wait comes to this."""

    def disarm(self) -> None:
        """Nothing to do."""

    def end(self) -> None:
        """Nothing to do."""
