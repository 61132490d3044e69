"""The life of a bound name on Windows: a named event, which the kernel removes with its last handle.

The event's name is made of the record's id, and names of events are public. So an event counts only if it
belongs to the owner of the rendezvous file: whoever re-creates the name of a dead listener cannot re-create
its owner. Its access list lets nobody else open it: any handle, even one that may only wait, would keep a
dead name alive. What must never be put here: files.
"""

from __future__ import annotations

import ctypes
import threading

from samesock._errors import error, number_of
from samesock.backend import Owner
from samesock.backend import _windows_security as security
from samesock.backend._security_descriptor import SYSTEM
from samesock.ffi.kernel32 import (
    ERROR_ACCESS_DENIED,
    ERROR_ALREADY_EXISTS,
    ERROR_INVALID_HANDLE,
    READ_CONTROL,
    kernel32,
)

# Global: seen from every session of the machine. Local: this session's own, for a process that may not make
# the other.
_NAMESPACES = ("Global", "Local")


class LifeTaken(OSError):
    """Somebody else has an event of this id: the name cannot be announced, and must be bound again with a new
    id.

    With 128 random bits that is no accident: it takes somebody who read the file, and wants to be in the way.
    """

    def __init__(self, id: bytes, code: int) -> None:
        text = f"Address already in use (announcing the socket's life {id.hex()})"
        super().__init__(number_of("EADDRINUSE"), text)
        self.winerror = code


def _name(namespace: str, id: bytes) -> str:
    return f"{namespace}\\samesock-{id.hex()}"


def is_announced(id: bytes, owner: str | None) -> bool:
    """Whether an event of this id exists and belongs to `owner`. Changes nothing, and keeps nothing alive.

    It is made by listen(), so that it exists says all; asking whether it is set would cost a fifth of this.
    """
    return owner is not None and any(_belongs(_name(namespace, id), owner) for namespace in _NAMESPACES)


def seems_announced(id: bytes) -> bool:
    """Whether an event of this id exists, whosever it is. Keeps nothing alive, either."""
    for namespace in _NAMESPACES:
        event = kernel32.OpenEventW(READ_CONTROL, False, _name(namespace, id))
        if event:
            kernel32.CloseHandle(event)
            return True
    return False


def _belongs(name: str, owner: str) -> bool:
    event = kernel32.OpenEventW(READ_CONTROL, False, name)
    if not event:
        return False
    try:
        return security.of_handle(event, "asking who owns a socket's event").owner == owner
    except OSError:
        return False
    finally:
        kernel32.CloseHandle(event)


def _announce(id: bytes) -> int:
    """The event's handle: made; or opened, where another process of this user's has the same name.

    `Local` follows where `Global` is refused: to a process that may not make names there, or by somebody's
    event of this name that does not let us in.
    """
    code = 0
    with security.attributes(security.for_user()) as attributes:
        for namespace in _NAMESPACES:
            # Manual reset and set, for whoever looks with a debugger; nothing waits for it.
            event = kernel32.CreateEventW(ctypes.byref(attributes), True, True, _name(namespace, id))
            if event:
                return _ours(event, id)
            code = kernel32.GetLastError()
            if code not in (ERROR_ACCESS_DENIED, ERROR_INVALID_HANDLE):  # the latter: it names no event
                raise error(code, "making the event that tells that a socket listens")
    raise LifeTaken(id, code)


def _ours(event: int, id: bytes) -> int:
    """The handle, if the event is this user's alone: CreateEventW opens what exists, whoever made it."""
    ours = False
    try:
        ours = security.mine_alone(security.of_handle(event, "asking who owns a socket's event"))
    finally:
        if not ours:
            kernel32.CloseHandle(event)
    if not ours:
        raise LifeTaken(id, ERROR_ALREADY_EXISTS)
    return event


class _Life:
    """This process's part in the life of one name: one event handle at most, however many sockets share it.

    Shared, because a duplicate made before listen() must be alive when the original, which called it, is
    closed.
    """

    __slots__ = ("_event", "_holders", "_id", "_mutex")

    def __init__(self, id: bytes) -> None:
        self._id = id
        self._event = 0
        self._holders = 0
        self._mutex = threading.Lock()

    def hold(self) -> None:
        with self._mutex:
            self._holders += 1

    def announce(self) -> None:
        with self._mutex:
            if not self._event:
                self._event = _announce(self._id)

    def release(self) -> None:
        with self._mutex:
            self._holders -= 1
            event, self._event = self._event, self._event if self._holders else 0
        if event and not self._event:
            kernel32.CloseHandle(event)


class Hold:
    """One socket's part in the life of its name. It needs no order of descriptors, so `above` is not asked
    for here: NT ends a process's handles in the table's order, which no program chooses (see limit 2 of the
    protocol)."""

    __slots__ = ("_held", "_life")

    def __init__(self, life: _Life) -> None:
        life.hold()
        self._life = life
        self._held = True

    @classmethod
    def of(cls, id: bytes) -> Hold:
        """A hold on the life with this id, not announced yet."""
        return cls(_Life(id))

    def listen(self) -> None:
        """Announce that somebody listens, once for all copies; `LifeTaken` if another user has the event's
        name.
        """
        self._life.announce()

    def copy(self, above: int) -> Hold:
        """Another hold on the same life."""
        return Hold(self._life)

    def doubt(self) -> None:
        """Nothing: an event has one state, and no client looks at it (see limit 9 of the protocol)."""

    def touched(self) -> bool:
        """False: the file cannot be asked, for holding it open would keep its name from being bound again."""
        return False

    def admits(self, owner: Owner) -> bool:
        """Whether the peer is this user or the system, for whom alone the file was made."""
        return owner.sid is not None and owner.sid in (security.user(), SYSTEM)

    def close(self) -> None:
        """Give up this hold; with the last one in this process, the process's handle of the event."""
        if self._held:
            self._held = False
            self._life.release()
