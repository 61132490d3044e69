"""A send of the main thread that Ctrl+C can interrupt, and that is still under way when its handler returns.

`WSASend` with an event of its own leaves the data pending; the wait for it ends at CPython's Ctrl+C event, Python runs
the handlers, and the same send is waited for again. It is cancelled only when an exception leaves: cancelled, nobody
knows how much of it was sent. The memory belongs to the kernel until the send has ended. What must never be put here:
a choice between this and C's own send, and anything but streams and connected datagram sockets.
"""

from __future__ import annotations

import ctypes
import sys
from typing import Any, Final

from samesock import _errors
from samesock.backend import _windows_wait
from samesock.ffi import DWORD, HANDLE, LPVOID, SOCKET, ULONG, ws2_32
from samesock.ffi import kernel32_waits as waits
from samesock.ffi.kernel32_waits import kernel32_waits

PIECE: Final = 1 << 20
"""How much is pending at a time: its pages are locked meanwhile."""

_STATUS_PENDING: Final = 0x103
_SLICE_MILLISECONDS: Final = 50
_TRIES: Final = 100
_BYTES_MOVE: Final = sys.implementation.name != "cpython"
"""PyPy moves objects in memory: it gives the address of a copy, which goes with the call."""
_winsock = ws2_32.prepared_ws2_32
_codes = ws2_32.ws2_32


class _Memory:
    """What one send needs; used again. References to its parts are made once: each costs as much as a small call."""

    event = 0

    def __init__(self) -> None:
        self.event = kernel32_waits.CreateEventW(None, 1, 0, None)
        if not self.event:
            raise _errors.error(kernel32_waits.GetLastError(), "making an event")
        self.sigint = _windows_wait.sigint_event()
        self.overlapped = waits.OVERLAPPED()
        self.overlapped.hEvent = self.event
        self.status = ULONG.from_buffer(self.overlapped)
        self.number = SOCKET()
        self.buffer = ws2_32.WSABUF()
        self.size = ULONG.from_buffer(self.buffer)
        # Of bytes that are put here their address is taken, and they are kept: a cast costs five times as much.
        self.data = ctypes.c_char_p.from_buffer(self.buffer, ws2_32.WSABUF.buf.offset)
        self.sent = DWORD()
        self.handles = (HANDLE * 2)(self.event, self.sigint)
        self.whole: object = None
        self.to_overlapped = ctypes.byref(self.overlapped)
        self.to_buffer = ctypes.byref(self.buffer)
        self.to_sent = ctypes.byref(self.sent)
        self.to_handles = ctypes.byref(self.handles)

    def __del__(self) -> None:
        event, self.event = self.event, 0
        if event:
            kernel32_waits.CloseHandle(event)

    def take_back(self) -> bool:
        """Cancel it; whether nothing pends on return. (Wine says "pending" of a send that it has refused.)"""
        for _ in range(_TRIES):
            if self.status.value != _STATUS_PENDING:
                return True
            kernel32_waits.CancelIoEx(self.number.value, self.to_overlapped)
            kernel32_waits.WaitForSingleObject(self.event, 5)
        return False


_spare: list[_Memory] = []
_given_up: list[_Memory] = []


def send(number: int, data: Any, flags: int = 0) -> int:
    """Send all of it; how many bytes that was. Raises `OSError` with Winsock's code in `winerror`."""
    if type(data) is bytes and len(data) <= PIECE:
        return send_piece(number, data, len(data), flags)
    view = memoryview(data).cast("B")
    size = len(view)
    if view.readonly or not size:
        # ctypes gives the address of what can be written to, and of bytes.
        whole: Any = data if type(data) is bytes else bytes(view)
        if _BYTES_MOVE:
            whole = ctypes.create_string_buffer(whole)
        address = ctypes.cast(whole, LPVOID).value or 0
    else:
        whole = (ctypes.c_char * size).from_buffer(view)
        address = ctypes.addressof(whole)
    sent = 0
    while sent < size or not size:
        sent += send_piece(number, address + sent, min(PIECE, size - sent), flags, whole)
        if not size:
            break
    return sent


def send_piece(number: int, data: bytes | int, size: int, flags: int = 0, whole: object = None) -> int:
    """The same for what may pend at a time: bytes, or the address of what `whole` keeps."""
    memory = _spare.pop() if _spare else _Memory()
    status = memory.status  # of none that is spare it is "pending"
    try:
        if _BYTES_MOVE and isinstance(data, bytes):
            whole = ctypes.create_string_buffer(data)
            data = ctypes.addressof(whole)
        memory.number.value = number
        memory.size.value = size
        memory.data.value = data  # type: ignore[assignment]  # an address, too
        memory.whole = whole
        # As little as can be between the send and the wait: under Wine what ends there is told by a signal.
        if not _winsock.WSASend(
            memory.number, memory.to_buffer, 1, memory.to_sent, flags, memory.to_overlapped, None
        ):
            return memory.sent.value
        if (code := _codes.WSAGetLastError()) != ws2_32.WSA_IO_PENDING:
            status.value = 0
            raise _errors.error(code, "send()")
        if memory.sigint and kernel32_waits.WaitForMultipleObjects(2, memory.to_handles, 0, waits.INFINITE):
            kernel32_waits.ResetEvent(memory.sigint)
        while status.value == _STATUS_PENDING:
            _wait(memory)
        if not status.value:  # what GetOverlappedResult would say, without the call
            return int(memory.overlapped.InternalHigh)
        if not kernel32_waits.GetOverlappedResult(number, memory.to_overlapped, memory.to_sent, 0):
            raise _errors.error(kernel32_waits.GetLastError(), "send()")
        return memory.sent.value
    finally:
        if status.value == _STATUS_PENDING:
            _given_up.append(memory)
            if memory.take_back():
                _given_up.remove(memory)
        else:
            memory.data.value = b""  # for None ctypes would go on keeping what was there
            memory.whole = None
            _spare.append(memory)


def _wait(memory: _Memory) -> None:
    """Until the send has ended, or Ctrl+C; its handler has run when the next call of this function has begun.

    The event is reset after it has ended a wait, and not before each one: that would be a call of the system more for
    every send. One that is left set from before ends the first wait, which costs a turn.
    """
    if not memory.sigint:
        kernel32_waits.WaitForSingleObject(memory.event, _SLICE_MILLISECONDS)
    elif (
        kernel32_waits.WaitForMultipleObjects(2, memory.to_handles, 0, waits.INFINITE) != waits.WAIT_OBJECT_0
    ):
        kernel32_waits.ResetEvent(memory.sigint)
