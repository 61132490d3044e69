"""Linux: what own and foreign descriptors in /proc have in common: fdinfo, the kernel's socket tables, plain
records.

What must never be put here: listing a process, or asking a descriptor anything that only its own process may.
"""

from __future__ import annotations

import errno
import os
import sys
from dataclasses import dataclass, field
from typing import cast

from samesock.fdtable import linux_kinds, netnames, procnet, sock_diag
from samesock.fdtable.drafting import record
from samesock.fdtable.model import Access, OpenDescriptor, SocketInfo
from samesock.fdtable.words import Identity

name = "procfs"
LISTED: tuple[str, ...] = (name,)
ASKED: tuple[str, ...] = (name, "getsockopt")

_READ = 65_536
_SOCKPROTONAME = "system.sockprotoname"


def fdinfo(pid: int | str, number: int) -> linux_kinds.FdInfo:
    """/proc/PID/fdinfo/N, read with bare calls: 12 us where `open` costs 30."""
    file = os.open(f"/proc/{pid}/fdinfo/{number}", os.O_RDONLY)
    try:
        return linux_kinds.parse_fdinfo(os.read(file, _READ).decode("ascii", "replace"))
    finally:
        os.close(file)


@dataclass(slots=True)
class Tables:
    """The kernel's socket tables by inode, each read at most once in a snapshot."""

    pid: int
    own: bool
    directory: int
    unix: dict[int, sock_diag.UnixRow] = field(default_factory=dict)
    others: dict[int, SocketInfo] | None = None
    sources: tuple[str, ...] = ()
    note: str = ""
    _unix_read: bool = False

    def read_unix(self) -> None:
        """The AF_UNIX table, for peers and backlogs."""
        if self._unix_read:
            return
        self._unix_read = True
        if not self.own and procnet.namespace(self.pid) != procnet.namespace("self"):
            self.note = "peer: the process lives in another network namespace"
            return
        try:
            self.unix = sock_diag.unix_rows()
        except OSError as failure:
            self.note = f"peer: sock_diag: {failure.strerror}"

    def find(self, inode: int) -> tuple[SocketInfo | None, str]:
        """Another process's socket and the source that told of it."""
        self.read_unix()
        row = self.unix.get(inode)
        if row is not None:
            return row.info, "sock_diag"
        if self.others is None:
            self.others = self._read_others()
        info = self.others.get(inode)
        return info, "" if info is None else ("sock_diag" if inode in self._diagnosed else "procnet")

    _diagnosed: frozenset[int] = frozenset()

    def _read_others(self) -> dict[int, SocketInfo]:
        if not self.note:
            try:
                rows = sock_diag.inet_rows()
            except OSError as failure:
                self.note = f"peer: sock_diag: {failure.strerror}"
            else:
                self._diagnosed = frozenset(rows)
                return {**procnet.rows(self.pid, everything=False), **rows}
        return procnet.rows(self.pid, everything=True)


def by_protocol_name(pid: int, number: int) -> SocketInfo | None:
    """Family, type and protocol by the name of the kernel's protocol, which any socket in /proc answers
    to.
    """
    if sys.platform != "linux":
        return None
    try:
        text = (
            os.getxattr(f"/proc/{pid}/fd/{number}", _SOCKPROTONAME).rstrip(b"\0").decode("ascii", "replace")
        )
    except OSError:
        return None
    family, kind, protocol = netnames.LINUX_PROTOCOL_NAMES.get(text, (None, None, text))
    state = "CLOSE" if protocol == "TCP" else None
    return SocketInfo(family=family, type=kind, protocol=protocol, state=state)


def _path(link_text: str, seen: os.stat_result) -> tuple[str, bool]:
    """The path behind a link and whether it was deleted: a name may really end in " (deleted)"."""
    if not link_text.endswith(" (deleted)"):
        return link_text, False
    try:
        there = os.lstat(link_text)
        if (there.st_dev, there.st_ino) == (seen.st_dev, seen.st_ino):
            return link_text, False
    except OSError:
        pass
    return link_text[:-10], True


def plain_record(
    where: int | str,
    number: int,
    pid: int,
    seen: os.stat_result,
    *,
    identity: Identity,
    inheritable: bool | None,
    flags: int | None,
    link_text: str,
    info: linux_kinds.FdInfo | None,
) -> OpenDescriptor:
    """The record of anything but a socket."""
    if sys.platform == "win32":
        raise OSError(errno.EOPNOTSUPP, "no /proc on this system")
    what = linux_kinds.kind(seen.st_mode, seen.st_rdev, link_text)
    path, deleted, detail = None, False, ""
    partial: tuple[str, ...] = ()
    if what in linux_kinds.DETAILED:
        if info is None:
            try:
                info = fdinfo(where, number)
            except OSError as failure:
                partial = (f"detail: {failure.strerror}",)
        if info is not None:
            detail = linux_kinds.detail(what, info.lines)
    elif what == "pipe":
        end = None if flags is None else linux_kinds.access(flags)
        detail = {"r": "read end", "w": "write end"}.get(end or "", "")
    elif what == "memfd":
        detail = link_text[7:].removesuffix(" (deleted)")
    elif what in ("char", "block"):
        detail = f"device {os.major(seen.st_rdev)}:{os.minor(seen.st_rdev)}"
    elif what in ("namespace", "anon", "bpf", "perf", "io_uring", "userfaultfd"):
        detail = link_text.removeprefix("anon_inode:")
        if detail.startswith("["):  # "[io_uring]", but "net:[4026531840]" is a namespace's whole name
            detail = detail.strip("[]")
    if what in ("file", "dir", "fifo", "char", "block", "tty", "symlink"):
        path, deleted = _path(link_text, seen)
    return record(
        number, "fd", what, identity, pid, inheritable,
        None if flags is None else cast("Access | None", linux_kinds.access(flags)),
        path, deleted, detail, source=LISTED, partial=partial,
    )  # fmt: skip


def bound_path(info: SocketInfo) -> str | None:
    """The path in the file system that an AF_UNIX socket is bound to."""
    local = info.local
    if info.family == "AF_UNIX" and isinstance(local, str) and local and not local.startswith("\0"):
        return local
    return None
