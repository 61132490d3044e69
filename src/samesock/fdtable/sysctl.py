"""FreeBSD: what sysctl kern.proc.filedesc says of a process, peers of AF_UNIX sockets and pipes included.

Seen by tests alone, through a replaced table of calls: no run of ours has seen FreeBSD. What must never be
put here: declarations, which are `ffi.freebsd_sysctl`'s.
"""

from __future__ import annotations

import errno
import os
import socket
import sys
from stat import S_IFMT

from samesock.fdtable import netnames, processes
from samesock.fdtable.libproc import sockaddr_un
from samesock.fdtable.linking import Ends, link
from samesock.fdtable.model import Access, Address, OpenDescriptor, SocketInfo
from samesock.fdtable.words import Identity, Kind, Space
from samesock.ffi import freebsd_sysctl as declared

name = "sysctl"

_AF_UNIX, _AF_INET, _AF_INET6 = 1, 2, 28
_KINDS: dict[int, Kind] = {
    declared.KF_TYPE_SOCKET: "socket", declared.KF_TYPE_PIPE: "pipe", declared.KF_TYPE_FIFO: "fifo",
    declared.KF_TYPE_KQUEUE: "kqueue", declared.KF_TYPE_MQUEUE: "mqueue", declared.KF_TYPE_SHM: "shm",
    declared.KF_TYPE_SEM: "semaphore", declared.KF_TYPE_PTS: "tty", declared.KF_TYPE_PROCDESC: "pidfd",
    declared.KF_TYPE_DEV: "char", declared.KF_TYPE_EVENTFD: "eventfd", declared.KF_TYPE_TIMERFD: "timerfd",
}  # fmt: skip
_VNODES: dict[int, Kind] = {
    declared.KF_VTYPE_VREG: "file", declared.KF_VTYPE_VDIR: "dir", declared.KF_VTYPE_VBLK: "block",
    declared.KF_VTYPE_VCHR: "char", declared.KF_VTYPE_VLNK: "symlink", declared.KF_VTYPE_VFIFO: "fifo",
}  # fmt: skip
_TERMINALS = ("/dev/tty", "/dev/pts/", "/dev/console")


def works() -> bool:
    """Whether the sysctl lists a descriptor of this process that is known to be open."""
    if not sys.platform.startswith("freebsd"):
        return False
    witness = os.open(os.devnull, os.O_RDONLY)
    try:
        return any(row.kf_fd == witness for row in declared.process_files(os.getpid()))
    except OSError:
        return False
    finally:
        os.close(witness)


def decode(raw: bytes) -> Address | None:
    """A BSD sockaddr (a length byte, a family byte) as Python gives it; `None` for an empty or unknown
    one.
    """
    if not raw or raw[0] < 2:
        return None
    family = raw[1]
    if family == _AF_INET:
        return (socket.inet_ntop(socket.AF_INET, raw[4:8]), int.from_bytes(raw[2:4], "big"))
    if family == _AF_INET6:
        return (socket.inet_ntop(socket.AF_INET6, raw[8:24]), int.from_bytes(raw[2:4], "big"))
    return sockaddr_un(raw) if family == _AF_UNIX else None


def _nowhere(address: Address | None) -> bool:
    return isinstance(address, tuple) and address[1] == 0


def socket_info(row: declared.kinfo_file) -> SocketInfo:
    """The facts of a socket; the row has no state and no queue, so both stay unknown."""
    told = row.kf_un.kf_sock
    family = netnames.family_name(netnames.BSD_FAMILIES, told.kf_sock_domain0)
    remote = decode(bytes(told.kf_sa_peer))
    return SocketInfo(
        family=family,
        type=netnames.type_name(told.kf_sock_type0),
        protocol=netnames.protocol_name(family, told.kf_sock_protocol0),
        local=decode(bytes(told.kf_sa_local)),
        remote=None if _nowhere(remote) else remote,
    )


def _access(flags: int) -> Access | None:
    reads, writes = flags & declared.KF_FLAG_READ, flags & declared.KF_FLAG_WRITE
    return ("rw" if writes else "r") if reads else ("w" if writes else None)


def _told_identity(row: declared.kinfo_file) -> Identity:
    union = row.kf_un
    if row.kf_type == declared.KF_TYPE_SOCKET:
        return ("pcb", union.kf_sock.kf_sock_pcb)
    if row.kf_type == declared.KF_TYPE_PIPE:
        return ("pipe", union.kf_pipe.kf_pipe_addr)
    if row.kf_type == declared.KF_TYPE_VNODE:
        return (union.kf_file.kf_file_fsid, union.kf_file.kf_file_fileid, union.kf_file.kf_file_type)
    return (row.kf_type,)


def _own(number: int) -> tuple[Identity | None, bool | None]:
    """The key snapshot's identity of an own descriptor, and whether a child gets it; the sysctl tells
    neither.
    """
    try:
        seen = os.fstat(number)
        return (seen.st_dev, seen.st_ino, S_IFMT(seen.st_mode)), os.get_inheritable(number)
    except OSError:
        return None, None


def _record(row: declared.kinfo_file, pid: int, ends: Ends) -> OpenDescriptor:
    kind = _KINDS.get(row.kf_type, "other")
    path = os.fsdecode(row.kf_path) or None
    if row.kf_type == declared.KF_TYPE_VNODE:
        kind = _VNODES.get(row.kf_un.kf_file.kf_file_type, "other")
        if kind == "char" and path is not None and path.startswith(_TERMINALS):
            kind = "tty"
    identity, inheritable = _own(row.kf_fd) if pid == os.getpid() else (None, None)
    partial: tuple[str, ...] = (
        () if inheritable is not None else ("inheritable: the sysctl does not tell it",)
    )
    info = None
    if kind == "socket":
        info = socket_info(row)
        partial = (*partial, "state: the sysctl does not tell it")
        told = row.kf_un.kf_sock
        if info.family == "AF_UNIX":
            far = told.kf_sock_unpconn
            ends[pid, row.kf_fd] = (("pcb", told.kf_sock_pcb), ("pcb", far) if far else None)
            path = info.local if isinstance(info.local, str) and info.local else None
    elif kind == "pipe":
        pipe = row.kf_un.kf_pipe
        far = pipe.kf_pipe_peer
        ends[pid, row.kf_fd] = (("pipe", pipe.kf_pipe_addr), ("pipe", far) if far else None)
    elif kind == "file" and path is None:
        partial = (*partial, "path: the kernel's name cache has forgotten it")
    return OpenDescriptor(
        number=row.kf_fd,
        space="fd",
        kind=kind,
        identity=identity or _told_identity(row),
        pid=pid,
        inheritable=inheritable,
        access=_access(row.kf_flags),
        path=path,
        socket=info,
        source=(name,),
        partial=partial,
    )


def table(pid: int) -> tuple[list[OpenDescriptor], list[str]]:
    """Every descriptor of the process. `ProcessLookupError` for one gone, `PermissionError` for one
    hidden.
    """
    try:
        rows = declared.process_files(pid)
    except OSError as failure:
        if failure.errno == errno.ESRCH:
            raise processes.gone(pid) from None
        if failure.errno in (errno.EPERM, errno.EACCES):
            raise processes.denied(pid, failure.strerror) from None
        raise
    ends: Ends = {}
    records = [_record(row, pid, ends) for row in sorted(rows, key=lambda one: one.kf_fd)]
    link(records, {}, ends)
    return records, []


def one(number: int, space: Space | None = None) -> OpenDescriptor:
    """One descriptor of this process; `OSError` (EBADF) when it is not open. `space` is always "fd" here."""
    if space in (None, "fd"):
        for record in table(os.getpid())[0]:
            if record.number == number:
                return record
    raise OSError(errno.EBADF, os.strerror(errno.EBADF))
