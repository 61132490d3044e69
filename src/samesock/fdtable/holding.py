"""Who else holds a descriptor: the same object, or what looks like it, in other processes.

A port stays busy until the last holder lets go, and a pipe never ends. What must never be put here: looking
for the other *end* of an object; that is `linking`'s.
"""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from stat import S_IFMT

from samesock.fdtable import processes, providers, taking
from samesock.fdtable.model import OpenDescriptor
from samesock.fdtable.words import Space


@dataclass(frozen=True, slots=True)
class Holder:
    """One descriptor in another process. Not `sure`: an equal path or equal addresses, all that this system
    tells.
    """

    pid: int
    number: int
    space: Space
    command: str
    sure: bool


@dataclass(frozen=True, slots=True)
class Holders:
    """Those that were found, and the processes that may not be looked into and could be holders as well."""

    found: tuple[Holder, ...]
    unread: tuple[int, ...]

    def __iter__(self) -> Iterator[Holder]:
        return iter(self.found)

    def __len__(self) -> int:
        return len(self.found)


KCMP_FILE = 0
_KCMP = {"x86_64": 312, "aarch64": 272, "riscv64": 272}


def same_open_file(mine: int, pid: int, number: int) -> bool | None:
    """kcmp(2): whether two descriptors are one open file; `None` where the kernel does not say."""
    if sys.platform != "linux":
        return None
    syscall = _KCMP.get(os.uname().machine)
    if syscall is None:
        return None
    import ctypes  # here: a key snapshot imports this package, and needs no ctypes

    libc = ctypes.CDLL(None, use_errno=True)
    libc.syscall.restype = ctypes.c_long
    long = ctypes.c_long
    answer = libc.syscall(
        long(syscall), long(os.getpid()), long(pid), long(KCMP_FILE), long(mine), long(number)
    )
    return None if answer < 0 else answer == 0


def _in_procfs(record: OpenDescriptor, pid: int) -> Iterator[tuple[int, Space, bool]]:
    """The numbers under which process `pid` holds the object; `PermissionError` when it may not be looked
    into.
    """
    wanted = record.identity[:3]
    # A socket or pipe has an inode of its own; a file's or an epoll's is shared by every other opening of it.
    unique = record.kind in ("socket", "pipe")
    for name in os.listdir(f"/proc/{pid}/fd"):
        try:
            seen = os.stat(f"/proc/{pid}/fd/{name}")
        except FileNotFoundError:
            continue
        if (seen.st_dev, seen.st_ino, S_IFMT(seen.st_mode)) != wanted:
            continue
        same = True if unique else same_open_file(record.number, pid, int(name))
        if same is not False:
            yield int(name), "fd", same is True


def _alike(one: OpenDescriptor, other: OpenDescriptor) -> bool:
    """Whether two records look like one object: equal addresses of a bound socket, or an equal path."""
    if one.kind != other.kind:
        return False
    if one.socket is not None and other.socket is not None:
        a, b = one.socket, other.socket
        return a.local not in (None, "") and (a.protocol, a.local, a.remote) == (
            b.protocol,
            b.local,
            b.remote,
        )
    return one.path is not None and one.path == other.path and one.access == other.access


def _in_table(record: OpenDescriptor, pid: int) -> Iterator[tuple[int, Space, bool]]:
    for other in providers.foreign().table(pid)[0]:
        if _alike(record, other):
            yield other.number, other.space, False


def holders(thing: object, among: Iterable[int] | None = None) -> Holders:
    """The other processes that hold `thing` (a number or anything with `fileno()`), itself open in this one.

    Looks into the processes `among`, all that exist when it is not given; those that end meanwhile are left
    out. On Linux an inherited or passed descriptor is told from another opening of the same file by kcmp(2);
    where that is not to be had, and on every other system, a holder that only looks like one is not `sure`.

    Raises as `describe` does.

    Portability: native on Linux; emulated (by path and addresses) elsewhere.
    """
    record = taking.describe(thing)
    look = _in_procfs if "procfs" in record.source else _in_table
    found: list[Holder] = []
    unread: list[int] = []
    for pid in sorted(processes.all_pids() if among is None else among):
        if pid == os.getpid():
            continue
        try:
            held = list(look(record, pid))
        except PermissionError:
            unread.append(pid)
            continue
        except OSError as failure:
            if failure.errno in (errno.ENOENT, errno.ESRCH):
                continue  # it ended since it was listed
            unread.append(pid)
            continue
        found += [Holder(pid, number, space, processes.command(pid), sure) for number, space, sure in held]
    return Holders(tuple(found), tuple(unread))
