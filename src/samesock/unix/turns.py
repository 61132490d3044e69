"""Whose turn it is on one half of a connection, where a call must not begin in the middle of another one.

Another thread waits for its turn. A signal's handler runs in the thread whose call it came into, so that call cannot go
on before the handler returns: waiting would be for ever, and the handler's call fails instead. A turn is never kept
while its thread waits for the peer, unless a message is half sent. What must never be put here: what a turn is for.
"""

from __future__ import annotations

import os
import threading
from typing import Any
from weakref import WeakSet

from samesock._errors import named_error

_locks: WeakSet[Any] = WeakSet()
_turns: WeakSet[Any] = WeakSet()


def lock() -> threading.RLock:
    """A new lock that in a forked child is free, unless the forking thread has it: no other thread lives on there."""
    made = threading.RLock()
    _locks.add(made)
    return made


def _free_all() -> None:
    """Let go of what the threads that have not come along had."""
    for turn in list(_turns):
        if not turn.lock._is_owned():  # noqa: SLF001  (as threading.Condition asks it)
            turn.running = False
    for one in list(_locks):
        if not one._is_owned():  # noqa: SLF001
            one._at_fork_reinit()  # noqa: SLF001  (as logging frees its handlers' locks)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_free_all)


class Turn:
    """One half's lock. Whoever has it calls `check`, sets `running`, and clears it in a `finally`.

    There is no context manager for the whole, since a handler's exception may come where one of Python's is entered or
    left: C's lock is let go of all the same.
    """

    __slots__ = ("__weakref__", "lock", "running")

    def __init__(self) -> None:
        self.lock: threading.RLock = lock()
        self.running: bool = False
        """Set and cleared under the lock. Whoever has the lock and finds it set is inside the call that has set it."""
        _turns.add(self)

    def check(self, tried: str, timeout: float | None) -> None:
        """Refuse a handler's call in the middle of another: `EDEADLK`, and `EWOULDBLOCK` of a socket that never
        blocks."""
        if self.running:
            name = "EWOULDBLOCK" if timeout == 0 else "EDEADLK"
            raise named_error(name, f"{tried}: a signal came in the middle of another call that does")
