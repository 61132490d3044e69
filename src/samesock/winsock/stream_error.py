"""The one error of a stream whose connection has failed: a BSD gives it to the call that asks first, and to no other.

As Linux does it (seen on 6.18; socket(7) of SO_ERROR, send(2) of EPIPE): recv, send and getsockopt(SO_ERROR) each take
the error, with whatever flags. Afterwards recv is at the end of the stream, send is EPIPE, SO_ERROR 0. From the reset
on getpeername and shutdown are ENOTCONN, which takes nothing. Winsock's recv and send fail by the same code for ever,
its SO_ERROR is silent, its getpeername and shutdown go on. What is asked here is asked where a call has failed, or in a
call that moves no data. What must never be put here: datagrams' errors (`receiving`, `sending`).
"""

from __future__ import annotations

import _socket
from typing import Any, Final, TypeVar

from samesock import _errors, _waking
from samesock._told_streams import is_news, tell, told
from samesock.winsock.blocking import under_way
from samesock.winsock.calls import calls
from samesock.winsock.failing import (
    WSAECONNABORTED,
    WSAECONNRESET,
    WSAENETRESET,
    WSAENOTCONN,
    WSAESHUTDOWN,
    WSAETIMEDOUT,
    code_of,
    has_time_of_the_systems,
)

Got = TypeVar("Got")

_RECEIVING: Final = {
    WSAENETRESET: "ETIMEDOUT",  # keep-alive has found nobody (the documentation of recv)
    WSAECONNABORTED: "ECONNRESET",  # POSIX's recv has no ECONNABORTED
    WSAECONNRESET: "ECONNRESET",
    WSAETIMEDOUT: "ETIMEDOUT",
}
_SENDING: Final = {
    **_RECEIVING,
    # This host has ended it: so says Windows to who goes on sending to a peer that has closed, as POSIX says EPIPE.
    WSAECONNABORTED: "EPIPE",
}


def is_end(sock: Any, error: OSError) -> bool:
    """Whether a failed recv is the end of the stream: after one's own SHUT_RD, and when its error was told before."""
    code = code_of(error)
    return code == WSAESHUTDOWN or (
        sock in told and (_is_of_connection(sock, code) or _is_of_connect(sock, code))
    )


def received(sock: Any, error: OSError, tried: str) -> OSError | None:
    """The exception for a recv that the connection's error has met, which is told now; `None` for another error."""
    code = code_of(error)
    failure = _failed_connect(sock, tried) if _is_of_connect(sock, code) else None
    if failure is not None:
        return failure
    if not _is_of_connection(sock, code):
        return None
    tell(sock)
    return _errors.named_error(_RECEIVING[code], tried, code=code)


def sent(sock: Any, error: OSError, tried: str) -> OSError | None:
    """The same for a send: EPIPE once the error was told."""
    code = code_of(error)
    failure = _failed_connect(sock, tried) if _is_of_connect(sock, code) else None
    if failure is not None:
        return failure
    if code == WSAENOTCONN and sock in told and sock in under_way:
        name = "EPIPE"
    elif code == WSAESHUTDOWN:  # one's own SHUT_WR; a reset that came after it is told first
        name = "ECONNRESET" if _is_aborted(sock) and is_news(sock) else "EPIPE"
    elif not _is_of_connection(sock, code):
        return None
    else:
        name = _SENDING[code] if is_news(sock) else "EPIPE"
    return _errors.named_error(name, tried, code=code)


def nothing(sock: Any, got: Got, wanted: int = 1) -> Got:
    """What has come down a stream, and that is nothing: raises the error of a connect that has failed, of which Wine's
    recv does not tell."""
    failure = _failed_connect(sock, "receiving") if wanted and under_way and sock in under_way else None
    if failure is None:
        return got
    try:
        raise failure
    finally:
        del failure  # it would keep this frame alive, and the socket with it


def option(sock: Any, number: int) -> int:
    """SO_ERROR, `number` being the system's: an errno, once."""
    if calls.type(sock) != _socket.SOCK_STREAM:
        return number
    if number:
        return number if is_news(sock) else 0
    if sock not in told and _is_aborted(sock):
        tell(sock)
        return _errors.number_of("ECONNRESET")
    return 0


def has_failed(sock: Any) -> bool:
    """Whether the connection is there no more, so that the socket has no peer: it stays as it is, told or not."""
    return calls.type(sock) == _socket.SOCK_STREAM and _is_aborted(sock)


def reconnecting(sock: Any, tried: str) -> OSError | None:
    """Linux's answer to a connect of a stream whose connection has failed, `None` where it has not."""
    if not has_failed(sock):
        return None
    return _errors.named_error("ECONNRESET" if is_news(sock) else "ECONNABORTED", tried)


def _is_of_connection(sock: Any, code: int) -> bool:
    """Whether the code is the connection's, and neither `close(wake=True)`'s nor a time-out of the system's."""
    if code not in _RECEIVING or (_waking.ended and _waking.ended.get(sock)):
        return False
    return code != WSAETIMEDOUT or not has_time_of_the_systems(sock)


def _is_of_connect(sock: Any, code: int) -> bool:
    """Whether the code may be what data calls say of a stream whose connect was refused after its call: WSAENOTCONN,
    and Wine's send has another one."""
    return code in (WSAENOTCONN, WSAECONNRESET) and sock in under_way


def _failed_connect(sock: Any, tried: str) -> OSError | None:
    """The error of a connect that was under way, if it has failed and nobody was told."""
    if sock in told:
        return None
    try:
        code = calls.getsockopt(sock, _socket.SOL_SOCKET, _socket.SO_ERROR)
    except OSError:
        return None  # it was closed meanwhile
    if not code:
        return None
    tell(sock)
    return _errors.pending(code, tried)


def _is_aborted(sock: Any) -> bool:
    number = calls.fileno(sock)
    # select() is a third of the price, and calls it readable.
    return number >= 0 and bool(calls.select((number,), (), (), 0)[0]) and calls.is_aborted(sock)
