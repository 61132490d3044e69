"""CPython's own tests over samesock: run them in every way and place that this machine has, and print a table.

`check.py [--place P] [--markdown FILE] [module ...]`. A failure that expected.toml does not list fails it, and so does
one that it lists and that is gone. The standard library's own row stands beside samesock's. What must never be
put here: how a run is made (run.py), started (places.py) or judged (judging.py).
"""

from __future__ import annotations

import argparse
import datetime as dt
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import judging
import places
from places import Lacking, Place

ALL = ("stdlib", "import", "install")
INSTALLED = ("stdlib", "install")
MODULES = {
    "test_socket": ALL,
    "test_selectors": ("stdlib", "selector"),
    "test_socketserver": INSTALLED,
    "test_asyncio.test_events": INSTALLED,
    "test_asyncio.test_streams": INSTALLED,
    "test_asyncio.test_server": INSTALLED,
    "test_asyncio.test_sock_lowlevel": ALL,
    "test_asyncio.test_sendfile": INSTALLED,
    "test_asyncio.test_unix_events": INSTALLED,
    "test_asyncio.test_windows_events": INSTALLED,
    "test_asyncio.test_proactor_events": INSTALLED,
    "test_ssl": INSTALLED,
    "test_logging": INSTALLED,
    "test_httplib": INSTALLED,
    "test_smtplib": INSTALLED,
    "test_xmlrpc": INSTALLED,
}
"""The ways in which each module says something of samesock."""

ONLY_AT = {
    "test_asyncio.test_unix_events": ("linux", "linux-emulated"),
    "test_asyncio.test_windows_events": ("wine",),
    "test_asyncio.test_proactor_events": ("wine",),
}
"""What is about one system's loops is that system's alone."""

PLACES = {
    "linux": (partial(places.here, "linux", {}), ("stdlib", "import", "selector")),
    "linux-emulated": (
        partial(places.here, "linux-emulated", {"SAMESOCK_UNIX": "emulated"}),
        ("import", "install"),
    ),
    "wine": (partial(places.under_wine, "3.13"), (*ALL, "selector")),
}
"""How to get there, and the ways that differ there: where the kernel has Unix sockets install() changes nothing."""


@dataclass
class Row:
    """One run, judged."""

    module: str
    way: str
    place: Place
    verdict: judging.Verdict
    whole: bool

    def counts(self) -> list[int]:
        """The table's numbers, after the head's words."""
        one = self.verdict
        failed = len(one.failed) + len(one.stale)
        run = len(one.passed) + len(one.expected) + len(one.without) + failed
        return [run, len(one.passed), len(one.expected), len(one.without), failed, len(one.skipped)]

    def cells(self) -> list[str]:
        """The table's line."""
        return [self.module, f"{self.place.name} {self.place.python}", self.way, *map(str, self.counts())]

    def content(self) -> bool:
        """Whether all was as expected; of the standard library nothing is."""
        return self.whole and not (self.verdict.failed or self.verdict.stale)


HEAD = [
    *("module", "where", "way", "run", "passed"),
    *("expected failures", "fail without it, too", "other failures", "skipped"),
]


def table(rows: list[Row]) -> str:
    """The rows as Markdown."""
    lines = [HEAD, ["---"] * len(HEAD), *(row.cells() for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def run_one(place: Place, module: str, way: str, patterns: list[str], fails_anyway: set[str]) -> Row:
    """Run a module; what fails, maybe for what else the machine had to do, is tried once more by itself."""
    entries = judging.read("failure")
    judged = partial(judging.judged, entries, fails_anyway=fails_anyway, whole=not patterns)
    run = (module, place.name, way)
    without = judging.left_out(*run)
    results = place.run(module, way, patterns, without)
    whole = results.ended and bool(results.tests)
    verdict = judged(results, *run)
    again = [*verdict.failed, *(test for test in verdict.stale if test in results.tests)]
    if again and not patterns:
        second = place.run(module, way, again, without)
        results.tests.update({test: second.tests[test] for test in again if test in second.tests})
        verdict = judged(results, *run)
    where = f"{place.name} {way} {module}"
    for test in verdict.failed:
        print(f"\n{where}.{test}\n{results.tests[test].reason}", flush=True)
    for test in verdict.stale:
        print(f"\n{where}.{test}: expected.toml says that it fails", flush=True)
    if not whole:
        print(f"\n{where}: not run to its end; see {places.SCRATCH}", flush=True)
    return Row(module, way, place, verdict, whole)


def baseline(place: Place, module: str, patterns: list[str]) -> Row:
    """What the module gives over the standard library; nothing is expected of it."""
    results = place.run(module, "stdlib", patterns, judging.left_out(module, place.name, "stdlib"))
    verdict = judging.Verdict(
        passed=results.named("passed"), skipped=results.named("skipped"), without=results.named("failed")
    )
    return Row(module, "stdlib", place, verdict, results.ended)


def run_module(
    place: Place, module: str, ways: Sequence[str], without: Row | None, patterns: list[str]
) -> list[Row]:
    """The rows of a module at a place: of the standard library if it is among the ways, and of samesock."""
    rows = []
    for way in ways:
        print(f"{module}, {place.name}, {way} ...", flush=True)
        if way == "stdlib":
            without = baseline(place, module, patterns)
            rows.append(without)
        else:
            anyway = set(without.verdict.without) if without else set()
            rows.append(run_one(place, module, way, patterns, anyway))
        print(table(rows[-1:]).splitlines()[-1], flush=True)
    return rows


def main(arguments: Sequence[str] | None = None) -> int:
    """1 if anything is not as expected."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--place", action="append", choices=list(PLACES))
    parser.add_argument(
        "--markdown", type=Path, metavar="FILE", help="put the table of a complete run into this page"
    )
    parser.add_argument(
        "--demand",
        action="store_true",
        help="fail if this machine lacks one of the places (the session, on CI)",
    )
    parser.add_argument("-k", action="append", default=[], metavar="CLASS.TEST", dest="patterns")
    parser.add_argument("modules", nargs="*", metavar="module", help=", ".join(MODULES))
    options = parser.parse_args(arguments)
    rows: list[Row] = []
    lacked: list[str] = []
    complete = not (options.place or options.modules or options.patterns)
    for name in options.place or PLACES:
        find, ways = PLACES[name]
        try:
            place = find()
        except Lacking as lacking:
            lacked.append(f"{name}: left out, for want of {lacking}")
            print(lacked[-1], flush=True)
            complete = False
            continue
        for module in options.modules or MODULES:
            if name not in ONLY_AT.get(module, PLACES):
                continue
            asked = [way for way in MODULES[module] if way in ways]
            # Forcing the emulation changes nothing for the standard library: its row at `linux` stands for both.
            without = next((row for row in rows if (row.module, row.way) == (module, "stdlib")), None)
            beside = without if name == "linux-emulated" else None
            rows += run_module(place, module, asked, beside, options.patterns)
    print(f"\n{table(rows)}")
    good = bool(rows) and all(row.content() for row in rows) and not (options.demand and lacked)
    if options.demand:
        print(*lacked, sep="\n", end="\n" if lacked else "")
    if options.markdown and complete and good:
        into_page(options.markdown, rows)
    return 0 if good else 1


MARKS = ("<!-- the table: nox -s cpython -->\n", "<!-- end of the table -->\n")


def into_page(page: Path, rows: list[Row]) -> None:
    """Replace what stands between the marks by the table, and the day."""
    before, _, rest = page.read_text(encoding="utf-8").partition(MARKS[0])
    after = rest.partition(MARKS[1])[2]
    day = f"Run on {dt.date.today().isoformat()}.\n"
    page.write_text(f"{before}{MARKS[0]}{day}\n{table(rows)}\n{MARKS[1]}{after}", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
