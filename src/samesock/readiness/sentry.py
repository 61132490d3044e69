"""A thread that blocks in one call for a selector, only while a `select` waits, and wakes it when the call returns.

`arm` lets it block, `disarm` ends the call and returns when the thread is out of it: between two waits nobody but the
program touches the handle. That costs two switches of threads for a wait that really blocks, and keeps a program that
writes to a pipe of its own, or closes it, from standing behind a read that pends (NT does one thing at a time with a
synchronous handle). What must never be put here: what is blocked in.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

_AGAIN_SECONDS = 0.005
"""After so long the call is ended once more: the first try may have come before the thread was in it."""


class Sentry:
    """The thread. `block` returns whether there is news; `interrupt` ends it, and may be called too early."""

    def __init__(
        self, block: Callable[[], bool], interrupt: Callable[[], None], wake: Callable[[], None]
    ) -> None:
        self._block = block
        self._interrupt = interrupt
        self._wake = wake
        self._go = threading.Event()
        self._idle = threading.Event()
        self._idle.set()
        self._ended = False
        self._thread: threading.Thread | None = None
        self.stopping = False
        """Whether `block` should not begin."""

    def arm(self) -> None:
        """Let it block, unless it does."""
        if self._ended:
            return
        if not self._idle.is_set():
            if not self.stopping:
                return
            self.disarm()  # one that Ctrl+C has cut short
        self.stopping = False
        if self._thread is None:
            # A daemon: a program that ends without closing its selector ends all the same.
            self._thread = threading.Thread(target=self._run, name="samesock.selectors", daemon=True)
            self._thread.start()
        self._idle.clear()
        self._go.set()

    def disarm(self) -> None:
        """End the call; on return nobody is in it."""
        self.stopping = True
        while not self._idle.is_set():
            self._interrupt()
            self._idle.wait(_AGAIN_SECONDS)

    def end(self) -> None:
        """End the call and the thread."""
        self.disarm()
        self._ended = True
        self._go.set()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        while True:
            self._go.wait()
            self._go.clear()
            if self._ended:
                return
            try:
                if not self.stopping and self._block() and not self.stopping:
                    self._wake()
            finally:
                self._idle.set()
