"""What lets coverage see code that it would miss; conftest.py imports it in a run that is measured, and in no other.

An audit hook is not traced unless it says so, and the doctor kills the processes of a trial that is over, before they
could write down which lines they ran. What must never be put here: anything that changes what a test finds.
"""

from __future__ import annotations

import contextlib
import subprocess

from samesock import _trials
from samesock.leaks import tracing

PATIENCE = 10.0
"""Seconds for a process that has been left alone to end and to write its data; Wine needs some of them."""

tracing._hear.__cantrace__ = True  # type: ignore[attr-defined]
_end = _trials.Bench.end


def _end_later(bench: _trials.Bench) -> None:
    """End the trial's processes, after they have had the time to end by themselves."""
    for child in bench._children:
        with contextlib.suppress(OSError, subprocess.TimeoutExpired):
            if child.process.stdin is not None:
                child.process.stdin.close()
            child.process.wait(PATIENCE)
    _end(bench)


_trials.Bench.end = _end_later  # type: ignore[method-assign]
