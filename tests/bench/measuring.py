"""How a benchmark measures and what it hands over: interleaved bursts, medians, ratios with a spread, tables.

The contract: every file `bench_*.py` in this folder has `main() -> list[Table]`. `report.py` calls each in a Python
of its own, with this folder on `sys.path` and samesock installed, and puts the tables into `docs/benchmarks.md`, in
the order of the files' names. A table's cells are strings that Markdown can take; `figures` are the same numbers for
programs, and go into `docs/benchmarks.json`. A benchmark prints nothing to stdout, asserts nothing about time, and
takes every count through `count()`, so that a trial run can be short. What must never be put here: anything about
sockets, or about where the tables end up.
"""

from __future__ import annotations

import os
import statistics
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

SCALE = float(os.environ.get("BENCH_SCALE", "1"))
"""1 for the numbers that are published; 0.1 makes every count a tenth, to see that all of it works."""


class Table(NamedTuple):
    """One table of the report, with the sentences that stand under it."""

    title: str
    columns: list[str]
    rows: list[list[str]]
    notes: Sequence[str] = ()
    figures: Sequence[dict[str, Any]] = ()


class Ratio(NamedTuple):
    """Our rate by theirs, and the quartiles that go with it; which ones, the function says that made it."""

    median: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.median:.3f} ({self.low:.3f} to {self.high:.3f})"


def count(full: int, least: int = 1) -> int:
    """How often to do something that the published numbers do `full` times."""
    return max(least, round(full * SCALE))


def interleaved(lanes: Mapping[str, Callable[[], float]], rounds: int) -> dict[str, list[float]]:
    """Each lane's results, one a round, with the lanes in turn, and in the opposite order in every other round.

    What disturbs the machine for longer than a burst so disturbs all lanes alike, and none is always the first.
    """
    results: dict[str, list[float]] = {name: [] for name in lanes}
    names = list(lanes)
    for _ in range(rounds):
        for name in names:
            results[name].append(lanes[name]())
        names.reverse()
    return results


def ratio(ours: list[float], theirs: list[float]) -> Ratio:
    """The ratio of the medians of two lanes' rates, and the quartiles of the ratios of neighbouring bursts."""
    pairs = [one / other for one, other in zip(ours, theirs, strict=True)]
    low, _, high = quartiles(pairs)
    return Ratio(statistics.median(ours) / statistics.median(theirs), low, high)


def ratio_of_sittings(ours: list[list[float]], theirs: list[list[float]]) -> Ratio:
    """The middle one of the sittings' ratios of medians, and their quartiles.

    A sitting has new processes and connections, and its own level: medians of all bursts would compare one sitting's
    level with another's.
    """
    medians = statistics.median
    low, middle, high = quartiles([medians(a) / medians(b) for a, b in zip(ours, theirs, strict=True)])
    return Ratio(middle, low, high)


def quartiles(values: list[float]) -> tuple[float, float, float]:
    """The quartiles; a single value is all three."""
    if len(values) < 2:
        return values[0], values[0], values[0]
    low, middle, high = statistics.quantiles(values, n=4, method="inclusive")
    return low, middle, high


def verdict(value: float, target: float) -> str:
    """The word for a target, by the value as it was measured: nothing is rounded in its favour."""
    return "reached" if value >= target else "missed"
