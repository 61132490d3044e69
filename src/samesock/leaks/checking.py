"""`no_leaks`: a piece of program that must close what it opens, as a block, a decorator or an async block.

What must never be put here: how leaks are found (`verdicts`), or anything of pytest or unittest.
"""

from __future__ import annotations

import functools
import inspect
import threading
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import TYPE_CHECKING, Literal, ParamSpec, TypeVar, overload

from samesock.fdtable import Key, keys
from samesock.leaks import annotating, recording, tracing
from samesock.leaks.children import Spawns
from samesock.leaks.findings import Finding, Member
from samesock.leaks.owners import Claims
from samesock.leaks.policies import GRACE, Outcome, Policy, Start
from samesock.leaks.rules import Rule, parse_kinds, parse_rule
from samesock.leaks.text import report
from samesock.leaks.verdicts import Judgement

if TYPE_CHECKING:
    from typing_extensions import Self

P = ParamSpec("P")
R = TypeVar("R")


class DescriptorLeak(AssertionError):
    """Descriptors were left open, closed on somebody else's behalf, or left in a child process.

    `findings` tells all that is known of each; the message is the same as text.
    """

    def __init__(self, message: str, findings: list[Finding]) -> None:
        super().__init__(message)
        self.findings = findings


class LeakCheck:
    """What `no_leaks()` makes: enter it with `with` or `async with`, or put it before a function.

    One check is for one block at a time; before a function it is made anew for every call. After the block
    `findings`, `notes` and `allowed` hold what was found.
    """

    def __init__(self, policy: Policy, *, trace: bool, children: bool) -> None:
        self._policy = policy
        self._trace = trace
        self._children = children
        self._start: Start | None = None
        self._spawns = Spawns()
        self._thread = 0
        self._ignored: set[Key] = set()
        self.findings: list[Finding] = []
        self.notes: list[Finding] = []
        self.allowed: list[Finding] = []

    def __enter__(self) -> Self:
        if self._start is not None:
            raise RuntimeError("this no_leaks() block is already entered: make one for each block")
        if self._trace:
            annotating.register()
            tracing.start()
        self._thread = threading.get_ident()
        with recording.looking:
            self._start = Start.now()
        if self._children:
            self._spawns.begin(self._start.keys)
            recording.spawn_listeners.append(self._spawns.note)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        outcome, opened = self._leave()
        if not outcome.findings:
            return
        message = report(outcome.findings, outcome.notes, opened)
        if error is None:
            raise DescriptorLeak(message, outcome.findings)
        note = getattr(
            error, "add_note", None
        )  # the first failure stays the failure; Python 3.11 can add to it
        if note is not None:
            note(message)

    async def __aenter__(self) -> Self:
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        import asyncio  # Here: a program without coroutines, and the plugin, load thirty modules less.

        # asyncio closes transports by callbacks that run after the call: let those run before looking.
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            pass
        else:
            for _ in range(3):
                await asyncio.sleep(0)
        self.__exit__(kind, error, where)

    def ignore(self, found: set[Key]) -> None:
        """From now on these do not count: their owner closes them after the block, and says so."""
        self._ignored |= found

    def abandon(self) -> None:
        """Leave the block without judging it."""
        if self._start is not None:
            self._start = None
            self._end()

    def _end(self) -> None:
        if self._children:
            recording.spawn_listeners.remove(self._spawns.note)
        if self._trace:
            tracing.stop()

    def _leave(self) -> tuple[Outcome, tuple[int, int]]:
        start = self._start
        if start is None:
            raise RuntimeError("this no_leaks() block was left without having been entered")
        self._start = None
        try:
            with recording.looking:
                now = keys()
                outcome = Outcome(now=now)
                if now != start.keys or self._spawns.seen:
                    self._policy.whose = self._whose(start)
                    outcome = Judgement(start, self._policy, self._spawns if self._children else None).run(
                        now
                    )
        finally:
            self._end()
        self.findings, self.notes, self.allowed = outcome.findings, outcome.notes, outcome.allowed
        return outcome, (len(start.keys), len(outcome.now))

    def _whose(self, start: Start) -> Callable[[Member, Claims], Literal["mine", "other"]]:
        """A descriptor opened by a thread that ran before the block, and is not its own, is not the
        block's."""

        def whose(member: Member, _claims: Claims) -> Literal["mine", "other"]:
            origin = member.origin
            if member.key in self._ignored:
                return "other"
            if origin is None or origin.thread == self._thread or origin.thread not in start.threads:
                return "mine"
            return "other"

        return whose

    def _fresh(self) -> LeakCheck:
        return LeakCheck(self._policy, trace=self._trace, children=self._children)

    def __call__(self, function: Callable[P, R]) -> Callable[P, R]:
        """`function`, checked at every call; a coroutine function stays one."""
        if inspect.iscoroutinefunction(function):

            @functools.wraps(function)
            async def checked_async(*args: P.args, **kwargs: P.kwargs) -> object:
                __tracebackhide__ = True
                async with self._fresh():
                    return await function(*args, **kwargs)

            return checked_async  # type: ignore[return-value]  # R is the coroutine's type

        @functools.wraps(function)
        def checked(*args: P.args, **kwargs: P.kwargs) -> R:
            __tracebackhide__ = True
            with self._fresh():
                return function(*args, **kwargs)

        return checked


@overload
def no_leaks(function: Callable[P, R], /) -> Callable[P, R]: ...
@overload
def no_leaks(
    *,
    allow: Iterable[Rule | str] = (),
    grace: float = GRACE,
    gc: Literal["note", "error", "off"] | None = None,
    kinds: Iterable[str] = (),
    children: bool = True,
    inheritable: bool = False,
    trace: bool = True,
) -> LeakCheck: ...
def no_leaks(
    function: Callable[P, R] | None = None,
    /,
    *,
    allow: Iterable[Rule | str] = (),
    grace: float = GRACE,
    gc: Literal["note", "error", "off"] | None = None,
    kinds: Iterable[str] = (),
    children: bool = True,
    inheritable: bool = False,
    trace: bool = True,
) -> LeakCheck | Callable[P, R]:
    """Raise `DescriptorLeak` when what runs inside leaves descriptors open.

    `with no_leaks():`, `async with no_leaks():`, `@no_leaks` and `@no_leaks(...)` before plain and
    coroutine functions. An exception from inside stays the exception; the leaks are added to it as a note.

    `allow`: rules (`allow.path("*.log", reason=...)`) or their text (`"file:*.log  # reason"`). `grace`:
    seconds that threads get to close. `gc`: what to do with descriptors that only the garbage collector
    freed: "note" keeps them in `.notes`, "error" counts them as leaks (the default on PyPy), "off" forgets
    them. `kinds`: look at these kinds only. `children`: also find what a child process still holds.
    `inheritable`: count every inheritable descriptor that is left open as a finding of its own. `trace`:
    find the line that opened each descriptor.

    Raises `RuleError` for a rule that cannot be read. Not for nesting in two threads at once without
    `trace`: then nothing tells whose descriptor it is.

    Portability: native everywhere; what a child process holds is found on Linux.
    """
    rules = tuple(parse_rule(rule) if isinstance(rule, str) else rule for rule in allow)
    policy = Policy(grace=grace, rules=rules, kinds=parse_kinds(kinds), inheritable=inheritable)
    if gc is not None:
        policy.collect = gc
    check = LeakCheck(policy, trace=trace, children=children)
    return check if function is None else check(function)
