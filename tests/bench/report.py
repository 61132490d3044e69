"""Run every benchmark in this folder and write docs/benchmarks.md and docs/benchmarks.json: `nox -s bench`.

`report.py NAME...` runs those alone and leaves the other sections' figures as they were; `report.py --one NAME`
prints one benchmark's tables as JSON. Exits 1 if one of them failed, never because something was slow. What must
never be put here: how anything is measured.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import importlib
import io
import json
import os
import platform
import subprocess
import sys
import sysconfig
import time
from pathlib import Path
from typing import Any

from measuring import SCALE, Table
from parts import CHECKOUT, in_part

FOLDER = Path(__file__).resolve().parent
PAGE = CHECKOUT / "docs" / "benchmarks.md"
DATA = PAGE.with_suffix(".json")
SECONDS = 900

HEAD = """\
# What samesock costs

Written by `nox -s bench`; the same figures for programs are in [benchmarks.json](benchmarks.json). Bursts of the
lanes that are compared follow one another in turns. For sockets, each lane has two processes with the same
implementation at both ends, if nothing else is said, and several sittings, each with new processes and connections.
Their rates are medians over all bursts; their ratios are of the medians within a sitting: the middle one, and in
brackets the quartiles. TCP is on loopback, with TCP_NODELAY on the data path; buffers are of one size everywhere.
Sockets and requests are measured on one core, both ends and Wine's server with them: on several, what a trip costs is
what it takes to wake another core, and where the system puts two processes changed a rate by four within one run.
"""
NOISE = """\
On noise: other work on the machine comes and goes in the middle of a run. The rows named "noise" compare the standard
library with itself in the same run: what they differ from 1 by, a row above them may differ from the truth by."""


def one(name: str) -> list[Table]:
    """One benchmark's tables; for one that prints instead, what it printed."""
    printed = io.StringIO()
    module = importlib.import_module(name)
    sys.argv = [name]
    with contextlib.redirect_stdout(printed):
        tables = module.main()
    if tables is not None:
        return list(tables)
    title = (module.__doc__ or name).strip().splitlines()[0].rstrip(".")
    return [Table(title, [], [], figures=[{"printed": printed.getvalue()}])]


def machine() -> dict[str, str]:
    """What was measured on; nothing that names the machine itself."""
    processor = platform.processor() or platform.machine()
    with contextlib.suppress(OSError):
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        processor = next(
            (line.partition(": ")[2] for line in lines if line.startswith("model name")), processor
        )
    load = f"{os.getloadavg()[0]:.1f} when it began" if hasattr(os, "getloadavg") else "unknown"
    found = {
        "processor": f"{processor}, {os.cpu_count()} cores",
        "system": f"{platform.system()} {platform.release().partition('-')[0]}",
        "Python": f"{platform.python_implementation()} {platform.python_version()}, {_build()}",
        "Wine": _wine(),
        "load": load,
        "date": dt.datetime.now(dt.timezone.utc).strftime("%Y-%m-%d"),
    }
    if SCALE != 1:
        found["scale"] = f"{SCALE:g} of the usual counts: a trial run, no figures to rely on"
    return found


def _build() -> str:
    """How the compiler was told to make this Python: it decides what a frame of Python costs beside a call of C."""
    options = sysconfig.get_config_var("CONFIG_ARGS") or ""
    return f"built {'with' if '--enable-optimizations' in options else 'without'} --enable-optimizations"


def _wine() -> str:
    said, _ = in_part("wine", [str(FOLDER / "versions.py")], 60)
    return said or "not here"


def run(name: str) -> dict[str, Any]:
    """One benchmark in a Python of its own: its tables, or why there are none."""
    begun = time.monotonic()
    line = [sys.executable, __file__, "--one", name]
    done = subprocess.run(line, cwd=CHECKOUT, capture_output=True, text=True, timeout=SECONDS, check=False)
    seconds = round(time.monotonic() - begun)
    print(f"{name}: {seconds} s{'' if done.returncode == 0 else ', FAILED'}", file=sys.stderr, flush=True)
    if done.returncode:
        print(done.stderr, file=sys.stderr)
        return {"failed": (done.stderr.strip().splitlines() or ["it said nothing"])[-1], "seconds": seconds}
    return {"tables": json.loads(done.stdout.splitlines()[-1]), "seconds": seconds}


def rendered(data: dict[str, Any]) -> str:
    """The page."""
    lines = [HEAD, *(f"- {key}: {value}" for key, value in data["machine"].items()), "", NOISE]
    for name in sorted(data["benchmarks"]):
        found = data["benchmarks"][name]
        if "failed" in found:
            lines += ["", f"## {name}", "", f"It failed: {found['failed']}"]
        for table in found.get("tables", ()):
            lines += ["", *_rendered(Table(*table))]
    return "\n".join(lines) + "\n"


def _rendered(table: Table) -> list[str]:
    lines = [f"## {table.title}", ""]
    if table.columns:
        lines += ["| " + " | ".join(table.columns) + " |", "|" + "---|" * len(table.columns)]
        lines += ["| " + " | ".join(row) + " |" for row in table.rows]
        lines.append("")
    for figure in table.figures:
        if "printed" in figure:
            lines += ["```", figure["printed"].rstrip(), "```", ""]
    lines += list(table.notes)
    return lines if lines[-1] else lines[:-1]


def main(names: list[str]) -> int:
    """Run, write, say whether all of it worked."""
    present = sorted(path.stem for path in FOLDER.glob("bench_*.py"))
    data: dict[str, Any] = {"machine": machine(), "benchmarks": {}}
    if names and DATA.exists():
        data["benchmarks"] = json.loads(DATA.read_text())["benchmarks"]
    for name in names or present:
        data["benchmarks"][name] = run(name)
    data["benchmarks"] = {name: found for name, found in data["benchmarks"].items() if name in present}
    DATA.write_text(json.dumps(data, indent=1) + "\n")
    PAGE.write_text(rendered(data))
    return int(any("failed" in found for found in data["benchmarks"].values()))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        print(json.dumps(one(sys.argv[2])))
    else:
        sys.exit(main(sys.argv[1:]))
