"""The `Portability:` blocks of docstrings: where they are, and what they say of which platform.

A block is either indented under its heading or goes on after it, up to an empty line. What must never be put here: how
a block looks on a page.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

PLATFORMS = ("Linux", "macOS", "FreeBSD", "Windows", "Wine")

_HEADING = re.compile(r"^(\s*)Portability:\s*(.*)$")
_NAMES = "|".join(PLATFORMS)
_GROUP = re.compile(rf"(?:^|(?<=[.;]) )((?:{_NAMES})(?:, (?:{_NAMES}))*): ")
WORD = re.compile(r"\b(native|emulated|absent)\b", re.IGNORECASE)


class Claim(NamedTuple):
    """What a block says of some platforms; of none by name where it speaks of all."""

    platforms: tuple[str, ...]
    text: str

    @property
    def words(self) -> set[str]:
        """Those of the three words that the text has."""
        return {word.lower() for word in WORD.findall(self.text)}


class Found(NamedTuple):
    """A block in a docstring: its first line, the line after its last, and its text in one line."""

    start: int
    end: int
    text: str


def find(lines: Sequence[str]) -> Found | None:
    """The block of a docstring, if it has one."""
    for start, line in enumerate(lines):
        if heading := _HEADING.match(line):
            end = start + 1
            while end < len(lines) and lines[end].strip():
                end += 1
            words = [heading[2], *(line.strip() for line in lines[start + 1 : end])]
            return Found(start, end, " ".join(filter(None, words)))
    return None


def claims(text: str) -> list[Claim]:
    """What the block's text says, platform by platform."""
    marks = list(_GROUP.finditer(text))
    if not marks:
        return [Claim((), text)]
    found = []
    if before := text[: marks[0].start()].strip():
        found.append(Claim((), before))
    ends = [mark.start() for mark in marks[1:]] + [len(text)]
    for mark, end in zip(marks, ends, strict=True):
        found.append(Claim(tuple(mark[1].split(", ")), text[mark.end() : end].strip()))
    return found


def claims_of(docstring: str | None) -> list[Claim]:
    """What a docstring says; nothing if it has no block."""
    block = find((docstring or "").splitlines())
    return [] if block is None else claims(block.text)
