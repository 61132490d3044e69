"""The facts that tables are made of: `platforms/*.toml`, and the tables in the code.

Plain data in, plain data out, so that a test can hand the renderers facts of its own. What must never be put here: a
word about how anything looks.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterable
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

USERS = "samesock"
"""The implementation that programs have."""

EMULATED = "samesock-emulated"
"""The same with the emulation forced."""

ERROR_FAMILIES = ((10000, 12000, "Winsock"), (0, 10000, "Win32"))
"""Which header a Windows code is from, by its number: winsock2.h has 10000 to 11999."""

VALUES = {"keepalive": "`Keepalive` or None"}
"""What an option's value is called where that is more than its kind."""

SOCKETS = {"any": "any", "inet": "IPv4, IPv6", "ipv6": "IPv6", "tcp": "TCP"}
"""Which sockets have an option, in a reader's words."""


class Deviation(NamedTuple):
    """A promise of BSD that a platform does not keep even through samesock."""

    id: str
    promise: str
    reason: str
    evidence: str
    implementation: str = USERS
    """Whose it is: `samesock`'s as a program has it, or that of a way of running it which only tests and
    `SAMESOCK_UNIX` have."""


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

    def deviation(self, identifier: str) -> Deviation | None:
        """The one of that name which programs meet here, also where they meet it only with the emulation."""
        return next((one for one in self.deviations if one.id == identifier and one in self.met), None)

    @property
    def met(self) -> tuple[Deviation, ...]:
        """The deviations that programs meet; those of arrangements of the tests' own are left out."""
        return tuple(one for one in self.deviations if one.implementation in (USERS, EMULATED))


class Code(NamedTuple):
    """One of Windows' error codes, and what it becomes."""

    number: int
    family: str
    posix: str
    text: str


class Option(NamedTuple):
    """One socket option by its meaning: what it is on each platform."""

    name: str
    kind: str
    """What a program gives and gets."""
    sockets: str
    """Which sockets have it."""
    support: dict[str, tuple[str, ...]]
    """Each platform's name, mapped to what its headers call the option; to nothing where it is absent."""


class Facts(NamedTuple):
    """Everything the tables show."""

    platforms: tuple[Platform, ...]
    meanings: dict[str, str]
    """Each feature, mapped to what the word promises."""
    codes: tuple[Code, ...]
    options: tuple[Option, ...]
    interpreters: dict[str, tuple[str, ...]] = {}  # noqa: RUF012 - a named tuple's default
    """Each interpreter that does something otherwise, mapped to what: the reasons of the tests that fail on it."""

    @property
    def promises(self) -> dict[str, str]:
        """Each deviation's name, mapped to the promise that is not kept."""
        return {entry.id: entry.promise for one in self.platforms for entry in one.met}


def gather(folder: Path = FOLDER) -> Facts:
    """The facts of this checkout."""
    from samesock._features import FEATURES

    found = [parse(tomllib.loads(path.read_text(encoding="utf-8"))) for path in folder.glob("*.toml")]
    platforms = sorted(found, key=lambda one: (_place(one.name), one.name))
    meanings = {name: feature.meaning for name, feature in FEATURES.items()}
    options = _options([one.name for one in platforms])
    return Facts(
        tuple(platforms), meanings, _codes(), options, _interpreters(folder / "debian" / "known.toml")
    )


def _interpreters(path: Path) -> dict[str, tuple[str, ...]]:
    """The reasons in the list of what is known to fail, by interpreter."""
    known = tomllib.loads(path.read_text(encoding="utf-8"))
    return {name: tuple(entry["reason"] for entry in entries) for name, entries in known.items()}


def _place(name: str) -> int:
    return ORDER.index(name) if name in ORDER else len(ORDER)


def parse(data: dict[str, Any]) -> Platform:
    """One platform's file as a record."""
    features = {
        name: tuple(words) if isinstance(words, list) else (str(words),)
        for name, words in data["features"].items()
    }
    deviations = tuple(
        Deviation(
            id=entry["id"],
            promise=entry["promise"],
            reason=entry["reason"],
            evidence=entry["evidence"],
            implementation=entry.get("implementation", USERS),
        )
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


def _options(platforms: Iterable[str]) -> tuple[Option, ...]:
    """The options of `samesock._options`, where this version has that module."""
    try:
        table: Any = importlib.import_module("samesock._options")
    except ImportError:
        return ()
    return tuple(
        Option(
            row.name,
            VALUES.get(row.kind, row.kind),
            SOCKETS[row.of],
            {one: _header_names(row, one) for one in platforms},
        )
        for row in table.OPTIONS
    )


def _header_names(row: Any, platform: str) -> tuple[str, ...]:
    """IPv4's name and IPv6's, where these are two. Wine's headers are Windows'."""
    column = "windows" if platform == "wine" else platform
    found = [encodings.get(column) for encodings in (row.encodings, row.ipv6) if encodings]
    return tuple(dict.fromkeys(one.name for one in found if one is not None))
