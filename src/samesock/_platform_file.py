"""Reading `platforms/<name>.toml`, and telling which of them is this machine's.

The files' schema is in `platforms/README.md`. They lie beside this module in an installed package, and at the top of
a checkout. What must never be put here: a judgement of what a file says.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any, NamedTuple

try:
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
except ImportError:
    tomllib = None  # type: ignore[assignment,unused-ignore]


class CannotRead(Exception):
    """There is nothing to compare with; the text says why."""


class PlatformFile(NamedTuple):
    """What one platform is held to."""

    name: str
    title: str
    shown: str
    """The file's path, as a person at this working directory would write it."""
    features: dict[str, tuple[str, ...]]
    """Each feature's name, and the words that may be true of it: several where older systems differ."""
    lines: dict[str, int]
    """Where each feature stands in the file."""


def this_platform() -> str:
    """The name of this machine's platform, which may have no file.

    Wine answers every question as Windows would, but one: its ntdll exports `wine_get_version`.
    """
    if sys.platform == "win32":
        import ctypes

        return "wine" if hasattr(ctypes.WinDLL("ntdll"), "wine_get_version") else "windows"
    name = sys.platform.rstrip("0123456789.")
    return {"darwin": "macos"}.get(name, name)


def folder() -> Path:
    """Where the files are."""
    package = Path(__file__).resolve().parent
    inside = package / "platforms"
    return inside if inside.is_dir() else package.parents[1] / "platforms"


def names() -> list[str]:
    """The platforms that have a file."""
    return sorted(path.stem for path in folder().glob("*.toml"))


def read(name: str) -> PlatformFile:
    """One platform's file. `CannotRead` if it, or a parser for it, is not there, or if it is no such file."""
    path = folder() / f"{name}.toml"
    if not path.is_file():
        known = ", ".join(names()) or "none at all"
        raise CannotRead(f"no file tells what platform {name!r} is held to; there are: {known}")
    if tomllib is None:
        raise CannotRead(
            "this Python has no TOML parser; `pip install tomli`, or samesock's extra `cli`, brings one"
        )
    return parse(path.read_text(encoding="utf-8"), _shown(path))


def parse(text: str, shown: str) -> PlatformFile:
    """The content of a platform's file; `CannotRead` naming it if that is not what the schema says."""
    try:
        data: dict[str, Any] = tomllib.loads(text)
        features = {
            str(name): tuple(words) if isinstance(words, list) else (str(words),)
            for name, words in data["features"].items()
        }
        return PlatformFile(data["name"], data["title"], shown, features, _lines(text))
    except tomllib.TOMLDecodeError as error:
        raise CannotRead(f"{shown} is no TOML: {error}") from error
    except (KeyError, AttributeError) as error:
        raise CannotRead(f"{shown} is not a platform's file: {error!r}") from error


_TABLE = re.compile(r"\s*\[+\s*([^\]]+?)\s*\]+")
_KEY = re.compile(r"""\s*["']?([\w-]+)["']?\s*=""")


def _lines(text: str) -> dict[str, int]:
    """Where in the text each key of the table `features` is; TOML's own parser does not tell."""
    found: dict[str, int] = {}
    table = ""
    for number, line in enumerate(text.splitlines(), 1):
        if header := _TABLE.match(line):
            table = header[1]
        elif table == "features" and (key := _KEY.match(line)):
            found[key[1]] = number
    return found


def _shown(path: Path) -> str:
    """The path relative to the working directory where it lies below it, else whole; always with slashes."""
    try:
        here = Path.cwd()
        return (path if here.parent == here else path.relative_to(here)).as_posix()
    except (ValueError, OSError):
        return path.as_posix()
