"""This system's own sendmsg and recvmsg in the place of Winsock's calls with several buffers.

The table of calls has functions for them that only `ws2_32` can serve. What must never be put here: an answer that
this system does not give.
"""

from __future__ import annotations

import contextlib
import socket as stdlib
from collections.abc import Iterator
from typing import Any


def _send_vector(sock: Any, buffers: list[memoryview], flags: int) -> int:
    return int(stdlib.socket.sendmsg(sock, buffers, [], flags))


def _send_message(sock: Any, buffers: list[memoryview], beside: bytes, flags: int, address: bytes) -> int:
    from samesock.winsock import control, sockaddr

    target = (sockaddr.decode(address),) if address else ()
    return int(stdlib.socket.sendmsg(sock, buffers, control.decode(beside), flags, *target))


def _receive_vector(sock: Any, buffers: list[memoryview], flags: int) -> Any:
    from samesock.winsock import control

    return control.NOTHING._replace(size=stdlib.socket.recvmsg_into(sock, buffers, 0, flags)[0])


def _receive_message(sock: Any, buffers: list[memoryview], room: int, flags: int) -> Any:
    from samesock.winsock import control

    count, beside, told, sender = stdlib.socket.recvmsg_into(sock, buffers, room, flags)
    lost = bool(told & stdlib.MSG_CTRUNC)
    return control.Received(count, beside, bool(told & stdlib.MSG_TRUNC), lost, sender)


_FUNCTIONS = {
    "send_vector": _send_vector,
    "send_message": _send_message,
    "receive_vector": _receive_vector,
    "receive_message": _receive_message,
}


@contextlib.contextmanager
def given() -> Iterator[None]:
    """While this lasts, the table's calls with several buffers are this system's own."""
    from samesock.winsock.calls import calls

    before = {name: getattr(calls, name) for name in _FUNCTIONS if hasattr(calls, name)}
    try:
        for name in before:
            setattr(calls, name, _FUNCTIONS[name])
        yield
    finally:
        vars(calls).update(before)
