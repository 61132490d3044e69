"""setsockopt and getsockopt, with POSIX's encodings.

What must never be put here: the frame around a call (`blocking`).
"""

from __future__ import annotations


class OptionMethods:
    """See the module's head. Each method's promise is the standard library's on POSIX."""

    __slots__ = ()
