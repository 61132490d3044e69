"""asyncio: the functions and the loops' methods that exist only on Unix, and the Proactor's accept and connect.

What must never be put here: how any of them works (`samesock.aio` and the modules beside it).
"""

from __future__ import annotations

import asyncio
from asyncio import base_events, selector_events, streams
from typing import Any

from samesock import _aio_messages, _aio_proactor, _aio_readers, aio
from samesock._install.patches import Patches
from samesock.unix import ends


def apply(patches: Patches) -> None:
    """Name by name: what this asyncio has is left as it is."""
    for name in ("open_unix_connection", "start_unix_server"):
        for module in (streams, asyncio):
            if not hasattr(module, name):
                patches.set(module, name, getattr(aio, name))
                patches.export(module, name)
    for cls in loop_classes():
        for name in ("create_unix_connection", "create_unix_server"):
            if getattr(cls, name) is getattr(asyncio.AbstractEventLoop, name):
                patches.set(cls, name, getattr(aio, name))
    _selector(patches)
    loop = getattr(asyncio, "ProactorEventLoop", None)
    for name in ("add_reader", "add_writer", "remove_reader", "remove_writer"):
        if loop is not None and getattr(loop, name) is getattr(asyncio.AbstractEventLoop, name):
            patches.set(loop, name, getattr(_aio_readers, name))
    proactor = getattr(asyncio, "IocpProactor", None)
    if proactor is not None:
        accept, connect = _aio_proactor.replacements(proactor.accept, proactor.connect)
        patches.set(proactor, "accept", accept)
        patches.set(proactor, "connect", connect)
        for name, method in _aio_messages.replacements(proactor).items():
            patches.set(proactor, name, method)


def loop_classes() -> list[Any]:
    """The event loops that this asyncio has on this system."""
    found = [getattr(asyncio, name, None) for name in ("SelectorEventLoop", "ProactorEventLoop")]
    return [cls for cls in found if isinstance(cls, type) and issubclass(cls, base_events.BaseEventLoop)]


def _selector(patches: Patches) -> None:
    """The selector loop takes EAGAIN of connect for "under way" and waits for room to write. For a Unix socket it
    means that the queue is full, and nothing is under way."""
    original: Any = selector_events.BaseSelectorEventLoop.sock_connect

    async def sock_connect(self: Any, sock: Any, address: Any) -> None:
        if ends.get(sock) is None:
            return await original(self, sock, address)  # type: ignore[no-any-return]
        if self.get_debug() and sock.gettimeout() != 0:
            raise ValueError("the socket must be non-blocking")
        return await aio.sock_connect(self, sock, address)

    patches.set(selector_events.BaseSelectorEventLoop, "sock_connect", sock_connect)


def keep_alive() -> None:
    """Loops that serve Unix sockets now go on doing so."""
    for proactor in list(_aio_proactor.serving):
        _aio_proactor.prepare(proactor)
