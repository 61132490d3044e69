"""Writes the table of operations and kinds into docs/fd.md, from what this run shows: `python tests/fd/table.py NAME`.

NAME is the platform's heading there ("Linux", "Wine"). Each cell is one try on a new descriptor: `yes`, or the errno
that it raised. What must never be put here: what a cell should be.
"""

from __future__ import annotations

import contextlib
import errno
import re
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "src"), str(ROOT / "tests")]

from fd.makers import DATA, MAKERS, Absent, Made, close, number  # noqa: E402
from samesock import fd  # noqa: E402

DOCUMENT = ROOT / "docs" / "fd.md"


def _expect(good: object) -> None:
    if not good:
        raise AssertionError("another answer than POSIX's")


def _read(made: Made, stack: contextlib.ExitStack, folder: Path) -> None:
    _expect(fd.read(made.thing, 100) == (DATA if made.reads else b""))


def _readv(made: Made, stack: contextlib.ExitStack, folder: Path) -> None:
    _expect(fd.readv(made.thing, [bytearray(4), bytearray(96)]) == (len(DATA) if made.reads else 0))


def _blocking(made: Made, stack: contextlib.ExitStack, folder: Path) -> None:
    fd.set_blocking(made.thing, False)
    fd.set_blocking(made.thing, True)


def _inheritable(made: Made, stack: contextlib.ExitStack, folder: Path) -> None:
    fd.set_inheritable(made.thing, True)
    _expect(fd.get_inheritable(made.thing))


def _dup2(made: Made, stack: contextlib.ExitStack, folder: Path) -> None:
    over, _ = (number(stack, end) for end in fd.pipe())
    _expect(fd.kind(fd.dup2(made.thing, over)) == made.kind)


def _fdopen(made: Made, stack: contextlib.ExitStack, folder: Path) -> None:
    mode = "wb" if not made.reads and (made.other is not None or made.kind == "tty") else "rb"
    with fd.fdopen(made.thing if not isinstance(made.thing, int) else fd.dup(made.thing), mode, 0):
        pass


def _sendfile_to(made: Made, stack: contextlib.ExitStack, folder: Path) -> None:
    (folder / "source").write_bytes(DATA)
    with (folder / "source").open("rb") as source:
        _expect(fd.sendfile(made.thing, source, 0, 100) == len(DATA))


def _sendfile_from(made: Made, stack: contextlib.ExitStack, folder: Path) -> None:
    out = number(stack, fd.pipe()[1])
    _expect(fd.sendfile(out, made.thing, 0, 100) == len(DATA))


OPERATIONS: dict[str, Callable[[Made, contextlib.ExitStack, Path], object]] = {
    "read": _read,
    "readv": _readv,
    "write": lambda made, *_: fd.write(made.thing, b"\r"),
    "writev": lambda made, *_: fd.writev(made.thing, [b"\r", b"\r"]),
    "sendfile to": _sendfile_to,
    "sendfile from": _sendfile_from,
    "kind": lambda made, *_: _expect(fd.kind(made.thing) == made.kind),
    "get_blocking": lambda made, *_: fd.get_blocking(made.thing),
    "set_blocking": _blocking,
    "set_inheritable": _inheritable,
    "dup": lambda made, stack, _: number(stack, fd.dup(made.thing)),
    "dup2": _dup2,
    "fdopen": _fdopen,
    "handle": lambda made, *_: fd.handle(made.thing),
    "close": lambda made, *_: close(made.thing),
}


def cell(operation: Callable[..., Any], maker: Callable[..., Made]) -> str:
    """What one try gave."""
    folder = Path(tempfile.mkdtemp(prefix="ss-"))
    try:
        with contextlib.ExitStack() as stack:
            try:
                made = maker(stack, folder)
            except Absent:
                return "--"
            try:
                operation(made, stack, folder)
            except OSError as error:
                return errno.errorcode.get(error.errno or 0, "?").replace("WSAE", "E")
            return "yes"
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def table() -> str:
    """The table, in Markdown; a kind that this platform cannot make is `--`."""
    rows = [["", *MAKERS], ["---"] * (len(MAKERS) + 1)]
    rows += [
        [name, *(cell(operation, maker) for maker in MAKERS.values())]
        for name, operation in OPERATIONS.items()
    ]
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def main(platform: str) -> None:
    """Put the table between the marks of that platform."""
    text = DOCUMENT.read_text(encoding="utf-8")
    begin, end = f"<!-- table {platform} -->\n", f"\n<!-- end {platform} -->"
    pattern = re.escape(begin) + ".*?" + re.escape(end)
    if not re.search(pattern, text, re.DOTALL):
        raise SystemExit(f"{DOCUMENT.name} has no marks for {platform}")
    with DOCUMENT.open("w", encoding="utf-8", newline="\n") as out:
        out.write(re.sub(pattern, lambda _: begin + table() + end, text, flags=re.DOTALL))


if __name__ == "__main__":
    main(*sys.argv[1:])
