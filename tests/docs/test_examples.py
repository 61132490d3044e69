"""The examples of the tutorial and the guides run as they stand, and print what the pages show, on every platform."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest

DOCS = Path(__file__).resolve().parents[2] / "docs"
FOLDERS = (DOCS / "tutorial", DOCS / "guides")
NEEDS = {"workers": ["socketpair", "passing"], "wake": ["wake"]}
"""The features without which an example has nothing to show."""
EXAMPLES = [
    pytest.param(path, id=path.stem, marks=pytest.mark.needs(*NEEDS.get(path.stem, ())))
    for folder in FOLDERS
    for path in sorted(folder.glob("*.py"))
]
PAGES = [page for folder in FOLDERS for page in sorted(folder.glob("*.md"))]
INCLUDED = re.compile(r"^```\{literalinclude\} (\S+)$", re.MULTILINE)
OVER_WINSOCK = hasattr(socket.socket, "share")
SECONDS = 50
"""For one program: on Windows a refused connection alone takes two seconds, and a busy machine takes its time."""


def shown(program: Path) -> str:
    """What the pages show that the program prints here: Winsock's own output where that is another."""
    other = program.with_name(f"{program.stem}-windows.txt")
    output = other if OVER_WINSOCK and other.exists() else program.with_suffix(".txt")
    return output.read_text(encoding="utf-8")


def run(program: Path, folder: Path) -> subprocess.CompletedProcess[str]:
    """The program in an interpreter of its own, where any warning is an error."""
    environment = dict(
        os.environ, PYTHONPATH=os.pathsep.join(filter(None, sys.path)), PYTHONIOENCODING="utf-8"
    )
    return subprocess.run(
        [sys.executable, "-W", "error", str(program)],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=SECONDS,
        check=False,
    )


@pytest.mark.parametrize("program", EXAMPLES)
def test_an_example_prints_what_the_page_shows(program, tmp_path):
    """The program ends without an error and prints the text beside it, to the letter."""
    done = run(program, tmp_path)
    assert (done.returncode, done.stderr, done.stdout) == (0, "", shown(program))


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_every_file_is_on_a_page(folder):
    """Every program and every output is shown by a page beside it, and the pages show no other file."""
    pages = [path.read_text(encoding="utf-8") for path in folder.glob("*.md")]
    included = {name for page in pages for name in INCLUDED.findall(page)}
    files = {path.name for path in folder.iterdir() if path.suffix in (".py", ".txt")}
    assert included == files


@pytest.mark.parametrize(
    "page", [page for folder in FOLDERS for page in folder.glob("*.md")], ids=lambda page: page.stem
)
def test_an_output_follows_its_program(page):
    """On a page the output stands behind the program that prints it."""
    names = INCLUDED.findall(page.read_text(encoding="utf-8"))
    for name in names:
        if name.endswith(".txt"):
            program = name.removesuffix(".txt").removesuffix("-windows") + ".py"
            assert program in names[: names.index(name)], name
