"""A socket class with Winsock's methods, on any system: samesock's own on Windows, elsewhere one over libc's calls."""

from __future__ import annotations

import contextlib
import socket as stdlib
from collections.abc import Iterator
from typing import Any

import samesock
from samesock import winsock
from samesock.unix import choosing, dispatch, making
from samesock.winsock import connecting

if choosing.over_winsock():
    Socket: Any = samesock.socket
else:
    Socket = type(
        "Socket",
        (*winsock.method_classes(), *dispatch.method_classes(), stdlib.socket),
        {"__slots__": (), "disconnect": samesock.socket.disconnect},
    )

LOCAL = ("127.0.0.1", 0)


def until_settled(sock: Any) -> None:
    """Wait for the end of a connect under way."""
    assert connecting.settled(sock, 10)


class Made:
    """Sockets of one test, closed at its end."""

    def __init__(self) -> None:
        self.stack = contextlib.ExitStack()

    def socket(self, *arguments: Any) -> Any:
        """A new one."""
        return self.stack.enter_context(Socket(*arguments))

    def stream(self) -> Any:
        """A new TCP socket, unbound."""
        return self.socket()

    def datagram(self) -> Any:
        """A UDP socket bound to loopback; nothing waits longer than 10 s on it."""
        sock = self.socket(stdlib.AF_INET, stdlib.SOCK_DGRAM)
        sock.bind(LOCAL)
        sock.settimeout(10)
        return sock

    def listener(self) -> Any:
        """A listening TCP socket."""
        sock = self.stream()
        sock.bind(LOCAL)
        sock.listen()
        return sock

    def pair(self) -> tuple[Any, Any]:
        """Both ends of a TCP connection."""
        listener, client = self.listener(), self.stream()
        client.connect(listener.getsockname())
        server, _ = listener.accept()
        return client, self.stack.enter_context(server)

    def closed(self) -> Any:
        """A socket that has been closed."""
        sock = self.stream()
        sock.close()
        return sock


@contextlib.contextmanager
def made_sockets(monkeypatch: Any) -> Iterator[Made]:
    """The maker, with accept() giving the same class."""
    monkeypatch.setattr(making, "plain_classes", [Socket, *making.plain_classes])
    made = Made()
    with made.stack:
        yield made
