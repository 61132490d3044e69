"""Connections at a listener before they are clients: waiting for the rest of a hello, or proven and not yet taken.

What must never be put here: the listener, and a judgement of a hello.
"""

from __future__ import annotations

import _socket
import socket as _stdlib
import sys
from typing import NamedTuple

from samesock.backend import system
from samesock.unix.calls import calls
from samesock.unix.hello import Hello

Address = tuple[str, int]

HELLO_SECONDS = 5.0
"""How long a connection may take to say its hello."""
MOST_PARKED = 256


class Client(NamedTuple):
    """A proven connection, not yet given to the program."""

    tcp: _stdlib.socket
    """The program's own, when it takes it."""
    address: Address
    hello: Hello


class Parked:
    """A connection whose hello is not whole."""

    # Defaults stay with the class: one is made for every connection, and few live on.
    got: bytes = b""
    impatient: bool = False
    """Whether reading it has been made to wait for nothing."""

    def __init__(self, tcp: _stdlib.socket, address: Address, now: float) -> None:
        self.tcp: _stdlib.socket = tcp
        self.address: Address = address
        self.since: float = now

    @property
    def deadline(self) -> float:
        """When it has had its time."""
        return self.since + HELLO_SECONDS


def most_parked() -> int:
    """No more than a quarter of the descriptors that this process may have."""
    if sys.platform == "win32":
        return MOST_PARKED
    import resource

    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return MOST_PARKED if soft == resource.RLIM_INFINITY else max(1, min(MOST_PARKED, soft // 4))


def reset(tcp: _socket.socket) -> None:
    """Close with a reset, so that the peer does not take silence for a conversation that ended well."""
    try:
        system.reset_on_close(tcp)
    except OSError:
        pass  # already reset by the peer: Winsock refuses options of such a socket
    calls.close(tcp)


def set_mode(tcp: _socket.socket, timeout: float | None) -> None:
    """Make an accepted socket block, or not."""
    try:
        calls.settimeout(tcp, timeout)
    except OSError:
        pass  # reset by its peer already, says Winsock; so will the next call
