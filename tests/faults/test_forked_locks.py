"""fork(2) while another thread is in a call: the child has no such thread, and waits for none."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable

import pytest

from samesock import _waking
from samesock.unix.turns import Turn

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "fork"), reason="fork is absent here"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # of a fork in a process with threads
]


def holds_in_child(check: Callable[[], bool]) -> bool:
    """Whether it is so in a forked child, which has 10 s to tell."""
    pid = os.fork()
    if not pid:
        signal.alarm(10)
        os._exit(0 if check() else 1)
    return os.waitpid(pid, 0)[1] == 0


def test_a_turn_is_free_in_the_child() -> None:
    """A turn that another thread had can be taken, and one that the forking thread has is still its own."""
    turn, own = Turn(), Turn()
    has_it, done = threading.Event(), threading.Event()

    def hold() -> None:
        with turn.lock:
            turn.running = True
            has_it.set()
            done.wait(20)

    thread = threading.Thread(target=hold)
    thread.start()
    has_it.wait(20)
    try:
        with own.lock:
            own.running = True
            assert holds_in_child(lambda: turn.lock.acquire(timeout=5) and not turn.running and own.running)
    finally:
        done.set()
        thread.join()


def test_nobody_is_in_a_call_in_the_child() -> None:
    """What other threads were in calls of is not waited for by close(wake=True)."""
    sock = object()
    _waking.readers[-1] = sock
    try:
        assert holds_in_child(lambda: not _waking.others_in(sock))
    finally:
        del _waking.readers[-1]
