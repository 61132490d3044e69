"""The tests that are known to fail over samesock: read from expected.toml, and held against what a run gave.

Strict both ways: one that is not listed may not fail, and one that is listed may not pass. What fails over the standard
library at the same place says nothing of samesock, and is judged neither way. What must never be put here: a reason.
"""

from __future__ import annotations

import sys
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from places import Results

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

FILE = Path(__file__).with_name("expected.toml")


@dataclass
class Verdict:
    """One run of a module, judged; each list is of tests."""

    passed: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    expected: list[str] = field(default_factory=list)
    without: list[str] = field(default_factory=list)
    """Failed, as without samesock."""
    failed: list[str] = field(default_factory=list)
    """Failed, and not listed."""
    stale: list[str] = field(default_factory=list)
    """Listed, and passed all the same, or not run."""


def read(kind: str) -> list[dict[str, Any]]:
    """The entries of a kind, `failure` or `left_out`: `module`, `tests`, `reason`, and where each holds (`places`,
    `ways`; everywhere if it has none)."""
    entries: list[dict[str, Any]] = tomllib.loads(FILE.read_text(encoding="utf-8"))[kind]
    return entries


def left_out(*run: str) -> list[str]:
    """The tests that are not run at all: they do not come back there, samesock or not."""
    return [test for entry in read("left_out") if holds(entry, *run) for test in entry["tests"]]


def holds(entry: dict[str, Any], module: str, place: str, way: str) -> bool:
    """Whether the entry is about this run."""
    asked = (("places", place), ("ways", way))
    return bool(entry["module"] == module) and all(value in entry.get(key, [value]) for key, value in asked)


def judged(
    entries: list[dict[str, Any]], results: Results, *run: str, fails_anyway: Collection[str], whole: bool
) -> Verdict:
    """Part the tests of a run (its module, place and way); `whole` if all of the module's were to be run."""
    known = {test for entry in entries if holds(entry, *run) for test in entry["tests"]}
    verdict = Verdict(skipped=results.named("skipped"))
    for test in results.named("passed"):
        (verdict.stale if test in known else verdict.passed).append(test)
    for test in results.named("failed"):
        target = (
            verdict.expected if test in known else verdict.without if test in fails_anyway else verdict.failed
        )
        target.append(test)
    verdict.stale += sorted(known & set(verdict.skipped))
    if whole:
        verdict.stale += sorted(known - results.tests.keys())
    return verdict
