"""What the user asked for, read once and checked: whatever cannot be read ends the run before a test has run.

What must never be put here: the reading of the baseline file (`baseline`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from samesock.leaks.rules import Rule, RuleError, parse_kinds, parse_rules
from samesock.pytest_plugin import MODES


@dataclass(frozen=True, slots=True)
class Settings:
    """The options and ini keys of one run."""

    mode: str
    trace: bool
    rules: tuple[Rule, ...]
    grace: float
    kinds: frozenset[str]
    inheritable: bool
    json_file: Path | None
    baseline: Path | None
    update: bool
    verbose: int


def _path(config: pytest.Config, option: str) -> Path | None:
    value = config.getoption(option)
    return config.invocation_params.dir / value if value else None


def _grace(text: str) -> float:
    try:
        grace = float(text)
    except ValueError:
        grace = -1.0
    if not math.isfinite(grace) or grace < 0:
        raise pytest.UsageError(f"fd_leaks_grace = {text!r}: expected a number of seconds, 0 or more")
    return grace


def read_settings(config: pytest.Config, mode: str) -> Settings:
    """The settings; `pytest.UsageError` naming whatever cannot be read."""
    if mode not in MODES:
        raise pytest.UsageError(f"fd_leaks = {mode!r}: expected one of {', '.join(MODES)}")
    try:
        rules = parse_rules(config.getini("fd_leaks_allow"))
    except RuleError as failure:
        raise pytest.UsageError(f"fd_leaks_allow: {failure}") from None
    try:
        kinds = parse_kinds(config.getini("fd_leaks_kinds"))
    except RuleError as failure:
        raise pytest.UsageError(f"fd_leaks_kinds: {failure}") from None
    baseline, update = _path(config, "--fd-leaks-baseline"), bool(config.getoption("--fd-leaks-update"))
    if update and baseline is None:
        raise pytest.UsageError(
            "--fd-leaks-update needs --fd-leaks-baseline=FILE: there is nothing to update"
        )
    return Settings(
        mode=mode,
        trace=config.getoption("--fd-leaks-trace") != "off",
        rules=rules,
        grace=_grace(str(config.getini("fd_leaks_grace"))),
        kinds=kinds,
        inheritable=bool(config.getini("fd_leaks_inheritable")),
        json_file=_path(config, "--fd-leaks-json"),
        baseline=baseline,
        update=update,
        verbose=config.getoption("verbose"),
    )


@dataclass(frozen=True, slots=True)
class Marks:
    """What the marker `fd_leaks` says of one test."""

    off: bool = False
    rules: tuple[Rule, ...] = ()


def read_marks(item: pytest.Item) -> Marks | None:
    """The test's markers together; `None` for none, `pytest.UsageError` naming the test for one that is
    wrong."""
    off, rules = False, list[Rule]()
    found = False
    for mark in item.iter_markers("fd_leaks"):
        found = True
        try:
            if _read_mark(mark.args, dict(mark.kwargs), rules):
                off = True
        except RuleError as failure:
            raise pytest.UsageError(f"{item.nodeid}: @pytest.mark.fd_leaks: {failure}") from None
    return Marks(off, tuple(rules)) if found else None


def _read_mark(args: tuple[Any, ...], words: dict[str, Any], rules: list[Rule]) -> bool:
    """Add the mark's rule to `rules`, or say that it switches the check off."""
    reason = words.pop("reason", "")
    if not isinstance(reason, str) or not reason.strip():
        raise RuleError('it gives no reason: add reason="..."')
    if args == () and words == {"off": True}:
        return True
    kind, glob = words.pop("kind", "*"), words.pop("glob", "*")
    if args != ("allow",) or words:
        raise RuleError('expected ("allow", kind=..., glob=..., reason=...) or (off=True, reason=...)')
    if kind != "*":
        parse_kinds([kind])
    rules.append(Rule(kind, glob, reason))
    return False
