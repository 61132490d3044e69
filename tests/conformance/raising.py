"""What checks of several areas import by name; fixtures are in conftest.py."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

PATIENCE = 5.0
"""Seconds after which a call that should have come back counts as lost: much more than a loaded machine needs."""


def errno_of(call: Any, *arguments: Any) -> int | None:
    """The errno that the call raises; the test fails if it raises none."""
    with pytest.raises(OSError) as caught:
        call(*arguments)
    return caught.value.errno


def ours_alone(check: Any) -> Any:
    """Mark a check of what samesock promises beyond BSD: it is made of samesock only."""
    return pytest.mark.ours_alone(check)


def names(*wanted: str) -> Any:
    """Mark a check of something that POSIX lets a system lack: `absent` where the module has not got the names."""
    return pytest.mark.names(*wanted)


class Background:
    """A call that may block, made in a thread of its own, so that a check can give up on it."""

    def __init__(self, call: Callable[..., Any], *arguments: Any) -> None:
        self.outcome: list[Any] = []
        self.error: BaseException | None = None
        self.thread = threading.Thread(target=self._run, args=(call, arguments), daemon=True)
        self.thread.start()

    def _run(self, call: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
        try:
            self.outcome.append(call(*arguments))
        except BaseException as error:  # noqa: BLE001  (it is raised again in the check's own thread)
            self.error = error

    def running(self, seconds: float) -> bool:
        """Whether the call still has not come back after so long."""
        self.thread.join(seconds)
        return self.thread.is_alive()

    def result(self) -> Any:
        """What the call returned or raised; the test fails if it does not come back."""
        assert not self.running(PATIENCE), "the call does not come back"
        if self.error is not None:
            raise self.error
        return self.outcome[0]


def blocking_errno(sock: Any, name: str, *arguments: Any) -> int | None:
    """The errno that a method of a blocking socket raises: with a time-out Python would wait before it asks."""
    sock.settimeout(None)
    return errno_of(Background(getattr(sock, name), *arguments).result)
