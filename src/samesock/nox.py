"""Sessions for a project's own noxfile: its tests on several Pythons, with emulated Unix sockets, and under Wine.

What each session runs is the project's business; what must never be put here: anything that samesock's own noxfile
needs beyond that, and how Wine is made, which the launcher in `platforms/wine` knows.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Sequence

import nox

from samesock import _platform_file

PYTEST = ("-m", "pytest")


def sessions(
    *,
    pythons: Iterable[str] = (),
    emulated: Iterable[str] = (),
    wine: Iterable[str] = (),
    install: Sequence[str] = (".", "pytest"),
    command: Sequence[str] = PYTEST,
    timeout: float = 1200,
) -> None:
    """Define the sessions `tests-VERSION`, `emulated-VERSION` and `wine-VERSION`, for each version that is named.

    `install` is what pip is given, and `command` what follows `python`; words after `nox --` are added to it. An
    `emulated` session sets `SAMESOCK_UNIX=emulated`, so that what happens on Windows can be seen on any system.

    A `wine` session runs Windows CPython 3.11, 3.12 or 3.13 under Wine: on Linux for x86-64, with Wine 9 or newer on
    PATH, or as root. The first run fetches about 300 MB into the user's cache folder. The project's folder is the
    working directory there, and its `src` is on the path: nothing is built. Beside the dependencies and the group
    `test` of its pyproject.toml it is given those of `install` that are no paths; all of them need a pure or a
    win_amd64 wheel. After `timeout` seconds such a session is ended, and fails; whatever it started ends with it.

    Call it as often as there are different commands; names must differ, as nox says. `ValueError` for a project that
    asks for nothing, `TypeError` for a string where a list belongs.

    Portability:
        Linux: native.
        Windows, macOS, FreeBSD: native for `pythons` and `emulated`; a `wine` session fails there with a line that
        says what it takes.
    """
    lists = {"pythons": pythons, "emulated": emulated, "wine": wine, "install": install, "command": command}
    for name, given in lists.items():
        if isinstance(given, str):
            raise TypeError(f"{name} is a list of strings: {name}=[{given!r}], not {name}={given!r}")
    wanted = [(list(pythons), _tests), (list(emulated), _emulated)]
    versions_under_wine = list(wine)
    if not versions_under_wine and not any(versions for versions, _ in wanted):
        raise ValueError("no session: name versions for pythons, emulated or wine")
    for versions, make in wanted:
        for version in versions:
            make(version, install, command)
    for version in versions_under_wine:
        _under_wine(version, install, command, timeout)


def _plain(version: str, install: Sequence[str], command: Sequence[str], environment: dict[str, str]) -> _Run:
    def run(session: nox.Session) -> None:
        session.install(*install)
        session.run("python", *command, *session.posargs, env=environment)

    run.__doc__ = f"the tests on Python {version}" + "".join(f", {k}={v}" for k, v in environment.items())
    return run


def _tests(version: str, install: Sequence[str], command: Sequence[str]) -> None:
    nox.session(name=f"tests-{version}", python=version)(_plain(version, install, command, {}))


def _emulated(version: str, install: Sequence[str], command: Sequence[str]) -> None:
    run = _plain(version, install, command, {"SAMESOCK_UNIX": "emulated"})
    nox.session(name=f"emulated-{version}", python=version)(run)


def _under_wine(version: str, install: Sequence[str], command: Sequence[str], timeout: float) -> None:
    packages = [text for text in install if not text.startswith((".", "/", "-"))]

    def run(session: nox.Session) -> None:
        launcher = str(_platform_file.folder() / "wine" / "wine.py")
        line = [sys.executable, launcher, "--checkout=."]
        line += [f"--package={text}" for text in packages]
        line += ["run", f"--python={version}", f"--timeout={timeout:g}", "--"]
        session.run(*line, *command, *session.posargs, external=True)

    run.__doc__ = f"the tests on Windows CPython {version} under Wine"
    nox.session(name=f"wine-{version}", python=False)(run)


_Run = Callable[[nox.Session], None]
