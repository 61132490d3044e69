"""What is compared: a socket that a native end alone addresses, by libc's calls, and the interpreter's own.

Each scenario is played twice, by the interpreter's own AF_UNIX sockets and by native ends; every outcome
(result, or type of exception and errno) must be the same.
"""

from __future__ import annotations

import _socket
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from samesock.unix._native_calls import libc_calls
from samesock.unix.native import NativeEnd

needs_unix = pytest.mark.skipif(
    not hasattr(_socket, "AF_UNIX"),
    reason="unix-stream: the interpreter has no AF_UNIX of its own to compare with",
)


class Native:
    """A socket that is addressed by a native end only, with the standard library's methods."""

    def __init__(self, number: int | None = None, end: NativeEnd | None = None) -> None:
        self.sock = _socket.socket(1, _socket.SOCK_STREAM, 0, fileno=number)
        self.end = NativeEnd(libc_calls()) if end is None else end

    def __enter__(self) -> Native:  # noqa: PYI034  (Self is newer than 3.10)
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def __getattr__(self, name: str) -> Any:
        method = getattr(self.end, name, None)
        if method is None:
            return getattr(self.sock, name)
        return lambda *arguments: method(self.sock, *arguments)

    def listen(self, backlog: int = 128) -> None:
        self.end.listen(self.sock, backlog)

    def accept(self) -> tuple[Native, str | bytes]:
        number, end, name = self.end.accept(self.sock)
        return Native(number, end), name

    def close(self) -> None:
        self.end.close(self.sock)


class Stdlib(socket.socket):
    """The interpreter's own."""

    def __init__(self) -> None:
        super().__init__(1, _socket.SOCK_STREAM)


MAKERS: list[Any] = [Stdlib, Native]


def outcome(call: Callable[[], Any]) -> Any:
    """What a call gives: its result, or the type of its exception and the errno."""
    try:
        result = call()
    except (OSError, TypeError, ValueError, OverflowError) as error:
        return type(error), getattr(error, "errno", None)
    return None if hasattr(result, "fileno") else result


def compare(
    scenario: Callable[[Any], Iterator[Any]], directory: Path, monkeypatch: pytest.MonkeyPatch
) -> list[Any]:
    """Play a scenario by both, each in a directory of its own; the outcomes, which must be the same."""
    both = []
    for maker in MAKERS:
        where = directory / maker.__name__
        where.mkdir()
        monkeypatch.chdir(where)
        both.append(list(scenario(maker)))
    monkeypatch.chdir(directory)
    assert both[0] == both[1]
    return both[1]


Compare = Callable[[Callable[[Any], Iterator[Any]]], list[Any]]
