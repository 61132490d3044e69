"""Unix domain sockets where the kernel's are partial or absent.

This package gives an AF_UNIX socket an *end*: the object that knows its path, its peer and how its descriptor is
reached. There are two makers: `native` (Winsock's own AF_UNIX) and `emulated` (TCP on 127.0.0.1 and a file). This
module states what an end must do and keeps the ends beside their sockets; the choice is in `choosing`. What must
never be put here: anything that knows how either kind works.

A socket object has no room of its own (`socket.socket` has `__slots__`), so the ends live in a weak dictionary. A
number that is adopted (`socket(fileno=n)`, `fromfd`) is found again by the addresses that the kernel gives for it,
never by the number alone: numbers are reused.
"""

from __future__ import annotations

import _socket
from typing import Protocol
from weakref import WeakKeyDictionary

Name = str | bytes
"""A socket's name as Python gives it: `str` for a path or no name, `bytes` for an abstract one."""


class End(Protocol):
    """One Unix socket's state beside its descriptor. `sock` is always the Python socket that it belongs to.

    Every method raises `OSError` with a POSIX errno and, where a path is concerned, with `filename` set. Modes are
    read from the socket: `_socket.socket.gettimeout(sock)` is `None` (block), `0.0` (do not) or seconds.
    """

    transport: str
    """`native` or `emulated`."""

    def bind(self, sock: _socket.socket, address: object) -> None:
        """Give the socket its name, as bind(2): the file is made, an existing one is `EADDRINUSE`."""

    def listen(self, sock: _socket.socket, backlog: int) -> None:
        """Queue up to `backlog` connections; `EINVAL` without a name."""

    def accept(self, sock: _socket.socket) -> tuple[int, End, Name]:
        """Take one connection: its number (not inheritable, in the blocking mode that a new socket has by
        default), its end, the peer's name."""

    def connect(self, sock: _socket.socket, address: object) -> None:
        """Connect, with all of it done when the call returns; a full queue is `EAGAIN` to a non-blocking socket."""

    def getsockname(self, sock: _socket.socket) -> Name: ...

    def getpeername(self, sock: _socket.socket) -> Name: ...

    def setsockopt(self, sock: _socket.socket, level: int, option: int, *value: object) -> None: ...

    def getsockopt(self, sock: _socket.socket, level: int, option: int, *length: int) -> int | bytes: ...

    def copy(self, number: int) -> End:
        """The end for a duplicate of the socket, numbered `number`."""

    def close(self) -> None:
        """Give up what the end holds beside the descriptor; called just before the descriptor is closed."""


ends: WeakKeyDictionary[_socket.socket, End] = WeakKeyDictionary()
"""The end of every live AF_UNIX socket that is not simply the kernel's."""
