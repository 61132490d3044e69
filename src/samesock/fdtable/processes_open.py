"""psutil as a provider of its own: files and sockets of any process that it can read, and nothing else.

The last one asked: it leaves out most kinds of descriptors and, on Windows, the numbers. Also the cross-check
that the others are held against. What must never be put here: sources other than psutil.
"""

from __future__ import annotations

import errno
import os
from typing import Any

from samesock.fdtable import processes, tcp_states
from samesock.fdtable.linking import link
from samesock.fdtable.model import Access, OpenDescriptor
from samesock.fdtable.words import Space

name = "psutil"

_LACKS = ("inheritable: psutil does not tell it", "identity: psutil does not tell it")


def works() -> bool:
    """Whether psutil can be imported."""
    try:
        processes.library()
    except ImportError:
        return False
    return True


def _files(pid: int) -> list[Any]:
    psutil = processes.library()
    try:
        return list(psutil.Process(pid).open_files())
    except psutil.NoSuchProcess:
        raise processes.gone(pid) from None
    except psutil.AccessDenied as failure:
        raise processes.denied(pid, failure) from None


def _access(mode: object) -> Access | None:
    """psutil's mode (only on Linux): "r", "w", "a", "r+", "a+"."""
    if not isinstance(mode, str) or not mode:
        return None
    return "rw" if "+" in mode else "r" if mode == "r" else "w"


def table(pid: int) -> tuple[list[OpenDescriptor], list[str]]:
    """The files and sockets that psutil lists, with a note of what it leaves out; raises as the other tables
    do.
    """
    records = [
        OpenDescriptor(
            number=int(row.fd),
            space="fd",
            kind="file",
            identity=("psutil", str(row.path)),
            pid=pid,
            access=_access(getattr(row, "mode", None)),
            path=str(row.path),
            source=(name,),
            partial=_LACKS,
        )
        for row in _files(pid)
    ]
    for row in tcp_states.rows(pid):
        identity = ("psutil", str(row.info.local), str(row.info.remote))
        records.append(
            OpenDescriptor(
                row.number,
                "fd",
                "socket",
                identity,
                pid,
                access="rw",
                socket=row.info,
                source=(name,),
                partial=_LACKS,
            )
        )
    link(records, {})
    return records, [f"process {pid}: psutil lists files and sockets only"]


def one(number: int, space: Space | None = None) -> OpenDescriptor:
    """One descriptor of this process; `OSError` (EBADF) for one that psutil does not list."""
    for record in table(os.getpid())[0]:
        if record.number == number and space in (None, record.space):
            return record
    raise OSError(errno.EBADF, os.strerror(errno.EBADF))
