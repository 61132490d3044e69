"""What `import samesock` costs on this system beside `import socket`: instructions, time, and the modules it brings.

Every run is a new Python without site packages (`-I -S`), which imports the one name and ends; compiled files are
there. What must never be put here: a limit.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from pathlib import Path

import measuring
from counting import instructions
from measuring import Table

import samesock

HEAVY = ("psutil", "asyncio", "ctypes", "tomllib", "dataclasses", "secrets")
PLACE = str(Path(samesock.__file__).parents[1])
PATH = f"import sys; sys.path.insert(0, {PLACE!r}); "
CASES = {
    "nothing": (PATH + "pass", ""),
    "socket": (PATH + "import socket", ""),
    "samesock": (PATH + "import samesock", ""),
    "samesock, emulation forced": (PATH + "import samesock", "emulated"),
}


def _environment(mode: str) -> dict[str, str]:
    return {**os.environ, "SAMESOCK_UNIX": mode}


def _line(code: str) -> list[str]:
    return [sys.executable, "-I", "-S", "-c", code]


def _seconds(case: str) -> float:
    code, mode = CASES[case]
    environment = _environment(mode)
    start = _processor_time()
    subprocess.run(_line(code), env=environment, check=True)
    return _processor_time() - start


def _processor_time() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _modules(case: str) -> set[str]:
    code, mode = CASES[case]
    code += "; import sys; print(*sys.modules)"
    done = subprocess.run(_line(code), env=_environment(mode), check=True, capture_output=True, text=True)
    return set(done.stdout.split())


def main() -> list[Table]:
    """One table: each import less an interpreter that imports nothing."""
    modules = {case: _modules(case) for case in CASES}  # also leaves compiled files behind
    lanes = {case: (lambda case=case: _seconds(case)) for case in CASES}
    times = {
        case: measuring.quartiles(found)
        for case, found in measuring.interleaved(lanes, measuring.count(30, 3)).items()
    }
    counts = {case: instructions(_line(code), _environment(mode)) for case, (code, mode) in CASES.items()}
    rows, figures = [], []
    for case in list(CASES)[1:]:
        figure = {
            "case": case,
            "instructions": _less(counts[case], counts["nothing"]),
            "times_socket": _by(
                _less(counts[case], counts["nothing"]), _less(counts["socket"], counts["nothing"])
            ),
            "milliseconds": 1000 * (times[case][1] - times["nothing"][1]),
            "quartiles": [1000 * (value - times["nothing"][1]) for value in times[case][::2]],
            "modules": sorted(modules[case] - modules["socket"]),
        }
        figures.append(figure)
        millions = figure["instructions"]
        rows.append(
            [
                f"`import {case}`",
                "not counted" if millions is None else f"{millions / 1e6:.1f} million",
                "" if figure["times_socket"] is None else f"{figure['times_socket']:.2f}",
                f"{figure['milliseconds']:.1f} ({figure['quartiles'][0]:.1f} to {figure['quartiles'][1]:.1f})",
                str(len(modules[case] - modules["nothing"])),
            ]
        )
    brought = sorted(modules["samesock"] - modules["socket"])
    foreign = [name for name in brought if not name.startswith("samesock")]
    heavy = [name for name in HEAVY if name in modules["samesock"]]
    runs = measuring.count(30, 3)
    own = len(brought) - len(foreign)
    notes = [
        "Each less an interpreter that imports nothing. Instructions are those in user mode, by callgrind.",
        f"Time is the processor's, the median of {runs} runs, and its quartiles.",
        f"`import samesock` adds {own} modules of its own, and {', '.join(foreign) or 'no other'}.",
        f"Of {', '.join(HEAVY)}: {', '.join(heavy) + ' imported' if heavy else 'none is imported'}.",
    ]
    columns = ["what", "instructions", "times `import socket`", "ms (quartiles)", "modules"]
    return [Table("What an import costs", columns, rows, notes, figures)]


def _less(value: int | None, base: int | None) -> int | None:
    return None if value is None or base is None else value - base


def _by(value: int | None, base: int | None) -> float | None:
    return None if value is None or not base else value / base


if __name__ == "__main__":
    print(json.dumps(main()))
