"""The Winsock backend: files, events, waits and kernel tables under emulated Unix sockets.

The contract is in `samesock.backend`; the work that needs more than a line is in `_windows_files` (the
rendezvous file), `_windows_life` (the event), `_windows_tables` (owners) and `_windows_security` under them.
It can be imported anywhere and loads nothing before its first call. What must never be put here: the protocol
of the emulation, and anything that only POSIX needs.
"""

from __future__ import annotations

import _socket
import select
import struct
import threading
import time
from collections.abc import Iterable

from samesock.backend import NO_UID
from samesock.backend._windows_files import (
    OpenRecord,
    adopt_record,
    create_record,
    open_record,
    private_directory,
)
from samesock.backend._windows_ioctls import refuse_quickly
from samesock.backend._windows_life import Hold, LifeTaken
from samesock.backend._windows_tables import connection_owner, listener_owner, start_time
from samesock.ffi.ws2_32 import SO_EXCLUSIVEADDRUSE, SO_LINGER, SOL_SOCKET

REFUSED_WHEN_FULL = True
HANDSHAKE_IS_SYNCHRONOUS = False

# select() here is not woken by Ctrl+C, and Python acts on it only between two calls. So a wait of the main
# thread, where Ctrl+C is acted on, is made of pieces of this length; 4 wake-ups a second cost nothing that
# was measurable.
_INTERRUPTIBLE_SECONDS = 0.25


def uid() -> int:
    """`NO_UID`: users have no numbers here."""
    return NO_UID


def realm(tcp: _socket.socket) -> bytes:
    """Zeros: all of the machine shares one loopback."""
    return bytes(8)


def socket_cookie(number: int) -> int:
    """0: the kernel has no name for a socket but its handle, which is reused."""
    return 0


def has_socket(pid: int, inode: int) -> bool:
    """False: sockets have no inodes here, and the table names the process itself."""
    return False


def prepare_listener(tcp: _socket.socket) -> None:
    """Take the port for good: else any program that sets SO_REUSEADDR can bind it too, and steal."""
    tcp.setsockopt(SOL_SOCKET, SO_EXCLUSIVEADDRUSE, 1)


def prepare_client(tcp: _socket.socket) -> None:
    """Have a refusal come at once: Windows else repeats a refused SYN for about 2 s, even on loopback."""
    refuse_quickly(tcp.fileno())


def abort_connect(number: int) -> None:
    """Nothing: Winsock cannot give up a connect; the next one on the same socket takes it up again."""


def reset_on_close(tcp: _socket.socket) -> None:
    """Linger for no time: the close discards what is queued and resets the peer."""
    tcp.setsockopt(SOL_SOCKET, SO_LINGER, struct.pack("<HH", 1, 0))  # two u_short; POSIX has two int


def wait(readers: Iterable[int], writers: Iterable[int], timeout: float | None) -> set[int]:
    """select(): a failed connect is told by its third set; a number that is no socket any more is found one
    by one.

    512 numbers of each kind are CPython's limit here, twice what the emulation ever waits for.
    """
    reading, writing = set(readers), set(writers)
    deadline = None if timeout is None else time.monotonic() + max(0.0, timeout)
    in_pieces = threading.current_thread() is threading.main_thread()
    while True:
        left = None if deadline is None else max(0.0, deadline - time.monotonic())
        if in_pieces or not (reading or writing):
            left = _INTERRUPTIBLE_SECONDS if left is None else min(left, _INTERRUPTIBLE_SECONDS)
        ready = _select(reading, writing, left)
        if ready or (deadline is not None and time.monotonic() >= deadline):
            return ready


def _select(reading: set[int], writing: set[int], timeout: float | None) -> set[int]:
    if not reading and not writing:
        time.sleep(timeout or 0.0)  # three empty sets are an error here (10022)
        return set()
    try:
        return set().union(*select.select(reading, writing, writing, timeout))
    except (OSError, ValueError):
        closed = {number for number in reading | writing if not _is_open(number)}
        if not closed:
            raise
        return closed


def _is_open(number: int) -> bool:
    try:
        select.select((number,), (), (), 0)
    except (OSError, ValueError):  # no socket; negative
        return False
    return True


__all__ = [
    "HANDSHAKE_IS_SYNCHRONOUS",
    "NO_UID",
    "REFUSED_WHEN_FULL",
    "Hold",
    "LifeTaken",
    "OpenRecord",
    "abort_connect",
    "adopt_record",
    "connection_owner",
    "create_record",
    "has_socket",
    "listener_owner",
    "open_record",
    "prepare_client",
    "prepare_listener",
    "private_directory",
    "realm",
    "reset_on_close",
    "socket_cookie",
    "start_time",
    "uid",
    "wait",
]
