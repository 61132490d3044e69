"""Which child processes hold what this process opened: asked only after one was started.

A listener that is closed here and open in a child keeps its port busy, and nothing in this process shows
it. What must never be put here: the children's other descriptors, which are their own business.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass

from samesock.fdtable import Identity, Key, keys, processes
from samesock.fdtable.model import OpenDescriptor
from samesock.leaks.known import attribute
from samesock.leaks.looking import look

HELPERS = (
    ("multiprocessing.resource_tracker", "_resource_tracker._pid"),
    ("multiprocessing.forkserver", "_forkserver._forkserver_pid"),
)
"""Where multiprocessing keeps the process numbers of its lasting helpers."""


@dataclass(slots=True)
class Held:
    """A descriptor of this process, as it was when a child was started, that the child still has."""

    key: Key
    identity: Identity
    record: OpenDescriptor
    pid: int
    number: int
    command: str


class Spawns:
    """What was open whenever this process started another."""

    def __init__(self) -> None:
        self.seen: dict[Key, tuple[Identity, OpenDescriptor]] = {}
        self.base: dict[Key, Identity] = {}

    def begin(self, base: dict[Key, Identity]) -> None:
        """A new piece of program begins, with these open."""
        self.base = base
        self.seen = {}

    def note(self) -> None:
        """A child is about to be started: remember what it might inherit and was not open before."""
        for key, identity in keys().items():
            if self.base.get(key) != identity and key[1] > 2:
                self.seen[key] = (identity, look(key, identity))


def any_children() -> bool:
    """Whether this process has a child at all, without reaping it: 1 us."""
    if sys.platform == "win32" or not hasattr(os, "waitid"):
        return True
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    except OSError:
        return True
    return True


def helper_pids() -> set[int]:
    """The processes that multiprocessing keeps for itself."""
    found = {attribute(sys.modules.get(module), path) for module, path in HELPERS}
    return {pid for pid in found if isinstance(pid, int)}


def held_by_children(spawns: Spawns) -> list[Held]:
    """What the children hold of the descriptors that were open when they were started.

    Standard input, output and error do not count: they are what a child is given on purpose.
    """
    if not spawns.seen or not any_children():
        return []
    psutil = processes.library()
    held: list[Held] = []
    helpers = helper_pids()
    by_identity = {identity: (key, record) for key, (identity, record) in spawns.seen.items()}
    for child in psutil.Process().children(recursive=True):
        if child.pid in helpers:
            continue
        for number, identity in _descriptors_of(child.pid).items():
            known = by_identity.get(identity)
            if known is not None and number > 2:
                command = _command_of(child)
                held.append(Held(known[0], identity, known[1], child.pid, number, command))
    return held


def _descriptors_of(pid: int) -> dict[int, Identity]:
    """A child's descriptors by number, with the same identities as this process's own; {} where they cannot
    be read."""
    found: dict[int, Identity] = {}
    folder = f"/proc/{pid}/fd"
    try:
        names = os.listdir(folder)
    except OSError:
        return found
    for name in names:
        try:
            seen = os.stat(f"{folder}/{name}")
        except OSError:
            continue
        found[int(name)] = (seen.st_dev, seen.st_ino, seen.st_mode & 0o170000)
    return found


def _command_of(child: object) -> str:
    psutil = processes.library()
    if not isinstance(child, psutil.Process):
        return ""
    try:
        words = " ".join(child.cmdline())
    except psutil.Error:
        return ""
    return words if len(words) <= 60 else words[:57] + "..."
