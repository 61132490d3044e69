"""A journal of what was changed in other modules, so that all of it can be undone.

A change is an attribute set, or an action with its reverse. Undoing goes backwards, and leaves alone what somebody
else has changed since. What must never be put here: what is changed.
"""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

_MISSING: Any = object()


class Patches:
    """The changes of one install()."""

    def __init__(self) -> None:
        self._undo: list[Callable[[], object]] = []

    def set(self, owner: ModuleType | type, name: str, value: object) -> None:
        """Set an attribute of a module or a class. `type.__setattr__`: enumerations have their own."""
        before = vars(owner).get(name, _MISSING)
        write, remove = (
            (type.__setattr__, type.__delattr__) if isinstance(owner, type) else (setattr, delattr)
        )
        write(owner, name, value)

        def undo() -> None:
            if vars(owner).get(name, _MISSING) is not value:
                return
            if before is _MISSING:
                remove(owner, name)
            else:
                write(owner, name, before)

        self._undo.append(undo)

    def fill(self, owner: ModuleType | type, name: str, value: object) -> None:
        """Set an attribute only if it is missing."""
        if not hasattr(owner, name):
            self.set(owner, name, value)

    def do(self, action: Callable[[], object], reverse: Callable[[], object]) -> None:
        """Do something, and remember how it is undone."""
        action()
        self._undo.append(reverse)

    def export(self, module: ModuleType, *names: str) -> None:
        """Add names to the module's `__all__`, which is a list or a tuple."""
        exported = vars(module).get("__all__")
        if exported is None:
            return
        new = [name for name in names if name not in exported]
        if isinstance(exported, tuple):
            self.set(module, "__all__", (*exported, *new))
        else:
            self.append(exported, *new)

    def append(self, names: list[str], *new: str) -> None:
        """Append to a list that others may change, too."""

        def undo() -> None:
            for name in new:
                if name in names:
                    names.remove(name)

        self.do(lambda: names.extend(new), undo)

    def undo(self) -> None:
        """Undo everything, the last change first."""
        while self._undo:
            self._undo.pop()()
