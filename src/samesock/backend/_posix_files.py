"""The rendezvous file on POSIX, and the life of its name: a lock that dies with its last holder.

An open-file-description lock on Linux, flock elsewhere: both are let go by whatever death. What must never be put
here: sockets, and what the file's bytes mean.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import struct
import sys
from collections.abc import Iterable

from samesock._errors import named_error
from samesock.backend import Owner

assert sys.platform != "win32"

_O_CREATE = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
_O_READ = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_RECORD_SIZE = 256
_PRIVATE = 0o600

_DUPFD_CLOEXEC = getattr(fcntl, "F_DUPFD_CLOEXEC", 1030)  # Linux's; PyPy 3.11 has no name for it.
# Linux's open-file-description locks, include/uapi/asm-generic/fcntl.h; Python names the constants from 3.9 on.
_OFD_SETLK = getattr(fcntl, "F_OFD_SETLK", 37)
_OFD_GETLK = getattr(fcntl, "F_OFD_GETLK", 36)
_LOCK_START = 1 << 40
_LOCK_LENGTH = 1 << 20
_TRIES = 100
_DOUBT_START = _LOCK_START - _LOCK_LENGTH
# struct flock: type, whence, start, length, pid. Asked whether both ranges could be locked for reading; of one holder's
# locks the kernel names the lowest, so a holder in doubt shows itself by the same one call.
_FLOCK = struct.Struct("hhqqi4x")
_PROBE = _FLOCK.pack(fcntl.F_RDLCK, os.SEEK_SET, _DOUBT_START, 2 * _LOCK_LENGTH, 0)
_HAS_OFD = sys.platform == "linux"


def _lock_byte(fd: int, byte: int) -> bool:
    lock = _FLOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, byte, 1, 0)
    try:
        fcntl.fcntl(fd, _OFD_SETLK, lock)
    except OSError as error:
        if error.errno in (errno.EAGAIN, errno.EACCES):
            return False
        raise
    return True


def _take_life(fd: int, start: int = _LOCK_START) -> None:
    """Hold one byte of the range; another process's hold on the same name has taken another one."""
    if not _HAS_OFD:
        fcntl.flock(
            fd, fcntl.LOCK_SH
        )  # never alone: each process that was handed the socket has a hold of its own
        return
    offset = 0
    for _ in range(_TRIES):
        if _lock_byte(fd, start + offset):
            return
        offset = int.from_bytes(os.urandom(3), "little") % _LOCK_LENGTH
    # Not by other holders: by a reader's lock on all of the range, of somebody who may read the file.
    raise OSError(errno.EADDRINUSE, "somebody's lock on the socket's file is in the way of listening")


def _is_flocked(fd: int) -> bool:
    """Whether somebody holds life by flock, on systems without the other kind of lock."""
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return True
    # Two that ask at the same moment see each other: each asks again once it is connected, before it sends.
    fcntl.flock(fd, fcntl.LOCK_UN)
    return False


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
        fd = _duplicate(self._fd, above)
        return Hold(fd, listening=self._listening, changed=self._changed)

    def doubt(self) -> None:
        """A lock in the other range tells clients to ask the kernel whose the port is."""
        if self._listening and _HAS_OFD:
            _take_life(self._fd, _DOUBT_START)

    def touched(self) -> bool:
        """Whether mode, owner or links have changed since bind (the file's ctime, which no user can set back).

        The mode is looked at, too: a chmod within the same tick of the file system's clock, some 4 ms, leaves ctime
        as it was before Linux 6.13.
        """
        status = os.fstat(self._fd)
        return status.st_ctime_ns != self._changed or stat.S_IMODE(status.st_mode) != _PRIVATE

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
    higher = _duplicate(fd, number)
    os.close(fd)
    return higher


def _duplicate(fd: int, number: int) -> int:
    try:
        return fcntl.fcntl(fd, _DUPFD_CLOEXEC, number + 1)
    except OSError as failure:
        if failure.errno != errno.EINVAL:
            raise
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE)) from None  # the limit itself is not above it


def create_record(path: bytes, record: bytes, id: bytes, above: int) -> Hold:
    """Create the file and write the record; what exists already is left untouched: `EADDRINUSE`."""
    name = os.fsdecode(path)
    try:
        fd = os.open(name, _O_CREATE, _PRIVATE)
    except FileExistsError:
        raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE), name) from None
    except IsADirectoryError:  # open(2)'s word for a name with a slash at its end, whatever is there
        code = errno.EADDRINUSE if os.path.lexists(name.rstrip("/")) else errno.ENOENT
        raise OSError(code, os.strerror(code), name) from None
    try:
        fd = _above(fd, above)
        if os.write(fd, record) != len(record):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), name)
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
        # The record was written once: what changed the file later, also before now, has moved its ctime alone.
        return Hold(fd, changed=os.fstat(fd).st_mtime_ns)
    except BaseException:
        os.close(fd)
        raise


class OpenRecord:
    """The file as a client sees it."""

    __slots__ = ("_fd", "_in_doubt", "_status", "data")

    def __init__(self, fd: int, data: bytes, status: os.stat_result) -> None:
        self._fd = fd
        self._in_doubt = False
        self.data: bytes = data
        self._status = status

    def live(self, id: bytes) -> bool:
        """Whether somebody holds the lock. The file is open, so its name may change hands meanwhile: no matter.

        To ask changes nothing, needs no right to write, and is not misled by readers' locks.
        """
        if not _HAS_OFD:
            return _is_flocked(self._fd)
        kind, _, place, _, _ = _FLOCK.unpack(fcntl.fcntl(self._fd, _OFD_GETLK, _PROBE))
        self._in_doubt = place < _LOCK_START
        return bool(kind == fcntl.F_WRLCK)

    seems_live = live

    def trusted(self) -> bool:
        """Whether the file is this user's, closed to the group's and others' writing, and its life not in doubt."""
        status = self._status
        mine = status.st_uid == os.geteuid() and not status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
        return mine and not self._in_doubt

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
        fd = os.open(path, _O_READ)
    except OSError as error:
        if error.errno in (errno.ENXIO, errno.EISDIR, errno.ENODEV, errno.EOPNOTSUPP):
            raise named_error(
                "ECONNREFUSED", "connecting to what is no Unix socket", os.fsdecode(path)
            ) from None
        error.filename = os.fsdecode(path)
        raise
    try:
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode):
            raise named_error("ECONNREFUSED", "connecting to what is no Unix socket", os.fsdecode(path))
        return OpenRecord(fd, os.pread(fd, _RECORD_SIZE + 1, 0), status)
    except BaseException:
        os.close(fd)
        raise
