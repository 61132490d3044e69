"""A socket of this process, asked by its number: what `getsockopt`, `getsockname` and `getpeername` say.

A look must change nothing. The Python object is made around the number and taken off again (`detach`), never around
a duplicate, which would keep the connection open a moment longer. It is made with SOCK_NONBLOCK in its type, because
without it the constructor sets O_NONBLOCK on the *descriptor* whenever `socket.setdefaulttimeout` is in force. What
must never be put here: other processes' sockets.
"""

from __future__ import annotations

import _socket
import os
import socket
import struct
import sys

from samesock.fdtable import netnames
from samesock.fdtable.model import Address, SocketInfo

_FAMILIES = (
    netnames.LINUX_FAMILIES
    if sys.platform == "linux"
    else netnames.DARWIN_FAMILIES
    if sys.platform == "darwin"
    else netnames.BSD_FAMILIES
)
_TCP_STATES = netnames.LINUX_TCP_STATES if sys.platform == "linux" else netnames.BSD_TCP_STATES

_NO_TIMEOUT = getattr(socket, "SOCK_NONBLOCK", 0)
_TCP_INFO: int | None = getattr(socket, "TCP_INFO", None)
_SO_DOMAIN: int | None = getattr(socket, "SO_DOMAIN", None)
_SO_PROTOCOL: int | None = getattr(socket, "SO_PROTOCOL", None)
_SO_ACCEPTCONN: int | None = getattr(socket, "SO_ACCEPTCONN", None)
_WITH_STATE = frozenset(("AF_UNIX", "AF_INET", "AF_INET6", "AF_VSOCK"))
_PEERCRED: int | None = getattr(socket, "SO_PEERCRED", None)


def plain_address(family: str, address: object) -> Address | None:
    """An address as the table keeps it, from what Python's socket gives."""
    if isinstance(address, bytes):
        return os.fsdecode(address)
    if isinstance(address, str):
        return address
    if not isinstance(address, tuple):
        return None
    if family == "AF_INET6" and len(address) >= 2:
        host, port = str(address[0]), int(address[1])
        if len(address) > 3 and address[3] and "%" not in host:
            host = f"{host}%{address[3]}"
        return (host, port)
    return tuple(part if isinstance(part, (int, str)) else _text(part) for part in address)


def _text(part: object) -> str:
    return part.hex() if isinstance(part, bytes) else repr(part)


def _adopt(number: int) -> _socket.socket:
    """A socket object on `number`, to be detached; `OSError` (ENOTSOCK, EBADF) for what is no socket."""
    if not _NO_TIMEOUT and socket.getdefaulttimeout() is not None:
        raise OSError("a default timeout is set, and this system has no way to look without applying it")
    kind = socket.SOCK_STREAM | _NO_TIMEOUT
    try:
        return _socket.socket(-1, kind, -1, number)
    except OSError:
        # AF_ALG and a few others have no getsockname: naming the family keeps the constructor from needing it.
        return _socket.socket(socket.AF_INET, kind, 0, number)


def ask(number: int) -> tuple[SocketInfo, tuple[str, ...]]:
    """The facts of the socket `number`, and what could not be read; raises `OSError` for what is no socket."""
    sock = _adopt(number)
    try:
        return _ask(sock)
    finally:
        sock.detach()


def _ask(sock: _socket.socket) -> tuple[SocketInfo, tuple[str, ...]]:
    partial: tuple[str, ...] = ()
    option = sock.getsockopt
    domain = option(socket.SOL_SOCKET, _SO_DOMAIN) if _SO_DOMAIN is not None else int(sock.family)
    family = _FAMILIES.get(domain) or netnames.family_name(_FAMILIES, domain)
    kind = netnames.type_name(option(socket.SOL_SOCKET, socket.SO_TYPE))
    number = option(socket.SOL_SOCKET, _SO_PROTOCOL) if _SO_PROTOCOL is not None else int(sock.proto)
    protocol = netnames.protocol_name(family, number)
    try:
        local = plain_address(family, sock.getsockname())
    except OSError as failure:
        local, partial = None, (f"local: {failure.strerror}",)
    try:
        remote = plain_address(family, sock.getpeername())
    except OSError:
        remote = None  # ENOTCONN, EOPNOTSUPP: there is none
    listening = bool(option(socket.SOL_SOCKET, _SO_ACCEPTCONN)) if _SO_ACCEPTCONN is not None else None
    state, backlog, queued = None, None, None
    if protocol == "TCP" and _TCP_INFO is not None:
        about = option(socket.IPPROTO_TCP, _TCP_INFO, 32)
        state = _TCP_STATES.get(about[0])
        if listening and sys.platform == "linux":
            # linux/tcp.h: a listener's tcpi_unacked and tcpi_sacked are its queue's length and limit.
            queued, backlog = struct.unpack_from("=II", about, 24)
    elif family in _WITH_STATE:
        state = "LISTEN" if listening else "UNCONNECTED" if remote is None else "ESTABLISHED"
    if family not in _WITH_STATE:
        remote = None  # a netlink socket always "has" the kernel as its peer
    return SocketInfo(family, kind, protocol, local, remote, state, listening, backlog, queued), partial


def peer_pid(number: int) -> int | None:
    """The process that made the other end of an AF_UNIX connection, as of that moment; `None` if not told."""
    if _PEERCRED is None or sys.platform != "linux":
        return None
    try:
        sock = _adopt(number)
    except OSError:
        return None
    try:
        pid = int(struct.unpack("=iII", sock.getsockopt(socket.SOL_SOCKET, _PEERCRED, 12))[0])
        return pid if pid > 0 else None
    except OSError:
        return None
    finally:
        sock.detach()
