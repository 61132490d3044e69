"""What `import samesock` may load: beside the standard library's socket, next to nothing."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import samesock
from samesock.unix import choosing

EXPENSIVE = {
    *(
        "psutil",
        "asyncio",
        "ctypes",
        "tomllib",
        "tomli",
        "dataclasses",
        "secrets",
        "logging",
        "hashlib",
        "hmac",
    ),
    *(
        "tempfile",
        "subprocess",
        "threading",
        "json",
        "ssl",
        "argparse",
        "importlib.resources",
        "rich",
        "inspect",
    ),
}

LIGHT = {
    *("__future__", "typing", "typing.io", "typing.re", "_typing", "functools", "_functools", "weakref"),
    *("_weakrefset", "contextlib", "re", "_sre", "_locale", "copyreg", "warnings", "collections"),
    *("collections.abc", "_collections", "_operator", "operator", "itertools", "keyword", "reprlib"),
    # From 3.14 on a NamedTuple and a Protocol read their annotations by these.
    *("annotationlib", "ast", "_ast"),
}
"""What typing and weakref bring; an interpreter that has run `site` has most of it already."""

CODE = """
import sys
sys.path.insert(0, sys.argv[1])
import socket
before = set(sys.modules)
import samesock
print(*sorted(set(sys.modules) - before))
"""


def loaded(*switches: str) -> set[str]:
    """The modules that samesock loads and socket does not, in an interpreter that has loaded nothing else."""
    environment = {key: value for key, value in os.environ.items() if key != choosing.VARIABLE}
    source = str(Path(samesock.__file__).resolve().parents[1])
    done = subprocess.run(
        [sys.executable, *switches, "-c", CODE, source],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


@pytest.mark.skipif(
    not choosing.interpreter_has_unix(), reason="unix-stream: this interpreter's own sockets have no AF_UNIX"
)
def test_importing_costs_little_where_the_kernel_does_the_work() -> None:
    """Where Unix sockets are the interpreter's own, importing samesock loads nothing of weight."""
    found = loaded("-S", "-E")
    assert "samesock._socket" in found
    assert not found & EXPENSIVE
    others = {name for name in found - LIGHT if not name.startswith(("samesock", "re.", "sre_"))}
    assert not others


def test_the_lazy_half_is_not_loaded() -> None:
    """On every platform what is seldom needed waits until it is asked for."""
    assert not loaded("-S", "-E") & {
        *("psutil", "asyncio", "tomllib", "dataclasses", "rich", "argparse", "subprocess"),
        *("samesock._features", "samesock._probes", "samesock.doctor", "samesock._ssl", "samesock.fdtable"),
    }


def test_the_leak_checker_loads_no_asyncio() -> None:
    """A test run that knows no coroutines does not pay for asyncio's thirty modules."""
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); import samesock.leaks; print('asyncio' in sys.modules)"
    )
    source = str(Path(samesock.__file__).resolve().parents[1])
    done = subprocess.run(
        [sys.executable, "-S", "-E", "-c", code, source], capture_output=True, text=True, check=False
    )
    assert done.stdout.strip() == "False", done.stderr


def test_importing_leaves_nothing_open() -> None:
    """`import samesock`, which asks the system a question or two, closes what it asked with, and warns of nothing."""
    words = [sys.executable, "-X", "dev", "-W", "error", "-c", "import samesock"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(words, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
