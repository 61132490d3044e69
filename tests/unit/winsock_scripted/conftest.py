"""The scripted Windows for each test of the Winsock backend, in which no handle may be left open."""

from __future__ import annotations

from typing import Any

import pytest

from samesock.backend import _windows_known
from unit.winsock_scripted.windows import Windows


@pytest.fixture
def windows(monkeypatch: pytest.MonkeyPatch) -> Windows:
    """The scripted system, of which nothing is known yet."""
    monkeypatch.setattr(_windows_known, "_known", {})
    return Windows(monkeypatch)


@pytest.fixture(autouse=True)
def _nothing_left_open(windows: Windows) -> Any:
    """Whatever a test does, no handle may be open at its end that is not an event's of a hold."""
    yield
    left = [thing for thing in windows.open.values() if not str(thing).startswith(("Global", "Local"))]
    assert not left
