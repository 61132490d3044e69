"""The POSIX backend: what emulated Unix sockets need of the system.

The contract is in `samesock.backend`; the file and its life are in `_posix_files`, kernel tables in `_sock_diag`.
What must never be put here: the protocol of the emulation, and anything that only Windows needs.
"""

from __future__ import annotations

import _socket
import errno
import functools
import hashlib
import os
import select
import stat
import struct
import sys
import time
from collections.abc import Callable, Iterable

from samesock.backend import NO_UID, Owner

if sys.platform == "win32":
    raise ImportError(
        "samesock.backend.posix needs POSIX; on Windows the backend is samesock.backend.winsock"
    )
assert sys.platform != "win32"  # for type checkers, before the import of what one for Windows finds empty

from samesock.backend import _posix_passing as passing  # noqa: E402
from samesock.backend._posix_files import (  # noqa: E402
    Hold,
    OpenRecord,
    adopt_record,
    create_record,
    open_record,
)

if sys.platform == "linux":
    from samesock.backend import _sock_diag as _table
else:
    from samesock.backend import _no_table as _table

REFUSED_WHEN_FULL = False
NAMED_EARLY = False

_yield: Callable[[], object] = getattr(os, "sched_yield", functools.partial(time.sleep, 0))
_SO_NETNS_COOKIE = 71 if sys.platform == "linux" else -1


def uid() -> int:
    """The effective user's number."""
    return os.geteuid()


@functools.lru_cache(maxsize=8)
def _realm_of(namespace: bytes) -> bytes:
    try:
        with open("/proc/sys/kernel/random/boot_id", "rb") as file:
            boot = file.read()
    except OSError:
        return bytes(8)
    return hashlib.sha256(boot + namespace).digest()[:8]


def realm(tcp: _socket.socket) -> bytes:
    """8 bytes that name this boot of this machine and the socket's network namespace; zeros where neither is told.

    The namespace's own cookie (SO_NETNS_COOKIE, Linux 5.14) costs 0.5 us; the link in /proc, for older kernels, 4 us.
    """
    try:
        namespace = tcp.getsockopt(_socket.SOL_SOCKET, _SO_NETNS_COOKIE, 8)
    except OSError:
        try:
            namespace = os.readlink(b"/proc/self/ns/net")
        except OSError:
            return bytes(8)
    return _realm_of(namespace)


def start_time(pid: int) -> int | None:
    """When the process started, in clock ticks since boot; `None` if it is gone or the system does not say."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            # The command in parentheses may hold anything, so count from the last one: field 22 is the 20th after it.
            return int(file.read().rpartition(b")")[2].split()[19])
    except (OSError, IndexError, ValueError):
        return None


def socket_cookie(number: int) -> int:
    """The kernel's never reused number of a socket (SO_COOKIE), 0 where it has none."""
    return _table.cookie(number)


def prepare_listener(tcp: _socket.socket) -> None:
    """Nothing: without SO_REUSEADDR and SO_REUSEPORT a bound port is exclusive here."""


def prepare_client(tcp: _socket.socket) -> None:
    """Nothing: a refusal on loopback comes at once here."""


def refuse_overlapped(number: int) -> None:
    """Nothing: there are no completion ports."""


def abort_connect(number: int) -> None:
    """Disconnect: connect(2) to AF_UNSPEC, which Python's own connect cannot express."""
    from samesock.ffi import libc

    libc.disconnect(number)


def reset_on_close(tcp: _socket.socket) -> None:
    """Linger for no time: the close discards what is queued and resets the peer."""
    tcp.setsockopt(_socket.SOL_SOCKET, _socket.SO_LINGER, struct.pack("ii", 1, 0))


def unread(number: int) -> int:
    """FIONREAD."""
    import fcntl
    import termios

    try:
        answered: bytes = fcntl.ioctl(number, termios.FIONREAD, bytes(4))
    except OSError:
        return 0
    return int.from_bytes(answered, sys.byteorder)


def wait(readers: Iterable[int], writers: Iterable[int], timeout: float | None) -> set[int]:
    """poll(2): hang-ups, errors and numbers that are not open count as ready."""
    poller = select.poll()
    for number in readers:
        poller.register(number, select.POLLIN)
    for number in writers:
        poller.register(number, select.POLLOUT)
    return {number for number, _ in poller.poll(None if timeout is None else max(0.0, timeout) * 1000)}


def wait_for(number: int, writing: bool, timeout: float | None) -> bool:
    """The same for one."""
    poller = select.poll()
    poller.register(number, select.POLLOUT if writing else select.POLLIN)
    return bool(poller.poll(None if timeout is None else max(0.0, timeout) * 1000))


def give_way() -> None:
    """sched_yield(2), or a sleep of no time where Python has no name for it."""
    _yield()


def has_connection(number: int) -> bool:
    """poll(2): a reset and an end in both directions are hang-ups, which take no error away; the peer's end alone is
    none on the systems that have a table of connections."""
    poller = select.poll()
    poller.register(number, 0)
    return not poller.poll(0)


listener_owner: Callable[[int], Owner | None] = _table.listener_owner
connection_owner: Callable[[tuple[str, int], tuple[str, int]], Owner | None] = _table.connection_owner
has_socket: Callable[[int, int], bool] = _table.has_socket
datagram_owner: Callable[[tuple[str, int]], Owner | None] = _table.datagram_owner


def private_directory() -> str:
    """`$XDG_RUNTIME_DIR/samesock`, else a directory of this user's in the system's own /tmp; mode 0700, verified.

    `TMPDIR` is not asked: it is often too long for a socket's path, and that is what this directory is for.
    Raises `PermissionError` naming the directory if it belongs to somebody else or is open to others.
    """
    base = os.environ.get("XDG_RUNTIME_DIR", "")
    if base and os.path.isdir(base) and len(os.fsencode(base)) <= 48:
        directory = os.path.join(base, "samesock")
    else:
        directory = f"/tmp/samesock-{os.geteuid()}"
    try:
        os.mkdir(directory, 0o700)
    except FileExistsError:
        pass
    status = os.lstat(directory)
    if (
        not stat.S_ISDIR(status.st_mode)
        or status.st_uid != os.geteuid()
        or stat.S_IMODE(status.st_mode) & 0o077
    ):
        raise PermissionError(
            errno.EPERM,
            f"not a directory of user {os.geteuid()} alone (mode 0700); remove it or set XDG_RUNTIME_DIR",
            directory,
        )
    return directory


__all__ = [
    "NAMED_EARLY",
    "NO_UID",
    "REFUSED_WHEN_FULL",
    "Hold",
    "OpenRecord",
    "abort_connect",
    "adopt_record",
    "connection_owner",
    "create_record",
    "datagram_owner",
    "give_way",
    "has_connection",
    "has_socket",
    "listener_owner",
    "open_record",
    "passing",
    "prepare_client",
    "prepare_listener",
    "private_directory",
    "realm",
    "refuse_overlapped",
    "reset_on_close",
    "socket_cookie",
    "start_time",
    "uid",
    "unread",
    "wait",
    "wait_for",
]
