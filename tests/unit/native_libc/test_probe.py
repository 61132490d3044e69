"""The try by which native is chosen or not."""

from __future__ import annotations

from pathlib import Path

from samesock.unix import native
from unit.native_libc.both import needs_unix

pytestmark = needs_unix


def test_probe(socket_dir: Path) -> None:
    """`works` finds out by doing, and leaves nothing behind."""
    assert native.works(str(socket_dir)) is True
    assert list(socket_dir.iterdir()) == []


def test_probe_where_nothing_can_be_made(socket_dir: Path) -> None:
    """A directory that is missing, or too long for a socket's path, is one where native does not work."""
    assert native.works(str(socket_dir / "no")) is False
    deep = socket_dir / ("d" * 100)
    deep.mkdir()
    assert native.works(str(deep)) is False
    assert list(deep.iterdir()) == []
