"""The short way to "nothing has changed": it may say no too often, and yes never wrongly."""

from __future__ import annotations

import os
import socket
import threading
from pathlib import Path

import pytest

from samesock.fdtable import keys
from samesock.leaks.boundary import Boundary
from samesock.leaks.policies import thread_idents


@pytest.fixture
def boundary() -> Boundary:
    """A boundary of what is open now; a test that needs the short way skips where the kernel has none."""
    return Boundary(keys())


@pytest.fixture
def short_way(boundary: Boundary) -> Boundary:
    if not boundary.certainly_unchanged():
        pytest.skip("feature absent: the number of open descriptors as the size of /proc/PID/fd")
    return boundary


def test_what_was_opened_is_seen(boundary: Boundary) -> None:
    """One descriptor more, or one fewer, is a change even where tracing saw nothing."""
    with socket.socket():
        assert not boundary.certainly_unchanged(nothing_opened=True)
        inner = Boundary(keys())
    assert not inner.certainly_unchanged(nothing_opened=True)


def test_the_same_again_is_unchanged(short_way: Boundary) -> None:
    """What was opened and closed again is no change."""
    with socket.socket():
        pass
    assert short_way.certainly_unchanged()


def test_another_under_the_same_number_is_seen(tmp_path: Path) -> None:
    """A number that stands for something else is a change, though as many are open as before."""
    number = os.open(tmp_path / "one", os.O_CREAT | os.O_RDWR)
    other = os.open(tmp_path / "other", os.O_CREAT | os.O_RDWR)
    boundary = Boundary(keys())
    os.dup2(other, number)
    try:
        assert not boundary.certainly_unchanged()
    finally:
        os.close(other)
        os.close(number)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="feature absent: fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a_child_is_not_judged_by_its_parents_table() -> None:
    """A forked child that opens something does not take its parent's unchanged table for its own."""
    boundary = Boundary(keys())
    child = os.fork()
    if child == 0:
        os.open(os.devnull, os.O_RDONLY)
        os._exit(int(boundary.certainly_unchanged(nothing_opened=True)))
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_threads_that_run() -> None:
    """The threads of a moment are those that run then, by their idents."""
    go = threading.Event()
    thread = threading.Thread(target=go.wait)
    thread.start()
    during = thread_idents()
    go.set()
    thread.join()
    assert during - thread_idents() == {thread.ident}
    assert threading.get_ident() in during
