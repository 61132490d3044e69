"""The thread that watches for Ctrl+C on Windows goes on whatever fails in it, tells of it, and never spins."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

import samesock
from samesock.ffi.kernel32_waits import WAIT_FAILED, WAIT_OBJECT_0, kernel32_waits
from samesock.winsock import interrupting

EVENT = 0x40
INVALID_HANDLE = 6


class Ended(BaseException):
    """The test has seen enough of a loop that has no end."""


class Watched:
    """The thread's loop, run here for so many presses of Ctrl+C, its rests only counted."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.presses = 0
        self.rests: list[float] = []
        self.told: list[BaseException | None] = []
        self.interrupter = interrupting.Interrupter()
        self.patch = patch
        patch.setattr(kernel32_waits, "WaitForSingleObject", self._press)
        patch.setattr(kernel32_waits, "ResetEvent", lambda _: 1)
        patch.setattr(kernel32_waits, "GetLastError", lambda: INVALID_HANDLE)
        patch.setattr(interrupting, "_SETTLE_SECONDS", 0)
        patch.setattr(interrupting, "time", SimpleNamespace(monotonic=time.monotonic, sleep=self._rest))
        self.hook: Callable[[Any], None] = lambda told: self.told.append(told.exc_value)
        for name in ("_end_call", "_end_write"):
            patch.setattr(interrupting.Interrupter, name, lambda _: None)

    def _press(self, *_: Any) -> int:
        if not self.presses:
            raise Ended
        self.presses -= 1
        return WAIT_OBJECT_0

    def _rest(self, seconds: float) -> None:
        self.rests.append(seconds)
        if len(self.rests) > 20:
            raise Ended

    def fails(self, name: str, times: int) -> list[str]:
        """From now on that step fails so many times; the list gets a line for each time that it is made."""
        made: list[str] = []

        def step(*_: Any) -> None:
            made.append(name)
            if len(made) <= times:
                raise MemoryError(f"{name}, time {len(made)}")

        self.patch.setattr(interrupting.Interrupter, name, step)
        return made

    def run(self, presses: int) -> None:
        self.presses = presses
        self.patch.setattr(
            threading, "excepthook", self.hook
        )  # here: old pytests put their own in for each phase
        with pytest.raises(Ended):
            self.interrupter._watch(EVENT)


@pytest.fixture
def watched(monkeypatch: pytest.MonkeyPatch) -> Watched:
    """Nothing fails yet."""
    return Watched(monkeypatch)


@pytest.mark.parametrize("name", ["_end_call", "_end_write", "_let_others_see"])
def test_a_step_that_fails_is_told_and_made_again(watched: Watched, name: str) -> None:
    """No Ctrl+C is lost to an exception that nobody expects: the hook of `threading` hears of it, and the step is
    made again."""
    made = watched.fails(name, times=1)
    watched.run(presses=3)
    assert [str(told) for told in watched.told] == [f"{name}, time 1"]
    assert len(made) >= 3
    assert len(watched.rests) == 1


@pytest.mark.parametrize("name", ["_end_call", "_end_write"])
def test_a_step_that_goes_on_failing_keeps_nobody_from_the_next(watched: Watched, name: str) -> None:
    """What fails for good is given up, after rests, and the other steps and the next Ctrl+C have their turn."""
    other = "_end_write" if name == "_end_call" else "_end_call"
    made, others = watched.fails(name, times=100), watched.fails(other, times=0)
    watched.run(presses=2)
    assert len(made) == len(watched.rests) == 2 * len(interrupting._AFTER_A_FAILURE)
    assert len(watched.told) == len(others) == 2


@pytest.mark.parametrize("function", ["WaitForSingleObject", "ResetEvent"])
def test_an_event_that_is_out_of_order(watched: Watched, function: str) -> None:
    """A wait that fails, or an event that stays set, ends at once each time: the thread rests in between, tells of it
    with Windows' code, and strikes nobody."""
    ended = watched.fails("_end_call", times=0)
    answer = WAIT_FAILED if function == "WaitForSingleObject" else 0
    watched.patch.setattr(kernel32_waits, function, lambda *_: answer)
    watched.run(presses=100)
    assert not ended
    assert sum(watched.rests) > 5
    assert {getattr(told, "winerror", None) for told in watched.told} == {INVALID_HANDLE}


@pytest.mark.parametrize(
    "failure", [ValueError("the hook"), SystemExit("the hook")], ids=lambda one: type(one).__name__
)
def test_a_hook_that_fails(
    watched: Watched, capsys: pytest.CaptureFixture[str], failure: BaseException
) -> None:
    """A program's own hook that raises ends the thread no more than the failure itself; both are printed."""

    def hook(_: object) -> None:
        raise failure

    watched.hook = hook
    made = watched.fails("_end_call", times=1)
    watched.run(presses=2)
    assert len(made) == 3
    printed = capsys.readouterr().err
    assert "_end_call, time 1" in printed
    assert "the hook" in printed


def test_the_hook_is_told_of_no_thread_object(watched: Watched) -> None:
    """The thread is none of `threading`'s, so that the hook gets `None` for it, as its documentation provides."""
    threads: list[Any] = []
    watched.hook = lambda told: threads.append(told.thread)
    watched.fails("_end_call", times=1)
    watched.run(presses=1)
    assert threads == [None]


@pytest.mark.skipif(
    interrupting.interrupter.signals_do_it, reason="interrupt: a signal reaches a call here, without a thread"
)
def test_the_ctrl_c_that_met_the_failure_is_not_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    """A recv of the main thread ends at each of three presses, in the first of which the thread's work fails."""
    told: list[Any] = []
    genuine, left = interrupting.Interrupter._end_call, [1]

    def fail_once(this: interrupting.Interrupter) -> None:
        if left:
            left.pop()
            raise MemoryError
        genuine(this)

    monkeypatch.setattr(interrupting.Interrupter, "_end_call", fail_once)
    monkeypatch.setattr(threading, "excepthook", lambda one: told.append(one.exc_type))
    one, other = samesock.socketpair()
    with one, other:
        for _ in range(3):
            press = threading.Timer(0.1, signal.raise_signal, [signal.SIGINT])
            press.start()
            with pytest.raises(KeyboardInterrupt):
                one.recv(1)
            press.join()
    assert told == [MemoryError]
