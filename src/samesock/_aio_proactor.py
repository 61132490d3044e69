"""Unix sockets on asyncio's Proactor loop: the two operations that it must not do in its own way.

`AcceptEx` would hand the program whoever reached the TCP port of an emulated listener, unproven, and does not know
AF_UNIX at all; `ConnectEx` would say no hello. So `accept` and `connect` of the proactor give way to these for every
AF_UNIX socket: wait until the listener is readable, then call the socket's own accept. They are put on one proactor
(`prepare`, what `samesock.aio` needs) or on the class (`install()`). What must never be put here: anything for INET.
"""

# ruff: noqa: SLF001 -- a proactor's loop has no public name
from __future__ import annotations

import asyncio
import errno
from collections.abc import Callable
from typing import Any
from weakref import WeakSet

from samesock import _aio_afd
from samesock._aio_flow import pause
from samesock.unix import AF_UNIX

Original = Callable[[Any, Any], "asyncio.Future[Any]"]

serving: WeakSet[Any] = WeakSet()
"""The proactors that have served Unix sockets: `uninstall()` prepares each, so that they go on."""

TABLE_FULL = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, 10024, 10055}
ACCEPT_PAUSE = 1.0


class _Operation(asyncio.Future[Any]):
    """Something tried again whenever it may succeed, until it is done or cancelled."""

    def __init__(self, loop: Any) -> None:
        super().__init__(loop=loop)
        self._pending: asyncio.Future[int] | asyncio.TimerHandle | None = None

    def cancel(self, msg: Any = None) -> bool:
        pending, self._pending = self._pending, None
        if pending is not None:
            pending.cancel()
        return super().cancel(msg)

    def attempt(self) -> None:
        raise NotImplementedError

    def _again(self, ready: asyncio.Future[int] | None = None) -> None:
        """Try once more; what made the wait fail is the operation's own failure."""
        self._pending = None
        if self.done():
            return
        error = None if ready is None or ready.cancelled() else ready.exception()
        if error is not None:
            self.set_exception(error)
            return
        try:
            self.attempt()
        except (SystemExit, KeyboardInterrupt):
            raise
        except BaseException as failure:  # noqa: BLE001 -- it is the future's
            self.set_exception(failure)


class _Accepting(_Operation):
    """One accept."""

    def __init__(self, proactor: Any, listener: Any) -> None:
        super().__init__(proactor._loop)
        self._proactor = proactor
        self._listener = listener

    def attempt(self) -> None:
        loop: Any = self.get_loop()
        try:
            conn, address = self._listener.accept()
        except (BlockingIOError, InterruptedError):
            waiting = _aio_afd.ready(self._proactor, self._listener, _aio_afd.READABLE)
            waiting.add_done_callback(self._again)
            self._pending = waiting
            return
        except OSError as error:
            if error.errno not in TABLE_FULL:
                raise
            # As the selector loop does: tell, and go on later. The stock Proactor closes the listener for good.
            loop.call_exception_handler(
                {
                    "message": "accept() is out of system resources; trying again later",
                    "exception": error,
                    "socket": self._listener,
                }
            )
            self._pending = loop.call_later(ACCEPT_PAUSE, self._again)
            return
        conn.setblocking(False)
        self.set_result((conn, address))


class _Connecting(_Operation):
    """One connect: over when it returns, except that a full queue is waited for."""

    def __init__(self, proactor: Any, sock: Any, address: Any) -> None:
        super().__init__(proactor._loop)
        self._sock = sock
        self._address = address
        self._tries = 0

    def attempt(self) -> None:
        try:
            self._sock.connect(self._address)
        except (BlockingIOError, InterruptedError):
            seconds = pause(self._tries)
            self._tries += 1
            self._pending = self.get_loop().call_later(seconds, self._again)
            return
        self.set_result(self._sock)


def _begin(operation: _Operation) -> asyncio.Future[Any]:
    operation.attempt()
    return operation


def replacements(
    accept: Original, connect: Callable[..., Any]
) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """`accept` and `connect` for a proactor, which leave all but AF_UNIX to the given ones."""

    def accept_unix(self: Any, listener: Any) -> Any:
        if listener.family != AF_UNIX:
            return accept(self, listener)
        if listener.gettimeout() != 0:
            raise ValueError("the socket must be non-blocking")
        serving.add(self)
        return _begin(_Accepting(self, listener))

    def connect_unix(self: Any, conn: Any, address: Any) -> Any:
        if conn.family != AF_UNIX:
            return connect(self, conn, address)
        serving.add(self)
        return _begin(_Connecting(self, conn, address))

    return accept_unix, connect_unix


def prepare(proactor: Any) -> None:
    """Let this one proactor serve Unix sockets; nothing of asyncio itself is changed. Harmless when repeated."""
    if "accept" in vars(proactor):
        return
    cls = type(proactor)
    accept, connect = replacements(cls.accept, cls.connect)
    proactor.accept = accept.__get__(proactor)
    proactor.connect = connect.__get__(proactor)
    from samesock import _aio_messages

    for name, method in _aio_messages.replacements(cls).items():
        setattr(proactor, name, method.__get__(proactor))
