"""The corpus of 60 tests with known truth, through the plugin as a user runs it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from plugin.running import Run, run_pytest
from plugin.scoring import CORPUS, Blame, Score, read_truth, score

pytestmark = pytest.mark.timeout(120)


def blames_of(run: Run) -> list[Blame]:
    """What the plugin said: a fixture's finding names it in quotes."""
    said = []
    for row in run.rows:
        if row["as"] not in ("finding", "section"):
            continue
        name = re.search(r"'(\w+)'", row["who"]) if row["who_kind"] == "fixture" else None
        who = name[1] if name else row["who"].rpartition("::")[2]
        rows = row["closed_at"] if row["verdict"] == "closed-foreign" else row["stack"]
        said.append(Blame(who, f"{Path(rows[0][0].replace(chr(92), '/')).name}:{rows[0][1]}" if rows else ""))
    return said


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    report = tmp_path_factory.mktemp("corpus") / "report.json"
    return run_pytest(CORPUS, report, "--fd-leaks=error", "-p", "no:asyncio")


@pytest.fixture(scope="module")
def result(run: Run) -> Score:
    return score(blames_of(run), run.outcomes)


def test_truth_is_what_the_documentation_says() -> None:
    """35 tests leak in 15 ways, and 6 fixtures besides."""
    truth = read_truth()
    tests = [leak for leak in truth if not leak.is_fixture]
    assert len(tests) == 35
    assert len({leak.way for leak in truth}) == 15
    assert len(truth) - len(tests) == 6


def test_every_leak_is_caught(result: Score, run: Run) -> None:
    """Every leaking test and fixture that ran is blamed."""
    assert result.missed == (), run.output


def test_nobody_else_is_blamed(result: Score, run: Run) -> None:
    """No clean test is blamed, nor a test that ran after a leaking one or used a leaking fixture."""
    assert result.wrong == (), run.output


def test_lines_are_right(result: Score) -> None:
    """At least 33 of 35 findings name the very line that opened the descriptor."""
    assert result.lines_right >= result.tests - 2, result.lines_wrong


def test_leaking_tests_fail_and_clean_ones_pass(run: Run) -> None:
    """A leak is an error of the blamed test's teardown, or of the teardown that ended the blamed fixture."""
    guilty = {leak.who for leak in read_truth() if not leak.is_fixture}
    for name in guilty & set(run.outcomes):
        assert "ERROR" in run.outcomes[name], name
    assert run.code == 1


@pytest.mark.any_python
def test_workers_agree(tmp_path: Path) -> None:
    """pytest-xdist's workers find the same, and their findings arrive."""
    pytest.importorskip("xdist", reason="feature absent: pytest-xdist")
    files = ("corpus_clean.py", "corpus_sockets.py")
    run = run_pytest(CORPUS, tmp_path / "r.json", "--fd-leaks=error", "-p", "no:asyncio", "-n2", *files)
    parallel = score(blames_of(run), run.outcomes)
    assert parallel.missed == (), run.output
    assert parallel.wrong == (), run.output
    assert parallel.lines_right == parallel.tests
