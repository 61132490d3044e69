"""What several folders and files of the unit tests share: sockets with Winsock's methods, on any system."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from unit.winsock_sockets import Made, made_sockets


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> Iterator[Made]:
    """A maker of sockets."""
    with made_sockets(monkeypatch) as maker:
        yield maker
