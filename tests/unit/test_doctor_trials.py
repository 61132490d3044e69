"""The doctor's trials when something goes wrong: they end in time, and say in a line what it was."""

from __future__ import annotations

import errno
import os
import threading
import time
from typing import Any

import pytest

import samesock
from samesock import doctor
from samesock._trials import GRACE, Bench, Child, Shown, ending, run
from samesock._trials import unix as unix_trials
from samesock._trials.child import Wire


def sleep(wire: Wire, seconds: float) -> None:
    """A child that does nothing for a while."""
    wire.tell(pid=os.getpid())
    time.sleep(seconds)


def fail(wire: Wire) -> None:
    """A child that fails."""
    raise LookupError("the child found nothing")


def leave(wire: Wire) -> None:
    """A child that ends without a word."""
    print("last words", flush=True)
    os._exit(3)


def ended(child: Child) -> bool:
    """Whether the child's process has ended."""
    return child.process.poll() is not None


@pytest.mark.timeout(120)
def test_a_trial_that_hangs_ends() -> None:
    """When a trial's time is up it is a failure that says so, its child is ended, and no thread is left."""
    children: list[Child] = []

    def hang(bench: Bench) -> Shown:
        child = bench.child(sleep, seconds=600)
        children.append(child)
        child.told()
        child.told()
        return Shown("native", "never")

    before = threading.active_count()
    outcome = run("wake", hang, 8)
    assert outcome.support is None
    assert outcome.text == "it was still under way after 8 seconds"
    assert 8 <= outcome.seconds < 8 + GRACE + 30
    assert [ended(child) for child in children] == [True]
    assert threading.active_count() == before


@pytest.mark.timeout(120)
def test_a_child_that_fails_says_why() -> None:
    """What goes wrong in the other process is told in the trial's line."""

    def ask(bench: Bench) -> Shown:
        bench.child(fail).told()
        return Shown("native", "never")

    outcome = run("wake", ask, 60)
    assert outcome[1:3] == (None, "the child failed: LookupError: the child found nothing")


@pytest.mark.timeout(120)
def test_a_failure_here_tells_the_childs_too() -> None:
    """Where both sides fail, the child's reason is told beside this side's consequence."""

    def ignore(bench: Bench) -> Shown:
        bench.child(fail).process.wait(60)
        raise TimeoutError("timed out")

    outcome = run("wake", ignore, 60)
    assert outcome.text == "TimeoutError: timed out; the child failed: LookupError: the child found nothing"


@pytest.mark.timeout(120)
def test_a_child_that_ends_early() -> None:
    """A child that ends without an answer is a failure, with what it wrote last."""

    def ask(bench: Bench) -> Shown:
        bench.child(leave).told()
        return Shown("native", "never")

    assert run("wake", ask, 60).text == "the child ended early: last words"


@pytest.mark.timeout(120)
def test_a_child_whose_doctor_was_killed_ends() -> None:
    """A child that nobody ends, however it hangs, ends itself."""
    child = Child(sleep, 0.5, {}, {"seconds": 600})
    try:
        child.process.wait(60)
    finally:
        child.end()
        child.close()


def test_a_refusal_by_the_system_is_absence() -> None:
    """An errno with which a system says that it has no such thing means absent, with its message."""

    def refuse(_: Bench) -> Shown:
        raise OSError(errno.EAFNOSUPPORT, "not in this house")

    outcome = run("wake", refuse, 60)
    assert outcome.support == "absent"
    assert "not in this house" in outcome.text


@pytest.mark.parametrize("feature", doctor.TRIALS)
def test_each_trial_finds_what_features_says(feature: str) -> None:
    """Tried with other processes, each feature of this machine is what the quick probe of `features()` calls it."""
    outcome = run(feature, doctor.TRIALS[feature], 60)
    assert outcome.support == samesock.features()[feature], outcome.text


def test_without_unix_sockets_tcp_alone_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the system refuses AF_UNIX, the trials of streams are of TCP."""
    assert unix_trials.families() == [int(samesock.AF_UNIX), int(samesock.AF_INET)]

    def refuse(*_: object) -> None:
        raise OSError(errno.EAFNOSUPPORT, "no such family")

    monkeypatch.setattr(unix_trials.samesock, "socket", refuse)
    assert unix_trials.families() == [int(samesock.AF_INET)]


def test_a_signal_that_ends_nothing_is_seen() -> None:
    """A call that waits on until something comes is told of as not interrupted, and what it took is closed."""
    told: list[dict[str, Any]] = []

    class Told(Wire):
        """A wire to nobody."""

        def __init__(self) -> None:
            pass

        def tell(self, **facts: Any) -> None:
            told.append(facts)

    taken: list[Any] = []
    with samesock.socket() as listener, samesock.socket() as client:
        listener.bind(("127.0.0.1", 0))
        listener.listen(1)

        def accept() -> Any:
            taken.append(listener.accept())
            return taken[0]

        ending._block(
            Told(),
            "accept",
            accept,
            lambda: client.connect(listener.getsockname()),
            patience=0.05,
            myself=False,
        )
    assert told[0] == {"blocks_in": "accept"}
    assert told[1]["interrupted"] is False
    assert taken[0][0].fileno() == -1
