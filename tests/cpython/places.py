"""Where CPython's tests are run, and how a run is started there: here, here with the emulation forced, and under Wine.

What must never be put here: which tests are run, or what is expected of them.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

ROOT = Path(__file__).resolve().parents[2]
SCRATCH = Path(".nox") / "cpython-tests"
"""Relative to the checkout: it has another name under Wine. Git ignores it."""
RUN = "tests/cpython/run.py"
WINE = [sys.executable, "platforms/wine/wine.py"]
SILENCE = 90  # Seconds for one test; the longest took a fifth of it.
STARTS = 6


class Lacking(Exception):
    """What this machine has not got, and how to get it."""


@dataclass
class Result:
    """What one test gave."""

    outcome: str
    reason: str = ""
    seconds: float = 0.0


@dataclass
class Results:
    """What one run of a module gave, by test."""

    tests: dict[str, Result] = field(default_factory=dict)
    ended: bool = False

    def read(self, path: Path) -> None:
        """Take in a run's lines; a test that was begun and never ended has failed."""
        self.ended = False
        if not path.exists():
            return
        for line in path.read_text(encoding="utf-8").splitlines():
            fields = json.loads(line)
            if "ended" in fields:
                self.ended = True
            elif fields["outcome"] == "begun":
                self.tests[fields["test"]] = Result(
                    "failed", "the process ended in this test, or hung and was ended"
                )
            else:
                self.tests[fields["test"]] = Result(fields["outcome"], fields["reason"], fields["seconds"])

    def named(self, outcome: str) -> list[str]:
        """The tests of that outcome."""
        return [test for test, result in self.tests.items() if result.outcome == outcome]


@dataclass(frozen=True)
class Place:
    """One interpreter, and how to start it."""

    name: str
    python: str
    line: tuple[str, ...]
    environment: dict[str, str]

    def run(
        self, module: str, way: str, patterns: Iterable[str] = (), without: Iterable[str] = ()
    ) -> Results:
        """Run the module's tests, or those that are like one of the patterns; never those `without`.

        What has not been run when the process has died, or hangs, is run by another one: a test costs only itself.
        """
        patterns = tuple(patterns)
        path = SCRATCH / f"{self.name}-{way}-{module}{'-some' if patterns else ''}.jsonl"
        (ROOT / path).parent.mkdir(parents=True, exist_ok=True)
        (ROOT / path).unlink(missing_ok=True)
        words = [f"--way={way}", f"--results={path.as_posix()}", *(f"-k={name}" for name in patterns)]
        words += [*(f"--without={name}" for name in without), module]
        results = Results()
        with (ROOT / path.with_suffix(".log")).open("wb") as log:
            for _ in range(STARTS):
                self._start(words, ROOT / path, log)
                results.read(ROOT / path)
                if results.ended:
                    break
        return results

    def _start(self, words: list[str], path: Path, log: BinaryIO) -> None:
        """Run one process to its end, or until its file of results has been the same for too long."""
        environment = {name: value for name, value in os.environ.items() if name != "SAMESOCK_UNIX"}
        process = subprocess.Popen(
            [*self.line, *words],
            cwd=ROOT,
            env={**environment, **self.environment},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        try:
            seen, since = -1, time.monotonic()
            while process.poll() is None:
                size = path.stat().st_size if path.exists() else 0
                now = time.monotonic()
                if size != seen:
                    seen, since = size, now
                elif now - since > SILENCE:
                    log.write(f"\nended: nothing for {SILENCE} s\n".encode())
                    break
                time.sleep(0.2)
        finally:
            # The launcher of Wine ends what it has started when it is asked to end.
            for end in (process.terminate, process.kill):
                if process.poll() is None:
                    end()
                    with contextlib.suppress(subprocess.TimeoutExpired):
                        process.wait(20)


def here(name: str, environment: dict[str, str]) -> Place:
    """This interpreter. Lacking if it has been installed without its tests."""
    line = (sys.executable, "-c", "import test.test_socket")
    if subprocess.run(line, capture_output=True, check=False).returncode:
        version = "{}.{}".format(*sys.version_info)
        raise Lacking(
            f"{sys.executable} has no tests of its own (Debian: libpython{version}-testsuite; pyenv's have them)"
        )
    version = "{}.{}.{}".format(*sys.version_info)
    return Place(name, version, (sys.executable, RUN), environment)


def under_wine(version: str) -> Place:
    """Windows CPython of that version. It comes without tests: those of another installation are shown to it."""
    if subprocess.run([*WINE, "ensure", f"--python={version}"], cwd=ROOT, check=False).returncode:
        raise Lacking("Wine (see above): on Linux for x86-64 be root, or have Wine 9 or newer on PATH")
    tests = pure_tests(version)
    # Beside the checkout's other scratch files: only the checkout can be seen there.
    shown = ROOT / SCRATCH / f"tests-{version}"
    if not (shown / "test").exists():
        unfinished = shown.with_suffix(".new")
        shutil.rmtree(unfinished, ignore_errors=True)
        shutil.copytree(tests, unfinished / "test", ignore=shutil.ignore_patterns("__pycache__"))
        unfinished.rename(shown)
    launch = (*WINE, "run", f"--python={version}", "--", RUN)
    return Place("wine", version, (*launch, f"--tests={(SCRATCH / shown.name).as_posix()}"), {})


def pure_tests(version: str) -> Path:
    """The folder `test` of a CPython of that minor version, which is Python alone but for a few modules."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    folders = [*sorted(pyenv.glob(f"versions/{version}.*/lib/python{version}"), reverse=True)]
    folders += [Path(prefix) / f"lib/python{version}" for prefix in ("/usr/local", "/usr")]
    for folder in folders:
        if (folder / "test" / "test_socket.py").exists():
            return folder / "test"
    raise Lacking(
        f"CPython {version}'s folder `test`, which its embeddable Windows distribution lacks: "
        f"`pyenv install {version}`, or Debian's libpython{version}-testsuite"
    )
