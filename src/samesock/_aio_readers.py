"""`add_reader`, `add_writer` and their removal for asyncio's Proactor loop, of sockets: what anyio and others call.

The callback is called again and again while the socket is ready, as on the selector loop: after each call the driver
is asked anew. What must never be put here: another way of waiting than `_aio_afd`'s.
"""

# ruff: noqa: SLF001 -- a loop has no public way to its proactor
from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable
from typing import Any

from samesock import _aio_afd


class _Watch:
    """One callback, until it is removed."""

    def __init__(self, loop: Any, number: int, events: int, call: Callable[[], object]) -> None:
        self._loop = loop
        self._number = number
        self._events = events
        self._call = call
        self._context = contextvars.copy_context()
        self._asked: _aio_afd.Readiness | None = None
        self.ask()

    def ask(self) -> None:
        """From now on: the callback when the socket is ready."""
        self._asked = _aio_afd.ready(self._loop._proactor, self._number, self._events)
        self._asked.add_done_callback(self._answered)

    def stop(self) -> None:
        """No more calls."""
        asked, self._asked = self._asked, None
        if asked is not None:
            asked.cancel()

    def _answered(self, asked: asyncio.Future[int]) -> None:
        if asked is not self._asked or asked.cancelled():
            return
        error = asked.exception()
        if error is None:
            try:
                self._context.run(self._call)
            except (SystemExit, KeyboardInterrupt):
                raise
            except BaseException as failure:  # noqa: BLE001 -- the loop's handler is told
                message = f"Exception in callback of a socket, {self._call!r}"
                self._loop.call_exception_handler({"message": message, "exception": failure})
        if asked is not self._asked:
            return  # removed, or replaced, by the callback itself
        try:
            if error is not None:
                raise error
            self.ask()
        except OSError:
            # The socket was closed without being removed; a selector would be silent, too.
            self._asked = None


def _watches(loop: Any) -> dict[tuple[int, int], _Watch]:
    """The loop's watches: on its proactor, whose end is theirs."""
    proactor = loop._proactor
    found: dict[tuple[int, int], _Watch] | None = getattr(proactor, "_samesock_watches", None)
    if found is None:
        found = proactor._samesock_watches = {}
    return found


def _number(fd: Any) -> int:
    return fd if isinstance(fd, int) else int(fd.fileno())


def _add(
    loop: Any, fd: Any, events: int, callback: Callable[..., object], arguments: tuple[Any, ...]
) -> None:
    if loop.is_closed():
        raise RuntimeError("Event loop is closed")
    _remove(loop, fd, events)
    number = _number(fd)
    _watches(loop)[number, events] = _Watch(loop, number, events, lambda: callback(*arguments))


def _remove(loop: Any, fd: Any, events: int) -> bool:
    if loop.is_closed():
        return False
    watch = _watches(loop).pop((_number(fd), events), None)
    if watch is not None:
        watch.stop()
    return watch is not None


def add_reader(self: Any, fd: Any, callback: Callable[..., object], *args: Any) -> None:
    """Call `callback(*args)` whenever the socket can be read."""
    _add(self, fd, _aio_afd.READABLE, callback, args)


def add_writer(self: Any, fd: Any, callback: Callable[..., object], *args: Any) -> None:
    """Call `callback(*args)` whenever the socket can be written."""
    _add(self, fd, _aio_afd.WRITABLE, callback, args)


def remove_reader(self: Any, fd: Any) -> bool:
    """Stop calling; whether there was a callback."""
    return _remove(self, fd, _aio_afd.READABLE)


def remove_writer(self: Any, fd: Any) -> bool:
    """Stop calling; whether there was a callback."""
    return _remove(self, fd, _aio_afd.WRITABLE)
