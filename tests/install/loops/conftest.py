"""Where each test of asyncio's Unix sockets listens, and by which of the two ways."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

import samesock
from install.loops.talking import WAYS


@pytest.fixture(params=list(WAYS))
def unix(request: pytest.FixtureRequest) -> Iterator[SimpleNamespace]:
    """The functions, either the standard library's with install() or samesock.aio's without."""
    if request.param == "install":
        samesock.install()
    yield WAYS[request.param]
    samesock.uninstall()


@pytest.fixture
def path(socket_dir: Path) -> str:
    """Where to listen."""
    return str(socket_dir / "s")
