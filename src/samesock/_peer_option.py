"""SO_PEERCRED, as Linux and its like answer it: a process, a user and a group in three ints.

For `unix.peers` and for the descriptor table, which know nothing of each other. What must never be put here: other
systems' answers, and what follows from one.
"""

from __future__ import annotations

import _socket
import struct
import sys

SO_PEERCRED: int | None = getattr(
    _socket, "SO_PEERCRED", 17 if sys.platform == "linux" else None
)  # PyPy has no name for it.

_UCRED = struct.Struct("=iii")


def linux_peer(sock: _socket.socket) -> tuple[int, int, int]:
    """pid, uid and gid of who made the other end; 0 and -1 for what this process's namespaces cannot name."""
    assert SO_PEERCRED is not None
    pid, uid, gid = _UCRED.unpack(sock.getsockopt(_socket.SOL_SOCKET, SO_PEERCRED, _UCRED.size))
    return pid, uid, gid
