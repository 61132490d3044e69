"""Notes which statement that closes runs in which test, and how each test went; mutate_closes.py puts it in its copy.

The statements call `mark`, in whatever process and thread they run; pytest, given `-p closes_run`, tells the tests'
names and results. One line of JSON each, in a file of the process's own below `closes-run`. What must never be put
here: anything that pytest has to be imported for, since samesock itself imports this.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

TEST = "SAMESOCK_CLOSES_RUN_IN"
"""The variable with the running test's name, so that its child processes know it, too."""
FOLDER = Path(__file__).resolve().parents[1] / "closes-run"
_known: set[tuple[int, str, str]] = set()


def _write(line: list[Any]) -> None:
    try:
        with (FOLDER / f"{os.getpid()}.jsonl").open("a", encoding="utf-8") as out:
            out.write(json.dumps(line) + "\n")
    except OSError:
        pass  # a test that takes all descriptors away: another one will tell of the statement


def mark(site: str) -> None:
    """This statement runs now."""
    key = os.getpid(), site, os.environ.get(TEST, "")
    if key not in _known:
        _known.add(key)
        _write(["ran", site, key[2], "pytest" in sys.modules])


def pytest_runtest_logstart(nodeid: str) -> None:
    """Pytest's: a test begins."""
    os.environ[TEST] = nodeid


def pytest_runtest_logreport(report: Any) -> None:
    """Pytest's: one phase of a test is over. The workers' reports come to the process that started them, too."""
    if "PYTEST_XDIST_WORKER" not in os.environ:
        _write(["test", report.nodeid, report.outcome, report.duration])
