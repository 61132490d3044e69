"""Fixtures of wider scope than a test: what each opened, what it owns by reach, and what it leaves when it
ends.

What must never be put here: what a test owns; that is whatever no fixture does.
"""

from __future__ import annotations

import gc
import inspect
import os
import sys
import threading
from dataclasses import dataclass, field
from selectors import BaseSelector
from types import BuiltinFunctionType, CellType, CodeType, FrameType, FunctionType, ModuleType
from typing import Any

import pytest

from samesock.fdtable import Identity, Key, keys
from samesock.leaks import recording
from samesock.leaks.origins import Origin, is_foreign
from samesock.leaks.owners import LOOP_TITLE, Claims
from samesock.leaks.policies import appeared, thread_idents

MOST_REACHED = 50_000
"""Objects looked at on the way from a fixture to a descriptor's owner; beyond that nothing is concluded."""

_ENDS = (ModuleType, type, CodeType, BuiltinFunctionType, str, bytes, int, float)


@dataclass(eq=False, slots=True)
class Lifetime:
    """One set-up of one fixture, until it is torn down."""

    definition: pytest.FixtureDef[Any]
    name: str
    scope: str
    where: str
    before: dict[Key, Identity]
    threads_before: frozenset[int]
    outer: object
    codes: frozenset[int]
    """The fixture's own code, and that of the functions in it, by id."""
    owned: dict[Key, Identity] = field(default_factory=dict)
    threads: frozenset[int] = frozenset()

    def __str__(self) -> str:
        return f"{self.scope} fixture {self.name!r} ({self.where})"


class Fixtures:
    """The lifetimes of wide fixtures: being set up, living, and ended since the last test."""

    def __init__(self) -> None:
        self.rising: list[Lifetime] = []
        self.living: dict[int, Lifetime] = {}
        self.ended: list[Lifetime] = []

    def begin(self, definition: pytest.FixtureDef[Any]) -> None:
        """`definition` is about to be set up."""
        functions = _functions(definition)
        life = Lifetime(
            definition,
            _name(definition, functions),
            str(definition.scope),
            _place(definition, functions),
            keys(),
            thread_idents(),
            recording.state.scope,
            frozenset(id(code) for function in functions for code in _codes(function.__code__)),
        )
        self.rising.append(life)
        recording.state.scope = life

    def finish(self) -> Lifetime:
        """The set-up that began last is over, well or not: what is new belongs to it, or to those set up
        inside it."""
        life = self.rising.pop()
        recording.state.scope = life.outer
        life.owned = {
            key: mark for key, mark in appeared(life.before, keys()).items() if self.owner(key, mark) is None
        }
        life.threads = thread_idents() - life.threads_before
        life.before = {}
        self.living[id(life.definition)] = life
        return life

    def end(self, definition: pytest.FixtureDef[Any]) -> None:
        """`definition` was torn down, if it was ever set up; what it left is looked at when the test has
        ended."""
        life = self.living.pop(id(definition), None)
        if life is not None:
            self.ended.append(life)

    def owner(self, key: Key, identity: Identity) -> Lifetime | None:
        """The living fixture that opened a descriptor."""
        return next((life for life in self.living.values() if life.owned.get(key) == identity), None)

    def was_ended(self, key: Key, identity: Identity) -> bool:
        """Whether a fixture that ended since the last test owned it."""
        return any(life.owned.get(key) == identity for life in self.ended)

    def lives(self, life: Lifetime) -> bool:
        """Whether a lifetime is not over."""
        return self.living.get(id(life.definition)) is life or life in self.rising

    def by_code(self, origin: Origin) -> Lifetime | None:
        """The fixture whose own code opened it, living or ended since the last test: in its teardown, or in a function
        that it made and gave away.
        """
        lives = (*self.living.values(), *self.ended)
        for code, _ in origin.stack:
            for life in lives:
                if id(code) in life.codes:
                    return life
        return None

    def by_thread(self, thread: int, mine: int) -> Lifetime | None:
        """The fixture that started a thread, living or ended since the last test, or whose value keeps it: an executor
        starts its threads when a test first needs one.
        """
        for life in (*self.living.values(), *self.ended):
            if thread in life.threads:
                return life
        if thread == mine:
            return None
        there = next((one for one in threading.enumerate() if one.ident == thread), None)
        return None if there is None else self.by_reach(there)

    def by_loop(self, claims: Claims) -> Lifetime | None:
        """The living fixture that owns an event loop; where no loop can be told, the last that owns anything."""
        for group in claims.groups:
            for life in self.living.values():
                if group.keys & life.owned.keys() and group.title == LOOP_TITLE:
                    return life
        return next((life for life in reversed(self.living.values()) if life.owned), None)

    def by_reach(self, owner: object) -> Lifetime | None:
        """The living fixture from whose value, or from whose suspended function, `owner` can be reached.

        So a pool that a module's fixture made keeps the connections that it opens while a test runs.
        """
        for life in self.living.values():
            if reaches(life.definition, owner):
                return life
        return None


def reaches(definition: pytest.FixtureDef[Any], target: object) -> bool:
    """Whether a fixture's value or generator leads to `target`, by references that are the fixture's own.

    Modules, classes, functions' globals and pytest's objects end the way: through those everything is
    reached.
    """
    cached = definition.cached_result
    finalizers: object = getattr(definition, "_finalizers", ())
    edge: list[object] = [cached[0] if cached else None, finalizers]
    seen: set[int] = set()
    while edge and len(seen) < MOST_REACHED:
        thing = edge.pop()
        if thing is target:
            return True
        if id(thing) in seen or isinstance(thing, _ENDS) or _is_runner(thing):
            continue
        seen.add(id(thing))
        edge.extend(_referents(thing))
    return False


def _referents(thing: object) -> list[object]:
    if isinstance(thing, FunctionType):
        return [*(thing.__closure__ or ()), *(thing.__defaults__ or ())]
    if isinstance(thing, FrameType):
        return list(thing.f_locals.values())
    if isinstance(thing, dict) and "__builtins__" in thing:
        return []  # a module's globals
    return gc.get_referents(thing)


def _is_runner(thing: object) -> bool:
    """Whether this runs things for everybody: pytest, or an event loop, which leads to whatever is registered with it
    and owns none of that.
    """
    module = type(thing).__module__
    if module.partition(".")[0] in ("_pytest", "pytest", "pluggy", "xdist", "execnet"):
        return True
    if isinstance(thing, BaseSelector) or module.startswith(("trio._core.", "anyio._backends.")):
        return True
    asyncio = sys.modules.get("asyncio.events")
    loops = getattr(asyncio, "AbstractEventLoop", ()), getattr(asyncio, "AbstractEventLoopPolicy", ())
    return isinstance(thing, loops)


def _functions(definition: pytest.FixtureDef[Any]) -> list[FunctionType]:
    """The functions that a fixture was written as: its own, or those that a plugin put a function of its own around.

    pytest does so with `setup_module`, `tearDownClass` and their like, pytest-asyncio with coroutines; one code of
    the plugin's is then that of many fixtures.
    """
    function = inspect.unwrap(definition.func)
    function = getattr(function, "__func__", function)
    if not isinstance(function, FunctionType) or not is_foreign(function.__code__.co_filename):
        return [function] if isinstance(function, FunctionType) else []
    inner = (cell.cell_contents for cell in function.__closure__ or () if _is_filled(cell))
    bare = (getattr(thing, "__func__", thing) for thing in inner)
    return [
        thing
        for thing in bare
        if isinstance(thing, FunctionType) and not is_foreign(thing.__code__.co_filename)
    ]


def _is_filled(cell: CellType) -> bool:
    try:
        cell.cell_contents  # noqa: B018 - asking is the only way to know
    except ValueError:
        return False
    return True


def _codes(code: CodeType) -> list[CodeType]:
    """A function's code, and that of every function that is written inside it."""
    inner = [found for part in code.co_consts if isinstance(part, CodeType) for found in _codes(part)]
    return [code, *inner]


def _name(definition: pytest.FixtureDef[Any], functions: list[FunctionType]) -> str:
    """The name that its author gave it: `setup_module`, where pytest makes up one of its own."""
    name = definition.argname
    return functions[0].__name__ if functions and name.startswith(("_xunit_", "_unittest_")) else name


def _place(definition: pytest.FixtureDef[Any], functions: list[FunctionType]) -> str:
    function = functions[0] if functions else inspect.unwrap(definition.func)
    code = getattr(function, "__code__", None)
    if not isinstance(code, CodeType):
        return definition.baseid or "a plugin"
    try:
        file = os.path.relpath(code.co_filename)
    except ValueError:
        file = code.co_filename
    return f"{code.co_filename if file.startswith('..') else file}:{code.co_firstlineno}"
