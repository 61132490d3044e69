"""What the pages name is there: tests, commands, and the names of the library."""

from __future__ import annotations

import importlib
import importlib.util
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
PAGES = sorted(
    path for folder in ("", "tutorial", "guides", "reference") for path in (DOCS / folder).glob("*.md")
)
TEST = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")
FILE = re.compile(r"`((?:docs|examples|platforms|src|tests)/[\w./-]+)`")
NAME = re.compile(r"`(samesock(?:\.\w+)+)(?:\([^`]*\))?`")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(DOCS).as_posix())
def test_named_tests_exist(page):
    """A test that a page names as evidence is in the file that it names."""
    for file, name in TEST.findall(page.read_text(encoding="utf-8")):
        assert re.search(
            rf"^(?:async )?def {name}\(", (ROOT / file).read_text(encoding="utf-8"), re.MULTILINE
        ), name


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(DOCS).as_posix())
def test_named_names_exist(page):
    """A name of the library's that a page gives in full can be imported, or is one of its files.

    Of a module that needs what is not installed here (nox, anyio), that it is there is all that can be seen.
    """
    for name in NAME.findall(page.read_text(encoding="utf-8")):
        if name.endswith(".py"):
            continue
        module, found = "samesock", importlib.import_module("samesock")
        for part in name.split(".")[1:]:
            module = f"{module}.{part}"
            try:
                found = importlib.import_module(module)
            except ImportError:
                if hasattr(found, "__path__") and importlib.util.find_spec(module):
                    break
                assert hasattr(found, part), f"{page.name}: {name}"
                found = getattr(found, part)


@pytest.mark.parametrize(
    "page",
    [*PAGES, ROOT / "README.md", ROOT / "platforms" / "README.md"],
    ids=lambda page: page.relative_to(ROOT).as_posix(),
)
def test_named_files_exist(page):
    """A file of the project's that a page names is there."""
    named = FILE.findall(page.read_text(encoding="utf-8"))
    made = "docs/_build/"  # by the session docs
    assert [one for one in named if not (one.startswith(made) or (ROOT / one).exists())] == []


def test_security_names_its_evidence():
    """Every promise of the security page names at least one test."""
    text = (DOCS / "security.md").read_text(encoding="utf-8")
    promises = text.partition("## What is protected")[2].partition("\n## ")[0]
    entries = re.split(r"\n(?=[A-Z][^\n]*\n: )", promises)[1:]
    assert len(entries) >= 8
    for entry in entries:
        assert TEST.search(entry), entry
