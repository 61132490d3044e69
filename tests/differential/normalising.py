"""What may differ between the kernel's transcript and the emulation's: every rule, and nothing else.

A rule is a declared deviation of `samesock-emulated` in platforms/linux.toml, by its `id` there. It has a case for each
way in which it shows: the operations, and the pair of lines that it lets pass. What must never be put here: a rule
about what a method off the hot path could put right.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from differential.operations import Operation

MOST_RULES = 12
EARLY = "unix-early-shutdown"
"""This rule's own condition: a socket was shut down before it was connected."""


class Queues:
    """Who has connected to whom and was not accepted yet, as the kernel's transcript tells."""

    def __init__(self) -> None:
        self.names: dict[int, str] = {}
        """The path that a place's socket is bound to, while the file is there."""
        self.listeners: set[int] = set()
        self.touched: set[int] = set()
        """Places of sockets whose file was removed."""
        self.waiting: dict[int, list[int | None]] = {}
        """The clients of each listener, in order; `None` for one that has closed."""

    def lost(self, place: int) -> bool:
        """Whether a client that has gone waits for that listener, whose file was removed."""
        return place in self.touched and None in self.waiting.get(place, ())

    def note(self, operation: Operation, line: str) -> None:
        """Go on by one step."""
        done = line in ("None", "0")
        if operation.name == "bind" and done:
            self.names[operation.place] = operation.argument
        elif operation.name == "listen" and done:
            self.listeners.add(operation.place)
        elif operation.name in ("connect", "connect_ex") and done:
            listener = next(place for place, name in self.names.items() if name == operation.argument)
            self.waiting.setdefault(listener, []).append(operation.place)
        elif operation.name == "accept" and "timeout" in line:
            self.waiting[operation.place].pop(0)
            self._forget(operation.argument)
        elif operation.name == "unlink" and done:
            touched = [place for place, name in self.names.items() if name == operation.argument]
            self.touched.update(touched)
            for place in touched:
                del self.names[place]
        elif operation.name == "close":
            self._forget(operation.place)

    def _forget(self, place: int) -> None:
        self.names.pop(place, None)
        self.listeners.discard(place)
        self.touched.discard(place)
        self.waiting.pop(place, None)
        for queue in self.waiting.values():
            queue[:] = [None if client == place else client for client in queue]


class Before(NamedTuple):
    """What has happened in a sequence that a rule may depend on."""

    deaf: set[int]
    """The places whose sockets have shut their own receiving half."""
    mute: set[int]
    """The same of sending."""
    deviations: set[str]
    """The rules that have let a line pass."""
    queues: Queues

    def note(self, operation: Operation, line: str) -> None:
        """Go on by one step, whose line in the kernel's transcript is given."""
        self.queues.note(operation, line)
        connects = operation.name in ("connect", "connect_ex") and line in ("None", "0")
        if connects and operation.place in self.deaf | self.mute:
            self.deviations.add(EARLY)
        if operation.name == "shutdown" and line == "None":
            if operation.argument != "SHUT_WR":
                self.deaf.add(operation.place)
            if operation.argument != "SHUT_RD":
                self.mute.add(operation.place)
        renewed = operation.argument if operation.name == "accept" and "timeout" in line else None
        if operation.name == "close":
            renewed = operation.place
        self.deaf.discard(renewed)
        self.mute.discard(renewed)


class Case(NamedTuple):
    """A case of a rule: where the kernel gives what `kernel` matches, the emulation may give what `emulated` does."""

    deviation: str
    operations: frozenset[str]
    kernel: str
    emulated: str
    deaf: bool = False
    """Whether it is about sockets alone that have shut their receiving half."""
    never_mute: bool = False
    """Whether it is not about those that have shut their sending half."""
    after: str = ""
    """The rule without which this one means nothing."""
    listener: bool = False
    """Whether it is about listeners alone."""
    lost: bool = False
    """Whether it is about listeners alone whose file was removed, and of whose waiting clients one has gone."""

    def covers(self, operation: Operation, kernel: str, emulated: str, before: Before) -> bool:
        """Whether this is the difference that the rule is about."""
        return (
            operation.name in self.operations
            and (not self.deaf or operation.place in before.deaf)
            and not (self.never_mute and operation.place in before.mute)
            and (not self.listener or operation.place in before.queues.listeners)
            and (not self.lost or before.queues.lost(operation.place))
            and (not self.after or self.after in before.deviations)
            and re.fullmatch(self.kernel, kernel) is not None
            and re.fullmatch(self.emulated, emulated) is not None
        )


_RECEIVING = frozenset({"recv", "recvfrom", "peek", "drain"})
_SENDING = frozenset({"send", "send_nothing", "fill"})
_NOTHING_YET = "EAGAIN|timed out"
_END = r"0 bytes( of None|, end)?"

RULES = (
    Case("unix-recv-unconnected", _RECEIVING, "EINVAL", f"ENOTCONN|timed out|{_END}"),
    Case("unix-send-unconnected", _SENDING, "(0 bytes, )?ENOTCONN", "(0 bytes, )?EPIPE"),
    # A kernel's listener is never writable, so a send with a time-out waits for it. Winsock looks at the socket first;
    # and a TCP listener that was shut down is writable.
    Case(
        "unix-send-unconnected",
        frozenset({"send", "send_nothing"}),
        "timed out",
        "ENOTCONN|EPIPE",
        listener=True,
    ),
    Case(
        "unix-first-send",
        _SENDING,
        "(0 bytes, )?EPIPE",
        r"\d+|(\d+ bytes, )?(ECONNRESET|EPIPE|EAGAIN)",
        never_mute=True,
    ),
    Case(
        "unix-recv-after-shutdown",
        _RECEIVING,
        r"\d+ bytes.*",
        r"\d+ bytes.*",
        deaf=True,
        after="unix-first-send",
    ),
    Case("unix-reset-once", _RECEIVING, "ECONNRESET", _END),
    Case("unix-reset-once", _RECEIVING, _END, "ECONNRESET", after="unix-first-send"),
    Case("unix-reset-once", _SENDING, "(0 bytes, )?EPIPE", "(0 bytes, )?ECONNRESET"),
    Case("unix-reset-once", _RECEIVING, _END, "ECONNRESET", after="unix-reset-once"),
    Case("unix-buffer-size", frozenset({"fill", "drain"}), r"\d{5,} bytes(, \w+)?", r"\d{5,} bytes(, \w+)?"),
    Case(
        "unix-buffer-size", _SENDING, "(0 bytes, )?EAGAIN", r"\d+( bytes, EAGAIN)?", after="unix-buffer-size"
    ),
    Case("unix-late-name", frozenset({"getpeername", "accept", "recvfrom"}), r".*'.'.*", "''.*|.* of None"),
    Case("unix-accept-shut", frozenset({"accept"}), _NOTHING_YET, "EINVAL"),
    Case("unix-gone-early", frozenset({"accept"}), "'.*", _NOTHING_YET, lost=True),
    Case("unix-connected-first", frozenset({"connect", "connect_ex"}), _NOTHING_YET, "EISCONN|EINVAL"),
    Case(EARLY, _RECEIVING, _NOTHING_YET, _END, after=EARLY),
    Case(EARLY, _RECEIVING, r"(\d+ bytes), EAGAIN", r"\d+ bytes, end", after=EARLY),
)


class Difference(NamedTuple):
    """A step at which the transcripts differ, and the rule that lets it pass, if one does."""

    step: int
    operation: Operation
    kernel: str
    emulated: str
    rule: Case | None

    def __str__(self) -> str:
        return f"step {self.step}: {self.operation}: the kernel {self.kernel}, emulated {self.emulated}"


def differences(
    operations: Sequence[Operation],
    kernel: Sequence[str],
    emulated: Sequence[str],
    rules: Sequence[Case] = RULES,
) -> Iterator[Difference]:
    """Every step at which the two differ, in order."""
    before = Before(set(), set(), set(), Queues())
    for step, (operation, theirs, ours) in enumerate(zip(operations, kernel, emulated, strict=True)):
        if theirs != ours:
            rule = next((rule for rule in rules if rule.covers(operation, theirs, ours, before)), None)
            if rule is not None:
                before.deviations.add(rule.deviation)
            yield Difference(step, operation, theirs, ours, rule)
        before.note(operation, theirs)
