"""What real Windows answers and Wine does not, put into the table of calls over this system's own sockets.

Each answer is taken from documents, named beside it; no run of ours on Windows has shown it. The calls are made, and
only what Windows would say otherwise is changed. What must never be put here: what samesock makes of the answers.
"""

from __future__ import annotations

import contextlib
import errno
import socket as stdlib
from collections.abc import Callable, Iterable, Iterator
from typing import Any
from weakref import WeakKeyDictionary

WSAEACCES = 10013
WSAEINVAL = 10022
WSAEMSGSIZE = 10040
WSAEADDRNOTAVAIL = 10049
WSAECONNRESET = 10054

_BOOLEANS = {
    (stdlib.SOL_SOCKET, stdlib.SO_KEEPALIVE),
    (stdlib.SOL_SOCKET, stdlib.SO_REUSEADDR),
    (stdlib.SOL_SOCKET, stdlib.SO_BROADCAST),
    (stdlib.IPPROTO_TCP, stdlib.TCP_NODELAY),
    (stdlib.IPPROTO_IPV6, stdlib.IPV6_V6ONLY),
}
"""Options whose value came back as one byte since Windows Vista (Cygwin's `socket_inet.cc`, `socket2`)."""


NAMES = (
    *("getsockname", "bind", "connect", "connect_ex", "getsockopt"),
    *("recv", "recv_into", "recvfrom", "recvfrom_into"),
)
"""The calls that are answered."""


def understood() -> set[str]:
    """Those of them that a method of samesock's stands before: C's own know nothing of Windows' answers here."""
    from samesock import winsock

    return {name for cls in winsock.method_classes() for name in vars(cls)}.intersection(NAMES)


def failure(code: int) -> OSError:
    """An error as C's methods raise it on Windows."""
    error = OSError(code, f"Winsock's {code}")
    error.winerror = code  # type: ignore[attr-defined,unused-ignore]
    return error


class Answers:
    """The table's functions as they were, and those that stand in for them."""

    def __init__(self, table: Any) -> None:
        self.table = table
        self.real = dict(vars(table))
        self.reset: WeakKeyDictionary[Any, bool] = WeakKeyDictionary()

    def is_inet(self, sock: Any) -> bool:
        """Unix sockets are none of this module's business."""
        return self.real["family"](sock) in (stdlib.AF_INET, stdlib.AF_INET6)

    def is_datagram(self, sock: Any) -> bool:
        """Whether it is an Internet datagram socket."""
        return self.is_inet(sock) and self.real["type"](sock) & 0xF == stdlib.SOCK_DGRAM

    def getsockname(self, sock: Any) -> Any:
        """A socket that has no name yet: WSAEINVAL (the documentation of getsockname)."""
        name = self.real["getsockname"](sock)
        if self.is_inet(sock) and name[1] == 0:
            raise failure(WSAEINVAL)
        return name

    def bind(self, sock: Any, address: Any) -> None:
        """A port whose owner is exclusive: WSAEACCES (the documentation of SO_EXCLUSIVEADDRUSE)."""
        try:
            self.real["bind"](sock, address)
        except OSError as error:
            if self.is_inet(sock) and error.errno == errno.EADDRINUSE:
                raise failure(WSAEACCES) from None
            raise

    def connect(self, sock: Any, address: Any) -> None:
        """To the wildcard address: WSAEADDRNOTAVAIL (the documentation of connect)."""
        if self.is_inet(sock) and address[0] in ("", "0.0.0.0", "::"):
            raise failure(WSAEADDRNOTAVAIL)
        self.real["connect"](sock, address)

    def connect_ex(self, sock: Any, address: Any) -> int:
        """The same, as a number."""
        if self.is_inet(sock) and address[0] in ("", "0.0.0.0", "::"):
            return WSAEADDRNOTAVAIL
        return int(self.real["connect_ex"](sock, address))

    def getsockopt(self, sock: Any, level: int, option: int, *length: int) -> Any:
        """A BOOL is one byte, however much room there was."""
        value = self.real["getsockopt"](sock, level, option, *length)
        return value[:1] if length and (level, option) in _BOOLEANS else value

    def is_unconnected(self, sock: Any) -> bool:
        """Whether a datagram socket has no peer."""
        try:
            self.real["getpeername"](sock)
        except OSError:
            return True
        return False

    def receiving(self, name: str) -> Callable[..., Any]:
        """One of the four: an ICMP error of the past, once, and an error for a datagram that does not fit.

        The buffer is filled all the same (the documentation of recv, recvfrom and SIO_UDP_CONNRESET).
        """
        into = name.endswith("_into")
        real = self.real[name]

        def receive(sock: Any, what: Any, *rest: Any) -> Any:
            if self.real["fileno"](sock) < 0 or not self.is_datagram(sock):
                return real(sock, what, *rest)
            if self.is_unconnected(sock) and sock not in self.reset:
                self.reset[sock] = True
                raise failure(WSAECONNRESET)
            view = memoryview(what).cast("B") if into else memoryview(bytearray(what))
            size, flags = ((*rest, 0, 0) if into else (len(view), *rest, 0))[:2]
            room = size or len(view)
            whole = bytearray(65_536)
            count, address = self.real["recvfrom_into"](sock, whole, len(whole), flags)
            view[: min(count, room)] = whole[: min(count, room)]
            if count > room:
                raise failure(WSAEMSGSIZE)
            data = count if into else bytes(view[:count])
            return (data, address) if name.startswith("recvfrom") else data

        return receive


@contextlib.contextmanager
def given(names: Iterable[str] | None = None) -> Iterator[None]:
    """While this lasts, the table answers as Windows does: to the calls named, or to all that are understood."""
    from samesock.winsock.calls import calls

    answers = Answers(calls)
    try:
        for name in understood() if names is None else names:
            made = answers.receiving(name) if name.startswith("recv") else getattr(answers, name)
            setattr(calls, name, made)
        yield
    finally:
        vars(calls).update(answers.real)
