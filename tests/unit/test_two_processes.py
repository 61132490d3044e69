"""Two real processes over one path: the stream is the same at both ends.

The script that this runs moves 256 MiB by itself; what it does is in `tests/bench/move_256_mib.py`.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).resolve().parents[1] / "bench" / "move_256_mib.py"


def test_a_stream_between_two_processes_arrives_whole() -> None:
    """16 MiB that one process sends have the same SHA-256 in the process that reads them, and end where they end."""
    done = subprocess.run(
        [sys.executable, str(SCRIPT), "16"], capture_output=True, text=True, timeout=50, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    said = dict(line.split(":") for line in done.stdout.splitlines() if ":" in line)
    assert said["sent"].strip() == said["received"].strip()
    assert len(said["sent"].strip()) == 64
    assert done.stdout.startswith(f"{16 << 20} bytes over a Unix socket")
