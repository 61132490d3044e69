"""asyncio over Unix sockets and pipes, on every platform and both of Windows' loops, with nothing of asyncio changed.

The functions are those that asyncio has on Unix, with the same arguments; `create_unix_connection` and the others
that are methods there take the loop first. `install()` puts these same functions into asyncio. What must never be
put here: how a loop waits (`_aio_proactor`, `_aio_afd`, `_aio_pipes`), and what a Unix socket is.

Portability:
    Linux, macOS, FreeBSD: native. Windows: native or emulated, as `sock.transport` says; Proactor and selector loop.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from samesock._aio_flow import pause
from samesock._aio_proactor import prepare
from samesock._family import AF_UNIX
from samesock._server_path import bound
from samesock._socket import socket
from samesock.unix import ends
from samesock.unix.loops import proactor_of

if TYPE_CHECKING:
    import _socket
    from ssl import SSLContext

    from samesock.fd import HasFileno

__all__ = [
    "connect_read_pipe",
    "connect_write_pipe",
    "create_unix_connection",
    "create_unix_datagram_endpoint",
    "create_unix_server",
    "open_read_pipe",
    "open_unix_connection",
    "open_write_pipe",
    "sock_accept",
    "sock_connect",
    "start_unix_server",
]

ClientConnected = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None] | None]
Path = str | bytes | os.PathLike[str] | os.PathLike[bytes]

CLEANS_UP = sys.version_info >= (3, 13)
"""Whether a server's file goes with the server when nothing is said of it: as asyncio on Unix, since 3.13."""

_LIMIT = 2**16
_SOCK_STREAM = 1
_SOCK_DGRAM = 2


async def open_unix_connection(
    path: Path | None = None, *, limit: int = _LIMIT, **options: Any
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Connect to a path: `(reader, writer)`. Options are those of `create_unix_connection`."""
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(limit=limit, loop=loop)
    protocol = asyncio.StreamReaderProtocol(reader, loop=loop)
    transport, _ = await create_unix_connection(loop, lambda: protocol, path, **options)
    return reader, asyncio.StreamWriter(transport, protocol, reader, loop)


async def start_unix_server(
    client_connected_cb: ClientConnected, path: Path | None = None, *, limit: int = _LIMIT, **options: Any
) -> asyncio.AbstractServer:
    """Serve a path; `client_connected_cb(reader, writer)` for each client. Options: see `create_unix_server`."""
    loop = asyncio.get_running_loop()

    def factory() -> asyncio.StreamReaderProtocol:
        reader = asyncio.StreamReader(limit=limit, loop=loop)
        return asyncio.StreamReaderProtocol(reader, client_connected_cb, loop=loop)

    return await create_unix_server(loop, factory, path, **options)


async def create_unix_connection(
    loop: asyncio.AbstractEventLoop,
    protocol_factory: Callable[[], Any],
    path: Path | None = None,
    *,
    ssl: SSLContext | bool | None = None,
    sock: _socket.socket | None = None,
    server_hostname: str | None = None,
    ssl_handshake_timeout: float | None = None,
    ssl_shutdown_timeout: float | None = None,
) -> tuple[Any, Any]:
    """`(transport, protocol)` for a path, or for a Unix socket that is connected already.

    Raises what `connect` raises; where the listener's queue is full it waits until there is room.
    """
    if ssl and server_hostname is None:
        raise ValueError("you have to pass server_hostname when using ssl: a path names no host")
    if not ssl and server_hostname is not None:
        raise ValueError("server_hostname is only meaningful with ssl")
    timeouts = _timeouts(ssl, ssl_handshake_timeout, ssl_shutdown_timeout)
    _one_of(path, sock, "no path and sock were specified")
    if path is not None:
        sock = socket(AF_UNIX, _SOCK_STREAM)
        try:
            sock.setblocking(False)
            await sock_connect(loop, sock, os.fspath(path))
        except BaseException:
            sock.close()
            raise
    else:
        sock = _unix_stream(sock)
    create: Any = (
        _own_method(loop, sock, "create_unix_connection") or _of_asyncio(loop, sock).create_connection
    )
    made: tuple[Any, Any] = await create(
        protocol_factory, sock=sock, ssl=ssl, server_hostname=server_hostname, **timeouts
    )
    return made


async def create_unix_server(
    loop: asyncio.AbstractEventLoop,
    protocol_factory: Callable[[], Any],
    path: Path | None = None,
    *,
    sock: _socket.socket | None = None,
    backlog: int = 100,
    ssl: SSLContext | None = None,
    ssl_handshake_timeout: float | None = None,
    ssl_shutdown_timeout: float | None = None,
    start_serving: bool = True,
    cleanup_socket: bool | None = None,
    mode: int | None = None,
) -> asyncio.AbstractServer:
    """A server on a path, or on a Unix socket that is bound already.

    A socket's file that is at the path is removed first, as asyncio does. `cleanup_socket`: remove the file when the
    server closes, if it is still this server's (`None`: as this Python's asyncio does on Unix). `mode`: what the
    file's permissions shall be, before the first client can come; on Windows the directory's access list decides.
    """
    if isinstance(ssl, bool):
        raise TypeError("ssl argument must be an SSLContext or None")
    timeouts = _timeouts(ssl, ssl_handshake_timeout, ssl_shutdown_timeout)
    _one_of(path, sock, "path was not specified, and no sock specified")
    cleanup = CLEANS_UP if cleanup_socket is None else cleanup_socket
    if path is not None:
        sock = bound(os.fspath(path), mode)
    elif mode is not None:
        raise ValueError("mode is for a path: a socket that is given has its file already")
    else:
        sock = _unix_stream(sock)
    file = _file_of(sock) if cleanup else None
    create: Any = _own_method(loop, sock, "create_unix_server") or _of_asyncio(loop, sock).create_server
    try:
        server: asyncio.AbstractServer = await create(
            protocol_factory, sock=sock, backlog=backlog, ssl=ssl, start_serving=start_serving, **timeouts
        )
    except BaseException:
        sock.close()
        raise
    if file is not None:
        _clean_up_after(server, *file)
    return server


async def create_unix_datagram_endpoint(
    loop: asyncio.AbstractEventLoop,
    protocol_factory: Callable[[], Any],
    local_path: Path | None = None,
    remote_path: Path | None = None,
    *,
    sock: _socket.socket | None = None,
) -> tuple[asyncio.DatagramTransport, Any]:
    """`(transport, protocol)` for Unix datagrams: bound to a path, connected to one, both, neither, or a given socket.

    The protocol is a `DatagramProtocol`. The address of a datagram is its sender's path, `None` of one without a name.
    `transport.sendto` sends what it is given, empty datagrams too; while a receiver has no room they wait in order, and
    `pause_writing` and `resume_writing` tell of it. A receiver that is gone is an `error_received`. The file at the
    local path stays when the transport is closed, as with every Unix socket. Raises what `bind` and `connect` raise.

    Portability:
        Linux, macOS, FreeBSD: native. Windows: emulated.

    References: POSIX `sendto`; `loop.create_datagram_endpoint`.
    """
    if sock is not None:
        if local_path is not None or remote_path is not None:
            raise ValueError("give either paths or sock")
        if int(sock.family) != AF_UNIX or sock.type != _SOCK_DGRAM:
            raise ValueError(f"not a Unix datagram socket: {sock!r}")
    from samesock._aio_datagrams import UnixDatagramTransport

    ours: Any = socket(AF_UNIX, _SOCK_DGRAM) if sock is None else sock
    try:
        ours.setblocking(False)
        if local_path is not None:
            ours.bind(os.fspath(local_path))
        if remote_path is not None:
            ours.connect(os.fspath(remote_path))
        protocol = protocol_factory()
        transport = UnixDatagramTransport(loop, ours, protocol)
    except BaseException:
        if sock is None:
            ours.close()
        raise
    try:
        await asyncio.sleep(0)  # as asyncio's own, it returns when `connection_made` has been called
    except BaseException:
        transport.close()
        raise
    return transport, protocol


async def open_read_pipe(pipe: HasFileno | int, *, limit: int = _LIMIT) -> asyncio.StreamReader:
    """A stream reader over a pipe's end, a FIFO, a terminal, standard input or a file: see `connect_read_pipe`."""
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(limit=limit, loop=loop)
    await connect_read_pipe(loop, lambda: asyncio.StreamReaderProtocol(reader, loop=loop), pipe)
    return reader


async def open_write_pipe(pipe: HasFileno | int) -> asyncio.StreamWriter:
    """A stream writer over a pipe's end, a FIFO, a terminal or a file: see `connect_write_pipe`."""
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(loop=loop)  # never fed: it is what a writer's protocol comes with
    transport, protocol = await connect_write_pipe(
        loop, lambda: asyncio.StreamReaderProtocol(reader, loop=loop), pipe
    )
    return asyncio.StreamWriter(transport, protocol, None, loop)


async def connect_read_pipe(
    loop: asyncio.AbstractEventLoop, protocol_factory: Callable[[], Any], pipe: HasFileno | int
) -> tuple[asyncio.ReadTransport, Any]:
    """`(transport, protocol)` that reads a pipe; the transport owns it from now on, and closes it.

    `pipe` is a file object, a number, or a `samesock.fd.Descriptor`: a pipe's end as `os.pipe` makes it, a FIFO, a
    terminal, standard input whatever it is, a file. Its blocking mode stays as it is. `OSError` (EBADF) for a number
    that is not open.

    Portability:
        Linux, macOS, FreeBSD, Windows: emulated: a thread waits for all the pipes of a loop (asyncio's own refuses
        files, and on Windows ordinary pipes).

    References: POSIX `read`; `loop.connect_read_pipe`.
    """
    from samesock._aio_pipes import ReadingPipe

    protocol = protocol_factory()
    transport = ReadingPipe(loop, protocol, pipe)
    await asyncio.sleep(0)  # as asyncio's own, it returns when `connection_made` has been called
    return transport, protocol


async def connect_write_pipe(
    loop: asyncio.AbstractEventLoop, protocol_factory: Callable[[], Any], pipe: HasFileno | int
) -> tuple[asyncio.WriteTransport, Any]:
    """`(transport, protocol)` that writes to a pipe; the transport owns it from now on, and closes it.

    When the reader has left, `connection_lost` gets the `BrokenPipeError` of the next write. `pipe` and the rest are
    as for `connect_read_pipe`.

    Portability:
        Linux, macOS, FreeBSD, Windows: emulated: a thread writes while there is something to write.

    References: POSIX `write`; `loop.connect_write_pipe`.
    """
    from samesock._aio_pipes import WritingPipe

    protocol = protocol_factory()
    transport = WritingPipe(loop, protocol, pipe)
    await asyncio.sleep(0)
    return transport, protocol


async def sock_connect(loop: asyncio.AbstractEventLoop, sock: Any, address: Any) -> None:
    """Connect a non-blocking socket; where the listener's queue is full, wait until there is room."""
    if ends.get(sock) is None:
        return await loop.sock_connect(sock, address)
    tries = 0
    while True:
        try:
            return sock.connect(address)  # type: ignore[no-any-return]
        except (BlockingIOError, InterruptedError):
            await asyncio.sleep(pause(tries))
            tries += 1


async def sock_accept(loop: asyncio.AbstractEventLoop, sock: Any) -> tuple[Any, Any]:
    """Accept one connection from a non-blocking listener: `(socket, address)`."""
    return await _of_asyncio(loop, sock).sock_accept(sock)


def _of_asyncio(loop: asyncio.AbstractEventLoop, sock: Any) -> asyncio.AbstractEventLoop:
    """The loop, ready for this socket. NotImplementedError for one that would accept behind our back."""
    proactor = proactor_of(loop)
    if proactor is not None:
        prepare(proactor)
    elif ends.get(sock) is not None and not isinstance(loop, asyncio.SelectorEventLoop):
        raise NotImplementedError(f"emulated Unix sockets need one of asyncio's own loops, not {loop!r}")
    return loop


def _own_method(loop: asyncio.AbstractEventLoop, sock: Any, name: str) -> Any:
    """The method of that name of a loop that is not asyncio's own, for a socket that is simply the kernel's.

    asyncio's own loops take a Unix socket in `create_server` and `create_connection`, and clean up nothing then:
    that is done here, alike for every version.
    """
    if isinstance(loop, asyncio.BaseEventLoop) or ends.get(sock) is not None:
        return None
    return getattr(loop, name, None)


def _one_of(path: object, sock: object, neither: str) -> None:
    """Raises asyncio's errors in its own words, which programs and their tests look for."""
    if path is not None and sock is not None:
        raise ValueError("path and sock can not be specified at the same time")
    if path is None and sock is None:
        raise ValueError(neither)


def _unix_stream(sock: Any) -> Any:
    if int(sock.family) != AF_UNIX or sock.type != _SOCK_STREAM:
        raise ValueError(f"A UNIX Domain Stream Socket was expected, got {sock!r}")
    sock.setblocking(False)
    return sock


def _timeouts(ssl: object, handshake: float | None, shutdown: float | None) -> dict[str, float]:
    """What is given of the two; 3.10 knows only the first."""
    given = {"ssl_handshake_timeout": handshake, "ssl_shutdown_timeout": shutdown}
    found = {name: value for name, value in given.items() if value is not None}
    if found and not ssl:
        raise ValueError(f"{next(iter(found))} is only meaningful with ssl")
    return found


def _file_of(sock: Any) -> tuple[str, tuple[object, ...]] | None:
    """The socket's file and what tells it from any later one; `None` without a file."""
    from samesock._install.files import identity

    name = sock.getsockname()
    if not isinstance(name, str) or not name:
        return None
    path = os.path.abspath(name)
    found = identity(path)
    return None if found is None else (path, found)


def _clean_up_after(server: Any, path: str, found: tuple[object, ...]) -> None:
    """Remove the file when the server closes, unless another one has taken its place."""
    from samesock._install.files import identity

    close = server.close

    def close_and_remove() -> None:
        first = bool(server.sockets)
        close()
        if first and identity(path) == found:
            try:
                os.unlink(path)
            except OSError:
                from logging import getLogger

                getLogger("samesock").exception("the file of a closed server is left at %r", path)

    server.close = close_and_remove
