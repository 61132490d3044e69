"""Which Unix sockets a process uses, and how it is told to use others."""

from __future__ import annotations

import logging
import os
import shutil
import subprocess
import sys

import pytest

from samesock import _environment
from samesock.unix import choosing

REFUSED = "the environment variable SAMESOCK_UNIX is 'Sometimes'; it can be 'native' or 'emulated'"
SCRIPT = shutil.which("samesock", path=os.path.dirname(sys.executable)) or ""


def run_with(value, *words, command=(), directory=None):
    """What comes of Python with these words, or of the command, where SAMESOCK_UNIX has the value."""
    return subprocess.run(
        [*(command or (sys.executable, *words))],
        env=dict(os.environ, SAMESOCK_UNIX=value, PYTHONPATH=os.pathsep.join(filter(None, sys.path))),
        cwd=directory,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


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
    """A value that is neither is one ValueError of the import, with the variable, what it is and what it can be."""
    done = run_with("Sometimes", "-c", "import samesock")
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == f"ValueError: {REFUSED}"
    assert done.stderr.count("Traceback") == 1


@pytest.mark.parametrize("words", [["doctor"], ["fds", "--json"], ["run", "-c", "1"], ["--help"], []])
@pytest.mark.parametrize("module", ["samesock", "samesock.cli"])
def test_another_value_ends_a_command(words, module):
    """Each command says in one line which value it cannot take, does nothing, and ends with 2."""
    done = run_with("Sometimes", "-m", module, *words)
    assert (done.returncode, done.stdout, done.stderr) == (2, "", f"samesock: {REFUSED}\n")


@pytest.mark.skipif(not SCRIPT, reason="the package is not installed, and so has no script")
def test_another_value_ends_the_script():
    """The script `samesock` ends as `python -m samesock` does."""
    done = run_with("Sometimes", command=[SCRIPT, "doctor"])
    assert (done.returncode, done.stdout, done.stderr) == (2, "", f"samesock: {REFUSED}\n")


@pytest.mark.parametrize(
    "command", [["-m", "guest"], ["-m", "guest", "-m", "samesock"], ["guest", "-msamesock"]]
)
def test_another_value_is_an_error_of_other_programs(tmp_path, command):
    """A program that imports samesock gets the exception, however it is run and whatever its own words are."""
    package = tmp_path / "guest"
    package.mkdir()
    for name in ("__init__", "__main__"):
        package.joinpath(f"{name}.py").write_text(
            "import sys\ntry: import samesock\nexcept ValueError as e: print(e)\n"
        )
    done = run_with("Sometimes", *command, directory=tmp_path)
    assert set(done.stdout.splitlines()) == {REFUSED}
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("argv", "whole", "is_it"),
    [
        (["-m", "fds"], ["python", "-X", "dev", "-m", "samesock", "fds"], True),
        (["-m", "fds"], ["python", "-Imsamesock", "fds"], True),
        (["-m"], ["python", "-m", "samesock.cli"], True),
        (["-m", "samesock"], ["python", "-m", "guest", "samesock"], False),
        (["-m"], ["python", "-mmsamesock"], False),
        (["/usr/bin/samesock", "fds"], ["python", "/usr/bin/samesock", "fds"], True),
        (["C:\\Scripts\\Samesock.EXE"], ["python.exe", "C:\\Scripts\\Samesock.EXE"], True),
        (["/opt/samesock/guest"], ["python", "/opt/samesock/guest"], False),
        (["-c"], ["python", "-c", "import samesock"], False),
        ([""], ["python"], False),
        ([], [], False),
    ],
)
def test_what_counts_as_the_command(monkeypatch, argv, whole, is_it):
    """It is the program's own name or module that counts, never one of its words."""
    monkeypatch.setattr(sys, "argv", argv)
    monkeypatch.setattr(sys, "orig_argv", whole)
    assert _environment.is_the_command() is is_it


def test_native_is_chosen_only_if_it_works(monkeypatch, tmp_path):
    """Where the interpreter has no Unix sockets, the kernel's are used if a try in the user's folder succeeds."""
    from samesock.unix import native

    monkeypatch.delenv("SAMESOCK_UNIX", raising=False)
    monkeypatch.setattr(choosing, "interpreter_has_unix", lambda: False)
    for works, chosen in ((True, "native"), (False, "emulated")):
        choosing.transport.cache_clear()
        monkeypatch.setattr(native, "works", lambda directory, works=works: works)
        assert choosing.transport() == chosen
