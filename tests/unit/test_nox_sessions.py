"""`samesock.nox.sessions`: which sessions it defines and what they run, with a nox that only writes it down."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

Run = Callable[[Any], None]


class Session:
    """A session that writes down what it is told to do."""

    posargs = ("-x",)

    def __init__(self) -> None:
        self.installed: tuple[str, ...] = ()
        self.ran: list[tuple[tuple[str, ...], dict[str, Any]]] = []

    def install(self, *packages: str) -> None:
        self.installed = packages

    def run(self, *line: str, **options: Any) -> None:
        self.ran.append((line, options))


@pytest.fixture
def defined(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[ModuleType, dict[str, tuple[Any, Run]]]]:
    """The module, imported over a nox of our own, and the sessions that it has defined."""
    sessions: dict[str, tuple[Any, Run]] = {}

    def session(name: str, python: Any) -> Callable[[Run], Run]:
        return lambda run: sessions.setdefault(name, (python, run))[1]

    monkeypatch.setitem(sys.modules, "nox", SimpleNamespace(session=session, Session=Session))
    monkeypatch.delitem(sys.modules, "samesock.nox", raising=False)
    yield importlib.import_module("samesock.nox"), sessions
    sys.modules.pop("samesock.nox", None)


def test_each_version_is_a_session(defined: Any) -> None:
    """A session per version and kind, on that Python; what it installs and runs is what was given."""
    module, sessions = defined
    module.sessions(pythons=["3.10", "3.13"], emulated=["3.13"], install=["a"], command=["-m", "b"])
    assert {name: python for name, (python, _) in sessions.items()} == {
        "tests-3.10": "3.10",
        "tests-3.13": "3.13",
        "emulated-3.13": "3.13",
    }
    for name, environment in (("tests-3.10", {}), ("emulated-3.13", {"SAMESOCK_UNIX": "emulated"})):
        session = Session()
        sessions[name][1](session)
        assert session.installed == ("a",)
        assert session.ran == [(("python", "-m", "b", "-x"), {"env": environment})]
    assert sessions["emulated-3.13"][1].__doc__ == "the tests on Python 3.13, SAMESOCK_UNIX=emulated"


def test_under_wine(defined: Any) -> None:
    """A Wine session starts the launcher that is part of the package, with the packages that are no paths."""
    module, sessions = defined
    module.sessions(wine=["3.11"], install=[".", "-e.", "pytest", "anyio>=4"], timeout=60)
    python, run = sessions["wine-3.11"]
    session = Session()
    run(session)
    ((line, options),) = session.ran
    assert python is False
    assert session.installed == ()
    assert line[0] == sys.executable
    assert Path(line[1]).is_file()
    assert line[2:] == (
        *("--checkout=.", "--package=pytest", "--package=anyio>=4"),
        *("run", "--python=3.11", "--timeout=60", "--", "-m", "pytest", "-x"),
    )
    assert options == {"external": True}


def test_asking_for_nothing_is_an_error(defined: Any) -> None:
    """A call that names no version defines nothing and says so."""
    module, sessions = defined
    with pytest.raises(ValueError, match="no session"):
        module.sessions()
    assert sessions == {}


@pytest.mark.parametrize("name", ["pythons", "emulated", "wine", "install", "command"])
def test_a_string_is_no_list(name: str, defined: Any) -> None:
    """A session for each letter of a version is what nobody wants: the error shows what to write."""
    module, sessions = defined
    with pytest.raises(TypeError, match=rf"{name}=\['3.13'\], not {name}='3.13'"):
        module.sessions(**{"pythons": ["3.13"], name: "3.13"})
    assert not sessions
