"""Running a benchmark's script in the Python that it is about: this one, this one with the emulation, Wine's.

What must never be put here: what is measured.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
WINE = CHECKOUT / "platforms" / "wine" / "wine.py"
WINE_PYTHON = "3.13"
MODES = {"native": "", "emulated": "emulated"}


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
