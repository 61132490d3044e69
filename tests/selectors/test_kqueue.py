"""The kqueue poller against a script that plays the kernel, by the rules of kqueue(2)."""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any, NamedTuple

import pytest
from selectors_shared import READ, WRITE, told

from samesock.leaks import no_leaks
from samesock.readiness import kqueue


class Kevent(NamedTuple):
    """select.kevent, as far as it is used."""

    ident: int
    filter: int
    flags: int


class Kernel:
    """A kqueue: the filters that were added, and those that are to fire."""

    def __init__(self) -> None:
        self.filters: set[tuple[int, int]] = set()
        self.fires: set[tuple[int, int]] = set()
        self.refuses: set[tuple[int, int]] = set()
        self.asked: list[tuple[int, float | None]] = []
        self.closed = False

    def control(self, changes: Any, most: int, timeout: float | None) -> list[Kevent]:
        """Obey changes; or tell what fires."""
        for change in changes or ():
            which = (change.ident, change.filter)
            if which in self.refuses:
                raise OSError(errno.EBADF, "scripted")
            if change.flags == 1:
                self.filters.add(which)
            elif which in self.filters:
                self.filters.remove(which)
            else:
                raise OSError(errno.ENOENT, "scripted")
        if changes is None:
            self.asked.append((most, timeout))
        return [Kevent(*which, 0) for which in sorted(self.fires & self.filters)][:most]

    def close(self) -> None:
        """Close it."""
        self.closed = True


_READING, _WRITING = -1, -2


@pytest.fixture
def kernel(monkeypatch: pytest.MonkeyPatch) -> Kernel:
    """The kernel that the poller gets."""
    made = Kernel()
    names = {"KQ_FILTER_READ": _READING, "KQ_FILTER_WRITE": _WRITING, "KQ_EV_ADD": 1, "KQ_EV_DELETE": 2}
    monkeypatch.setattr(kqueue, "_select", SimpleNamespace(kqueue=lambda: made, kevent=Kevent, **names))
    return made


@pytest.fixture
def selector(kernel: Kernel) -> Iterator[Any]:
    """A poller on it."""
    with kqueue.KqueueSelector() as made:
        yield made
    assert kernel.closed


def test_filters_follow_events(kernel: Kernel, selector: Any, pipe: Any) -> None:
    """Each event has its filter, added and deleted with register, modify and unregister."""
    number = pipe[0].fileno()
    selector.register(pipe[0], READ)
    assert kernel.filters == {(number, _READING)}
    selector.modify(pipe[0], READ | WRITE)
    assert kernel.filters == {(number, _READING), (number, _WRITING)}
    selector.modify(pipe[0], WRITE)
    assert kernel.filters == {(number, _WRITING)}
    selector.unregister(pipe[0])
    assert kernel.filters == set()


def test_both_filters_are_one_answer(kernel: Kernel, selector: Any, pipe: Any) -> None:
    """A number whose two filters fire is told once, with both events."""
    number = pipe[0].fileno()
    selector.register(pipe[0], READ | WRITE)
    kernel.fires = {(number, _READING), (number, _WRITING)}
    assert selector.select(1.5) == [(selector.get_key(pipe[0]), READ | WRITE)]
    kernel.fires = {(number, _WRITING)}
    assert told(selector, -1) == {pipe[0]: WRITE}
    assert kernel.asked == [(2, 1.5), (2, 0)]


def test_a_closed_number(kernel: Kernel, selector: Any, pipe: Any) -> None:
    """The kernel forgets a closed number: unregister is content with that, and modify adds it again."""
    number = pipe[0].fileno()
    selector.register(pipe[0], READ)
    kernel.filters.clear()
    selector.modify(pipe[0], READ)
    assert kernel.filters == {(number, _READING)}
    kernel.filters.clear()
    selector.unregister(pipe[0])


def test_a_refused_number(kernel: Kernel, selector: Any, pipe: Any) -> None:
    """If one filter of two is refused neither stays, and nothing is registered."""
    number = pipe[0].fileno()
    kernel.refuses = {(number, _WRITING)}
    with pytest.raises(OSError) as caught:
        selector.register(pipe[0], READ | WRITE)
    assert caught.value.errno == errno.EBADF
    assert kernel.filters == set()
    assert len(selector.get_map()) == 0


def test_regular_files_are_always_ready(kernel: Kernel, selector: Any, pipe: Any) -> None:
    """A regular file never reaches the kernel; beside it the kernel has the end of a pipe, which ends every wait."""
    with tempfile.TemporaryFile() as file:
        selector.register(pipe[0], READ)
        selector.register(file, READ | WRITE)
        assert told(selector, 30) == {file: READ | WRITE}
        (ended,) = kernel.filters - {(pipe[0].fileno(), _READING)}
        assert ended[1] == _READING
        assert os.read(ended[0], 1) == b""
        selector.unregister(file)
        assert kernel.filters == {(pipe[0].fileno(), _READING)}
    number = os.dup(1)
    os.close(number)
    with pytest.raises(OSError):
        selector.register(number, READ)


def test_closing_closes_all_that_it_made(kernel: Kernel) -> None:
    """close() with a regular file registered closes the end of a pipe that stands for it, and keeps no key."""
    with tempfile.TemporaryFile() as file, no_leaks():
        selector = kqueue.KqueueSelector()
        selector.register(file, READ)
        (ended,) = kernel.filters
        selector.close()
        with pytest.raises(OSError):
            os.fstat(ended[0])
    assert kernel.closed
    assert selector.get_map() is None
