"""What the selector tests share: each poller that this machine has, and the things that they wait for.

`selector` is a new one for each test, of each kind. What belongs to one kind of thing is in that thing's file.
"""

from __future__ import annotations

import contextlib
import os
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # for selectors_shared
from selectors_shared import POLLERS


@pytest.fixture(params=sorted(POLLERS))
def selector(request: pytest.FixtureRequest) -> Iterator[Any]:
    """A selector of one kind."""
    with POLLERS[request.param]() as made:
        yield made


@pytest.fixture
def stack() -> Iterator[contextlib.ExitStack]:
    """Closes, at the end, what a test has made."""
    with contextlib.ExitStack() as made:
        yield made


@pytest.fixture
def pair(stack: contextlib.ExitStack) -> tuple[Any, Any]:
    """Two connected sockets of the standard library, not blocking."""
    one, other = socket.socketpair()
    for end in (one, other):
        stack.enter_context(end)
        end.setblocking(False)
    return one, other


@pytest.fixture
def pipe(stack: contextlib.ExitStack) -> tuple[Any, Any]:
    """The two ends of a pipe, unbuffered file objects."""
    reader, writer = os.pipe()
    return (
        stack.enter_context(os.fdopen(reader, "rb", buffering=0)),
        stack.enter_context(os.fdopen(writer, "wb", buffering=0)),
    )
