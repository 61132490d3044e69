"""Waiting on Windows: a completion port, the driver's answers for sockets, and a thread each for the rest.

A `select` looks first. If nothing is so it arms the threads, waits at the port, and disarms them before it returns.
Ctrl+C does not end a wait at a port, and Python acts on it in the main thread only: there the wait is made of pieces.
The lock is held for every change and never while waiting. What must never be put here: how one thing is looked at.
"""

from __future__ import annotations

import threading
import time
from selectors import EVENT_READ, SelectorKey
from typing import Final

from samesock.readiness.afd import Socket, Sockets
from samesock.readiness.pipes import Pipe
from samesock.readiness.port import Batch, Found, Port, milliseconds
from samesock.readiness.registry import FileObject, Identity, Registry, has_gone
from samesock.readiness.signalled import Always, Console, Signalled
from samesock.readiness.windows_things import Kind, handle_of, identify, is_process, kind_of

Other = Pipe | Console | Signalled | Always

_PIECE_SECONDS: Final = 0.25  # 4 wake-ups a second cost nothing that was measurable
_PIECE: Final = milliseconds(_PIECE_SECONDS)
_CLOSING_SECONDS: Final = 2.0
_CLOSING_PIECE: Final = milliseconds(0.05)


class CompletionSelector(Registry):
    """Everything through one port."""

    def __init__(self) -> None:
        super().__init__()
        self._lock = threading.RLock()
        self._port = Port()
        self._sockets = Sockets(self._port)
        self._socket_by_identity: dict[Identity, Socket] = {}
        self._others: dict[Identity, Other] = {}
        self._main_thread = threading.main_thread().ident
        self._waiting: set[int] = set()  # of threads: Ctrl+C between two statements cannot count one twice

    def identify(self, fileobj: FileObject) -> Identity:
        return identify(fileobj)

    def known(self, fileobj: FileObject) -> Identity:
        # asyncio looks its sockets up by number; to ask the system what the number is costs more than all the rest.
        if isinstance(fileobj, int) and not hasattr(fileobj, "space"):
            sockets, files = ("socket", fileobj), ("fd", fileobj)
            if sockets not in self.keys_by_identity:
                return files
            if files not in self.keys_by_identity:
                return sockets
        return identify(fileobj)

    def number(self, identity: Identity) -> int:
        assert isinstance(identity, tuple)
        return identity[1]

    def register(self, fileobj: FileObject, events: int, data: object = None) -> SelectorKey:
        with self._lock:
            return super().register(fileobj, events, data)

    def unregister(self, fileobj: FileObject) -> SelectorKey:
        with self._lock:
            return super().unregister(fileobj)

    def modify(self, fileobj: FileObject, events: int, data: object = None) -> SelectorKey:
        with self._lock:
            return super().modify(fileobj, events, data)

    def begin(self, identity: Identity, fileobj: FileObject, events: int) -> None:
        assert isinstance(identity, tuple)
        space, number = identity
        if space == "socket":
            fileno = None if isinstance(fileobj, int) else fileobj.fileno
            self._socket_by_identity[identity] = self._sockets.add(identity, number, events, fileno)
            if self._waiting:
                self._sockets.flush()
            return
        if is_process(fileobj) and events != EVENT_READ:
            raise ValueError("a process can be waited for with EVENT_READ alone")
        handle = handle_of(identity)
        kind = kind_of(handle)
        wake = self._port.wake
        if kind is Kind.PIPE:
            self._others[identity] = Pipe(handle, events, wake)
        elif kind is Kind.CONSOLE:
            self._others[identity] = Console(handle, events, wake)
        elif kind is Kind.SIGNAL:
            self._others[identity] = Signalled(handle, events, wake)
        else:
            self._others[identity] = Always(handle, events)
        if self._waiting:
            wake()

    def change(self, identity: Identity, events: int) -> None:
        socket = self._socket_by_identity.get(identity)
        if socket is not None:
            self._sockets.change(socket, events)
            if self._waiting:
                self._sockets.flush()
            return
        other = self._others[identity]
        other.disarm()
        other.events = events
        if self._waiting:
            self._port.wake()

    def end(self, identity: Identity) -> None:
        socket = self._socket_by_identity.pop(identity, None)
        if socket is not None:
            self._sockets.remove(socket)
        else:
            self._others.pop(identity).end()

    def select(self, timeout: float | None = None) -> list[tuple[SelectorKey, int]]:
        deadline = None if timeout is None else time.monotonic() + timeout
        left = timeout
        found: Found = {}
        sockets, port, lock = self._sockets, self._port, self._lock
        batch = port.borrow()
        me = threading.get_ident()
        try:
            while True:
                with lock:
                    self._waiting.add(me)
                    if sockets.to_ask:
                        sockets.flush()
                    if self._others:
                        self._look(found)
                if found or (left is not None and left <= 0):
                    left = 0.0
                if left == 0.0 or not self._others:
                    self._take(batch, left, me)
                elif not batch.fill(0):
                    self._take_armed(batch, left, me)
                with lock:
                    batch.consume(sockets.answered, found)
                if found or left == 0.0:
                    keys = self.keys_by_identity
                    return [
                        (key, told & key.events)
                        for identity, told in found.items()
                        if (key := keys.get(identity)) is not None and told & key.events
                    ]
                if deadline is not None:
                    left = deadline - time.monotonic()
        finally:
            port.give_back(batch)
            with lock:
                self._waiting.discard(me)
                if self._waiting:
                    # Another thread waits on: ask again what was answered to this one, and have it look again.
                    sockets.flush()
                    if self._others:
                        port.wake()

    def _look(self, found: Found) -> None:
        """See what is so of what is no socket; another thread's wait lets go of it meanwhile."""
        for identity, other in self._others.items():
            other.disarm()
            events = other.ready() if self._is_open(identity, other) else 0
            if events:
                found[identity] = events
        if len(self._waiting) > 1:
            self._arm()

    def _arm(self) -> float | None:
        """Have what is no socket wake the port; after how many seconds to look again all the same."""
        seconds = None
        for identity, other in self._others.items():
            if self._is_open(identity, other):
                other.arm()
                again = other.look_again()
                if again is not None:
                    seconds = again if seconds is None else min(seconds, again)
        return seconds

    def _is_open(self, identity: Identity, other: Other) -> bool:
        assert isinstance(identity, tuple)
        key = self.keys_by_identity.get(identity)
        if key is None or has_gone(key):
            return False
        try:
            return handle_of(identity) == other.handle
        except OSError:
            return False

    def _take(self, batch: Batch, seconds: float | None, thread: int) -> None:
        """Wait until something comes to the port, or for so long."""
        if (seconds is not None and seconds <= _PIECE_SECONDS) or thread != self._main_thread:
            batch.fill(milliseconds(seconds))
        elif not batch.fill(_PIECE):
            # The clock is read only now: what comes at once, as most does, need not wait for that.
            end = None if seconds is None else time.monotonic() + seconds - _PIECE_SECONDS
            left = _PIECE_SECONDS
            while left > 0:
                if end is not None:
                    left = max(0.0, min(_PIECE_SECONDS, end - time.monotonic()))
                if batch.fill(milliseconds(left)):
                    return

    def _take_armed(self, batch: Batch, seconds: float | None, thread: int) -> None:
        try:
            with self._lock:
                again = self._arm()
            if again is not None:
                seconds = again if seconds is None else min(seconds, again)
            self._take(batch, seconds, thread)
        finally:
            with self._lock:
                for other in self._others.values():
                    other.disarm()

    def close(self) -> None:
        with self._lock:
            if not self._port.handle:
                return
            for other in self._others.values():
                other.end()
            self._others.clear()
            self._socket_by_identity.clear()
            done = self._sockets.close()
            batch = self._port.borrow()
            deadline = time.monotonic() + _CLOSING_SECONDS
            while not done and time.monotonic() < deadline:
                if batch.fill(_CLOSING_PIECE):
                    batch.consume(self._sockets.answered, {})
                done = not self._sockets.pending()
            self._sockets.let_go()
            self._port.close()
            super().close()
