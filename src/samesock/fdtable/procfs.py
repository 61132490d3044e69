"""Linux: every descriptor of any process that may be looked into, from /proc.

Our own are asked directly (`procfs_own`); the sockets of others are found by inode in the kernel's tables
(`procfs_tables`). What must never be put here: how to decode what /proc says (`linux_kinds`), or which
descriptor is whose peer (`linking`).
"""

from __future__ import annotations

import errno
import os
import sys
from dataclasses import replace
from stat import S_IFMT

from samesock.fdtable import linux_kinds, procfs_tables
from samesock.fdtable.drafting import record
from samesock.fdtable.linking import link
from samesock.fdtable.model import OpenDescriptor, SocketInfo
from samesock.fdtable.procfs_own import own
from samesock.fdtable.procfs_tables import Tables, bound_path, by_protocol_name, fdinfo, plain_record
from samesock.fdtable.words import Identity, Space

name: str = procfs_tables.name


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


def _foreign(number: int, pid: int, sockets: Tables) -> OpenDescriptor:
    """One descriptor of another process; raises `OSError` (ENOENT) when it has gone."""
    where = f"/proc/{pid}/fd/{number}"
    partial: tuple[str, ...] = ()
    link_text = os.readlink(where)
    seen = os.stat(where)
    form = S_IFMT(seen.st_mode)
    info: linux_kinds.FdInfo | None = None
    try:
        info = fdinfo(pid, number)
    except OSError as failure:
        partial = (f"inheritable: {failure.strerror}", f"access: {failure.strerror}")
    flags = None if info is None else info.flags
    inheritable = None if flags is None else not flags & linux_kinds.O_CLOEXEC
    identity: Identity = (seen.st_dev, seen.st_ino, form)
    if form != 0o140000:
        if not form:
            ids = () if info is None else tuple(int(text) for text in info.lines.get("eventfd-id", ()))
            identity = (*identity, link_text, *ids)
        found = plain_record(
            pid, number, pid, seen, identity=identity, inheritable=inheritable, flags=flags, link_text=link_text,
            info=info,
        )  # fmt: skip
        return replace(found, partial=partial + found.partial)
    facts, told_by = sockets.find(seen.st_ino)
    source: tuple[str, ...] = (name, told_by) if told_by else (name,)
    if facts is None:
        facts = by_protocol_name(pid, number) or SocketInfo()
        partial = (*partial, "local: in no table of the kernel's (never bound, or a family without one)")
    if sockets.note and facts.family == "AF_UNIX":
        partial = (*partial, sockets.note)
    in_flight = None if info is None else info.lines.get("scm_fds")
    if in_flight:
        facts = replace(facts, in_flight=int(in_flight[0]))
    return record(
        number, "fd", "socket", identity, pid, inheritable, "rw", bound_path(facts), False, "", facts,
        source=source, partial=partial,
    )  # fmt: skip


def table(pid: int) -> tuple[list[OpenDescriptor], list[str]]:
    """Every descriptor of the process, in order of number.

    Raises `ProcessLookupError` for a process that is gone and `PermissionError` for one that may not be
    looked into.
    """
    mine = pid == os.getpid()
    try:
        directory = os.open(f"/proc/{pid}/fd", os.O_RDONLY)
    except (FileNotFoundError, ProcessLookupError):
        raise ProcessLookupError(errno.ESRCH, f"no process has the number {pid}") from None
    except PermissionError:
        raise _denied(pid) from None
    try:
        numbers = sorted(map(int, os.listdir(directory)))
        if not numbers and _ended(pid):
            raise ProcessLookupError(errno.ESRCH, f"process {pid} has ended")
        if mine:
            numbers.remove(directory)
        records, refused, tables = _records(numbers, pid, mine, directory)
    finally:
        os.close(directory)
    if refused and not records:
        raise _denied(pid)
    link(records, tables.unix)
    return records, [f"process {pid}: {refused} descriptors may not be read"] if refused else []


def _ended(pid: int) -> bool:
    """Whether the process is a zombie: it has ended, and its parent has not asked for its exit code."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            # The command in parentheses may hold anything, parentheses included.
            return file.read().rpartition(b")")[2].split()[0] in (b"Z", b"X")
    except OSError:
        return True


def _records(
    numbers: list[int], pid: int, mine: bool, directory: int
) -> tuple[list[OpenDescriptor], int, Tables]:
    """The records of `numbers`, how many of them were refused, and the kernel's tables read on the way."""
    tables = Tables(pid, mine, directory)
    records = []
    refused = 0
    one = own if mine else _foreign
    for number in numbers:
        try:
            records.append(one(number, pid, tables))
        except PermissionError:
            refused += 1
        except OSError:
            continue  # closed since the listing
    return records, refused, tables


def _denied(pid: int) -> PermissionError:
    if sys.platform == "win32":
        return PermissionError(errno.EACCES, f"process {pid}")
    me = os.geteuid()
    try:
        owner = os.stat(f"/proc/{pid}").st_uid
    except OSError:
        owner = -1
    if owner == me:
        return PermissionError(errno.EACCES, f"process {pid}: the kernel lets nobody look into it")
    whose = f"user {owner}" if owner >= 0 else "another user"
    return PermissionError(
        errno.EACCES, f"process {pid} belongs to {whose} and may not be looked into by user {me}"
    )


def one(number: int, space: Space | None = None) -> OpenDescriptor:
    """One descriptor of this process with everything known of it, its peer among our own included.

    `space` is "fd" or nothing here.

    Raises `OSError` (EBADF) when it is not open.
    """
    if space not in (None, "fd"):
        raise OSError(errno.EBADF, os.strerror(errno.EBADF))
    pid = os.getpid()
    directory = os.open("/proc/self/fd", os.O_RDONLY)
    try:
        if number == directory:
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
        found = own(number, pid, Tables(pid, True, directory))
    finally:
        os.close(directory)
    if found.kind in ("pipe", "tty") or (found.socket is not None and found.socket.remote is not None):
        for linked in table(pid)[0]:
            if linked.number == number and linked.identity == found.identity:
                return linked
    return found
