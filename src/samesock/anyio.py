"""anyio's streams and listeners over Unix sockets, on asyncio and on trio, with nothing of either changed.

The functions are anyio's own, which on Windows raise for want of `socket.AF_UNIX`; what they give are anyio's
`SocketStream` and `SocketListener`, so that whatever takes those (`TLSStream`, `MultiListener`, a framework) takes
these. Importing this module needs anyio 4.10 or newer. What must never be put here: how a loop waits, which is anyio's.

Portability:
    Linux, macOS, FreeBSD: native. Windows: native or emulated, as `sock.transport` says.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import anyio
import anyio.abc
import anyio.lowlevel

from samesock._aio_flow import pause
from samesock._family import AF_UNIX
from samesock._server_path import bound
from samesock._socket import socket

# Without it a task that waits for a stream never hears that it is closed.
if not hasattr(anyio, "notify_closing"):
    raise ImportError("samesock.anyio needs anyio 4.10 or newer: pip install 'samesock[anyio]'")

__all__ = ["connect_unix", "create_unix_listener"]

Path = str | bytes | os.PathLike[str] | os.PathLike[bytes]
_T = TypeVar("_T")

_SOCK_STREAM, _SHUT_WR = 1, 1
_MOST_WAITING = 65536


async def connect_unix(path: Path) -> anyio.abc.SocketStream:
    """Connect to a Unix socket's path: `anyio.connect_unix`, on every platform.

    Raises what `connect` raises, which names the path; where the listener's queue is full it waits until there is room.

    Portability:
        Linux, macOS, FreeBSD: native. Windows: native or emulated.

    References: POSIX `connect`; `anyio.connect_unix`.
    """
    sock = socket(AF_UNIX, _SOCK_STREAM)
    try:
        sock.setblocking(False)
        tries = 0
        await anyio.lowlevel.checkpoint()
        while True:
            try:
                sock.connect(os.fspath(path))
                return _Stream(sock)
            except (BlockingIOError, InterruptedError):
                await anyio.sleep(pause(tries))
                tries += 1
    except BaseException:
        sock.close()
        raise


async def create_unix_listener(
    path: Path, *, mode: int | None = None, backlog: int = _MOST_WAITING
) -> anyio.abc.SocketListener:
    """Listen at a path: `anyio.create_unix_listener`, on every platform.

    A socket's file that is at the path is removed first, as anyio does; no other file is. `mode`: what the file's
    permissions shall be, before the first client can come; on Windows the directory's access list decides. The file
    stays when the listener is closed. Raises what `bind` and `listen` raise.

    Portability:
        Linux, macOS, FreeBSD: native. Windows: native or emulated.

    References: POSIX `bind`, `listen`; `anyio.create_unix_listener`.
    """
    await anyio.lowlevel.checkpoint()
    sock = bound(os.fspath(path), mode)
    try:
        sock.setblocking(False)
        sock.listen(min(backlog, _MOST_WAITING))
    except BaseException:
        sock.close()
        raise
    return _Listener(sock)


class _Owner:
    """A non-blocking socket whose calls are tried until they need not wait; and its end."""

    def __init__(self, sock: socket) -> None:
        self._sock = sock
        self._closed = False

    @property
    def _raw_socket(self) -> Any:
        return self._sock

    async def _tried(
        self, guard: anyio.ResourceGuard, call: Callable[[], _T], wait: Callable[[Any], Awaitable[None]]
    ) -> _T:
        """What the call gives, when it can be had without waiting; one task at a time."""
        await anyio.lowlevel.checkpoint()
        with guard:
            while True:
                if self._closed:
                    raise anyio.ClosedResourceError
                try:
                    return call()
                except (BlockingIOError, InterruptedError):
                    pass
                await wait(self._sock)

    async def aclose(self) -> None:
        """Close the socket; a task that waits for it gets `ClosedResourceError`."""
        if not self._closed:
            self._closed = True
            anyio.notify_closing(self._sock)
            self._sock.close()
        await anyio.lowlevel.checkpoint()


class _Stream(_Owner, anyio.abc.SocketStream):
    """A connection."""

    def __init__(self, sock: socket) -> None:
        super().__init__(sock)
        self._receiving = anyio.ResourceGuard("reading from")
        self._sending = anyio.ResourceGuard("writing to")

    async def receive(self, max_bytes: int = 65536) -> bytes:
        try:
            data = await self._tried(self._receiving, lambda: self._sock.recv(max_bytes), anyio.wait_readable)
        except OSError as failure:
            raise anyio.BrokenResourceError from failure
        if not data:
            raise anyio.EndOfStream
        return data

    async def send(self, item: bytes) -> None:
        rest = memoryview(item)

        def some() -> bool:
            nonlocal rest
            while rest:
                rest = rest[self._sock.send(rest) :]
            return True

        try:
            await self._tried(self._sending, some, anyio.wait_writable)
        except OSError as failure:
            raise anyio.BrokenResourceError from failure

    async def send_eof(self) -> None:
        try:
            await self._tried(self._sending, lambda: self._sock.shutdown(_SHUT_WR), anyio.wait_writable)
        except OSError as failure:
            raise anyio.BrokenResourceError from failure


class _Listener(_Owner, anyio.abc.SocketListener):
    """A bound socket that listens."""

    def __init__(self, sock: socket) -> None:
        super().__init__(sock)
        self._accepting = anyio.ResourceGuard("accepting connections from")

    async def accept(self) -> anyio.abc.SocketStream:
        while True:
            try:
                sock, _ = await self._tried(self._accepting, self._sock.accept, anyio.wait_readable)
            except OSError as failure:
                if failure.errno != errno.ECONNABORTED:
                    raise
            else:
                sock.setblocking(False)
                return _Stream(sock)
