"""The record of one open descriptor, and what it is made of: data without behaviour.

Every provider fills the same records, and everything a user sees (tables, JSON, differences) is made from
them alone. A field that could not be read is `None` and named in `partial` with the reason, so that a short
answer never looks like a complete one. What must never be put here: calls to any system, and anything that
knows one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from samesock.fdtable.words import Identity, Key, Kind, Space

Address = str | tuple[int | str, ...]
"""As Python's sockets give it: (host, port) for IP, a path for AF_UNIX ("" unnamed, a first "\\0" abstract),
a tuple of numbers for the rest. An IPv6 host with a scope is written host%scope."""

Access = Literal["r", "w", "rw", "path"]
"""What the descriptor may do; "path" is Linux's O_PATH, which may neither read nor write."""

Transport = Literal["native", "emulated"]


@dataclass(frozen=True, slots=True)
class Peer:
    """The other end of a socket, pipe or terminal, as far as it was found.

    `pending`: the connection still waits in the queue of the listener that `number` names; nobody has
    accepted it.
    """

    number: int | None = None
    pid: int | None = None
    space: Space = "fd"
    pending: bool = False


@dataclass(frozen=True, slots=True)
class SocketInfo:
    """What the kernel says of a socket, in the names of the `socket` module.

    `state` is TCP's own ("LISTEN", "ESTABLISHED", ...); for other kinds "LISTEN", "ESTABLISHED" when there is
    a peer, and "UNCONNECTED". `backlog` is the limit that `listen` set, `queued` how many connections wait to
    be accepted, `in_flight` how many descriptors lie in its queue as SCM_RIGHTS.
    """

    family: str | None = None
    type: str | None = None
    protocol: str | None = None
    local: Address | None = None
    remote: Address | None = None
    state: str | None = None
    listening: bool | None = None
    backlog: int | None = None
    queued: int | None = None
    in_flight: int | None = None
    transport: Transport = "native"


@dataclass(frozen=True, slots=True)
class Owner:
    """The Python object that holds the descriptor: its type's name and its `repr`, shortened."""

    type: str
    text: str


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame of the stack that opened a descriptor; `text` is the source line, "" when it is not to be
    had.
    """

    file: str
    line: int
    function: str
    text: str = ""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a descriptor was opened, innermost frame first; known only when somebody traced it."""

    frames: tuple[Frame, ...]


@dataclass(frozen=True, slots=True)
class OpenDescriptor:
    """One open descriptor of one process.

    `number` is what the process calls it, in the space `space`; -1 when a source lists the object without its
    number (psutil does for Windows). `path` is without Linux's " (deleted)", which `deleted` stands for.
    `detail` is one line about what no other field holds: an eventfd's count, what an epoll watches, which end
    of a pipe it is.
    """

    number: int
    space: Space
    kind: Kind
    identity: Identity
    pid: int
    inheritable: bool | None = None
    access: Access | None = None
    path: str | None = None
    deleted: bool = False
    detail: str = ""
    socket: SocketInfo | None = None
    peer: Peer | None = None
    owner: Owner | None = None
    origin: Origin | None = None
    source: tuple[str, ...] = ()
    partial: tuple[str, ...] = ()

    @property
    def key(self) -> Key:
        """What `keys()` calls it."""
        return (self.space, self.number)
