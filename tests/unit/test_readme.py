"""The README keeps its word: its example runs, and what it tells to type is what CI types."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

import samesock

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_example_runs(tmp_path):
    """The README's example, run as a program, prints what it promises, and leaves neither a socket nor a file."""
    (program,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    place = f'"readme-{os.getpid()}"'
    assert '"greeter"' in program
    environment = dict(os.environ, PYTHONPATH=os.pathsep.join(filter(None, sys.path)))
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program.replace('"greeter"', place)],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    path = Path(samesock.unix_path(place.strip('"')))
    left = os.path.lexists(path)
    path.unlink(missing_ok=True)
    assert (done.returncode, done.stdout, done.stderr, left) == (0, "hello\n", "", False)


def test_ci_runs_the_readmes_command():
    """.ci/run types the words of the README's test command, one after the other."""
    script = ROOT / ".ci" / "run"
    if not script.exists():
        pytest.skip("the CI script is absent from this copy")
    section = README.partition("## Run the tests")[2]
    (command,) = re.findall(r"```console\n(.*?)\n```", section, re.DOTALL)[:1]
    typed = re.sub(r"--quiet ", "", script.read_text(encoding="utf-8"))
    for part in command.split(" && "):
        assert part in typed, part


@pytest.mark.parametrize(
    ("platform", "title"), [("wine", "Windows under Wine"), ("linux", "Linux")], ids=["wine", "linux"]
)
@pytest.mark.parametrize("implementation", ["stdlib", "samesock"])
def test_the_scores_are_those_of_the_recorded_run(platform, title, implementation):
    """The README's table of scores is what docs/conformance.json counts."""
    record = ROOT / "docs" / "conformance.json"
    counts = Counter(
        one["outcome"]
        for one in json.loads(record.read_text(encoding="utf-8"))
        if one["platform"] == platform and one["implementation"] == implementation
    )
    name = {"stdlib": "the standard library"}.get(implementation, implementation)
    kept, others = counts["kept"], [counts[word] for word in ("deviation", "absent", "broken")]
    assert f"| {title}, {name} | {kept} of {counts.total()} | {' | '.join(map(str, others))} |" in README
