"""How the doctor's findings are shown: a table for people, JSON for programs.

What must never be put here: a judgement; the rows come with theirs.

The JSON object, version 1. Keys may be added to it; none goes or changes its meaning without a new version:

| key | value |
|---|---|
| `schema` | 1 |
| `samesock`, `python`, `implementation` | versions as strings; `cpython` or `pypy` |
| `platform` | this machine's, as in `platforms/` |
| `forced` | what `SAMESOCK_UNIX` forces, or null |
| `compared_with` | the path of the platform's file, or null; then `not_compared` says why |
| `features` | a list of objects, one for each feature that was tried, in the table's order |
| `problems` | a list of sentences: what is not as it should be; each is also in its feature's `problems` |
| `ok` | whether that list is empty |

A feature: `name`; `support`, one of the three words, null if the trial failed; `shown`, what was done to show it, or
how it failed; `seconds`; `probed`, the word that `samesock.features()` gives, null if it failed; `expected`, a list
of words, null where nothing was compared; `source` and `line`, where that is written (null and null, or a line of
null if it is no file); `problems`.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import platform
import sys
from collections.abc import Callable, Iterator
from typing import NamedTuple

from samesock._platform_file import PlatformFile
from samesock._trials import Outcome
from samesock._version import __version__

_COLOURS = {"native": "green", "emulated": "cyan", "absent": "yellow", "failed": "bold red"}
_HEADINGS = ("feature", "support", "time", "shown by")


class Row(NamedTuple):
    """One feature: what came of its trial, and what that is compared with."""

    outcome: Outcome
    probed: str | None
    expected: tuple[str, ...]
    source: str | None
    line: int | None
    problems: tuple[str, ...]

    @property
    def cells(self) -> tuple[str, str, str, str]:
        """The row as people read it."""
        feature, support, text, seconds = self.outcome
        return feature, support or "failed", f"{seconds * 1000:.0f} ms", text


class Report(NamedTuple):
    """All that a run of the doctor has found."""

    platform: str
    forced: str | None
    file: PlatformFile | None
    missing: str
    """Why there is no file."""
    failures: tuple[str, ...]
    """What went wrong beside the trials."""
    rows: list[Row]

    @property
    def problems(self) -> list[str]:
        """Every way in which something is not as it should be."""
        return [*self.failures, *(problem for row in self.rows for problem in row.problems)]

    @property
    def ok(self) -> bool:
        """Whether all is as it should be."""
        return not self.problems

    def heading(self) -> str:
        """What was looked at."""
        forced = f", SAMESOCK_UNIX={self.forced}" if self.forced else ""
        python = f"{platform.python_implementation()} {platform.python_version()}"
        return f"samesock {__version__}, {python}, platform {self.platform}{forced}"

    def summary(self) -> list[str]:
        """The lines below the table: what was compared with what, and what is wrong."""
        words = [row.cells[1] for row in self.rows]
        counts = ", ".join(f"{words.count(word)} {word}" for word in _COLOURS if word in words)
        lines = [f"{len(self.rows)} feature{'s' if len(self.rows) != 1 else ''}: {counts}"]
        sources = [row.source for row in self.rows]
        for source in dict.fromkeys(filter(None, sources)):
            right = "all" if not any(row.problems for row in self.rows if row.source == source) else "not all"
            lines.append(f"compared with {source}: {sources.count(source)}, {right} as it says")
        if self.missing:
            lines.append(f"not compared with a platform's file: {self.missing}")
        elif None in sources:
            lines.append(f"not compared, because SAMESOCK_UNIX={self.forced}: {sources.count(None)}")
        return lines + self.problems


def _line(text: str) -> None:
    """Print a line that the stream's encoding can take, whatever an error's message may have in it."""
    encoding = sys.stdout.encoding or "ascii"
    print(text.encode(encoding, "backslashreplace").decode(encoding))


def _for_people() -> bool:
    """Whether somebody is looking, and rich is there to please them."""
    return sys.stdout.isatty() and importlib.util.find_spec("rich") is not None


@contextlib.contextmanager
def progress(*, quiet: bool) -> Iterator[Callable[[str], None]]:
    """What to call with a feature's name when its trial begins: on a terminal it is shown until the next one."""
    if quiet or not _for_people():
        yield lambda _: None
        return
    from rich.console import Console

    with Console().status("") as status:
        yield lambda name: status.update(f"trying {name}")


def table_output(report: Report) -> None:
    """The table, in colours on a terminal, as plain aligned text everywhere else."""
    if _for_people():
        _rich(report)
        return
    rows = [_HEADINGS, *(row.cells for row in report.rows)]
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    _line(report.heading())
    _line("")
    for name, support, time, text in rows:
        _line(f"{name:{widths[0]}}  {support:{widths[1]}}  {time:>{widths[2]}}  {text}")
    _line("")
    for line in report.summary():
        _line(line)


def _rich(report: Report) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(highlight=False)
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for heading in _HEADINGS:
        table.add_column(
            heading, justify="right" if heading == "time" else "left", no_wrap=heading != "shown by"
        )
    for row in report.rows:
        name, support, time, text = row.cells
        bad = bool(row.problems)
        style = _COLOURS["failed" if bad else support]
        table.add_row(Text(name), Text(support, style), Text(time), Text(text))
    console.print(Text(report.heading(), "bold"))
    console.print()
    console.print(table)
    console.print()
    for line in report.summary():
        console.print(Text(line, _COLOURS["failed"] if line in report.problems else ""))


def json_output(report: Report) -> None:
    """The object that this module's head describes, in ASCII."""
    print(json.dumps(as_json(report), indent=2))


def as_json(report: Report) -> dict[str, object]:
    """The same as a dictionary."""
    return {
        "schema": 1,
        "samesock": __version__,
        "python": platform.python_version(),
        "implementation": sys.implementation.name,
        "platform": report.platform,
        "forced": report.forced,
        "compared_with": report.file.shown if report.file else None,
        "not_compared": report.missing or None,
        "features": [_row(row) for row in report.rows],
        "problems": report.problems,
        "ok": report.ok,
    }


def _row(row: Row) -> dict[str, object]:
    return {
        "name": row.outcome.feature,
        "support": row.outcome.support,
        "shown": row.outcome.text,
        "seconds": round(row.outcome.seconds, 6),
        "probed": row.probed,
        "expected": list(row.expected) if row.source else None,
        "source": row.source,
        "line": row.line,
        "problems": list(row.problems),
    }
