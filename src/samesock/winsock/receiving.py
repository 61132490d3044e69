"""Datagrams, and the flags of recv that Winsock lacks.

A datagram is received into room for the longest one. So it is never too long (Winsock then gives WSAEMSGSIZE in place
of the sender), its real length is known, and what does not fit the caller's buffer is left out as on BSD. MSG_DONTWAIT
looks first whether there is anything; of two threads that receive from one blocking socket, one can still wait for
what the other one took. MSG_WAITALL asks again until everything has come or the stream has ended, on a socket that
waits without end: one with a time-out is non-blocking below, where Linux does not obey the flag (seen). With MSG_PEEK
it means nothing here. What must never be put here: a stream's recv without flags (`data`).
"""

from __future__ import annotations

import _socket
from collections.abc import Callable
from typing import Any

from samesock import _call_arguments, _errors
from samesock._call_arguments import LONGEST as LONGEST_SIZE
from samesock._constants import MSG_DONTWAIT, MSG_NOSIGNAL
from samesock.winsock import binding, stream_error
from samesock.winsock.blocking import call
from samesock.winsock.calls import calls
from samesock.winsock.failing import (
    WSAECONNRESET,
    WSAEINVAL,
    WSAENETRESET,
    WSAESHUTDOWN,
    WSAEWOULDBLOCK,
    check_open,
    code_of,
    is_connected,
    is_unbound,
    told,
)
from samesock.winsock.waiting import Deadline, is_urgent, readable

LONGEST = 65536
"""No datagram of IPv4 or IPv6 is longer: 65,507 and 65,527 bytes after UDP's header."""

_OURS = MSG_DONTWAIT | MSG_NOSIGNAL | _socket.MSG_WAITALL | _socket.MSG_TRUNC
_ALL = _socket.MSG_WAITALL


def recv(sock: Any, size: int, flags: int) -> bytes:
    """recv() with flags, or of a datagram. For no bytes nobody is asked, in CPython either."""
    if size.__class__ is not int or not 0 < size <= LONGEST_SIZE:
        size = _call_arguments.size(size, "recv")
        if not size:
            return b""
    if calls.type(sock) != _socket.SOCK_STREAM:
        return datagram(sock, size, flags)[0]
    room = bytearray(size)
    return bytes(memoryview(room)[: _stream_into(sock, memoryview(room), flags)])


def recv_into(sock: Any, buffer: Any, nbytes: int, flags: int) -> int:
    """recv_into() with flags, or of a datagram. Without room nobody is asked, in CPython either."""
    room = _call_arguments.room(buffer, nbytes, "recv_into")
    if not room:
        return 0
    if calls.type(sock) != _socket.SOCK_STREAM:
        return datagram_into(sock, room, flags)[0]
    return _stream_into(sock, room, flags)


def datagram(sock: Any, size: int, flags: int) -> tuple[bytes, Any]:
    """One datagram, cut to `size`, and its sender; with MSG_TRUNC whole, so that its length is the real one."""
    if size.__class__ is not int or not 0 <= size <= LONGEST_SIZE:
        size = _call_arguments.size(size, "recvfrom")
    room = bytearray(LONGEST)
    length, sender = _receive(sock, room, flags)
    kept = length if flags & _socket.MSG_TRUNC else min(length, size)
    return bytes(memoryview(room)[:kept]), sender


def datagram_into(sock: Any, room: memoryview, flags: int) -> tuple[int, Any]:
    """One datagram into `room`, how much of it fitted (with MSG_TRUNC its real length), and its sender."""
    whole = bytearray(LONGEST)
    length, sender = _receive(sock, whole, flags)
    kept = min(length, len(room))
    room[:kept] = memoryview(whole)[:kept]
    return length if flags & _socket.MSG_TRUNC else kept, sender


def _receive(sock: Any, room: bytearray, flags: int) -> tuple[int, Any]:
    """One datagram. An error of an earlier one is told on a connected socket, and skipped on any other."""
    if flags.__class__ is not int or flags:
        flags = _call_arguments.number(flags)
    deadline = Deadline(sock)
    while True:
        try:
            return _now_or_then(sock, flags, calls.recvfrom_into, room, 0, flags & ~_OURS)  # type: ignore[no-any-return]
        except OSError as error:
            code = code_of(error)
            if code == WSAESHUTDOWN:
                return 0, None
            if code == WSAEINVAL and is_unbound(sock) and binding.has_wildcard(sock):
                call(calls.bind, sock, binding.wildcard(sock))  # BSD waits on it as on any other
            elif code == WSAECONNRESET and is_connected(sock):
                raise _errors.named_error("ECONNREFUSED", "receiving", code=code) from None
            elif code not in (WSAECONNRESET, WSAENETRESET):
                raise told(sock, error, "receiving") from None
        deadline.wait(readable, sock)


def _stream_into(sock: Any, room: memoryview, flags: int) -> int:
    """recv_into() of a stream with flags."""
    flags = _call_arguments.number(flags)
    rest = flags & ~_OURS
    if flags & _socket.MSG_OOB and not call(is_urgent, sock):
        raise _errors.named_error("EINVAL", "receiving urgent data where there are none")  # Wine would wait
    wants_all = flags & _ALL and not flags & (MSG_DONTWAIT | _socket.MSG_PEEK)
    filled = 0
    try:
        filled = _now_or_then(sock, flags, calls.recv_into, room, 0, rest) or stream_error.nothing(sock, 0)
        while wants_all and 0 < filled < len(room) and calls.gettimeout(sock) is None:
            more = call(calls.recv_into, sock, room[filled:], 0, rest)
            if not more:
                break
            filled += more
    except OSError as error:
        # What has come is given out first, as the kernel does; the next call meets the error again.
        if not filled and not stream_error.is_end(sock, error):
            raise failed(sock, error) from None
    return filled


def failed(sock: Any, error: OSError) -> OSError:
    """The exception for a stream's recv that failed."""
    return stream_error.received(sock, error, "receiving") or told(sock, error, "receiving")


def _now_or_then(sock: Any, flags: int, function: Callable[..., Any], *arguments: Any) -> Any:
    """The call; with MSG_DONTWAIT at once or not at all, whatever the socket's mode."""
    timeout = calls.gettimeout(sock)
    if not flags & MSG_DONTWAIT or timeout == 0:
        return call(function, sock, *arguments)
    if timeout is None:
        if not call(readable, sock, 0):
            raise _errors.error(WSAEWOULDBLOCK, "receiving with MSG_DONTWAIT")
        return call(function, sock, *arguments)
    check_open(sock)
    twin = calls.twin(sock)
    try:
        return call(function, twin, *arguments)
    finally:
        twin.detach()
