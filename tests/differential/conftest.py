"""What the two kinds of differential tests share: how a sequence's difference is told, and folders to run it in."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from differential.normalising import differences
from differential.operations import Operation


@pytest.fixture
def folder(socket_dir: Path) -> Callable[[str], Path]:
    """Make a folder for one implementation's paths."""

    def made(name: str) -> Path:
        path = socket_dir / name
        path.mkdir()
        return path

    return made


@pytest.fixture
def judge() -> Callable[[Sequence[Operation], Sequence[str], Sequence[str]], list[str]]:
    """Tell what no rule lets pass, with the way to it; returns the deviations that showed."""

    def judged(operations: Sequence[Operation], kernel: Sequence[str], emulated: Sequence[str]) -> list[str]:
        found = list(differences(operations, kernel, emulated))
        story = "\n".join(f"{operation}: {line}" for operation, line in zip(operations, kernel, strict=True))
        for one in found:
            assert one.rule is not None, f"{one}\nthe kernel's transcript:\n{story}"
        return [one.rule.deviation for one in found if one.rule is not None]

    return judged
