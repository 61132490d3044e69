"""From an argument to a descriptor: POSIX has one table, so the number is all.

What must never be put here: an operation.
"""

from __future__ import annotations

from samesock.fd.descriptor import Descriptor, Thing, number_of


def resolve(thing: Thing, tried: str) -> Descriptor:
    """The descriptor; `EBADF` for an object that is closed and a number that none can have.

    Whether a number is open is left to the call that follows: asked before, it would be another's answer.
    """
    return Descriptor(number_of(thing, tried), "fd")
