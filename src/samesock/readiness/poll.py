"""Waiting by poll(), where there is neither epoll nor kqueue; the cost is by number.

poll() tells of a closed number for ever (POLLNVAL); it is taken out then, so that a closed object is as silent here as
under epoll. The set is passed at the call: a change from another thread is seen by the next call, and a pipe to this
poller's own end makes that come at once. What must never be put here: another way of waiting.
"""

from __future__ import annotations

import math
import os
import select
import time
from selectors import EVENT_READ, EVENT_WRITE, SelectorKey
from typing import Any

from samesock.readiness.posix import PosixSelector
from samesock.readiness.registry import has_gone

# Any: neither has all of this on Windows before Python 3.12.
_os: Any = os
_select: Any = select


class PollSelector(PosixSelector):
    """poll()."""

    def __init__(self) -> None:
        super().__init__()
        self._masks: dict[int, int] = {}
        self._wake_reader, self._wake_writer = os.pipe()
        for end in (self._wake_reader, self._wake_writer):
            _os.set_blocking(end, False)

    def watch(self, number: int, events: int) -> bool:
        os.fstat(number)  # poll() takes any number
        self.rewatch(number, events)
        return True

    def rewatch(self, number: int, events: int) -> None:
        self._masks[number] = _mask(events)
        self._wake()

    def unwatch(self, number: int) -> None:
        self._masks.pop(number, None)
        self._wake()

    def select(self, timeout: float | None = None) -> list[tuple[SelectorKey, int]]:
        ready: list[tuple[SelectorKey, int]] = []
        deadline = None if timeout is None else time.monotonic() + timeout
        while True:
            poll = _select.poll()  # made anew: two threads may not poll one object
            poll.register(self._wake_reader, _select.POLLIN)
            for number, mask in list(self._masks.items()):
                poll.register(number, mask)
            try:
                found = poll.poll(_milliseconds(deadline))
            except InterruptedError:
                return ready
            for number, told in found:
                if number == self._wake_reader:
                    _drain(number)
                elif told & _select.POLLNVAL:
                    self._masks.pop(number, None)
                else:
                    key = self.keys_by_identity.get(number)
                    events = (told & ~_select.POLLIN and EVENT_WRITE) | (
                        told & ~_select.POLLOUT and EVENT_READ
                    )
                    if key is not None and has_gone(key):
                        self._masks.pop(number, None)
                    elif key is not None and events & key.events:
                        ready.append((key, events & key.events))
            # Only woken, or only told of what is closed: once more, with what is left to watch.
            if ready or not found or (deadline is not None and time.monotonic() >= deadline):
                return ready

    def close(self) -> None:
        if self._masks or self._wake_reader >= 0:
            self._masks.clear()
            for number in (self._wake_reader, self._wake_writer):
                if number >= 0:
                    os.close(number)
            self._wake_reader = self._wake_writer = -1
        super().close()

    def _wake(self) -> None:
        try:
            os.write(self._wake_writer, b"!")
        except OSError:
            pass  # full: it wakes already; or closed


def _milliseconds(deadline: float | None) -> int | None:
    return None if deadline is None else max(0, math.ceil((deadline - time.monotonic()) * 1e3))


def _drain(number: int) -> None:
    try:
        while len(os.read(number, 4096)) == 4096:
            pass
    except BlockingIOError:
        pass


def _mask(events: int) -> int:
    mask = (_select.POLLIN if events & EVENT_READ else 0) | (_select.POLLOUT if events & EVENT_WRITE else 0)
    return int(mask)
