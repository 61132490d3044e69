"""Sending and receiving, as BSD has them.

What must never be put here: the frame around a call (`blocking`).
"""

from __future__ import annotations


class DataMethods:
    """See the module's head. Each method's promise is the standard library's on POSIX."""

    __slots__ = ()
