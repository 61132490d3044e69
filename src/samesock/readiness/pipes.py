"""A pipe's end on Windows: PeekNamedPipe to look, a read of no bytes in a thread to wait, a quota for writing.

A read of no bytes returns when there is something, and takes nothing. Room is asked for with FilePipeLocalInformation;
nothing tells when it comes, so it is asked for again, at most 20 times a second. NT counts the buffer of a reader who
waits as used: with a reader who waits for more than the pipe holds, an empty pipe has no room. That cannot be told from
a full one, so after a second without room the pipe is called writable: a write that may block is better than a wait
that may not end. Where a new, empty pipe has no room either (Wine), the quota says nothing, and every pipe is writable.
What must never be put here: reading or writing for the program.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import os
import sys
import time
from collections.abc import Callable
from selectors import EVENT_READ, EVENT_WRITE
from typing import Final

from samesock import _errors
from samesock.ffi import DWORD
from samesock.ffi.kernel32_waits import (
    ERROR_IO_PENDING,
    ERROR_MORE_DATA,
    ERROR_OPERATION_ABORTED,
    FILE_PIPE_CONNECTED_STATE,
    FILE_PIPE_LOCAL_INFORMATION,
    IO_STATUS_BLOCK,
    OVERLAPPED,
    FilePipeLocalInformation,
    kernel32_waits,
    ntdll_waits,
)
from samesock.readiness.sentry import Sentry

LOOK_AGAIN_SECONDS: Final = 0.05
DOUBT_SECONDS: Final = 1.0


class Pipe:
    """One end of a pipe that is registered."""

    def __init__(self, handle: int, events: int, wake: Callable[[], None]) -> None:
        self.handle = handle
        self.events = events
        self._full_since: float | None = None
        self._event = kernel32_waits.CreateEventW(None, 1, 0, None)
        if not self._event:
            raise _errors.error(kernel32_waits.GetLastError(), "making an event")
        self._overlapped = OVERLAPPED()
        self._wake = wake
        self._sentry: Sentry | None = None

    def ready(self) -> int:
        """What is so of what is wanted."""
        found = 0
        if self.events & EVENT_READ and self._readable():
            found |= EVENT_READ
        if self.events & EVENT_WRITE and self._writable():
            found |= EVENT_WRITE
        return found

    def look_again(self) -> float | None:
        """After how many seconds to look again, because nothing will tell."""
        return LOOK_AGAIN_SECONDS if self.events & EVENT_WRITE else None

    def arm(self) -> None:
        """Have a wait be woken."""
        if self.events & EVENT_READ:
            if self._sentry is None:
                self._sentry = Sentry(self._block, self._interrupt, self._wake)
            self._sentry.arm()

    def disarm(self) -> None:
        """Let go of the handle."""
        if self._sentry is not None:
            self._sentry.disarm()

    def end(self) -> None:
        """Let go of it for good."""
        if self._sentry is not None:
            self._sentry.end()
        event, self._event = self._event, 0
        if event:
            kernel32_waits.CloseHandle(event)

    def _readable(self) -> bool:
        available = DWORD()
        if kernel32_waits.PeekNamedPipe(self.handle, None, 0, None, ctypes.byref(available), None):
            return available.value > 0
        return True  # its end, or an error: reading tells

    def _writable(self) -> bool:
        room = quota(self.handle)
        if room or not quota_is_told():
            self._full_since = None
            return True
        now = time.monotonic()
        if self._full_since is None:
            self._full_since = now
        return now - self._full_since >= DOUBT_SECONDS

    def _block(self) -> bool:
        nothing = ctypes.create_string_buffer(1)
        read = DWORD()
        overlapped = self._overlapped
        # The low bit keeps a completion from a port that the handle may be tied to.
        overlapped.hEvent = self._event | 1
        kernel32_waits.ResetEvent(self._event)
        where = ctypes.byref(overlapped)
        if kernel32_waits.ReadFile(self.handle, nothing, 0, ctypes.byref(read), where):
            return True
        code = kernel32_waits.GetLastError()
        if code == ERROR_IO_PENDING:  # a handle for overlapped operations
            if kernel32_waits.GetOverlappedResult(self.handle, where, ctypes.byref(read), 1):
                return True
            code = kernel32_waits.GetLastError()
        if code in (ERROR_OPERATION_ABORTED, ERROR_MORE_DATA):
            return code == ERROR_MORE_DATA
        return True

    def _interrupt(self) -> None:
        kernel32_waits.CancelIoEx(self.handle, ctypes.byref(self._overlapped))


def quota(handle: int) -> int:
    """How many bytes the pipe has room for; at least 1 where writing would tell of an error."""
    info = FILE_PIPE_LOCAL_INFORMATION()
    status = ntdll_waits.NtQueryInformationFile(
        handle,
        ctypes.byref(IO_STATUS_BLOCK()),
        ctypes.byref(info),
        ctypes.sizeof(info),
        FilePipeLocalInformation,
    )
    if status or info.NamedPipeState != FILE_PIPE_CONNECTED_STATE:
        return 1
    return int(info.WriteQuotaAvailable)


@functools.cache
def quota_is_told() -> bool:
    """Whether a new and empty pipe has room, as it should."""
    if sys.platform != "win32":
        return True
    import msvcrt

    with contextlib.ExitStack() as stack:
        for number in (ends := os.pipe()):
            stack.callback(os.close, number)
        return quota(msvcrt.get_osfhandle(ends[1])) > 0
