"""A socket of this process, asked by its number: what `getsockopt`, `getsockname` and `getpeername` say.

A look must change nothing. The Python object is made around the number and taken off again (`detach`), never
around a duplicate, which would keep the connection open a moment longer. It is made with SOCK_NONBLOCK in its
type, because without it the constructor sets O_NONBLOCK on the *descriptor* whenever
`socket.setdefaulttimeout` is in force. What must never be put here: other processes' sockets.
"""

from __future__ import annotations

import _socket
import os
import socket
import struct
import sys
from typing import cast

from samesock._peer_option import SO_PEERCRED, linux_peer
from samesock.fdtable import netnames
from samesock.fdtable.drafting import socket_info
from samesock.fdtable.model import Address, SocketInfo

_FAMILIES = (
    netnames.LINUX_FAMILIES
    if sys.platform == "linux"
    else netnames.DARWIN_FAMILIES
    if sys.platform == "darwin"
    else netnames.BSD_FAMILIES
)
_TCP_STATES = netnames.LINUX_TCP_STATES if sys.platform == "linux" else netnames.BSD_TCP_STATES

_NO_TIMEOUT: int = getattr(socket, "SOCK_NONBLOCK", 0)
_LOOK = socket.SOCK_STREAM | _NO_TIMEOUT
_TCP_INFO: int | None = getattr(socket, "TCP_INFO", None)
_SO_DOMAIN: int | None = getattr(socket, "SO_DOMAIN", None)
_SO_ACCEPTCONN: int | None = getattr(socket, "SO_ACCEPTCONN", None)
_WITH_STATE = frozenset(("AF_UNIX", "AF_INET", "AF_INET6", "AF_VSOCK"))


def plain_address(family: str, address: object) -> Address | None:
    """An address as the table keeps it, from what Python's socket gives."""
    if isinstance(address, tuple):
        if family == "AF_INET":
            return address
        if family == "AF_INET6" and len(address) >= 2:
            host, port = str(address[0]), int(address[1])
            if len(address) > 3 and address[3] and "%" not in host:
                host = f"{host}%{address[3]}"
            return (host, port)
        return tuple(part if isinstance(part, (int, str)) else _text(part) for part in address)
    if isinstance(address, bytes):
        return os.fsdecode(address)
    return address if isinstance(address, str) else None


def _text(part: object) -> str:
    return part.hex() if isinstance(part, bytes) else repr(part)


def _adopt(number: int) -> tuple[_socket.socket, int]:
    """A socket object on `number`, to be detached, and its family; `OSError` (ENOTSOCK, EBADF) if it is
    none.
    """
    if not _NO_TIMEOUT and socket.getdefaulttimeout() is not None:
        raise OSError("a default timeout is set, and this system has no way to look without applying it")
    try:
        sock = _socket.socket(-1, _LOOK, -1, number)
    except OSError:
        # AF_ALG and a few others have no getsockname: naming a family keeps the constructor from needing it.
        sock = _socket.socket(socket.AF_INET, _LOOK, -1, number)
        return sock, 0 if _SO_DOMAIN is None else sock.getsockopt(socket.SOL_SOCKET, _SO_DOMAIN)
    return sock, sock.family


def ask(number: int) -> tuple[SocketInfo, tuple[str, ...]]:
    """The facts of the socket `number`, and what could not be read; raises `OSError` for what is no
    socket.
    """
    sock, domain = _adopt(number)
    try:
        family = _FAMILIES.get(domain) or netnames.family_name(_FAMILIES, domain)
        if _TCP_INFO is not None and sock.proto == socket.IPPROTO_TCP and family in ("AF_INET", "AF_INET6"):
            return _ask_tcp(sock, family), ()
        return _ask(sock, family)
    finally:
        sock.detach()


def _remote(sock: _socket.socket, family: str) -> Address | None:
    try:
        return plain_address(family, sock.getpeername())
    except OSError:
        return None  # ENOTCONN, EOPNOTSUPP: there is none


def _ask_tcp(sock: _socket.socket, family: str) -> SocketInfo:
    """A TCP socket in three calls: of 10,000 descriptors half are these, and the common way makes seven."""
    about = sock.getsockopt(socket.IPPROTO_TCP, cast(int, _TCP_INFO), 32)
    state = _TCP_STATES.get(about[0])
    listening = state == "LISTEN"
    backlog, queued = None, None
    if listening and sys.platform == "linux":
        # linux/tcp.h: a listener's tcpi_unacked and tcpi_sacked are its queue's length and limit.
        queued, backlog = struct.unpack_from("=II", about, 24)
    local = plain_address(family, sock.getsockname())
    remote = None if listening else _remote(sock, family)
    return socket_info(family, "SOCK_STREAM", "TCP", local, remote, state, listening, backlog, queued)


def _ask(sock: _socket.socket, family: str) -> tuple[SocketInfo, tuple[str, ...]]:
    partial: tuple[str, ...] = ()
    kind = netnames.type_name(sock.getsockopt(socket.SOL_SOCKET, socket.SO_TYPE))
    protocol = netnames.protocol_name(family, sock.proto)
    try:
        local = plain_address(family, sock.getsockname())
    except OSError as failure:
        local, partial = None, (f"local: {failure.strerror}",)
    if family == "AF_PACKET" and isinstance(local, tuple):
        # SO_PROTOCOL is 0 here; packet type and hardware address, which follow, are not the socket's own.
        local = local[:2]
        protocol = netnames.protocol_name(family, int(local[1]))
    elif kind == "SOCK_RAW" and isinstance(local, tuple) and family in ("AF_INET", "AF_INET6"):
        local = (local[0], 0)  # Linux gives the protocol's number where the port would be
    if family not in _WITH_STATE:
        # A netlink socket always "has" the kernel as its peer.
        return SocketInfo(family, kind, protocol, local, None, None, False), partial
    remote = _remote(sock, family)
    accepting = _SO_ACCEPTCONN is not None and sock.getsockopt(socket.SOL_SOCKET, _SO_ACCEPTCONN) != 0
    state = "LISTEN" if accepting else "UNCONNECTED" if remote is None else "ESTABLISHED"
    return SocketInfo(family, kind, protocol, local, remote, state, accepting), partial


def peer_pid(number: int) -> int | None:
    """The process that made the other end of an AF_UNIX connection, as of that moment; `None` if not told."""
    if SO_PEERCRED is None or sys.platform != "linux":
        return None
    try:
        sock, _ = _adopt(number)
    except OSError:
        return None
    try:
        pid = linux_peer(sock)[0]
        return pid if pid > 0 else None
    except OSError:
        return None
    finally:
        sock.detach()
