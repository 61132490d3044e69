"""Questions to the kernel that may never come back, asked from a thread that can be given up.

On Windows a query of a synchronous pipe waits behind the read that is under way on it. Such a question is put
here, with a limit; when it passes, the thread is abandoned (it is a daemon and ends with its question) and
the caller is told so. What must never be put here: what to ask.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

S = TypeVar("S")
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
    (answer,) = each([None], lambda _: question(), limit)
    if isinstance(answer, Failure):
        raise answer.reason
    return answer


@dataclass(frozen=True)
class Failure:
    """A question that got no answer: the exception it raised, `Blocked` when it never came back."""

    reason: BaseException


def each(things: Sequence[S], look: Callable[[S], T], limit: float = LIMIT) -> list[T | Failure]:
    """`look` at each thing, in one thread as long as none blocks (a hand-over costs 0.6 ms under Wine).

    A look that takes longer than `limit` seconds is a `Failure` with `Blocked`; those after it go on in another
    thread. An exception is a `Failure` too.
    """
    answers: list[T | Failure] = []
    while len(answers) < len(things):
        answers += _batch(things[len(answers) :], look, limit)
    return answers


def _batch(things: Sequence[S], look: Callable[[S], T], limit: float) -> list[T | Failure]:
    """The answers up to the first look that blocks, itself included."""
    try:
        worker = _borrow()
    except Blocked as failure:
        return [Failure(failure)] * len(things)
    answered = threading.Event()
    answers: list[T | Failure] = []

    def serve() -> None:
        for thing in things:
            try:
                answers.append(look(thing))
            except BaseException as failure:  # noqa: BLE001  (carried to the caller, whatever it is)
                answers.append(Failure(failure))
        answered.set()

    worker.asked.put(serve)
    seen = 0
    while not answered.wait(limit):
        progress = len(answers)
        if progress == seen:
            # The thread goes on with its own list when it comes back; what it finds then is not looked at.
            worker.asked.put(None)
            with _lock:
                _abandoned.append(worker)
            return [*answers[:progress], Failure(Blocked(f"no answer within {limit * 1000:.0f} ms"))]
        seen = progress
    with _lock:
        _idle.append(worker)
    return answers


def exhausted() -> bool:
    """Whether so many threads wait for ever that no further question is put."""
    with _lock:
        _abandoned[:] = [worker for worker in _abandoned if worker.thread.is_alive()]
        return len(_abandoned) >= MOST_ABANDONED
