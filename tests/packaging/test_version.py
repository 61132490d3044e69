"""The version and the changelog, as those read them who decide whether to upgrade."""

from __future__ import annotations

import re
from pathlib import Path

import samesock

ROOT = Path(__file__).resolve().parents[2]
CHANGELOG = ROOT / "CHANGELOG.md"

# Semantic Versioning's three numbers, and PEP 440's spelling of what comes before a release.
VERSION = re.compile(r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)((a|b|rc)\d+)?(\.dev\d+)?")
HEADING = re.compile(r"## \[(.+?)\](?: - (\d{4}-\d\d-\d\d))?$", re.MULTILINE)
SECTIONS = {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}


def entries(text: str) -> list[tuple[str, str | None]]:
    """The changelog's headings: a version's name, and its date."""
    return [(found[1], found[2]) for found in HEADING.finditer(text)]


def order(version: str) -> tuple[int, ...]:
    """A version's three numbers."""
    return tuple(map(int, version.split(".")[:3]))


def problems(text: str, version: str) -> list[str]:
    """What in a changelog is not as Keep a Changelog says, or does not fit the version."""
    found = entries(text)
    names = [name for name, _ in found]
    if names[:1] != ["Unreleased"]:
        return ["it does not begin with what is unreleased"]
    released = [name for name, _ in found[1:]]
    wrong = [f"{name} is no version" for name in released if not VERSION.fullmatch(name)]
    wrong += [f"{name} has no date" for name, date in found[1:] if date is None]
    if wrong:
        return wrong
    numbers = [order(name) for name in released]
    if numbers != sorted(numbers, reverse=True) or len(set(numbers)) != len(numbers):
        wrong.append("the newest does not come first")
    if ".dev" not in version and version not in released:
        wrong.append(f"{version} has no entry")
    if ".dev" in version and numbers and order(version) <= numbers[0]:
        wrong.append(f"{version} is not after {released[0]}")
    sections = set(re.findall(r"^### (.+)$", text, re.MULTILINE))
    return wrong + [f"unknown section {name}" for name in sections - SECTIONS]


def test_the_version_is_one() -> None:
    """It has three numbers, as Semantic Versioning says, and is what pip takes for the same."""
    assert VERSION.fullmatch(samesock.__version__)


def test_the_changelog_is_one() -> None:
    """It begins with what is unreleased, and its versions fit the package's."""
    assert problems(CHANGELOG.read_text(encoding="utf-8"), samesock.__version__) == []


def test_a_fault_is_found() -> None:
    """The check above is one that can fail."""
    good = "## [Unreleased]\n### Added\n## [0.2.0] - 2026-02-01\n## [0.1.0] - 2026-01-01\n"
    assert problems(good, "0.2.0") == []
    assert problems(good, "0.3.0.dev0") == []
    assert problems(good, "0.2.0.dev0") == ["0.2.0.dev0 is not after 0.2.0"]
    assert problems(good, "0.3.0") == ["0.3.0 has no entry"]
    assert problems(good.replace("0.2.0", "0.0.9"), "0.0.9") == ["the newest does not come first"]
    assert problems(good.replace("## [Unreleased]\n", ""), "0.2.0") == [
        "it does not begin with what is unreleased"
    ]
    assert problems(good.replace(" - 2026-02-01", ""), "0.2.0") == ["0.2.0 has no date"]
    assert problems(good.replace("Added", "News"), "0.2.0") == ["unknown section News"]
