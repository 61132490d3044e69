"""The replaceable table of what the emulation does with a socket.

Its entries are `_socket.socket`'s own functions, so that a test can count them, fail them or script them. Code of
this package calls `calls.recv(sock, ...)` and never `sock.recv(...)`: the method of a subclass, or of a patched
`socket.socket`, would lead back here.
"""

from __future__ import annotations

import _socket
import socket as _stdlib
from collections.abc import Callable
from typing import Any

from samesock._borrowed import Borrowed
from samesock.unix import AF_UNIX

_Socket = _stdlib.socket
_init = _stdlib.socket.__init__  # install() puts another one in its place


class Calls:
    """The functions, as attributes that a test may set."""

    def __init__(self) -> None:
        base = _socket.socket
        self.create: type[_socket.socket] = base
        self.borrow: type[Borrowed] = Borrowed
        self.init: Callable[..., None] = base.__init__
        self.bind: Callable[..., None] = base.bind
        self.listen: Callable[..., None] = base.listen
        self.accept: Callable[..., tuple[int, Any]] = base._accept  # type: ignore[attr-defined]  # noqa: SLF001  (C's accept has no public name)
        self.connect: Callable[..., None] = base.connect
        self.connect_ex: Callable[..., int] = base.connect_ex
        self.getsockname: Callable[..., Any] = base.getsockname
        self.getpeername: Callable[..., Any] = base.getpeername
        self.getsockopt: Callable[..., Any] = base.getsockopt
        self.setsockopt: Callable[..., None] = base.setsockopt
        self.gettimeout: Callable[..., float | None] = base.gettimeout
        self.settimeout: Callable[..., None] = base.settimeout
        self.send: Callable[..., int] = base.send
        self.send_waiting: Callable[..., int] = base.send
        """For a send that may wait without end: `samesock.winsock` puts its own here, which Ctrl+C ends."""
        self.recv: Callable[..., bytes] = base.recv
        self.recvfrom: Callable[..., tuple[bytes, Any]] = base.recvfrom
        self.recvfrom_into: Callable[..., tuple[int, Any]] = base.recvfrom_into
        self.recv_into: Callable[..., int] = base.recv_into
        self.sendto: Callable[..., int] = base.sendto
        self.shutdown: Callable[..., None] = base.shutdown
        self.fileno: Callable[..., int] = base.fileno
        self.detach: Callable[..., int] = base.detach
        self.close: Callable[..., None] = base.close
        self.sendmsg: Any = getattr(base, "sendmsg", None)
        self.recvmsg: Any = getattr(base, "recvmsg", None)
        self.recvmsg_into: Any = getattr(base, "recvmsg_into", None)
        self.share: Any = getattr(base, "share", None)
        self.family: Callable[..., int] = base.family.__get__
        self.type: Callable[..., int] = base.type.__get__
        self.proto: Callable[..., int] = base.proto.__get__


calls: Calls = Calls()


def twin(number: int) -> _socket.socket:
    """A second Python object for the TCP socket `number`, speaking AF_INET; detach it, never close it.

    It exists because the user's own object is AF_UNIX, and C encodes addresses by an object's family.
    """
    return calls.borrow(_socket.AF_INET, _socket.SOCK_STREAM, 0, fileno=number)


def accepted(number: int, kind: int) -> _stdlib.socket:
    """The socket, of AF_UNIX, for the TCP connection that was accepted as `number`: the one that the program gets.

    It is made before the connection is proven, since a second object would cost another call of the system.
    """
    sock = _Socket.__new__(_Socket)
    _init(sock, AF_UNIX, kind, 0, fileno=number)
    return sock
