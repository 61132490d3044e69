"""Child processes: programs in a string, talked to by lines."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import samesock

Child = subprocess.Popen[str]

_HEAD = "import os, sys, time\nimport samesock as socket\n"


def environment(**changes: str) -> dict[str, str]:
    """This process's own, with the package where it is and the emulation forced."""
    source = str(Path(samesock.__file__).parents[1])
    return {**os.environ, "PYTHONPATH": source, "SAMESOCK_UNIX": "emulated", **changes}


@contextmanager
def child(code: str, *arguments: object, **options: Any) -> Iterator[Child]:
    """A Python program with `socket` being samesock; ended, if need be, when the block ends."""
    process = subprocess.Popen(
        [sys.executable, "-c", _HEAD + textwrap.dedent(code), *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        **{"env": environment(), **options},
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def says(process: Child) -> str:
    """The next line that the child prints."""
    assert process.stdout is not None
    return process.stdout.readline().strip()


def tell(process: Child, line: str = "") -> None:
    """Give the child a line to read."""
    assert process.stdin is not None
    process.stdin.write(line + "\n")
    process.stdin.flush()


def run(code: str, *arguments: object, **options: Any) -> str:
    """Run a program to its end, which must be a good one; what it printed."""
    done: subprocess.CompletedProcess[str] = subprocess.run(
        [sys.executable, "-c", _HEAD + textwrap.dedent(code), *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
        **{"env": environment(), **options},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


LISTENER = """
    s = socket.socket(socket.AF_UNIX)
    s.bind(sys.argv[1])
    s.listen(8)
    print("listening", flush=True)
    sys.stdin.readline()
"""
"""A server that listens until it is told a line."""
