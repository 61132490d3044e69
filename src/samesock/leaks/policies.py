"""What a judgement is given and what it gives back: the start, the settings, the outcome; and the plain difference.

What must never be put here: the judgement itself (`verdicts`).
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from samesock.fdtable import Identity, Key, keys
from samesock.leaks import recording
from samesock.leaks.findings import Finding, Member
from samesock.leaks.known import log_handlers
from samesock.leaks.owners import Claims
from samesock.leaks.rules import Rule

GRACE = 0.25
"""Seconds that a thread gets to close what it still has open. Only what leaks waits for it."""

Whose = Literal["mine", "other"]


@dataclass(slots=True)
class Start:
    """What a piece of program found when it began."""

    keys: dict[Key, Identity]
    handlers: tuple[object, ...] = ()
    threads: frozenset[int] = frozenset()
    serial: int = 0
    """The latest record of an opening then: what was not open has a later one, or none."""

    @classmethod
    def now(cls) -> Start:
        """This moment."""
        return cls.at(keys())

    @classmethod
    def at(cls, seen: dict[Key, Identity]) -> Start:
        """This moment, with a snapshot that was taken just now."""
        return cls(seen, log_handlers(), thread_idents(), recording.log.latest)


def thread_idents() -> frozenset[int]:
    """The threads that run now.

    By threading's own table, at a quarter of what `threading.enumerate()` costs between tests (1.7 and 6.7 us).
    """
    return frozenset(getattr(threading, "_active", ())) or frozenset(map(_ident, threading.enumerate()))


def _ident(thread: threading.Thread) -> int:
    return thread.ident or 0


@dataclass(slots=True)
class Policy:
    """How one piece of program is judged: the settings, and the questions that only its caller can answer."""

    grace: float = GRACE
    rules: tuple[Rule, ...] = ()
    kinds: frozenset[str] = frozenset()
    """The kinds that are looked at; all when empty."""
    inheritable: bool = False
    """Whether what may stay open must not be inheritable."""
    collect: Literal["note", "error", "off"] = "note" if sys.implementation.name == "cpython" else "error"
    release: Callable[[], None] = lambda: None
    """Let go of what the caller itself keeps alive, before the collector runs."""
    whose: Callable[[Member, Claims], Whose] = lambda _member, _claims: "mine"
    """Whether a descriptor that is still open belongs to this piece of program."""
    explained: Callable[[Key, Identity], bool] = lambda _key, _identity: False
    """Whether the caller knows why a descriptor has gone."""
    owned: Callable[[Key, Identity], str] = lambda _key, _identity: ""
    """Who, still living, owns a descriptor that has gone; "" when nobody is known."""


@dataclass(slots=True)
class Outcome:
    """What the judgement gives back."""

    findings: list[Finding] = field(default_factory=list)
    """To be mended: these fail a test."""
    notes: list[Finding] = field(default_factory=list)
    """Seen, and not failures."""
    allowed: list[Finding] = field(default_factory=list)
    known: dict[str, str] = field(default_factory=dict)
    """What libraries keep: a descriptor's number, and for what."""
    others: dict[Key, Identity] = field(default_factory=dict)
    """New, and not this piece of program's."""
    reported: dict[Key, Identity] = field(default_factory=dict)
    """What the findings are about."""
    now: dict[Key, Identity] = field(default_factory=dict)


def is_standard(key: Key) -> bool:
    """Whether this is standard input, output or error, which test runners swap at will."""
    return key[0] == "fd" and key[1] <= 2


def appeared(before: dict[Key, Identity], now: dict[Key, Identity]) -> dict[Key, Identity]:
    """What is open now and was not, or was something else."""
    return {key: mark for key, mark in now.items() if before.get(key) != mark and not is_standard(key)}


def vanished(before: dict[Key, Identity], now: dict[Key, Identity]) -> dict[Key, Identity]:
    """What was open and is not any more, or is something else."""
    return {key: mark for key, mark in before.items() if now.get(key) != mark and not is_standard(key)}
