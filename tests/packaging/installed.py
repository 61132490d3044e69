"""What a user has who installed samesock: run by the session `build` in an empty directory, where no checkout is near.

The distributions' folder is in SAMESOCK_DIST. The name is not a test file's: a checkout is not an installation.
"""

from __future__ import annotations

import os
import re
import shutil
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


def test_the_description_needs_no_file_beside_it() -> None:
    """What an index shows is the README, and each of its links leads somewhere from there: none is to a file."""
    description = metadata.metadata("samesock").get_payload()
    assert description.startswith("# samesock")
    assert "(`docs/conformance.md`)" in description
    links = re.findall(r"\]\(([^)]*)\)", description)
    assert [link for link in links if not link.startswith(("https://", "#"))] == []


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


PROJECT = {
    "noxfile.py": """
import samesock.nox

samesock.nox.sessions(pythons=[{version!r}], emulated=[{version!r}], wine=["3.13"])
""",
    "pyproject.toml": """
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"

[project]
name = "greeter"
version = "1"
dependencies = ["samesock @ {wheel}"]

[tool.hatch.metadata]
allow-direct-references = true

[tool.pytest.ini_options]
testpaths = ["tests"]
""",
    "src/greeter/__init__.py": """
import samesock as socket

def greet(name):
    one, other = socket.socketpair(socket.AF_UNIX)
    with one, other:
        one.sendall(name.encode())
        return one.transport, f"hello, {{other.recv(100).decode()}}"
""",
    "tests/test_greeter.py": """
import os
import re
import shutil
import sys
import greeter

def test_greet():
    transport, said = greeter.greet("you")
    assert said == "hello, you"
    wanted = os.environ.get("SAMESOCK_UNIX") or ("emulated" if sys.platform == "win32" else "native")
    assert transport == wanted
    print("greeted on", sys.platform, transport)
""",
}
"""A project of somebody else's, whose noxfile is all that it has of samesock beside the dependency."""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Its folder."""
    (wheel,) = DIST.glob("*.whl")
    version = "{}.{}".format(*sys.version_info)
    for name, text in PROJECT.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text.format(version=version, wheel=wheel.as_uri()))
    return tmp_path


def nox_says(project: Path, *words: str) -> str:
    """What nox prints there, on both streams; it must be content."""
    line = [sys.executable, "-m", "nox", "-f", str(project / "noxfile.py"), *words]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("NOX")}
    done = subprocess.run(
        line,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=900,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def test_a_project_has_its_sessions(project: Path) -> None:
    """`samesock.nox.sessions` in a noxfile is enough for the tests, and for the same with emulated sockets."""
    version = "{}.{}".format(*sys.version_info)
    assert "* wine-3.13 -> the tests on Windows CPython 3.13 under Wine" in nox_says(project, "-l")
    said = nox_says(project, "-s", f"tests-{version}", f"emulated-{version}", "--", "-s")
    assert f"greeted on {sys.platform} native" in said
    assert f"greeted on {sys.platform} emulated" in said


@pytest.mark.skipif(
    not shutil.which("wine")
    and (not hasattr(os, "geteuid") or os.geteuid() != 0 or not shutil.which("unshare")),
    reason="Wine: it takes Wine 9 on PATH, or root on Linux",
)
def test_a_project_runs_under_wine(project: Path) -> None:
    """The launcher that the wheel brings runs the same project's tests on a real Windows Python."""
    assert "greeted on win32 emulated" in nox_says(project, "-s", "wine-3.13", "--", "-s")
