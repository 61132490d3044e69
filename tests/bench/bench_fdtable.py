"""The descriptor table beside psutil, in one run: 10,000 descriptors, and how many of each kind are named.

Half of the descriptors are files, half TCP sockets. What must never be put here: other looks at a process than these
two, or what each of them leaves out (that is the census in tests/fdtable).
"""

from __future__ import annotations

import importlib
import os
import resource
import socket
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path

import measuring
from measuring import Table

from samesock import fdtable

HALF = 5_000
ROUNDS = 9
TARGET = 0.5
"""At most this much of psutil's time."""


def timed(look: Callable[[], int]) -> float:
    """Seconds for one look; what it returns is dropped, so that no lane pays for another's garbage."""
    begun = time.perf_counter()
    look()
    return time.perf_counter() - begun


def open_files(stack: ExitStack, folder: Path, number: int) -> None:
    """That many files, each its own."""
    for at in range(number):
        stack.callback(os.close, os.open(folder / str(at), os.O_CREAT | os.O_RDWR))


def open_tcp(stack: ExitStack, number: int) -> None:
    """That many TCP sockets: a listener, one that was never bound, and both ends of connections."""
    listener = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=128))
    stack.enter_context(socket.socket())
    for _ in range(number // 2 - 1):
        stack.enter_context(socket.create_connection(listener.getsockname()))
        stack.enter_context(listener.accept()[0])


def ours() -> int:
    """Descriptors in a full snapshot."""
    return len(fdtable.snapshot())


def theirs() -> int:
    """Rows of psutil's two lists; the name of the second was `connections` before psutil 6."""
    import psutil

    me = psutil.Process()
    connections = me.net_connections if hasattr(me, "net_connections") else me.connections
    return len(me.open_files()) + len(connections("all"))


def speed() -> Table:
    """A full snapshot of many descriptors."""
    half = measuring.count(HALF, 50)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 2 * half + 200
    limit = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, limit), hard))
    half = min(half, (max(soft, limit) - 200) // 2)
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        open_files(stack, Path(name), half)
        open_tcp(stack, half)
        named = {"samesock": ours(), "psutil": theirs()}
        lanes = {
            "samesock": lambda: timed(ours),
            "psutil": lambda: timed(theirs),
            "keys": lambda: timed(keys),
        }
        seconds = measuring.interleaved(lanes, measuring.count(ROUNDS, 3))
    medians = {lane: statistics.median(found) for lane, found in seconds.items()}
    ratios = [one / other for one, other in zip(seconds["samesock"], seconds["psutil"], strict=True)]
    low, _, high = measuring.quartiles(ratios)
    share = medians["samesock"] / medians["psutil"]
    rows = [
        ["samesock.fdtable.snapshot()", f"{medians['samesock'] * 1e3:.0f} ms", str(named["samesock"])],
        [
            "psutil open_files() + net_connections()",
            f"{medians['psutil'] * 1e3:.0f} ms",
            str(named["psutil"]),
        ],
        ["samesock.fdtable.keys()", f"{medians['keys'] * 1e3:.0f} ms", "numbers and identities alone"],
    ]
    word = "reached" if share <= TARGET else "missed"
    return Table(
        f"{2 * half:,} descriptors, half files, half TCP, of one's own process",
        ["look", "median", "named"],
        rows,
        [
            f"samesock takes {share:.3f} ({low:.3f} to {high:.3f}) of psutil's time; wanted at most {TARGET}: {word}.",
            f"Rounds in turns: {len(ratios)}.",
        ],
        [{"what": "snapshot", "share": share, "low": low, "high": high, **named, **medians}],
    )


def keys() -> int:
    """Descriptors in a key snapshot."""
    return len(fdtable.keys())


def kinds() -> Table:
    """How many kinds of the census each names: a descriptor counts as named when its number is listed."""
    import psutil

    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
    census = importlib.import_module("fdtable.census")
    opened: dict[int, str] = {}
    with tempfile.TemporaryDirectory(prefix="ss-") as name, ExitStack() as stack:
        for at, case in enumerate(census.CASES[: census.of_lsof()]):
            folder = Path(name, str(at))
            folder.mkdir()
            with suppress(OSError, AttributeError):
                opened[case.make(stack, folder).numbers[0]] = case.name
        me = psutil.Process()
        connections = me.net_connections if hasattr(me, "net_connections") else me.connections
        listed = {row.fd for row in (*me.open_files(), *connections("all"))}
        named = {one.number for one in fdtable.snapshot() if one.kind not in ("anon", "other")}
    missed = sorted(word for number, word in opened.items() if number not in listed)
    rows = [
        ["samesock", f"{len(opened.keys() & named)} of {len(opened)}"],
        ["psutil", f"{len(opened.keys() & listed)} of {len(opened)}"],
    ]
    notes = [f"psutil does not list: {', '.join(missed).replace('_', ' ')}."]
    figures = {"what": "kinds", "made": len(opened), "samesock": len(opened.keys() & named)}
    return Table("Kinds of descriptors named", ["look", "kinds"], rows, notes, [figures])


def main() -> list[Table]:
    """Both tables, on Linux; none elsewhere."""
    if sys.platform != "linux":
        return []
    return [speed(), kinds()]


if __name__ == "__main__":
    for table in main():
        sys.stdout.write(f"{table.title}\n")
        for row in (table.columns, *table.rows):
            sys.stdout.write("  " + "  ".join(cell.ljust(42) for cell in row).rstrip() + "\n")
        sys.stdout.write("".join(f"  {note}\n" for note in table.notes))
