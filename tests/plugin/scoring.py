"""The corpus's truth, and the score of a checker's report against it.

The truth stands in the corpus itself: a comment "leaks: WAY" on the line that opens what stays open (for
"closed-foreign", on the line that closes), inside the test or fixture that is to blame, or "leaks: WAY by
TEST" where another function is. What must never be put here: anything that knows how a particular checker
works.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

CORPUS = Path(__file__).parent / "corpus"

XUNIT = {"setup_module", "teardown_module", "setUpModule", "setUpClass"}
"""What is a fixture to pytest, and to whoever wrote it a function with a name that means something."""

_MARK = re.compile(r"# leaks: (?P<way>[a-z-]+)(?: by (?P<by>\w+))?\s*$")


class Leak(NamedTuple):
    """One line of the truth."""

    who: str
    """The name of the test or fixture to blame."""
    is_fixture: bool
    way: str
    file: str
    line: int


class Blame(NamedTuple):
    """One thing that a checker said: whom it blames, and for which line ("file.py:12", or "")."""

    who: str
    line: str


class Score(NamedTuple):
    """How a checker did on the tests that ran."""

    tests: int
    tests_caught: int
    fixtures: int
    fixtures_caught: int
    lines_right: int
    false_alarms: int
    missed: tuple[str, ...]
    wrong: tuple[str, ...]
    lines_wrong: tuple[str, ...]


def read_truth(folder: Path = CORPUS) -> list[Leak]:
    """Every marked line of the corpus."""
    found = []
    for file in sorted(folder.glob("*.py")):
        text = file.read_text(encoding="utf-8")
        functions = _functions(ast.parse(text))
        fixtures = {name for name, _, _, is_fixture in functions if is_fixture} | XUNIT
        for number, line in enumerate(text.splitlines(), 1):
            mark = _MARK.search(line)
            if mark is None:
                continue
            inside = [name for name, first, last, _ in functions if first <= number <= last]
            who = mark["by"] or inside[0]
            found.append(Leak(who, who in fixtures, mark["way"], file.name, number))
    return found


def _functions(tree: ast.Module) -> list[tuple[str, int, int, bool]]:
    """The functions of a module: name, first and last line, whether it is a fixture."""
    return [
        (
            node.name,
            node.lineno,
            node.end_lineno or node.lineno,
            "fixture" in ast.dump(ast.List(node.decorator_list)),
        )
        for node in tree.body
        if isinstance(node, ast.FunctionDef)
    ]


def score(blames: Iterable[Blame], ran: Iterable[str], truth: list[Leak] | None = None) -> Score:
    """Hold what a checker said against the truth. `ran` names the tests that ran: what was skipped does not
    count.

    A fixture is caught only when the fixture is blamed. Whoever is blamed without having leaked is a false
    alarm.
    """
    truth = read_truth() if truth is None else truth
    names = set(ran)
    said: dict[str, list[str]] = {}
    for blame in blames:
        said.setdefault(blame.who, []).append(blame.line)
    due = [leak for leak in truth if leak.is_fixture or leak.who in names]
    caught = [leak for leak in due if leak.who in said]
    right = [leak for leak in caught if f"{leak.file}:{leak.line}" in said[leak.who]]
    guilty = {leak.who for leak in due}
    wrong = tuple(sorted(set(said) - guilty))
    return Score(
        tests=sum(not leak.is_fixture for leak in due),
        tests_caught=sum(not leak.is_fixture for leak in caught),
        fixtures=sum(leak.is_fixture for leak in due),
        fixtures_caught=sum(leak.is_fixture for leak in caught),
        lines_right=sum(not leak.is_fixture for leak in right),
        false_alarms=len(wrong),
        missed=tuple(leak.who for leak in due if leak not in caught),
        wrong=wrong,
        lines_wrong=tuple(f"{leak.who}: {said[leak.who]}" for leak in caught if leak not in right),
    )
