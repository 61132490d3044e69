"""The contract of a provider, in words, and the choice of one: by asking it, never by a system's name.

A provider is a module with these names:

* `name: str`: what stands in a record's `source`.
* `works() -> bool`: whether it lists a descriptor of this process that is known to be open. Asked once.
* `table(pid) -> (records, notes)`: everything that the process has open, peers among them linked, and what is
  missing altogether. `ProcessLookupError` for a process that is gone, `PermissionError` for one that may not
  be read.
* `one(number, space) -> record`: one descriptor of this process; `OSError` (EBADF) when it is not open.

What must never be put here: a provider's work.
"""

from __future__ import annotations

import errno
import importlib
from typing import Protocol, cast

from samesock.fdtable.linking import link
from samesock.fdtable.model import OpenDescriptor
from samesock.fdtable.words import Space


class Provider(Protocol):
    """The names above, for type checkers."""

    @property
    def name(self) -> str: ...

    def works(self) -> bool: ...

    def table(self, pid: int) -> tuple[list[OpenDescriptor], list[str]]: ...

    def one(self, number: int, space: Space | None) -> OpenDescriptor: ...


OWN = ("procfs", "ntquery", "libproc", "sysctl", "scan")
"""Who is asked about this process, the most telling first; `scan` works wherever POSIX does."""

FOREIGN = ("procfs", "libproc", "sysctl", "ntquery", "processes_open")
"""Who is asked about other processes; psutil comes last because it lists files and sockets alone."""

_chosen: dict[tuple[str, ...], Provider] = {}


def _load(name: str) -> Provider:
    return cast(Provider, importlib.import_module(f"samesock.fdtable.{name}"))


def choose(names: tuple[str, ...]) -> Provider:
    """The first of `names` that works here, remembered; raises `OSError` (EOPNOTSUPP) when none does."""
    known = _chosen.get(names)
    if known is not None:
        return known
    for name in names:
        provider = _load(name)
        if provider.works():
            _chosen[names] = provider
            return provider
    raise OSError(errno.EOPNOTSUPP, f"no source lists descriptors on this system: tried {', '.join(names)}")


def own() -> Provider:
    """The provider for this process."""
    return choose(OWN)


def foreign() -> Provider:
    """The provider for other processes."""
    return choose(FOREIGN)


def link_all(records: list[OpenDescriptor]) -> None:
    """Give records of several processes, still unseen by any caller, the peers found across them."""
    if any(record.socket is not None and record.socket.family == "AF_UNIX" for record in records):
        from samesock.fdtable import sock_diag

        try:
            link(records, sock_diag.unix_rows())
            return
        except OSError:
            pass
    link(records, {})
