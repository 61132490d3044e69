"""Probes of messages: several buffers, what is told of one that was cut short, and what travels beside it.

What must never be put here: what a plain `send` and `recv` do.
"""

from __future__ import annotations

import contextlib
import os
import socket as _stdlib
import sys
from collections.abc import Iterator
from typing import Any, cast

import samesock
from samesock import _socket
from samesock._probes import SECONDS, Support, pipe, raise_shortage


def method_word(sock: object, name: str) -> Support:
    """Whose the method is: the interpreter's own, ours, nobody's."""
    if getattr(_stdlib.socket, name, None) is not None:
        return "native"
    return "absent" if getattr(sock, name, None) is None else "emulated"


@contextlib.contextmanager
def _datagrams(family: int, host: str) -> Iterator[tuple[Any, Any]]:
    """Two UDP sockets, the first connected to the second; `Any`, since not every system's have every method."""
    with _socket.socket(family, _stdlib.SOCK_DGRAM) as one, _socket.socket(family, _stdlib.SOCK_DGRAM) as two:
        one.settimeout(SECONDS)
        two.settimeout(SECONDS)
        two.bind((host, 0))
        one.connect(two.getsockname())
        yield one, two


def sendmsg() -> Support:
    """Two buffers in one datagram."""
    with _datagrams(_stdlib.AF_INET, "127.0.0.1") as (one, two):
        word = method_word(one, "sendmsg")
        if word != "absent":
            one.sendmsg([b"a", b"b"])
            word = word if two.recv(9) == b"ab" else "absent"
        return word


def recvmsg() -> Support:
    """A datagram that is longer than the buffer."""
    with _datagrams(_stdlib.AF_INET, "127.0.0.1") as (one, two):
        word = method_word(two, "recvmsg")
        if word != "absent":
            one.send(b"abc")
            data, _, flags, _ = two.recvmsg(2)
            word = word if data == b"ab" and flags & _stdlib.MSG_TRUNC else "absent"
        return word


CONTROL_MESSAGES = (
    ("AF_INET6", "::1", "IPPROTO_IPV6", "IPV6_RECVHOPLIMIT", "IPV6_HOPLIMIT"),
    ("AF_INET", "127.0.0.1", "IPPROTO_IP", "IP_RECVTOS", "IP_TOS"),
)
"""What may travel beside a datagram: family, host, level, the option that asks for it, the message's type."""
CONTROL_VALUE = 0x28


def ancillary() -> Support:
    """The hop limit of an IPv6 datagram, or the type of service of an IPv4 one, sent and received beside it."""
    for family, host, *names in CONTROL_MESSAGES:
        level, option, kind = (getattr(samesock, name, None) for name in names)
        if None in (level, option, kind):
            continue
        try:
            with _datagrams(getattr(_stdlib, family), host) as (one, two):
                word = method_word(one, "sendmsg")
                if word == "absent" or not hasattr(two, "recvmsg"):
                    return "absent"
                two.setsockopt(level, option, 1)
                one.sendmsg([b"?"], [(level, kind, CONTROL_VALUE.to_bytes(4, sys.byteorder))])
                _, controls, _, _ = two.recvmsg(9, 64)
        except OSError as error:
            raise_shortage(error)
            continue
        if control_value(controls, level) == CONTROL_VALUE:
            return word
    return "absent"


def control_value(controls: list[tuple[int, int, bytes]], level: int | None) -> int | None:
    """The number in the control message of that level, `None` without one: a byte here, an int there."""
    return next((int.from_bytes(data, sys.byteorder) for at, _, data in controls if at == level), None)


def passing() -> Support:
    """A pipe's reading end through a pair of Unix sockets; a byte comes out of what arrived."""
    send, receive = (getattr(samesock, name, None) for name in ("send_fds", "recv_fds"))
    if send is None or receive is None:
        return "absent"
    with contextlib.ExitStack() as stack:
        one, other = map(stack.enter_context, _socket.socketpair())
        other.settimeout(SECONDS)
        reader, writer = pipe(stack)
        send(one, [b"?"], [reader])
        _, got, _, _ = receive(other, 1, 1)
        for number in got:
            stack.callback(os.close, number)
        os.write(writer, b"!")
        if len(got) != 1 or os.read(got[0], 1) != b"!":
            return "absent"
        return cast(Support, one.transport)
