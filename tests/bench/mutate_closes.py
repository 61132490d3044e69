"""Delete one `close()` at a time in samesock itself and see whether the suite, run with --fd-leaks=error, notices.

`python tests/bench/mutate_closes.py [FILE ...]` works in a copy of the checkout. A mutant is "leak" when the leak
checker failed a test, "other" when only another check did, "survived" when nothing did: then either no test runs that
line here, or leaving it out leaks nothing (the object is closed elsewhere, or dropped and freed at once). Each suite is
run once without a mutant first, and has to pass. What must never be put here: a list of mutants to forgive.
"""

from __future__ import annotations

import argparse
import ast
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "src")]

from plugin.running import plugin_options  # noqa: E402

PACKAGE = Path("src") / "samesock"
SECONDS = 240

CONFORMANCE = tuple(
    f"tests/conformance/test_{name}.py" for name in ("unix_passing", "unix_datagrams", "accept", "waking")
)

SUITES = (
    ("readiness", ("tests/selectors",)),
    ("fdtable", ("tests/fdtable",)),
    ("fd", ("tests/fd",)),
    ("_trials", ("tests/unit/test_doctor_trials.py", "tests/unit/test_features.py")),
    ("_probes", ("tests/unit/test_features.py",)),
    ("_aio_pipes", ("tests/aio",)),
    ("aio", ("tests/install", *CONFORMANCE)),
    ("_connections", CONFORMANCE),
    ("_passing", CONFORMANCE),
    ("_pickling", CONFORMANCE),
    ("_socket", CONFORMANCE),
    ("_waking", CONFORMANCE),
    ("backend", ("tests/unit/test_native_passing.py", "tests/unit/test_passing_kernel.py", *CONFORMANCE)),
    ("unix", ("tests/unit/test_pair.py", *CONFORMANCE)),
)
"""Which tests cover which part, at the price of a minute at most; what is in none of these is not mutated."""


class Site(NamedTuple):
    """One statement that only closes."""

    file: Path
    line: int
    last: int
    text: str


def sites(file: Path) -> Iterator[Site]:
    """Every statement in `file` that is nothing but a call of something named close."""
    text = (ROOT / file).read_text(encoding="utf-8")
    for node in ast.walk(ast.parse(text)):
        if not isinstance(node, ast.Expr) or not isinstance(node.value, ast.Call):
            continue
        called = node.value.func
        if isinstance(called, ast.Attribute) and called.attr in ("close", "_real_close"):
            yield Site(file, node.lineno, node.end_lineno or node.lineno, ast.unparse(node))


def suite_of(file: Path) -> tuple[str, ...]:
    """The tests that cover a file; () for none."""
    part = file.relative_to(PACKAGE).parts[0].removesuffix(".py")
    return next((tests for name, tests in SUITES if name == part), ())


def mutate(copy: Path, site: Site) -> str:
    """Put `pass` in the statement's place; the file's text before."""
    path = copy / site.file
    before = path.read_text(encoding="utf-8")
    lines = before.splitlines(keepends=True)
    first = lines[site.line - 1]
    lines[site.line - 1 : site.last] = [first[: len(first) - len(first.lstrip())] + "pass\n"]
    path.write_text("".join(lines), encoding="utf-8")
    return before


def run_suite(copy: Path, tests: tuple[str, ...]) -> tuple[str, str]:
    """ "leak", "other" or "survived", and the first line that says why."""
    report = copy / "leaks.json"
    report.unlink(missing_ok=True)
    words = [sys.executable, "-m", "pytest", "-q", "-x", "--tb=line", "-p", "no:cacheprovider"]
    words += [*plugin_options(), "--fd-leaks=error", f"--fd-leaks-json={report}", *tests]
    environment = {**os.environ, "PYTHONPATH": str(copy / "src")}
    try:
        done = subprocess.run(
            words,
            cwd=copy,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return "other", "the run did not end"
    found = json.loads(report.read_text(encoding="utf-8"))["findings"] if report.exists() else []
    leaks = [row for row in found if row["as"] == "finding" or (row["as"] == "section" and done.returncode)]
    if leaks:
        place = leaks[0]["stack"][0][:2] if leaks[0]["stack"] else ""
        return "leak", f"{leaks[0]['who']}: {leaks[0]['label']} {place}"
    if done.returncode:
        said = [line for line in done.stdout.splitlines() if line.startswith(("FAILED", "ERROR", "E "))]
        return "other", (said or done.stdout.splitlines()[-1:])[0]
    return "survived", ""


def main() -> None:
    """Print one line per mutant and the sums."""
    options = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    options.add_argument(
        "files", nargs="*", type=Path, help="files to mutate (default: all that have a suite)"
    )
    chosen = options.parse_args().files
    files = chosen or sorted(path.relative_to(ROOT) for path in (ROOT / PACKAGE).rglob("*.py"))
    sums: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as name:
        copy = Path(name)
        for part in ("src", "tests", "platforms"):
            shutil.copytree(ROOT / part, copy / part, ignore=shutil.ignore_patterns("__pycache__"))
        for part in ("pyproject.toml", "README.md", "docs"):
            source = ROOT / part
            (shutil.copytree if source.is_dir() else shutil.copy)(source, copy / part)
        for tests in {suite_of(file) for file in files if suite_of(file) and any(sites(file))}:
            verdict, why = run_suite(copy, tests)
            if verdict != "survived":
                raise SystemExit(f"without a mutant {' '.join(tests)} must pass, and does not: {why}")
        for file in files:
            for site in sites(file) if suite_of(file) else ():
                before = mutate(copy, site)
                verdict, why = run_suite(copy, suite_of(file))
                (copy / site.file).write_text(before, encoding="utf-8")
                sums[verdict] += 1
                print(f"{verdict:9} {site.file.as_posix()}:{site.line} {site.text}  {why}", flush=True)
    print(dict(sums))


if __name__ == "__main__":
    main()
