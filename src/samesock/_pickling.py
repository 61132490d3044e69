"""Sockets through multiprocessing: how a worker gets one that its parent made.

multiprocessing knows `socket.socket` by its exact type, so a subclass must say itself how it travels. What must never
be put here: descriptors passed in any other way.
"""

from __future__ import annotations

import _socket
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from samesock._socket import socket


def _asked_by_multiprocessing() -> bool:
    """Whether multiprocessing's own pickler is asking.

    A pickler does not tell who it is, and a plain `pickle.dumps` must go on to refuse a socket: it would start a
    thread and keep a descriptor open for a reader that never comes. So look at who is calling; ugly, and exact.
    """
    frame = sys._getframe(1)  # noqa: SLF001  (see above)
    left = 4
    while left and frame.f_back is not None:
        frame = frame.f_back
        name = frame.f_globals.get("__name__")
        if name == "multiprocessing.reduction":
            return True
        left -= name != "pickle"  # A pickler written in Python (PyPy's) calls itself for each level.
    return False


def reduce(sock: socket) -> Any:
    """What `__reduce_ex__` returns to multiprocessing; TypeError to any other pickler, as the standard library's."""
    if not _asked_by_multiprocessing():
        raise TypeError(f"cannot pickle {sock.__class__.__name__!r} object")
    from multiprocessing import reduction

    from samesock.unix import ends

    end = ends.get(sock)
    blob = end.export() if end is not None else None
    descriptor: Any
    if sys.platform == "win32":
        descriptor = _shared(sock)
    else:
        descriptor = reduction.DupFd(sock.fileno())
    return rebuild, (descriptor, int(sock.family), int(sock.type), sock.proto, sock.gettimeout(), blob)


def _shared(sock: socket) -> Any:
    from multiprocessing.resource_sharer import DupSocket  # type: ignore[attr-defined,unused-ignore]

    original = _Shareable(sock.fileno())
    try:
        return DupSocket(original)  # type: ignore[arg-type,unused-ignore]
    finally:
        original.tcp.detach()


class _Shareable:
    """What DupSocket needs of a socket: `dup`, and a `share` without our trailer."""

    def __init__(self, number: int) -> None:
        self.tcp = _socket.socket(_socket.AF_INET, _socket.SOCK_STREAM, 0, fileno=number)

    def dup(self) -> _Shareable:
        """A duplicate, which DupSocket closes."""
        return _Shareable(_socket.dup(self.tcp.fileno()))

    def share(self, pid: int) -> bytes:
        """The bytes that let the process `pid` open the socket."""
        return bytes(self.tcp.share(pid))  # type: ignore[attr-defined,unused-ignore]

    def close(self) -> None:
        """Close the duplicate."""
        self.tcp.close()


def rebuild(  # noqa: PLR0917  (what pickle calls has positions only)
    descriptor: Any, family: int, type: int, proto: int, timeout: float | None, blob: bytes | None
) -> socket:
    """The socket again, in the process that it was sent to."""
    from samesock._socket import socket

    if sys.platform == "win32":
        number = descriptor.detach().detach()
    else:
        number = descriptor.detach()
    if blob is None:
        sock = socket(family, type, proto, fileno=number)
    else:
        from samesock.unix.emulated import restored
        from samesock.unix.making import adopted

        sock = adopted(socket, number, restored(number, blob))
    sock.settimeout(timeout)
    return sock
