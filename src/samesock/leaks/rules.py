"""What may stay open: rules, how they are written in a file, and whether one covers a descriptor.

A rule is `KIND:GLOB  # reason`. It must have its reason, because whoever meets it a year later needs that
more than the rule. What must never be put here: descriptors that no project should have to allow (`known`).
"""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable
from dataclasses import dataclass
from typing import get_args

from samesock.fdtable.words import Kind

SUBJECTS = ("path", "origin", "test", "fixture")
"""What a rule may look at besides a kind: the file's path, the line that opened it, and who is blamed."""

KINDS: tuple[str, ...] = get_args(Kind)


class RuleError(ValueError):
    """A rule that cannot be read: the message names it and says how it is written."""


@dataclass(frozen=True, slots=True)
class Rule:
    """Descriptors of `kind` (or "*"), or with the subject `kind`, of which some name matches `glob`."""

    kind: str
    glob: str
    reason: str

    def covers(self, kind: str, names: dict[str, tuple[str, ...]]) -> bool:
        """Whether a descriptor of `kind` with these names, by subject ("name" holds paths and addresses),
        may stay."""
        if self.kind in SUBJECTS:
            return _any_match(names.get(self.kind, ()), self.glob)
        if self.kind not in ("*", kind):
            return False
        return self.glob == "*" or _any_match(names.get("name", ()), self.glob)

    def __str__(self) -> str:
        return f"{self.kind}:{self.glob}  # {self.reason}"


def _any_match(names: Iterable[str], glob: str) -> bool:
    return any(fnmatch.fnmatchcase(name.replace("\\", "/"), glob.replace("\\", "/")) for name in names)


def parse_rule(text: str) -> Rule:
    """The rule in one line of `fd_leaks_allow`.

    Raises `RuleError`, naming the line, for a kind that does not exist, a missing glob and a missing reason.
    """
    form = 'a rule is "KIND:GLOB  # reason", as in "socket:127.0.0.1:8443  # shared by all tests"'
    rule, mark, reason = text.partition(" #")
    kind, colon, glob = (part.strip() for part in rule.strip().partition(":"))
    if not colon or not kind or not glob:
        raise RuleError(f"cannot read the rule {text!r}: {form}")
    if kind != "*" and kind not in KINDS and kind not in SUBJECTS:
        known = ", ".join(("*", *SUBJECTS, *KINDS))
        raise RuleError(f"cannot read the rule {text!r}: there is no kind {kind!r}; known are {known}")
    if not mark or not reason.strip():
        raise RuleError(f"the rule {text!r} gives no reason: {form}")
    return Rule(kind, glob, reason.strip())


def parse_rules(lines: Iterable[str]) -> tuple[Rule, ...]:
    """Every rule in `lines`; empty lines and lines that are all comment are passed over."""
    return tuple(parse_rule(line) for line in lines if line.strip() and not line.strip().startswith("#"))


def parse_kinds(words: Iterable[str]) -> frozenset[str]:
    """The kinds in `fd_leaks_kinds`; `RuleError` for one that does not exist."""
    kinds = frozenset(word.strip() for word in words if word.strip())
    for kind in sorted(kinds):
        if kind not in KINDS:
            raise RuleError(f"there is no kind {kind!r} of descriptor; known are {', '.join(KINDS)}")
    return kinds


class Allow:
    """Rules for `no_leaks(allow=[...])`, written as calls: `allow.path("*.log", reason="rotating
    handler")`."""

    @staticmethod
    def _made(kind: str, glob: str, reason: str) -> Rule:
        if not reason.strip():
            raise RuleError(f"allowing {kind}:{glob} needs a reason")
        return Rule(kind, glob, reason)

    def path(self, glob: str, *, reason: str) -> Rule:
        """Files, directories, FIFOs and Unix sockets by path."""
        return self._made("path", glob, reason)

    def origin(self, glob: str, *, reason: str) -> Rule:
        """By the line that opened it, as "file.py:function"; known only while tracing."""
        return self._made("origin", glob, reason)

    def kind(self, kind: str, glob: str = "*", *, reason: str) -> Rule:
        """By kind, and by path or address within it."""
        if kind != "*":
            parse_kinds([kind])
        return self._made(kind, glob, reason)


allow: Allow = Allow()
"""Rules for `no_leaks(allow=[...])`, written as calls, each with its reason: `allow.path("*.log", reason="rotating
handler")`. Each call gives a `Rule`; `RuleError` for one without a reason, or of a kind that does not exist."""
