"""The corpus through every descriptor checker that PyPI has, scored against the same truth.

`python tests/bench/compare_leak_checkers.py` in an environment with any of pytest-openfiles, distributed
(for dask's pytest_resourceleaks), psleak, and lsof on the path; what is missing is left out and said. What
must never be put here: a reading of another checker's output kinder or harsher than what its user sees.
"""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

sys.path[:0] = [str(Path(__file__).parents[1]), str(Path(__file__).parents[2] / "src")]

from plugin.running import environment, read_outcomes, run_pytest  # noqa: E402
from plugin.scoring import CORPUS, Blame, score  # noqa: E402
from plugin.test_corpus import blames_of  # noqa: E402

PSLEAK = """
import psleak, pytest

@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem):
    names = pyfuncitem._fixtureinfo.argnames
    values = {name: pyfuncitem.funcargs[name] for name in names}
    check = psleak.MemoryLeakTestCase()
    only = psleak.Checkers.only("fds")
    check.execute(lambda: pyfuncitem.obj(**values), checkers=only)
    return True
"""
"""psleak has no plugin: each test's function is given to its `execute`, once, looking at descriptors only."""


class Checker(NamedTuple):
    """Another checker: what it needs, how it is switched on, and how its output is read."""

    name: str
    needs: Callable[[], object]
    options: tuple[str, ...]
    read: Callable[[str], Iterable[Blame]]


def read_errors(output: str) -> Iterable[Blame]:
    """Tests that ended with ERROR or FAILED."""
    return [
        Blame(name, "") for name, words in read_outcomes(output).items() if {"ERROR", "FAILED"} & set(words)
    ]


def read_lsof(output: str) -> Iterable[Blame]:
    """The functions that its warnings name, with the line of the test (not of the leak)."""
    return [
        Blame(row[2], f"{row[0]}:{row[1]}") for row in re.findall(r"function (\S+?):(\d+): (\w+)", output)
    ]


def read_dask(output: str) -> Iterable[Blame]:
    """Its list of leaking tests."""
    return [Blame(name, "") for name in re.findall(r"::(\w+) leaking fds", output)]


def read_psleak(output: str) -> Iterable[Blame]:
    """Tests that failed with its own error, however pytest shortened it."""
    return [
        Blame(name, "")
        for name in re.findall(r"^FAILED \S+?::(\w+) - psleak\.Unclosed", output, re.MULTILINE)
    ]


CHECKERS = (
    Checker(
        "pytest-openfiles",
        lambda: importlib.util.find_spec("pytest_openfiles"),
        ("-p", "pytest_openfiles.plugin", "--open-files"),
        read_errors,
    ),
    Checker("pytest --lsof", lambda: shutil.which("lsof"), ("-p", "pytester", "--lsof"), read_lsof),
    Checker(
        "dask pytest_resourceleaks",
        lambda: importlib.util.find_spec("distributed"),
        ("-p", "distributed.pytest_resourceleaks", "-L", "fds"),
        read_dask,
    ),
    Checker("psleak", lambda: importlib.util.find_spec("psleak"), ("-p", "corpus_psleak"), read_psleak),
)


def row(name: str, blames: Iterable[Blame], ran: Iterable[str], seconds: float) -> str:
    """One row of the table."""
    found = score(blames, ran)
    return (
        f"| {name} | {found.tests_caught} of {found.tests} | {found.fixtures_caught} of {found.fixtures} "
        f"| {found.lines_right} of {found.tests} | {found.false_alarms} | {seconds:.1f} s |"
    )


def run_other(checker: Checker, folder: Path) -> str:
    """Run the corpus with another checker alone."""
    (folder / "corpus_psleak.py").write_text(PSLEAK)
    words = [sys.executable, "-m", "pytest", "-rA", "--color=no", "--tb=short", *checker.options]
    more = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTHONPATH": str(folder)}
    done = subprocess.run(
        words,
        cwd=CORPUS,
        env={**environment({}), **more},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=600,
        check=False,
    )
    return done.stdout


def main() -> None:
    """Print the table in Markdown."""
    print("| checker | leaking tests caught | leaking fixtures blamed | line right | blamed wrongly | time |")
    print("|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        begun = time.perf_counter()
        run = run_pytest(CORPUS, folder / "r.json", "--fd-leaks=error", "-p", "no:asyncio")
        print(row("samesock.pytest_plugin", blames_of(run), run.outcomes, time.perf_counter() - begun))
        for checker in CHECKERS:
            if not checker.needs():
                print(f"| {checker.name} | not installed | | | | |")
                continue
            begun = time.perf_counter()
            output = run_other(checker, folder)
            took = time.perf_counter() - begun
            print(row(checker.name, checker.read(output), read_outcomes(output), took))


if __name__ == "__main__":
    main()
