"""Undoing a datagram socket's connect, which C's methods cannot express.

What must never be put here: how either kind of system is told.
"""

from __future__ import annotations

import _socket
import errno

from samesock import _errors
from samesock.winsock import connecting
from samesock.winsock.calls import calls


def disconnect(sock: _socket.socket) -> None:
    """Take the peer from a datagram socket; whether it is gone is asked of the system."""
    tried = "disconnecting"
    if calls.fileno(sock) < 0:
        raise _errors.named_error("EBADF", tried)
    if calls.type(sock) != _socket.SOCK_DGRAM:
        raise _errors.named_error("EOPNOTSUPP", f"{tried} what is not a datagram socket")
    try:
        connecting.disconnect(sock)
    except OSError as error:
        # macOS does what it was asked for, and then says that it knows no such family.
        if error.errno != errno.EAFNOSUPPORT or _has_peer(sock):
            raise _errors.retold(error, tried) from None
    if _has_peer(sock):
        raise _errors.named_error("EOPNOTSUPP", f"{tried}: the system keeps the peer")


def _has_peer(sock: _socket.socket) -> bool:
    try:
        calls.getpeername(sock)
    except OSError:
        return False
    return True
