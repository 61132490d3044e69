"""macOS: what libproc says of the processes of one's own user, peers of AF_UNIX sockets and pipes included.

Seen by tests alone, through a replaced table of calls: no run of ours has seen macOS. What must never be put
here: declarations, which are `ffi.libproc`'s.
"""

from __future__ import annotations

import errno
import os
import socket
import sys
from collections.abc import Callable
from stat import S_IFMT

from samesock.fdtable import netnames, processes
from samesock.fdtable.linking import Ends, link
from samesock.fdtable.model import Access, Address, OpenDescriptor, SocketInfo
from samesock.fdtable.words import Identity, Kind, Space
from samesock.ffi import libproc as declared

name = "libproc"

_AF_UNIX = 1
_AF_INET6 = 30
_FORMS: dict[int, Kind] = {
    0o100000: "file", 0o040000: "dir", 0o120000: "symlink", 0o020000: "char", 0o060000: "block", 0o010000: "fifo",
}  # fmt: skip
_TERMINALS = ("/dev/tty", "/dev/pty", "/dev/ptmx", "/dev/console")


def works() -> bool:
    """Whether libproc lists a descriptor of this process that is known to be open."""
    if sys.platform != "darwin":
        return False
    witness = os.open(os.devnull, os.O_RDONLY)
    try:
        return any(row.proc_fd == witness for row in declared.list_descriptors(os.getpid()))
    except OSError:
        return False
    finally:
        os.close(witness)


def _access(about: declared.proc_fileinfo) -> Access | None:
    reads, writes = about.fi_openflags & declared.FREAD, about.fi_openflags & declared.FWRITE
    return ("rw" if writes else "r") if reads else ("w" if writes else None)


def _text(raw: bytes) -> str:
    return os.fsdecode(raw.split(b"\0", 1)[0])


def sockaddr_un(raw: bytes) -> str:
    """The path in a BSD sockaddr_un: a length byte, a family byte, the path up to that length or a NUL."""
    return _text(raw[2 : raw[0]]) if len(raw) > 2 and raw[0] > 2 else ""


def _port(number: int) -> int:
    """A port that lies in network order in the low half of an int."""
    return socket.ntohs(number & 0xFFFF)


def _hosts(ini: declared.in_sockinfo) -> tuple[Address, Address | None]:
    def host(raw: bytes) -> str:
        if ini.insi_vflag & declared.INI_IPV4:
            return socket.inet_ntop(socket.AF_INET, raw[12:16])
        return socket.inet_ntop(socket.AF_INET6, raw)

    far = bytes(ini.insi_faddr)
    remote = (host(far), _port(ini.insi_fport)) if any(far) or ini.insi_fport else None
    return (host(bytes(ini.insi_laddr)), _port(ini.insi_lport)), remote


def socket_info(answer: declared.socket_fdinfo) -> SocketInfo:
    """The facts of a socket, by the kind that the kernel's union has."""
    family = netnames.family_name(netnames.DARWIN_FAMILIES, answer.soi_family)
    listening = bool(answer.soi_options & declared.SO_ACCEPTCONN)
    raw = bytes(answer.soi_proto)
    local: Address | None = None
    remote: Address | None = None
    state: str | None = None
    if answer.soi_kind == declared.SOCKINFO_TCP:
        tcp = declared.tcp_sockinfo.from_buffer_copy(raw)
        local, remote = _hosts(tcp.tcpsi_ini)
        state = netnames.BSD_TCP_STATES.get(tcp.tcpsi_state)
    elif answer.soi_kind == declared.SOCKINFO_IN:
        local, remote = _hosts(declared.in_sockinfo.from_buffer_copy(raw))
        state = "UNCONNECTED" if remote is None else "ESTABLISHED"
    elif answer.soi_kind == declared.SOCKINFO_UN:
        un = declared.un_sockinfo.from_buffer_copy(raw)
        local = sockaddr_un(bytes(un.unsi_addr))
        remote = sockaddr_un(bytes(un.unsi_caddr)) if un.unsi_conn_so else None
        state = "LISTEN" if listening else "ESTABLISHED" if un.unsi_conn_so else "UNCONNECTED"
    return SocketInfo(
        family=family,
        type=netnames.type_name(answer.soi_type),
        protocol=netnames.protocol_name(family, answer.soi_protocol),
        local=local,
        remote=remote,
        state=state,
        listening=listening,
        backlog=answer.soi_qlimit if listening else None,
        queued=answer.soi_qlen if listening else None,
    )


class _Reader:
    """One process's descriptors as records, and what each of them is an end of."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.ends: Ends = {}
        self._by_type: dict[int, Callable[[int], OpenDescriptor]] = {
            declared.PROX_FDTYPE_VNODE: self._vnode,
            declared.PROX_FDTYPE_SOCKET: self._socket,
            declared.PROX_FDTYPE_PIPE: self._pipe,
            declared.PROX_FDTYPE_KQUEUE: self._kqueue,
            declared.PROX_FDTYPE_PSEM: self._semaphore,
            declared.PROX_FDTYPE_PSHM: self._memory,
        }

    def record(self, row: declared.proc_fdinfo) -> OpenDescriptor:
        """The record of one row; one whose details are refused says why; `OSError` (EBADF) if it was
        closed.
        """
        read = self._by_type.get(row.proc_fdtype)
        if read is None:
            return self._bare(row.proc_fd, "other", f"type {row.proc_fdtype} of libproc's", "")
        try:
            return read(row.proc_fd)
        except OSError as failure:
            if failure.errno == errno.EBADF:
                raise
            kind: Kind = "socket" if row.proc_fdtype == declared.PROX_FDTYPE_SOCKET else "other"
            return self._bare(row.proc_fd, kind, "", str(failure.strerror))

    def _identity(self, number: int, told: Identity) -> Identity:
        """What the key snapshot gives for an own descriptor, else what libproc told."""
        if self.pid == os.getpid():
            try:
                seen = os.fstat(number)
            except OSError:
                return told
            return (seen.st_dev, seen.st_ino, S_IFMT(seen.st_mode))
        return told

    def _bare(self, number: int, kind: Kind, detail: str, why: str) -> OpenDescriptor:
        partial = (f"details: {why}",) if why else ()
        identity = self._identity(number, (kind,))
        return OpenDescriptor(
            number, "fd", kind, identity, self.pid, detail=detail, source=(name,), partial=partial
        )

    def _made(
        self, number: int, kind: Kind, told: Identity, about: declared.proc_fileinfo, path: str | None = None
    ) -> OpenDescriptor:
        return OpenDescriptor(
            number=number,
            space="fd",
            kind=kind,
            identity=self._identity(number, told),
            pid=self.pid,
            inheritable=not about.fi_status & declared.PROC_FP_CLEXEC,
            access=_access(about),
            path=path,
            source=(name,),
        )

    def _vnode(self, number: int) -> OpenDescriptor:
        flavor = declared.PROC_PIDFDVNODEPATHINFO
        answer = declared.describe_descriptor(self.pid, number, flavor, declared.vnode_fdinfowithpath)
        stat = answer.vi_stat
        path = _text(answer.vip_path)
        kind = _FORMS.get(S_IFMT(stat.vst_mode), "other")
        if kind == "char" and path.startswith(_TERMINALS):
            kind = "tty"
        return self._made(number, kind, (stat.vst_dev, stat.vst_ino, S_IFMT(stat.vst_mode)), answer.pfi, path)

    def _socket(self, number: int) -> OpenDescriptor:
        flavor = declared.PROC_PIDFDSOCKETINFO
        answer = declared.describe_descriptor(self.pid, number, flavor, declared.socket_fdinfo)
        info = socket_info(answer)
        if answer.soi_kind == declared.SOCKINFO_UN:
            peer = declared.un_sockinfo.from_buffer_copy(bytes(answer.soi_proto)).unsi_conn_so
            self.ends[self.pid, number] = (("so", answer.soi_so), ("so", peer) if peer else None)
        made = self._made(number, "socket", ("so", answer.soi_so), answer.pfi)
        path = info.local if info.family == "AF_UNIX" and isinstance(info.local, str) and info.local else None
        return OpenDescriptor(
            number,
            "fd",
            "socket",
            made.identity,
            self.pid,
            made.inheritable,
            "rw",
            path,
            socket=info,
            source=(name,),
        )

    def _pipe(self, number: int) -> OpenDescriptor:
        answer = declared.describe_descriptor(
            self.pid, number, declared.PROC_PIDFDPIPEINFO, declared.pipe_fdinfo
        )
        far = answer.pipe_peerhandle
        self.ends[self.pid, number] = (("pipe", answer.pipe_handle), ("pipe", far) if far else None)
        return self._made(number, "pipe", ("pipe", answer.pipe_handle), answer.pfi)

    def _kqueue(self, number: int) -> OpenDescriptor:
        flavor = declared.PROC_PIDFDKQUEUEINFO
        answer = declared.describe_descriptor(self.pid, number, flavor, declared.kqueue_fdinfo)
        return self._made(number, "kqueue", ("kqueue",), answer.pfi)

    def _semaphore(self, number: int) -> OpenDescriptor:
        answer = declared.describe_descriptor(
            self.pid, number, declared.PROC_PIDFDPSEMINFO, declared.psem_fdinfo
        )
        title = _text(answer.psem_name)
        return self._made(number, "semaphore", ("psem", title), answer.pfi, title)

    def _memory(self, number: int) -> OpenDescriptor:
        answer = declared.describe_descriptor(
            self.pid, number, declared.PROC_PIDFDPSHMINFO, declared.pshm_fdinfo
        )
        title = _text(answer.pshm_name)
        return self._made(number, "shm", ("pshm", title), answer.pfi, title)


def table(pid: int) -> tuple[list[OpenDescriptor], list[str]]:
    """Every descriptor of the process. `ProcessLookupError` for one gone, `PermissionError` for one
    hidden.
    """
    try:
        rows = declared.list_descriptors(pid)
    except OSError as failure:
        if failure.errno == errno.ESRCH:
            raise processes.gone(pid) from None
        if failure.errno in (errno.EPERM, errno.EACCES):
            raise processes.denied(pid, failure.strerror) from None
        raise
    reader = _Reader(pid)
    records = []
    for row in sorted(rows, key=lambda one: one.proc_fd):
        try:
            records.append(reader.record(row))
        except OSError:
            continue  # closed since the listing
    link(records, {}, reader.ends)
    return records, []


def one(number: int, space: Space | None = None) -> OpenDescriptor:
    """One descriptor of this process; `OSError` (EBADF) when it is not open. `space` is always "fd" here."""
    if space in (None, "fd"):
        for record in table(os.getpid())[0]:
            if record.number == number:
                return record
    raise OSError(errno.EBADF, os.strerror(errno.EBADF))
