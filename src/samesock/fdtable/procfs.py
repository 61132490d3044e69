"""Linux: what /proc says of any process that may be looked into, and of this one the calls that are cheaper still.

The sockets of this process are asked directly, those of others are found by inode in the kernel's tables. What must
never be put here: how to decode what /proc says (`linux_kinds`), which descriptor is whose peer (`linking`).
"""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from stat import S_IFMT, S_IFREG, S_IFSOCK
from typing import cast

from samesock.fdtable import linux_kinds, netnames, own_socket, procnet, sock_diag
from samesock.fdtable.drafting import record
from samesock.fdtable.keys import anonymous_identity
from samesock.fdtable.linking import link
from samesock.fdtable.model import Access, OpenDescriptor, Peer, SocketInfo
from samesock.fdtable.words import Identity, Space

name = "procfs"

_READ = 65_536
_LISTED: tuple[str, ...] = (name,)
_ASKED: tuple[str, ...] = (name, "getsockopt")
_SOCKPROTONAME = "system.sockprotoname"


def works() -> bool:
    """Whether /proc lists this process's descriptors, found by looking for one that is known to be open."""
    if sys.platform != "linux":
        return False
    witness = os.open(os.devnull, os.O_RDONLY)
    try:
        os.readlink(f"/proc/self/fd/{witness}")
        return str(witness) in os.listdir("/proc/self/fd")
    except OSError:
        return False
    finally:
        os.close(witness)


def _fdinfo(pid: int | str, number: int) -> linux_kinds.FdInfo:
    """/proc/PID/fdinfo/N, read with bare calls: 12 us where `open` costs 30."""
    file = os.open(f"/proc/{pid}/fdinfo/{number}", os.O_RDONLY)
    try:
        return linux_kinds.parse_fdinfo(os.read(file, _READ).decode("ascii", "replace"))
    finally:
        os.close(file)


@dataclass(slots=True)
class _Sockets:
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


def _by_protocol_name(pid: int, number: int) -> SocketInfo | None:
    """Family, type and protocol by the name of the kernel's protocol, which any socket in /proc answers to."""
    if sys.platform != "linux":
        return None
    try:
        text = os.getxattr(f"/proc/{pid}/fd/{number}", _SOCKPROTONAME).rstrip(b"\0").decode("ascii", "replace")
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


def _own(number: int, pid: int, sockets: _Sockets) -> OpenDescriptor:
    """One descriptor of this process; raises `OSError` (EBADF) when it is not open."""
    if sys.platform == "win32":
        raise OSError(errno.EOPNOTSUPP, "no /proc on this system")
    import fcntl

    seen = os.fstat(number)
    inheritable = os.get_inheritable(number)
    form = seen.st_mode & 0o170000
    if form == S_IFSOCK:
        return _own_socket(number, pid, (seen.st_dev, seen.st_ino, form), inheritable, sockets)
    flags = fcntl.fcntl(number, fcntl.F_GETFL)
    # Relative to an open /proc/self/fd this takes 3.0 us, by its full path 4.4.
    link_text = os.readlink(str(number), dir_fd=sockets.directory)
    if form == S_IFREG and link_text[0] == "/" and link_text[-1] != ")" and link_text[:7] != "/memfd:":
        # The common case of `_plain`, at half of its cost: nothing to decode.
        access = cast("Access | None", linux_kinds.access(flags))
        identity: Identity = (seen.st_dev, seen.st_ino, form)
        return record(
            number, "fd", "file", identity, pid, inheritable, access, link_text, False, "", None, None, None, None,
            _LISTED, (),
        )  # fmt: skip
    if form:
        identity = (seen.st_dev, seen.st_ino, form)
    else:
        identity = anonymous_identity(number, seen.st_dev, seen.st_ino)
    return _plain("self", number, pid, seen, identity, inheritable, flags, link_text, None)


def _plain(
    where: int | str,
    number: int,
    pid: int,
    seen: os.stat_result,
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
                info = _fdinfo(where, number)
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
        detail = link_text.removeprefix("anon_inode:").strip("[]")
    if what in ("file", "dir", "fifo", "char", "block", "tty", "symlink"):
        path, deleted = _path(link_text, seen)
    return record(
        number, "fd", what, identity, pid, inheritable,
        None if flags is None else cast("Access | None", linux_kinds.access(flags)),
        path, deleted, detail, source=_LISTED, partial=partial,
    )  # fmt: skip


def _own_socket(
    number: int, pid: int, identity: Identity, inheritable: bool | None, sockets: _Sockets
) -> OpenDescriptor:
    partial: tuple[str, ...]
    source = _ASKED
    peer = None
    try:
        info, partial = own_socket.ask(number)
    except OSError as failure:
        info, partial = _by_protocol_name(pid, number) or SocketInfo(), (f"socket: {failure.strerror}",)
    if info.family == "AF_UNIX":
        info, peer, partial, source = _complete_unix(number, cast(int, identity[1]), info, partial, source, sockets)
    return record(
        number, "fd", "socket", identity, pid, inheritable, "rw", _bound_path(info), False, "", info, peer, None,
        None, source, partial,
    )  # fmt: skip


def _complete_unix(
    number: int,
    inode: int,
    info: SocketInfo,
    partial: tuple[str, ...],
    source: tuple[str, ...],
    sockets: _Sockets,
) -> tuple[SocketInfo, Peer | None, tuple[str, ...], tuple[str, ...]]:
    """What an own AF_UNIX socket does not say of itself: its queue, what is in flight in it, who its peer is."""
    sockets.read_unix()
    row = sockets.unix.get(inode)
    if row is not None:
        info = replace(info, backlog=row.info.backlog, queued=row.info.queued)
        source = (*source, "sock_diag")
    elif sockets.note:
        partial = (*partial, sockets.note)
    try:
        in_flight = _fdinfo("self", number).lines.get("scm_fds")
        if in_flight:
            info = replace(info, in_flight=int(in_flight[0]))
    except (OSError, ValueError):
        partial = (*partial, "in_flight: fdinfo could not be read")
    peer = None
    if info.state == "ESTABLISHED" and info.type != "SOCK_DGRAM":
        made_by = own_socket.peer_pid(number)
        if made_by is not None:
            peer = Peer(None, made_by)
    return info, peer, partial, source


def _bound_path(info: SocketInfo) -> str | None:
    """The path in the file system that an AF_UNIX socket is bound to."""
    local = info.local
    if info.family == "AF_UNIX" and isinstance(local, str) and local and not local.startswith("\0"):
        return local
    return None


def _foreign(number: int, pid: int, sockets: _Sockets) -> OpenDescriptor:
    """One descriptor of another process; raises `OSError` (ENOENT) when it has gone."""
    where = f"/proc/{pid}/fd/{number}"
    partial: tuple[str, ...] = ()
    link_text = os.readlink(where)
    seen = os.stat(where)
    form = S_IFMT(seen.st_mode)
    info: linux_kinds.FdInfo | None = None
    try:
        info = _fdinfo(pid, number)
    except OSError as failure:
        partial = (f"inheritable: {failure.strerror}", f"access: {failure.strerror}")
    flags = None if info is None else info.flags
    inheritable = None if flags is None else not flags & linux_kinds.O_CLOEXEC
    identity: Identity = (seen.st_dev, seen.st_ino, form)
    if form != 0o140000:
        if not form:
            ids = () if info is None else tuple(int(text) for text in info.lines.get("eventfd-id", ()))
            identity = (*identity, link_text, *ids)
        plain = _plain(pid, number, pid, seen, identity, inheritable, flags, link_text, info)
        return replace(plain, partial=partial + plain.partial)
    facts, told_by = sockets.find(seen.st_ino)
    source: tuple[str, ...] = (name, told_by) if told_by else (name,)
    if facts is None:
        facts = _by_protocol_name(pid, number) or SocketInfo()
        partial = (*partial, "local: in no table of the kernel's (never bound, or a family without one)")
    if sockets.note and facts.family == "AF_UNIX":
        partial = (*partial, sockets.note)
    in_flight = None if info is None else info.lines.get("scm_fds")
    if in_flight:
        facts = replace(facts, in_flight=int(in_flight[0]))
    return record(
        number, "fd", "socket", identity, pid, inheritable, "rw", _bound_path(facts), False, "", facts,
        source=source, partial=partial,
    )  # fmt: skip


@contextmanager
def _directory(pid: int) -> Iterator[int]:
    """/proc/PID/fd, open while the links in it are read."""
    directory = os.open(f"/proc/{pid}/fd", os.O_RDONLY)
    try:
        yield directory
    finally:
        os.close(directory)


def table(pid: int) -> tuple[list[OpenDescriptor], list[str]]:
    """Every descriptor of the process, in order of number.

    Raises `ProcessLookupError` for a process that is gone and `PermissionError` for one that may not be looked into.
    """
    own = pid == os.getpid()
    try:
        numbers = sorted(map(int, os.listdir("/proc/self/fd" if own else f"/proc/{pid}/fd")))
    except (FileNotFoundError, ProcessLookupError):
        raise ProcessLookupError(errno.ESRCH, f"no process has the number {pid}") from None
    except PermissionError:
        raise _denied(pid) from None
    records = []
    one = _own if own else _foreign
    denied = 0
    with _directory(pid) as directory:
        sockets = _Sockets(pid, own, directory)
        for number in numbers:
            try:
                records.append(one(number, pid, sockets))
            except PermissionError:
                denied += 1
            except OSError:
                continue  # closed since the listing, or the listing's own
    if denied and not records:
        raise _denied(pid)
    notes = [f"process {pid}: {denied} descriptors may not be read"] if denied else []
    link(records, sockets.unix)
    return records, notes


def _denied(pid: int) -> PermissionError:
    if sys.platform == "win32":
        return PermissionError(errno.EACCES, f"process {pid}")
    try:
        owner = f"user {os.stat(f'/proc/{pid}').st_uid}"
    except OSError:
        owner = "another user"
    return PermissionError(
        errno.EACCES, f"process {pid} belongs to {owner} and may not be looked into by user {os.geteuid()}"
    )


def one(number: int, space: Space | None = None) -> OpenDescriptor:
    """One descriptor of this process with everything known of it, its peer among our own included.

    `space` is always "fd" here.

    Raises `OSError` (EBADF) when it is not open.
    """
    pid = os.getpid()
    with _directory(pid) as directory:
        if number == directory:
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
        found = _own(number, pid, _Sockets(pid, True, directory))
    if found.kind in ("pipe", "tty") or (found.socket is not None and found.socket.remote is not None):
        for linked in table(pid)[0]:
            if linked.number == number and linked.identity == found.identity:
                return linked
    return found
