"""The conformance score: what each check came to, and the tables that are made of it.

A run of pytest writes one line of JSON for each variant of a check as soon as it is done, so that a run that is cut
short loses nothing but the rest, and a last line with its exit status. `python tests/conformance/scoring.py FILE...`
puts such files together. What must never be put here: a check, and anything that makes an implementation.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

OUTCOMES = ("broken", "deviation", "absent", "kept")
"""What a check may come to, the worst first: it is as good as its worst variant."""


class Result(NamedTuple):
    """One check of one implementation on one platform."""

    platform: str
    python: str
    implementation: str
    area: str
    check: str
    outcome: str


class Deviation(NamedTuple):
    """A promise that an implementation is known not to keep on a platform."""

    identifier: str
    reason: str


class CutShort(Exception):
    """A run's file has no last line: the run was ended before its time."""


def area_of(stem: str) -> str:
    """The area of the checks in a file: `test_unix_bind` is `unix bind`."""
    return stem.removeprefix("test_").replace("_", " ")


def outcome_of(outcome: str, *, declared: bool, judged: bool) -> str:
    """What pytest's word for a test means here.

    A declared deviation is a strict xfail, and so is `skipped`; of an implementation that is only measured, not
    judged, every failure is.
    """
    if outcome == "xfailed":
        return "deviation" if declared and judged else "broken"
    return {"passed": "kept", "xpassed": "kept", "skipped": "absent"}.get(outcome, "broken")


def deviations_in(data: dict[str, Any], implementation: str) -> dict[str, Deviation]:
    """Which checks a platform's file says that the implementation does not keep.

    The keys are `area/check`, or `area/check[variant]` where only that variant is meant.
    """
    return {
        check: Deviation(entry["id"], entry["reason"])
        for entry in data.get("deviations", [])
        if entry.get("implementation", "samesock") == implementation
        for check in entry.get("checks", [])
    }


def read(path: Path) -> tuple[list[Result], int]:
    """The results of one run, one for each check, and its exit status."""
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    if not lines or "exit" not in lines[-1]:
        raise CutShort(f"{path.name} has no last line: the run was cut short after {len(lines)} tests")
    return collapsed(Result(**line) for line in lines[:-1]), int(lines[-1]["exit"])


def collapsed(results: Iterable[Result]) -> list[Result]:
    """One result for each check, its worst variant's, in the order in which the checks came first."""
    worst: dict[tuple[str, ...], Result] = {}
    for one in results:
        before = worst.get(one[:5])
        if before is None or OUTCOMES.index(one.outcome) < OUTCOMES.index(before.outcome):
            worst[one[:5]] = one
    return list(worst.values())


Runner = tuple[str, str, str]
"""A platform, a Python and an implementation: a column of the table."""


class Score(NamedTuple):
    """How many checks there are, and how many came to what."""

    all: int
    kept: int
    deviation: int
    absent: int
    broken: int

    def __str__(self) -> str:
        return f"{self.kept} / {self.all}"


def score(results: Iterable[Result]) -> Score:
    """The score of these results together."""
    outcomes = [one.outcome for one in results]
    return Score(len(outcomes), *(outcomes.count(word) for word in ("kept", "deviation", "absent", "broken")))


def runners(results: Iterable[Result]) -> list[Runner]:
    """The columns, in the order in which they first came."""
    return list(dict.fromkeys((one.platform, one.python, one.implementation) for one in results))


def of(results: Iterable[Result], runner: Runner) -> list[Result]:
    """One column's results."""
    return [one for one in results if one[:3] == runner]


def area_rows(results: Sequence[Result]) -> Iterator[list[str]]:
    """The table of areas: a row for each, a cell `kept / all` for each column, and the sum of them all."""
    columns = [of(results, runner) for runner in runners(results)]
    for area in sorted({one.area for one in results}):
        cells = [score(one for one in column if one.area == area) for column in columns]
        yield [area, *(str(cell) if cell.all else "" for cell in cells)]
    yield ["all", *(str(score(column)) for column in columns)]


def text_table(results: Sequence[Result]) -> str:
    """The table of areas for a terminal."""
    columns = runners(results)
    rows = [["", *(f"{platform} {python}" for platform, python, _ in columns)]]
    rows += [["area", *(implementation for _, _, implementation in columns)], *area_rows(results)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if number == 0 else cell.rjust(width)
            for number, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    )


_HEAD = """# Conformance

What BSD promises, checked against the standard library and against samesock. Each check is a single promise; its
docstring says which, and which page makes it. The checks are in `tests/conformance/`, and `nox -s conformance` makes
this page and `conformance.json` of a run. Linux's own sockets are the witness: `stdlib` on Linux keeps every check
that it has the names for.

- **kept**: the implementation did what was promised.
- **deviation**: it did not, and the platform's file in `platforms/` says so, with the reason and the evidence. One
  that is kept after all fails the run.
- **absent**: the feature is not there: `features()` says so, or the standard library has not got the name.
- **broken**: it did something else.

`winsock` is samesock's layer over Winsock, driven over Linux' own sockets; `winsock-scripted` is the same with answers
in between that real Windows gives and Wine does not. `winsock-native` are the Unix sockets that Windows itself has,
over libc's calls instead of Winsock's. Wine is not Windows: a run there shows the interpreter, the
Winsock calls and the error codes, not the NT kernel. `samesock-emulated` is samesock with the emulation of Unix sockets
forced on. A check of what only samesock has is not made of the standard library.
"""


def markdown(results: Sequence[Result]) -> str:
    """The page for people: the scores, the areas, and every check that is not simply kept by samesock."""
    parts = [_HEAD, "## Scores\n", *_markdown_rows(_score_rows(results))]
    columns = runners(results)
    header = ["area", *(f"{platform} {python} {name}" for platform, python, name in columns)]
    parts += ["\n## Areas: kept / all\n", *_markdown_rows([header, *area_rows(results)])]
    judged = [one for one in results if one.implementation != "stdlib"]
    for word in ("broken", "deviation"):
        if listed := [one for one in judged if one.outcome == word]:
            parts.append(f"\n## {word.capitalize()}, of samesock\n")
            parts += [_line(one) for one in listed]
    if lost := [one for one in results if one.implementation == "stdlib" and one.outcome == "broken"]:
        parts.append("\n## Broken, of the standard library\n")
        parts += [_line(one) for one in lost]
    return "\n".join(parts) + "\n"


def _line(one: Result) -> str:
    return f"- {one.platform} {one.python} {one.implementation}: {one.area}, `{one.check}`"


def _score_rows(results: Sequence[Result]) -> Iterator[list[str]]:
    yield ["platform", "Python", "implementation", "kept", "deviation", "absent", "broken", "all", "score"]
    for runner in runners(results):
        found = score(of(results, runner))
        counts = (found.kept, found.deviation, found.absent, found.broken, found.all)
        yield [*runner, *map(str, counts), f"{100 * found.kept / found.all:.1f} %"]


def _markdown_rows(rows: Iterable[list[str]]) -> Iterator[str]:
    for number, row in enumerate(rows):
        yield "| " + " | ".join(row) + " |"
        if number == 0:
            yield "|" + "---|" * len(row)


def as_json(results: Iterable[Result]) -> str:
    """A list of objects, one a line, so that two runs can be compared line by line."""
    return "[\n" + ",\n".join(json.dumps(one._asdict()) for one in results) + "\n]\n"


def main(arguments: Sequence[str]) -> int:
    """Put runs together; 1 if one of them failed or was cut short."""
    parser = argparse.ArgumentParser(description="Put runs of the conformance suite together.")
    parser.add_argument("runs", nargs="+", type=Path, help="what `pytest --score=FILE` wrote")
    parser.add_argument("--json", type=Path, help="where to write every result")
    parser.add_argument("--markdown", type=Path, help="where to write the page for people")
    options = parser.parse_args(arguments)
    results: list[Result] = []
    failed = []
    for run in options.runs:
        found, status = read(run)
        results += found
        if status:
            failed.append(run.name)
    if options.json:
        options.json.write_text(as_json(results), encoding="utf-8")
    if options.markdown:
        options.markdown.write_text(markdown(results), encoding="utf-8")
    print(text_table(results))
    for one in results:
        if one.outcome == "broken" and one.implementation != "stdlib":
            print("broken:", _line(one).removeprefix("- "))
    if failed:
        print(f"these runs had failures: {', '.join(failed)}")
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
