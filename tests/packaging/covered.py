"""How much of the library the tests ran, by lines, over all data that was combined: `covered.py WANTED [PAGE]`.

Prints the figure and the files that are furthest from whole, and writes both into PAGE; ends with 1 below WANTED per
cent. What must never be put here: a list of what does not count, which is [tool.coverage.report]'s in pyproject.toml,
with its reasons.
"""

from __future__ import annotations

import datetime as dt
import json
import platform
import subprocess
import sys
import tempfile
from pathlib import Path

WORST = 20
PAGE = """\
# Coverage

Written by `nox -s coverage`, on {day}, with CPython {python}.

**{part:.2f} %** of the library's lines ({covered:,} of {all:,}) are run by the tests, on Linux, on Linux with the
emulation forced, and under Wine together; what runs in child processes counts. {excluded} lines are left out:
declarations for type checkers, and the empty bodies of protocols. What only real Windows, macOS or FreeBSD would run is
not: where no test stands in for them, those lines are among the missing.

| lines that never ran | of | file |
|---|---|---|
{rows}
"""


def main(wanted: float, page: Path | None = None) -> int:
    """Ask coverage for its numbers and tell what a person needs to see where to look."""
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
    if page is not None:
        shown = [(one["missing_lines"], one["num_statements"], name) for one, name in rows[:WORST]]
        text = PAGE.format(
            day=dt.datetime.now(dt.timezone.utc).date(),
            python=platform.python_version(),
            part=part,
            covered=total["covered_lines"],
            all=total["num_statements"],
            excluded=total["excluded_lines"],
            rows="\n".join(f"| {missing} | {lines} | `{name}` |" for missing, lines, name in shown),
        )
        page.write_text(text, encoding="utf-8")
    return int(part < wanted)


if __name__ == "__main__":
    sys.exit(main(float(sys.argv[1]), *map(Path, sys.argv[2:])))
