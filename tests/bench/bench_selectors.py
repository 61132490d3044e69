"""What an event costs through samesock.selectors, beside the best that there is: epoll on Linux, wepoll and select
under Wine.

Under Wine it is the time from an event to the end of the wait that finds it, with all of the sockets idle and asked
about before: a datagram is sent to one of them, `select` finds it, and what the same send costs where nobody waits is
taken off. The clock cannot begin after the send: on one core Wine's server has answered by then, in the middle of it,
and what that costs would be missing (0.03 instead of 0.09 of select's time was seen). All of it is on one core, as
the benchmarks of sockets are: on several, what it takes to wake an idle one comes into each of the five trips to the
server that one event makes (three bring the answer, two fetch it from the port).

The lanes take turns with the same sockets, one selector open at a time. `wepoll` (in C, from PyPI, for Windows) is
fetched into a folder of its own; without it that lane is left out, and the note says so. On Linux both selectors watch
the same 1,000 connections. What must never be put here: how a selector does it.
"""

from __future__ import annotations

import contextlib
import json
import random
import select
import selectors as stdlib
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import measuring
from measuring import Table
from parts import CHECKOUT, WINE_PYTHON, in_part, one_core

SIZES = {10: 60, 500: 40, 5000: 40}
"""Sockets, and the events in a burst."""
ROUNDS = 6
CONNECTIONS = 1000
ACTIVE = 50
TITLES = {
    "native": "A selector on Linux: 64-byte echo, 1,000 connections",
    "wine": "A selector under Wine: one event among idle sockets",
}
ABOUT = "From the send of a datagram to the return of the wait, less the same send where nobody waits; on one core."
SECONDS = 240


def echo() -> list[dict[str, Any]]:
    """Echoes per second, through ours and the standard library's, on the same connections."""
    from samesock.selectors import DefaultSelector

    _allow_files()
    with contextlib.ExitStack() as stack:
        clients = []
        lanes: dict[str, Any] = {
            "samesock": stack.enter_context(DefaultSelector()),
            "selectors": stack.enter_context(stdlib.DefaultSelector()),
        }
        for _ in range(CONNECTIONS):
            server, client = socket.socketpair()
            clients.append(client)
            for sock in (server, client):
                stack.enter_context(sock)
                sock.setblocking(False)
            for selector in lanes.values():
                selector.register(server, stdlib.EVENT_READ, server)
        rates = measuring.interleaved(
            {name: _echo_burst(selector, clients) for name, selector in lanes.items()},
            measuring.count(120, 4),
        )
    ratio = measuring.ratio(rates["samesock"], rates["selectors"])
    return [
        _row(
            "64-byte echoes a second, higher is better",
            "selectors.EpollSelector",
            statistics.median(rates["samesock"]),
            statistics.median(rates["selectors"]),
            ratio.median,
            0.95,
            better=ratio.median >= 0.95,
            quartiles=[ratio.low, ratio.high],
        )
    ]


def _echo_burst(selector: Any, clients: list[Any]) -> Callable[[], float]:
    data = bytes(64)
    choose = random.Random(1)

    def burst() -> float:
        begun = time.perf_counter()
        for _ in range(20):
            active = choose.sample(clients, ACTIVE)
            for client in active:
                client.send(data)
            left = ACTIVE
            while left:
                for key, _ in selector.select():
                    key.data.send(key.data.recv(64))
                    left -= 1
            for client in active:
                client.recv(64)
        return 20 * ACTIVE / (time.perf_counter() - begun)

    return burst


def _allow_files() -> None:
    if sys.platform != "win32":
        import resource

        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


class Ours:
    """samesock's selector."""

    def __init__(self, socks: list[Any]) -> None:
        from samesock.selectors import DefaultSelector

        self._selector = DefaultSelector()
        for sock in socks:
            self._selector.register(sock, stdlib.EVENT_READ)

    def look(self, seconds: float) -> int:
        """How many events there are."""
        return len(self._selector.select(seconds))

    def close(self) -> None:
        """Close it."""
        self._selector.close()


class Wepoll:
    """wepoll's own object, without a selector around it."""

    def __init__(self, socks: list[Any]) -> None:
        import wepoll  # type: ignore[import-not-found,unused-ignore]

        self._epoll = wepoll.epoll()
        self._count = len(socks)
        for sock in socks:
            self._epoll.register(sock.fileno(), 1)  # EPOLLIN

    def look(self, seconds: float) -> int:
        """How many events there are."""
        return len(self._epoll.poll(seconds, self._count))

    def close(self) -> None:
        """Close it."""
        self._epoll.close()


class Nobody:
    """The send alone: nothing is asked about, and nobody looks."""

    def __init__(self, socks: list[Any]) -> None:
        """Nothing is kept."""

    def look(self, seconds: float) -> int:
        """Say that there is one, at once."""
        return 1

    def close(self) -> None:
        """Nothing is kept."""


class Select:
    """select.select()."""

    def __init__(self, socks: list[Any]) -> None:
        self._socks = socks

    def look(self, seconds: float) -> int:
        """How many events there are."""
        return len(select.select(self._socks, [], [], seconds)[0])

    def close(self) -> None:
        """Nothing is kept."""


def latencies() -> list[dict[str, Any]]:
    """Medians of the time of one event, in milliseconds, for each size and lane."""
    medians: dict[tuple[int, str], float] = {}
    pairs: dict[tuple[int, str], list[float]] = {}
    socks: list[Any] = []
    makers: dict[str, Callable[[list[Any]], Any]] = {"send": Nobody, "ours": Ours, "select": Select}
    with contextlib.suppress(ImportError):
        import wepoll  # noqa: F401

        makers["wepoll"] = Wepoll
    with contextlib.ExitStack() as stack:
        for size, events in SIZES.items():
            while len(socks) < size:
                sock = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
                sock.bind(("127.0.0.1", 0))
                socks.append(sock)
            names = [name for name in makers if name != "select" or size <= 500]
            rounds = measuring.count(ROUNDS, 2)
            lanes = {name: _wait_burst(makers[name], socks, measuring.count(events, 4)) for name in names}
            times = measuring.interleaved(lanes, rounds)
            sends = times.pop("send")
            for name, values in times.items():
                pairs[size, name] = [value - send for value, send in zip(values, sends, strict=True)]
                medians[size, name] = statistics.median(pairs[size, name])
    return _latency_rows(medians, pairs)


def _wait_burst(make: Callable[[list[Any]], Any], socks: list[Any], events: int) -> Callable[[], float]:
    choose = random.Random(2)

    def burst() -> float:
        with contextlib.closing(make(socks)) as waiter:
            waiter.look(0)
            times = []
            for number in range(events + 2):
                sock = choose.choice(socks)
                address = sock.getsockname()
                begun = time.perf_counter()
                sock.sendto(b"!", address)
                found = waiter.look(10)
                took = time.perf_counter() - begun
                assert found == 1
                sock.recv(9)
                waiter.look(0)  # has it asked about again
                if number >= 2:  # the first ones warm up
                    times.append(took)
            return statistics.median(times) * 1e3

    return burst


def _latency_rows(
    medians: dict[tuple[int, str], float], pairs: dict[tuple[int, str], list[float]]
) -> list[dict[str, Any]]:
    rows = []
    most = max(SIZES)
    for size in SIZES:
        for other in ("wepoll", "select"):
            if (size, other) not in medians:
                continue
            ours, theirs = medians[size, "ours"], medians[size, other]
            ratio = measuring.ratio(pairs[size, "ours"], pairs[size, other])
            target = None
            if (size, other) == (most, "wepoll"):
                target = 1.25
            elif (size, other) == (500, "select"):
                target = 0.1
            better = None if target is None else ours / theirs <= target
            what = f"ms for one event, {size:,} sockets, lower is better"
            rows.append(
                _row(what, other, ours, theirs, ratio.median, target, better, [ratio.low, ratio.high])
            )
    if (most, "wepoll") in medians:
        ours = medians[most, "ours"] / medians[10, "ours"]
        theirs = medians[most, "wepoll"] / medians[10, "wepoll"]
        what = f"growth of that time from 10 to {most:,} sockets, lower is better"
        rows.append(_row(what, "wepoll", ours, theirs, ours / theirs, 1.0, ours <= theirs, None))
    return rows


def _row(  # noqa: PLR0917 -- a row's cells, in their order
    what: str,
    theirs: str,
    our_figure: float,
    their_figure: float,
    ratio: float,
    target: float | None,
    better: bool | None,
    quartiles: list[float] | None,
) -> dict[str, Any]:
    return {
        "what": what,
        "ours": "samesock.selectors",
        "theirs": theirs,
        "our_figure": our_figure,
        "their_figure": their_figure,
        "ratio": ratio,
        "quartiles": quartiles,
        "target": target,
        "verdict": "" if better is None else "reached" if better else "missed",
    }


def _table(part: str, figures: list[dict[str, Any]], notes: list[str]) -> Table:
    columns = ["what", "samesock.selectors", "against", "its figure", "ratio (quartiles)", "limit", "result"]
    rows = []
    for one in figures:
        shown = f"{one['ratio']:.3f}"
        if one["quartiles"]:
            shown = str(measuring.Ratio(one["ratio"], *one["quartiles"]))
        target = "" if one["target"] is None else f"{one['target']:.2f}"
        ours, theirs = f"{one['our_figure']:,.3f}", f"{one['their_figure']:,.3f}"
        rows.append([one["what"], ours, one["theirs"], theirs, shown, target, one["verdict"]])
    return Table(TITLES[part], columns, rows, notes, figures)


def _fetch_wepoll(folder: str) -> str:
    """Put wepoll for Wine's Python into the folder; why not, if it cannot be had."""
    line = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--no-deps",
        "--target",
        folder,
        "--no-compile",
    ]
    line += ["--platform=win_amd64", "--only-binary=:all:", "--implementation=cp"]
    line += [f"--python-version={WINE_PYTHON}", "wepoll"]
    done = subprocess.run(line, capture_output=True, text=True, check=False)
    return "" if done.returncode == 0 else "wepoll could not be fetched: its rows are missing."


def main() -> list[Table]:
    """The tables of both parts."""
    tables = []
    for part, title in TITLES.items():
        notes: list[str] = []
        core = contextlib.nullcontext() if part == "native" else one_core()
        with core, tempfile.TemporaryDirectory(prefix=".wepoll-", dir=CHECKOUT) as folder:
            if part == "wine":
                notes = [note for note in [ABOUT, _fetch_wepoll(folder)] if note]
            said, why = in_part(part, [__file__, part, Path(folder).name], SECONDS)
        if said:
            tables.append(_table(part, json.loads(said), notes))
        else:
            tables.append(Table(title, [], [], [why]))
    return tables


if __name__ == "__main__":
    sys.path.insert(0, str(CHECKOUT / sys.argv[2]))
    print(json.dumps(echo() if sys.argv[1] == "native" else latencies()))
