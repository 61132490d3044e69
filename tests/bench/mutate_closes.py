"""Delete one `close()` at a time in samesock itself and see whether the suite, run with --fd-leaks=error, notices.

`python tests/bench/mutate_closes.py [FILE[:LINE] ...]` works in copies of the checkout. First the whole suite runs
there once for each mode (`linux`, `emulated`, `wine`), with a mark at every statement that only closes: so it is known
which tests run which statement. Each mutant is then run with tests that passed and that run its statement. It is "leak"
when the leak checker failed a test, "other" when only another check did, "survived" when nothing did (then leaving it
out leaks nothing that is left at the end of a test: the object is closed elsewhere, dropped and freed at once, or a
child process's), "unrun" when no test runs the statement. What must never be put here: a list of mutants to forgive.
"""

from __future__ import annotations

import argparse
import ast
import json
import os
import queue
import shutil
import signal
import subprocess
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "src")]

from plugin.running import plugin_options  # noqa: E402

PACKAGE = Path("src") / "samesock"
SECONDS = 150
WHOLE_SECONDS = 3000
CLOSING = (
    "close",
    "_real_close",
    "close_if_last",
    "_close_pipe",
    "close_number",
    "CloseHandle",
    "closesocket",
)
"""What a statement that only closes calls."""
SUITE = tuple(
    f"tests/{part}"
    for part in ("unit", "conformance", "fd", "fdtable", "selectors", "install", "aio", "faults", "plugin")
)
LEFT_OUT = (
    "tests/unit/test_wine_launcher.py",
    "tests/unit/test_nox_sessions.py",
    "tests/plugin/test_corpus.py",
)
ROUNDS = ((30, 15.0), (200, 60.0))
"""How many tests, of how many seconds together, try a mutant at first, and then if it survived."""


class Site(NamedTuple):
    """One statement that only closes."""

    file: Path
    line: int
    last: int
    text: str

    @property
    def name(self) -> str:
        """File and line."""
        return f"{self.file.relative_to(PACKAGE).as_posix()}:{self.line}"


class Use(NamedTuple):
    """A test that runs a statement."""

    is_child: bool
    """Whether only a process that the test started runs it."""
    seconds: float
    test: str


Ran = dict[str, dict[str, list[Use]]]
"""By mode, by statement: the tests that run it, cheapest first."""


def sites(file: Path) -> Iterator[Site]:
    """Every statement in `file` that is nothing but a call of something that closes, or returns what that gives."""
    text = (ROOT / file).read_text(encoding="utf-8")
    for node in ast.walk(ast.parse(text)):
        if not isinstance(node, ast.Expr | ast.Return) or not isinstance(node.value, ast.Call):
            continue
        called = node.value.func
        name = called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")
        if name in CLOSING:
            yield Site(file, node.lineno, node.end_lineno or node.lineno, ast.unparse(node))


def named(word: str) -> Iterator[Site]:
    """The statements in a file or a folder, or the one at `FILE:LINE`."""
    name, _, line = word.partition(":")
    path = Path(name).resolve()
    for file in [path] if path.is_file() else sorted(path.rglob("*.py")):
        for site in sites(file.relative_to(ROOT)):
            if not line or site.line == int(line):
                yield site


def put(copy: Path, site: Site, text: str) -> None:
    """Put `text` in the statement's place."""
    path = copy / site.file
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    first = lines[site.line - 1]
    lines[site.line - 1] = first[: len(first) - len(first.lstrip())] + text + "\n"
    lines[site.line : site.last] = ["\n"] * (site.last - site.line)
    path.write_text("".join(lines), encoding="utf-8")


def make_copy(copy: Path) -> Path:
    """The checkout's own files, in a folder."""
    skipped = shutil.ignore_patterns("__pycache__", "_build")
    for part in ("src", "tests", "platforms", "docs", "examples"):
        shutil.copytree(ROOT / part, copy / part, ignore=skipped)
    for part in ("pyproject.toml", "README.md", "CHANGELOG.md", "noxfile.py", "LICENSE"):
        shutil.copy(ROOT / part, copy / part)
    return copy


def run(copy: Path, mode: str, options: Sequence[str], seconds: int) -> tuple[int, str]:
    """Pytest's exit code and output; 255 if it did not end in time."""
    words = ["-m", "pytest", "-q", "--tb=line", "-p", "no:cacheprovider", "--fd-leaks=error", *options]
    environment = {**os.environ, "PYTHONPATH": str(copy / "src"), "PYTHONDONTWRITEBYTECODE": "1"}
    if mode == "wine":
        launcher = [sys.executable, str(ROOT / "platforms/wine/wine.py"), "--checkout", str(copy), "run"]
        words[2:2] = ["-p", "samesock.pytest_plugin", "-o", "faulthandler_timeout=0"]
        words = [*launcher, f"--timeout={seconds}", "--", *words]
    else:
        words = [sys.executable, *words, *plugin_options()]
        if mode == "emulated":
            environment["SAMESOCK_UNIX"] = "emulated"
    with tempfile.TemporaryFile() as out:
        # A session of its own: what a mutant leaves hanging is ended with it.
        process = subprocess.Popen(
            words,
            cwd=copy,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            start_new_session=True,
        )
        try:
            code = process.wait(seconds + 30)
        except subprocess.TimeoutExpired:
            code = 255
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        process.wait()
        out.seek(0)
        return code, out.read().decode(errors="replace")


def look(copy: Path, modes: Sequence[str], suite: Sequence[str], workers: int) -> Ran:
    """Run the tests with a mark at every statement, and say which tests that passed run which."""
    shutil.copy(Path(__file__).with_name("closes_run.py"), copy / "src")
    for file in sorted((ROOT / PACKAGE).rglob("*.py")):
        for site in sites(file.relative_to(ROOT)):
            marked = f'__import__("closes_run").mark({site.name!r}); {site.text}'
            put(copy, site, marked)
    found: Ran = {}
    for mode in modes:
        notes = copy / "closes-run"
        shutil.rmtree(notes, ignore_errors=True)
        notes.mkdir()
        # Those of the plugin start whole suites, which the mode changes nothing in.
        tests = [one for one in suite if mode == "linux" or one != "tests/plugin"]
        tests += [f"--ignore={one}" for one in LEFT_OUT]
        several = [f"--numprocesses={workers}", "--dist=worksteal", "--timeout=120"]
        code, output = run(copy, mode, ["-p", "closes_run", *several, *tests], WHOLE_SECONDS)
        found[mode] = read_notes(notes)
        print(f"{mode}: pytest ended with {code}: {output.strip().splitlines()[-1]}", file=sys.stderr)
    return found


def read_notes(notes: Path) -> dict[str, list[Use]]:
    """What closes_run wrote, without the tests that failed."""
    lines = [json.loads(line) for file in notes.iterdir() for line in file.read_text().splitlines()]
    seconds: Counter[str] = Counter()
    bad = set()
    for kind, test, outcome, took in lines:
        if kind == "test":
            seconds[test] += took
            if outcome != "passed":
                bad.add(test)
    inside: dict[str, dict[str, bool]] = defaultdict(dict)
    for kind, site, test, is_inside in lines:
        if kind == "ran" and test in seconds and test not in bad:
            inside[site][test] = is_inside or inside[site].get(test, False)
    return {
        site: sorted(Use(not here, round(seconds[test], 3), test) for test, here in tests.items())
        for site, tests in inside.items()
    }


def chosen(uses: Sequence[Use], count: int, seconds: float) -> list[str]:
    """The tests for one run, one file's after the other's, within these limits; always one at least."""
    by_file: dict[str, list[Use]] = defaultdict(list)
    for use in uses:
        by_file[use.test.partition("::")[0]].append(use)
    ranked = sorted((use.is_child, rank, use) for group in by_file.values() for rank, use in enumerate(group))
    found: list[str] = []
    for _, _, use in ranked:
        seconds -= use.seconds
        if found and (seconds < 0 or len(found) == count):
            break
        found.append(use.test)
    return sorted(found, key=[use.test for use in uses].index)


def try_tests(copy: Path, mode: str, tests: Sequence[str]) -> tuple[str, str]:
    """ "leak", "other" or "survived", and the first line that says why."""
    report = copy / "leaks.json"
    report.unlink(missing_ok=True)
    options = ["-x", "--timeout=40", "--fd-leaks-json=leaks.json", *tests]
    code, output = run(copy, mode, options, SECONDS)
    found = json.loads(report.read_text(encoding="utf-8"))["findings"] if report.exists() else []
    leaks = [row for row in found if row["as"] == "finding" or (row["as"] == "section" and code)]
    if leaks:
        place = leaks[0]["stack"][0][:2] if leaks[0]["stack"] else ""
        return "leak", f"{leaks[0]['who']}: {leaks[0]['label']} {place}"
    if code:
        said = [line for line in output.splitlines() if line.startswith(("FAILED", "ERROR", "E "))]
        return "other", (said or output.splitlines()[-1:] or ["no word"])[0]
    return "survived", ""


def verdict(copy: Path, site: Site, ran: Ran) -> tuple[str, str]:
    """Try one mutant in every mode, until something notices it."""
    before = (copy / site.file).read_text(encoding="utf-8")
    tried: set[str] = set()
    result = "unrun", ""
    try:
        for count, seconds in ROUNDS:
            for mode, by_site in ran.items():
                tests = chosen(by_site.get(site.name, ()), count, seconds) if site.name in by_site else []
                key = mode + " ".join(tests)
                if not tests or key in tried:
                    continue
                tried.add(key)
                put(copy, site, "return None" if site.text.startswith("return") else "pass")
                word, why = try_tests(copy, mode, tests)
                (copy / site.file).write_text(before, encoding="utf-8")
                if word == "other" and (again := try_tests(copy, mode, tests))[0] != "survived":
                    result = "unclear", f"fails without it, too: {again[1]}"
                    continue
                if word != "survived":
                    return word, f"{mode}: {why}"
                if result[0] == "unrun":
                    result = word, ""
                result = result[0], f"{result[1]} {mode}: {len(tests)} tests, {tests[0]}"
    finally:
        (copy / site.file).write_text(before, encoding="utf-8")
    return result


def main() -> None:
    """Print one line per mutant and the sums per part."""
    options = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    options.add_argument("files", nargs="*", help="files, folders and FILE:LINE to mutate (default: all)")
    options.add_argument("--modes", default="linux,emulated", help="of linux, emulated, wine")
    options.add_argument(
        "--ran", type=Path, help="keep what tests run what in this file, and read it if it is there"
    )
    options.add_argument(
        "--tests", nargs="+", default=SUITE, help="the folders or files of tests to choose from"
    )
    options.add_argument("--jobs", type=int, default=2, help="mutants at a time")
    given = options.parse_args()
    mutants = [site for one in given.files or [str(ROOT / PACKAGE)] for site in named(one)]
    modes = given.modes.split(",")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        ran: Ran = {}
        if given.ran and given.ran.exists():
            kept = json.loads(given.ran.read_text(encoding="utf-8"))
            ran = {
                mode: {site: [Use(*use) for use in uses] for site, uses in by.items()}
                for mode, by in kept.items()
            }
        lacking = [mode for mode in modes if mode not in ran]
        if lacking:
            ran |= look(make_copy(folder / "marked"), lacking, given.tests, 3)
        if given.ran:
            given.ran.write_text(json.dumps(ran), encoding="utf-8")
        ran = {mode: ran[mode] for mode in modes}
        copies: queue.SimpleQueue[Path] = queue.SimpleQueue()
        for number in range(given.jobs):
            copies.put(make_copy(folder / f"copy{number}"))

        def judge(site: Site) -> tuple[Site, str, str]:
            copy = copies.get()
            try:
                return site, *verdict(copy, site, ran)
            finally:
                copies.put(copy)

        sums: dict[str, Counter[str]] = defaultdict(Counter)
        with ThreadPoolExecutor(given.jobs) as pool:
            for site, word, why in pool.map(judge, mutants):
                part = site.file.relative_to(PACKAGE).parts[0].removesuffix(".py")
                sums[part][word] += 1
                print(f"{word:9} {site.name} {site.text}  {why}", flush=True)
    for part, words in sums.items():
        print(f"{part}: {sum(words.values())} mutants: {dict(words)}")


if __name__ == "__main__":
    main()
