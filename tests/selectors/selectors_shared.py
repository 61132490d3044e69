"""The pollers under test, and how a test asks them: what conftest's fixtures and the tests both need."""

from __future__ import annotations

import contextlib
import select
import selectors as stdlib
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

from samesock import selectors

POLLERS: dict[str, Callable[[], Any]] = {"default": selectors.DefaultSelector}
if hasattr(select, "poll"):
    from samesock.readiness.poll import PollSelector

    POLLERS["poll"] = PollSelector

SOON = 10.0
"""Seconds in which what is ready must be told, however busy the machine is."""
NOT_YET = 0.15
"""Seconds in which what is not ready must not be told."""

READ, WRITE = stdlib.EVENT_READ, stdlib.EVENT_WRITE


def told(selector: Any, timeout: float = 0.0) -> dict[Any, int]:
    """What select() tells: events by the object."""
    return {key.fileobj: events for key, events in selector.select(timeout)}


def becomes(selector: Any, expected: dict[Any, int]) -> bool:
    """Whether select() comes to tell exactly this before long: news may need a moment to arrive, even on loopback."""
    deadline = time.monotonic() + SOON
    while time.monotonic() < deadline:
        if told(selector, 0.2) == expected:
            return True
    return told(selector) == expected


@contextlib.contextmanager
def later(action: Callable[[], object], seconds: float = 0.2) -> Iterator[None]:
    """Do it in another thread, in a moment; its failure is the test's."""
    failed: list[BaseException] = []

    def run() -> None:
        time.sleep(seconds)
        try:
            action()
        except BaseException as error:  # noqa: BLE001 -- told to the test
            failed.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        thread.join(SOON)
    assert not thread.is_alive()
    assert not failed, failed
