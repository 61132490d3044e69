"""A snapshot: the records of one process, or of several, at one moment, and how to look things up in it.

What must never be put here: how the records are got (`taking`), or how they are shown (`plain`, `coloured`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from samesock.fdtable.model import Address, OpenDescriptor
from samesock.fdtable.words import Kind, Space


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What was open: iterate it, measure it, ask it.

    `taken` is in seconds since the epoch, `platform` is `sys.platform`'s word. `pids` names every process
    that was looked into. `notes` says what is missing altogether and why: a child that may not be read, a
    source that failed.
    """

    pids: tuple[int, ...]
    descriptors: tuple[OpenDescriptor, ...]
    taken: float
    platform: str
    sources: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def __iter__(self) -> Iterator[OpenDescriptor]:
        return iter(self.descriptors)

    def __len__(self) -> int:
        return len(self.descriptors)

    def __str__(self) -> str:
        from samesock.fdtable import plain

        return plain.table(self)

    @property
    def sockets(self) -> tuple[OpenDescriptor, ...]:
        """The records that are sockets."""
        return self.by_kind("socket")

    def by_kind(self, kind: Kind) -> tuple[OpenDescriptor, ...]:
        """The records of one kind."""
        return tuple(one for one in self.descriptors if one.kind == kind)

    def get(self, number: int, space: Space | None = None, pid: int | None = None) -> OpenDescriptor | None:
        """The record of `number`, in the first process and space that has it unless they are given."""
        for one in self.descriptors:
            if one.number == number and space in (None, one.space) and pid in (None, one.pid):
                return one
        return None

    def find(
        self,
        *,
        path: str | None = None,
        local: Address | None = None,
        remote: Address | None = None,
        family: str | None = None,
    ) -> tuple[OpenDescriptor, ...]:
        """The records that have all that is given: a path, a socket's local or remote address, its family."""
        found = []
        for one in self.descriptors:
            info = one.socket
            if path is not None and one.path != path:
                continue
            if local is not None and (info is None or info.local != local):
                continue
            if remote is not None and (info is None or info.remote != remote):
                continue
            if family is not None and (info is None or info.family != family):
                continue
            found.append(one)
        return tuple(found)

    def to_json(self, indent: int | None = None) -> str:
        """The snapshot as JSON, in the documented schema; `indent` as for `json.dumps`."""
        from samesock.fdtable import json_form

        return json_form.dumps(self, indent)
