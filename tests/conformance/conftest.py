"""What BSD promises, checked against every implementation that this process can make.

A check takes `net`: a module with the names of `socket`. It is `samesock` as it is here (native, or emulated where the
machine or SAMESOCK_UNIX says so) and, where the interpreter itself has AF_UNIX, the standard library's, which shows
that the check states what the kernel does. A check's docstring is the promise. What is one area's belongs in its file.
"""

from __future__ import annotations

import contextlib
import socket as stdlib
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

import samesock

IMPLEMENTATIONS: dict[str, ModuleType] = {"samesock": samesock}
if hasattr(stdlib, "AF_UNIX"):
    IMPLEMENTATIONS["stdlib"] = stdlib


@pytest.fixture(params=sorted(IMPLEMENTATIONS))
def net(request: pytest.FixtureRequest) -> ModuleType:
    """One implementation."""
    return IMPLEMENTATIONS[request.param]


class Unix:
    """Unix sockets of one implementation, closed at the end of the test."""

    def __init__(self, net: ModuleType, folder: Path) -> None:
        self.net = net
        self.folder = folder
        self.stack = contextlib.ExitStack()

    def path(self, name: str = "s") -> str:
        """A path for a socket of this test."""
        return str(self.folder / name)

    def socket(self, kind: int | None = None) -> Any:
        """A new Unix socket: a stream, unless another kind is asked for."""
        wanted = self.net.SOCK_STREAM if kind is None else kind
        return self.stack.enter_context(self.net.socket(self.net.AF_UNIX, wanted))

    def listener(self, name: str = "s", backlog: int = 16) -> Any:
        """A listening socket at `path(name)`."""
        sock = self.socket()
        sock.bind(self.path(name))
        sock.listen(backlog)
        return sock

    def client(self, name: str = "s") -> Any:
        """A socket connected to `path(name)`."""
        sock = self.socket()
        sock.connect(self.path(name))
        return sock

    def accept(self, listener: Any) -> tuple[Any, Any]:
        """accept(), with the new socket closed at the end."""
        sock, name = listener.accept()
        return self.stack.enter_context(sock), name

    def pair(self, kind: int) -> tuple[Any, Any]:
        """socketpair() of that kind."""
        one, other = self.net.socketpair(self.net.AF_UNIX, kind)
        return self.stack.enter_context(one), self.stack.enter_context(other)

    def connection(self) -> SimpleNamespace:
        """A listener, a client and the socket accepted for it."""
        listener = self.listener()
        client = self.client()
        server, _ = self.accept(listener)
        return SimpleNamespace(listener=listener, client=client, server=server)


@pytest.fixture
def unix(net: ModuleType, socket_dir: Path) -> Iterator[Unix]:
    """Unix sockets of the implementation, in a folder of their own."""
    made = Unix(net, socket_dir)
    with made.stack:
        yield made
