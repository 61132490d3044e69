"""asyncio: the functions and the loops' methods that exist only on Unix, and the Proactor's accept and connect.

What must never be put here: how any of them works (`samesock.aio` and the modules beside it).
"""

from __future__ import annotations

import asyncio
from _socket import SOCK_DGRAM
from asyncio import base_events, selector_events, streams
from typing import Any

from samesock import _aio_datagrams, _aio_messages, _aio_proactor, _aio_readers, aio
from samesock._install.patches import Patches
from samesock.unix import ends
from samesock.unix.messages import WholeMessageMethods


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
        _check_mode(self, sock)
        return await aio.sock_connect(self, sock, address)

    patches.set(selector_events.BaseSelectorEventLoop, "sock_connect", sock_connect)
    for name, method in _datagrams(selector_events.BaseSelectorEventLoop).items():
        patches.set(selector_events.BaseSelectorEventLoop, name, method)


def _datagrams(cls: Any) -> dict[str, Any]:
    """The selector loop waits for a full receiver until the sender can be written, which it always can: it spins.
    Emulated datagram sockets, and no others, get what samesock.aio has instead."""
    make, sendall = cls._make_datagram_transport, cls.sock_sendall
    sendto = getattr(cls, "sock_sendto", None)  # since 3.11

    def ours(sock: Any) -> bool:
        return isinstance(sock, WholeMessageMethods) and sock.type == SOCK_DGRAM  # type: ignore[attr-defined]

    def make_transport(self: Any, sock: Any, protocol: Any, *rest: Any) -> Any:
        if not ours(sock):
            return make(self, sock, protocol, *rest)
        _, waiter = rest  # before it the address that the socket is connected to, which it knows
        return _aio_datagrams.UnixDatagramTransport(self, sock, protocol, waiter)

    async def sock_sendall(self: Any, sock: Any, data: Any) -> None:
        if not ours(sock):
            await sendall(self, sock, data)
            return
        _check_mode(self, sock)
        whole = bytes(data)
        await _aio_datagrams.sent(lambda: sock.send(whole))

    async def sock_sendto(self: Any, sock: Any, data: Any, address: Any) -> Any:
        if not ours(sock):
            return await sendto(self, sock, data, address)  # type: ignore[misc]
        _check_mode(self, sock)
        whole = bytes(data)
        return await _aio_datagrams.sent(lambda: sock.sendto(whole, address))

    found: dict[str, Any] = {"_make_datagram_transport": make_transport, "sock_sendall": sock_sendall}
    if sendto is not None:
        found["sock_sendto"] = sock_sendto
    return found


def _check_mode(loop: Any, sock: Any) -> None:
    if loop.get_debug() and sock.gettimeout() != 0:
        raise ValueError("the socket must be non-blocking")


def keep_alive() -> None:
    """Loops that serve Unix sockets now go on doing so."""
    for proactor in list(_aio_proactor.serving):
        _aio_proactor.prepare(proactor)
