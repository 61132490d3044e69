"""What the leak check costs where nothing leaks: per boundary, and over 3,000 empty tests.

`python tests/bench/bench_leaks.py`. Two runs of pytest differ by more on a busy machine than the check costs, so the
tests are compared inside one run: the plugin watches every other block of 25 tests, and the medians of both kinds are
held against each other. What must never be put here: a limit that fails a suite.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[1]), str(Path(__file__).parents[2] / "src")]

from plugin.running import run_pytest  # noqa: E402

TESTS = 3000
DESCRIPTORS = 12
BLOCK = 25

CONFTEST = f"""
import json, os, statistics, time
import pytest

NAMES = ("samesock_fd_leaks_watching", "samesock_fd_leaks_reporting")
TIMES = {{True: [], False: []}}

while len(os.listdir("/proc/self/fd") if os.path.isdir("/proc/self/fd") else [0] * 99) - 1 < {DESCRIPTORS}:
    os.dup(0)

class Toggling:
    def __init__(self, config):
        self.manager = config.pluginmanager
        self.plugins = [self.manager.get_plugin(name) for name in NAMES]
        self.on, self.count = True, 0

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self, item, nextitem):
        self.count += 1
        if self.count % {BLOCK} == 0:
            self.toggle()
        begun = time.perf_counter()
        try:
            return (yield)
        finally:
            if self.count % {BLOCK}:
                TIMES[self.on].append(time.perf_counter() - begun)

    def toggle(self):
        from samesock.leaks import tracing
        self.on = not self.on
        if self.on:
            tracing.start()
        for plugin, name in zip(self.plugins, NAMES):
            self.manager.register(plugin, name) if self.on else self.manager.unregister(plugin)
        if not self.on:
            tracing.stop()

def pytest_collection_finish(session):
    session.config.pluginmanager.register(Toggling(session.config))

def pytest_sessionfinish():
    middle = {{str(on): statistics.median(times) for on, times in TIMES.items()}}
    open("times.json", "w").write(json.dumps(middle))
"""

QUIET = (
    "-q",
    "-p",
    "no:cacheprovider",
    "-p",
    "no:asyncio",
    "-p",
    "no:xdist",
    "-p",
    "no:timeout",
    "-p",
    "no:anyio",
)


def bench_empty_tests(runs: int) -> None:
    """3,000 empty tests, half of them watched in error mode with tracing on."""
    body = "\n".join(f"def test_{at}(): pass" for at in range(TESTS))
    pairs = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "pytest.ini").write_text("[pytest]\n")
        (folder / "conftest.py").write_text(CONFTEST)
        (folder / "test_empty.py").write_text(body + "\n")
        for _ in range(runs):
            run = run_pytest(folder, folder / "report.json", *QUIET, "-r", "N", "--fd-leaks=error")
            if run.code != 0:
                raise SystemExit(run.output)
            middle = json.loads((folder / "times.json").read_text())
            pairs.append((middle["False"], middle["True"]))
    print(f"{TESTS} empty tests, {DESCRIPTORS} descriptors open, tracing on, medians, {runs} runs:")
    for off, on in pairs:
        print(
            f"  off {1e6 * off:.0f} us, on {1e6 * on:.0f} us: {1e6 * (on - off):.0f} us, {100 * (on / off - 1):.1f} %"
        )
    share = statistics.median(on / off for off, on in pairs) - 1
    print(f"  median of the runs: {100 * share:.1f} %")


def bench_boundary(rounds: int) -> None:
    """One boundary alone, as the plugin takes it between two clean tests, with tracing on."""
    from samesock.fdtable import keys
    from samesock.leaks import tracing
    from samesock.leaks.boundary import Boundary
    from samesock.leaks.policies import Start

    held = []
    while len(keys()) < DESCRIPTORS:
        held.append(os.open(os.devnull, os.O_RDONLY))
    tracing.start()
    start = Start.now()
    boundary = Boundary(start.keys)
    snapshots, boundaries = [], []
    for _ in range(rounds):
        begun = time.perf_counter()
        keys()
        between = time.perf_counter()
        if boundary.certainly_unchanged(nothing_opened=True) or keys() == start.keys:
            start = Start.at(start.keys)
        ended = time.perf_counter()
        snapshots.append(between - begun)
        boundaries.append(ended - between)
    tracing.stop()
    for number in held:
        os.close(number)
    print(f"{DESCRIPTORS} descriptors open, tracing on, median of {rounds}:")
    print(f"  a whole snapshot {1e6 * statistics.median(snapshots):.1f} us")
    print(f"  a boundary between clean tests {1e6 * statistics.median(boundaries):.1f} us")


def main() -> None:
    """Run both."""
    options = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    options.add_argument("--runs", type=int, default=5)
    options.add_argument("--rounds", type=int, default=5000)
    chosen = options.parse_args()
    bench_boundary(chosen.rounds)
    bench_empty_tests(chosen.runs)


if __name__ == "__main__":
    main()
