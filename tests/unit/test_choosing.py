"""Which Unix sockets a process uses, and how it is told to use others."""

from __future__ import annotations

import logging
import os
import subprocess
import sys

import pytest

from samesock.unix import choosing


@pytest.fixture(autouse=True)
def afresh():
    """The choice is made anew in each test, and again afterwards."""
    choosing.transport.cache_clear()
    yield
    choosing.transport.cache_clear()


def test_the_environment_can_force_the_emulation(monkeypatch, caplog):
    """SAMESOCK_UNIX=emulated chooses the emulation, and the log says so once, at level INFO."""
    monkeypatch.setenv("SAMESOCK_UNIX", "emulated")
    with caplog.at_level(logging.INFO, "samesock"):
        assert choosing.transport() == "emulated"
        assert choosing.transport() == "emulated"
    assert [(r.levelname, r.name) for r in caplog.records] == [("INFO", "samesock")]
    assert "emulated" in caplog.text


def test_the_environment_can_forbid_the_emulation(monkeypatch):
    """SAMESOCK_UNIX=native never chooses the emulation."""
    monkeypatch.setenv("SAMESOCK_UNIX", "native")
    assert choosing.transport() in ("kernel", "native")


def test_nothing_is_forced_by_an_empty_value(monkeypatch):
    """An empty SAMESOCK_UNIX is no wish."""
    monkeypatch.setenv("SAMESOCK_UNIX", "")
    assert choosing.forced() is None


def test_another_value_is_an_error():
    """A value that is neither names the variable and what it can be, when samesock is imported."""
    environment = dict(
        os.environ, SAMESOCK_UNIX="sometimes", PYTHONPATH=os.pathsep.join(filter(None, sys.path))
    )
    done = subprocess.run(
        [sys.executable, "-c", "import samesock"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    assert "SAMESOCK_UNIX" in done.stderr
    assert "'native' or 'emulated'" in done.stderr


def test_native_is_chosen_only_if_it_works(monkeypatch, tmp_path):
    """Where the interpreter has no Unix sockets, the kernel's are used if a try in the user's folder succeeds."""
    from samesock.unix import native

    monkeypatch.delenv("SAMESOCK_UNIX", raising=False)
    monkeypatch.setattr(choosing, "interpreter_has_unix", lambda: False)
    for works, chosen in ((True, "native"), (False, "emulated")):
        choosing.transport.cache_clear()
        monkeypatch.setattr(native, "works", lambda directory, works=works: works)
        assert choosing.transport() == chosen
