"""The generated reference has every name that a program may import, and each of them says what it is."""

from __future__ import annotations

import importlib
import inspect
import re
import socket as stdlib
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from _generate import names

DOCS = Path(__file__).resolve().parents[2] / "docs"
NEEDS = {"samesock.anyio": "anyio", "samesock.nox": "nox"}
"""What a module needs that the tests do without."""
MODULES = [
    "samesock",
    *(f"samesock.{one}" for one in ("aio", "anyio", "fd", "fdtable", "leaks", "nox", "options", "selectors")),
]


@pytest.fixture(params=MODULES)
def module(request: pytest.FixtureRequest) -> str:
    """A module that programs import."""
    name: str = request.param
    if name in NEEDS:
        pytest.importorskip(NEEDS[name], reason=f"{NEEDS[name]} is missing: {name} needs it")
    return name


def missing(module: str, listed: list[str]) -> list[str]:
    """The public names that the reference leaves out, less those whose meaning is the standard library's."""
    loaded = importlib.import_module(module)
    left_out = [one for one in names.public(module) if one not in listed]
    if module == "samesock":
        return [
            one for one in left_out if not (hasattr(stdlib, one) or isinstance(getattr(loaded, one), int))
        ]
    return [
        one
        for one in left_out
        if getattr(loaded, one) not in vars(importlib.import_module("selectors")).values()
    ]


def silent(module: str) -> Iterator[str]:
    """What the reference shows of a module without a word about it."""
    loaded = importlib.import_module(module)
    for name in names.own(module):
        thing = getattr(loaded, name)
        if not (inspect.isclass(thing) or inspect.isroutine(thing)):
            if names.said_of(module, name) is None:
                yield name
            continue
        if not says_something(thing):
            yield name
        if inspect.isclass(thing):
            yield from (f"{name}.{one}" for one in members(thing) if not inspect.getdoc(getattr(thing, one)))


def says_something(thing: Any) -> bool:
    """Whether it has a docstring that a person has written: a data class without one gets its signature."""
    return bool(thing.__doc__) and not str(thing.__doc__).startswith(f"{thing.__name__}(")


def members(thing: type) -> list[str]:
    """The public methods and properties that a class defines."""
    return [
        name
        for name, one in vars(thing).items()
        if name[:1] != "_"
        and (inspect.isroutine(one) or isinstance(one, (property, classmethod, staticmethod)))
    ]


def test_every_module_has_its_page():
    """Each module that programs import has a place in the reference, and the reference speaks of no other."""
    pages = "\n".join(path.read_text(encoding="utf-8") for path in (DOCS / "reference").glob("*.md"))
    assert sorted(re.findall(r"^\.\. reference:: (\S+)$", pages, re.MULTILINE)) == MODULES


def test_every_name_is_in_it(module):
    """A name that a program may import from a module is in the reference."""
    assert missing(module, names.own(module)) == []


def test_every_name_says_what_it_is(module):
    """Each of them, and each method and property of the classes, has a docstring."""
    assert list(silent(module)) == []


def test_what_is_missing_is_found():
    """The checks above are ones that can fail."""
    assert missing("samesock.fd", names.own("samesock.fd")[1:]) == ["Descriptor"]
    assert missing("samesock.options", ["Keepalive", "Option"])[0] == "exclusive"


def test_text_below_an_assignment_is_found(tmp_path, monkeypatch):
    """What stands below an assignment is said of its name, through any number of imports within the package."""
    package = tmp_path / "samesock_sample"
    package.mkdir()
    (package / "__init__.py").write_text(
        "from samesock_sample.other import known as known, bare as bare\n", encoding="utf-8"
    )
    (package / "other.py").write_text(
        textwrap.dedent(
            '''
            known: int = 1
            """What it is.

            More of it."""
            bare = 2
            '''
        ),
        encoding="utf-8",
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(names, "PACKAGE", "samesock_sample")
    assert names.said_of("samesock_sample", "known") == "What it is.\n\nMore of it."
    assert names.said_of("samesock_sample", "bare") is None
