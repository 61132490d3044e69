"""The `Portability:` blocks of public docstrings keep to the three words, and say what `platforms/*.toml` says."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import socket as stdlib
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from _generate import blocks, facts
from _generate.blocks import Claim
from _generate.facts import Platform

MODULES = (
    "samesock",
    "samesock.fd",
    "samesock.selectors",
    "samesock.aio",
    "samesock.fdtable",
    "samesock.leaks",
    *(f"samesock.{one}" for one in ("anyio", "nox") if importlib.util.find_spec(one)),
)
PLATFORMS = facts.gather().platforms

APPLIES = {
    "samesock.socket": ["unix-stream"],
    "samesock.socketpair": ["socketpair"],
    "samesock.peercred": ["peercred"],
    "samesock.send_fds": ["passing"],
    "samesock.recv_fds": ["passing"],
    "samesock.socket.sendmsg": ["sendmsg"],
    "samesock.socket.recvmsg": ["recvmsg"],
    "samesock.socket.close": ["wake"],
    "samesock.selectors.DefaultSelector": ["select-socket", "select-pipe", "select-file"],
    "samesock.aio": ["unix-stream"],
    "samesock.fdtable.snapshot": ["fdtable"],
    "samesock.fdtable.describe": ["fdtable"],
}
"""The features that a name's block speaks of. A name that this version does not have, or that has no block of its own
because it is the standard library's, has nothing to be held to."""


def find(name: str) -> Any:
    """The object of a dotted name; `None` if there is none."""
    parts = name.split(".")
    found: Any = None
    for count in range(1, len(parts) + 1):
        try:
            found = importlib.import_module(".".join(parts[:count]))
        except ImportError:
            found = getattr(found, parts[count - 1], None)
    return found


def claims_of(thing: Any) -> list[Claim]:
    return blocks.claims_of(inspect.getdoc(thing))


def about(claims: Sequence[Claim], title: str) -> list[Claim]:
    """What is said of one platform. Wine goes with Windows where nothing else is said of it."""
    named = [claim for claim in claims if title in claim.platforms]
    if not named and title == "Wine":
        return about(claims, "Windows")
    return named or [claim for claim in claims if not claim.platforms]


def words_in(platform: Platform, features: Sequence[str]) -> set[str]:
    return {word for name in features for word in platform.features[name]}


def disagreements(
    claims: Sequence[Claim], features: Sequence[str], platforms: Sequence[Platform] = PLATFORMS
) -> list[str]:
    """Where a block and the platforms' files contradict each other."""
    found = []
    for platform in platforms:
        said = about(claims, platform.title)
        if not said:
            found.append(f"nothing is said of {platform.title}")
            continue
        words = set[str]().union(*(claim.words for claim in said))
        known = words_in(platform, features)
        if missing := known - words:
            found.append(f"{platform.title} is {' and '.join(sorted(missing))}, too, which is not said")
        sharing = [other for other in platforms if said == about(claims, other.title)]
        possible = set[str]().union(*(words_in(other, features) for other in sharing))
        if said[0].platforms and (wrong := words - possible):
            found.append(f"{platform.title} is not {' or '.join(sorted(wrong))}")
    return found


@pytest.mark.parametrize("name", APPLIES)
def test_a_block_says_what_the_files_say(name):
    """The words for each platform are those of its file, no fewer and no others."""
    claims = claims_of(find(name))
    if claims:
        assert disagreements(claims, APPLIES[name]) == []


def test_most_names_are_held_to_something():
    """The check above is about blocks that exist."""
    assert sum(bool(claims_of(find(name))) for name in APPLIES) >= 6
    assert {feature for features in APPLIES.values() for feature in features} <= set(facts.gather().meanings)


def public() -> Iterator[tuple[str, Any]]:
    """Every function that the reference shows."""
    for module in MODULES:
        loaded = importlib.import_module(module)
        for name in getattr(loaded, "__all__", None) or [one for one in vars(loaded) if one[:1] != "_"]:
            thing = getattr(loaded, name)
            if inspect.isfunction(thing) and thing.__module__.partition(".")[0] == "samesock":
                yield f"{module}.{name}", thing


@pytest.mark.parametrize(
    ("name", "function"), list(public()), ids=lambda value: value if isinstance(value, str) else ""
)
def test_every_public_function_has_a_block(name, function):
    """A public function has a `Portability:` block, or its module has one for all; each part of it has one of the three
    words. What has a name of the standard library's `socket` makes a `samesock.socket`, and goes by that class's."""
    module, _, own = name.rpartition(".")
    claims = claims_of(function) or claims_of(importlib.import_module(module))
    if not claims and module == "samesock" and (hasattr(stdlib, own) or own == "fromshare"):
        claims = claims_of(importlib.import_module(module).socket)
    assert claims, "no Portability block"
    assert [claim.text for claim in claims if not claim.words] == []


def platform(title: str, word: str) -> Platform:
    return Platform(title.lower(), title, True, "", {}, {"wake": (word,)}, {}, ())


@pytest.mark.parametrize(
    ("text", "problems"),
    [
        ("Linux: native. Windows: emulated.", []),
        ("Linux: native. Windows: emulated. Wine: emulated.", []),
        ("native or emulated.", []),
        ("Linux: native.", ["nothing is said of Windows", "nothing is said of Wine"]),
        ("Linux: native, else absent. Windows: emulated.", ["Linux is not absent"]),
        (
            "Linux, Windows: native.",
            ["Windows is emulated, too, which is not said", "Wine is emulated, too, which is not said"],
        ),
    ],
)
def test_a_contradiction_is_found(text, problems):
    """The check tells a block that fits from one that does not."""
    platforms = [platform("Linux", "native"), platform("Windows", "emulated"), platform("Wine", "emulated")]
    assert disagreements(blocks.claims(text), ["wake"], platforms) == problems


def test_a_block_ends_where_it_ends():
    """An indented block and one on the heading's line are found, and what comes after is not part of it."""
    for heading in (
        "Portability:\n    Linux: native;\n    Windows: absent.",
        "Portability: Linux: native; Windows: absent.",
    ):
        lines = f"Do it.\n\n{heading}\n\nReferences: POSIX `x`.".splitlines()
        found = blocks.find(lines)
        assert found is not None
        assert [(claim.platforms, claim.words) for claim in blocks.claims(found.text)] == [
            (("Linux",), {"native"}),
            (("Windows",), {"absent"}),
        ]
        assert lines[found.end :] == ["", "References: POSIX `x`."]
