"""What a user has who installed samesock: run by the session `build` in an empty directory, where no checkout is near.

The distributions' folder is in SAMESOCK_DIST. The name is not a test file's: a checkout is not an installation.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import zipfile
from importlib import metadata
from pathlib import Path

import pytest

import samesock

PACKAGE = Path(samesock.__file__).parent
DIST = Path(os.environ["SAMESOCK_DIST"])


def said(*words: str) -> str:
    """What a command of the installation prints."""
    done = subprocess.run([sys.executable, *words], capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_it_is_the_installed_one() -> None:
    """The package under test is site-packages', not a checkout's."""
    assert PACKAGE.parent.name == "site-packages"
    assert not (Path.cwd() / "src").exists()


def test_the_metadata_agrees_with_the_module() -> None:
    """The version and the one dependency are what the package says."""
    assert metadata.version("samesock") == samesock.__version__
    plain = [text for text in metadata.requires("samesock") or [] if "extra ==" not in text]
    assert [text.split(">")[0] for text in plain] == ["psutil"]


@pytest.mark.parametrize("name", ["py.typed", "platforms/linux.toml", "platforms/wine.toml"])
def test_data_travels(name: str) -> None:
    """What is no Python module is there, too."""
    assert (PACKAGE / name).is_file()


def test_the_launcher_travels() -> None:
    """samesock.nox finds the program that makes a Windows of Wine."""
    assert "--checkout" in said(str(PACKAGE / "platforms" / "wine" / "wine.py"), "--help")


def test_every_module_compiles(tmp_path: Path) -> None:
    """No file of the package has a syntax that this Python has not."""
    for path in PACKAGE.rglob("*.py"):
        compile(path.read_bytes(), str(path), "exec")


def test_the_commands_answer() -> None:
    """Both ways of starting the command line, and a look at this machine."""
    assert "doctor" in said("-m", "samesock", "--help")
    script = Path(sys.executable).with_name("samesock")
    done = subprocess.run([script, "--version"], capture_output=True, text=True, check=False)
    assert samesock.__version__ in done.stdout + done.stderr
    assert "unix-stream" in said("-m", "samesock", "doctor")


def test_pytest_finds_the_plugins() -> None:
    """Their options are there without a word in any configuration."""
    options = said("-m", "pytest", "--help")
    assert "--fd-leaks" in options
    assert "--unix-sockets" in options


def test_a_socket_works(tmp_path: Path) -> None:
    """The README's first lines."""
    path = samesock.unix_path("installed")
    if os.path.lexists(path):
        os.unlink(path)
    with samesock.socket(samesock.AF_UNIX) as server:
        server.bind(path)
        server.listen()
        with samesock.socket(samesock.AF_UNIX) as client:
            client.connect(path)
            accepted, _ = server.accept()
            with accepted:
                accepted.sendall(b"hello\n")
                assert client.recv(10) == b"hello\n"
    os.unlink(path)


def test_the_wheel_holds_the_package_alone() -> None:
    """No test, no document and no compiled file travels in the wheel."""
    (wheel,) = DIST.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    tops = {name.split("/")[0] for name in names}
    assert tops == {"samesock", f"samesock-{samesock.__version__}.dist-info"}
    assert not [name for name in names if name.endswith((".pyc", ".lock")) or "/tests/" in name]


def test_the_sdist_holds_what_a_distributor_needs() -> None:
    """The tests, the platforms and the documents come with the source, and the licence with both."""
    (sdist,) = DIST.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        names = {name.split("/", 1)[1] for name in archive.getnames() if "/" in name}
    wanted = {"LICENSE", "README.md", "CHANGELOG.md", "noxfile.py", "pyproject.toml", "tests/conftest.py"}
    assert wanted | {"platforms/matrix.py", "platforms/wine/wine.py", "examples/chat.py"} <= names
    assert not [name for name in names if "__pycache__" in name or name.startswith((".venv", ".nox"))]
