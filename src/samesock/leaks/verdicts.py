"""From two key snapshots to findings: what is new, what is gone, and what each of it means.

The order is fixed by cost and by fairness. An equal snapshot ends it at once; what libraries keep is taken
out; then threads get a moment to close, the collector runs, threads get the rest of the grace; whatever is
left is described and judged. What must never be put here: how tests and fixtures are found (the plugin),
and any text.
"""

from __future__ import annotations

import gc
import os
import sys
import threading
import time
from collections.abc import Iterable

from samesock.fdtable import Identity, Key, keys
from samesock.fdtable.model import OpenDescriptor
from samesock.leaks import children, recording
from samesock.leaks.findings import Finding, Member, Verdict, full_rows, numbers_text, own_rows, rule_names
from samesock.leaks.fixes import fix_for
from samesock.leaks.grouping import are_ends, group
from samesock.leaks.known import known_descriptors
from samesock.leaks.looking import look, number_text
from samesock.leaks.origins import Origin
from samesock.leaks.owners import Claims, describe_owner, find_claims, held_by
from samesock.leaks.policies import Outcome, Policy, Start, appeared, vanished

BEFORE_COLLECTING = (0.0, 0.001, 0.005, 0.02)
"""The pauses that come before the garbage collector: what a thread closes meanwhile is not taken for its
work."""

PAUSE = 0.05
"""The pause between looks after that."""

ROUNDS = 1 if sys.implementation.name == "cpython" else 5
"""Collections until nothing more is freed: PyPy's finalizers free what others hold."""

MATTERS_IN_CHILD = ("socket", "pipe")
"""What a child keeps busy by holding it: ports, and ends of file that never come. Files disturb nobody, and
their identity does not tell who opened them."""


def others_run() -> bool:
    """Whether any other thread runs that could still close something: without one, waiting is for nothing.

    Linux counts threads that Python knows nothing of as well; elsewhere only Python's own are seen. The descriptor
    table's own threads close nothing.
    """
    ours = sum(thread.name == "samesock-fdtable" for thread in threading.enumerate())
    try:
        running = len(os.listdir("/proc/self/task"))
    except OSError:
        running = len(sys._current_frames())  # noqa: SLF001 - the documented way to see them all
    return running - ours > 1


PLUMBING = ("pipe", "epoll", "kqueue", "eventfd", "timerfd", "signalfd", "inotify", "io_uring", "anon")
"""What compiled libraries are woken by. A file or a socket of theirs is still the test's business."""


def find_origin(record: OpenDescriptor, since: int = 0) -> Origin | None:
    """The traced origin of a descriptor, which was opened after the record `since`."""
    return recording.log.find(
        record.space, record.number, path=record.path, socket=record.kind == "socket", since=since
    )


def _is_plumbing(member: Member) -> bool:
    """Whether compiled code opened it for its own use: no Python call did, and no Python object has it.

    libuv keeps such a pipe for its signals from the first uvloop on (seen with anyio's suite); no test could mend it.
    """
    return member.origin is None and member.owner is None and member.record.kind in PLUMBING


class Judgement:
    """One comparison under way."""

    def __init__(self, start: Start, policy: Policy, spawns: children.Spawns | None = None) -> None:
        self.start = start
        self.policy = policy
        self.spawns = spawns
        self.outcome: Outcome = Outcome()
        self.members: dict[Key, Member] = {}
        self.known: dict[Key, str] = {}

    def run(self, now: dict[Key, Identity]) -> Outcome:
        """Judge, given the first look."""
        recording.state.muted = threading.get_ident()
        # A collection of its own accord, in the pauses, would pass for a thread that closes late.
        collecting = gc.isenabled()
        gc.disable()
        try:
            return self._run(now)
        finally:
            recording.state.muted = 0
            if collecting:
                gc.enable()

    def _run(self, now: dict[Key, Identity]) -> Outcome:
        self.outcome.now = now
        fresh = self._fresh()
        gone = vanished(self.start.keys, now)
        if fresh:
            fresh = self._settle(fresh)
        claims = find_claims() if fresh or self._unexplained(gone) else Claims()
        gone = vanished(self.start.keys, self.outcome.now)
        self._judge_open(fresh, claims)
        self._judge_gone(self._unexplained(gone), claims)
        if self.spawns is not None:
            self._judge_children(self.spawns)
        return self.outcome

    def _fresh(self) -> dict[Key, Identity]:
        """What has appeared, without what libraries keep; each new one is described while it is there."""
        fresh = appeared(self.start.keys, self.outcome.now)
        if not fresh:
            return fresh
        self.known = known_descriptors(self.start.handlers, self.outcome.now)
        for key in [key for key in fresh if key in self.known]:
            self.outcome.known[number_text(key)] = self.known[key]
            del fresh[key]
        for key, identity in list(fresh.items()):
            member = self.members.get(key)
            if member is None or member.identity != identity:
                record = look(key, identity)
                self.members[key] = member = Member(
                    key, identity, record, find_origin(record, self.start.serial)
                )
            if not self._counts(member.record):
                del fresh[key]
        return fresh

    def _counts(self, record: OpenDescriptor) -> bool:
        """Whether the kind is looked at. Without a choice of kinds: all but the devices behind a bare HANDLE, which
        the system's own libraries open when they like (seen: \\Device\\Nsi, by the first question about a port).
        """
        if self.policy.kinds:
            return record.kind in self.policy.kinds
        return not (record.space == "handle" and record.kind == "other")

    def _settle(self, fresh: dict[Key, Identity]) -> dict[Key, Identity]:
        """Wait and collect until nothing new is left or the grace is over; note what went, and how."""
        ends = time.monotonic() + self.policy.grace
        for pause in BEFORE_COLLECTING:
            if fresh and time.monotonic() + pause <= ends:
                time.sleep(pause)
                fresh = self._look_again(fresh, "late")
        if fresh:
            self.policy.release()
            for _ in range(ROUNDS):
                gc.collect()
            fresh = self._look_again(fresh, "collected")
        while fresh and time.monotonic() < ends and others_run():
            time.sleep(min(PAUSE, max(0.0, ends - time.monotonic())))
            fresh = self._look_again(fresh, "late")
        return fresh

    def _look_again(self, fresh: dict[Key, Identity], verdict: Verdict) -> dict[Key, Identity]:
        self.outcome.now = keys()
        left = self._fresh()
        went = [self.members[key] for key, identity in fresh.items() if left.get(key) != identity]
        if not went:
            return left
        for cluster in group(went, Claims()):
            finding = self._finding(verdict, cluster.members, cluster.title)
            failing = verdict == "collected" and self.policy.collect == "error"
            if verdict == "late" or self.policy.collect != "off":
                self._file(finding, self.outcome.findings if failing else self.outcome.notes, cluster.members)
        return left

    def _judge_open(self, fresh: dict[Key, Identity], claims: Claims) -> None:
        mine: list[Member] = []
        candidates = [self.members[key] for key in fresh]
        # Callbacks last: the end that a loop accepted goes with the other end where that is this program's own.
        candidates.sort(key=lambda member: member.origin is not None and member.origin.by_callback())
        for member in candidates:
            member.owner = claims.owner(member.key)
            accepted = member.origin is not None and member.origin.by_callback()
            if accepted and any(are_ends(member.record, other.record) for other in mine):
                mine.append(member)
            elif self.policy.whose(member, claims) == "other":
                self.outcome.others[member.key] = member.identity
            else:
                mine.append(member)
        for cluster in group(mine, claims):
            replaced = [member for member in cluster.members if self._took_a_place(member)]
            verdict: Verdict = "replaced" if replaced else "leaked"
            finding = self._finding(verdict, cluster.members, cluster.title)
            if cluster.owner is not None:
                finding.owner, finding.holder = describe_owner(cluster.owner), held_by(cluster.owner)
            finding.fix = cluster.fix or finding.fix
            if replaced:
                self._tell_replaced(finding, replaced[0], claims)
            self._add_peers(finding, cluster.members)
            unseen = recording.active() and all(map(_is_plumbing, cluster.members)) and cluster.owner is None
            self._file(finding, self.outcome.notes if unseen else self.outcome.findings, cluster.members)

    def _took_a_place(self, member: Member) -> bool:
        """Whether the number stood for something else when this began, and nobody knows why it does not any
        more."""
        before = self.start.keys.get(member.key)
        return (
            before is not None and before != member.identity and not self.policy.explained(member.key, before)
        )

    def _tell_replaced(self, finding: Finding, member: Member, claims: Claims) -> None:
        deceived = [owner for owner in claims.by_key.get(member.key, ()) if owner is not member.owner]
        if claims.several(member.key) and deceived:
            finding.previous = f"{describe_owner(deceived[0])} still believes that the number is its own"
            finding.fix = fix_for("closed-foreign", [member])
        else:
            finding.previous = "something else was open under this number before, and was closed"
        finding.closed_at = self._closed_at(member.key)

    def _judge_gone(self, gone: dict[Key, Identity], claims: Claims) -> None:
        """A closed descriptor is a finding only when its owner still believes that it is open."""
        for key, identity in gone.items():
            if key in self.outcome.reported:
                continue
            claimant = self._deceived(key, claims)
            keeper = self.policy.owned(key, identity)
            if claimant is None and not keeper:
                continue
            record = OpenDescriptor(key[1], key[0], "other", identity, -1)
            finding = self._finding("closed-foreign", [Member(key, identity, record, None, claimant)], "")
            finding.inheritable = None
            finding.label = finding.label if claimant is None else f"descriptor of {describe_owner(claimant)}"
            finding.previous = keeper
            finding.closed_at = self._closed_at(key)
            self._file(finding, self.outcome.findings, [])

    def _deceived(self, key: Key, claims: Claims) -> object | None:
        """The object that claims a number which is not its own any more."""
        owners = claims.by_key.get(key)
        if not owners:
            return None
        if key not in self.outcome.now or claims.several(key):
            return owners[0]
        return None

    def _unexplained(self, gone: dict[Key, Identity]) -> dict[Key, Identity]:
        known = self.known or (known_descriptors(self.start.handlers, self.outcome.now) if gone else {})
        return {
            key: mark
            for key, mark in gone.items()
            if key not in known and not self.policy.explained(key, mark)
        }

    def _judge_children(self, spawns: children.Spawns) -> None:
        still_open = {identity: key for key, identity in self.outcome.now.items()}
        for held in children.held_by_children(spawns):
            text = f"pid {held.pid} ({held.command}) as fd {held.number}"
            here = still_open.get(held.identity)
            if here is not None:
                # Open here too (both ends of a pipe have one identity): whoever answers for it answers for
                # this.
                name = number_text(here)
                for finding in self.outcome.findings:
                    if name in finding.numbers and text not in finding.children:
                        finding.children.append(text)
                continue
            member = Member(held.key, held.identity, held.record, find_origin(held.record))
            if held.record.kind not in MATTERS_IN_CHILD or self.policy.whose(member, Claims()) == "other":
                continue
            finding = self._finding("in-child", [member], "")
            finding.children.append(text)
            self._file(finding, self.outcome.findings, [member])

    def _closed_at(self, key: Key) -> list[tuple[str, int, str, str]]:
        return own_rows(recording.log.closings.get(key))

    def _finding(self, verdict: Verdict, members: list[Member], title: str) -> Finding:
        first = members[0]
        # Of a connection's two ends the one that connected came first, and tells more than the one that accepted.
        origins = [member.origin for member in members if member.origin is not None]
        origin = min(origins, key=lambda origin: origin.serial) if origins else None
        owner = next((member.owner for member in members if member.owner is not None), None)
        names: dict[str, tuple[str, ...]] = {}
        for member in members:
            for subject, values in rule_names(member).items():
                names[subject] = (*names.get(subject, ()), *values)
        labels = list(dict.fromkeys(member.label for member in members))
        return Finding(
            verdict=verdict,
            kind=first.record.kind,
            numbers=numbers_text(members),
            label=f"{title}: {', '.join(labels)}" if title and labels else title or labels[0],
            stack=own_rows(origin),
            full_stack=full_rows(origin),
            call=origin.call if origin is not None else "",
            owner=describe_owner(owner) if owner is not None else "",
            holder=held_by(owner) if owner is not None else "",
            inheritable=any(member.record.inheritable for member in members),
            fix=fix_for(verdict, members),
            names=names,
        )

    def _add_peers(self, finding: Finding, members: list[Member]) -> None:
        """Name the other end where it is open in this process and not itself part of the finding."""
        for member in members:
            peer = member.record.peer
            if peer is not None and peer.number is not None and all(peer.number != m.key[1] for m in members):
                where = "this process" if peer.pid in (None, -1, member.record.pid) else f"pid {peer.pid}"
                waits = ", not yet accepted" if peer.pending else ""
                finding.peers.append(f"{peer.space} {peer.number} in {where}{waits}")
            elif member.record.socket is not None and member.record.socket.remote:
                finding.peers += [
                    f"{number_text(other.key)} in this process"
                    for other in self.members.values()
                    if other not in members and are_ends(member.record, other.record)
                ]

    def judge_inheritable(self, owned: dict[Key, Identity]) -> list[Finding]:
        """A finding for each of `owned` that every child process would inherit."""
        members = [Member(key, identity, look(key, identity)) for key, identity in sorted(owned.items())]
        found = []
        for member in members:
            member.origin = find_origin(member.record)
            if member.record.inheritable and self._counts(member.record):
                found.append(self._finding("inheritable", [member], ""))
        return found

    def _file(self, finding: Finding, where: list[Finding], members: Iterable[Member]) -> None:
        """Put the finding where it belongs, or among the allowed when a rule covers it."""
        rule = next((rule for rule in self.policy.rules if rule.covers(finding.kind, finding.names)), None)
        if rule is not None and self.policy.inheritable and finding.inheritable:
            finding.verdict, finding.fix = "inheritable", fix_for("inheritable", list(members))
        elif rule is not None:
            finding.allowed = rule.reason
            where = self.outcome.allowed
        where.append(finding)
        self.outcome.reported.update({member.key: member.identity for member in members})
