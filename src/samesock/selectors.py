"""One wait for sockets, pipes, FIFOs, terminals, files and processes: `DefaultSelector`, and `wait()`.

It stands where the standard library's `selectors` stands: `from samesock import selectors`. This file holds the names
and their promises; the pollers are in `readiness/`. What must never be put here: how any system waits.
"""

from __future__ import annotations

import select as _select
import sys
from collections.abc import Iterable, Mapping
from selectors import EVENT_READ, EVENT_WRITE, BaseSelector, SelectorKey
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from samesock.readiness.registry import Registry as _Poller
elif sys.platform == "win32":
    from samesock.readiness.completion import CompletionSelector as _Poller
elif hasattr(_select, "epoll"):
    from samesock.readiness.epoll import EpollSelector as _Poller
elif hasattr(_select, "kqueue"):
    from samesock.readiness.kqueue import KqueueSelector as _Poller
else:
    from samesock.readiness.poll import PollSelector as _Poller

__all__ = ["EVENT_READ", "EVENT_WRITE", "BaseSelector", "DefaultSelector", "SelectorKey", "wait"]

_Object = TypeVar("_Object")


class DefaultSelector(_Poller):
    """A `selectors.BaseSelector` for everything that has a number, on every platform; asyncio takes it, too.

    `register(fileobj, events, data=None)` takes a socket of any kind, either end of a pipe, a FIFO, a terminal, a
    regular file (always ready), a plain number, and a `subprocess.Popen` (`EVENT_READ` alone: ready when the process
    has ended; it is not reaped). On Windows a plain number is a socket's if such a socket is open, else a C
    descriptor's; an `int` with an attribute `space` ("socket", "fd" or "handle") says which.

    Readiness is level-triggered: `select()` tells of a thing as long as it is so. Readable is what can be read
    without blocking, and the end of a stream, and an error; a listening socket is readable when a connection waits. A
    refused connect is writable, and readable too, with `SO_ERROR` set. `timeout` is in seconds: `None` waits for
    ever, 0 or less only looks; nothing ready is an empty list.

    An object that is closed while it is registered is silent from then on; its key stays until `unregister(object)`,
    or until another object with its number is registered. `modify` by number takes a reused number for what it is
    now. `register`, `modify` and `unregister` may be called by any thread, and a `select` that waits in another obeys
    at once. Ctrl+C ends a wait with `KeyboardInterrupt`, and nothing is lost: the next `select` tells it.
    `OSError` (EBADF) for a number that is not open, `ValueError` for an object that has none, `KeyError` for what is
    registered already, or is not.

    Portability:
        Linux: native (epoll; poll elsewhere that has nothing better).
        macOS, FreeBSD: native (kqueue); written from the manual pages, not yet run.
        Windows: emulated: sockets native through AFD, without a limit on their number; a pipe or a console takes a
        thread while a `select` waits, and must be unregistered before it is closed. A full pipe is looked at 20 times
        a second for as long as its writability is waited for.
    """


def wait(objects: Iterable[_Object], timeout: float | None = None, events: int = EVENT_READ) -> list[_Object]:
    """Wait until one of `objects` is ready, and return those that are, in their order; once, without a selector.

    Each is what `DefaultSelector.register` takes, and all are waited for alike: to be read, or by `events`. An empty
    list means that `timeout` seconds have passed. The errors are those of `register`; an object given twice is one.

    Portability:
        Linux, macOS, FreeBSD: native.
        Windows: emulated, as `DefaultSelector`.
    """
    given = list(objects)
    with DefaultSelector() as selector:
        keys: Mapping[Any, SelectorKey] = selector.get_map()
        for thing in given:
            if not any(key.fileobj is thing for key in _same(keys, thing)):
                selector.register(thing, events)
        ready = {id(key.fileobj) for key, _ in selector.select(timeout)}
    return [thing for thing in given if id(thing) in ready]


def _same(keys: Mapping[Any, SelectorKey], thing: object) -> list[SelectorKey]:
    try:
        return [keys[thing]]
    except (KeyError, ValueError):
        return []
