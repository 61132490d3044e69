"""`LeakCheckMixin`: the leak check for plain `unittest`, without pytest.

What must never be put here: another way of judging than `no_leaks()` has.
"""

from __future__ import annotations

import unittest
from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar

from samesock.fdtable import Key
from samesock.leaks.checking import LeakCheck, no_leaks
from samesock.leaks.known import number_of
from samesock.leaks.owners import FD, SOCKET
from samesock.leaks.rules import Rule

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop

    _Base = unittest.TestCase
else:
    _Base = object


class LeakCheckMixin(_Base):
    """`class T(LeakCheckMixin, unittest.TestCase)`: every test that passes must close what it opened.

    The check comes after `tearDown` and every cleanup. A test that failed already is not failed again.
    Works with `IsolatedAsyncioTestCase` too, whose own event loop is not counted. `leak_allow` and
    `leak_grace` are `no_leaks()`'s `allow` and `grace`.

    Portability: native everywhere.
    """

    leak_allow: ClassVar[tuple[Rule | str, ...]] = ()
    leak_grace: ClassVar[float] = 0.25

    def run(self, result: unittest.TestResult | None = None) -> unittest.TestResult | None:
        """Run the test; the first cleanup that is added runs last, so the check is that one."""
        check = no_leaks(allow=self.leak_allow, grace=self.leak_grace)
        check.__enter__()
        done: list[bool] = []
        if isinstance(self, unittest.IsolatedAsyncioTestCase):
            self.addAsyncCleanup(self._check_in_loop, check, done)
        else:
            self.addCleanup(self._check, check, done)
        try:
            return super().run(result)
        finally:
            if not done:  # skipped by a decorator: no cleanup ran
                check.abandon()

    def _check(self, check: LeakCheck, done: list[bool]) -> None:
        done.append(True)
        if self._has_failed():
            check.abandon()
        else:
            check.__exit__(None, None, None)

    async def _check_in_loop(self, check: LeakCheck, done: list[bool]) -> None:
        import asyncio  # It is loaded already, by this test's loop.

        for _ in range(3):  # transports close by callbacks that run after the call
            await asyncio.sleep(0)
        check.ignore(_loop_descriptors(asyncio.get_running_loop()))
        self._check(check, done)

    def _has_failed(self) -> bool:
        """Whether the test has failed so far, wherever this Python and this runner keep that.

        The outcome's own `success` is no use: it is reset for every cleanup. Python 3.10 keeps the errors in the
        outcome until the end, later ones hand them to the result at once, and pytest's result keeps them itself.
        """
        outcome: object = getattr(self, "_outcome", None)
        if any(error for _, error in getattr(outcome, "errors", ())):
            return True
        if getattr(outcome, "expectedFailure", None) is not None:
            return True
        result: object = getattr(outcome, "result", None)
        if getattr(result, "_excinfo", None):
            return True
        told = [*getattr(result, "failures", ()), *getattr(result, "errors", ())]
        return any(self in (test, getattr(test, "test_case", None)) for test, _ in told)


def _loop_descriptors(loop: AbstractEventLoop) -> set[Key]:
    """What a running event loop keeps for itself."""
    places: tuple[tuple[Callable[[int], Key], str], ...] = (
        (lambda number: (FD, number), "_selector"),
        (lambda number: (SOCKET, number), "_ssock"),
        (lambda number: (SOCKET, number), "_csock"),
    )
    found = {(key, number_of(getattr(loop, name, None))) for key, name in places}
    return {key(number) for key, number in found if number is not None}
