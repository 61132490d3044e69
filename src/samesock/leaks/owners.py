"""Which Python objects own a descriptor, and what keeps those objects alive.

Asked only when a finding is there: it walks every object that the collector tracks (about 20 ms for
300,000). What must never be put here: which of this is a leak.
"""

from __future__ import annotations

import gc
import io
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from types import CellType, CodeType, CoroutineType, FrameType, GeneratorType, MethodType, ModuleType
from typing import Any

from samesock.fdtable import Key, Space

FD: Space = "fd"
SOCKET: Space = "socket" if sys.platform == "win32" else "fd"
HANDLE: Space = "handle" if sys.platform == "win32" else "fd"

LOOP_TITLE = "event loop, not closed"

HOPS = 3
"""How far from the object a name is looked for: object, its holder's dictionary, the holder, the holder's
holder."""


@dataclass(slots=True)
class Group:
    """Descriptors that one object opened for itself, and that one call gives back together."""

    title: str
    owner: object
    keys: frozenset[Key]
    fix: str


@dataclass(slots=True)
class Claims:
    """Who says that a number is theirs: the objects by descriptor, outermost wrapper last, and the groups."""

    by_key: dict[Key, list[object]] = field(default_factory=dict)
    groups: list[Group] = field(default_factory=list)

    def owner(self, key: Key) -> object | None:
        """The object nearest to the program (a text file rather than the raw file below it)."""
        found = self.by_key.get(key)
        return max(found, key=_nearness) if found else None

    def several(self, key: Key) -> bool:
        """Whether two unrelated objects claim the number: one of them is wrong."""
        return len({id(_core(owner)) for owner in self.by_key.get(key, ())}) > 1


def _nearness(owner: object) -> int:
    if isinstance(owner, io.TextIOBase):
        return 2
    return 0 if isinstance(owner, io.RawIOBase) else 1


def _core(owner: object) -> object:
    """The raw object below wrappers, so that a file and its buffer count as one."""
    for name in ("buffer", "raw"):
        try:
            owner = getattr(owner, name, owner)
        except ValueError:  # a detached buffer
            return owner
    return owner


def _ask(owner: Any) -> int | None:
    """An object's number; `None` when it is closed, broken or has none."""
    try:
        number = owner.fileno()
    except Exception:  # noqa: BLE001 - a stranger's method: whatever it raises means that it claims nothing
        return None
    return number if isinstance(number, int) and number >= 0 else None


def _number_at(owner: object, *path: str) -> int | None:
    """The number kept in a private attribute, or of the object that is kept there."""
    value: Any = owner
    for name in path:
        value = getattr(value, name, None)
    if isinstance(value, int):
        return value if value >= 0 else None
    return _ask(value) if value is not None else None


def _class(module: str, name: str) -> type | None:
    """A class of a module that is loaded already: what was never imported owns nothing."""
    found = getattr(sys.modules.get(module), name, None)
    return found if isinstance(found, type) else None


def _claim_simple(space: Space) -> Callable[[Claims, object], None]:
    def claim(claims: Claims, owner: object) -> None:
        number = _ask(owner)
        if number is not None:
            claims.by_key.setdefault((space, number), []).append(owner)

    return claim


def _claim_connection(claims: Claims, owner: object) -> None:
    number = _number_at(owner, "_handle")
    if number is not None:
        claims.by_key.setdefault((HANDLE, number), []).append(owner)


def _claim_process(claims: Claims, owner: Any) -> None:
    names = [name for name in ("stdin", "stdout", "stderr") if getattr(owner, name, None) is not None]
    keys = {(FD, number) for name in names if (number := _number_at(owner, name)) is not None}
    if keys:
        title = f"{', '.join(names)} of a process ({_command(owner)}, pid {getattr(owner, 'pid', '?')})"
        fix = "use `with subprocess.Popen(...)`, or communicate() and wait()"
        claims.groups.append(Group(title, owner, frozenset(keys), fix))


def _command(process: object) -> str:
    words = getattr(process, "args", "")
    text = (
        words if isinstance(words, str) else " ".join(map(str, words)) if isinstance(words, Iterable) else "?"
    )
    return text if len(text) <= 40 else text[:37] + "..."


def _claim_worker(claims: Claims, owner: Any) -> None:
    """multiprocessing's handle on a process: its sentinel, and what its finalizer will close."""
    numbers = [_number_at(owner, "sentinel")]
    arguments = getattr(getattr(owner, "finalizer", None), "_args", None)
    numbers += list(arguments) if isinstance(arguments, tuple) else []
    keys: set[Key] = {(HANDLE, number) for number in numbers if isinstance(number, int) and number >= 0}
    if keys:
        title = f"multiprocessing.Process, pid {getattr(owner, 'pid', '?')}"
        claims.groups.append(Group(title, owner, frozenset(keys), "join() the process, then close() it"))
        for key in keys:
            claims.by_key.setdefault(key, []).append(owner)


def loop_keys(loop: object) -> frozenset[Key]:
    """What an event loop opened for itself: its selector, and the pair of sockets that wakes it."""
    numbers = {(FD, _number_at(loop, "_selector"))}
    numbers |= {(SOCKET, _number_at(loop, name)) for name in ("_ssock", "_csock")}
    return frozenset((space, number) for space, number in numbers if number is not None)


def _claim_loop(claims: Claims, owner: Any) -> None:
    keys = loop_keys(owner)
    if keys:
        fix = "call loop.close(), or use asyncio.run() or asyncio.Runner"
        claims.groups.append(Group(LOOP_TITLE, owner, keys, fix))


def _claimers() -> list[tuple[type, Callable[[Claims, object], None]]]:
    """What each class says of the numbers it owns, for the classes that are loaded."""
    named = [
        (_class("_socket", "socket"), _claim_simple(SOCKET)),
        (_class("selectors", "BaseSelector"), _claim_simple(FD)),
        (_class("multiprocessing.connection", "_ConnectionBase"), _claim_connection),
        (_class("subprocess", "Popen"), _claim_process),
        (_class("multiprocessing.popen_fork", "Popen"), _claim_worker),
        (_class("multiprocessing.popen_spawn_win32", "Popen"), _claim_worker),
        (_class("asyncio.base_events", "BaseEventLoop"), _claim_loop),
    ]
    claimers = [(io.IOBase, _claim_simple(FD))]
    return [(known, claim) for known, claim in named if known is not None] + claimers


def find_claims() -> Claims:
    """Ask every living object of the classes that own descriptors."""
    claims = Claims()
    claimers = _claimers()
    chosen: dict[type, Callable[[Claims, object], None] | None] = {}
    for thing in gc.get_objects():
        made_by = type(thing)
        if made_by not in chosen:
            chosen[made_by] = next((claim for known, claim in claimers if issubclass(made_by, known)), None)
        claim = chosen[made_by]
        if claim is not None and not isinstance(thing, _is_socket_io):
            claim(claims, thing)
    return claims


_is_socket_io = _class("socket", "SocketIO") or ()


def describe_owner(owner: object) -> str:
    """An object in a few words: its class and its number."""
    made_by = type(owner)
    name = (
        made_by.__qualname__
        if made_by.__module__ == "builtins"
        else f"{made_by.__module__}.{made_by.__qualname__}"
    )
    number = _ask(owner)
    if number is None:
        number = _number_at(owner, "_handle")
    return f"<{name}{'' if number is None else f' fd={number}'}>"


def held_by(owner: object) -> str:
    """What keeps `owner` alive, by the nearest name: "Client._old_sock", "app.wake.WAKERS"; "" when none is
    found."""
    seen: set[int] = {id(owner)}
    edge: list[object] = [owner]
    for _ in range(HOPS):
        following: list[object] = []
        for thing in edge:
            for holder in gc.get_referrers(thing):
                if id(holder) in seen or holder is edge or holder is following or _is_ours(holder):
                    continue
                seen.add(id(holder))
                name = _name_in(holder, thing)
                if name:
                    return name
                if not isinstance(holder, CodeType | ModuleType) and len(following) < 50:
                    following.append(holder)
        edge = following
    return ""


def _is_ours(holder: object) -> bool:
    """Whether this checker itself holds it: its frames and its records say nothing about the program."""
    if isinstance(holder, FrameType):
        return str(holder.f_globals.get("__name__", "")).startswith(_OURS)
    return type(holder).__module__.startswith(_OURS)


_OURS = ("samesock.leaks", "samesock.pytest_plugin")


def _name_in(holder: object, thing: object) -> str:
    """How `holder` calls `thing`, when it has a name for it."""
    if isinstance(holder, dict):
        return _name_in_dict(holder, thing)
    if isinstance(holder, FrameType):
        name = next((name for name, value in holder.f_locals.items() if value is thing), None)
        return f"{name} in {holder.f_code.co_name}()" if name else ""
    if isinstance(holder, GeneratorType | CoroutineType):
        return f"a suspended call of {holder.__qualname__}()"
    if isinstance(holder, CellType | MethodType | list | tuple | set | io.IOBase):
        return ""
    name = next((name for name in _attributes(type(holder)) if _is_at(holder, name, thing)), None)
    return f"{type(holder).__qualname__}.{name}" if name else ""


def _attributes(made_by: type) -> list[str]:
    """The names of slots; instances without a dictionary of their own keep their values there."""
    names: list[str] = []
    for base in made_by.__mro__:
        slots = base.__dict__.get("__slots__", ())
        names += [slots] if isinstance(slots, str) else list(slots)
    return names


def _is_at(holder: object, name: str, thing: object) -> bool:
    try:
        return getattr(holder, name, None) is thing
    except Exception:  # noqa: BLE001 - a stranger's property
        return False


def _name_in_dict(holder: dict[Any, Any], thing: object) -> str:
    key = next((key for key, value in holder.items() if value is thing), None)
    if not isinstance(key, str):
        return ""
    for module in list(sys.modules.values()):
        if getattr(module, "__dict__", None) is holder:
            return f"{module.__name__}.{key}"
    for instance in gc.get_referrers(holder):
        if (
            getattr(instance, "__dict__", None) is holder
            and not isinstance(instance, type)
            and not _is_ours(instance)
        ):
            return f"{type(instance).__qualname__}.{key}"
    return ""
