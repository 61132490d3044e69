"""What the tests' children do: `python child.py WORK [NUMBER]`; one JSON line is the answer."""

from __future__ import annotations

import json
import os
import sys

import samesock
from samesock import fd

sys.stdout.reconfigure(newline="\n")  # type: ignore[union-attr]


def tell(answer: object) -> None:
    """The answer, as one line."""
    print(json.dumps(answer), flush=True)


def look() -> None:
    """What was inherited, and that a second look finds nothing, not even the note."""
    note = int(os.environ["SAMESOCK_INHERITED"])
    mine = fd.inherited()
    # On Windows the number may be one of the sockets' by now.
    kept = fd.is_open(note) if hasattr(os, "pread") else False
    tell({
        "kinds": [fd.kind(one) for one in mine],
        "inheritable": [fd.get_inheritable(one) for one in mine],
        "read": [fd.read(one, 100).decode() for one in mine if fd.kind(one) == "file"],
        "again": len(fd.inherited()),
        "variable": os.environ.get("SAMESOCK_INHERITED"),
        "note": kept,
    })  # fmt: skip


def serve() -> None:
    """Accept one connection on each listener, and answer with what is in the file."""
    *listeners, file = fd.inherited()
    for one in listeners:
        with samesock.socket(fileno=one) as listener:
            listener.settimeout(20)
            accepted, _ = listener.accept()
            with accepted:
                fd.sendfile(accepted, file, 0, 100)
    tell("served")


def is_open(number: int) -> None:
    """Whether a number that was not passed is open as a handle or descriptor here."""
    fd.inherited()
    tell([fd.is_open(fd.Descriptor(number, space)) for space in ("handle", "fd")])  # type: ignore[arg-type]


def close_all() -> None:
    """closefrom() in a process of its own."""
    reader, writer = fd.pipe()
    high = max(reader, writer)
    low = fd.dup2(reader, high + 5)
    fd.closefrom(high + 1)
    tell([fd.is_open(reader), fd.is_open(writer), fd.is_open(low)])


if __name__ == "__main__":
    globals()[sys.argv[1]](*map(int, sys.argv[2:]))
