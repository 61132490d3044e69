"""The frame around every call of Winsock that may block or fail.

`call` makes the call, gives its errors POSIX's errno, and is where Ctrl+C and `close(wake=True)` end a call that
blocks. What must never be put here: what any one method does.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from samesock import _errors


def call(function: Callable[..., Any], sock: Any, *arguments: Any) -> Any:
    """`function(sock, *arguments)`; an `OSError` with a Winsock code leaves it with POSIX's errno."""
    try:
        return function(sock, *arguments)
    except OSError as error:
        code = getattr(error, "winerror", None)
        if not code:
            raise
        raise _errors.error(code, f"{function.__name__}()") from None
