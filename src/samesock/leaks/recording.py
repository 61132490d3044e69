"""The record of what was opened in this process, and who is recording: state, and how a call is put into it.

What must never be put here: how calls are noticed (`tracing`, `wrapping`).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from types import FrameType

from samesock.fdtable import Space
from samesock.leaks.origins import Log, Origin, capture_stack

log: Log = Log()
"""The records of this process. Numbers are the process's own, so there can be only one log."""

spawn_listeners: list[Callable[[], None]] = []
"""Called just before a process is started, to see what it might inherit."""


class State:
    """What the one recorder of this process is doing."""

    scope: object = None
    """Whoever runs now: the plugin names the test or the fixture here, and each record keeps it."""

    muted = 0
    """The thread that is looking at descriptors just now: what it opens for that is nobody's."""

    users = 0
    """How many asked for tracing."""

    hooked = False
    """Whether the audit hook is there."""


state: State = State()

looking: threading.RLock = threading.RLock()
"""Held while descriptors are looked at and judged: what one thread opens for that must not be another's finding."""


def active() -> bool:
    """Whether anybody traces."""
    return state.users > 0


def note(space: Space, numbers: Iterable[int], call: str, frame: FrameType | None) -> None:
    """`call`, made by `frame`, returned these numbers."""
    origin = Origin(
        log.next_serial(), call, threading.get_ident(), state.scope, capture_stack(frame), given=True
    )
    for number in numbers:
        log.add_number(space, number, origin)
