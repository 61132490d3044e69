"""Running pytest with the plugin in a process of its own, and reading what it found.

A test that leaks really leaks: in a process of its own it cannot disturb the suite. What must never be put
here: expectations.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import samesock

PLUGIN = "samesock_fd_leaks"
SOURCES = Path(samesock.__file__).parent.parent
SECONDS = 110
UNWANTED = ("PYTEST_", "COV_CORE", "PYTHONDONTWRITEBYTECODE")


@dataclass(frozen=True)
class Run:
    """One finished run."""

    code: int
    output: str
    rows: list[dict[str, Any]]
    """The findings of the JSON report."""
    outcomes: dict[str, list[str]]
    """Test name to the words that -rA gave it (PASSED, ERROR, ...)."""

    def who(self, *words: str) -> dict[str, dict[str, Any]]:
        """The findings by whom they blame, of those reported as one of `words` (all when none is given)."""
        return {row["who"]: row for row in self.rows if not words or row["as"] in words}


def plugin_options() -> list[str]:
    """How to load the plugin where the package is not installed."""
    names = {point.name for point in entry_points(group="pytest11")}
    return [] if PLUGIN in names else ["-p", "samesock.pytest_plugin"]


def environment(more: Mapping[str, str]) -> dict[str, str]:
    """This process's, with the sources on the path and without what would change how the inner pytest
    behaves."""
    paths = [str(SOURCES), *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
    kept = {name: value for name, value in os.environ.items() if not name.startswith(UNWANTED)}
    return {**kept, "PYTHONPATH": os.pathsep.join(paths), **more}


def run_pytest(folder: Path, report: Path, *options: str, plugin: bool = True, **more: str) -> Run:
    """Run pytest in `folder`; `report` is where the JSON report goes."""
    # stdin is a pipe: under Wine a child whose standard input is closed has none at all.
    words = [sys.executable, "-m", "pytest", "-rA", "--color=no", "-p", "no:hypothesispytest"]
    if plugin:
        words += [*plugin_options(), f"--fd-leaks-json={report}"]
    done = subprocess.run(
        [*words, *options],
        cwd=folder,
        env=environment(more),
        input="",
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=SECONDS,
        text=True,
        encoding="utf-8",
        errors="replace",
        check=False,
    )
    rows = json.loads(report.read_text(encoding="utf-8"))["findings"] if report.exists() else []
    return Run(done.returncode, done.stdout, rows, read_outcomes(done.stdout))


def read_outcomes(output: str) -> dict[str, list[str]]:
    """The words of the short summary, by the test's own name."""
    found: dict[str, list[str]] = {}
    for word, name in re.findall(r"^(PASSED|FAILED|ERROR|XFAIL|XPASS) \S*?::(\S+)", output, re.MULTILINE):
        found.setdefault(name, []).append(word)
    return found
