"""A send of the main thread that Ctrl+C can interrupt, and that is still under way when its handler returns.

`WSASend` with an event of its own leaves the data pending; the wait for it ends at CPython's Ctrl+C event, Python runs
the handlers, and the same send is waited for again. It is cancelled only when an exception leaves: cancelled, nobody
knows how much of it was sent. The memory belongs to the kernel until the send has ended. What must never be put here:
a choice between this and C's own send, and anything but streams and connected datagram sockets.
"""

from __future__ import annotations

import ctypes
from typing import Any, Final

from samesock import _errors
from samesock.backend import _windows_wait
from samesock.ffi import DWORD, HANDLE, LPVOID, ws2_32
from samesock.ffi import kernel32_waits as waits
from samesock.ffi.kernel32_waits import kernel32_waits

PIECE: Final = 1 << 20
"""How much is pending at a time: its pages are locked meanwhile."""

_STATUS_PENDING: Final = 0x103
_SLICE_MILLISECONDS: Final = 50
_TRIES: Final = 100


class _Memory:
    """What one send needs; used again."""

    event = 0

    def __init__(self) -> None:
        self.event = kernel32_waits.CreateEventW(None, 1, 0, None)
        if not self.event:
            raise _errors.error(kernel32_waits.GetLastError(), "making an event")
        self.overlapped = waits.OVERLAPPED()
        self.buffer = ws2_32.WSABUF()
        self.sent = DWORD()
        self.handles = (HANDLE * 2)(self.event, _windows_wait.sigint_event())
        self.data: object = None

    def __del__(self) -> None:
        event, self.event = self.event, 0
        if event:
            kernel32_waits.CloseHandle(event)

    def pends(self) -> bool:
        """Whether the kernel still has this memory."""
        return int(self.overlapped.Internal) & 0xFFFFFFFF == _STATUS_PENDING

    def take_back(self, number: int) -> bool:
        """Cancel it; whether nothing pends on return. (Wine says "pending" of a send that it has refused.)"""
        for _ in range(_TRIES):
            if not self.pends():
                return True
            kernel32_waits.CancelIoEx(number, ctypes.byref(self.overlapped))
            kernel32_waits.WaitForSingleObject(self.event, 5)
        return False


_spare: list[_Memory] = []
_given_up: list[_Memory] = []


def send(number: int, data: Any, flags: int = 0) -> int:
    """Send all of it; how many bytes that was. Raises `OSError` with Winsock's code in `winerror`."""
    if type(data) is bytes:
        address, size = _address(data), len(data)
    else:
        data = memoryview(data).cast("B")
        size = len(data)
        if data.readonly or not size:
            data = bytes(data)  # ctypes gives the address of what can be written to, and of bytes
            address = _address(data)
        else:
            data = (ctypes.c_char * size).from_buffer(data)
            address = ctypes.addressof(data)
    if size <= PIECE:
        return _send(number, data, address, size, flags)
    sent = 0
    while sent < size:
        sent += _send(number, data, address + sent, min(PIECE, size - sent), flags)
    return sent


def _address(data: bytes) -> int:
    given: Any = data  # type checkers do not know that cast takes bytes
    return ctypes.cast(given, LPVOID).value or 0


def _send(number: int, data: object, address: int, size: int, flags: int) -> int:
    try:
        memory = _spare.pop()
    except IndexError:
        memory = _Memory()
    memory.data = data
    memory.buffer.len = size
    memory.buffer.buf = address
    memory.overlapped.hEvent = memory.event
    memory.overlapped.Internal = 0
    try:
        failed = ws2_32.ws2_32.WSASend(
            number,
            ctypes.byref(memory.buffer),
            1,
            ctypes.byref(memory.sent),
            flags,
            ctypes.byref(memory.overlapped),
            None,
        )
        if not failed:
            return memory.sent.value
        code = ws2_32.ws2_32.WSAGetLastError()
        if code != ws2_32.WSA_IO_PENDING:
            memory.overlapped.Internal = 0
            raise _errors.error(code, "send()")
        while memory.pends():
            _wait(memory)
        if not kernel32_waits.GetOverlappedResult(
            number, ctypes.byref(memory.overlapped), ctypes.byref(memory.sent), 0
        ):
            raise _errors.error(kernel32_waits.GetLastError(), "send()")
        return memory.sent.value
    finally:
        if memory.pends():
            _given_up.append(memory)
            if memory.take_back(number):
                _given_up.remove(memory)
        else:
            memory.data = None
            _spare.append(memory)


def _wait(memory: _Memory) -> None:
    """Until the send has ended, or Ctrl+C."""
    event = _windows_wait.sigint_event()
    if event:
        kernel32_waits.ResetEvent(event)
        _let_handlers_run()
        kernel32_waits.WaitForMultipleObjects(2, ctypes.byref(memory.handles), 0, waits.INFINITE)
    else:
        kernel32_waits.WaitForSingleObject(memory.event, _SLICE_MILLISECONDS)


def _let_handlers_run() -> None:
    """A frame of Python's: who pressed Ctrl+C before its event was reset has his handler run on entering it."""
