"""Which thread is inside a plain call of which socket, read off its frame.

The calls of `data` that go straight to C write themselves into no list of `_waking`: their own frame says that they
are under way, and whose. A list written before each call and emptied after it cost a 64-byte ping-pong 7 % under Wine,
where the wait in the kernel leaves the caches cold; frames cost those who ask, and only Ctrl+C, `close(wake=True)` and
`shutdown` ask. Where other threads run while one looks (a free-threaded build), or an interpreter has no such view,
`data` uses the lists. What must never be put here: what a call does.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import CodeType, FrameType
from typing import Any, TypeVar

from samesock import _waking

_Function = TypeVar("_Function", bound=Callable[..., Any])

_reads: set[CodeType] = set()
_writes: set[CodeType] = set()

usable: bool = hasattr(sys, "_current_frames") and getattr(sys, "_is_gil_enabled", lambda: True)()
"""Whether one thread can look at the others' frames while they stand still."""


def reads(function: _Function) -> _Function:
    """Decorate a method whose frame stands for a call that loses nothing when it is cut short."""
    _reads.add(function.__code__)
    return function


def writes(function: _Function) -> _Function:
    """Decorate one that sends."""
    _writes.add(function.__code__)
    return function


def begin() -> None:
    """From here on `_waking` asks the frames, too; or the calls use its lists."""
    if usable:
        _waking.threads_inside = threads_inside
    else:
        _waking.unsettled.add(_waking.LISTED)


def threads_inside(sock: Any, *, writing: bool) -> list[int]:
    """The threads that are in a call of the socket, whatever a signal's handler does in the middle of it."""
    codes = _writes if writing else _reads
    return [
        thread
        for thread, frame in sys._current_frames().items()  # noqa: SLF001
        if _is_inside(frame, sock, codes)
    ]


def _is_inside(frame: FrameType | None, sock: Any, codes: set[CodeType]) -> bool:
    while frame is not None:
        if frame.f_code in codes and frame.f_locals["self"] is sock:
            return True
        frame = frame.f_back
    return False


def read_by(thread: int) -> Any:
    """The socket that the thread reads from right now, in whichever way it says so; `None` while it sends."""
    frame = sys._current_frames().get(thread) if usable else None  # noqa: SLF001
    code = None if frame is None else frame.f_code
    if frame is not None and code in _reads:
        return frame.f_locals["self"]
    return None if code in _writes else _waking.read_by(thread)


def writing(thread: int) -> FrameType | None:
    """The frame of a call that sends and that the thread is in right now."""
    frame = sys._current_frames().get(thread) if usable else None  # noqa: SLF001
    return frame if frame is not None and frame.f_code in _writes else None


def socket_of(frame: FrameType) -> Any:
    """The socket of a call, given its frame."""
    return frame.f_locals["self"]
