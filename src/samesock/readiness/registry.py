"""The keys of a selector: who is registered, for what, and what becomes of a key whose object is closed.

The rules are those of `selectors.BaseSelector`, and one more: a key whose object was closed does not stand in the way
of a new object with the same number. What must never be put here: anything about an operating system.
"""

from __future__ import annotations

import selectors
from collections.abc import Iterator, Mapping
from selectors import EVENT_READ, EVENT_WRITE, SelectorKey
from typing import Any

Identity = int | tuple[str, int]
"""A number; on Windows, where a file and a socket may have the same one, a space and a number."""

FileObject = Any
"""What can be registered: an int, an object with `fileno()`, or a process with `pid` and `poll()`.

The standard library's own name for it (`_typeshed.FileDescriptorLike`) does not know processes.
"""


class Keys(Mapping[FileObject, SelectorKey]):
    """The keys by their objects or numbers; it changes with the selector, and iterating gives the numbers."""

    __slots__ = ("_registry",)

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    def __len__(self) -> int:
        return len(self._registry.keys_by_identity)

    def __getitem__(self, fileobj: FileObject) -> SelectorKey:
        registry = self._registry
        return registry.keys_by_identity[registry.find(fileobj)]

    def __iter__(self) -> Iterator[int]:
        return (key.fd for key in list(self._registry.keys_by_identity.values()))


class Registry(selectors.BaseSelector):
    """A selector without the waiting."""

    def __init__(self) -> None:
        self.keys_by_identity: dict[Identity, SelectorKey] = {}
        self._keys: Keys | None = Keys(self)

    def identify(self, fileobj: FileObject) -> Identity:
        """What the object is known by."""
        raise NotImplementedError

    def number(self, identity: Identity) -> int:
        """The number in an identity."""
        raise NotImplementedError

    def begin(self, identity: Identity, fileobj: FileObject, events: int) -> None:
        """Start to watch."""
        raise NotImplementedError

    def change(self, identity: Identity, events: int) -> None:
        """Watch for other events."""
        raise NotImplementedError

    def end(self, identity: Identity) -> None:
        """Stop watching."""
        raise NotImplementedError

    def known(self, fileobj: FileObject) -> Identity:
        """The identity that a registered object has; `KeyError` or `ValueError` if it cannot be told."""
        return self.identify(fileobj)

    def find(self, fileobj: FileObject) -> Identity:
        """The identity under which the object is registered, even if it is closed by now; else `KeyError`."""
        try:
            identity = self.known(fileobj)
        except (ValueError, OSError):
            # Closed, or a process: known by what it is, and not by a number.
            for identity, key in self.keys_by_identity.items():
                if key.fileobj is fileobj:
                    return identity
        else:
            if identity in self.keys_by_identity:
                return identity
        raise KeyError(f"{fileobj!r} is not registered")

    def register(self, fileobj: FileObject, events: int, data: Any = None) -> SelectorKey:
        """Watch `fileobj` for `events`; see `samesock.selectors.DefaultSelector`."""
        self.check(events)
        identity = self.identify(fileobj)
        old = self.keys_by_identity.get(identity)
        if old is not None:
            if old.fileobj is fileobj or not has_gone(old):
                raise KeyError(f"{fileobj!r} (FD {old.fd}) is already registered")
            self._forget(identity)
        return self.add(identity, fileobj, events, data)

    def add(self, identity: Identity, fileobj: FileObject, events: int, data: Any) -> SelectorKey:
        """Make the key, and begin. In this order: another thread's wait may tell of it before `begin` returns."""
        key = SelectorKey(fileobj, self.number(identity), events, data)
        self.keys_by_identity[identity] = key
        try:
            self.begin(identity, fileobj, events)
        except BaseException:
            del self.keys_by_identity[identity]
            raise
        return key

    def unregister(self, fileobj: FileObject) -> SelectorKey:
        """Stop watching `fileobj`, which may be closed already; `KeyError` if it is not registered."""
        return self._forget(self.find(fileobj))

    def modify(self, fileobj: FileObject, events: int, data: Any = None) -> SelectorKey:
        """Watch for other events, or with other data, from now on; `KeyError` if it is not registered."""
        self.check(events)
        identity = self.find(fileobj)
        old = self.keys_by_identity[identity]
        key = old._replace(events=events, data=data)
        self.keys_by_identity[identity] = key
        try:
            self.change(identity, events)
        except BaseException:
            self.keys_by_identity[identity] = old
            raise
        return key

    def select(self, timeout: float | None = None) -> list[tuple[SelectorKey, int]]:
        """Wait; see `samesock.selectors.DefaultSelector`."""
        raise NotImplementedError

    def get_key(self, fileobj: FileObject) -> SelectorKey:
        """The key of a registered object; `KeyError` if it is not registered, `RuntimeError` once closed."""
        return super().get_key(fileobj)

    def get_map(self) -> Mapping[FileObject, SelectorKey]:
        """The keys by object or number; None once the selector is closed."""
        # The standard library's selectors do the same, and BaseSelector.get_key relies on it.
        return self._keys  # type: ignore[return-value]

    def close(self) -> None:
        """Let go of everything; nothing that was registered is closed."""
        self.keys_by_identity.clear()
        self._keys = None

    def _forget(self, identity: Identity) -> SelectorKey:
        key = self.keys_by_identity.pop(identity)
        self.end(identity)
        return key

    def check(self, events: int) -> None:
        """`ValueError` for events that there are not, `RuntimeError` once closed."""
        if self._keys is None:
            raise RuntimeError("Selector is closed")
        if not events or events & ~(EVENT_READ | EVENT_WRITE):
            raise ValueError(f"Invalid events: {events!r}")


def has_gone(key: SelectorKey) -> bool:
    """Whether the key's object tells that it is closed: its number is another one now, or none."""
    fileno = getattr(key.fileobj, "fileno", None)
    if fileno is None:
        return False
    try:
        return bool(fileno() != key.fd)
    except (OSError, ValueError):
        return True
