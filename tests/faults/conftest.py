"""What the tests of faults share: they try the emulation alone, and nothing may be left over after any of them."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import samesock
from samesock.unix import choosing


def pytest_configure(config: pytest.Config) -> None:
    """Make the mark known."""
    config.addinivalue_line("markers", "nightly: takes minutes; runs where SAMESOCK_NIGHTLY is set")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what this process cannot show: the transport is chosen once, from the environment."""
    here = Path(__file__).parent
    emulated = choosing.transport() == "emulated"
    for item in items:
        if not item.path.is_relative_to(here):
            continue
        if not emulated:
            item.add_marker(pytest.mark.skip(reason="unix-stream is not emulated (SAMESOCK_UNIX=emulated)"))
        elif item.get_closest_marker("nightly") and "SAMESOCK_NIGHTLY" not in os.environ:
            item.add_marker(pytest.mark.skip(reason="a nightly test (SAMESOCK_NIGHTLY=1)"))


@pytest.fixture
def listener(path: str) -> Iterator[samesock.socket]:
    """A listening Unix socket with a queue that no test here fills by chance."""
    with samesock.socket(samesock.AF_UNIX) as sock:
        sock.bind(path)
        sock.listen(128)
        yield sock


@pytest.fixture
def eventually() -> Callable[[Callable[[], object]], None]:
    """Wait until something has become true: generously, since the machine may be busy."""

    def wait(true: Callable[[], object], seconds: float = 20.0) -> None:
        end = time.monotonic() + seconds
        while not true():
            assert time.monotonic() < end, "it never became true"
            time.sleep(0.01)

    return wait


@pytest.fixture(autouse=True)
def no_thread_left(request: pytest.FixtureRequest) -> Iterator[None]:
    """No test leaves a thread behind, the emulation's own included."""
    before = set(threading.enumerate())
    yield
    end = time.monotonic() + 20
    while set(threading.enumerate()) - before:
        assert time.monotonic() < end, f"threads left: {set(threading.enumerate()) - before}"
        time.sleep(0.01)
