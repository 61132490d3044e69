"""The POSIX backend: files, locks, waits and kernel tables under emulated Unix sockets.

The contract is in `samesock.backend`. Life is a lock on the rendezvous file: an open-file-description lock on Linux,
flock elsewhere; both die with their last holder, by whatever death. What must never be put here: the protocol of
the emulation, and anything that only Windows needs.
"""

from __future__ import annotations

import _socket
import errno
import fcntl
import functools
import hashlib
import os
import select
import stat
import struct
import sys
from collections.abc import Iterable

from samesock.backend import NO_UID, Owner

assert sys.platform != "win32"

if sys.platform == "linux":
    from samesock.backend import _sock_diag as _table
else:
    from samesock.backend import _no_table as _table

REFUSED_WHEN_FULL = False
HANDSHAKE_IS_SYNCHRONOUS = True

_O_CREATE = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
_O_READ = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_RECORD_SIZE = 256

# Linux's open-file-description locks, include/uapi/asm-generic/fcntl.h; Python names the constants from 3.9 on.
_OFD_SETLK = getattr(fcntl, "F_OFD_SETLK", 37)
_OFD_GETLK = getattr(fcntl, "F_OFD_GETLK", 36)
_LOCK_START = 1 << 40
_LOCK_LENGTH = 1 << 20
# struct flock: type, whence, start, length, pid. Asked whether all of the range could be locked for reading.
_PROBE = struct.pack("hhqqi4x", fcntl.F_RDLCK, os.SEEK_SET, _LOCK_START, _LOCK_LENGTH, 0)
_WRITE_LOCKED = struct.pack("h", fcntl.F_WRLCK)
_SO_NETNS_COOKIE = 71 if sys.platform == "linux" else -1
_HAS_OFD = sys.platform == "linux"


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


# ---- the rendezvous file and the life of its name


def _lock_byte(fd: int, offset: int) -> bool:
    lock = struct.pack("hhqqi4x", fcntl.F_WRLCK, os.SEEK_SET, _LOCK_START + offset, 1, 0)
    try:
        fcntl.fcntl(fd, _OFD_SETLK, lock)
    except OSError as error:
        if error.errno in (errno.EAGAIN, errno.EACCES):
            return False
        raise
    return True


def _take_life(fd: int) -> None:
    """Hold one byte of the range; another process's hold on the same name has taken another one."""
    if not _HAS_OFD:
        fcntl.flock(fd, fcntl.LOCK_SH if _flocked(fd) else fcntl.LOCK_EX)
        return
    offset = 0
    while not _lock_byte(fd, offset):
        offset = int.from_bytes(os.urandom(3), "little") % _LOCK_LENGTH


def _flocked(fd: int) -> bool:
    """Whether somebody else holds the file by flock; takes and gives back a shared lock where nobody does."""
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return True
    fcntl.flock(fd, fcntl.LOCK_UN)
    return False


def _is_held(fd: int) -> bool:
    """Whether anybody holds life: changes nothing, needs no right to write, and is not misled by readers' locks."""
    if not _HAS_OFD:
        try:
            fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            return True
        return False
    return fcntl.fcntl(fd, _OFD_GETLK, _PROBE).startswith(_WRITE_LOCKED)


class Hold:
    """A descriptor of the rendezvous file, numbered above the socket's: Linux closes a dying process's files
    highest first, so the lock is gone 20 to 30 us before the port is free (measured; the other way round, after)."""

    __slots__ = ("_changed", "_fd", "_listening")

    def __init__(self, fd: int, *, listening: bool = False, changed: int | None = None) -> None:
        self._fd = fd
        self._listening = listening
        self._changed = os.fstat(fd).st_ctime_ns if changed is None else changed

    def listen(self) -> None:
        """Take the lock, once."""
        if not self._listening:
            _take_life(self._fd)
            self._listening = True

    def copy(self, above: int) -> Hold:
        """Another descriptor of the same open file: the lock lives as long as any of them."""
        fd = fcntl.fcntl(self._fd, fcntl.F_DUPFD_CLOEXEC, above + 1)
        return Hold(fd, listening=self._listening, changed=self._changed)

    def touched(self) -> bool:
        """Whether mode, owner or links have changed since bind (the file's ctime, which no user can set back)."""
        return os.fstat(self._fd).st_ctime_ns != self._changed

    def admits(self, owner: Owner) -> bool:
        """Whether that user may write to the file as it is now, which is BSD's right to connect."""
        if owner.uid is None:
            return False
        return _may_write(os.fstat(self._fd), owner.uid)

    def close(self) -> None:
        """Close the descriptor. Never an unlock, which would end the life for holders in other processes."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)


def _may_write(status: os.stat_result, user: int) -> bool:
    if user == 0:
        return True
    if user == status.st_uid:
        return bool(status.st_mode & stat.S_IWUSR)
    if status.st_gid in _groups_of(user):
        return bool(status.st_mode & stat.S_IWGRP)
    return bool(status.st_mode & stat.S_IWOTH)


def _groups_of(user: int) -> Iterable[int]:
    """The groups that the user database gives for a user; a process's own list is not to be had from its socket."""
    import pwd

    try:
        entry = pwd.getpwuid(user)
    except KeyError:
        return ()
    return os.getgrouplist(entry.pw_name, entry.pw_gid)


def _above(fd: int, number: int) -> int:
    """The same open file under a descriptor number greater than `number`."""
    if fd > number:
        return fd
    try:
        return fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, number + 1)
    finally:
        os.close(fd)


def create_record(path: bytes, record: bytes, id: bytes, above: int) -> Hold:
    """Create the file and write the record; what exists already is left untouched: `EADDRINUSE`."""
    name = os.fsdecode(path)
    try:
        fd = os.open(name, _O_CREATE, 0o600)
    except FileExistsError:
        raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE), name) from None
    try:
        fd = _above(fd, above)
        os.write(fd, record)
        return Hold(fd)
    except BaseException:
        os.close(fd)
        os.unlink(path)
        raise


def adopt_record(path: bytes, record: bytes, id: bytes, above: int) -> Hold:
    """Hold a name that another process bound: the file at `path` must still be the one with this record."""
    fd = os.open(os.fsdecode(path), os.O_RDWR | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    try:
        if os.pread(fd, _RECORD_SIZE + 1, 0) != record:
            raise OSError(errno.ESTALE, "the socket's file is another one by now", os.fsdecode(path))
        fd = _above(fd, above)
        return Hold(fd)
    except BaseException:
        os.close(fd)
        raise


class OpenRecord:
    """The file as a client sees it."""

    __slots__ = ("_fd", "_status", "data")

    def __init__(self, fd: int, data: bytes, status: os.stat_result) -> None:
        self._fd = fd
        self.data = data
        self._status = status

    def live(self, id: bytes) -> bool:
        """Whether somebody holds the lock. The file is open, so its name may change hands meanwhile: no matter."""
        return _is_held(self._fd)

    def trusted(self) -> bool:
        """Whether the file is this user's and closed to the group's and others' writing."""
        return self._status.st_uid == os.geteuid() and not self._status.st_mode & (
            stat.S_IWGRP | stat.S_IWOTH
        )

    def owned_by(self, owner: Owner) -> bool:
        """Whether that user owns the file. Root may serve at anybody's path."""
        return owner.uid is not None and owner.uid in (self._status.st_uid, 0)

    def owner(self) -> Owner:
        """The file's owner."""
        return Owner(uid=self._status.st_uid)

    def close(self) -> None:
        """Close the file."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)


def open_record(path: bytes) -> OpenRecord:
    """Open what is at the path without blocking and without changing it.

    Not a regular file, or one that cannot be read as one, is `ECONNREFUSED`, as Linux answers for a path that is no
    socket. Without the right to read it is `EACCES`: here that is the right to connect.
    """
    try:
        fd = os.open(os.fsdecode(path), _O_READ)
    except OSError as error:
        if error.errno in (errno.ENXIO, errno.EISDIR, errno.ENODEV, errno.EOPNOTSUPP):
            raise refused(path) from None
        raise
    try:
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode):
            raise refused(path)
        return OpenRecord(fd, os.pread(fd, _RECORD_SIZE + 1, 0), status)
    except BaseException:
        os.close(fd)
        raise


def refused(path: bytes) -> OSError:
    """`ECONNREFUSED`, naming the path."""
    return OSError(errno.ECONNREFUSED, os.strerror(errno.ECONNREFUSED), os.fsdecode(path))


# ---- the TCP socket underneath


def prepare_listener(tcp: _socket.socket) -> None:
    """Nothing: without SO_REUSEADDR and SO_REUSEPORT a bound port is exclusive here."""


def prepare_client(tcp: _socket.socket) -> None:
    """Nothing: a refusal on loopback comes at once here."""


def abort_connect(number: int) -> None:
    """Disconnect: connect(2) to AF_UNSPEC, which Python's own connect cannot express."""
    from samesock.ffi import libc

    libc.disconnect(number)


def reset_on_close(tcp: _socket.socket) -> None:
    """Linger for no time: the close discards what is queued and resets the peer."""
    tcp.setsockopt(_socket.SOL_SOCKET, _socket.SO_LINGER, struct.pack("ii", 1, 0))


def wait(readers: Iterable[int], writers: Iterable[int], timeout: float | None) -> set[int]:
    """poll(2): hang-ups, errors and numbers that are not open count as ready."""
    poller = select.poll()
    for number in readers:
        poller.register(number, select.POLLIN)
    for number in writers:
        poller.register(number, select.POLLOUT)
    return {number for number, _ in poller.poll(None if timeout is None else max(0.0, timeout) * 1000)}


listener_owner = _table.listener_owner
connection_owner = _table.connection_owner
has_socket = _table.has_socket


# ---- the user's private directory


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
    "HANDSHAKE_IS_SYNCHRONOUS",
    "NO_UID",
    "REFUSED_WHEN_FULL",
    "Hold",
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
    "refused",
    "reset_on_close",
    "socket_cookie",
    "start_time",
    "uid",
    "wait",
]
