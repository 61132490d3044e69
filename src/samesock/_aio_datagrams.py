"""A Unix datagram socket as an asyncio transport, on any loop that tells when a socket can be read.

asyncio's own transport of the selector loop waits for a full receiver by waiting until its socket can be written,
which an unconnected Unix datagram socket always can: it spins. Nothing tells when a receiver has room, so a datagram
that finds none is tried again after a pause. What must never be put here: INET, and what a datagram is on the wire.
"""

from __future__ import annotations

import asyncio
import errno
from collections import deque
from collections.abc import Callable
from typing import Any

from samesock._aio_flow import WriteLimits, pause
from samesock.unix.loops import proactor_of

LONGEST = 256 * 1024
"""More than any Unix datagram has here: the emulation's, and Linux's with the buffers that it has by default."""

_NO_ROOM = {errno.ENOBUFS}
"""How BSD and macOS say that the receiver's queue is full."""


async def sent(send: Callable[[], Any]) -> Any:
    """What `send` of a datagram gives, tried again while the receiver has no room."""
    tries = 0
    while True:
        try:
            return send()
        except (BlockingIOError, InterruptedError):
            await asyncio.sleep(pause(tries))
            tries += 1


class UnixDatagramTransport(WriteLimits, asyncio.DatagramTransport):
    """What `samesock.aio.create_unix_datagram_endpoint` gives; the socket is its own from now on.

    `waiter`, if given, is done once `connection_made` has been called.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        sock: Any,
        protocol: Any,
        waiter: asyncio.Future[None] | None = None,
    ) -> None:
        super().__init__({"socket": sock, "sockname": sock.getsockname(), "peername": _peer_of(sock)})
        self._loop = loop
        self._sock: Any = sock
        self._protocol: Any = protocol
        self._connected = self._extra["peername"] is not None  # type: ignore[attr-defined]
        self._waiting: deque[tuple[bytes, Any]] = deque()
        self._size = 0
        self._tries = 0
        self._timer: asyncio.TimerHandle | None = None
        self._closing = False
        self._paused = False
        self._add_reader, self._remove_reader = _reader_methods(loop)
        loop.call_soon(protocol.connection_made, self)
        loop.call_soon(self._start, waiter)

    def _start(self, waiter: asyncio.Future[None] | None) -> None:
        if not self._closing:
            self._add_reader(self._sock.fileno(), self._read)
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    # ---- receiving

    def _read(self) -> None:
        if self._closing:
            return
        try:
            data, address = self._sock.recvfrom(LONGEST)
        except (BlockingIOError, InterruptedError):
            return  # what came was no datagram of a Unix socket, or somebody else has read it
        except OSError as error:
            self._protocol.error_received(error)
            return
        except (SystemExit, KeyboardInterrupt):
            raise
        except BaseException as error:  # noqa: BLE001 -- it ends the transport, and the protocol is told
            self._fail(error)
            return
        self._protocol.datagram_received(data, address or None)

    # ---- sending

    def sendto(self, data: Any, addr: Any = None) -> None:
        """Send one datagram, an empty one too; it waits here while the receiver has no room.

        Errors go to `protocol.error_received`. `ValueError` for an address on an endpoint that has a remote path.
        """
        if not isinstance(data, (bytes, bytearray, memoryview)):
            raise TypeError(f"data must be bytes-like, not {type(data).__name__}")
        if addr is not None and self._connected and addr != self._extra["peername"]:  # type: ignore[attr-defined]
            raise ValueError(f"the endpoint sends to its remote path alone, not to {addr!r}")
        if self._closing:
            return
        message = bytes(data), None if self._connected else addr
        if not self._waiting and self._sent(*message):
            return
        self._waiting.append(message)
        self._size += len(message[0])
        self._plan()
        if not self._paused and self._size > self._high:
            self._paused = True
            self._tell("pause_writing")

    def _sent(self, data: bytes, address: Any) -> bool:
        """Try; whether the datagram is done with, which one that failed is, too."""
        try:
            if address is None:
                self._sock.send(data)
            else:
                self._sock.sendto(data, address)
        except (BlockingIOError, InterruptedError):
            return False
        except OSError as error:
            if error.errno in _NO_ROOM:
                return False
            self._protocol.error_received(error)
        except (SystemExit, KeyboardInterrupt):
            raise
        except BaseException as error:  # noqa: BLE001 -- it ends the transport, and the protocol is told
            self._fail(error)
        return True

    def _plan(self) -> None:
        if self._timer is None:
            seconds = pause(self._tries)
            self._timer = self._loop.call_later(seconds, self._send_waiting)

    def _send_waiting(self) -> None:
        self._timer = None
        while self._waiting:
            data, address = self._waiting[0]
            if not self._sent(data, address):
                self._tries += 1
                self._plan()
                break
            self._tries = 0
            if not self._waiting:
                break  # the protocol has aborted
            self._waiting.popleft()
            self._size -= len(data)
        if self._paused and self._size <= self._low:
            self._paused = False
            self._tell("resume_writing")
        if self._closing and not self._waiting and self._sock is not None:
            self._end(None)

    def _tell(self, name: str) -> None:
        try:
            getattr(self._protocol, name)()
        except (SystemExit, KeyboardInterrupt):
            raise
        except BaseException as error:  # noqa: BLE001 -- the loop's handler is told
            context = {"message": f"protocol.{name}() failed", "exception": error, "transport": self}
            self._loop.call_exception_handler(context)

    # ---- the end

    def get_protocol(self) -> Any:
        """Who is told."""
        return self._protocol

    def set_protocol(self, protocol: Any) -> None:
        """Tell another one from now on."""
        self._protocol = protocol

    def is_closing(self) -> bool:
        """Whether it is closed, or will be when what waits is sent."""
        return self._closing

    def close(self) -> None:
        """Receive no more, send what waits, then close."""
        if self._closing:
            return
        self._closing = True
        self._remove_reader(self._sock.fileno())
        if not self._waiting:
            self._end(None)

    def abort(self) -> None:
        """Close at once; what waits is thrown away."""
        self._fail(None)

    def _fail(self, error: BaseException | None) -> None:
        self._waiting.clear()
        self._size = 0
        if not self._closing:
            self._closing = True
            self._remove_reader(self._sock.fileno())
        self._end(error)

    def _end(self, error: BaseException | None) -> None:
        timer, self._timer = self._timer, None
        sock, self._sock = self._sock, None
        if timer is not None:
            timer.cancel()
        if sock is not None:
            self._loop.call_soon(self._lost, sock, error)

    def _lost(self, sock: Any, error: BaseException | None) -> None:
        try:
            self._protocol.connection_lost(error)
        finally:
            sock.close()

    def __del__(self) -> None:
        sock = getattr(self, "_sock", None)
        if sock is not None:
            import warnings

            warnings.warn(f"unclosed transport {self!r}", ResourceWarning, stacklevel=2, source=self)
            sock.close()


def _peer_of(sock: Any) -> Any:
    """The name of the peer, which may be empty; `None` without a peer."""
    try:
        return sock.getpeername()
    except OSError:
        return None


def _reader_methods(loop: Any) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """How this loop tells that a socket can be read; a Proactor loop has the methods only after install()."""
    if proactor_of(loop) is not None:
        from samesock import _aio_readers

        return (
            lambda number, call: _aio_readers.add_reader(loop, number, call),
            lambda number: _aio_readers.remove_reader(loop, number),
        )
    return loop.add_reader, loop.remove_reader
