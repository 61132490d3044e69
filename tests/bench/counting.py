"""How many instructions a program takes in user mode, by valgrind's callgrind: a figure that other work on the machine
does not disturb. What the kernel does is not in it. What must never be put here: what is counted.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Mapping

_COLLECTED = re.compile(r"Collected : (\d+)")


def instructions(line: list[str], environment: Mapping[str, str]) -> int | None:
    """The count, None where there is no valgrind; RuntimeError if the program fails. Strings are hashed as in every
    other run (PYTHONHASHSEED)."""
    valgrind = shutil.which("valgrind")
    if valgrind is None:
        return None
    tool = [valgrind, "--tool=callgrind", "--callgrind-out-file=/dev/null"]
    settled = {**environment, "PYTHONHASHSEED": "0"}
    done = subprocess.run(
        [*tool, *line], env=settled, capture_output=True, text=True, timeout=120, check=False
    )
    found = _COLLECTED.search(done.stderr)
    if done.returncode or not found:
        raise RuntimeError(f"{line} under callgrind: code {done.returncode}, {done.stderr[-500:]}")
    return int(found[1])
