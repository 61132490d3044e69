"""Questions that may never come back: the caller always does."""

from __future__ import annotations

import threading
import time

import pytest

from samesock.fdtable import bounded


def test_an_answer_comes_through() -> None:
    """An answer and an exception reach the caller as if no thread had been in between."""
    assert bounded.ask(lambda: 42) == 42
    with pytest.raises(ZeroDivisionError):
        bounded.ask(lambda: 1 // 0)


def test_a_question_that_blocks_is_given_up_and_the_next_is_answered() -> None:
    """A question without an answer is Blocked in about its limit, does not hold up the next, and ends its thread."""
    release = threading.Event()
    started = time.monotonic()
    with pytest.raises(bounded.Blocked):
        bounded.ask(release.wait, limit=0.05)
    assert time.monotonic() - started < 20
    assert bounded.ask(lambda: "next", limit=20) == "next"
    release.set()


def test_no_more_than_eight_threads_wait_for_ever() -> None:
    """The ninth question that would block is refused at once; when the others come back there is room again."""
    release = threading.Event()
    for _ in range(bounded.MOST_ABANDONED):
        with pytest.raises(bounded.Blocked):
            bounded.ask(release.wait, limit=0.01)
    assert bounded.exhausted()
    with pytest.raises(bounded.Blocked, match="8 earlier questions"):
        bounded.ask(lambda: 1)
    release.set()
    deadline = time.monotonic() + 30
    while bounded.exhausted():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert bounded.ask(lambda: 1, limit=20) == 1
