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
import socket as _stdlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol
from weakref import ref

if TYPE_CHECKING:
    from samesock.unix.passing import Passage

AF_UNIX = int(getattr(_socket, "AF_UNIX", 1))
"""1 everywhere; `samesock.AF_UNIX` is its enum member."""

Name = str | bytes
"""A socket's name as Python gives it: `str` for a path or no name, `bytes` for an abstract one."""


class PeerCred(NamedTuple):
    """Who is at the other end of a Unix socket. What is not known is `None`."""

    pid: int | None
    """The process."""
    uid: int | None
    """Its effective user, on POSIX."""
    gid: int | None
    """Its effective group, on POSIX."""
    sid: str | None
    """Its user's security identifier, on Windows: "S-1-5-21-..."."""
    trust: Literal["kernel", "table", "claimed"]
    """`kernel`: the kernel says so of this socket. `table`: the kernel's table of connections names the owner.
    `claimed`: the peer says so, and has proven that it may read the socket's file."""


class End(Protocol):
    """One Unix socket's state beside its descriptor. `sock` is always the Python socket that it belongs to.

    Every method raises `OSError` with a POSIX errno and, where a path is concerned, with `filename` set. Modes are
    read from the socket: `_socket.socket.gettimeout(sock)` is `None` (block), `0.0` (do not) or seconds.
    """

    transport: str
    """`native` or `emulated`."""

    kind: int
    """`SOCK_STREAM`, or the type of those that keep the boundaries of messages (`unix.messages`)."""

    def bind(self, sock: _socket.socket, address: object) -> None:
        """Give the socket its name, as bind(2): the file is made, an existing one is `EADDRINUSE`."""

    def listen(self, sock: _socket.socket, backlog: int) -> None:
        """Queue up to `backlog` connections; `EINVAL` without a name."""

    def accept(self, sock: _socket.socket) -> tuple[int | _stdlib.socket, End, Name]:
        """Take one connection: its number (not inheritable, in the blocking mode that a new socket has by default) or
        the socket of the standard library's own class that was made for it, its end, the peer's name."""

    def connect(self, sock: _socket.socket, address: object) -> None:
        """Connect, with all of it done when the call returns; a full queue is `EAGAIN` to a non-blocking socket."""

    def shutdown(
        self, sock: _socket.socket, how: int, carry: Callable[[_socket.socket, int], None] | None = None
    ) -> None:
        """End sending, receiving or both. `carry` is to shut the descriptor down, the system's call by default."""

    def getsockname(self, sock: _socket.socket) -> Name: ...

    def getpeername(self, sock: _socket.socket) -> Name: ...

    def setsockopt(self, sock: _socket.socket, level: int, option: int, *value: object) -> None: ...

    def getsockopt(self, sock: _socket.socket, level: int, option: int, *length: int) -> int | bytes: ...

    def copy(self, number: int) -> End:
        """The end for a duplicate of the socket, numbered `number`."""

    def close(self, sock: _socket.socket) -> None:
        """Close the descriptor and give up what the end holds beside it, in the order that matters."""

    def detach(self, sock: _socket.socket) -> int:
        """Let go of the descriptor without closing it; whoever adopts its number finds this end again."""

    def export(self) -> bytes | None:
        """What a process that is given the descriptor needs beside it; `None` if nothing."""

    def hand_on(self) -> None:
        """The descriptor is about to be inherited by a process that will have nothing but its number."""

    def passage(self) -> Passage | None:
        """The state of descriptor passing on this connection, common to its duplicates; `None` where there is no key
        that both ends know, and so no passing."""

    def handed_to(self, process: int) -> None:
        """The descriptor has been made ready for that process, which is to use it from now on."""

    def peercred(self, sock: _socket.socket) -> PeerCred:
        """Who is at the other end, as far as it is known: never a guess."""


class Ends:
    """A weak dictionary from sockets to their ends, with no Python frame where a look-up is inlined.

    Every call of every socket asks it, so `by_reference.get(ref(sock))` is public: 0.15 us, where
    `WeakKeyDictionary.get` takes 0.5. An entry goes with its socket: the reference's callback is the dictionary's own
    `pop`.
    """

    __slots__ = ("by_reference",)

    def __init__(self) -> None:
        self.by_reference: dict[ref[_socket.socket], End] = {}

    def get(self, sock: _socket.socket) -> End | None:
        """The socket's end, `None` for one that is simply the interpreter's."""
        return self.by_reference.get(ref(sock))

    def set(self, sock: _socket.socket, end: End) -> None:
        """Give the socket an end."""
        self.by_reference[ref(sock, self.by_reference.pop)] = end

    def remove(self, sock: _socket.socket) -> None:
        """Take the socket's end away."""
        del self.by_reference[ref(sock)]

    def all(self) -> list[End]:
        """The ends of all live sockets."""
        return list(self.by_reference.values())


ends: Ends = Ends()
"""The end of every live AF_UNIX socket that is not simply the kernel's."""
