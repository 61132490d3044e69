"""The facts that tables are made of: `platforms/*.toml`, and the tables in the code.

Plain data in, plain data out, so that a test can hand the renderers facts of its own. What must never be put here: a
word about how anything looks.
"""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any, NamedTuple

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

FOLDER = Path(__file__).resolve().parents[2] / "platforms"

ORDER = ("linux", "macos", "freebsd", "windows", "wine")
"""The columns, from left to right; a platform that is not named here comes after these."""

WORDS = ("native", "emulated", "absent")

ERROR_FAMILIES = ((10000, 12000, "Winsock"), (0, 10000, "Win32"))
"""Which header a Windows code is from, by its number: winsock2.h has 10000 to 11999."""


class Deviation(NamedTuple):
    """A promise of BSD that a platform does not keep even through samesock."""

    id: str
    promise: str
    reason: str
    evidence: str


class Platform(NamedTuple):
    """One file of `platforms/`."""

    name: str
    title: str
    seen: bool
    """Whether a run has shown what the file says."""
    how: str
    pythons: dict[str, list[str]]
    features: dict[str, tuple[str, ...]]
    """The words of each feature; several where older systems differ, the newest system's first."""
    notes: dict[str, str]
    deviations: tuple[Deviation, ...]


class Code(NamedTuple):
    """One of Windows' error codes, and what it becomes."""

    number: int
    family: str
    posix: str
    text: str


class Option(NamedTuple):
    """One socket option by its meaning: what it is on each platform."""

    name: str
    meaning: str
    support: dict[str, str]
    """Each platform's name, mapped to what the option is there."""


class Facts(NamedTuple):
    """Everything the tables show."""

    platforms: tuple[Platform, ...]
    meanings: dict[str, str]
    """Each feature, mapped to what the word promises."""
    codes: tuple[Code, ...]
    options: tuple[Option, ...]


def gather(folder: Path = FOLDER) -> Facts:
    """The facts of this checkout."""
    from samesock._features import FEATURES

    found = [parse(tomllib.loads(path.read_text(encoding="utf-8"))) for path in folder.glob("*.toml")]
    platforms = sorted(found, key=lambda one: (_place(one.name), one.name))
    meanings = {name: feature.meaning for name, feature in FEATURES.items()}
    return Facts(tuple(platforms), meanings, _codes(), _options())


def _place(name: str) -> int:
    return ORDER.index(name) if name in ORDER else len(ORDER)


def parse(data: dict[str, Any]) -> Platform:
    """One platform's file as a record."""
    features = {
        name: tuple(words) if isinstance(words, list) else (str(words),)
        for name, words in data["features"].items()
    }
    deviations = tuple(
        Deviation(*(str(entry.get(field, "")) for field in Deviation._fields))
        for entry in data.get("deviations", ())
    )
    return Platform(
        name=data["name"],
        title=data["title"],
        seen=data["status"] == "seen",
        how=data["reach"]["how"],
        pythons=data["pythons"],
        features=features,
        notes=dict(data.get("notes", {})),
        deviations=deviations,
    )


def _codes() -> tuple[Code, ...]:
    from samesock import _errors

    texts: dict[str, str] = _errors._TEXTS
    return tuple(
        Code(number, _family(number), name, texts.get(name, ""))
        for number, name in sorted(_errors.POSIX_NAMES.items())
    )


def _family(number: int) -> str:
    return next(family for low, high, family in ERROR_FAMILIES if low <= number < high)


def _options() -> tuple[Option, ...]:
    """The options of `samesock._options`, where this version has that module."""
    try:
        importlib.import_module("samesock._options")
    except ImportError:
        return ()
    return ()
