"""What every test of the messages runs over: Winsock or libc in its place, and a stack that closes its sockets."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pytest

from samesock.unix import choosing
from samesock.winsock import beside, vectors
from unit.libc_winsock import LibcWinsock


@pytest.fixture(autouse=True)
def winsock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Winsock, or libc in its place."""
    if not choosing.over_winsock():
        table = LibcWinsock()
        monkeypatch.setattr(vectors.table, "winsock", table)
        monkeypatch.setattr(vectors.table, "last_error", table.WSAGetLastError)
    beside.arrives.cache_clear()


@pytest.fixture
def stack() -> Iterator[contextlib.ExitStack]:
    """What is entered here is closed after the test."""
    with contextlib.ExitStack() as made:
        yield made
