"""The price of samesock's sockets, side by side with the standard library's in one run: the data path and connecting.

Three parts, each in a Python of its own: Linux as it is, Linux with the emulation forced, Windows CPython under Wine.
Every lane has two processes, the same implementation at both ends; see `ends`. Fresh processes are started several
times, since where a process happens to lie in memory and on the cores lasts as long as it lives. What must never be
put here: why something costs what it costs (that is `bench_steps`).
"""

from __future__ import annotations

import contextlib
import itertools
import json
import statistics
import sys
from pathlib import Path
from typing import Any, NamedTuple

import measuring
from ends import Alone, Client, Lane
from measuring import Table
from parts import in_part, one_core

PART_SECONDS = 400


class Row(NamedTuple):
    """One comparison: a way of measuring, our lane, theirs, and how much of their rate ours must reach."""

    what: str
    way: str
    ours: str
    theirs: str
    target: float | None


LANES = {
    "socket, TCP": Lane("socket", "tcp"),
    "socket, TCP, again": Lane("socket", "tcp"),
    "samesock, TCP": Lane("samesock", "tcp"),
    "socket, TCP, time-out": Lane("socket", "tcp", "30"),
    "samesock, TCP, time-out": Lane("samesock", "tcp", "30"),
    "socket, AF_UNIX": Lane("socket", "unix"),
    "samesock, AF_UNIX": Lane("samesock", "unix"),
}
WAYS = {
    "ping-pong": (Client, "ping_pong", 300, 1, "trips/s"),
    "streaming": (Client, "stream", 12, 1, "MiB/s"),
    "connecting": (Client, "connect", 20, 1, "/s"),
    "connecting alone": (Alone, "connect", 3, 6, "/s"),
}
"""What is made of a lane, the burst's name, its length, how many more rounds it needs for being short, its unit. A
burst of one thread that never waits must be shorter than the time that the system gives a busy thread at once."""

TCP = [
    Row("64-byte ping-pong, TCP", "ping-pong", "samesock, TCP", "socket, TCP", None),
    Row("1 MiB streaming, TCP", "streaming", "samesock, TCP", "socket, TCP", None),
]
TIMED = [
    Row(
        f"{what}, sockets with a time-out",
        way,
        "samesock, TCP, time-out",
        "socket, TCP, time-out",
        None,
    )
    for what, way in (("64-byte ping-pong", "ping-pong"), ("1 MiB streaming", "streaming"))
]
KERNEL_UNIX = [
    Row("64-byte ping-pong, AF_UNIX", "ping-pong", "samesock, AF_UNIX", "socket, AF_UNIX", None),
    Row("1 MiB streaming, AF_UNIX", "streaming", "samesock, AF_UNIX", "socket, AF_UNIX", None),
]
EMULATED = [
    Row("64-byte ping-pong, emulated AF_UNIX", "ping-pong", "samesock, AF_UNIX", "socket, TCP", 0.95),
    Row("1 MiB streaming, emulated AF_UNIX", "streaming", "samesock, AF_UNIX", "socket, TCP", 0.95),
]
CONNECTING = [
    Row("connect + accept + close, two processes", "connecting", "samesock, AF_UNIX", "socket, TCP", None),
    Row(
        "connect + accept + close, one thread",
        "connecting alone",
        "samesock, AF_UNIX",
        "socket, TCP",
        None,
    ),
]
CONTROL = [
    Row("noise: ping-pong against itself", "ping-pong", "socket, TCP, again", "socket, TCP", None),
    Row("noise: streaming against itself", "streaming", "socket, TCP, again", "socket, TCP", None),
]
NOISE_OF_CONNECTING = [
    Row("noise: connecting against itself", "connecting", "socket, TCP, again", "socket, TCP", None)
]


def _at_least(target: float, rows: list[Row]) -> list[Row]:
    return [row._replace(target=target) for row in rows]


PARTS: dict[str, list[Row]] = {
    "native": _at_least(0.98, TCP + TIMED + KERNEL_UNIX) + CONTROL,
    "emulated": EMULATED + _at_least(0.5, CONNECTING) + CONTROL + NOISE_OF_CONNECTING,
    "wine": _at_least(0.95, TCP)
    + TIMED
    + EMULATED
    + _at_least(0.4, CONNECTING)
    + CONTROL
    + NOISE_OF_CONNECTING,
}
TITLES = {
    "native": "Linux, as it is",
    "emulated": "Linux, Unix sockets emulated",
    "wine": "Windows CPython under Wine, Unix sockets emulated",
}
SITTINGS = {"native": 13, "emulated": 13, "wine": 7}
ROUNDS = {"native": 12, "emulated": 10, "wine": 8}


def measure(part: str) -> list[dict[str, Any]]:
    """One part's figures; runs in the Python that the part is about."""
    rows = PARTS[part]
    results: dict[tuple[str, str], list[list[float]]] = {}
    for sitting in range(measuring.count(SITTINGS[part])):
        for way in dict.fromkeys(row.way for row in rows):
            maker, burst, length, more, _ = WAYS[way]
            names = list(
                dict.fromkeys(lane for row in rows if row.way == way for lane in (row.theirs, row.ours))
            )
            if sitting % 2:  # Where a lane stands among the processes that were started is to favour none.
                names.reverse()
            with contextlib.ExitStack() as stack:
                bursts = {}
                for name in names:
                    end = stack.enter_context(contextlib.closing(maker(LANES[name])))
                    bursts[name] = _burst(end, burst, length)
                    bursts[name]()  # the first one warms up, and is not counted
                rounds = measuring.count(ROUNDS[part] * more, 2)
                for name, rates in measuring.interleaved(bursts, rounds).items():
                    results.setdefault((way, name), []).append(rates)
    return [_figure(row, results[row.way, row.ours], results[row.way, row.theirs]) for row in rows]


def _burst(end: Any, name: str, length: int) -> Any:
    method = getattr(end, name)
    return lambda: method(length)


def _figure(row: Row, ours: list[list[float]], theirs: list[list[float]]) -> dict[str, Any]:
    found = measuring.ratio_of_sittings(ours, theirs)
    return {
        **row._asdict(),
        "unit": WAYS[row.way][-1],
        "our_rate": statistics.median(itertools.chain(*ours)),
        "their_rate": statistics.median(itertools.chain(*theirs)),
        "ratio": found.median,
        "quartiles": [found.low, found.high],
        "bursts": sum(map(len, ours)),
        "verdict": "" if row.target is None else measuring.verdict(found.median, row.target),
    }


def _table(part: str, figures: list[dict[str, Any]]) -> Table:
    columns = ["what", "ours", "rate", "against", "rate", "ratio (quartiles)", "at least", "result"]
    rows = []
    for one in figures:
        unit = one["unit"]
        shown = measuring.Ratio(one["ratio"], *one["quartiles"])
        target = "" if one["target"] is None else f"{one['target']:.2f}"
        ours, theirs = f"{one['our_rate']:,.0f} {unit}", f"{one['their_rate']:,.0f} {unit}"
        rows.append(
            [one["what"], one["ours"], ours, one["theirs"], theirs, str(shown), target, one["verdict"]]
        )
    note = f"{figures[0]['bursts']} bursts of each lane, in {measuring.count(SITTINGS[part])} sittings."
    return Table(TITLES[part], columns, rows, [note], figures)


def main() -> list[Table]:
    """The three parts' tables."""
    tables = []
    for part in PARTS:
        with one_core():
            said, why = in_part(part, [__file__, part], PART_SECONDS)
        tables.append(_table(part, json.loads(said)) if said else Table(TITLES[part], [], [], [why]))
    return tables


if __name__ == "__main__":
    print(json.dumps(measure(Path(sys.argv[1]).name)))
