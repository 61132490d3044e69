"""Datagrams' and big sends, and the flags of send that Winsock lacks.

MSG_NOSIGNAL means nothing where there are no signals. MSG_DONTWAIT on a blocking stream sends in small pieces and asks
before each one whether there is room: Winsock says there is while a piece of this size fits (an eighth of the send
buffer; it takes whole what it takes at all, and Linux under Wine says so from a third on). What must never be put
here: a stream's send without flags (`data`).
"""

from __future__ import annotations

import _socket
from typing import Any

from samesock import _call_arguments, _errors, _message_arguments
from samesock._constants import MSG_DONTWAIT, MSG_NOSIGNAL
from samesock.unix import ends
from samesock.winsock import sockaddr, stream_error
from samesock.winsock.blocking import call
from samesock.winsock.calls import calls
from samesock.winsock.connecting import reachable
from samesock.winsock.failing import (
    WSAECONNABORTED,
    WSAECONNRESET,
    WSAEISCONN,
    WSAEMSGSIZE,
    WSAENETRESET,
    WSAENOBUFS,
    WSAENOTCONN,
    WSAEWOULDBLOCK,
    check_open,
    code_of,
    end_is_connected,
    is_connected,
    is_listening,
    is_unbound,
    told,
)
from samesock.winsock.waiting import Deadline, writable

_OURS = MSG_DONTWAIT | MSG_NOSIGNAL
_PEER_GONE = (WSAECONNABORTED, WSAECONNRESET)
_PIECE = 1 << 20
"""The most that one call of Winsock is given of a big sendall: a length is an int there, and a non-blocking send much
beyond the buffer is slow or WSAENOBUFS (Microsoft's KB 823764)."""


def send(sock: Any, data: Any, flags: int) -> int:
    """send() with flags, or of a datagram."""
    if flags.__class__ is not int or flags:
        flags = _call_arguments.number(flags)
    rest = flags & ~_OURS
    try:
        if flags & MSG_DONTWAIT:
            return _now(sock, data, rest)
        return call(calls.send, sock, data, rest)  # type: ignore[no-any-return]
    except OSError as error:
        return again(sock, error, data, rest)
    except TypeError:
        _message_arguments.bytes_of(data)
        raise


def sendall(sock: Any, data: Any, flags: int) -> None:
    """sendall() with flags, of much, or of a datagram; the socket's time-out is for all of it."""
    if calls.type(sock) != _socket.SOCK_STREAM:
        send(sock, data, flags)
        return
    rest = _message_arguments.bytes_of(data)
    deadline = Deadline(sock)
    while rest:
        deadline.wait(writable, sock)
        rest = rest[send(sock, rest[:_PIECE], flags) :]


def sendto(sock: Any, data: Any, *where: Any) -> int:
    """sendto(), `where` being the address, or flags and address."""
    if len(where) not in (1, 2):
        raise TypeError(f"sendto() takes 2 or 3 arguments ({len(where) + 1} given)")
    flags, address = where if len(where) == 2 else (0, *where)
    _check_length(data)
    if flags.__class__ is not int or flags:
        flags = _call_arguments.number(flags)
    target = reachable(sock, address)
    rest = flags & ~_OURS
    is_datagram = calls.type(sock) != _socket.SOCK_STREAM
    if is_datagram and isinstance(target, tuple) and len(target) > 1 and target[1] == 0:
        raise _errors.named_error(
            "EINVAL", f"sending to {address!r}"
        )  # no port; Wine would lose it in silence
    try:
        if flags & MSG_DONTWAIT:
            return _now(sock, data, rest, target)
        if not is_datagram:  # which the address means nothing to: Ctrl+C can end this one without loss
            if calls.family(sock) in (_socket.AF_INET, _socket.AF_INET6):
                sockaddr.encode(calls.family(sock), target, "sendto")  # a wrong one is refused all the same
            return call(calls.send, sock, data, rest)  # type: ignore[no-any-return]
        return call(calls.sendto, sock, data, rest, target)  # type: ignore[no-any-return]
    except OSError as error:
        code = code_of(error)
        if is_datagram and code in (WSAECONNRESET, WSAENETRESET):
            return call(calls.sendto, sock, data, rest, target)  # type: ignore[no-any-return]  # an earlier one's
        if is_datagram and code == WSAEISCONN and calls.getpeername(sock)[:2] == target[:2]:
            return send(sock, data, flags)
        raise _explained(sock, error, f"sending to {address!r}") from None


def again(sock: Any, error: OSError, data: Any, flags: int = 0) -> int:
    """What becomes of a failed send: less is tried where the system had no room for all, else it raises."""
    code = code_of(error)
    if calls.type(sock) != _socket.SOCK_STREAM:
        if code in (WSAECONNRESET, WSAENETRESET):
            if code == WSAECONNRESET and is_connected(sock):
                raise _errors.named_error("ECONNREFUSED", "sending", code=code) from None
            return call(calls.send, sock, data, flags)  # type: ignore[no-any-return]
    elif code == WSAENOBUFS:
        view = memoryview(data).cast("B")
        if len(view) > _PIECE:
            return call(calls.send, sock, view[:_PIECE], flags)  # type: ignore[no-any-return]
    try:
        raise failed(sock, error) from None
    finally:
        del error  # it would keep this frame alive


def failed(sock: Any, error: OSError) -> OSError:
    """The exception for a send that failed."""
    return _explained(sock, error, "sending")


def _explained(sock: Any, error: OSError, tried: str) -> OSError:
    code = code_of(error)
    is_datagram = calls.type(sock) != _socket.SOCK_STREAM
    if code == WSAENOTCONN and is_datagram:
        return _errors.named_error("EDESTADDRREQ", tried, code=code)
    end = ends.get(sock)
    if end is not None and not is_datagram and not end_is_connected(sock, end):
        return _errors.named_error("ENOTCONN", tried, code=code)
    if end is not None and code in _PEER_GONE:
        return _errors.named_error(
            "EPIPE", tried, code=code
        )  # a Unix socket's send knows no other word for it
    if end is not None or is_datagram:
        return told(sock, error, tried)
    if code == WSAECONNRESET and (is_unbound(sock) or is_listening(sock)):
        return _errors.named_error("ENOTCONN", tried, code=code)  # Wine's word for it (seen)
    return stream_error.sent(sock, error, tried) or told(sock, error, tried)


def _check_length(data: Any) -> None:
    """EMSGSIZE for what C would hand on with its length cut to an int."""
    if _message_arguments.bytes_of(data).nbytes > 0x7FFFFFFF:  # INT_MAX
        raise _errors.named_error("EMSGSIZE", "sending a datagram", code=WSAEMSGSIZE)


def _now(sock: Any, data: Any, flags: int, *where: Any) -> int:
    """Send at once what there is room for, whatever the socket's mode; BlockingIOError if there is none."""
    function = calls.sendto if where else calls.send
    timeout = calls.gettimeout(sock)
    if timeout == 0:
        return call(function, sock, data, flags, *where)  # type: ignore[no-any-return]
    check_open(sock)
    if timeout is not None:
        twin = calls.twin(sock)
        try:
            return call(function, twin, data, flags, *where)  # type: ignore[no-any-return]
        finally:
            twin.detach()
    if calls.type(sock) != _socket.SOCK_STREAM:
        _check_room(sock)
        return call(function, sock, data, flags, *where)  # type: ignore[no-any-return]
    view = memoryview(data).cast("B")
    piece = max(1, calls.getsockopt(sock, _socket.SOL_SOCKET, _socket.SO_SNDBUF) // 8)
    sent = 0
    while sent < len(view) or not len(view):
        if sent and not call(writable, sock, 0):
            break
        if not sent:
            _check_room(sock)
        sent += call(function, sock, view[sent : sent + piece], flags, *where)
        if not len(view):
            break
    return sent


def _check_room(sock: Any) -> None:
    if not call(writable, sock, 0):
        raise _errors.error(WSAEWOULDBLOCK, "sending with MSG_DONTWAIT")
