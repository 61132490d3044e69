"""A thread that blocks in one call for a selector, only while a `select` waits, and wakes it when the call returns.

`arm` lets it block, `disarm` ends the call and returns when the thread is out of it: between two waits nobody but the
program touches the handle. That costs two switches of threads for a wait that really blocks, and keeps a program that
writes to a pipe of its own, or closes it, from standing behind a read that pends (NT does one thing at a time with a
synchronous handle). What must never be put here: what is blocked in.
"""

from __future__ import annotations

import _thread
import threading
from collections.abc import Callable

_AGAIN_SECONDS = 0.005
"""After so long the call is ended once more: the first try may have come before the thread was in it."""


class Sentry:
    """The thread. `block` returns whether there is news; `interrupt` ends it, and may be called too early.

    Bare locks serve as signals, and not `threading.Event`: Ctrl+C inside an Event's Python code can leave the lock in
    it held for ever (one run of three stood still with them).
    """

    def __init__(
        self, block: Callable[[], bool], interrupt: Callable[[], None], wake: Callable[[], None]
    ) -> None:
        self._block = block
        self._interrupt = interrupt
        self._wake = wake
        self._go = _thread.allocate_lock()
        self._go.acquire()
        self._done = _thread.allocate_lock()
        self._done.acquire()
        self._armed = False
        self._stopping = False
        self._ended = False
        # A daemon: a program that ends without closing its selector ends all the same.
        self._thread = threading.Thread(target=self._run, name="samesock.selectors", daemon=True)
        self._thread.start()

    def arm(self) -> None:
        """Let it block, unless it does."""
        if self._armed and self._stopping:
            self.disarm()  # one that Ctrl+C has cut short
        if not self._armed and not self._ended:
            self._stopping = False
            self._armed = True
            _signal(self._go)

    def disarm(self) -> None:
        """End the call; on return nobody is in it."""
        self._stopping = True
        while self._armed:
            _signal(self._go)  # lest Ctrl+C came between the two steps of `arm`
            self._interrupt()
            self._done.acquire(timeout=_AGAIN_SECONDS)

    def end(self) -> None:
        """End the call and the thread."""
        self.disarm()
        self._ended = True
        _signal(self._go)
        self._thread.join()

    def _run(self) -> None:
        while True:
            self._go.acquire()
            if self._ended:
                return
            if not self._armed:
                continue
            try:
                if not self._stopping and self._block() and not self._stopping:
                    self._wake()
            finally:
                self._armed = False
                _signal(self._done)


def _signal(lock: _thread.LockType) -> None:
    """Let one `acquire` return, now or later; twice is once."""
    try:
        lock.release()
    except RuntimeError:
        pass
