"""Where an emulated connect + accept + close spends its time: the steps by the clock, the whole in instructions.

Both ends are in one thread. The steps are timed by clocks around the functions of the emulation's replaceable tables;
what is left of the time without the clocks is Python's own work between them. What must never be put here: targets
(they are in `bench_sockets`).
"""

from __future__ import annotations

import importlib
import json
import os
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import measuring
from counting import instructions
from ends import Alone, Lane
from measuring import Table
from parts import in_part, one_core

PART_SECONDS = 100
COUNTED = 200
TITLES = {
    "emulated": "Where connect + accept + close goes, Linux",
    "wine": "Where connect + accept + close goes, Wine",
}

CALLS = "samesock.unix.calls:calls"
STEPS = {
    "TCP: make the client's socket": [f"{CALLS}.borrow"],
    "TCP: connect": [f"{CALLS}.connect_ex"],
    "TCP: accept, and make its socket": [f"{CALLS}.accept", "samesock.unix.accepting:.accepted"],
    "TCP: close both sockets": [f"{CALLS}.close"],
    "the socket's file: open, read, close": [
        "samesock.backend:system.open_record",
        "samesock.backend:system.OpenRecord.close",
    ],
    "its life, asked before and after connecting": [
        "samesock.backend:system.OpenRecord.seems_live",
        "samesock.backend:system.OpenRecord.live",
    ],
    "whose it is, and where": [
        "samesock.backend:system.OpenRecord.trusted",
        "samesock.backend:system.realm",
        "samesock.backend:system.Hold.touched",
        "samesock.unix.rendezvous:.decode",
    ],
    "the hello: make and check": ["samesock.unix.hello:.make", "samesock.unix.hello:.check"],
    "the hello: send and receive": [f"{CALLS}.send", f"{CALLS}.recv"],
    "a second Python object for a socket": [
        "samesock.unix.making:._stdlib_init",
        f"{CALLS}.detach",
    ],
    "modes, options, addresses": [
        f"{CALLS}.settimeout",
        f"{CALLS}.setsockopt",
        f"{CALLS}.getsockopt",
        f"{CALLS}.getsockname",
        f"{CALLS}.getpeername",
        "samesock.backend:system.prepare_client",
    ],
    "waiting": ["samesock.backend:system.wait"],
}
"""Each step's functions, as `module:object.name`; one that an edition of the library has not got counts nothing."""


class Clocks:
    """Clocks around functions, each with the calls and the ns that it saw since it was last read."""

    def __init__(self) -> None:
        self.seen: dict[str, list[int]] = {}
        self._undo: list[tuple[Any, str, Any]] = []

    def put_on(self, where: str) -> None:
        """A clock on one function of STEPS."""
        module, _, names = where.partition(":")
        *path, name = names.split(".")
        owner: Any = importlib.import_module(module)
        for part in filter(None, path):
            owner = getattr(owner, part, None)
        function = getattr(owner, name, None)
        if function is None:
            return
        self._undo.append((owner, name, function))
        setattr(owner, name, _clocked(function, self.seen.setdefault(where, [])))

    def take_off(self) -> None:
        """Put the functions back."""
        for owner, name, function in reversed(self._undo):
            setattr(owner, name, function)
        self._undo.clear()

    def read(self) -> dict[str, tuple[int, int]]:
        """Calls and ns of each function, from zero again."""
        found = {where: (len(seen), sum(seen)) for where, seen in self.seen.items()}
        for seen in self.seen.values():
            seen.clear()
        return found


def _clocked(function: Callable[..., Any], seen: list[int]) -> Callable[..., Any]:
    now = time.perf_counter_ns

    def clocked(*args: Any, **kwargs: Any) -> Any:
        begun = now()
        try:
            return function(*args, **kwargs)
        finally:
            seen.append(now() - begun)

    return clocked


def measure() -> dict[str, Any]:
    """Microseconds of a round: of each step, of all, of TCP by the standard library.

    The rounds that count are the middle half by their length, and their means: medians of steps do not add up.
    """
    ours, theirs, floor = Alone(Lane("samesock", "unix")), Alone(Lane("socket", "tcp")), _floor()
    ours.connect(10)
    theirs.connect(10)
    clocks = Clocks()
    for functions in STEPS.values():
        for where in functions:
            clocks.put_on(where)
    rounds, others, bare = [], [], []
    for _ in range(measuring.count(600, 40)):
        clocks.read()
        whole = 1e9 / ours.connect(1)
        rounds.append((whole, clocks.read()))
        others.append(1e9 / theirs.connect(1))
        if floor is not None:
            bare.append(1e9 / floor.connect(1))
    clocks.take_off()
    ours.close()
    theirs.close()
    if floor is not None:
        floor.close()
    middle = _middle_half(rounds, key=lambda one: one[0])
    inside, outside = _cost_of_a_clock()
    functions = {where: _mean([found[where] for _, found in middle], inside) for where in clocks.seen}
    steps = {}
    for step, names in STEPS.items():
        present = [functions[where] for where in names if where in functions]
        steps[step] = {unit: sum(one[unit] for one in present) for unit in ("calls", "us")}
    calls = sum(one["calls"] for one in functions.values())
    whole = statistics.fmean(one for one, _ in middle) - calls * (inside + outside)
    tcp = statistics.fmean(_middle_half(others, key=lambda one: one))
    found: dict[str, Any] = {
        "steps": steps,
        "functions": functions,
        "ours": whole / 1000,
        "theirs": tcp / 1000,
    }
    if bare:
        found["bare"] = statistics.fmean(_middle_half(bare, key=lambda one: one)) / 1000
    return found


def _floor() -> Any:
    """What makes the same calls of the system with no library around them; `None` where it is not written for."""
    if sys.platform != "linux":
        return None
    from bare import Bare

    return Bare()


def _mean(seen: list[tuple[int, int]], inside: float) -> dict[str, float]:
    """Calls and microseconds of a round, less what the clock adds."""
    calls = statistics.fmean(number for number, _ in seen)
    spent = statistics.fmean(ns for _, ns in seen) - calls * inside
    return {"calls": calls, "us": max(0.0, spent) / 1000}


def _middle_half(found: list[Any], key: Callable[[Any], float]) -> list[Any]:
    ordered = sorted(found, key=key)
    return ordered[len(ordered) // 4 : -(len(ordered) // 4)]


def _cost_of_a_clock() -> tuple[float, float]:
    """What a clock adds to the time that it sees, and to the time around it, in ns; the least of several tries."""
    seen: list[int] = []
    nothing = int
    clocked = _clocked(nothing, seen)
    insides, wholes = [], []
    for _ in range(20):
        seen.clear()
        for function in (nothing, clocked):
            begun = time.perf_counter_ns()
            for _ in range(500):
                function()
            wholes.append((time.perf_counter_ns() - begun) / 500)
        insides.append(statistics.fmean(seen))
    plain = min(wholes[::2])
    inside = max(0.0, min(insides) - plain)
    return inside, max(0.0, min(wholes[1::2]) - plain - inside)


def _steps_table(part: str) -> Table:
    with one_core():
        said, why = in_part(part, [__file__, part], PART_SECONDS)
    if not said:
        return Table(TITLES[part], [], [], [why])
    found = json.loads(said)
    whole = found["ours"]
    steps = {name: step for name, step in found["steps"].items() if step["calls"]}
    rest = whole - sum(step["us"] for step in steps.values())
    rows = [
        [name, f"{step['calls']:.1f}", f"{step['us']:.1f}", f"{step['us'] / whole:.0%}"]
        for name, step in steps.items()
    ]
    rows.append(["Python between these", "", f"{rest:.1f}", f"{rest / whole:.0%}"])
    rows.append(["all of it", "", f"{whole:.1f}", "100%"])
    rows.append(
        [
            "the standard library's TCP, all of it",
            "",
            f"{found['theirs']:.1f}",
            f"{found['theirs'] / whole:.0%}",
        ]
    )
    alone = found["theirs"] / (whole - rest)
    notes = [
        "Means of the middle half of the rounds, by their length; both ends in one thread.",
        f"With no time between the steps it would be {alone:.2f} of TCP's rate; there is Python within them, too.",
    ]
    if "bare" in found:
        bare = found["bare"]
        rows.append(["the protocol's calls in a row, no library", "", f"{bare:.1f}", f"{bare / whole:.0%}"])
        notes.append(
            f"The calls of the system that the protocol needs, in a row and with nothing between them (`bare.py`), make"
            f" {found['theirs'] / bare:.2f} of TCP's rate: no Python can be quicker than that."
        )
    return Table(TITLES[part], ["step", "calls", "us", "share"], rows, notes, [found])


def _instructions_table() -> Table:
    """Instructions of a round, in user mode: the difference of a long and a short run."""
    script = str(Path(__file__).with_name("ends.py"))
    environment = {**os.environ, "SAMESOCK_UNIX": "emulated"}
    title = f"Instructions of {COUNTED} rounds of connect + accept + close, Linux"
    found: dict[str, int] = {}
    for name, lane in {"emulated": Lane("samesock", "unix"), "TCP": Lane("socket", "tcp")}.items():
        line = [sys.executable, script, "rounds", *lane]
        counts = [instructions([*line, str(rounds)], environment) for rounds in (0, COUNTED)]
        if counts[0] is None or counts[1] is None:
            return Table(title, [], [], ["Not measured here: it needs valgrind."])
        found[name] = counts[1] - counts[0]
    rows = [[name, f"{value / 1e6:.2f} million", f"{value / COUNTED:,.0f}"] for name, value in found.items()]
    quotient = found["TCP"] / found["emulated"]
    notes = [
        f"TCP takes {quotient:.2f} of the emulation's instructions.",
        "User mode alone, by callgrind; what the kernel does, most of a TCP round's time, is not in it.",
    ]
    return Table(title, ["what", f"{COUNTED} rounds", "a round"], rows, notes, [found])


def main() -> list[Table]:
    """The steps on Linux and under Wine, and the instructions."""
    return [_steps_table("emulated"), _steps_table("wine"), _instructions_table()]


if __name__ == "__main__":
    print(json.dumps(measure()))
