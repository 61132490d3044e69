"""The price of passing a socket: a round trip of one descriptor between two processes, there and back.

On Linux against the standard library's send_fds over the kernel's Unix sockets, interleaved in one run. Where samesock
passes itself (Linux with the emulation forced, Windows CPython under Wine) there is nothing to compare with: the rate
is stated beside the same trip without a descriptor. On one core, as the benchmarks of sockets are, and for the same
reason: between two, a trip costs what it takes to wake the other. What must never be put here: the data path without
descriptors.
"""

from __future__ import annotations

import contextlib
import importlib
import itertools
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from typing import Any

import measuring
from measuring import Table
from parts import in_part, one_core

PART_SECONDS = 150
TRIPS = {"native": 200, "emulated": 40, "wine": 15}
SITTINGS = {"native": 13, "emulated": 5, "wine": 5}
ROUNDS = {"native": 12, "emulated": 6, "wine": 5}
TARGET = 0.95
ABOUT_WINE = (
    "One passing takes 31 trips to Wine's server. Nine of them, and a quarter of the time, are the look for the process"
    " at the other end in the system's table of connections, which a driver in a process of its own reads; it is not"
    " remembered, since that end may have been given to another process."
)
TITLES = {
    "native": "Passing a socket: Linux, as it is",
    "emulated": "Passing a socket: Linux, Unix sockets emulated",
    "wine": "Passing a socket: Windows CPython under Wine, Unix sockets emulated",
}


def serve(module: str) -> None:
    """The child: take a message, send back what came with it, until the connection ends."""
    net = importlib.import_module(module)
    folder = tempfile.mkdtemp(prefix="ss-")
    path = os.path.join(folder, "s")
    listener = net.socket(net.AF_UNIX, net.SOCK_STREAM)
    listener.bind(path)
    listener.listen(1)
    print(repr(path), flush=True)
    sock, _ = listener.accept()
    with sock:
        while True:
            data, numbers, _, _ = net.recv_fds(sock, 1, 1)
            if not data:
                break
            if numbers:
                net.send_fds(sock, [data], numbers)
                _close(numbers[0])
            else:
                sock.sendall(data)
    listener.close()
    os.unlink(path)
    os.rmdir(folder)


def _close(number: int) -> None:
    if getattr(number, "space", "fd") == "fd":
        os.close(number)
    else:
        from samesock import fd

        fd.close(number)


class Client:
    """One lane: an implementation, and its server in another process."""

    def __init__(self, module: str) -> None:
        self.net: Any = importlib.import_module(module)
        line = [sys.executable, os.path.abspath(__file__), "serve", module]
        self.server = subprocess.Popen(line, stdout=subprocess.PIPE, text=True)
        assert self.server.stdout is not None
        path = self.server.stdout.readline().strip()[1:-1].replace("\\\\", "\\")
        self.sock = self.net.socket(self.net.AF_UNIX, self.net.SOCK_STREAM)
        self.sock.connect(path)
        self.passed = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)

    def passing(self, trips: int) -> float:
        """Round trips of a descriptor, a second."""
        send_fds, recv_fds = self.net.send_fds, self.net.recv_fds
        sock, number = self.sock, self.passed.fileno()
        begun = time.perf_counter()
        for _ in range(trips):
            send_fds(sock, [b"x"], [number])
            _close(recv_fds(sock, 1, 1)[1][0])
        return trips / (time.perf_counter() - begun)

    def plain(self, trips: int) -> float:
        """The same trips of the byte alone."""
        recv_fds, sock = self.net.recv_fds, self.sock
        begun = time.perf_counter()
        for _ in range(trips):
            sock.sendall(b"x")
            recv_fds(sock, 1, 1)
        return trips / (time.perf_counter() - begun)

    def close(self) -> None:
        """End the connection, and with it the server."""
        self.passed.close()
        self.sock.close()
        self.server.wait()
        assert self.server.stdout is not None
        self.server.stdout.close()


def measure(part: str) -> dict[str, Any]:
    """One part's figures; runs in the Python that the part is about."""
    lanes: dict[str, tuple[str, str]] = {"samesock": ("samesock", "passing")}
    other = "socket" if part == "native" else "without a descriptor"
    lanes[other] = ("socket", "passing") if part == "native" else ("samesock", "plain")
    results: dict[str, list[list[float]]] = {name: [] for name in lanes}
    trips = measuring.count(TRIPS[part])
    for _ in range(measuring.count(SITTINGS[part])):
        with contextlib.ExitStack() as stack:
            bursts = {}
            for name, (module, burst) in lanes.items():
                client = stack.enter_context(contextlib.closing(Client(module)))
                bursts[name] = _burst(getattr(client, burst), trips)
                bursts[name]()  # the first one warms up, and is not counted
            for name, rates in measuring.interleaved(bursts, measuring.count(ROUNDS[part], 2)).items():
                results[name].append(rates)
    found = measuring.ratio_of_sittings(results["samesock"], results[other])
    target = TARGET if part == "native" else None
    return {
        "what": "a UDP socket passed to another process and back",
        "ours": "samesock",
        "theirs": other,
        "unit": "trips/s",
        "our_rate": statistics.median(itertools.chain(*results["samesock"])),
        "their_rate": statistics.median(itertools.chain(*results[other])),
        "ratio": found.median,
        "quartiles": [found.low, found.high],
        "bursts": sum(map(len, results["samesock"])),
        "target": target,
        "verdict": "" if target is None else measuring.verdict(found.median, target),
    }


def _burst(method: Any, trips: int) -> Any:
    return lambda: method(trips)


def _table(part: str, one: dict[str, Any]) -> Table:
    columns = ["what", "ours", "rate", "against", "rate", "ratio (quartiles)", "at least", "result"]
    shown = measuring.Ratio(one["ratio"], *one["quartiles"])
    target = "" if one["target"] is None else f"{one['target']:.2f}"
    ours, theirs = f"{one['our_rate']:,.0f} {one['unit']}", f"{one['their_rate']:,.0f} {one['unit']}"
    row = [one["what"], one["ours"], ours, one["theirs"], theirs, str(shown), target, one["verdict"]]
    note = f"{one['bursts']} bursts of each lane, in {measuring.count(SITTINGS[part])} sittings."
    notes = [note, ABOUT_WINE] if part == "wine" else [note]
    return Table(TITLES[part], columns, [row], notes, [one])


def main() -> list[Table]:
    """The three parts' tables."""
    tables = []
    for part, title in TITLES.items():
        with one_core():
            said, why = in_part(part, [__file__, part], PART_SECONDS)
        tables.append(_table(part, json.loads(said)) if said else Table(title, [], [], [why]))
    return tables


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        serve(sys.argv[2])
    else:
        print(json.dumps(measure(sys.argv[1])))
