"""Questions to the kernel that may never come back, asked from a thread that can be given up.

On Windows a query of a synchronous pipe waits behind the read that is under way on it. Such a question is put
here, with a limit; when it passes, the thread is abandoned (it is a daemon and ends with its question) and
the caller is told so. What must never be put here: what to ask.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

LIMIT = 0.1
"""Seconds that one batch of questions may take. The queries themselves take microseconds."""

MOST_ABANDONED = 8
"""No more threads than this wait for ever: beyond them every question counts as blocking at once."""


class Blocked(OSError):
    """The question was not answered in time. The object is most likely a pipe that somebody is reading."""


class _Worker:
    """One thread, one question at a time; never used again once a question of its has overrun."""

    def __init__(self) -> None:
        self.asked: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self.thread = threading.Thread(target=self._serve, name="samesock-fdtable", daemon=True)
        self.thread.start()

    def _serve(self) -> None:
        while True:
            question = self.asked.get()
            if question is None:
                return
            question()


_lock = threading.Lock()
_idle: list[_Worker] = []
_abandoned: list[_Worker] = []


def _borrow() -> _Worker:
    with _lock:
        _abandoned[:] = [worker for worker in _abandoned if worker.thread.is_alive()]
        if len(_abandoned) >= MOST_ABANDONED:
            raise Blocked(f"{MOST_ABANDONED} earlier questions to the kernel are still unanswered")
        return _idle.pop() if _idle else _Worker()


def ask(question: Callable[[], T], limit: float = LIMIT) -> T:
    """`question()`'s answer, or its exception; `Blocked` when `limit` seconds passed first.

    The question goes on in its thread then, so it must touch nothing that the caller goes on to change.
    """
    worker = _borrow()
    answered = threading.Event()
    answers: list[T] = []
    failures: list[BaseException] = []

    def serve() -> None:
        try:
            answers.append(question())
        except BaseException as failure:  # noqa: BLE001  (carried to the caller, whatever it is)
            failures.append(failure)
        answered.set()

    worker.asked.put(serve)
    if not answered.wait(limit):
        worker.asked.put(None)
        with _lock:
            _abandoned.append(worker)
        raise Blocked(f"no answer within {limit * 1000:.0f} ms")
    with _lock:
        _idle.append(worker)
    if failures:
        raise failures[0]
    return answers[0]


def exhausted() -> bool:
    """Whether so many threads wait for ever that no further question is put."""
    with _lock:
        _abandoned[:] = [worker for worker in _abandoned if worker.thread.is_alive()]
        return len(_abandoned) >= MOST_ABANDONED
