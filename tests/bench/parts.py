"""Running a benchmark's script in the Python that it is about: this one, this one with the emulation, Wine's.

What must never be put here: what is measured.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
WINE = CHECKOUT / "platforms" / "wine" / "wine.py"
WINE_PYTHON = "3.13"
MODES = {"native": "", "emulated": "emulated"}


@contextlib.contextmanager
def one_core() -> Iterator[None]:
    """What is started meanwhile, and all that it starts, stays on one core of the machine, Wine's server included.

    Where two ends meet on two cores, a trip costs what it takes to wake an idle one, and where the system puts them is
    chance: the standard library's ping-pong was seen at 8,700 and at 32,000 trips a second within one run.
    """
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(before)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def in_part(part: str, arguments: list[str], seconds: float) -> tuple[str, str]:
    """The last line that the script printed; or an empty one, and why there is none."""
    environment = {**os.environ, "SAMESOCK_UNIX": MODES.get(part, "")}
    if part == "wine":
        script = Path(arguments[0]).relative_to(CHECKOUT).as_posix()
        scale = os.environ.get("BENCH_SCALE", "1")
        line = [sys.executable, str(WINE), "run", f"--python={WINE_PYTHON}", f"--env=BENCH_SCALE={scale}"]
        line += [f"--timeout={seconds}", "--", script, *arguments[1:]]
    else:
        line = [sys.executable, *arguments]
    done = subprocess.run(
        line, cwd=CHECKOUT, env=environment, capture_output=True, text=True, timeout=seconds + 60, check=False
    )
    lines = done.stdout.strip().splitlines()
    if done.returncode == 0 and lines:
        return lines[-1], ""
    last = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
    return "", f"Not measured here: {last}"
