"""The interpreter's own C functions that have no Python name.

Declarations only. What is private to CPython may be missing: then the answer says so, and nothing fails.
"""

from __future__ import annotations

import ctypes
from typing import Any

from samesock.ffi import HANDLE


def sigint_event() -> int:
    """The event that CPython sets on Ctrl+C, for as long as the process lives; 0 where there is none.

    `_PyOS_SigintEvent` is exported though private (pylifecycle.h); `time.sleep` and `input` wait on the same event. It
    must be reset by hand.
    """
    api: Any = getattr(ctypes, "pythonapi", None)
    try:
        function = api._PyOS_SigintEvent  # noqa: SLF001
    except AttributeError:
        return 0
    function.restype = HANDLE
    function.argtypes = ()
    return int(function() or 0)
