"""sendmsg, recvmsg and recvmsg_into, which the interpreter lacks on Windows.

Arguments and their errors are those of CPython on Linux. What is a Unix socket's goes to `unix.dispatch`; here are
Internet sockets: the flags that Winsock lacks, the time-out, what a datagram's errors mean. What must never be put
here: the frame around a call (`blocking`), the system's structures (`vectors`), forms of control messages (`control`).
"""

from __future__ import annotations

import _socket
import operator
import sys
import time
from _thread import get_ident
from collections.abc import Callable, Iterable
from typing import Any, Final
from weakref import ref

from samesock import _call_arguments, _message_arguments
from samesock._constants import MSG_DONTWAIT, MSG_NOSIGNAL
from samesock._errors import named_error
from samesock.unix import dispatch, ends
from samesock.winsock import beside, blocking, control, sending, sockaddr, stream_error, waiting
from samesock.winsock.calls import calls
from samesock.winsock.failing import is_connected
from samesock.winsock.interrupting import interrupter
from samesock.winsock.sending import failed

PIECE: Final = 1 << 20
"""Bytes that one call sends: a non-blocking send far beyond the buffer is slow (Microsoft's KB 823764), and a part of
a bytes object is copied, since ctypes has no address of read-only memory."""

DONTWAIT_PIECE: Final = 4096
"""Bytes that a waiting stream socket sends with MSG_DONTWAIT: a socket that is writable takes so many at once."""

_PEEK: Final = int(_socket.MSG_PEEK)
_TRUNC: Final = int(_socket.MSG_TRUNC)
_CTRUNC: Final = int(_socket.MSG_CTRUNC)
_WAITALL: Final = int(_socket.MSG_WAITALL)

_WSAEWOULDBLOCK, _WSAENOTCONN = 10035, 10057
_ICMP_ERRORS: Final = (10054, 10052)  # WSAECONNRESET, WSAENETRESET


class MessageMethods:
    """See the module's head. Each method's promise is the standard library's on POSIX."""

    __slots__ = ()

    def sendmsg(self: Any, buffers: Any, ancdata: Any = (), flags: int = 0, address: Any = None, /) -> int:
        """Send the buffers one after the other, with control messages `(level, type, data)` beside a datagram.

        Returns the bytes sent, of which a stream may take fewer. `OSError`: EMSGSIZE for more than 1,024 buffers
        or too long a datagram, EOPNOTSUPP for a control message that the system does not send, EINVAL for one that
        it cannot be. `BlockingIOError` and `TimeoutError` as any send.

        Portability:
            Linux, macOS, FreeBSD: native. Windows: emulated; Wine sends no control messages (EOPNOTSUPP).

        References: POSIX `sendmsg`; Winsock `WSASend`, `WSASendMsg`.
        """
        if ends.by_reference.get(ref(self)) is not None:
            if ancdata or ancdata is None or address is not None or not _is_stream(self):
                return dispatch.MessageMethods.sendmsg(self, buffers, ancdata, flags, address)
            # Bytes alone are a send, which Ctrl+C and close(wake=True) end.
            views = _message_arguments.require_few(_message_arguments.readable(buffers), "sendmsg")
            return sending.send(self, b"".join(views), _call_arguments.number(flags))
        views = _message_arguments.readable(buffers)
        messages = _message_arguments.control(ancdata)
        if flags.__class__ is not int or flags:
            flags = _call_arguments.number(flags)
        family, stream = int(calls.family(self)), _is_stream(self)
        # A connected stream has no use for an address, and refuses one of the wrong kind all the same.
        target = b"" if address is None else sockaddr.encode(family, address)
        sys.audit("socket.sendmsg", self, address)
        _check_open(self, "sendmsg()")
        _message_arguments.require_few(views, "sendmsg")
        if not stream:
            return _sent_message(self, views, beside.encoded(family, messages), flags, target)
        if messages:
            raise named_error("EOPNOTSUPP", "sending control messages over a stream socket")
        return _sent_down_the_stream(self, views, flags)

    def recvmsg(
        self: Any, bufsize: int, ancbufsize: int = 0, flags: int = 0, /
    ) -> tuple[bytes, Any, int, Any]:
        """Take a message, or what a stream has: `(data, control messages, flags, address)`.

        `MSG_TRUNC` in the flags tells of a datagram longer than `bufsize`, `MSG_CTRUNC` of control messages that did
        not fit into `ancbufsize` bytes, counted by `CMSG_SPACE`. The address is `None` for a stream. An ICMP error
        is told by a connected socket alone (`ConnectionRefusedError`).

        Portability:
            Linux, macOS, FreeBSD: native. Windows: emulated.

        References: POSIX `recvmsg`; Winsock `WSARecv`, `WSARecvMsg`.
        """
        if ends.by_reference.get(ref(self)) is not None:
            method: Any = getattr(dispatch.MessageMethods, "recvmsg", None) or _refuse
            return method(self, bufsize, ancbufsize, flags)  # type: ignore[no-any-return]
        if bufsize.__class__ is not int or not 0 <= bufsize <= _call_arguments.LONGEST:
            bufsize = _call_arguments.size(bufsize, "recvmsg", "negative buffer size in {}()")
        data = bytearray(bufsize)
        count, *rest = _received(self, [memoryview(data)], ancbufsize, flags, "recvmsg")
        return bytes(data[:count]), *rest

    def recvmsg_into(
        self: Any, buffers: Any, ancbufsize: int = 0, flags: int = 0, /
    ) -> tuple[int, Any, int, Any]:
        """As `recvmsg`, into the program's own writable buffers: `(bytes, control messages, flags, address)`.

        Portability:
            Linux, macOS, FreeBSD: native. Windows: emulated.

        References: POSIX `recvmsg`; Winsock `WSARecv`, `WSARecvMsg`.
        """
        if ends.by_reference.get(ref(self)) is not None:
            method: Any = getattr(dispatch.MessageMethods, "recvmsg_into", None) or _refuse
            return method(self, buffers, ancbufsize, flags)  # type: ignore[no-any-return]
        views = _message_arguments.writable(buffers)
        _message_arguments.require_few(views, "recvmsg_into")
        return _received(self, views, ancbufsize, flags, "recvmsg_into")


_OURS: Final = MSG_DONTWAIT | MSG_NOSIGNAL


def _refuse(*_: object) -> Any:
    raise named_error("EOPNOTSUPP", "recvmsg() on a Unix socket")


def _check_open(sock: Any, tried: str) -> None:
    """EBADF for a closed socket, which Winsock would look for under number -1."""
    if calls.fileno(sock) < 0:
        raise named_error("EBADF", tried)


# ---- the calls


def _sent_message(sock: Any, views: list[memoryview], encoded: bytes, flags: int, target: bytes) -> int:
    """Send one datagram; an ICMP error that an earlier one has caused is a connected socket's alone."""
    plain = flags & ~_OURS
    while True:
        try:
            sent: int = _made(sock, True, flags, calls.send_message, views, encoded, plain, target)
            return sent
        except OSError as error:
            code = getattr(error, "winerror", None)
            if code == _WSAENOTCONN and not target:
                raise named_error("EDESTADDRREQ", "sendmsg()", code=code) from None
            if code not in _ICMP_ERRORS:
                raise
            if is_connected(sock):
                raise named_error("ECONNREFUSED", "sendmsg()", code=code) from None


def _sent_down_the_stream(sock: Any, views: list[memoryview], flags: int) -> int:
    """Send down a stream: all of it if the socket waits, a piece else, as BSD does.

    An error after the first piece is the next call's.
    """
    plain = flags & ~_OURS
    whole = calls.gettimeout(sock) is None and not flags & MSG_DONTWAIT
    if whole and get_ident() == interrupter.main and not interrupter.signals_do_it:
        return _sent_by_the_main_thread(sock, views, plain)
    if flags & MSG_DONTWAIT and calls.gettimeout(sock) != 0:
        views = _first(views, DONTWAIT_PIECE)
    total = sum(view.nbytes for view in views)
    try:
        sent: int = _made(sock, True, flags, calls.send_vector, _first(views, PIECE), plain)
    except OSError as error:
        raise failed(sock, error) from None
    while whole and 0 < sent < total:
        try:
            rest = _first(_behind(views, sent), PIECE)
            sent += _made(sock, True, flags, calls.send_vector, rest, plain)
        except OSError:
            break
    return sent


def _sent_by_the_main_thread(sock: Any, views: list[memoryview], flags: int) -> int:
    """The same by send(), which Ctrl+C can end without loss: what is small is joined, what is big goes as it is."""
    small = sum(view.nbytes for view in views) <= PIECE
    sent = 0
    try:
        for part in [b"".join(views)] if small else views:
            count = blocking.write(calls.send, sock, part, flags)
            sent += count
            if count < memoryview(part).nbytes:
                break  # not all of it, so that nothing behind it may follow
    except OSError as error:
        if not sent:
            raise failed(sock, error) from None
    return sent


def _received(
    sock: Any, views: list[memoryview], ancbufsize: int, flags: int, name: str
) -> tuple[int, Any, int, Any]:
    """One message, or for a waiting stream with MSG_WAITALL as many pieces as fill the buffers."""
    room = operator.index(ancbufsize)
    if flags.__class__ is not int or flags:
        flags = _call_arguments.number(flags)
    if not 0 <= room <= 2**31 - 1:
        raise ValueError(f"invalid ancillary data buffer length in {name}()")
    wanted = sum(view.nbytes for view in views)
    _check_open(sock, f"{name}()")
    stream = _is_stream(sock)
    plain = flags & ~(_OURS | _WAITALL)
    try:
        got = _taken(sock, stream, views, plain, flags)
        if stream and not got.size:
            stream_error.nothing(sock, got, wanted)
    except OSError as error:
        # Here, and not where a later piece of MSG_WAITALL meets it: there it stays for the next call.
        if not stream_error.is_end(sock, error):
            raise (stream_error.received(sock, error, f"{name}()") if stream else None) or error from None
        got = control.NOTHING
    count = got.size
    if stream and flags & _WAITALL and not flags & (_PEEK | MSG_DONTWAIT):
        count = _filled(sock, views, count, wanted, plain)
    messages, lost = control.fitted(got.control, room)
    told = (_TRUNC if got.truncated else 0) | (_CTRUNC if lost or got.control_lost else 0)
    return count, messages, told, got.address


def _filled(sock: Any, views: list[memoryview], count: int, wanted: int, flags: int) -> int:
    """Go on until the buffers are full: the loop that MSG_WAITALL is, for a socket that waits without end.

    Neither Linux nor Winsock obeys the flag on a non-blocking socket, and one with a time-out is such a one below.
    An error after the first piece is the next call's, as on BSD.
    """
    while 0 < count < wanted and calls.gettimeout(sock) is None:
        try:
            more = _taken(sock, True, _behind(views, count), flags, flags).size
        except OSError:
            break
        if more == 0:
            break
        count += more
    return count


def _taken(sock: Any, stream: bool, views: list[memoryview], plain: int, flags: int) -> control.Received:
    """One call that receives, with Winsock's errors turned into what BSD would do instead."""
    while True:
        try:
            got: control.Received
            if stream:
                got = _made(sock, False, flags, calls.receive_vector, views, plain)
            else:
                # All control data that there can be is asked for: the program's size counts POSIX's forms.
                got = _made(sock, False, flags, calls.receive_message, views, control.ROOM, plain)
            return got
        except OSError as error:
            code = getattr(error, "winerror", None)
            if code not in _ICMP_ERRORS or stream:
                raise
            # An ICMP error that some earlier datagram of this socket has caused.
            if is_connected(sock):
                raise named_error("ECONNREFUSED", "recvmsg()", code=code) from None


def _is_stream(sock: Any) -> bool:
    """Whether the socket is a stream; all others keep their messages apart."""
    return int(calls.type(sock)) & 0xF == _socket.SOCK_STREAM


def _made(sock: Any, writing: bool, flags: int, function: Callable[..., Any], *arguments: Any) -> Any:
    """Make the call as the socket's mode has it: without end, at once, or until the time-out has passed."""
    timeout = calls.gettimeout(sock)
    ready = waiting.writable if writing else waiting.readable
    if flags & MSG_DONTWAIT and timeout != 0:
        if not ready(sock, 0):
            raise named_error("EWOULDBLOCK", f"{function.__name__}() with MSG_DONTWAIT", code=_WSAEWOULDBLOCK)
        return blocking.call(function, sock, *arguments)
    if not timeout:
        return blocking.call(function, sock, *arguments)
    deadline = time.monotonic() + timeout
    while True:
        try:
            return blocking.call(function, sock, *arguments)
        except BlockingIOError:
            left = deadline - time.monotonic()
            if left <= 0 or not blocking.call(ready, sock, left):
                raise TimeoutError("timed out") from None


# ---- a part of the buffers


def _first(views: Iterable[memoryview], most: int) -> list[memoryview]:
    """The beginning of the buffers, at most so many bytes."""
    kept = []
    for view in views:
        kept.append(view[:most])
        most -= kept[-1].nbytes
        if not most:
            break
    return kept


def _behind(views: Iterable[memoryview], count: int) -> list[memoryview]:
    """The buffers without their first `count` bytes."""
    kept = []
    for view in views:
        if count < view.nbytes:
            kept.append(view[count:])
        count = max(0, count - view.nbytes)
    return kept
