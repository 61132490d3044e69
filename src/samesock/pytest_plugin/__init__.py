"""The pytest plugin `samesock_fd_leaks`: options, marker and fixture. Inert until `--fd-leaks` or
`fd_leaks` asks.

This module is imported by every pytest run in an environment that has samesock, so it imports nothing of
the checker before it is asked for. What must never be put here: how leaks are found, attributed or printed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from samesock.pytest_plugin.snapshots import FdSnapshot

MODES = ("off", "warn", "error")
TRACES = ("auto", "off", "on")


def pytest_addoption(parser: pytest.Parser) -> None:
    """The options and the ini keys, all of them named fd-leaks or fd_leaks."""
    group = parser.getgroup("fd-leaks", "descriptors that tests leak (samesock)")
    group.addoption(
        "--fd-leaks",
        choices=MODES,
        default=None,
        help="look for leaked descriptors: off (default), warn, error",
    )
    group.addoption(
        "--fd-leaks-trace", choices=TRACES, default="auto", help="find the line that opened each (auto: on)"
    )
    group.addoption("--fd-leaks-json", metavar="FILE", default=None, help="write every finding to FILE")
    group.addoption(
        "--fd-leaks-baseline",
        metavar="FILE",
        default=None,
        help="leaks that are known already: only new ones fail",
    )
    group.addoption(
        "--fd-leaks-update",
        action="store_true",
        default=False,
        help="write the leaks of this run to the baseline",
    )
    parser.addini("fd_leaks", "look for leaked descriptors: off, warn or error", default="off")
    parser.addini("fd_leaks_allow", 'what may stay open, a line each: "KIND:GLOB  # reason"', type="linelist")
    parser.addini("fd_leaks_grace", "seconds that a thread gets to close what it has open", default="0.25")
    parser.addini(
        "fd_leaks_kinds", "look at these kinds of descriptor only (default: all)", type="args", default=[]
    )
    parser.addini(
        "fd_leaks_inheritable", "fail tests that leave inheritable ones", type="bool", default=False
    )


def pytest_configure(config: pytest.Config) -> None:
    """Start to watch, when asked to."""
    config.addinivalue_line(
        "markers",
        'fd_leaks("allow", kind="*", glob="*", reason=...): descriptors that this test may leave open; '
        "fd_leaks(off=True, reason=...): this test is not looked at.",
    )
    mode = config.getoption("--fd-leaks") or config.getini("fd_leaks")
    if mode == "off":
        return
    from samesock.pytest_plugin import starting

    starting.start(config, mode)


@pytest.fixture
def fd_snapshot() -> FdSnapshot:
    """What this test has opened so far: `fd_snapshot.opened()`, `.closed()`, `.reset()`.

    Works whether or not `--fd-leaks` is on.
    """
    from samesock.pytest_plugin.snapshots import FdSnapshot

    return FdSnapshot()
