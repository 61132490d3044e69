"""The replaceable table of what this package asks of the system.

The entries that start as `_socket.socket`'s own functions are C's methods, which on POSIX are the kernel's; what C's
methods do not do on Windows is reached by functions of `samesock.ffi`, and by libc's of the same meaning elsewhere.
Code of this package calls `calls.recv(sock, ...)` and never `sock.recv(...)`. What must never be put here: a decision.
"""

from __future__ import annotations

import _socket
import importlib
import os
import select
from collections.abc import Callable
from typing import Any

from samesock._borrowed import Borrowed


class Calls:
    """The functions, as attributes that a test may set."""

    def __init__(self) -> None:  # noqa: PLR0915  (a line for each function)
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
        self.setblocking: Callable[..., None] = base.setblocking
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
        is_winsock = hasattr(base, "share")
        # What C's methods do once their select() has said ready.
        self.recv_now: Callable[..., bytes] = _later("recv", "recv", "direct") if is_winsock else base.recv
        self.recv_into_now: Callable[..., int] = (
            _later("recv_into", "recv_into", "direct") if is_winsock else base.recv_into
        )
        self.recvfrom_into_now: Callable[..., tuple[int, Any]] = (
            _later("recvfrom_into", "recvfrom_into", "direct") if is_winsock else base.recvfrom_into
        )
        self.accept_now: Callable[..., tuple[int, Any]] = (
            _later("accept", "accept", "direct") if is_winsock else self.accept
        )
        self.send_now: Callable[..., int] = _later("send", "send", "direct") if is_winsock else _send_rest
        self.select: Callable[..., Any] = select.select
        self.getaddrinfo: Callable[..., Any] = _socket.getaddrinfo
        self.getservbyname: Callable[..., Any] = _socket.getservbyname
        self.close_number: Callable[..., None] = _socket.close
        self.dup_number: Callable[..., int] = _socket.dup
        self.twin = _twin
        self.sharers_of_port = _sharers_of_port
        self.get_handle_inheritable: Any = getattr(os, "get_handle_inheritable", os.get_inheritable)
        self.protocol_of = protocol_of
        # POSIX's kernels keep the state of a connect by themselves, and are to know that it was told.
        self.tell_connected: Callable[..., Any] = _nothing if is_winsock else base.connect_ex
        # The other kernels do these four by themselves.
        self.refuse_quickly: Callable[[int], None] = _refuse_quickly if is_winsock else _nothing
        self.report_unreachable: Callable[..., None] = _report_unreachable if is_winsock else _nothing
        self.ignore_expired: Callable[[int], None] = _ignore_expired if is_winsock else _nothing
        self.is_aborted: Callable[[Any], bool] = _is_aborted if is_winsock else _never
        self.disconnect: Callable[..., None] = disconnect_winsock if is_winsock else _disconnect


def _nothing(*_: Any) -> None:
    """For what a kernel needs no asking for."""


def _never(sock: Any) -> bool:  # noqa: ARG001
    return False


def _is_aborted(sock: Any) -> bool:
    """Whether a stream's connection has ended by a reset, or in some other way than by its peer's word."""
    from samesock.backend import _windows_wait
    from samesock.ffi import afd

    try:
        return _windows_wait.wait_for(_socket.socket.fileno(sock), afd.AFD_POLL_ABORT, 0.0)
    except _windows_wait.Refused:
        return False


def _refuse_quickly(number: int) -> None:
    from samesock.backend import _windows_ioctls

    _windows_ioctls.refuse_quickly(number)


def _report_unreachable(number: int, on: bool = False) -> None:
    from samesock.backend import _windows_ioctls

    _windows_ioctls.report_unreachable(number, on)


def _ignore_expired(number: int) -> None:
    from samesock.backend import _windows_ioctls

    _windows_ioctls.ignore_expired(number)


def _send_rest(sock: Any, data: Any, flags: int = 0, start: int = 0) -> int:
    return _socket.socket.send(sock, memoryview(data).cast("B")[start:], flags)


def _twin(sock: Any) -> _socket.socket:
    """A second object for the same socket, which never waits; detach it, never close it."""
    base = _socket.socket
    twin = Borrowed(
        base.family.__get__(sock), base.type.__get__(sock), base.proto.__get__(sock), fileno=base.fileno(sock)
    )
    twin.settimeout(0)
    return twin


def _disconnect(sock: Any) -> None:
    """POSIX's connect to AF_UNSPEC."""
    from samesock.ffi import libc

    libc.disconnect(_socket.socket.fileno(sock))


def disconnect_winsock(sock: Any) -> None:
    """Winsock's connect to an address of zeros.

    MSDN has the socket's own family in it, which Wine takes for the loopback's address and connects to (seen on Wine
    10). With family 0 Wine disconnects; a system that refuses that leaves the socket as it was, and is asked as MSDN
    has it.
    """
    from samesock.ffi.ws2_32 import SOCKET_ERROR, ws2_32

    family = _socket.socket.family.__get__(sock)
    zeros = bytes(28 if family == _socket.AF_INET6 else 16)
    number = _socket.socket.fileno(sock)
    if ws2_32.connect(number, zeros, len(zeros)) == SOCKET_ERROR:
        ws2_32.connect(number, family.to_bytes(2, "little") + zeros[2:], len(zeros))


def protocol_of(number: int) -> tuple[int, int, int] | None:
    """The family, type and protocol of a socket of Winsock's, bound or not; `None` if the number is no socket."""
    import ctypes

    from samesock.ffi.ws2_32 import SO_PROTOCOL_INFOW, SOCKET_ERROR, SOL_SOCKET, WSAPROTOCOL_INFOW, ws2_32

    info = WSAPROTOCOL_INFOW()
    size = ctypes.c_int(ctypes.sizeof(info))
    if (
        ws2_32.getsockopt(number, SOL_SOCKET, SO_PROTOCOL_INFOW, ctypes.byref(info), ctypes.byref(size))
        == SOCKET_ERROR
    ):
        return None
    return info.iAddressFamily, info.iSocketType, info.iProtocol


def _sharers_of_port(kind: str, port: int) -> list[tuple[int, str]]:
    """The process and the address of every socket of that kind ("tcp" or "udp") with that local port."""
    import psutil

    return [
        (entry.pid or 0, entry.laddr.ip)
        for entry in psutil.net_connections(kind)
        if entry.laddr and entry.laddr.port == port
    ]


def _later(name: str, says: str, module: str = "vectors") -> Any:
    """A function of a module that needs ctypes, imported when it is first called. `says` is its name in errors."""
    function: Any = None

    def call(*arguments: Any) -> Any:
        nonlocal function
        if function is None:
            function = getattr(importlib.import_module(f"samesock.winsock.{module}"), name)
        return function(*arguments)

    call.__name__ = says
    return call


calls: Calls = Calls()
