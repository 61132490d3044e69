"""The baseline: leaks that a project has already, so that only new ones fail.

A line number moves with every edit, so an entry is known by who leaked it, what it is, and the function and
text of the line that opened it. What must never be put here: the decision what fails.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import NamedTuple

import pytest

from samesock.leaks.findings import Finding

FORMAT = "samesock-fd-leaks"
VERSION = 1


class Entry(NamedTuple):
    """What makes two leaks of two runs the same."""

    who: str
    verdict: str
    kind: str
    file: str
    function: str
    source: str


def entry_of(finding: Finding, root: Path) -> Entry:
    """The entry of a finding; files are written relative to `root`, with slashes."""
    file, _, function, source = finding.stack[0] if finding.stack else ("", 0, "", "")
    try:
        shown = os.path.relpath(file, root) if file else ""
    except ValueError:
        shown = file
    return Entry(_steady(finding), finding.verdict, finding.kind, shown.replace("\\", "/"), function, source)


def _steady(finding: Finding) -> str:
    """Who is to blame, without a line number in it."""
    return finding.who.rpartition(":")[0] + ")" if finding.who_kind == "fixture" else finding.who


class Baseline:
    """The entries of one file, and how often each was there."""

    def __init__(self, file: Path | None, root: Path, entries: Counter[Entry]) -> None:
        self.file = file
        self.root = root
        self.entries = entries
        self._left = Counter(entries)

    @classmethod
    def read(cls, file: Path | None, root: Path, *, update: bool) -> Baseline:
        """The baseline in `file`, empty where none is asked for, or where a new one is to be written.

        Raises `pytest.UsageError` for a file that is missing, cannot be read, or is of another version;
        such a file is never written over.
        """
        if file is None or (update and not file.exists()):
            return cls(file, root, Counter())
        try:
            data = json.loads(file.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise pytest.UsageError(
                f"--fd-leaks-baseline: there is no file {str(file)!r}: make it with --fd-leaks-update"
            ) from None
        except (OSError, ValueError) as failure:
            raise pytest.UsageError(f"--fd-leaks-baseline: cannot read {str(file)!r}: {failure}") from None
        if not isinstance(data, dict) or data.get("format") != FORMAT:
            raise pytest.UsageError(f"--fd-leaks-baseline: {str(file)!r} is no baseline of samesock's")
        if data.get("version") != VERSION:
            raise pytest.UsageError(
                f"--fd-leaks-baseline: {str(file)!r} is of version {data.get('version')!r}, this samesock reads "
                f"version {VERSION}: the file is left as it is; delete it and make it again with --fd-leaks-update"
            )
        try:
            entries = Counter(
                {
                    Entry(*(str(row[name]) for name in Entry._fields)): int(row["count"])
                    for row in data["leaks"]
                }
            )
        except KeyError as failure:
            raise pytest.UsageError(
                f"--fd-leaks-baseline: {str(file)!r} is not whole: it lacks {failure}"
            ) from None
        except (TypeError, ValueError, AttributeError) as failure:
            raise pytest.UsageError(f"--fd-leaks-baseline: {str(file)!r} is not whole: {failure}") from None
        return cls(file, root, entries)

    def takes(self, finding: Finding) -> bool:
        """Whether the finding is one of the baseline's; each entry covers as many as it counted."""
        entry = entry_of(finding, self.root)
        if self._left[entry] <= 0:
            return False
        self._left[entry] -= 1
        return True

    def write(self, findings: Iterable[Finding], ran: Collection[str]) -> int:
        """Write the leaks of this run, and keep what is known of tests that did not run; how many are in it.

        Raises `OSError`; the old file is there until the new one is complete.
        """
        if self.file is None:
            return 0
        entries = Counter(entry_of(finding, self.root) for finding in findings)
        for entry, count in self.entries.items():
            # Whether a fixture ran is not known when workers ran the tests: an entry of one goes by hand
            # only.
            if entry.who not in ran and entry not in entries:
                entries[entry] = count
        rows = [{**entry._asdict(), "count": entries[entry]} for entry in sorted(entries)]
        text = json.dumps({"format": FORMAT, "version": VERSION, "leaks": rows}, indent=1) + "\n"
        temporary = self.file.with_name(f"{self.file.name}.{os.getpid()}.tmp")
        try:
            temporary.write_text(text, encoding="utf-8", newline="\n")
            os.replace(temporary, self.file)
        finally:
            temporary.unlink(missing_ok=True)
        return sum(entries.values())
