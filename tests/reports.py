"""What pytest wrote of a session's tests: JUnit's XML, a file for each run, counted together.

What must never be put here: how the tests are run.
"""

from __future__ import annotations

import collections
from pathlib import Path
from xml.etree import ElementTree as ET

REPORTS = Path(__file__).resolve().parents[1] / ".junit"


def reports_of(session: str) -> tuple[Path, Path]:
    """What a session's tests write: of all of them together, and of those that a console is started for."""
    return REPORTS / f"{session}.xml", REPORTS / f"{session}-console.xml"


def suite_in(report: Path) -> ET.Element:
    """The test suite in a report of pytest's; an empty one if there is no such report."""
    try:
        suite = ET.parse(report).getroot().find("testsuite")
    except (OSError, ET.ParseError):
        suite = None
    return ET.Element("testsuite") if suite is None else suite


def failures_in(report: Path) -> list[str]:
    """The names of the tests that failed."""
    cases = suite_in(report).iter("testcase")
    failed = (case for case in cases if case.find("failure") is not None or case.find("error") is not None)
    return list(dict.fromkeys(f"{case.get('classname')}::{case.get('name')}" for case in failed))


def totals_of(session: str, content: bool) -> tuple[int, int, int]:
    """How many passed, failed and were skipped; a session that failed otherwise counts as one failure."""
    numbers = collections.Counter[str]()
    for part in reports_of(session):
        numbers.update({key: int(value) for key, value in suite_in(part).items() if value.isdigit()})
    failed = 0 if content else numbers["failures"] + numbers["errors"]
    skipped = numbers["skipped"]
    return numbers["tests"] - failed - skipped, failed if content or failed else 1, skipped
