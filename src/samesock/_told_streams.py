"""Streams whose one error has been told.

A BSD keeps one error of a connection that has failed, and gives it to the call that asks first. Winsock gives it to
every call for ever, so there it is remembered who was told. What must never be put here: an error's code, and what a
call makes of it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from weakref import WeakKeyDictionary, WeakSet

told: WeakSet[Any] = WeakSet()
"""A socket that connects anew leaves it, with its duplicates."""

_duplicates: WeakKeyDictionary[Any, WeakSet[Any]] = WeakKeyDictionary()
"""The error is the connection's: one that was told to a socket was told to all of dup()'s making."""


def with_duplicates(sock: Any) -> Iterable[Any]:
    """The socket and all of dup()'s making, which are one socket to the system."""
    return _duplicates.get(sock, (sock,))


def tell(sock: Any) -> None:
    """From now on the error has been told."""
    told.update(with_duplicates(sock))


def forget(sock: Any) -> None:
    """It connects anew: no error of the connection that is to come has been told."""
    if told:
        told.difference_update(with_duplicates(sock))


def is_news(sock: Any) -> bool:
    """Whether it is told now for the first time; from now on it has been."""
    if sock in told:
        return False
    tell(sock)
    return True


def share(sock: Any, copy: Any) -> None:
    """`copy` is a duplicate of the socket."""
    group = _duplicates.setdefault(sock, WeakSet((sock,)))
    group.add(copy)
    _duplicates[copy] = group
    if sock in told:
        told.add(copy)
