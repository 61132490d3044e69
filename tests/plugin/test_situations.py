"""Situations beside the corpus: who is to blame where fixtures, threads, plugins and compiled code are in play."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from plugin.running import Run, environment, run_pytest
from plugin.scoring import Score, read_truth, score
from plugin.test_corpus import blames_of

pytestmark = pytest.mark.timeout(120)

SITUATIONS = Path(__file__).parent / "situations"
TRUTH = read_truth(SITUATIONS)


def judged(run: Run) -> Score:
    """The score of a run; a test in a class goes by its own name, and a file that did not run has nothing due."""
    return score(blames_of(run), {name.rpartition("::")[2] for name in run.outcomes}, TRUTH)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    report = tmp_path_factory.mktemp("situations") / "report.json"
    return run_pytest(SITUATIONS, report, "--fd-leaks=error", "-p", "no:asyncio")


@pytest.fixture(scope="module")
def result(run: Run) -> Score:
    return judged(run)


def test_every_leak_is_blamed_on_who_opened_it(result: Score, run: Run) -> None:
    """The test, or the fixture of wider scope, whose code opened it answers, its teardown and functions included."""
    assert result.missed == (), run.output


def test_nobody_else_is_blamed(result: Score, run: Run) -> None:
    """Not a module's last test, nor one that starts an executor's thread or uses a factory, nor the next one."""
    assert result.wrong == (), run.output


def test_lines_are_right(result: Score) -> None:
    """The line is that of the call, and none where compiled code opened it: never that of a file closed before."""
    unknown = "test_compiled_code_under_the_same_number: ['']"
    assert [line for line in result.lines_wrong if line != unknown] == []


def test_setup_functions_go_by_their_own_names(run: Run) -> None:
    """`setup_module` and its like are named with their own file and line, and not as what pytest makes of them."""
    named = {row["who"] for row in run.rows if row["who_kind"] == "fixture" and row["as"] == "finding"}
    lines = (SITUATIONS / "situations_unittest.py").read_text(encoding="utf-8").splitlines()
    at = 1 + lines.index("def setUpModule() -> None:")
    assert f"module fixture 'setUpModule' (situations_unittest.py:{at})" in named, named
    assert [who for who in named if "_pytest" in who or "'_" in who] == []


@pytest.mark.any_python
def test_workers_agree(tmp_path: Path) -> None:
    """The same under pytest-xdist, whose workers each run some of the tests."""
    pytest.importorskip("xdist", reason="feature absent: pytest-xdist")
    options = ("--fd-leaks=error", "-p", "no:asyncio", "-n2", "--dist=loadfile")
    run = run_pytest(SITUATIONS, tmp_path / "r.json", *options)
    result = judged(run)
    assert (result.missed, result.wrong) == ((), ()), run.output


AGAIN = """
from _pytest.runner import runtestprotocol

def pytest_runtest_protocol(item, nextitem):
    for _ in range(2):
        item._initrequest()
        reports = runtestprotocol(item, nextitem=nextitem, log=False)
        if not any(report.failed for report in reports):
            break
    for report in reports:
        item.ihook.pytest_runtest_logreport(report=report)
    return True
"""

FLAKY = """
import socket

KEPT, RUNS = [], []

def test_leaks_when_it_passes():
    RUNS.append(1)
    assert len(RUNS) > 1
    KEPT.append(socket.socket())

def test_leaks_when_it_fails():
    RUNS.append(1)
    if len(RUNS) == 3:
        KEPT.append(socket.socket())
        raise ValueError

def test_clean():
    pass
"""


@pytest.mark.any_python
def test_a_test_that_is_run_again(tmp_path: Path) -> None:
    """Where a plugin runs a test again after a failure, as pytest-rerunfailures does, each run answers for itself."""
    (tmp_path / "conftest.py").write_text(AGAIN)
    (tmp_path / "test_flaky.py").write_text(FLAKY)
    run = run_pytest(tmp_path, tmp_path / "r.json", "--fd-leaks=error", "-p", "no:asyncio")
    assert "ERROR" in run.outcomes["test_leaks_when_it_passes"], run.output
    assert run.outcomes["test_leaks_when_it_fails"] == ["PASSED"], run.output
    assert run.outcomes["test_clean"] == ["PASSED"], run.output
    assert set(run.who("finding")) == {"test_flaky.py::test_leaks_when_it_passes"}
    assert set(run.who("section")) == {"test_flaky.py::test_leaks_when_it_fails"}


DOCTESTS = '''
def leaks():
    """
    >>> import os
    >>> ends = os.pipe()
    """

def clean():
    """
    >>> import socket
    >>> with socket.socket() as sock: sock.fileno() > 0
    True
    """
'''


def test_doctests(tmp_path: Path) -> None:
    """A documentation test is a test: its leak is its own, under doctest's name for the line."""
    (tmp_path / "documented.py").write_text(DOCTESTS)
    run = run_pytest(tmp_path, tmp_path / "r.json", "--fd-leaks=error", "--doctest-modules", "documented.py")
    assert set(run.who()) == {"documented.py::documented.leaks"}, run.output
    (row,) = run.rows
    assert row["stack"][0][:2] == ["<doctest documented.leaks[1]>", 1]


ENDING = """
import multiprocessing, os
from samesock.leaks import tracing

tracing.start()
import multiprocessing.connection  # it keeps the os.close that stands there now
os.kept = multiprocessing.Pipe()
{stop}
"""


@pytest.mark.parametrize("stop", ["tracing.stop()", ""], ids=["stopped", "still tracing"])
def test_what_is_closed_while_the_interpreter_ends(stop: str) -> None:
    """A stand-in that a library has kept says nothing while the interpreter ends, whether or not tracing goes on."""
    code = ENDING.format(stop=stop)
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=environment({}),
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
