"""What changed between two snapshots: pure.

A descriptor is (process, space, number, identity): an equal number with another identity is a replacement,
not the same descriptor. What must never be put here: waiting, or taking a snapshot.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields

from samesock.fdtable.model import OpenDescriptor
from samesock.fdtable.words import Space

# Fields that may differ between two looks at one unchanged object: who holds it in Python, which source
# answered.
_NOT_COMPARED = frozenset(("owner", "origin", "source", "partial", "identity", "detail"))


@dataclass(frozen=True, slots=True)
class Replaced:
    """One number, two objects: the first was closed and its number taken by the second."""

    before: OpenDescriptor
    after: OpenDescriptor


@dataclass(frozen=True, slots=True)
class Changed:
    """One object of which `fields` changed: a socket that connected, a descriptor made inheritable."""

    before: OpenDescriptor
    after: OpenDescriptor
    fields: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Difference:
    """What happened between two snapshots. False when nothing did."""

    opened: tuple[OpenDescriptor, ...] = ()
    closed: tuple[OpenDescriptor, ...] = ()
    replaced: tuple[Replaced, ...] = ()
    changed: tuple[Changed, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.opened or self.closed or self.replaced or self.changed)

    def __str__(self) -> str:
        from samesock.fdtable import plain

        return plain.difference(self)


def _by_key(records: Iterable[OpenDescriptor]) -> dict[tuple[object, ...], OpenDescriptor]:
    """Records by process, space and number; those without a number by their identity, and counted."""
    found: dict[tuple[object, ...], OpenDescriptor] = {}
    for one in records:
        key: tuple[object, ...] = (one.pid, one.space, one.number)
        if one.number < 0:
            copy = 0
            while (*key, one.identity, copy) in found:
                copy += 1
            key = (*key, one.identity, copy)
        found[key] = one
    return found


def changed_fields(before: OpenDescriptor, after: OpenDescriptor) -> tuple[str, ...]:
    """The names of the fields in which two records of one object differ; a socket's as "socket.state"."""
    names = []
    for one in fields(OpenDescriptor):
        old, new = getattr(before, one.name), getattr(after, one.name)
        if one.name in _NOT_COMPARED or old == new:
            continue
        if one.name == "socket" and before.socket is not None and after.socket is not None:
            inner = fields(before.socket)
            names += [
                f"socket.{part.name}"
                for part in inner
                if getattr(before.socket, part.name) != getattr(after.socket, part.name)
            ]
        else:
            names.append(one.name)
    return tuple(names)


def diff(before: Iterable[OpenDescriptor], after: Iterable[OpenDescriptor]) -> Difference:
    """What was opened, closed, replaced and changed from `before` to `after` (snapshots, or any records).

    Number reuse is seen: `close(5)` and an `open` that gets 5 again is one `Replaced`. Where the system has
    no identity that outlives an object (see `keys`), a reuse for an equal object looks like no change.

    Portability: native everywhere.
    """
    old, new = _by_key(before), _by_key(after)
    replaced, changed = [], []
    for key, earlier in old.items():
        later = new.get(key)
        if later is None:
            continue
        if earlier.identity != later.identity:
            replaced.append(Replaced(earlier, later))
            continue
        names = changed_fields(earlier, later)
        if names:
            changed.append(Changed(earlier, later, names))
    return Difference(
        tuple(one for key, one in new.items() if key not in old),
        tuple(one for key, one in old.items() if key not in new),
        tuple(replaced),
        tuple(changed),
    )


def space_of(thing: object) -> Space | None:
    """The space that an object says its number belongs to (`samesock.fd.Descriptor` does); `None` if it is
    silent.
    """
    space = getattr(thing, "space", None)
    return space if space in ("fd", "socket", "handle") else None
