"""A connection and a pipe for each test of passing, after which nothing that was offered is kept."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import samesock
from samesock.backend import system


@pytest.fixture(autouse=True)
def taken_back() -> Iterator[None]:
    """What a test has offered and nobody has taken would be kept while this process lives, which may be its taker."""
    yield
    offers = getattr(system.passing, "_in_flight", [])
    while offers:
        offers.pop().revoke()


@pytest.fixture
def pair(path: str, listener: samesock.socket) -> Iterator[tuple[samesock.socket, samesock.socket]]:
    """A client and the server's end of its connection."""
    with samesock.socket(samesock.AF_UNIX) as client:
        client.settimeout(20)
        client.connect(path)
        server, _ = listener.accept()
        with server:
            server.settimeout(20)
            yield client, server
