"""What the leak check costs where nothing leaks: per boundary, and over 3,000 empty tests.

`python tests/bench/bench_leaks.py`: each pair of runs follows one another, and the best of several pairs
counts, because a busy machine only ever adds time. (Processor time is known on POSIX alone.) What must
never be put here: a limit that fails a suite.
"""

from __future__ import annotations

import argparse
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

CONFTEST = f"""
import os
while len(os.listdir({"/proc/self/fd"!r}) if os.path.isdir("/proc/self/fd") else [0] * 99) - 1 < {DESCRIPTORS}:
    os.dup(0)
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


def time_run(folder: Path, *options: str) -> float:
    """Seconds of processor time of one whole run, which must have passed: what others do does not count."""
    begun = os.times()
    run = run_pytest(folder, folder / "report.json", *QUIET, "-r", "N", *options)
    ended = os.times()
    took = ended.children_user + ended.children_system - begun.children_user - begun.children_system
    if run.code != 0:
        raise SystemExit(run.output)
    return took


def bench_empty_tests(pairs: int) -> None:
    """3,000 empty tests with the plugin off and in error mode with tracing on, in turns."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "pytest.ini").write_text("[pytest]\n")
        (folder / "conftest.py").write_text(CONFTEST)
        body = "\n".join(f"def test_{at}(): pass" for at in range(TESTS))
        (folder / "test_empty.py").write_text(body + "\n")
        off, on = [], []
        time_run(folder, "--fd-leaks=off")
        for _ in range(pairs):
            off.append(time_run(folder, "--fd-leaks=off"))
            on.append(time_run(folder, "--fd-leaks=error"))
    best_off, best_on = min(off), min(on)
    ratios = statistics.median(after / before for before, after in zip(off, on, strict=True))
    print(f"{TESTS} empty tests, {DESCRIPTORS} descriptors open, tracing on, best of {pairs}:")
    print(f"  off {best_off:.3f} s, error {best_on:.3f} s: {100 * (best_on / best_off - 1):+.1f} %")
    print(f"  median of the pairs {100 * (ratios - 1):+.1f} %")
    print(f"  {1e6 * (best_on - best_off) / TESTS:.1f} us per test")


def bench_boundary(rounds: int) -> None:
    """One boundary alone: what happens between two clean tests, with tracing on."""
    from samesock.fdtable import keys
    from samesock.leaks import tracing
    from samesock.leaks.policies import Start

    held = []
    while len(keys()) < DESCRIPTORS:
        held.append(os.open(os.devnull, os.O_RDONLY))
    tracing.start()
    start = Start.now()
    looks, whole = [], []
    for _ in range(rounds):
        begun = time.perf_counter()
        now = keys()
        looks.append(time.perf_counter() - begun)
        if now == start.keys:
            start = Start.at(start.keys)
        whole.append(time.perf_counter() - begun)
    tracing.stop()
    for number in held:
        os.close(number)
    print(f"one boundary, {DESCRIPTORS} descriptors open, tracing on, median of {rounds}:")
    print(f"  snapshot {1e6 * statistics.median(looks):.1f} us, all {1e6 * statistics.median(whole):.1f} us")


def main() -> None:
    """Run both."""
    options = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    options.add_argument("--pairs", type=int, default=7)
    options.add_argument("--rounds", type=int, default=5000)
    chosen = options.parse_args()
    bench_boundary(chosen.rounds)
    bench_empty_tests(chosen.pairs)


if __name__ == "__main__":
    main()
