"""Sockets with the methods of `winsock.messages`, on any system, and how two classes' answers are compared.

`Ours` is where the methods can run: on Windows by Winsock itself, on Linux by libc in Winsock's place, where they are
compared with the kernel's own. What must never be put here: expectations.
"""

from __future__ import annotations

import contextlib
import socket as stdlib
from typing import Any

import pytest

import samesock
from samesock.unix import choosing
from samesock.winsock import messages, names

SECONDS = 30.0
KERNEL = hasattr(stdlib.socket, "recvmsg")
"""Whether the interpreter's own methods are there to compare with."""

RECEIVED_V4 = ("IP_PKTINFO", "IP_RECVTTL", "IP_RECVTOS")
RECEIVED_V6 = ("IPV6_RECVPKTINFO", "IPV6_RECVHOPLIMIT", "IPV6_RECVTCLASS")

against_kernel = pytest.mark.skipif(
    not KERNEL, reason="absent here: the interpreter's own recvmsg, to compare with"
)


if choosing.over_winsock():
    Ours: Any = samesock.socket
else:

    class Ours(messages.MessageMethods, stdlib.socket):  # type: ignore[no-redef]
        """A plain socket with the methods under test."""

        __slots__ = ()


def datagrams(stack: contextlib.ExitStack, cls: Any = None, family: int = stdlib.AF_INET) -> tuple[Any, Any]:
    """A bound receiver and a sender, of the class."""
    cls = cls or Ours
    receiver, sender = (stack.enter_context(cls(family, stdlib.SOCK_DGRAM)) for _ in range(2))
    receiver.bind(("127.0.0.1" if family == stdlib.AF_INET else "::1", 0))
    receiver.settimeout(SECONDS)
    sender.settimeout(SECONDS)
    return receiver, sender


def streams(stack: contextlib.ExitStack, cls: Any = None) -> tuple[Any, Any]:
    """Two connected TCP sockets of the class."""
    cls = cls or Ours
    listener = stack.enter_context(stdlib.create_server(("127.0.0.1", 0)))
    one = stack.enter_context(cls(stdlib.AF_INET, stdlib.SOCK_STREAM))
    one.connect(listener.getsockname())
    accepted, _ = listener.accept()
    other = stack.enter_context(cls(stdlib.AF_INET, stdlib.SOCK_STREAM, 0, accepted.detach()))
    one.settimeout(SECONDS)
    other.settimeout(SECONDS)
    return one, other


def raised(function: Any, *arguments: Any) -> Any:
    """The class of what is raised, and its errno; what is returned, if nothing is."""
    try:
        return function(*arguments)
    except (OSError, TypeError, ValueError, BufferError, OverflowError) as error:
        return type(error), getattr(error, "errno", None)


def asked(sock: Any, level: int, options: tuple[str, ...]) -> None:
    """Have the socket told of these."""
    for option in options:
        sock.setsockopt(level, names.number(option), 1)
