"""Sockets on Windows: one question to the driver under Winsock for each, answered through a completion port.

A question stands until something is so: nothing runs meanwhile, and a thousand questions cost as little as ten. An
answer ends its question; the next `flush` asks it again, which makes it level-triggered, and asks it once however
many changes there were. For a socket there is one question at a time: while one is taken back, its end is waited for
before the next is asked, for two on one handle of the driver take each other's answers. A handle of the driver serves
32 sockets, since taking back is linear in their number. (All three: known from wepoll and trio.)

The memory of a question belongs to the kernel until its end has come through the port: it is kept in `_asked`, also
when its socket is long forgotten. What must never be put here: threads, and anything that is no socket.
"""

from __future__ import annotations

import ctypes
import struct
from collections.abc import Callable
from selectors import EVENT_READ, EVENT_WRITE
from typing import Final

from samesock.ffi import HANDLE, ULONG, afd
from samesock.ffi.kernel32_waits import kernel32_waits
from samesock.readiness.driver import (
    FOREVER,
    READ,
    SIZE,
    WRITE,
    arguments,
    ask_again,
    base_handle,
    failed,
    open_device,
    take_back,
)
from samesock.readiness.port import Found, Port
from samesock.readiness.registry import Identity

SOCKETS_PER_DEVICE: Final = 32
_POLL_INFO: Final = struct.Struct("qIINII")  # AFD_POLL_INFO with its one row, as the compiler lays it out
_EVENTS_AT: Final = afd.AFD_POLL_INFO.Handles.offset + afd.AFD_POLL_HANDLE_INFO.Events.offset
_STATUS_INVALID_HANDLE: Final = 0xC0000008
_MASKS: Final = {
    events: (READ if events & EVENT_READ else 0)
    | (WRITE if events & EVENT_WRITE else 0)
    | afd.AFD_POLL_LOCAL_CLOSE
    for events in range(4)
}


class _Device:
    """A handle of the driver, tied to the port."""

    __slots__ = ("handle", "sockets", "word")

    def __init__(self, port: Port) -> None:
        self.handle: int = open_device(port.handle)
        self.word: HANDLE = HANDLE(self.handle)
        self.sockets: int = 0


class _Question:
    """One question's memory; used again for its socket's next question."""

    __slots__ = (
        "address",
        "answer",
        "arguments",
        "asked",
        "base",
        "events",
        "info",
        "socket",
        "status",
        "taken_back",
        "told",
    )

    def __init__(self, socket: Socket) -> None:
        self.socket: Socket | None = socket
        self.answer: afd.IO_STATUS_BLOCK = afd.IO_STATUS_BLOCK()
        self.info: ctypes.Array[ctypes.c_uint8] = (ctypes.c_uint8 * SIZE)()
        self.told: ctypes.Array[ctypes.c_uint8] = (ctypes.c_uint8 * SIZE)()
        self.address: int = ctypes.addressof(self.answer)
        self.arguments: tuple[object, ...] = arguments(
            socket.device.word, self.address, ctypes.addressof(self.info), ctypes.addressof(self.told)
        )
        # One number each of what the driver writes: a field through its structures costs five times as much.
        self.status: ULONG = ULONG.from_buffer(self.answer)
        self.events: ULONG = ULONG.from_buffer(self.told, _EVENTS_AT)
        self.base: int = 0
        self.asked: int = 0
        self.taken_back: bool = False


class Socket:
    """One registered socket."""

    __slots__ = ("base", "changed", "device", "events", "fileno", "identity", "number", "question", "spare")

    def __init__(
        self,
        identity: Identity,
        number: int,
        events: int,
        fileno: Callable[[], int] | None,
        device: _Device,
    ) -> None:
        self.identity: Identity = identity
        self.number: int = number
        self.base: int = base_handle(number)
        self.fileno: Callable[[], int] | None = fileno
        self.changed: bool = False
        self.events: int = events
        self.device: _Device = device
        self.question: _Question | None = None
        self.spare: _Question | None = None


class Sockets:
    """All sockets of one selector. Its lock is held by the caller in each method."""

    def __init__(self, port: Port) -> None:
        self._port = port
        self._devices: list[_Device] = []
        self._roomy: list[_Device] = []
        self._asked: dict[int, _Question] = {}
        self.to_ask: dict[Socket, None] = {}
        """Those that the next `flush` is about."""

    def add(self, identity: Identity, number: int, events: int, fileno: Callable[[], int] | None) -> Socket:
        """Watch a socket from the next `flush` on; `fileno`, if given, tells whether it still has its number."""
        if not self._roomy:
            device = _Device(self._port)
            self._devices.append(device)
            self._roomy.append(device)
        device = self._roomy[-1]
        added = Socket(identity, number, events, fileno, device)
        device.sockets += 1
        if device.sockets == SOCKETS_PER_DEVICE:
            self._roomy.pop()
        self.to_ask[added] = None
        return added

    def change(self, socket: Socket, events: int) -> None:
        """Watch for other events from the next `flush` on, and the socket that has the number by now."""
        if socket.base != socket.number:
            socket.base = base_handle(socket.number)
        if socket.fileno is not None and socket.fileno() != socket.number:
            socket.fileno = None
        socket.events = events
        socket.changed = True
        self.to_ask[socket] = None

    def remove(self, socket: Socket) -> None:
        """Forget a socket."""
        self.to_ask.pop(socket, None)
        question, socket.question = socket.question, None
        if question is not None:
            question.socket = None
            self._take_back(socket.device, question)
        device = socket.device
        if device.sockets == SOCKETS_PER_DEVICE:
            self._roomy.append(device)
        device.sockets -= 1

    def flush(self) -> None:
        """Ask, and take back, what changes and answers have made necessary."""
        to_ask = self.to_ask
        while to_ask:
            socket = next(iter(to_ask))
            question = socket.question
            if question is None:
                self._ask(socket)
            elif _MASKS[socket.events] & ~question.asked:
                self._take_back(socket.device, question)
            del to_ask[socket]

    def _ask(self, socket: Socket) -> None:
        if socket.fileno is not None and socket.fileno() != socket.number:
            return  # closed, and its number may be another's by now: silent, until somebody unregisters it
        question = socket.spare or _Question(socket)
        question.socket = socket
        socket.spare = None
        socket.changed = False
        wanted = _MASKS[socket.events]
        if question.asked != wanted or question.base != socket.base:
            question.asked, question.base = wanted, socket.base
            _POLL_INFO.pack_into(question.info, 0, FOREVER, 1, 0, socket.base, wanted, 0)
        question.status.value = afd.STATUS_PENDING
        question.events.value = 0
        question.taken_back = False
        try:
            self._asked[question.address] = question
            socket.question = question
            status = ask_again(question.arguments)
        except BaseException:
            # Ctrl+C, before the call or after it: nobody knows. This memory is given up to the kernel, and the socket
            # is asked about anew.
            self._take_back(socket.device, question)
            question.socket = None
            socket.question = None
            raise
        if status not in (afd.STATUS_SUCCESS, afd.STATUS_PENDING):
            del self._asked[question.address]
            socket.question = question.socket = None
            socket.spare = question
            if status != _STATUS_INVALID_HANDLE:  # closed: silent, until somebody unregisters it
                raise failed(status, "asking whether a socket is ready")

    def _take_back(self, device: _Device, question: _Question) -> None:
        if not question.taken_back:
            question.taken_back = True
            take_back(device.handle, question.address)

    def answered(self, address: int, found: Found) -> None:
        """Deal with a completion: put the socket and what is so of it, if that is wanted, into `found`. It may be
        called again for the same completion when it was interrupted.
        """
        question = self._asked.get(address)
        if question is None:
            return
        socket = question.socket
        if socket is not None:
            status = question.status.value
            told = question.events.value
            if status:  # taken back; or the driver cannot say, and using the socket will tell
                told = 0 if status == afd.STATUS_CANCELLED else afd.AFD_POLL_ABORT
            # Closed: silent from now on, unless a `change` came after the question.
            if socket.changed or not told & afd.AFD_POLL_LOCAL_CLOSE:
                self.to_ask[socket] = None
                events = socket.events & ((told & READ and EVENT_READ) | (told & WRITE and EVENT_WRITE))
                if events:
                    found[socket.identity] = events
            socket.question = None
            socket.spare = question
            question.socket = None  # else the two would hold each other, and the program's object with them
        del self._asked[address]

    def close(self) -> bool:
        """Take back every question; whether the end of all of them has come (else call `answered` for more)."""
        for socket in {question.socket for question in self._asked.values()}:
            if socket is not None:
                socket.question = None
        for question in self._asked.values():
            question.socket = None
        self.to_ask.clear()
        for device in self._devices:
            take_back(device.handle, None)
        return not self._asked

    def pending(self) -> int:
        """How many questions' ends have not come."""
        return len(self._asked)

    def let_go(self) -> None:
        """Close the driver's handles. What is still pending is kept for ever, since the kernel may write there."""
        for device in self._devices:
            kernel32_waits.CloseHandle(device.handle)
        self._devices.clear()
        self._roomy.clear()
        _given_up.extend(self._asked.values())
        self._asked.clear()


_given_up: list[_Question] = []
