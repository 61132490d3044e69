"""`peercred`: who is at the other end of a Unix socket, by what each system says of it.

What must never be put here: the emulation's own tables (that is `credentials`).
"""

from __future__ import annotations

import _socket
import struct
import sys
from typing import Any

from samesock._errors import named_error
from samesock._peer_option import SO_PEERCRED, linux_peer
from samesock.unix import AF_UNIX, PeerCred, ends

__all__ = ["SO_PEERCRED", "PeerCred", "peercred"]

# <sys/un.h> of macOS and FreeBSD; Python names none of these.
_SOL_LOCAL = 0
_LOCAL_PEERCRED = 1
_LOCAL_PEERPID = 2
_XUCRED_MACOS = struct.Struct("=IIh2x16I")  # cr_version, cr_uid, cr_ngroups, cr_groups
_XUCRED_FREEBSD = struct.Struct("=IIh2x16I4xi4x")  # the same, then a union with cr_pid (13.0 and later)


def peercred(sock: Any) -> PeerCred:
    """Who is at the other end of the connected Unix socket `sock`: `(pid, uid, gid, sid, trust)`.

    What is not known is `None`, never a guess. `trust` is `kernel` (the kernel says so of this socket), `table` (the
    kernel's table of connections names the owner) or `claimed` (the peer says so, and has proven that it may read
    the socket's file). The kernel's answer names whoever called `connect` or `listen`, also after a descriptor was
    handed on; on Windows its number is `None` once that process has gone, since it may be another's. Raises
    `OSError(EOPNOTSUPP)` for a socket of another family, `ENOTCONN` without a peer. `sock` may be
    what asyncio's `get_extra_info("socket")` gives.

    Portability:
        Linux, macOS, FreeBSD: native. Windows: native with the system's AF_UNIX, else emulated.

    References: Linux unix(7) `SO_PEERCRED`; FreeBSD unix(4) `LOCAL_PEERCRED`; Winsock `SIO_AF_UNIX_GETPEERPID`.
    """
    if not isinstance(sock, _socket.socket):
        sock = getattr(sock, "_sock", sock)  # What asyncio's `get_extra_info("socket")` gives wraps one.
    if not hasattr(sock, "getpeername"):
        raise TypeError(f"peercred() needs a socket, not {type(sock).__name__}: {sock!r}")
    end = ends.get(sock)
    if end is not None:
        end.getpeername(sock)
        return end.peercred(sock)
    if sock.family != AF_UNIX:
        raise named_error("EOPNOTSUPP", "peercred() of a socket that is not AF_UNIX")
    sock.getpeername()
    if SO_PEERCRED is not None:
        return _linux(sock)
    if sys.platform == "darwin":
        return _macos(sock)
    if sys.platform.startswith("freebsd"):
        return _freebsd(sock)
    raise named_error("EOPNOTSUPP", "peercred() on this system")


def _linux(sock: Any) -> PeerCred:
    pid, uid, gid = linux_peer(sock)
    return PeerCred(pid or None, None if uid == -1 else uid, None if gid == -1 else gid, None, "kernel")


def _macos(sock: Any) -> PeerCred:
    pid = sock.getsockopt(_SOL_LOCAL, _LOCAL_PEERPID)
    uid, gid = _xucred(_XUCRED_MACOS, sock.getsockopt(_SOL_LOCAL, _LOCAL_PEERCRED, _XUCRED_MACOS.size))[:2]
    return PeerCred(pid or None, uid, gid, None, "kernel")


def _freebsd(sock: Any) -> PeerCred:
    uid, gid, pid = _xucred(
        _XUCRED_FREEBSD, sock.getsockopt(_SOL_LOCAL, _LOCAL_PEERCRED, _XUCRED_FREEBSD.size)
    )
    return PeerCred(pid or None, uid, gid, None, "kernel")


def _xucred(layout: struct.Struct, data: bytes) -> tuple[int | None, int | None, int | None]:
    """uid, gid and pid in a `struct xucred`; `None` for a version that is not the one known."""
    if len(data) < _XUCRED_MACOS.size:
        return None, None, None
    fields = layout.unpack(data.ljust(layout.size, b"\0"))
    if fields[0] != 0:
        return None, None, None
    gid = fields[3] if fields[2] > 0 else None
    pid = fields[19] if len(fields) > 19 else None
    return fields[1], gid, pid
