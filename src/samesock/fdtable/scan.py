"""Any POSIX system, this process only: numbers from `numbers`, everything else by asking each descriptor.

The last resort: it knows no peers, and of paths only what F_GETPATH or /dev/fd tell. What must never be put
here: anything that needs more than POSIX.
"""

from __future__ import annotations

import errno
import os
import stat
import sys

from samesock.fdtable import numbers, own_socket, processes
from samesock.fdtable.linking import link
from samesock.fdtable.model import Access, OpenDescriptor, SocketInfo
from samesock.fdtable.words import Kind, Space

name = "scan"

_FORMS: dict[int, Kind] = {
    stat.S_IFREG: "file", stat.S_IFDIR: "dir", stat.S_IFLNK: "symlink", stat.S_IFBLK: "block",
}  # fmt: skip
_ACCESS: tuple[Access | None, ...] = ("r", "w", "rw", None)


def works() -> bool:
    """Whether some source of numbers lists a descriptor that is known to be open."""
    if sys.platform == "win32":
        return False
    try:
        numbers.own_numbers()
    except OSError:
        return False
    return True


def _kind(number: int, seen: os.stat_result) -> Kind:
    form = stat.S_IFMT(seen.st_mode)
    if form == stat.S_IFSOCK:
        return "socket"
    if form == stat.S_IFCHR:
        return "tty" if os.isatty(number) else "char"
    if form == stat.S_IFIFO:
        return "fifo" if seen.st_nlink else "pipe"
    return _FORMS.get(form, "anon")


def _path(number: int) -> str | None:
    """The path by F_GETPATH (fcntl.h, 50 on macOS); `None` where there is no such question."""
    if sys.platform != "darwin":
        return None
    import fcntl

    try:
        return os.fsdecode(fcntl.fcntl(number, 50, bytes(1024)).split(b"\0", 1)[0]) or None
    except OSError:
        return None


def _record(number: int, pid: int) -> OpenDescriptor:
    """The record of an open number; `OSError` (EBADF) when it is not open."""
    if sys.platform == "win32":
        raise OSError(errno.EOPNOTSUPP, "no descriptors to scan on this system")
    import fcntl

    seen = os.fstat(number)
    kind = _kind(number, seen)
    flags = fcntl.fcntl(number, fcntl.F_GETFL)
    access: Access | None = _ACCESS[flags & 3]
    partial: tuple[str, ...] = ()
    info = None
    path = None
    if kind == "socket":
        try:
            info, partial = own_socket.ask(number)
        except OSError as failure:
            info, partial = SocketInfo(), (f"socket: {failure.strerror}",)
    elif kind in ("file", "dir", "fifo", "char", "block", "tty"):
        path = _path(number)
        if path is None:
            partial = ("path: this system does not tell it",)
    return OpenDescriptor(
        number=number,
        space="fd",
        kind=kind,
        identity=(seen.st_dev, seen.st_ino, stat.S_IFMT(seen.st_mode)),
        pid=pid,
        inheritable=os.get_inheritable(number),
        access="rw" if kind == "socket" else access,
        path=path,
        socket=info,
        source=(name,) if info is None else (name, "getsockopt"),
        partial=partial,
    )


def table(pid: int) -> tuple[list[OpenDescriptor], list[str]]:
    """Every descriptor of this process; `PermissionError` for any other."""
    if pid != os.getpid():
        raise processes.denied(pid, "a scan reaches this process only")
    records = []
    for number in sorted(numbers.own_numbers()):
        try:
            records.append(_record(number, pid))
        except OSError:
            continue  # the listing's own, or closed since
    link(records, {})
    return records, []


def one(number: int, space: Space | None = None) -> OpenDescriptor:
    """One descriptor of this process; `OSError` (EBADF) when it is not open. `space` is always "fd" here."""
    if space not in (None, "fd"):
        raise OSError(errno.EBADF, os.strerror(errno.EBADF))
    return _record(number, os.getpid())
