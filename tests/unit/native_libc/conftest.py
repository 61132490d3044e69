"""What the tests of `unix.native` over libc share: the comparison, in a folder of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from unit.native_libc.both import Compare, compare


@pytest.fixture(name="compare")
def _compare(socket_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Compare:
    return lambda scenario: compare(scenario, socket_dir, monkeypatch)
