"""Requests per second of aiohttp over AF_UNIX against loopback TCP, and what install() costs a TCP ping-pong.

The same aiohttp program serves all lanes, each from a process of its own, after install(); a second TCP lane shows
what the machine's noise is. The ping-pong is one connection of the standard library whose client end is measured with
install() in force and without, in turns. What must never be put here: programs that need a change to run.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from typing import Any

import measuring
from ends import Client, Lane
from measuring import Table
from parts import in_part, one_core

import samesock

PART_SECONDS = 420
SITTINGS, ROUNDS = 5, 8
REQUESTS, TRIPS = 60, 300
TITLES = {
    "native": "Requests and install(), Linux as it is",
    "emulated": "Requests and install(), Linux, Unix sockets emulated",
    "wine": "Requests and install(), Windows CPython under Wine",
}


async def _serve(family: str) -> None:
    from aiohttp import web

    async def hello(_: web.Request) -> web.Response:
        return web.Response(text="hello")

    application = web.Application()
    application.router.add_get("/", hello)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    with tempfile.TemporaryDirectory(prefix="ss-") as folder:
        path = os.path.join(folder, "s")
        site = web.UnixSite(runner, path) if family == "unix" else web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        print(json.dumps(path if family == "unix" else runner.addresses[0][1]), flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
        await runner.cleanup()


class Requests:
    """One lane: a server in a child process, and a client with one connection that is kept."""

    def __init__(self, family: str) -> None:
        line = [sys.executable, os.path.abspath(__file__), "serve", family]
        self.server = subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self.server.stdout is not None
        where = json.loads(self.server.stdout.readline())
        self.loop = asyncio.new_event_loop()
        self.session: Any = self.loop.run_until_complete(self._session(family, where))
        self.url = "http://127.0.0.1/" if family == "unix" else f"http://127.0.0.1:{where}/"

    async def _session(self, family: str, where: Any) -> Any:
        import aiohttp

        return aiohttp.ClientSession(
            connector=aiohttp.UnixConnector(where) if family == "unix" else aiohttp.TCPConnector()
        )

    def ask(self) -> float:
        """One burst."""
        return self.loop.run_until_complete(self._ask())

    async def _ask(self) -> float:
        start = time.perf_counter()
        for _ in range(REQUESTS):
            async with self.session.get(self.url) as response:
                assert await response.read() == b"hello"
        return REQUESTS / (time.perf_counter() - start)

    def close(self) -> None:
        """End both."""
        self.loop.run_until_complete(self.session.close())
        self.loop.close()
        self.server.communicate(timeout=30)


def _requests(sitting: int) -> dict[str, Any]:
    lanes = [("unix", "unix"), ("tcp", "tcp"), ("again", "tcp")]
    if sitting % 2:  # Where a lane stands among the processes that were started is to favour none.
        lanes.reverse()
    with contextlib.ExitStack() as stack:
        ends = {name: stack.enter_context(contextlib.closing(Requests(family))) for name, family in lanes}
        for end in ends.values():
            end.ask()  # warms up
        return measuring.interleaved(
            {name: end.ask for name, end in ends.items()}, measuring.count(ROUNDS, 2)
        )


def _trips() -> dict[str, Any]:
    with contextlib.closing(Client(Lane("socket", "tcp"))) as client:
        # When a class is given other methods, the interpreter looks at their callers anew; then it is counted.
        def before() -> float:
            samesock.uninstall()
            client.ping_pong(TRIPS // 5)
            return client.ping_pong(TRIPS)

        def after() -> float:
            samesock.install()
            client.ping_pong(TRIPS // 5)
            return client.ping_pong(TRIPS)

        before(), after()
        return measuring.interleaved({"after": after, "before": before}, measuring.count(ROUNDS * 2, 2))


def measure() -> list[dict[str, Any]]:
    """One part's figures, in the Python that the part is about."""
    sittings: list[dict[str, Any]] = []
    for sitting in range(measuring.count(SITTINGS)):
        samesock.install()
        sittings.append({**_requests(sitting), **_trips()})
    samesock.uninstall()
    rows: list[tuple[str, str, str, str, float | None]] = [
        ("aiohttp, AF_UNIX against TCP", "requests/s", "unix", "tcp", 0.9),
        ("noise: aiohttp over TCP against itself", "requests/s", "again", "tcp", None),
        ("64-byte TCP ping-pong, after install() against before", "trips/s", "after", "before", 0.99),
    ]
    return [_figure(sittings, row) for row in rows]


def _figure(sittings: Any, row: tuple[str, str, str, str, float | None]) -> dict[str, Any]:
    what, unit, ours, theirs, target = row
    mine, other = [one[ours] for one in sittings], [one[theirs] for one in sittings]
    found = measuring.ratio_of_sittings(mine, other)
    return {
        "what": what,
        "unit": unit,
        "our_rate": statistics.median(itertools.chain(*mine)),
        "their_rate": statistics.median(itertools.chain(*other)),
        "ratio": found.median,
        "quartiles": [found.low, found.high],
        "target": target,
        "verdict": "" if target is None else measuring.verdict(found.median, target),
    }


def main() -> list[Table]:
    """A table for each part."""
    tables = []
    columns = ["what", "rate", "against", "ratio (quartiles)", "at least", "result"]
    for part, title in TITLES.items():
        with one_core():
            said, why = in_part(part, [__file__, "measure"], PART_SECONDS)
        if not said:
            tables.append(Table(title, [], [], [why]))
            continue
        figures = json.loads(said)
        rows = [
            [
                one["what"],
                f"{one['our_rate']:,.0f} {one['unit']}",
                f"{one['their_rate']:,.0f} {one['unit']}",
                str(measuring.Ratio(one["ratio"], *one["quartiles"])),
                "" if one["target"] is None else f"{one['target']:.2f}",
                one["verdict"],
            ]
            for one in figures
        ]
        tables.append(Table(title, columns, rows, [], figures))
    return tables


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        samesock.install()
        asyncio.run(_serve(sys.argv[2]))
    else:
        print(json.dumps(measure()))
