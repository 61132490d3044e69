"""How much of the library the tests ran, by lines, over all data that was combined: `covered.py WANTED`.

Prints the figure and the files that are furthest from whole; ends with 1 below WANTED per cent. What must never be put
here: a list of what does not count, which is [tool.coverage.report]'s in pyproject.toml, with its reasons.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

WORST = 20


def main(wanted: float) -> int:
    """Ask coverage for its numbers and print what a person needs to see where to look."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "coverage.json"
        subprocess.run([sys.executable, "-m", "coverage", "json", "-q", "-o", str(report)], check=True)
        data = json.loads(report.read_text(encoding="utf-8"))
    rows = [(one["summary"], Path(name).as_posix()) for name, one in data["files"].items()]
    rows.sort(key=lambda row: row[0]["missing_lines"], reverse=True)
    for summary, name in rows[:WORST]:
        lines, missing = summary["num_statements"], summary["missing_lines"]
        print(f"{missing:5} of {lines:4} lines never ran: {name}")
    total = data["totals"]
    part = 100 * total["covered_lines"] / total["num_statements"]
    count = f"{total['covered_lines']} of {total['num_statements']} lines"
    print(f"{part:.2f} % ({count}); {total['excluded_lines']} lines excluded")
    return int(part < wanted)


if __name__ == "__main__":
    sys.exit(main(float(sys.argv[1])))
