"""SO_REUSEADDR, exclusive use and IPV6_V6ONLY, as BSD means them, and what a refused bind means.

Winsock's SO_REUSEADDR lets a bind steal the port of a live listener, and a plain bind there may take over a port in
TIME_WAIT: BSD's meaning of either is Winsock's of the other. `docs/decisions/0007` says what is made of it. What a
program asked for is kept beside the socket, weakly; it is not found again on a duplicate. What must never be put here:
the encoding of options.
"""

from __future__ import annotations

import _socket
import contextlib
from typing import Any
from weakref import WeakKeyDictionary

from samesock import _errors
from samesock.winsock.calls import calls
from samesock.winsock.failing import code_of, told

EXCLUSIVE: int | None = getattr(_socket, "SO_EXCLUSIVEADDRUSE", None)
"""The option that keeps a port from being stolen; `None` where no port can be."""

WSAEACCES = 10013

_WILDCARDS = {_socket.AF_INET: ("0.0.0.0", 0), _socket.AF_INET6: ("::", 0, 0, 0)}
_KINDS = {_socket.SOCK_STREAM: "tcp", _socket.SOCK_DGRAM: "udp"}

_reuse: WeakKeyDictionary[Any, bool] = WeakKeyDictionary()
_exclusive: WeakKeyDictionary[Any, bool] = WeakKeyDictionary()


def set_reuse(sock: Any, on: bool) -> None:
    """SO_REUSEADDR: for a stream only remembered, for a datagram socket also Winsock's, which means the same there."""
    if EXCLUSIVE is None or calls.type(sock) != _socket.SOCK_STREAM:
        calls.setsockopt(sock, _socket.SOL_SOCKET, _socket.SO_REUSEADDR, int(on))
    _reuse[sock] = on


def get_reuse(sock: Any) -> bool:
    """SO_REUSEADDR: what was set, else what the system says."""
    known = _reuse.get(sock)
    if known is None:
        return bool(calls.getsockopt(sock, _socket.SOL_SOCKET, _socket.SO_REUSEADDR))
    return known


def set_exclusive(sock: Any, on: bool) -> None:
    """SO_EXCLUSIVEADDRUSE: Winsock's own, and from now on the program's word over this package's."""
    if EXCLUSIVE is None:
        raise _errors.named_error("ENOPROTOOPT", "asking for a port's exclusive use")
    calls.setsockopt(sock, _socket.SOL_SOCKET, EXCLUSIVE, int(on))
    _exclusive[sock] = on


def get_exclusive(sock: Any) -> bool:
    """SO_EXCLUSIVEADDRUSE: what the system says."""
    if EXCLUSIVE is None:
        raise _errors.named_error("ENOPROTOOPT", "asking for a port's exclusive use")
    return bool(calls.getsockopt(sock, _socket.SOL_SOCKET, EXCLUSIVE))


def settle_new(sock: Any) -> None:
    """Give a new socket the defaults of BSD: IPV6_V6ONLY off, and no errors of earlier datagrams."""
    if calls.family(sock) == _socket.AF_INET6:
        # Not of every system: what cannot be turned off stays on, and getsockopt says so.
        with contextlib.suppress(OSError):
            calls.setsockopt(sock, _socket.IPPROTO_IPV6, _socket.IPV6_V6ONLY, 0)
    if calls.type(sock) == _socket.SOCK_DGRAM:
        calls.report_unreachable(calls.fileno(sock), False)
        calls.ignore_expired(calls.fileno(sock))


def before_bind(sock: Any) -> None:
    """Take the port for good, unless reuse was asked for, or the program has settled the matter itself."""
    if EXCLUSIVE is None or sock in _exclusive or calls.type(sock) not in _KINDS:
        return
    if not _reuse.get(sock):
        # It fails where the bind will: on a socket that is closed, or bound already.
        with contextlib.suppress(OSError):
            calls.setsockopt(sock, _socket.SOL_SOCKET, EXCLUSIVE, 1)


def refused(sock: Any, address: Any, error: OSError) -> OSError:
    """The exception for a failed bind: EADDRINUSE for WSAEACCES if another socket has the port, else EACCES."""
    tried = f"binding to {address!r}"
    if code_of(error) == WSAEACCES and _is_taken(sock, address):
        return _errors.named_error("EADDRINUSE", tried, code=WSAEACCES)
    return told(sock, error, tried)


def _is_taken(sock: Any, address: Any) -> bool:
    """Whether the kernel's table has another socket at that address; False where the table cannot be read."""
    kind = _KINDS.get(calls.type(sock))
    if kind is None:
        return False
    host = address[0] or wildcard(sock)[0]
    try:
        holders = calls.sharers_of_port(kind, address[1])
    except Exception:  # noqa: BLE001 -- psutil's errors are its own; the bind's error is the one to raise
        return False
    everywhere = {entry[0] for entry in _WILDCARDS.values()}
    return any(host == held or host in everywhere or held in everywhere for _, held in holders)


def wildcard(sock: Any) -> Any:
    """The address of an unbound socket, as getsockname gives it."""
    return _WILDCARDS[calls.family(sock)]


def has_wildcard(sock: Any) -> bool:
    """Whether this is a family with a wildcard address."""
    return calls.family(sock) in _WILDCARDS
