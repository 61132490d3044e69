"""Each test of asyncio's Unix sockets goes both ways to have them."""

from __future__ import annotations

from collections.abc import Iterator
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
