"""Who is at the other end, from what the kernel's tables say of a TCP connection.

The claim in a hello is believed only as a claim; the table's answer is believed as the table's. What must never be
put here: a decision about what somebody may do.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from samesock.backend import NO_UID, Owner, system
from samesock.unix import PeerCred

if TYPE_CHECKING:
    from samesock.unix.adoption import State


def of_emulated(state: State) -> PeerCred:
    """The peer of a connected emulated socket; all unknown for one that is not connected."""
    if state.role != "connected" or state.local is None or state.remote is None:
        return PeerCred(None, None, None, None, "claimed")
    owner = system.connection_owner(state.remote, state.local)
    if state.claim is None:
        claimed = state.peer_record[0] if state.peer_record else None
        if owner is None or not (owner.inode or owner.pid):
            # Not accepted yet, so its end belongs to nobody: ask for the listener.
            owner = system.listener_owner(state.remote[1])
    else:
        claimed = state.claim[0]
    return _judged(owner, claimed)


def _judged(owner: Owner | None, claimed: int | None) -> PeerCred:
    if owner is None or (owner.uid is None and owner.sid is None and owner.pid is None):
        return PeerCred(claimed, None, None, None, "claimed")
    pid = owner.pid
    if pid is None and claimed is not None and owner.inode and system.has_socket(claimed, owner.inode):
        pid = claimed
    return PeerCred(pid, None if owner.uid == NO_UID else owner.uid, None, owner.sid, "table")
