"""Waiting on macOS and the BSDs: kqueue, one filter to read and one to write; a process' end comes through `posix`.

Written from the manual pages and tried by a script that plays the kernel; no run on macOS or a BSD has shown it.
A regular file is always ready: kqueue's own rule for files (readable while the position is before the end) is not
POSIX's. What must never be put here: another system's way.
"""

from __future__ import annotations

import errno
import select
from selectors import EVENT_READ, EVENT_WRITE, SelectorKey
from typing import Any

from samesock.readiness.posix import PosixSelector, is_always_ready

# Any: it has no kqueue elsewhere, where the scripted tests run. The tests put their own in its place.
_select: Any = select


class KqueueSelector(PosixSelector):
    """kqueue, level-triggered."""

    def __init__(self) -> None:
        super().__init__()
        self._kqueue = _select.kqueue()
        self._watched: dict[int, int] = {}

    def fileno(self) -> int:
        """The number of the kqueue itself, which is readable when something is ready."""
        return int(self._kqueue.fileno())

    def watch(self, number: int, events: int) -> bool:
        if is_always_ready(number):
            return False
        self.rewatch(number, events)
        return True

    def rewatch(self, number: int, events: int) -> None:
        # What is wanted is added even if it should be there: the kernel forgets a number that is closed, and adding
        # twice is adding once.
        try:
            for event, which in _filters():
                if events & event:
                    self._control(number, which, _select.KQ_EV_ADD)
                elif self._watched.get(number, 0) & event:
                    self._remove(number, which)
        except OSError:
            self.unwatch(number)
            raise
        self._watched[number] = events

    def unwatch(self, number: int) -> None:
        watched = self._watched.pop(number, EVENT_READ | EVENT_WRITE)
        for event, which in _filters():
            if watched & event:
                self._remove(number, which)

    def select(self, timeout: float | None = None) -> list[tuple[SelectorKey, int]]:
        found: dict[int, int] = {}
        ready: list[tuple[SelectorKey, int]] = []
        if timeout is not None and timeout < 0:
            timeout = 0
        try:
            # Two filters for a number at the most.
            told = self._kqueue.control(None, max(1, 2 * len(self._watched)), timeout)
        except InterruptedError:
            return ready
        if self._always:
            self.add_always(ready)
        for event in told:
            what = EVENT_READ if event.filter == _select.KQ_FILTER_READ else EVENT_WRITE
            found[event.ident] = found.get(event.ident, 0) | what
        for number, events in found.items():
            key = self.keys_by_identity.get(number)
            if key is not None and events & key.events:
                ready.append((key, events & key.events))
        return ready

    def close(self) -> None:
        super().close()
        self._kqueue.close()
        self._watched.clear()

    def _control(self, number: int, which: int, flags: int) -> None:
        self._kqueue.control([_select.kevent(number, which, flags)], 0, 0)

    def _remove(self, number: int, which: int) -> None:
        try:
            self._control(number, which, _select.KQ_EV_DELETE)
        except OSError as error:
            if error.errno not in (errno.ENOENT, errno.EBADF):  # closed: the kernel has forgotten it
                raise


def _filters() -> tuple[tuple[int, int], ...]:
    return (EVENT_READ, int(_select.KQ_FILTER_READ)), (EVENT_WRITE, int(_select.KQ_FILTER_WRITE))
