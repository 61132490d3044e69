"""The project's checks, for every Python and platform that this machine can reach: `nox`, or `nox -s NAME`.

Off CI, what a machine lacks is skipped with a line that says how to get it; with CI=true it is an error. The
last line printed counts the tests of all sessions together. What a check looks at is set in pyproject.toml.
"""

from __future__ import annotations

import atexit
import functools
import os
import shutil
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import nox

nox.needs_version = ">=2025.2.9"
nox.options.default_venv_backend = "uv|virtualenv"
nox.options.reuse_existing_virtualenvs = True

ROOT = Path(__file__).resolve().parent
PROJECT = nox.project.load_toml("pyproject.toml")
CI = os.environ.get("CI", "").lower() in {"1", "true"}
REQUIRED = ("3.10", "3.11", "3.12", "3.13")
WELCOME = ("3.14", "3.15")  # Tested where they are, required nowhere.
EMULATED_ON = "3.13"  # One Python is enough: the emulation is the same code on each.
WINE_PYTHONS = ("3.11", "3.13")
TYPED_PLATFORMS = ("linux", "darwin", "win32", "freebsd")
WINE = ("platforms/wine/wine.py",)
WINE_TIME_LIMIT = "1500"
REPORTS = ROOT / ".junit"

finished: dict[str, bool] = {}
"""The sessions that ran tests, and whether each of them was content."""
built: list[Path] = []
"""The wheel, once it is built."""


@functools.cache
def find_python(version: str) -> str | None:
    """The path of a CPython of that version: a plain look-up, then pyenv's own folders.

    pyenv's shims are on PATH for every version, and work only for those that PYENV_VERSION names.
    """
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    plain = shutil.which(f"python{version}")
    candidates = [*([plain] if plain else []), sys.executable]
    candidates += sorted(map(str, pyenv.glob(f"versions/{version}.*/bin/python")), reverse=True)
    return next((path for path in candidates if version_of(path) == version), None)


def version_of(python: str) -> str | None:
    """That interpreter's version as "3.13", or None if it does not run or is not CPython."""
    code = "import sys; print(*sys.version_info[:2], sys.implementation.name)"
    try:
        done = subprocess.run([python, "-c", code], capture_output=True, text=True, check=False)
    except OSError:
        return None
    said = done.stdout.split()
    return f"{said[0]}.{said[1]}" if said[2:] == ["cpython"] else None


def begin(session: nox.Session) -> None:
    """From here on the session counts as failed in the last line, until its tests have run."""
    REPORTS.mkdir(exist_ok=True)
    (REPORTS / f"{session.name}.xml").unlink(missing_ok=True)
    finished[session.name] = False


def lacking(session: nox.Session, what: str, how: str) -> None:
    """Skip, or on CI fail: the machine has not got something that this session needs."""
    line = f"{what} is missing: {how}"
    if CI:
        session.error(line)
    del finished[session.name]
    session.skip(line)


def run_tests(session: nox.Session, *command: str, external: bool = False) -> None:
    """Run a command that ends in pytest, and keep its results for the last line."""
    # The report's path is relative, so that it is right under Wine too, where the checkout has another name.
    session.run(*command, f"--junit-xml=.junit/{session.name}.xml", *session.posargs, external=external)
    finished[session.name] = True


def totals_of(report: Path, content: bool) -> tuple[int, int, int]:
    """How many passed, failed and were skipped; a session that failed otherwise counts as one failure."""
    try:
        suite = ET.parse(report).getroot().find("testsuite")
    except (OSError, ET.ParseError):
        suite = None
    numbers = {} if suite is None else {key: int(value) for key, value in suite.items() if value.isdigit()}
    failed = numbers.get("failures", 0) + numbers.get("errors", 0)
    skipped = numbers.get("skipped", 0)
    return numbers.get("tests", 0) - failed - skipped, failed if content or failed else 1, skipped


def print_totals() -> None:
    """The last line of a run, after nox's own summary: the tests of all its sessions together."""
    if not finished:
        return
    totals = [totals_of(REPORTS / f"{name}.xml", content) for name, content in finished.items()]
    passed, failed, skipped = (sum(column) for column in zip(*totals, strict=True))
    sys.stderr.flush()
    print(f"{passed} passed, {failed} failed, {skipped} skipped", flush=True)


def wheel(session: nox.Session) -> Path:
    """The project's wheel, built once for all sessions of this run: what is tested is what gets installed."""
    if not built:
        folder = ROOT / ".nox" / "wheel"
        shutil.rmtree(folder, ignore_errors=True)
        session.install("build")
        session.run("python", "-m", "build", "--wheel", f"--outdir={folder}", str(ROOT), silent=True)
        built.extend(folder.glob("*.whl"))
    return built[0]


def install(session: nox.Session, *groups: str) -> None:
    """Install the project's wheel with its extra and dependency groups."""
    project = PROJECT["project"]
    needed = [*nox.project.dependency_groups(PROJECT, *groups), *project["dependencies"]]
    session.install(*needed, *project["optional-dependencies"]["cli"])
    session.install("--no-deps", "--force-reinstall", str(wheel(session)))


@nox.session
def lint(session: nox.Session) -> None:
    """ruff: rules and layout."""
    session.install(*nox.project.dependency_groups(PROJECT, "lint"))
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")


@nox.session
def types(session: nox.Session) -> None:
    """mypy --strict on the library, as each platform sees it, and on the launcher."""
    session.install(*nox.project.dependency_groups(PROJECT, "types"), *PROJECT["project"]["dependencies"])
    for platform in TYPED_PLATFORMS:
        session.run("mypy", f"--platform={platform}", f"--cache-dir=.mypy_cache/{platform}", "src")
    session.run("mypy", "--platform=linux", "--cache-dir=.mypy_cache/launcher", "platforms/wine")


def test_session(name: str, version: str, environment: dict[str, str]) -> None:
    """Define a session that runs the tests on one Python."""
    python = find_python(version)

    def tests(session: nox.Session) -> None:
        begin(session)
        if python is None:
            lacking(
                session, f"CPython {version}", f"`pyenv install {version}`, or the system's python{version}"
            )
        # Real programs are tried where they meet what they were not written for, and once where they do not.
        install(session, "test", *(["apps"] if environment or version == EMULATED_ON else []))
        session.env.update(environment)
        # The leak plugin knows nothing of how a socket works, and its tests take a minute.
        run_tests(session, "python", "-m", "pytest", *(["--ignore=tests/plugin"] if environment else []))

    tests.__doc__ = f"pytest on CPython {version}" + "".join(
        f", {key}={value}" for key, value in environment.items()
    )
    nox.session(tests, name=name, python=False if python is None else python, tags=["tests"])


def wine_session(version: str) -> None:
    """Define a session that runs the tests on Windows CPython under Wine."""

    def wine(session: nox.Session) -> None:
        begin(session)
        python = sys.executable
        prepared = subprocess.run([python, *WINE, "ensure", f"--python={version}"], cwd=ROOT, check=False)
        if prepared.returncode:
            lacking(
                session, "Wine (see above)", "on Linux for x86-64 be root, or have Wine 9 or newer on PATH"
            )
        line = [python, *WINE, "run", f"--python={version}", f"--timeout={WINE_TIME_LIMIT}", "--"]
        # Every process start costs a second there, and a time-out ends the whole run, so it is a long one;
        # faulthandler's own dump was seen to crash the interpreter.
        patience = ("--timeout=300", "-o", "faulthandler_timeout=0")
        run_tests(session, *line, "-m", "pytest", *patience, external=True)

    wine.__doc__ = f"pytest on Windows CPython {version} under Wine"
    nox.session(wine, name=f"wine-{version}", python=False, tags=["tests", "wine"])


@nox.session(python=find_python(EMULATED_ON), default=False)
def bench(session: nox.Session) -> None:
    """The benchmarks, written to docs/benchmarks.md; slowness fails nothing."""
    session.install(*nox.project.dependency_groups(PROJECT, "bench"))
    install(session, "test")  # The leak check's benchmark runs pytest.
    session.run("python", "tests/bench/report.py", *session.posargs)


@nox.session(python=find_python(EMULATED_ON), default=False)
def conformance(session: nox.Session) -> None:
    """The conformance score of each implementation here and under Wine, written to docs/conformance.*."""
    install(session, "test")
    runs = ROOT / ".conformance"
    shutil.rmtree(runs, ignore_errors=True)
    suite = ("-m", "pytest", "-q", "--tb=short", "tests/conformance", *session.posargs)
    # A check that is broken fails the session at its end, when the table is there to show it.
    session.run("python", *suite, "--score=.conformance/own.jsonl", success_codes=[0, 1])
    emulated = {"SAMESOCK_UNIX": "emulated"}
    session.run("python", *suite, "--score=.conformance/emulated.jsonl", env=emulated, success_codes=[0, 1])
    wine = [sys.executable, *WINE]
    if subprocess.run([*wine, "ensure", f"--python={EMULATED_ON}"], cwd=ROOT, check=False).returncode == 0:
        line = [*wine, "run", f"--python={EMULATED_ON}", f"--timeout={WINE_TIME_LIMIT}", "--", *suite]
        line += ["--timeout=300", "-o", "faulthandler_timeout=0", "--score=.conformance/wine.jsonl"]
        session.run(*line, external=True, success_codes=[0, 1])
    elif CI:
        session.error("Wine is missing (see above)")
    else:
        session.warn("Wine is missing (see above): its columns are left out, and docs/ stays as it was")
    pages = ("--json=docs/conformance.json", "--markdown=docs/conformance.md")
    whole = (runs / "wine.jsonl").exists() and not session.posargs
    written = [str(path) for path in (runs / f"{name}.jsonl" for name in ("own", "emulated", "wine"))]
    found = [path for path in written if os.path.exists(path)]
    session.run("python", "tests/conformance/scoring.py", *found, *(pages if whole else ()))


atexit.register(print_totals)
for one in REQUIRED:
    test_session(f"tests-{one}", one, {})
for one in filter(find_python, WELCOME):
    test_session(f"tests-{one}", one, {})
if sys.platform == "linux":  # The emulation of Unix sockets, tested where the system has its own.
    test_session("tests-emulated", EMULATED_ON, {"SAMESOCK_UNIX": "emulated"})
for one in WINE_PYTHONS:
    wine_session(one)
