"""Readiness of a socket on asyncio's Proactor loop: a future that is done when the socket can be read or written.

The Proactor knows operations, not readiness; a Unix listener needs readiness, because its accept must be ours. So
the driver under Winsock is asked (`ffi.afd`), with the loop's own completion port: the answer comes out of the
loop's own wait, among all other completions, and nothing wakes while nothing happens. Considered and left: a thread
with `select` (a thread per loop, two wake-ups for each event, 512 sockets), `WSAEventSelect` (one event per socket
and its duplicates: two processes with one listener would take it from each other), and a zero-byte AcceptEx, which
accepts. What must never be put here: accept, connect.

It uses what IocpProactor keeps under private names since Python 3.4: `_iocp`, `_cache`. Without them it raises.
"""

# ruff: noqa: SLF001 -- see above: the proactor has no public way
from __future__ import annotations

import asyncio
import ctypes
from typing import Any

from samesock import _errors
from samesock.ffi import DWORD, HANDLE, SOCKET, afd
from samesock.ffi.afd import ntdll
from samesock.ffi.kernel32 import kernel32
from samesock.ffi.ws2_32 import ws2_32

_ENDED = afd.AFD_POLL_DISCONNECT | afd.AFD_POLL_ABORT | afd.AFD_POLL_LOCAL_CLOSE
READABLE = afd.AFD_POLL_RECEIVE | afd.AFD_POLL_ACCEPT | afd.AFD_POLL_RECEIVE_EXPEDITED | _ENDED
"""A connection waits, or data, or the end of it."""
WRITABLE = afd.AFD_POLL_SEND | afd.AFD_POLL_CONNECT_FAIL | _ENDED
"""There is room, or the connection is no more."""

_DEVICE = "\\Device\\Afd\\samesock"
_FOREVER = 0x7FFFFFFFFFFFFFFF


class Device:
    """A handle on the driver whose completions go to one proactor's port; closed when it is let go of."""

    def __init__(self, proactor: Any) -> None:
        import _overlapped  # type: ignore[import-not-found,unused-ignore]

        buffer = ctypes.create_string_buffer(_DEVICE.encode("utf-16-le"))
        length = len(_DEVICE) * 2
        name = afd.UNICODE_STRING(length, length, ctypes.addressof(buffer))
        attributes = afd.OBJECT_ATTRIBUTES(
            ctypes.sizeof(afd.OBJECT_ATTRIBUTES), 0, ctypes.addressof(name), 0, None, None
        )
        handle = HANDLE()
        status = ntdll.NtCreateFile(
            ctypes.byref(handle),
            afd.SYNCHRONIZE,
            ctypes.byref(attributes),
            ctypes.byref(afd.IO_STATUS_BLOCK()),
            None,
            0,
            afd.FILE_SHARE_READ | afd.FILE_SHARE_WRITE,
            afd.FILE_OPEN,
            0,
            None,
            0,
        )
        self.handle = 0
        if status != afd.STATUS_SUCCESS:
            raise _failed(status, "opening the driver of Winsock")
        self.handle = handle.value
        port = proactor._iocp
        _overlapped.CreateIoCompletionPort(self.handle, port, 0, 0)  # type: ignore[attr-defined,unused-ignore]

    def __del__(self) -> None:
        if self.handle:
            kernel32.CloseHandle(self.handle)


class Readiness(asyncio.Future[int]):
    """Done when one of the events is there: its result is their mask. Cancelling it takes the question back."""

    def __init__(self, device: Device, number: int, events: int, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(loop=loop)
        self._device = device
        self.answer = afd.IO_STATUS_BLOCK()
        self.question = afd.AFD_POLL_INFO(
            _FOREVER, 1, 0, (afd.AFD_POLL_HANDLE_INFO * 1)(afd.AFD_POLL_HANDLE_INFO(_base(number), events, 0))
        )
        size = ctypes.sizeof(self.question)
        self.address = ctypes.addressof(self.answer)
        status = ntdll.NtDeviceIoControlFile(
            device.handle,
            0,
            None,
            self.address,
            self.address,
            afd.IOCTL_AFD_POLL,
            ctypes.addressof(self.question),
            size,
            ctypes.addressof(self.question),
            size,
        )
        if status not in (afd.STATUS_SUCCESS, afd.STATUS_PENDING):
            raise _failed(status, "asking whether a socket is ready")

    def cancel(self, msg: Any = None) -> bool:
        """Cancel; the driver's last word still comes by the port, and until then the proactor keeps this object."""
        if not self.done():
            ntdll.NtCancelIoFileEx(self._device.handle, self.address, ctypes.byref(afd.IO_STATUS_BLOCK()))
        return super().cancel(msg)

    @staticmethod
    def finish(_transferred: int, _key: int, asked: Readiness) -> int:
        """What the proactor calls with the completion: the events that are there."""
        status = asked.answer.Status & 0xFFFFFFFF
        if status != afd.STATUS_SUCCESS:
            raise _failed(status, "waiting for a socket to be ready")
        return int(asked.question.Handles[0].Events)


def ready(proactor: Any, sock: Any, events: int) -> Readiness:
    """The future for a socket, or its number; OSError if the question cannot be asked."""
    device = getattr(proactor, "_samesock_device", None)
    if device is None:
        # On the proactor itself: its end, and nothing else, is the end of the handle.
        device = proactor._samesock_device = Device(proactor)
    number = sock if isinstance(sock, int) else sock.fileno()
    asked = Readiness(device, number, events, proactor._loop)
    proactor._cache[asked.address] = (asked, asked, sock, Readiness.finish)
    return asked


def _base(number: int) -> int:
    """The provider's own handle: layered providers hand out others, which the driver does not know."""
    handle = SOCKET(number)
    size = ctypes.sizeof(handle)
    if ws2_32.WSAIoctl(
        number, afd.SIO_BASE_HANDLE, None, 0, ctypes.byref(handle), size, ctypes.byref(DWORD()), None, None
    ):
        return number
    return int(handle.value)


def _failed(status: int, tried: str) -> OSError:
    return _errors.error(ntdll.RtlNtStatusToDosError(status), tried)
