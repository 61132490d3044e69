"""The frame around a message call of an emulated Unix socket: where `close(wake=True)` and `shutdown` find it.

Such a call waits in `system.wait`, not in the kernel's recv, so nothing else would end it; and what C's calls raise
underneath is Winsock's there. What must never be put here: what a call does.
"""

from __future__ import annotations

import _socket
from _thread import get_ident
from collections.abc import Callable
from typing import Any, Final, TypeVar

from samesock import _told_streams, _waking
from samesock._errors import CANCELLED, error, is_told, named_error
from samesock.unix import choosing
from samesock.unix.calls import calls

_Result = TypeVar("_Result")

_SHUT_DOWN: Final = 10058
"""WSAESHUTDOWN: Winsock's answer after one's own shutdown, where BSD's is the end of the stream, or EPIPE."""
_RESET: Final = (10053, 10054)  # WSAECONNABORTED, WSAECONNRESET
_RECEIVING: Final = "receiving from a Unix socket"
_SENDING: Final = "sending over a Unix socket"


def receiving(sock: Any, nothing: _Result, function: Callable[..., _Result], *arguments: Any) -> _Result:
    """`function(*arguments)`, which receives from the socket; `nothing` is its answer at the end of the stream."""
    me = get_ident()
    outer = _waking.readers.get(me)
    _waking.readers[me] = _waking.entry(sock, outer, _waking.writers.get(me))
    try:
        return function(*arguments)
    except OSError as failure:
        code: int | None = getattr(failure, "winerror", None)
        if code == _SHUT_DOWN or _woken_here(sock):
            return nothing
        if code in _RESET and _is_stream(sock):
            if not _told_streams.is_news(sock):
                return nothing  # Winsock says it for ever
            raise named_error("ECONNRESET", _RECEIVING, code=code) from None
        raise _told(sock, failure, _RECEIVING) from None
    finally:
        _waking.readers[me] = outer
        _waking.leave(sock)


def sending(sock: Any, function: Callable[..., _Result], *arguments: Any) -> _Result:
    """The same for one that sends."""
    me = get_ident()
    outer = _waking.writers.get(me)
    _waking.writers[me] = _waking.entry(sock, outer, _waking.readers.get(me))
    try:
        return function(*arguments)
    except OSError as failure:
        if _woken_here(sock):
            raise named_error("EPIPE", _SENDING) from None
        code: int | None = getattr(failure, "winerror", None)
        if code in _RESET and _is_stream(sock):
            raise named_error("EPIPE", _SENDING, code=code) from None
        raise _told(sock, failure, _SENDING) from None
    finally:
        _waking.writers[me] = outer
        _waking.leave_writing(sock)


def check(sock: Any, number: int) -> None:
    """Nothing while the socket is open under that number; else EBADF, before the number of a stranger's socket is
    used. Asked after each wait, during which another thread may have closed it, or be about to."""
    if calls.fileno(sock) != number:
        raise named_error("EBADF", "using a Unix socket that was closed meanwhile")
    _waking.check(sock, "using a Unix socket")


def _is_stream(sock: Any) -> bool:
    """Whether the connection's error is the kernel's; one that keeps messages apart has its own ways to end."""
    ended = bool(_waking.ended) and bool(_waking.ended.get(sock))
    return not ended and calls.type(sock) == _socket.SOCK_STREAM


def _woken_here(sock: Any) -> bool:
    """Whether `close(wake=True)` ended it where that looks like a shutdown: everywhere but on Windows."""
    return bool(_waking.ended) and _waking.ended.get(sock) == "ECONNABORTED" and not choosing.over_winsock()


def _told(sock: Any, failure: OSError, tried: str) -> OSError:
    """The exception for the program: with POSIX's errno, and EBADF where somebody closed the socket meanwhile."""
    if _waking.ended and _waking.ended.get(sock) == "ECONNABORTED":
        return named_error("ECONNABORTED", tried)
    code: int | None = getattr(failure, "winerror", None)
    if code is None or is_told(failure):
        return failure
    if calls.fileno(sock) < 0:
        return named_error("EBADF", f"{tried} that was closed meanwhile", code=code)
    if code in CANCELLED:
        return named_error("ECONNABORTED", f"{tried}; it was cancelled, and part may have gone", code=code)
    return error(code, tried)
