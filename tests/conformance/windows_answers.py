"""What real Windows answers and Wine does not, put into the table of calls over this system's own sockets.

Each answer is taken from documents, named beside it; no run of ours on Windows has shown it. The calls are made, and
only what Windows would say otherwise is changed. What must never be put here: what samesock makes of the answers.
"""

from __future__ import annotations

import contextlib
import errno
import os
import select
import socket as stdlib
import sys
from collections.abc import Callable, Iterable, Iterator
from typing import Any
from weakref import WeakKeyDictionary

WSAEACCES = 10013
WSAEINVAL = 10022
WSAEMSGSIZE = 10040
WSAEADDRNOTAVAIL = 10049
WSAECONNABORTED = 10053
WSAECONNRESET = 10054
WSAENOTCONN = 10057

_BOOLEANS = {
    (stdlib.SOL_SOCKET, stdlib.SO_KEEPALIVE),
    (stdlib.SOL_SOCKET, stdlib.SO_REUSEADDR),
    (stdlib.SOL_SOCKET, stdlib.SO_BROADCAST),
    (stdlib.IPPROTO_TCP, stdlib.TCP_NODELAY),
    (stdlib.IPPROTO_IPV6, stdlib.IPV6_V6ONLY),
}
"""Options whose value came back as one byte since Windows Vista (Cygwin's `socket_inet.cc`, `socket2`)."""


_DATA = ("recv", "recv_into", "recvfrom", "recvfrom_into")
NAMES = (
    *("getsockname", "getpeername", "bind", "connect", "connect_ex", "getsockopt", "shutdown"),
    *("send", "sendall", *_DATA),
)
"""The calls that are answered."""

_BELOW = {"send": ("send_vector",), "recv": ("receive_vector",), "getpeername": ("is_aborted",)}
"""Entries of the table that have no method's name, by the one they go with."""


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
        self.gone: dict[int, int] = {}
        """Streams whose connection has failed, by the kernel's number of them, which duplicates share: the code that
        each recv and send of them gives from then on."""
        self.refused: dict[int, int] = {}
        """Streams whose connect was refused after its call, likewise: what SO_ERROR has still to tell."""

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

    def is_stream(self, sock: Any) -> bool:
        """Whether it is an open Internet stream."""
        is_open = self.real["fileno"](sock) >= 0
        return is_open and self.is_inet(sock) and self.real["type"](sock) & 0xF == stdlib.SOCK_STREAM

    def known(self, sock: Any) -> int:
        """The kernel's number of a stream."""
        return os.fstat(self.real["fileno"](sock)).st_ino

    def is_aborted(self, sock: Any) -> bool:
        """A reset, told or not: AFD's own word for it, which is looked at and never taken."""
        if self.known(sock) in self.gone:
            return True
        poll = select.poll()
        poll.register(self.real["fileno"](sock), 0)
        return self.is_stream(sock) and any(told & select.POLLERR for _, told in poll.poll(0))

    def getpeername(self, sock: Any) -> Any:
        """The peer has a name as long as the socket is open (seen under Wine)."""
        try:
            return self.real["getpeername"](sock)
        except OSError:
            if self.real["fileno"](sock) >= 0 and self.is_aborted(sock):
                return "127.0.0.1", 9
            raise

    def shutdown(self, sock: Any, how: int) -> None:
        """Nothing is said of a connection that was reset (seen under Wine)."""
        try:
            self.real["shutdown"](sock, how)
        except OSError:
            if self.real["fileno"](sock) < 0 or not self.is_aborted(sock):
                raise

    def streaming(self, name: str) -> Callable[..., Any]:
        """A call that moves a stream's data: WSAECONNRESET after a reset, WSAECONNABORTED where this host has ended
        it, WSAENOTCONN where it never was connected, and that every time (the documentation of recv and send)."""
        real = self.real[name]

        def move(sock: Any, *arguments: Any) -> Any:
            if not self.is_stream(sock):
                return real(sock, *arguments)
            known = self.known(sock)
            if known in self.gone:
                raise failure(self.gone[known])
            if known in self.refused:
                raise failure(WSAENOTCONN)
            try:
                return real(sock, *arguments)
            except OSError as error:
                if error.errno == errno.ECONNREFUSED:
                    self.refused[known] = error.errno
                    raise failure(WSAENOTCONN) from None
                if error.errno == errno.ECONNRESET:
                    self.gone[known] = WSAECONNRESET
                elif error.errno == errno.EPIPE and self.is_unconnected(sock) and self.was_connected(sock):
                    self.gone[known] = WSAECONNABORTED
                else:
                    raise
                raise failure(self.gone[known]) from None

        move.__name__ = getattr(real, "__name__", name)
        return move

    def was_connected(self, sock: Any) -> bool:
        """Whether a stream without a peer has had one: its end is at hand."""
        try:
            return self.real["recv"](sock, 1, stdlib.MSG_PEEK | stdlib.MSG_DONTWAIT) == b""
        except OSError:
            return False

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
        self.begins_anew(sock)
        self.real["connect"](sock, address)

    def connect_ex(self, sock: Any, address: Any) -> int:
        """The same, as a number."""
        if self.is_inet(sock) and address[0] in ("", "0.0.0.0", "::"):
            return WSAEADDRNOTAVAIL
        self.begins_anew(sock)
        return int(self.real["connect_ex"](sock, address))

    def begins_anew(self, sock: Any) -> None:
        """A stream that was refused connects again."""
        if self.is_stream(sock):
            self.refused.pop(self.known(sock), None)

    def getsockopt(self, sock: Any, level: int, option: int, *length: int) -> Any:
        """A BOOL is one byte, however much room there was; SO_ERROR tells of no reset (seen under Wine)."""
        if (level, option) == (stdlib.SOL_SOCKET, stdlib.SO_ERROR) and self.is_stream(sock):
            if self.known(sock) in self.gone:
                return bytes(4) if length else 0
            number = self.refused.get(self.known(sock), 0) or self.real["getsockopt"](sock, level, option)
            if number == errno.ECONNREFUSED:
                self.refused[self.known(sock)] = 0
            if number == errno.ECONNRESET:
                self.gone[self.known(sock)], number = WSAECONNRESET, 0
            return number.to_bytes(4, sys.byteorder) if length else number
        value = self.real["getsockopt"](sock, level, option, *length)
        return value[:1] if length and (level, option) in _BOOLEANS else value

    def is_unconnected(self, sock: Any) -> bool:
        """Whether a socket has no peer."""
        try:
            self.real["getpeername"](sock)
        except OSError:
            return True
        return False

    def of(self, name: str) -> Callable[..., Any]:
        """What answers for that entry of the table."""
        if name in _DATA:
            return self.receiving(name)
        if name in ("send", "sendall"):
            return self.streaming(name)
        return getattr(self, name)  # type: ignore[no-any-return]

    def receiving(self, name: str) -> Callable[..., Any]:
        """One of the four: an ICMP error of the past, once, and an error for a datagram that does not fit.

        The buffer is filled all the same (the documentation of recv, recvfrom and SIO_UDP_CONNRESET).
        """
        into = name.endswith("_into")
        real = self.streaming(name)

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
            for below in _BELOW.get(name, ()):
                if below in answers.real:
                    made = answers.is_aborted if below == "is_aborted" else answers.streaming(below)
                    setattr(calls, below, made)
            setattr(calls, name, answers.of(name))
        yield
    finally:
        vars(calls).update(answers.real)
