"""How costs grow: with connections from 10 to 10,000, with descriptors from 10 to 15,000, on Linux.

Each table is one cost at several numbers, ours beside another's in turns, and becomes a curve in the documentation.
What is open stays open from one number to the next. What must never be put here: a target (the other files' business).
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import resource
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import measuring
from ends import Lane
from measuring import Table
from parts import in_part

CONNECTIONS = (10, 100, 1_000, 10_000)
DESCRIPTORS = (10, 100, 1_000, 5_000, 15_000)
SECONDS = 300
ROUNDS = 9
COLUMNS = ["what", "samesock", "against", "its figure", "ratio (quartiles)"]
Lanes = dict[str, Callable[[], float]]


class Growth(NamedTuple):
    """One cost at several numbers of one thing; the note says what stands beside ours."""

    title: str
    part: str
    what: str
    ours: str
    theirs: str
    numbers: tuple[int, ...]
    things: str
    note: str = ""


GROWTHS = {
    "events": Growth(
        "Growth on Linux: one event among idle connections",
        "native",
        "ms for one event",
        "samesock.selectors",
        "selectors.EpollSelector",
        CONNECTIONS,
        "connections",
    ),
    "connecting": Growth(
        "Growth on Linux: connect, accept and close beside open connections",
        "emulated",
        "ms for one connection more",
        "samesock, emulated AF_UNIX",
        "socket, TCP",
        CONNECTIONS,
        "connections",
    ),
    "snapshots": Growth(
        "Growth on Linux: a process's own descriptors listed",
        "native",
        "ms for one list",
        "fdtable.snapshot()",
        "psutil",
        DESCRIPTORS,
        "descriptors",
        "psutil: open_files() and net_connections(), which name less.",
    ),
    "boundaries": Growth(
        "Growth on Linux: what the leak check looks at between two tests",
        "native",
        "ms for one look",
        "fdtable.keys()",
        "os.listdir()",
        DESCRIPTORS,
        "descriptors",
        "os.listdir(): of /proc/self/fd, the least that can be asked; keys() has each one's identity too.",
    ),
}


def sizes(growth: Growth) -> list[int]:
    """The numbers, or for a trial run the smaller ones of them."""
    most = measuring.count(growth.numbers[-1], growth.numbers[0])
    return [number for number in growth.numbers if number <= most]


def timed(work: Callable[[], object], times: int) -> Callable[[], float]:
    """A burst: the milliseconds of the work, done so many times."""

    def burst() -> float:
        begun = time.perf_counter()
        for _ in range(times):
            work()
        return (time.perf_counter() - begun) / times * 1e3

    return burst


def events(stack: contextlib.ExitStack) -> Iterator[Lanes]:
    """Idle datagram sockets in both selectors, and one that is woken: a connection takes two descriptors, these one."""
    import selectors as stdlib

    from samesock.selectors import DefaultSelector

    here, there = socket.socketpair()
    stack.callback(here.close)
    stack.callback(there.close)
    found = {
        "ours": stack.enter_context(DefaultSelector()),
        "theirs": stack.enter_context(stdlib.EpollSelector()),
    }
    for selector in found.values():
        selector.register(here, stdlib.EVENT_READ)

    def one_event(selector: Any) -> None:
        there.send(b"!")
        ((key, _),) = selector.select()
        key.fileobj.recv(1)

    have = 1
    for number in sizes(GROWTHS["events"]):
        for _ in range(number - have):
            sock = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
            for selector in found.values():
                selector.register(sock, stdlib.EVENT_READ)
        have = number
        yield {name: timed(lambda one=one: one_event(one), 500) for name, one in found.items()}  # type: ignore[misc]


def connecting(stack: contextlib.ExitStack) -> Iterator[Lanes]:
    """As many connections as the number, whose other ends another process has; then rounds of one more."""
    lanes = {"ours": Lane("samesock", "unix"), "theirs": Lane("socket", "tcp")}
    servers = {}
    for name, lane in lanes.items():
        line = [sys.executable, __file__, "hold", *lane]
        server = subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert server.stdin is not None
        assert server.stdout is not None
        stack.enter_context(server)  # Waits for it, after its standard input was closed.
        stack.callback(server.stdin.close)
        servers[name] = (
            server,
            eval(server.stdout.readline()),
        )  # the repr of a str or a pair, from our own child
        __import__(lane.module)

    def connected(lane: Lane, address: Any) -> Any:
        sock = lane.unconnected()
        sock.connect(address)
        return sock

    def round_trip(lane: Lane, address: Any) -> None:
        with connected(lane, address) as sock:
            sock.sendall(b"e")  # "end this one"
            sock.recv(1)

    def burst(name: str) -> Callable[[], float]:
        return timed(lambda: round_trip(lanes[name], servers[name][1]), 20)

    have = 0
    for number in sizes(GROWTHS["connecting"]):
        # Half of them with each lane's server: a process may not have more than 20,000 descriptors on many systems.
        for name, lane in lanes.items():
            for _ in range((number - have) // 2):
                sock = stack.enter_context(contextlib.closing(connected(lane, servers[name][1])))
                sock.sendall(b"k")  # "keep this one"
                sock.recv(1)
        have = number
        yield {name: burst(name) for name in lanes}


def hold(lane: Lane) -> None:
    """The child of `connecting`: print the address, accept, keep or end each as it asks, until standard input ends."""
    listener = lane.listener()
    listener.settimeout(0.5)
    print(repr(listener.getsockname()), flush=True)
    import select

    kept = []
    while not select.select([sys.stdin], [], [], 0)[0]:
        try:
            sock, _ = listener.accept()
        except TimeoutError:
            continue
        if sock.recv(1) == b"k":
            sock.send(b".")
            kept.append(sock)
        else:
            sock.close()
    address = listener.getsockname()
    listener.close()
    if isinstance(address, str):
        os.unlink(address)


def open_descriptors(stack: contextlib.ExitStack, number: int, have: int, folder: Path) -> None:
    """Open more, until the process has about that many: half files, half sockets."""
    for at in range(have, number):
        if at % 2:
            stack.enter_context(socket.socket())
        else:
            stack.callback(os.close, os.open(folder / str(at), os.O_CREAT | os.O_RDWR))


def snapshots(stack: contextlib.ExitStack) -> Iterator[Lanes]:
    """The whole list, ours and psutil's: its open files and its connections."""
    import psutil

    from samesock import fdtable

    me = psutil.Process()

    def theirs() -> None:
        me.open_files()
        me.net_connections("all")

    for number in _descriptors(stack):
        times = max(1, 500 // number)
        yield {"ours": timed(fdtable.snapshot, times), "theirs": timed(theirs, times)}


def boundaries(stack: contextlib.ExitStack) -> Iterator[Lanes]:
    """Numbers and identities, and beside them the least that can be asked: the numbers, by a list of /proc/self/fd."""
    from samesock import fdtable

    for number in _descriptors(stack):
        times = max(1, 2_000 // number)
        yield {
            "ours": timed(fdtable.keys, times),
            "theirs": timed(lambda: os.listdir("/proc/self/fd"), times),
        }


def _descriptors(stack: contextlib.ExitStack) -> Iterator[int]:
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="ss-")))
    have = 0
    for number in sizes(GROWTHS["snapshots"]):
        open_descriptors(stack, number, have, folder)
        have = number
        yield number


def measure(name: str) -> list[dict[str, Any]]:
    """One growth's figures, in a process of its own."""
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    growth = GROWTHS[name]
    figures = []
    with contextlib.ExitStack() as stack:
        settings: Iterator[Lanes] = globals()[name](stack)
        for number, lanes in zip(itertools.chain(sizes(growth)), settings, strict=True):
            for lane in lanes.values():
                lane()  # the first one warms up, and is not counted
            times = measuring.interleaved(lanes, measuring.count(ROUNDS, 3))
            ratio = measuring.ratio(times["ours"], times["theirs"])
            figures.append(
                {
                    "what": f"{growth.what}, {number:,} {growth.things}",
                    "ours": growth.ours,
                    "theirs": growth.theirs,
                    "our_figure": statistics.median(times["ours"]),
                    "their_figure": statistics.median(times["theirs"]),
                    "ratio": ratio.median,
                    "quartiles": [ratio.low, ratio.high],
                }
            )
    return figures


def main() -> list[Table]:
    """A table for each growth, on Linux; none elsewhere."""
    if sys.platform != "linux":
        return []
    tables = []
    for name, growth in GROWTHS.items():
        said, why = in_part(growth.part, [__file__, name], SECONDS)
        if not said:
            tables.append(Table(growth.title, [], [], [why]))
            continue
        figures = json.loads(said)
        rows = [
            [
                one["what"],
                f"{one['our_figure']:,.4f}",
                one["theirs"],
                f"{one['their_figure']:,.4f}",
                str(measuring.Ratio(one["ratio"], *one["quartiles"])),
            ]
            for one in figures
        ]
        tables.append(
            Table(growth.title, COLUMNS, rows, [f"samesock: {growth.ours}. {growth.note}".strip()], figures)
        )
    return tables


if __name__ == "__main__":
    if sys.argv[1] == "hold":
        hold(Lane(*sys.argv[2:]))
    else:
        print(json.dumps(measure(sys.argv[1])))
