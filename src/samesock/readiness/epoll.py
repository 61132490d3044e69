"""Waiting on Linux: epoll, and the files that it refuses (EPERM), which are always ready.

The cost is by activity: a `select` does the kernel's one call and one step for each event. A number that was closed
leaves the kernel's set by itself unless a duplicate keeps it open. What must never be put here: another system's way.
"""

from __future__ import annotations

import math
import select
from selectors import EVENT_READ, EVENT_WRITE, SelectorKey
from typing import Any

from samesock.readiness.posix import PosixSelector

# Any: it has no epoll on other systems, where this must be importable for type checks and tests.
_select: Any = select
_IN = 0x001  # EPOLLIN
_OUT = 0x004  # EPOLLOUT
_NOT_IN = ~_IN
_NOT_OUT = ~_OUT


class EpollSelector(PosixSelector):
    """epoll, level-triggered."""

    def __init__(self) -> None:
        super().__init__()
        self._epoll = _select.epoll()

    def fileno(self) -> int:
        """The number of the epoll itself, which is readable when something is ready."""
        return int(self._epoll.fileno())

    def watch(self, number: int, events: int) -> bool:
        try:
            self._epoll.register(number, _mask(events))
        except PermissionError:
            return False
        except FileExistsError:
            # Its key has gone with an object that a duplicate outlived: the kernel's entry is somebody's old one.
            self._epoll.modify(number, _mask(events))
        return True

    def rewatch(self, number: int, events: int) -> None:
        try:
            self._epoll.modify(number, _mask(events))
        except FileNotFoundError:  # closed and reused: the kernel has forgotten the old one
            self._epoll.register(number, _mask(events))

    def unwatch(self, number: int) -> None:
        try:
            self._epoll.unregister(number)
        except OSError:
            pass  # closed already: the kernel has forgotten it

    def select(self, timeout: float | None = None) -> list[tuple[SelectorKey, int]]:
        if timeout is None:
            seconds = -1.0
        elif timeout <= 0:
            seconds = 0.0
        else:
            seconds = math.ceil(timeout * 1e3) * 1e-3  # never early: epoll would cut it to milliseconds
        ready: list[tuple[SelectorKey, int]] = []
        keys = self.keys_by_identity
        try:
            found = self._epoll.poll(seconds, len(keys) + 1)
        except InterruptedError:
            return ready
        if self._always:
            self.add_always(ready)
        get = keys.get
        for number, told in found:
            key = get(number)
            if key is not None:
                # Whatever is neither is an end or an error: it is both.
                events = key.events & (
                    (told & _NOT_IN and EVENT_WRITE) | (told & _NOT_OUT and EVENT_READ)  # told is never 0
                )
                if events:
                    ready.append((key, events))
        return ready

    def close(self) -> None:
        super().close()
        self._epoll.close()


def _mask(events: int) -> int:
    return (_IN if events & EVENT_READ else 0) | (_OUT if events & EVENT_WRITE else 0)
