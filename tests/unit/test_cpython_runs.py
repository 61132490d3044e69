"""`nox -s cpython`'s own parts: that a run is written down truly, and judged strictly both ways."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

FOLDER = Path(__file__).parents[1] / "cpython"

TINY = """
import os, unittest

class Tests(unittest.TestCase):
    def test_a_passes(self):
        pass

    def test_b_fails(self):
        self.assertEqual(1, 2)

    def test_c_is_skipped(self):
        self.skipTest("no reason")

    def test_d_fails_in_part(self):
        for number in range(3):
            with self.subTest(number):
                self.assertNotEqual(number, 1)

    def test_e_leaves_something(self):
        from test import support
        support.environment_altered = True

    def test_f_kills(self):
        os._exit(3)

    def test_g_comes_after(self):
        pass
"""


@pytest.fixture
def judging(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """The module that judges, which is imported as the scripts beside it do."""
    monkeypatch.syspath_prepend(str(FOLDER))
    yield importlib.import_module("judging")
    for name in ("check", "judging", "places"):
        sys.modules.pop(name, None)


def lines(path: Path) -> dict[str, str]:
    """What the file says of each test, the last word counting."""
    read = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return {fields["test"].partition(".")[2]: fields["outcome"] for fields in read if "test" in fields}


def test_what_each_test_gave_is_written(tmp_path: Path) -> None:
    """Each test's worst is in the file; one that kills the process is named, and the next process goes on behind it."""
    package = tmp_path / "tests" / "test"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "support.py").write_text("environment_altered = False\nuse_resources = None\n")
    (package / "test_tiny.py").write_text(TINY)
    results = tmp_path / "results.jsonl"
    line = [sys.executable, str(FOLDER / "run.py"), "--way=stdlib", f"--results={results}"]
    line += [f"--tests={tmp_path / 'tests'}", "test_tiny"]
    assert subprocess.run(line, capture_output=True, check=False).returncode == 3
    assert lines(results)["test_f_kills"] == "begun"
    subprocess.run(line, capture_output=True, check=True)
    assert lines(results) == {
        "test_a_passes": "passed",
        "test_b_fails": "failed",
        "test_c_is_skipped": "skipped",
        "test_d_fails_in_part": "failed",
        "test_e_leaves_something": "failed",
        "test_f_kills": "begun",
        "test_g_comes_after": "passed",
    }
    assert json.loads(results.read_text().splitlines()[-1]) == {"ended": True}


def test_the_list_is_strict_both_ways(judging: ModuleType) -> None:
    """What is not listed may not fail, unless it fails without samesock; what is listed may not pass, or be gone."""
    results = sys.modules["places"].Results()
    outcomes = {"A.good": "passed", "A.bad": "failed", "A.known": "failed", "A.mended": "passed"}
    outcomes |= {"A.anyway": "failed", "A.not_here": "skipped"}
    for test, outcome in outcomes.items():
        results.tests[test] = sys.modules["places"].Result(outcome)
    entries = [
        {"module": "m", "tests": ["A.known", "A.mended", "A.gone"], "reason": ""},
        {"module": "m", "tests": ["A.bad"], "reason": "", "places": ["elsewhere"]},
        {"module": "other", "tests": ["A.bad"], "reason": ""},
    ]
    judged = judging.judged(entries, results, "m", "here", "import", fails_anyway={"A.anyway"}, whole=True)
    assert (judged.passed, judged.skipped) == (["A.good"], ["A.not_here"])
    assert (judged.expected, judged.without) == (["A.known"], ["A.anyway"])
    assert (judged.failed, judged.stale) == (["A.bad"], ["A.mended", "A.gone"])


def test_every_entry_says_what_it_is_about(judging: ModuleType) -> None:
    """Each entry of expected.toml has a module, tests and a reason, and no key that nobody reads."""
    for kind in ("failure", "left_out"):
        for entry in judging.read(kind):
            assert (
                {"module", "tests", "reason"}
                <= entry.keys()
                <= {*("module", "tests", "reason"), "places", "ways"}
            )
            assert entry["tests"]


@pytest.mark.parametrize(("demand", "code"), [([], 0), (["--demand"], 1)])
def test_a_place_that_is_missing_fails_where_all_are_demanded(
    judging: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    demand: list[str],
    code: int,
) -> None:
    """A place that this machine has not got is named and left out; with --demand, as on CI, the run fails for it."""
    check = importlib.import_module("check")

    def lacking() -> None:
        raise check.Lacking("a thing")

    row = check.Row("test_socket", "stdlib", check.Place("here", "3", (), {}), judging.Verdict(), True)
    monkeypatch.setattr(check, "run_module", lambda *_: [row])
    places = {"here": (lambda: row.place, ("stdlib",)), "there": (lacking, ("stdlib",))}
    monkeypatch.setattr(check, "PLACES", places)
    assert check.main([*demand, "test_socket"]) == code
    assert "there: left out, for want of a thing" in capsys.readouterr().out
