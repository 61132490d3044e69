"""The fixture `fd_snapshot`: a test's own look at what it has opened and closed.

What must never be put here: judgement; a test that asks decides for itself.
"""

from __future__ import annotations

from samesock.fdtable import Identity, Key, keys
from samesock.fdtable.model import OpenDescriptor
from samesock.leaks.looking import look
from samesock.leaks.policies import appeared, vanished


class FdSnapshot:
    """The descriptors that were open at one moment, and what has changed since."""

    def __init__(self) -> None:
        self._before = keys()

    def reset(self) -> None:
        """Compare with this moment from now on."""
        self._before = keys()

    def opened(self) -> list[OpenDescriptor]:
        """What is open now and was not then, or was something else, by number."""
        return [look(key, identity) for key, identity in sorted(appeared(self._before, keys()).items())]

    def closed(self) -> dict[Key, Identity]:
        """What was open then and is not now, or is something else."""
        return vanished(self._before, keys())
