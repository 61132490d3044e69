"""Which descriptor is the other end of which: pure, over records that are already there.

What must never be put here: a question to the system. A peer outside the snapshot is the providers' business.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping

from samesock.fdtable import drafting
from samesock.fdtable.model import Address, OpenDescriptor
from samesock.fdtable.sock_diag import UnixRow

_WITH_ENDS = frozenset(("socket", "pipe", "fifo", "tty"))
_OTHER_END = {"server end": "client end", "client end": "server end"}
_MASTER = "master of "


def _plain(address: Address) -> Address:
    """An address without the IPv6 clothes of an IPv4 one, so that both ends of a connection compare."""
    if isinstance(address, tuple) and isinstance(address[0], str) and address[0].startswith("::ffff:"):
        return (address[0][7:], *address[1:])
    return address


def _ends(
    one: OpenDescriptor, unix: Mapping[int, UnixRow], queues: Mapping[int, int]
) -> tuple[Hashable, Hashable]:
    """What the record is found under, and what its other end is; `None` for what is not known or has no
    end.
    """
    info = one.socket
    if info is not None and info.family == "AF_UNIX":
        inode = one.identity[1] if len(one.identity) > 1 else 0
        if not isinstance(inode, int):
            return None, None
        row = unix.get(inode)
        other = row.peer if row is not None and row.peer else queues.get(inode, 0)
        return ("unix", inode), ("unix", other) if other else None
    if info is not None and info.local is not None and info.remote is not None:
        local, remote = info.local, info.remote
        if info.family == "AF_INET6":
            local, remote = _plain(local), _plain(remote)
        return (local, remote, info.protocol), (remote, local, info.protocol)
    if one.kind == "pipe":
        # A Windows pipe's two ends are two objects with one name; elsewhere they are one object.
        pipe: Hashable = one.identity if one.space == "fd" and one.path is None else one.path
        return (pipe, one.access), (pipe, "w" if one.access == "r" else "r")
    if one.kind == "fifo" and one.detail in _OTHER_END:
        return (one.path, one.detail), (one.path, _OTHER_END[one.detail])
    if one.kind == "tty" and one.detail.startswith(_MASTER):
        return one.detail, one.detail[len(_MASTER) :]
    if one.kind == "tty" and one.path is not None:
        return one.path, _MASTER + one.path
    return None, None


Ends = dict[tuple[int, int], tuple[Hashable, Hashable]]
"""By process and number, for kernels that name both ends of an object: what it is, and what its other end
is.
"""


def link(records: list[OpenDescriptor], unix: Mapping[int, UnixRow], told: Ends | None = None) -> None:
    """Give `records`, still unseen by any caller, the peers among them; `unix` is the kernel's table by
    inode.

    Connected AF_UNIX sockets by their inodes (a client that still waits in a backlog gets the listener,
    `pending`), IP connections by their two addresses, pipes by their inode and opposite access, terminals by
    their number. Of several duplicates the one in the same process with the lowest number is named.
    """
    queues = {client: inode for inode, row in unix.items() for client in row.waiting}
    found: dict[Hashable, list[OpenDescriptor]] = {}
    wanting: list[tuple[OpenDescriptor, Hashable]] = []
    for one in records:
        if one.kind not in _WITH_ENDS:
            continue
        ends = told.get((one.pid, one.number)) if told else None
        mine, other = _ends(one, unix, queues) if ends is None else ends
        if mine is not None:
            found.setdefault(mine, []).append(one)
        if other is not None and other != mine:
            wanting.append((one, other))
    for one, other in wanting:
        candidates = found.get(other)
        if candidates is None:
            continue
        best = (
            candidates[0] if len(candidates) == 1 else min(candidates, key=lambda peer: _nearness(peer, one))
        )
        pending = best.socket is not None and best.socket.listening is True
        # The records are ours alone until we return them; `dataclasses.replace` takes 24 us for each, a
        # quarter of a snapshot of 10,000.
        object.__setattr__(one, "peer", drafting.peer(best.number, best.pid, best.space, pending))


def _nearness(peer: OpenDescriptor, one: OpenDescriptor) -> tuple[bool, int, int]:
    return (peer.pid != one.pid, peer.pid, peer.number)
