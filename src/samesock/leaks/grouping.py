"""Which leaked descriptors are one mistake: a pair, the pipes of a process, the insides of an event loop.

What must never be put here: whether anything is a leak.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from samesock.fdtable import Key
from samesock.fdtable.model import OpenDescriptor
from samesock.leaks.findings import Member
from samesock.leaks.owners import Claims, Group


@dataclass(slots=True)
class Cluster:
    """Descriptors that belong together, and what to call them; the title is empty for a single one."""

    members: list[Member] = field(default_factory=list)
    title: str = ""
    fix: str = ""
    owner: object | None = None


def group(members: list[Member], claims: Claims) -> list[Cluster]:
    """Every member in exactly one cluster, in the order of their numbers."""
    parent: dict[Key, Key] = {member.key: member.key for member in members}

    def root(key: Key) -> Key:
        while parent[key] != key:
            key = parent[key]
        return key

    def join(one: Key, other: Key) -> None:
        first, second = sorted((root(one), root(other)))
        parent[second] = first

    named: dict[Key, Group] = {}
    for found in _outermost(claims.groups):
        inside = sorted(key for key in found.keys if key in parent)
        for key in inside:
            join(inside[0], key)
            named.setdefault(key, found)
    for one, other in _pairs(members):
        if one.key not in named and other.key not in named:
            join(one.key, other.key)
    clusters: dict[Key, Cluster] = {}
    for member in sorted(members, key=lambda member: member.key):
        clusters.setdefault(root(member.key), Cluster()).members.append(member)
    for cluster in clusters.values():
        holder = next((named[member.key] for member in cluster.members if member.key in named), None)
        if holder is not None:
            cluster.title, cluster.fix, cluster.owner = holder.title, holder.fix, holder.owner
        elif len(cluster.members) > 1:
            cluster.title = _pair_title(cluster.members)
    return list(clusters.values())


def _outermost(groups: list[Group]) -> list[Group]:
    """Bigger groups first, so that a loop's selector does not stand beside its loop."""
    return sorted(groups, key=lambda found: -len(found.keys))


def _pairs(members: list[Member]) -> list[tuple[Member, Member]]:
    return [
        (one, other)
        for at, one in enumerate(members)
        for other in members[at + 1 :]
        if _same_call(one, other) or are_ends(one.record, other.record)
    ]


def _same_call(one: Member, other: Member) -> bool:
    """Whether one call returned both, as pipe and openpty do."""
    return one.origin is not None and one.origin is other.origin


def are_ends(one: OpenDescriptor, other: OpenDescriptor) -> bool:
    """Whether two descriptors are the two ends of one thing in one process."""
    if one.kind != other.kind and {one.kind, other.kind} != {"tty", "char"}:
        return False
    if one.peer is not None and one.peer.number == other.number and not one.peer.pending:
        return one.peer.pid in (None, -1, other.pid)
    if one.kind == "pipe":
        # A pipe's two ends are one object to the kernel; so are two duplicates of one end, which is no pair.
        return one.identity == other.identity and one.access != other.access
    first, second = one.socket, other.socket
    if first is None or second is None or first.local is None or first.remote is None:
        return False
    return first.local == second.remote and first.remote == second.local and bool(first.local)


def _pair_title(members: list[Member]) -> str:
    records = [member.record for member in members]
    kinds = {record.kind for record in records}
    if kinds in ({"pipe"}, {"other"}):
        return "pipe, both ends open"
    if kinds <= {"tty", "char"}:
        return "pseudo-terminal, both ends open"
    if kinds == {"socket"} and len(records) == 2:
        info = records[0].socket
        if info is not None and info.family == "AF_UNIX":
            return "socket pair, both ends open"
        return "connection, both ends in this process"
    return f"{len(records)} descriptors opened together"
