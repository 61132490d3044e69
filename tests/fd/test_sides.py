"""The two sides of samesock.fd: the same files, the same public functions with the same parameters, importable."""

from __future__ import annotations

import ast
import importlib
from pathlib import Path

import pytest

from samesock import fd

PACKAGE = Path(fd.__file__).parent
SHARED = sorted({path.name for path in (PACKAGE / "posix").glob("[a-z]*.py")})
ITS_OWN = {
    "resolving.py": {"is_socket", "socket_type", "handle_of"},
    "flow.py": {"socket_error"},
    "fifos.py": {"await_next_writer", "is_ours"},
}
"""What the Windows side's files have for one another."""


def functions(path: Path) -> dict[str, int]:
    """The public functions of a file, with the number of their parameters."""
    body = ast.parse(path.read_text(encoding="utf-8")).body
    found = {node.name: len(node.args.args) for node in body if isinstance(node, ast.FunctionDef)}
    return {name: count for name, count in found.items() if not name.startswith("_")}


@pytest.mark.parametrize("name", SHARED)
def test_equal_names(name):
    """A file of one side has the functions of the other side's file of that name, with as many parameters."""
    posix, windows = (functions(PACKAGE / side / name) for side in ("posix", "windows"))
    for own in ITS_OWN.get(name, ()):
        del windows[own]
    windows.pop("target", None)  # POSIX's is `resolve` by another name
    assert posix == windows


@pytest.mark.parametrize("path", sorted((PACKAGE / "windows").glob("[a-z]*.py")), ids=lambda path: path.stem)
def test_the_windows_side_is_imported_anywhere(path):
    """A file of the Windows side can be imported on every platform, and loads no library by that."""
    assert importlib.import_module(f"samesock.fd.windows.{path.stem}")


def test_every_public_function_says_its_portability():
    """A public function's docstring has a Portability block in the words native, emulated, absent."""
    for name in fd.__all__:
        if name == "HasFileno":
            continue
        block = (getattr(fd, name).__doc__ or "").partition("Portability:")[2]
        assert any(word in block for word in ("native", "emulated", "absent")), name
