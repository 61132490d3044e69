"""Descriptors that a library opens once, when it is first needed, and keeps: known by identity, never by
pattern.

Each is read from the very variable in which its library keeps the number, at the moment that a difference
is examined. What must never be put here: a rule by path, name or kind; those hide leaks.
"""

from __future__ import annotations

import sys
from typing import NamedTuple

from samesock.fdtable import Identity, Key, describe
from samesock.fdtable.current_directory import current_directory_handle
from samesock.leaks import recording
from samesock.leaks.owners import FD, HANDLE, SOCKET, loop_keys


class Place(NamedTuple):
    """A variable: the module, the path of attributes in it, and what its descriptor is to a reader."""

    module: str
    path: str
    what: str


PLACES = (
    Place("multiprocessing.resource_tracker", "_resource_tracker._fd", "multiprocessing's resource tracker"),
    Place("multiprocessing.forkserver", "_forkserver._forkserver_alive_fd", "multiprocessing's fork server"),
    Place(
        "multiprocessing.resource_sharer",
        "_resource_sharer._listener._listener._socket",
        "multiprocessing's resource sharer",
    ),
    # Where a loop has no add_reader (a Proactor), anyio waits for all sockets in one thread of the process's.
    *(
        Place("anyio._core._asyncio_selector_thread", f"_selector.{name}", "anyio's selector thread")
        for name in ("_send", "_receive", "_selector")
    ),
)
"""Seen kept by CPython 3.10 to 3.13, and by anyio 4.16. Not kept, and so not here: urandom, ssl, getaddrinfo, zoneinfo,
sqlite3."""

SPACES = (FD, SOCKET, HANDLE)


def attribute(root: object, path: str) -> object:
    """`root.a.b.c`, or `None` where the path ends early."""
    value: object = root
    for name in path.split("."):
        value = getattr(value, name, None)
        if value is None:
            return None
    return value


def number_of(value: object) -> int | None:
    """A number, or the number of an object that has one; `None` for anything closed."""
    if not isinstance(value, int):
        try:
            value = value.fileno()  # type: ignore[attr-defined]
        except (AttributeError, OSError, ValueError):
            return None
    return value if isinstance(value, int) and value >= 0 else None


def log_handlers() -> tuple[object, ...]:
    """The logging handlers that exist now, as weak references: a handler opens and reopens its file when it
    likes."""
    return tuple(getattr(sys.modules.get("logging"), "_handlerList", ()))


def _sharers_pipes(now: dict[Key, Identity]) -> list[Key]:
    """On Windows the sharer listens at a named pipe, with several handles: one in its queue, one in its thread's own
    variables, which no attribute tells. Its name does."""
    address = attribute(sys.modules.get("multiprocessing.resource_sharer"), "_resource_sharer._address")
    if not isinstance(address, str) or not address.startswith("\\\\.\\pipe"):
        return []
    return [key for key in now if key[0] == HANDLE and _path_of(key[1]) == address]


def _path_of(number: int) -> str | None:
    try:
        return describe(number, HANDLE).path
    except OSError:
        return None  # gone meanwhile


def _default_loop() -> frozenset[Key]:
    """What belongs to the loop that asyncio's policy makes when it is first asked for one, and holds as its default.

    Who asks for that loop is not told to close it (pytest-asyncio asks before the first test; since Python 3.14 none is
    made). A loop that a program makes and gives to the policy is its own to close; without tracing the two look the
    same, and neither counts.
    """
    keys = loop_keys(attribute(sys.modules.get("asyncio.events"), "_event_loop_policy._local._loop"))
    for space, number in keys if recording.active() else ():
        origin = recording.log.by_number.get((space, number))
        if origin is not None and not origin.made_within("asyncio/events.py", "get_event_loop"):
            return frozenset()
    return keys


def known_descriptors(handlers: tuple[object, ...], now: dict[Key, Identity]) -> dict[Key, str]:
    """What is open, by the snapshot `now`, for a library's own lasting use, and for which.

    `handlers` are the logging handlers that existed before the piece of program that is being judged: the
    files of those are not its own, whenever they are opened; those of a handler that it made itself are.
    """
    found: dict[Key, str] = {}
    for place in PLACES:
        number = number_of(attribute(sys.modules.get(place.module), place.path))
        if number is not None:
            found.update({(space, number): place.what for space in SPACES})
    found.update(dict.fromkeys(_sharers_pipes(now), "multiprocessing's resource sharer"))
    found.update(dict.fromkeys(_default_loop(), "asyncio's default event loop"))
    directory = current_directory_handle()
    if directory is not None:
        found[HANDLE, directory] = "the handle on the working directory"
    heap = attribute(sys.modules.get("multiprocessing.heap"), "BufferWrapper._heap._arenas")
    for arena in heap if isinstance(heap, list) else ():
        number = number_of(getattr(arena, "fd", None))
        mark = now.get((FD, number)) if number is not None else None
        # The arena's map keeps a duplicate of the descriptor that no attribute tells: the same file,
        # unlinked.
        found.update({key: "multiprocessing's shared heap" for key, other in now.items() if other == mark})
    for reference in handlers:
        handler = reference() if callable(reference) else None
        stream = getattr(handler, "stream", None) or getattr(handler, "sock", None)
        number = number_of(stream)
        if number is not None:
            found.update(
                {(space, number): "a logging handler that was there before" for space in {FD, SOCKET}}
            )
    return found
