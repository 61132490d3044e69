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


def of_emulated(state: State, number: int) -> PeerCred:
    """The peer of the connected emulated socket `number`; all unknown for one that is not connected."""
    if state.role != "connected" or state.local is None or state.remote is None:
        return PeerCred(None, None, None, None, "claimed")
    owner = system.connection_owner(state.remote, state.local)
    if state.claim is None:
        claimed = state.peer_record[0] if state.peer_record else None
        if owner == Owner():
            # Not accepted yet, so its end belongs to nobody: ask for the listener. If it was accepted meanwhile, the
            # port may have another listener.
            listener = system.listener_owner(state.remote[1])
            owner = system.connection_owner(state.remote, state.local)
            if owner == Owner():
                owner = listener
    else:
        claimed = state.claim[0]
    # After the look: while this end has its connection, TCP lets nobody else have one between the two addresses. Once
    # it is reset, or ended both ways, the next one to bind the peer's port and to connect here has the peer's row.
    if owner is not None and not system.has_connection(number):
        owner = None
    return _judged(owner, claimed)


def _judged(owner: Owner | None, claimed: int | None) -> PeerCred:
    if owner is None or (owner.uid is None and owner.sid is None and owner.pid is None):
        return PeerCred(claimed, None, None, None, "claimed")
    pid = owner.pid
    if pid is None and claimed is not None and owner.inode and system.has_socket(claimed, owner.inode):
        pid = claimed
    return PeerCred(pid, None if owner.uid == NO_UID else owner.uid, None, owner.sid, "table")
