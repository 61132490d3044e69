"""The replaceable table of what this package asks of the system.

The entries that start as `_socket.socket`'s own functions are C's methods, which on POSIX are the kernel's; what C's
methods do not do on Windows is reached by functions of `samesock.ffi`, and by libc's of the same meaning elsewhere.
Code of this package calls `calls.recv(sock, ...)` and never `sock.recv(...)`. What must never be put here: a decision.
"""

from __future__ import annotations

import _socket
from collections.abc import Callable
from typing import Any


class Calls:
    """The functions, as attributes that a test may set."""

    def __init__(self) -> None:
        base = _socket.socket
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
        self.sendall: Callable[..., None] = base.sendall
        self.sendto: Callable[..., int] = base.sendto
        self.recv: Callable[..., bytes] = base.recv
        self.recv_into: Callable[..., int] = base.recv_into
        self.recvfrom: Callable[..., tuple[bytes, Any]] = base.recvfrom
        self.recvfrom_into: Callable[..., tuple[int, Any]] = base.recvfrom_into
        self.shutdown: Callable[..., None] = base.shutdown
        self.fileno: Callable[..., int] = base.fileno
        self.close: Callable[..., None] = base.close
        self.ioctl: Any = getattr(base, "ioctl", None)
        self.sendmsg: Any = getattr(base, "sendmsg", None)
        self.recvmsg: Any = getattr(base, "recvmsg", None)
        self.family: Callable[..., int] = base.family.__get__
        self.type: Callable[..., int] = base.type.__get__
        self.proto: Callable[..., int] = base.proto.__get__
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


calls: Calls = Calls()
