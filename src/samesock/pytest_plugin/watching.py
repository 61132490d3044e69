"""The hooks that run between tests: one key snapshot where a test ends, which is where the next one begins.

A test's end is the end of its teardown, after every fixture of its scope; whatever the test runner itself
opens between two tests belongs to nobody. What must never be put here: text, files, and the rules of
judgement.
"""

from __future__ import annotations

import threading
from collections.abc import Generator
from typing import Any, Literal

import pytest

from samesock.fdtable import Identity, Key, keys
from samesock.leaks import annotating, recording, tracing
from samesock.leaks.boundary import Boundary
from samesock.leaks.children import Spawns
from samesock.leaks.findings import Finding, Member
from samesock.leaks.origins import Origin, own_file
from samesock.leaks.owners import Claims
from samesock.leaks.policies import Outcome, Policy, Start
from samesock.leaks.rules import Rule
from samesock.leaks.verdicts import Judgement
from samesock.pytest_plugin.fixtures import Fixtures, Lifetime
from samesock.pytest_plugin.reporting import Reporting
from samesock.pytest_plugin.settings import Marks, Settings, read_marks


class Watching:
    """One run's watch over its tests."""

    def __init__(self, config: pytest.Config, settings: Settings, reporting: Reporting) -> None:
        self.config = config
        self.settings = settings
        self.reporting = reporting
        self.fixtures: Fixtures = Fixtures()
        self.marks: dict[str, Marks] = {}
        self.settled: dict[Key, Identity] = {}
        """Descriptors whose going needs no explanation: reported, allowed, or not any test's."""
        self.start: Start | None = None
        self.running: dict[int, pytest.Item] = {}
        self.overlap: bool = False
        self.spawns: Spawns = Spawns()
        self.boundary: Boundary = Boundary({})
        self.inheritable: list[Finding] = []
        self.latest: int = -1
        if settings.trace:
            annotating.register()
            tracing.start()
            recording.spawn_listeners.append(self._note_spawn)

    def _note_spawn(self) -> None:
        """A child that a wider fixture starts is given what it is given on purpose."""
        if not isinstance(recording.state.scope, Lifetime):
            self.spawns.note()

    def pytest_unconfigure(self) -> None:
        """Stop tracing."""
        if self.settings.trace:
            recording.spawn_listeners.remove(self._note_spawn)
            tracing.stop()

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Read the markers, so that a wrong one ends the run before it begins."""
        for item in items:
            marks = read_marks(item)
            if marks is not None:
                self.marks[item.nodeid] = marks

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        """A test begins."""
        if self.start is None:
            self._begin_at(keys())
        recording.state.scope = item
        self.running[threading.get_ident()] = item
        if len(self.running) > 1:
            self.overlap = True

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> pytest.TestReport | None:
        """When a teardown's report is due the test has ended: look, and look closer only when something has changed.

        A hook that runs plainly three times per test costs less than one wrapper around the teardown.
        """
        if call.when != "teardown":
            if call.excinfo is not None or getattr(item, "_excinfo", None):
                self.reporting.note_failure(item, call)
            return None
        try:
            self._end(item)
        except OSError as failure:
            self.reporting.note_trouble(item, failure)
        recording.state.scope = None
        self.running.pop(threading.get_ident(), None)
        if not self.running:
            self.overlap = False
        return self.reporting.teardown_report(item, call)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_fixture_setup(self, fixturedef: pytest.FixtureDef[Any]) -> Generator[None, object, object]:
        """What a fixture of wider scope opens while it is set up is the fixture's."""
        if fixturedef.scope == "function":
            return (yield)
        self.fixtures.begin(fixturedef)
        try:
            return (yield)
        finally:
            life = self.fixtures.finish()
            if self.start is not None and life.owned:
                self.start.keys = {**self.start.keys, **life.owned}
                if self.settings.inheritable:
                    self._judge_inheritable(life, self.start)

    def pytest_fixture_post_finalizer(self, fixturedef: pytest.FixtureDef[Any]) -> None:
        """A fixture was torn down."""
        if fixturedef.scope != "function":
            self.fixtures.end(fixturedef)

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self) -> None:
        """What fixtures left that were torn down outside any test (after -x, or Ctrl+C)."""
        if self.start is not None and self.fixtures.ended:
            self.reporting.add_session(self._judge_ended(None, keys()))

    def _judge_inheritable(self, life: Lifetime, start: Start) -> None:
        """What a wider fixture opened for every child process to have is told of the test that set it up."""
        found = Judgement(start, Judging(self, None, start, ()).policy()).judge_inheritable(life.owned)
        for finding in found:
            finding.who, finding.who_kind, finding.where = str(life), "fixture", life.where
        self.inheritable += found

    def _begin_at(self, now: dict[Key, Identity]) -> None:
        self.start = Start.at(now)
        self.boundary = Boundary(now)
        if self.settings.trace:
            self.spawns.begin(now)

    def _end(self, item: pytest.Item) -> None:
        start = self.start
        if start is None:
            return
        quiet = not (self.spawns.seen or self.fixtures.ended or self.inheritable)
        latest, self.latest = self.latest, recording.log.latest
        if quiet and self.boundary.certainly_unchanged(self.settings.trace and latest == self.latest):
            self.start = Start.at(start.keys)
            return
        now = keys()
        if quiet and now == start.keys:
            self.start, self.boundary = Start.at(now), Boundary(now)
            return
        now = self._examine(item, start, now)
        if self.overlap:
            # Others' tests are under way: what they have open is still theirs to answer for.
            now = {
                key: mark for key, mark in now.items() if start.keys.get(key) == mark or key in self.settled
            }
        overlap = self.overlap
        self._begin_at(now)
        if overlap and self.start is not None:
            self.start.serial = 0  # others' records may be older than this

    def _examine(self, item: pytest.Item, start: Start, now: dict[Key, Identity]) -> dict[Key, Identity]:
        marks = self.marks.get(item.nodeid, Marks())
        if marks.off:
            self.fixtures.ended.clear()
            self.settled.update(now)
            return now
        judge = Judging(self, item, start, marks.rules)
        outcome = Judgement(start, judge.policy(), self.spawns if self.settings.trace else None).run(now)
        for finding in (*outcome.findings, *outcome.notes, *outcome.allowed):
            finding.who, finding.who_kind = item.nodeid, "test"
        self.settled.update(outcome.reported)
        owner = self.fixtures.owner
        self.settled.update({key: mark for key, mark in outcome.others.items() if owner(key, mark) is None})
        fixtures = self._judge_ended(item, outcome.now)
        outcome.findings += fixtures.findings + self.inheritable
        self.inheritable = []
        outcome.notes += fixtures.notes
        outcome.allowed += fixtures.allowed
        self.reporting.add_test(item, outcome, (len(start.keys), len(outcome.now)))
        return outcome.now

    def _judge_ended(self, item: pytest.Item | None, now: dict[Key, Identity]) -> Outcome:
        """What the fixtures that have ended left open, each blamed for its own."""
        together = Outcome(now=now)
        ended, self.fixtures.ended = self.fixtures.ended, []
        for life in ended:
            left = {key: mark for key, mark in life.owned.items() if together.now.get(key) == mark}
            if not left:
                continue
            rest = {key: mark for key, mark in together.now.items() if key not in left}
            policy = Judging(self, item, Start(rest), ()).policy()
            policy.whose = lambda _member, _claims: "mine"
            outcome = Judgement(Start(rest), policy).run(together.now)
            for finding in (*outcome.findings, *outcome.notes, *outcome.allowed):
                finding.who, finding.who_kind, finding.where = str(life), "fixture", life.where
            self.settled.update(outcome.reported)
            together.findings += outcome.findings
            together.notes += outcome.notes
            together.allowed += outcome.allowed
            together.now = outcome.now
        return together


class Judging:
    """The questions of one judgement that only the plugin can answer."""

    def __init__(
        self, watching: Watching, item: pytest.Item | None, start: Start, rules: tuple[Rule, ...]
    ) -> None:
        self.watching = watching
        self.item = item
        self.start = start
        self.rules = rules
        self.thread: int = threading.get_ident()

    def policy(self) -> Policy:
        """The settings and the answers."""
        settings = self.watching.settings
        return Policy(
            grace=settings.grace,
            rules=(*self.rules, *settings.rules),
            kinds=settings.kinds,
            inheritable=settings.inheritable,
            release=self.release,
            whose=self.whose,
            explained=self.explained,
            owned=self.owned,
        )

    def release(self) -> None:
        """pytest keeps a test's fixture values until just after its teardown; nobody needs them any more."""
        values = getattr(self.item, "funcargs", None)
        if isinstance(values, dict):
            values.clear()

    def whose(self, member: Member, claims: Claims) -> Literal["mine", "other"]:
        """Whether this test opened it: not a wider fixture, a thread of one, the test runner, or another
        test."""
        fixtures, origin, key = self.watching.fixtures, member.origin, member.key
        if fixtures.owner(key, member.identity) is not None or fixtures.was_ended(key, member.identity):
            return "other"
        if self.watching.overlap and (origin is None or origin.thread != self.thread):
            return "other"
        life = self._adopter(origin, member.owner, claims)
        if life is not None:
            life.owned[key] = member.identity
            return "other"
        if origin is None:
            return "mine"
        if origin.scope is None or (origin.thread in self.start.threads and origin.thread != self.thread):
            return "other"
        return "mine"

    def _adopter(self, origin: Origin | None, owner: object | None, claims: Claims) -> Lifetime | None:
        fixtures = self.watching.fixtures
        if origin is not None:
            if isinstance(origin.scope, Lifetime) and fixtures.lives(origin.scope):
                return origin.scope
            life = fixtures.by_code(origin) or fixtures.by_thread(origin.thread, self.thread)
            if life is None and origin.by_callback():
                life = fixtures.by_loop(claims)
            if life is not None:
                return life
        return fixtures.by_reach(owner) if owner is not None else None

    def explained(self, key: Key, identity: Identity) -> bool:
        """Whether it may go: it was reported, or allowed, or belonged to a fixture that has ended."""
        watching = self.watching
        return watching.settled.get(key) == identity or watching.fixtures.was_ended(key, identity)

    def owned(self, key: Key, identity: Identity) -> str:
        """The living fixture whose descriptor this test closed by number, in its own file."""
        life = self.watching.fixtures.owner(key, identity)
        closing = recording.log.closings.get(key)
        if life is None or closing is None or closing.scope is not self.item or self.item is None:
            return ""
        return f"opened by {life}, which still lives" if own_file(closing) == str(self.item.path) else ""
