"""Readiness of a socket on asyncio's Proactor loop: a future that is done when the socket can be read or written.

The Proactor knows operations, not readiness; a Unix listener needs readiness, because its accept must be ours. So
the driver under Winsock is asked (`readiness.driver`), with the loop's own completion port: the answer comes out of the
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

from samesock.ffi import afd
from samesock.ffi.kernel32 import kernel32
from samesock.readiness import driver

READABLE = driver.READ | afd.AFD_POLL_LOCAL_CLOSE
"""A connection waits, or data, or the end of it."""
WRITABLE = driver.WRITE | afd.AFD_POLL_LOCAL_CLOSE
"""There is room, or the connection is no more."""


class Device:
    """A handle on the driver whose completions go to one proactor's port; closed when it is let go of."""

    def __init__(self, proactor: Any) -> None:
        self.handle = 0
        self.handle = driver.open_device(proactor._iocp)

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
            driver.FOREVER,
            1,
            0,
            (afd.AFD_POLL_HANDLE_INFO * 1)(afd.AFD_POLL_HANDLE_INFO(driver.base_handle(number), events, 0)),
        )
        self.address = ctypes.addressof(self.answer)
        status = driver.ask(device.handle, self.address, ctypes.addressof(self.question))
        if status not in (afd.STATUS_SUCCESS, afd.STATUS_PENDING):
            raise driver.failed(status, "asking whether a socket is ready")

    def cancel(self, msg: Any = None) -> bool:
        """Cancel; the driver's last word still comes by the port, and until then the proactor keeps this object."""
        if not self.done():
            driver.take_back(self._device.handle, self.address)
        return super().cancel(msg)

    @staticmethod
    def finish(_transferred: int, _key: int, asked: Readiness) -> int:
        """What the proactor calls with the completion: the events that are there."""
        status = asked.answer.Status & 0xFFFFFFFF
        if status != afd.STATUS_SUCCESS:
            raise driver.failed(status, "waiting for a socket to be ready")
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
