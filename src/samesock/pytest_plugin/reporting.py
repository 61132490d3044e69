"""From findings to reports: a test's failure, its section, the summary, JSON, and what a worker sends home.

Findings travel as JSON in `user_properties`, which pytest-xdist carries and junitxml writes as a property.
What must never be put here: looking at descriptors.
"""

from __future__ import annotations

import json
import unittest
from typing import Any

import pytest

from samesock.leaks.findings import Finding
from samesock.leaks.policies import Outcome
from samesock.leaks.text import block, note_line, one_line, report
from samesock.pytest_plugin.baseline import Baseline
from samesock.pytest_plugin.settings import Settings

PROPERTY = "fd_leaks"


class Pending:
    """What a test's teardown has shown, until its report is made."""

    def __init__(self, item: pytest.Item, outcome: Outcome, counts: tuple[int, int]) -> None:
        self.item = item
        self.outcome = outcome
        self.counts = counts


class Reporting:
    """The findings of one run, on the way to whoever reads them."""

    def __init__(self, config: pytest.Config, settings: Settings, baseline: Baseline) -> None:
        self.config = config
        self.settings = settings
        self.baseline = baseline
        self.pending: dict[str, Pending] = {}
        self.failed: set[str] = set()
        self.ran: set[str] = set()
        self.rows: list[tuple[str, Finding]] = []
        """What arrived, each with "finding", "section", "note", or "allowed"."""
        self.known: dict[str, int] = {}
        self.is_worker: bool = hasattr(config, "workerinput")
        self.unwritten: str = ""

    def add_test(self, item: pytest.Item, outcome: Outcome, counts: tuple[int, int]) -> None:
        """A test has ended, and something was seen."""
        self._apply_baseline(outcome)
        if outcome.findings or outcome.notes or outcome.allowed or outcome.known:
            self.pending[item.nodeid] = Pending(item, outcome, counts)

    def add_session(self, outcome: Outcome) -> None:
        """Fixtures have ended outside any test."""
        self._apply_baseline(outcome)
        message = self._message(outcome, "finding")
        if self.is_worker:
            getattr(self.config, "workeroutput", {})[PROPERTY] = message
        else:
            self._receive(message)

    def _apply_baseline(self, outcome: Outcome) -> None:
        if self.settings.update:
            return
        for finding in [finding for finding in outcome.findings if self.baseline.takes(finding)]:
            finding.allowed = "in the baseline"
            outcome.findings.remove(finding)
            outcome.allowed.append(finding)

    @staticmethod
    def _message(outcome: Outcome, word: str) -> str:
        rows = [(word, finding.as_json()) for finding in outcome.findings]
        rows += [("note", finding.as_json()) for finding in outcome.notes]
        rows += [("allowed", finding.as_json()) for finding in outcome.allowed]
        return json.dumps({"rows": rows, "known": sorted(set(outcome.known.values()))})

    def note_failure(self, item: pytest.Item, call: pytest.CallInfo[None]) -> None:
        """A test has failed by itself, or was expected to. (unittest's failures wait in the item until later.)"""
        waiting = getattr(item, "_excinfo", None)
        found = call.excinfo or (waiting[0] if waiting else None)
        value = getattr(found, "value", None)
        if not isinstance(value, pytest.skip.Exception | unittest.SkipTest):
            self.failed.add(item.nodeid)

    def note_trouble(self, item: pytest.Item, failure: OSError) -> None:
        """The system did not answer at a test's end."""
        self.unwritten = f"{item.nodeid}: the descriptors could not be read: {failure}"

    def teardown_report(self, item: pytest.Item, call: pytest.CallInfo[None]) -> pytest.TestReport | None:
        """The teardown's report of a test that something was seen of; `None` leaves the report to pytest."""
        if self.settings.update:
            self.ran.add(item.nodeid)
        has_failed = item.nodeid in self.failed
        self.failed.discard(item.nodeid)  # A plugin may run it once more, and that run has not failed yet.
        if item.nodeid not in self.pending:
            return None
        seen = self.pending.pop(item.nodeid)
        made = pytest.TestReport.from_item_and_call(item, call)
        failing = self.settings.mode == "error" and not self.settings.update
        excused = has_failed or made.outcome != "passed"
        findings = seen.outcome.findings
        if findings:
            text = f"descriptor leak: {item.nodeid}\n" + report(
                findings, seen.outcome.notes, seen.counts, full=self.settings.verbose > 1
            )
            if failing and not excused:
                made.outcome = "failed"
                made.longrepr = _representation(item, findings, text)
            else:
                # pytest shows a passed teardown's sections only where their name has "teardown" in it.
                made.sections.append(("Descriptor leaks after teardown", text))
        word = "finding" if failing and not excused else "section"
        message = self._message(seen.outcome, word)
        made.user_properties.append((PROPERTY, message))
        if not self.is_worker:
            self._receive(message)
        return made

    def pytest_sessionstart(self) -> None:
        """Where xdist's workers run the tests, their reports bring the findings."""
        if self.config.pluginmanager.has_plugin("dsession"):
            self.config.pluginmanager.register(Gathering(self), "samesock_fd_leaks_gathering")

    def gather(self, report: pytest.TestReport) -> None:
        """Take in what a worker found."""
        if report.when != "teardown":
            return
        if self.settings.update:
            self.ran.add(report.nodeid)
        for name, value in report.user_properties:
            if name == PROPERTY:
                self._receive(str(value))

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """An xdist worker has ended: what its fixtures left after its last test."""
        message = getattr(node, "workeroutput", {}).get(PROPERTY)
        if message is not None:
            self._receive(message)

    def _receive(self, message: str) -> None:
        data = json.loads(message)
        self.rows += [(word, Finding.from_json(row)) for word, row in data["rows"]]
        for what in data["known"]:
            self.known[what] = self.known.get(what, 0) + 1

    def of(self, *words: str) -> list[Finding]:
        """What arrived as one of `words`."""
        return [finding for word, finding in self.rows if word in words]

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Write what was asked for, and fail the run for leaks that no test's report could carry."""
        if self.is_worker:
            return
        found = self.of("finding", "section")
        try:
            if self.settings.json_file is not None:
                rows = [{"as": word, **finding.as_json()} for word, finding in self.rows]
                text = json.dumps(
                    {"format": "samesock-fd-leaks-report", "version": 1, "findings": rows}, indent=1
                )
                self.settings.json_file.write_text(text + "\n", encoding="utf-8")
            if self.settings.update:
                self.baseline.write(found, self.ran)
        except OSError as failure:
            self.unwritten = f"cannot write {failure.filename!r}: {failure.strerror}"
            session.exitstatus = pytest.ExitCode.INTERNAL_ERROR
        if self.of("finding") and self.settings.mode == "error" and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """One line per finding; whole blocks where no test failed to show them."""
        lines = self._summary_lines()
        if lines:
            terminalreporter.section("descriptor leaks")
            for line in lines:
                terminalreporter.write_line(line)

    def _summary_lines(self) -> list[str]:
        verbose = self.settings.verbose > 0
        lines = [one_line(finding) for finding in self.of("finding")]
        for finding in self.of("section"):
            lines.append(one_line(finding))
            if self.settings.mode == "warn" and self.settings.verbose >= 0:
                lines += [block(finding, full=self.settings.verbose > 1), ""]
        notes = self.of("note")
        lines += [
            f"{finding.who}: {note_line(finding)}"
            for finding in notes
            if verbose or finding.verdict != "late"
        ]
        if verbose:
            lines += [f"allowed: {one_line(finding)} ({finding.allowed})" for finding in self.of("allowed")]
            lines += [f"kept by {what}: known, not counted" for what in sorted(self.known)]
        elif self.of("allowed"):
            lines.append(f"{len(self.of('allowed'))} allowed (listed with -v)")
        if self.unwritten:
            lines.append(self.unwritten)
        elif self.settings.update and self.settings.baseline is not None:
            count = len(self.of("finding", "section"))
            lines.append(
                f"{count} {'leak' if count == 1 else 'leaks'} of this run written to {self.settings.baseline}"
            )
        return lines


class Gathering:
    """The one hook that only xdist's controller needs: it runs for every report."""

    def __init__(self, reporting: Reporting) -> None:
        self.reporting = reporting

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """A report has arrived."""
        self.reporting.gather(report)


def _representation(item: pytest.Item, findings: list[Finding], text: str) -> Any:
    """A failure's text, with a line for the short summary where this pytest's own classes can be had."""
    message = "; ".join(one_line(finding) for finding in findings).replace(f"{item.nodeid} ", "")
    file, line = item.location[0], (item.location[1] or 0) + 1
    try:
        from _pytest._code.code import ReprEntryNative, ReprExceptionInfo, ReprFileLocation, ReprTraceback
    except ImportError:
        return text
    crash = ReprFileLocation(path=file, lineno=line, message=message)
    trace = ReprTraceback(reprentries=[ReprEntryNative([text + "\n"])], extraline=None, style="native")
    return ReprExceptionInfo(reprtraceback=trace, reprcrash=crash)
