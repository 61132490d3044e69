"""The replaceable table of what the emulation does with a socket.

Its entries are `_socket.socket`'s own functions, so that a test can count them, fail them or script them. Code of
this package calls `calls.recv(sock, ...)` and never `sock.recv(...)`: the method of a subclass, or of a patched
`socket.socket`, would lead back here.
"""

from __future__ import annotations

import _socket
from typing import Any


class Calls:
    """The functions, as attributes that a test may set."""

    def __init__(self) -> None:
        base = _socket.socket
        self.create = base
        self.init = base.__init__
        self.bind = base.bind
        self.listen = base.listen
        self.accept = base._accept  # type: ignore[attr-defined]  # noqa: SLF001  (C's accept has no public name)
        self.connect = base.connect
        self.connect_ex = base.connect_ex
        self.getsockname = base.getsockname
        self.getpeername = base.getpeername
        self.getsockopt = base.getsockopt
        self.setsockopt = base.setsockopt
        self.gettimeout = base.gettimeout
        self.settimeout = base.settimeout
        self.send = base.send
        self.recv = base.recv
        self.recvfrom = base.recvfrom
        self.recvfrom_into = base.recvfrom_into
        self.recv_into = base.recv_into
        self.sendto = base.sendto
        self.shutdown = base.shutdown
        self.fileno = base.fileno
        self.detach = base.detach
        self.close = base.close
        self.sendmsg: Any = getattr(base, "sendmsg", None)
        self.recvmsg: Any = getattr(base, "recvmsg", None)
        self.recvmsg_into: Any = getattr(base, "recvmsg_into", None)
        self.share: Any = getattr(base, "share", None)
        self.family = base.family.__get__
        self.type = base.type.__get__
        self.proto = base.proto.__get__


calls = Calls()


def twin(number: int) -> _socket.socket:
    """A second Python object for the TCP socket `number`, speaking AF_INET; detach it, never close it.

    It exists because the user's own object is AF_UNIX, and C encodes addresses by an object's family.
    """
    return calls.create(_socket.AF_INET, _socket.SOCK_STREAM, 0, fileno=number)
