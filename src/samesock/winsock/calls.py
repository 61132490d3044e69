"""The replaceable table of what this package asks of the system.

The entries that start as `_socket.socket`'s own functions are C's methods, which on POSIX are the kernel's; what C's
methods do not do on Windows is reached by functions of `samesock.ffi`, and by libc's of the same meaning elsewhere.
Code of this package calls `calls.recv(sock, ...)` and never `sock.recv(...)`. What must never be put here: a decision.
"""

from __future__ import annotations

import _socket
from typing import Any


class Calls:
    """The functions, as attributes that a test may set."""

    def __init__(self) -> None:
        base = _socket.socket
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
        self.sendall = base.sendall
        self.sendto = base.sendto
        self.recv = base.recv
        self.recv_into = base.recv_into
        self.recvfrom = base.recvfrom
        self.recvfrom_into = base.recvfrom_into
        self.shutdown = base.shutdown
        self.fileno = base.fileno
        self.close = base.close
        self.ioctl: Any = getattr(base, "ioctl", None)
        self.sendmsg: Any = getattr(base, "sendmsg", None)
        self.recvmsg: Any = getattr(base, "recvmsg", None)
        self.family = base.family.__get__
        self.type = base.type.__get__
        self.proto = base.proto.__get__
        self.send_vector: Any = _later("send_vector", "sendmsg")
        self.send_message: Any = _later("send_message", "sendmsg")
        self.receive_vector: Any = _later("receive_vector", "recvmsg")
        self.receive_message: Any = _later("receive_message", "recvmsg")
        self.wait: Any = _wait


def _later(name: str, says: str) -> Any:
    """A function of `vectors`, which needs ctypes: imported when it is first called. `says` is its name in errors."""

    def call(*arguments: Any) -> Any:
        from samesock.winsock import vectors

        return getattr(vectors, name)(*arguments)

    call.__name__ = says
    return call


def _wait(sock: Any, writing: bool, seconds: float) -> bool:
    """Whether the socket becomes readable, or writable, in that time."""
    from samesock.backend import system

    number = (sock.fileno(),)
    return bool(system.wait(() if writing else number, number if writing else (), seconds))


calls = Calls()
