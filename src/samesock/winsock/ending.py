"""shutdown, which also ends the calls that block in other threads, and what `close(wake=True)` does to them.

What must never be put here: the frame around a call (`blocking`), and closing itself.
"""

from __future__ import annotations

import _socket
import sys
import time
from typing import Any, Final

from samesock import _call_arguments, _errors, _waking
from samesock._told_streams import with_duplicates
from samesock.ffi.kernel32_waits import kernel32_waits
from samesock.unix import ends
from samesock.winsock import blocking, stream_error
from samesock.winsock.calls import calls
from samesock.winsock.failing import (
    WSAECONNABORTED,
    WSAECONNRESET,
    check_open,
    code_of,
    is_connected,
    is_listening,
)
from samesock.winsock.interrupting import interrupter

_END_SECONDS: Final = 0.2
_PAUSE_SECONDS: Final = 0.001
_TRIES_THAT_LET_BLOCK: Final = 3
_PROACTOR: Final = "asyncio.proactor_events"
"""It shuts each connection down before it closes it, and counts on no error for one that was reset: told of one it
would leave the socket open. Nothing but the caller's module tells its call from a program's.
"""


def wake(sock: Any) -> None:
    """End every call of the socket that blocks in another thread, and wait until they have left it."""
    try:
        _waking.wake(sock, _strike)
    finally:
        _let_block(sock)


def _strike(sock: Any, tries: int) -> None:
    """Whatever is pending on the socket, of any thread, comes back cancelled.

    C's methods make a call again at which Winsock says WSAEINTR. So when the calls do not leave, they are not let wait
    again either: they find nothing, and come back.
    """
    number = calls.fileno(sock)
    if number < 0:
        return
    if tries == _TRIES_THAT_LET_BLOCK:
        calls.twin(sock).detach()
    kernel32_waits.CancelIoEx(number, None)


def _let_block(sock: Any) -> None:
    """Set the mode that belongs to the socket's time-out, since duplicates have it, too.

    Not while a thread is still in a call that is to end, of a duplicate or not: on a busy machine it may not have run
    since it was struck, and C would make the call again. Other duplicates' calls wait for themselves (`blocking`).
    """
    is_left = not any(one in _waking.ended and _waking.others_in(one) for one in list(with_duplicates(sock)))
    if is_left and calls.fileno(sock) >= 0:
        calls.settimeout(sock, calls.gettimeout(sock))


class EndingMethods:
    """See the module's head. Each method's promise is the standard library's on POSIX."""

    __slots__ = ()

    def shutdown(self: Any, how: int, /) -> None:
        """End sending, receiving or both; see shutdown(2). A recv or accept that blocks in another thread ends.

        Raises `ENOTCONN` without a peer. As on Linux a listener can be shut down for reading: each accept then raises
        `EINVAL`.
        """
        how = _call_arguments.number(how)
        if interrupter.signals_do_it:  # no Winsock underneath: its kernel ends the calls
            _shut_stream(self, how, None)
            return
        if how not in (_socket.SHUT_RD, _socket.SHUT_WR, _socket.SHUT_RDWR):
            check_open(self)
            raise _errors.named_error("EINVAL", f"shutdown() of {how}, which is no direction")
        stops_reading = how in (_socket.SHUT_RD, _socket.SHUT_RDWR)
        end = ends.get(self)
        mark = _waking.END_OF_STREAM
        listens = stops_reading and is_listening(self)
        if listens:
            if end is not None:
                end.shutdown(self, how, _leave_open)
            mark = "EINVAL"
        elif (
            calls.fileno(self) >= 0
            and end is None
            and calls.type(self) != _socket.SOCK_STREAM
            and not is_connected(self)
        ):
            raise _errors.named_error("ENOTCONN", "shutdown() without a peer")  # Wine says nothing
        elif end is None:
            _shut_stream(self, how, _caller())
        else:
            end.shutdown(self, how, _shut)
        # dup()'s making is the same socket, and so are the calls of it.
        for sock in list(with_duplicates(self)):
            if stops_reading:
                _waking.ended[sock] = mark
            if how != _socket.SHUT_RD:
                _waking.shut_for_writing.add(sock)
            _end_calls(sock, how, may_wait_again=not listens)
        if listens:
            _let_block(self)


def _caller() -> str | None:
    """The module that called shutdown; a subclass's own shutdown that calls this one is on the way there."""
    frame = sys._getframe(1)  # noqa: SLF001
    while frame.f_back is not None and frame.f_code.co_name == "shutdown":
        frame = frame.f_back
    name: str | None = frame.f_globals.get("__name__")
    return name


def _leave_open(sock: Any, how: int) -> None:
    """Winsock refuses to shut a listener down; that it has ended is for each accept to say."""


def _shut_stream(sock: Any, how: int, caller: str | None) -> None:
    """shutdown of what is no Unix socket. Windows may say of a failed connection what recv says of it, or nothing."""
    if not stream_error.has_failed(sock):
        try:
            _shut(sock, how)
        except OSError as error:
            if code_of(error) not in (WSAECONNABORTED, WSAECONNRESET):
                raise
        else:
            return
    if caller != _PROACTOR:
        raise _errors.named_error("ENOTCONN", "shutdown() of a connection that was reset")


def _shut(sock: Any, how: int) -> None:
    blocking.plain(calls.shutdown, sock, how)


def _end_calls(sock: Any, how: int, *, may_wait_again: bool) -> None:
    """Those that are in a call now. A thread that sends goes on where only reading has ended; one that reads where only
    writing has: its call is cancelled with the others, and made again.

    One that would wait again needs no more than the strike: Winsock says WSAESHUTDOWN to it, but not on a listener.
    """
    end = time.monotonic() + _END_SECONDS
    tries = 0
    while time.monotonic() < end:
        readers = _waking.readers_of(sock) if how != _socket.SHUT_WR else []
        writers = _waking.writers_of(sock)
        if not readers and (not writers or how == _socket.SHUT_RD):
            return
        if writers and how == _socket.SHUT_RD:
            for thread in readers:
                interrupter.cancel_for(thread, sock)
        else:
            _strike(sock, tries)
            tries += not may_wait_again
        time.sleep(_PAUSE_SECONDS)
