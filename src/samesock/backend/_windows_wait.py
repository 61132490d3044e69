"""A wait for sockets on Windows that Ctrl+C ends at once, and CancelIoEx too, with nothing running meanwhile.

One question to the driver under Winsock, asked on the first socket's own handle as Winsock's select does, with an
event to tell of its answer; in the main thread CPython's Ctrl+C event is waited for beside it. select() would do the
same and hears of neither. The memory of a question belongs to the kernel until its end: it is given back only after
that. What must never be put here: what a caller makes of an answer, and many sockets over a long time (that is
`samesock.readiness`).
"""

from __future__ import annotations

import _thread
import ctypes
import functools
import math
import struct
import threading
import time
from typing import Final

from samesock import _errors, _waking
from samesock.ffi import HANDLE, afd, pythonapi
from samesock.ffi import kernel32_waits as waits
from samesock.ffi.afd import ntdll
from samesock.ffi.kernel32_waits import kernel32_waits

SLICE_SECONDS: Final = 0.05
"""Where the interpreter has no Ctrl+C event, a wait of the main thread is made of pieces of this length."""

READ: Final = (
    afd.AFD_POLL_RECEIVE
    | afd.AFD_POLL_ACCEPT
    | afd.AFD_POLL_DISCONNECT
    | afd.AFD_POLL_ABORT
    | afd.AFD_POLL_CONNECT_FAIL
    | afd.AFD_POLL_LOCAL_CLOSE
)
WRITE: Final = afd.AFD_POLL_SEND | afd.AFD_POLL_ABORT | afd.AFD_POLL_CONNECT_FAIL | afd.AFD_POLL_LOCAL_CLOSE

_HEAD: Final = struct.Struct("qII")  # AFD_POLL_INFO without its rows
_ROW: Final = struct.Struct("NII")
_ONE: Final = struct.Struct("qIINII")  # the head and one row
_FOREVER: Final = 0x7FFFFFFFFFFFFFFF
_ROOM: Final = 4
_TRIES: Final = 400
_LONGEST_MILLISECONDS: Final = 0x7FFFFFFF


class Refused(Exception):
    """The driver does not answer for one of them: it is no socket any more, or one of another kind."""


class _Memory:
    """What one question needs; used again."""

    event = 0

    def __init__(self, room: int) -> None:
        self.event = kernel32_waits.CreateEventW(None, 1, 0, None)
        if not self.event:
            raise _errors.error(kernel32_waits.GetLastError(), "making an event")
        self.room = room
        self.status = afd.IO_STATUS_BLOCK()
        self.info = (ctypes.c_uint8 * (_HEAD.size + room * _ROW.size))()
        self.handles = (HANDLE * 2)(self.event, sigint_event())
        self.first = 0
        # References are made once: each costs as much as a small call.
        self.to_status = ctypes.byref(self.status)
        self.to_info = ctypes.byref(self.info)
        self.to_handles = ctypes.byref(self.handles)

    def __del__(self) -> None:
        event, self.event = self.event, 0
        if event:
            kernel32_waits.CloseHandle(event)

    def ask(self, masks: dict[int, int]) -> int:
        """Ask; the driver's first answer."""
        self.first = next(iter(masks))
        size = _HEAD.size + len(masks) * _ROW.size
        _HEAD.pack_into(self.info, 0, _FOREVER, len(masks), 0)
        for row, (number, mask) in enumerate(masks.items()):
            _ROW.pack_into(self.info, _HEAD.size + row * _ROW.size, number, mask, 0)
        return self.begin(size)

    def begin(self, size: int) -> int:
        """Ask what is in the memory, on the handle of the first socket."""
        self.status.Status = afd.STATUS_PENDING
        where = self.to_info
        status: int = ntdll.NtDeviceIoControlFile(
            self.first, self.event, None, None, self.to_status, afd.IOCTL_AFD_POLL, where, size, where, size
        )
        if status not in (afd.STATUS_PENDING, afd.STATUS_SUCCESS):
            self.status.Status = status  # refused at once: nothing pends
        return status

    def pends(self) -> bool:
        """Whether the kernel may still write here."""
        return int(self.status.Status) & 0xFFFFFFFF == afd.STATUS_PENDING

    def take_back(self) -> bool:
        """End the question; whether nothing pends on return."""
        for _ in range(_TRIES):
            if not self.pends():
                return True
            kernel32_waits.CancelIoEx(self.first, ctypes.byref(self.status))
            kernel32_waits.WaitForSingleObject(self.event, 5)
        return False

    def ready(self) -> set[int]:
        """The numbers in the answer."""
        _, count, _ = _HEAD.unpack_from(self.info)
        rows = (_ROW.unpack_from(self.info, _HEAD.size + row * _ROW.size) for row in range(count))
        return {number for number, told, _ in rows if told}


_spare: list[_Memory] = []
_given_up: list[_Memory] = []


@functools.lru_cache(maxsize=1)
def sigint_event() -> int:
    """CPython's Ctrl+C event, 0 where there is none."""
    return pythonapi.sigint_event()


def in_main_thread() -> bool:
    """Whether this is the thread in which Python acts on Ctrl+C."""
    return _thread.get_ident() == threading.main_thread().ident


def wait(masks: dict[int, int], deadline: float | None) -> set[int]:
    """The numbers of which something is so that their mask asks for; empty once the deadline has passed.

    A signal handler runs in between, and may raise. Raises `Refused`; and what ends the call that this thread is in
    (`_waking`).
    """
    main = in_main_thread()
    event = sigint_event() if main else 0
    while True:
        _waking.check_caller("waiting for a socket")
        left = None if deadline is None else max(0.0, deadline - time.monotonic())
        limit = left
        if main and not event:
            limit = SLICE_SECONDS if left is None else min(left, SLICE_SECONDS)
        found = _ask(masks, limit, event)
        if found or (left is not None and time.monotonic() >= (deadline or 0.0)):
            return found
        if _waking.is_shut_for_caller():
            return set(masks)


def wait_for(number: int, mask: int, deadline: float | None) -> bool:
    """`wait` for one socket, written out in one frame: it is in the way of every call that has a time-out."""
    main = in_main_thread()
    event = sigint_event() if main else 0
    while True:
        if _waking.marks:
            _waking.check_caller("waiting for a socket")
        left = None if deadline is None else max(0.0, deadline - time.monotonic())
        limit = left
        if main and not event:
            limit = SLICE_SECONDS if left is None else min(left, SLICE_SECONDS)
        memory = _borrow(1)
        try:
            _ONE.pack_into(memory.info, 0, _FOREVER, 1, 0, number, mask, 0)
            memory.first = number
            status = memory.begin(_ONE.size)
            if status == afd.STATUS_PENDING:
                if limit != 0:
                    ended_by = kernel32_waits.WaitForMultipleObjects(
                        2 if event else 1, memory.to_handles, 0, _milliseconds(limit)
                    )
                    if ended_by == waits.WAIT_OBJECT_0 + 1:
                        kernel32_waits.ResetEvent(event)
                memory.take_back()
            status = int(memory.status.Status) & 0xFFFFFFFF
            found = status == afd.STATUS_SUCCESS and _ONE.unpack_from(memory.info)[4] != 0
        finally:
            if memory.pends():
                _finish(memory)
            else:
                _spare.append(memory)
        if status not in (afd.STATUS_SUCCESS, afd.STATUS_CANCELLED):
            raise Refused(status)
        if found:
            return True
        if left is not None and time.monotonic() >= (deadline or 0.0):
            return False
        if _waking.is_shut_for_caller():
            return True


def _ask(masks: dict[int, int], limit: float | None, event: int) -> set[int]:
    """One question, and the wait for its answer, which Ctrl+C ends if its event is given.

    The event is reset when it has ended a wait; whose it was has his handler run by the next line of Python. One that
    is left set from before costs a turn, and to reset it before each wait would cost every wait a call of the system.
    """
    memory = _borrow(len(masks))
    try:
        status = memory.ask(masks)
        if status == afd.STATUS_PENDING and limit != 0:
            ended_by = kernel32_waits.WaitForMultipleObjects(
                2 if event else 1, ctypes.byref(memory.handles), 0, _milliseconds(limit)
            )
            if ended_by == waits.WAIT_OBJECT_0 + 1:
                kernel32_waits.ResetEvent(event)
        memory.take_back()
        status = int(memory.status.Status) & 0xFFFFFFFF
        if status == afd.STATUS_SUCCESS:
            return memory.ready()
        if status != afd.STATUS_CANCELLED:
            raise Refused(status)
        return set()
    finally:
        if memory.pends():
            _finish(memory)
        elif memory.room == _ROOM:
            _spare.append(memory)


def _borrow(count: int) -> _Memory:
    if count > _ROOM:
        return _Memory(count)
    try:
        return _spare.pop()
    except IndexError:
        return _Memory(_ROOM)


def _finish(memory: _Memory) -> None:
    """Ctrl+C came between two steps. If it comes once more, the memory is the kernel's for ever."""
    _given_up.append(memory)
    if memory.take_back():
        _given_up.remove(memory)


def _milliseconds(seconds: float | None) -> int:
    return waits.INFINITE if seconds is None else min(math.ceil(seconds * 1e3), _LONGEST_MILLISECONDS)


__all__ = ["READ", "WRITE", "Refused", "in_main_thread", "sigint_event", "wait"]
