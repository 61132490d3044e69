"""One check, every kind of descriptor: the fixtures `made`, and `stack` for what a check makes itself."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from fd.makers import MAKERS, Absent, Made, closed


@pytest.fixture
def stack() -> Iterator[contextlib.ExitStack]:
    """Closes at the end of the test."""
    closed.clear()
    with contextlib.ExitStack() as closing:
        yield closing


@pytest.fixture(params=sorted(MAKERS))
def made(request: pytest.FixtureRequest, stack: contextlib.ExitStack, socket_dir: Path) -> Made:
    """One descriptor of each kind that there is here."""
    try:
        return MAKERS[request.param](stack, socket_dir)
    except Absent as absent:
        pytest.skip(f"absent here: {absent}")
