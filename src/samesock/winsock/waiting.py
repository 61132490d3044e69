"""Waiting until one socket can be read, written, or is connected, for emulated flags: a look by select(), a wait that
Ctrl+C ends by `blocking`.

What must never be put here: what is done once the wait is over.
"""

from __future__ import annotations

import time
from typing import Any

from samesock import _errors
from samesock.winsock import blocking
from samesock.winsock.blocking import call
from samesock.winsock.calls import calls
from samesock.winsock.failing import check_open


def readable(sock: Any, seconds: float | None) -> bool:
    """Whether a recv would not wait, after at most that time; `None` waits for ever."""
    check_open(sock)
    if seconds != 0:
        return blocking.ready(sock, writing=False, seconds=seconds)
    return bool(calls.select((calls.fileno(sock),), (), (), 0)[0])


def writable(sock: Any, seconds: float | None) -> bool:
    """Whether a send would not wait, after at most that time."""
    check_open(sock)
    if seconds != 0:
        return blocking.ready(sock, writing=True, seconds=seconds)
    return bool(calls.select((), (calls.fileno(sock),), (), 0)[1]) or blocking.is_shut_for_writing(sock)


def settled(sock: Any, seconds: float | None) -> bool:
    """Whether a connect that was under way has ended, well or not: Winsock tells a failure by the third set."""
    check_open(sock)
    if seconds != 0:
        return blocking.ready(sock, writing=True, seconds=seconds)
    number = (calls.fileno(sock),)
    _, good, bad = calls.select((), number, number, seconds)
    return bool(good or bad)


def is_urgent(sock: Any) -> bool:
    """Whether urgent data have come that are not in the stream."""
    check_open(sock)
    return bool(calls.select((), (), (calls.fileno(sock),), 0)[2])


class Deadline:
    """What is left of a socket's time-out, over several calls that each may wait."""

    __slots__ = ("_end",)

    def __init__(self, sock: Any) -> None:
        seconds = calls.gettimeout(sock)
        self._end = None if not seconds else time.monotonic() + seconds

    def wait(self, ready: Any, sock: Any) -> None:
        """Wait until `ready(sock, seconds)`; TimeoutError at the end of the time. No time-out, no wait."""
        if self._end is None:
            return
        left = self._end - time.monotonic()
        if left <= 0 or not call(ready, sock, left):
            raise _errors.timed_out()
