"""The frame around every call of Winsock that may block or fail.

`call` makes the call, gives its errors POSIX's errno, and is where Ctrl+C, `close(wake=True)` and `shutdown` end a
call that blocks. It knows by a function's name how it waits; a caller that knows it too says `read`, `write`,
`connect`, or `plain` for what never blocks, and saves the question. What must never be put here: what any one method
does.

A call of a socket without a time-out is C's own, written into `_waking`'s lists meanwhile. With a time-out C would
wait in select(), which nothing ends: there the wait is ours (`system.wait`), and C's call comes after it. A cancelled
read has taken nothing and is made again (PEP 475). A cancelled write has sent nobody knows how much: the main
thread's go through `pending`, which is never cancelled unless an exception leaves it. A failure is dealt with where it
is caught and kept in no variable: it would keep the frame alive, and the socket with it, until the garbage collector
comes.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found,unused-ignore]
import _socket
import operator
import signal
import time
from _thread import get_ident
from collections.abc import Callable
from typing import Any, Final
from weakref import WeakSet

from samesock import _errors, _waking
from samesock._call_arguments import LONGEST, size_of
from samesock.backend import system
from samesock.winsock import pending
from samesock.winsock.calls import calls
from samesock.winsock.failing import WSAEINVAL, WSAENOTCONN, has_no_peer, is_listening
from samesock.winsock.interrupting import interrupter, may_block_now

SMALL: Final = 4096
"""Bytes of a send that any buffer takes at once, unless the peer has long stopped reading."""
_LOOK_SECONDS: Final = 0.02
_SHUT_DOWN: Final = (
    10058  # WSAESHUTDOWN: what a read of Winsock's gives where BSD's gives the end of the stream
)
_WOULD_BLOCK: Final = 10035
_WITHOUT_SELECT: Final[dict[Any, str]] = {
    _socket.socket.recv: "recv_now",
    _socket.socket.recv_into: "recv_into_now",
    _socket.socket.recvfrom_into: "recvfrom_into_now",
    _socket.socket._accept: "accept_now",  # type: ignore[attr-defined]  # noqa: SLF001  (see `calls`)
    _socket.socket.send: "send_now",
}
"""C's methods, which ask select() whenever there is a time-out, and the entry of `calls` that does the rest of them."""

_UNDER_WAY: Final = (10035, 10036, 10037)  # WSAEWOULDBLOCK, WSAEINPROGRESS, WSAEALREADY

_END: Final[dict[str, Any]] = {
    "recv": b"",
    "recv_into": 0,
    "recvfrom": (b"", None),
    "recvfrom_into": (0, None),
}
"""What C's calls give at the end of the stream. Any other raises WSAESHUTDOWN for it, as Winsock does."""

under_way: WeakSet[Any] = WeakSet()
"""Sockets whose connect goes on after its call."""

_readers = _waking.readers
_writers = _waking.writers
_ended = _waking.ended
_marks = _waking.marks
_shut_writers = _waking.shut_for_writing.data  # type: ignore[attr-defined]
_Nested = _waking.Nested
_leave = _waking.leave
_leave_writing = _waking.leave_writing


def call(function: Callable[..., Any], sock: Any, *arguments: Any) -> Any:
    """`function(sock, *arguments)`; an `OSError` with a Winsock code leaves it with POSIX's errno."""
    kind: Callable[..., Any] = _KINDS.get(getattr(function, "__name__", ""), plain)
    return kind(function, sock, *arguments)


def plain(function: Callable[..., Any], sock: Any, *arguments: Any) -> Any:
    """The same for a function that never blocks."""
    try:
        return function(sock, *arguments)
    except OSError as failure:
        raise _translated(failure, function, sock) from None


def read(function: Callable[..., Any], sock: Any, *arguments: Any) -> Any:
    """The same for one that waits until something has come: what it does is undone when it is cancelled."""
    if _marks:
        _waking.check(sock, _tried(function))
    timeout = calls.gettimeout(sock)
    if timeout is not None:
        if timeout == 0 or interrupter.signals_do_it:
            return plain(function, sock, *arguments)
        return _read_in_time(function, sock, timeout, arguments)
    me = get_ident()
    if not interrupter.ready and me == interrupter.main and not may_block_now(sock):
        return _read_in_time(function, sock, None, arguments)
    while True:
        outer = _readers.get(me)
        _readers[me] = (
            sock if outer is None and me not in _writers else _Nested(sock, outer, _writers.get(me))
        )
        try:
            return function(sock, *arguments)
        except OSError as failure:
            if reading_has_ended(failure, sock, function):
                return _END[_name(function)]
        finally:
            _readers[me] = outer
            _leave(sock)
        # A handler of Ctrl+C has run by now, or does when the loop turns: then its exception is the answer.


def _read_in_time(function: Callable[..., Any], sock: Any, timeout: float | None, arguments: Any) -> Any:
    if _takes_nothing(function, arguments):
        return plain(function, sock, *arguments)
    call = function
    if timeout is not None:
        call = getattr(calls, _WITHOUT_SELECT.get(function, ""), function)
    deadline = None if timeout is None else time.monotonic() + timeout
    me = get_ident()
    while True:
        outer = _readers.get(me)
        _readers[me] = (
            sock if outer is None and me not in _writers else _Nested(sock, outer, _writers.get(me))
        )
        try:
            if not _is_shut(sock):
                _wait(sock, deadline, function, writing=False)
                if _is_shut(sock):
                    continue
            elif not system.wait_for(calls.fileno(sock), False, 0.0):
                raise _errors.error(_SHUT_DOWN, _tried(function))
            return call(sock, *arguments)
        except OSError as failure:
            if call is not function and getattr(failure, "winerror", None) == _WOULD_BLOCK:
                continue  # another thread took it
            if reading_has_ended(failure, sock, function):
                return _END[_name(function)]
        finally:
            _readers[me] = outer
            _leave(sock)


def _takes_nothing(function: Callable[..., Any], arguments: Any) -> bool:
    """Whether C asks nobody, and so waits for nothing: for no bytes, or with arguments that it refuses."""
    name = _name(function)
    if name == "recv":
        size = arguments[0]
        if size.__class__ is not int:
            size = operator.index(size)
        return not 0 < size <= LONGEST
    if name != "recv_into":
        return False
    try:
        room = memoryview(arguments[0])
        size = operator.index(arguments[1])
        return room.readonly or not room.nbytes or not room.contiguous or size > room.nbytes
    except TypeError:
        return True


def write(function: Callable[..., Any], sock: Any, *arguments: Any) -> Any:
    """The same for one that waits until there is room: sent is sent, once."""
    timeout = calls.gettimeout(sock)
    if timeout == 0 or interrupter.signals_do_it:
        return plain(function, sock, *arguments)
    name = _name(function)
    if timeout is not None:
        return _write_in_time(function, sock, timeout, arguments, whole=name == "sendall")
    me = get_ident()
    outer = _writers.get(me)
    _writers[me] = sock if outer is None and me not in _readers else _Nested(sock, outer, _readers.get(me))
    try:
        while True:
            try:
                if me != interrupter.main:
                    return function(sock, *arguments)
                return _write_in_main(function, sock, name, arguments)
            except OSError as failure:
                if name == "sendall" or _ended.get(sock) is not None or not _may_not_wait(failure, sock):
                    raise writing_failed(failure, sock, function) from None
            system.wait_for(calls.fileno(sock), True, _LOOK_SECONDS)
    finally:
        if me == interrupter.main:
            interrupter.writing = None
        _writers[me] = outer
        _leave_writing(sock)


def _write_in_main(function: Callable[..., Any], sock: Any, name: str, arguments: Any) -> Any:
    if name in ("send", "sendall"):
        if size_of(arguments[0]) <= SMALL and _ctrl_c_raises():
            # Under Wine 17 us cheaper than the way below, a tenth of a ping-pong. It is cut short by Ctrl+C alone,
            # whose exception leaves then.
            interrupter.writing = [sock]
            return function(sock, *arguments)
        sent = pending.send(calls.fileno(sock), *arguments)
        return sent if name == "send" else None
    # A datagram, or a message: with room for it, it is not waited for.
    _wait(sock, None, function, writing=True)
    if interrupter.queued:
        interrupter.settle()
    return function(sock, *arguments)


def _ctrl_c_raises() -> bool:
    """Whether Ctrl+C now would end a call of C's and is sure to raise: then how much was sent need not be known."""
    return (
        interrupter.is_ready()
        and not interrupter.queued
        and _signal.getsignal(signal.SIGINT) is signal.default_int_handler
    )


def _write_in_time(
    function: Callable[..., Any], sock: Any, timeout: float, arguments: Any, *, whole: bool
) -> Any:
    deadline = time.monotonic() + timeout
    me = get_ident()
    size = memoryview(arguments[0]).nbytes if whole else 0
    sent = 0
    call = calls.send_now if whole or (function in _WITHOUT_SELECT and len(arguments) < 3) else function
    outer = _writers.get(me)
    _writers[me] = sock if outer is None and me not in _readers else _Nested(sock, outer, _readers.get(me))
    try:
        while True:
            number = calls.fileno(sock)
            # select() is half the price of a wait of ours.
            if number >= 0 and not calls.select([], [number], [], 0)[1] and not is_shut_for_writing(sock):
                _wait(sock, deadline, function, writing=True)
            try:
                if not whole:
                    return call(sock, *arguments)
                sent += calls.send_now(sock, arguments[0], *(arguments[1:] or (0,)), sent)
            except OSError as failure:
                if call is function or getattr(failure, "winerror", None) != _WOULD_BLOCK:
                    raise
            if whole:
                if sent >= size:
                    return None
                if time.monotonic() >= deadline:  # there may be room again each time
                    raise TimeoutError("timed out")
    except OSError as failure:
        raise _translated(failure, function, sock) from None
    finally:
        _writers[me] = outer
        _leave_writing(sock)


def connect(function: Callable[..., Any], sock: Any, address: Any) -> Any:
    """The same for connect and connect_ex, which wait for the other side; the second gives its error's number.

    A host's name is resolved by C before: nothing ends that.
    """
    timeout = calls.gettimeout(sock)
    wants_number = _name(function) == "connect_ex"
    if timeout == 0 or interrupter.signals_do_it:
        if wants_number:
            return function(sock, address)
        return plain(function, sock, address)
    deadline = None if timeout is None else time.monotonic() + timeout
    me = get_ident()
    outer = _readers.get(me)
    _readers[me] = sock if outer is None and me not in _writers else _Nested(sock, outer, _writers.get(me))
    try:
        calls.settimeout(sock, 0.0)
        try:
            code = calls.connect_ex(sock, address)
            if code in _UNDER_WAY:
                _wait(sock, deadline, None, writing=True)
                _waking.check(sock, "connect()")
                code = calls.getsockopt(sock, _socket.SOL_SOCKET, _socket.SO_ERROR)
        finally:
            if calls.fileno(sock) >= 0:
                calls.settimeout(sock, timeout)
    except OSError as failure:
        error = _translated(failure, function, sock)
    else:
        if not code:
            return 0 if wants_number else None
        error = _errors.error(code, "connect()")
    finally:
        _readers[me] = outer
        _leave(sock)
    try:
        if wants_number and error.errno is not None:
            return error.errno
        raise error
    finally:
        del error


def ready(sock: Any, *, writing: bool, seconds: float | None) -> bool:
    """Whether the socket can be read (or written) within that time; Ctrl+C and `close(wake=True)` end the wait."""
    if writing and is_shut_for_writing(sock):
        return True
    me = get_ident()
    mine, others = (_writers, _readers) if writing else (_readers, _writers)
    outer = mine.get(me)
    mine[me] = sock if outer is None and me not in others else _Nested(sock, outer, others.get(me))
    try:
        number = calls.fileno(sock)
        if number < 0:
            raise _errors.named_error("EBADF", "waiting for a closed socket")
        return system.wait_for(number, writing, seconds)
    finally:
        mine[me] = outer
        (_leave_writing if writing else _leave)(sock)


def _wait(sock: Any, deadline: float | None, function: Callable[..., Any] | None, *, writing: bool) -> None:
    """Until C's call would not block. `TimeoutError` when it is too late; for a closed socket C's call tells.

    With a function, also until it is seen that it can only fail. A BSD says that such a socket is ready; Winsock never
    does. It is looked at after a while, so that a connection at work pays nothing for it.
    """
    number = calls.fileno(sock)
    if number < 0:
        return
    left = None if deadline is None else max(0.0, deadline - time.monotonic())
    if function is not None and (left is None or left > _LOOK_SECONDS):
        if system.wait_for(number, writing, _LOOK_SECONDS):
            return
        _check_state(sock, function)
        left = None if deadline is None else max(0.0, deadline - time.monotonic())
    if not system.wait_for(number, writing, left):
        raise TimeoutError("timed out")


def _check_state(sock: Any, function: Callable[..., Any]) -> None:
    """Raise what a BSD answers at once to a call that waits in vain, on a stream without a peer or no listener."""
    if calls.type(sock) != _socket.SOCK_STREAM or sock in under_way:
        return
    if _name(function) in ("_accept", "accept"):
        if not is_listening(sock):
            raise _errors.error(WSAEINVAL, _tried(function))
    elif has_no_peer(sock):
        raise _errors.error(WSAENOTCONN, _tried(function))


def is_shut_for_writing(sock: Any) -> bool:
    """Whether this process has: then a send fails at once, however full the buffer is, of which Winsock's select() and
    driver go on to say that there is no room."""
    return bool(_shut_writers) and sock in _waking.shut_for_writing


def _is_shut(sock: Any) -> bool:
    """Whether this process has shut the socket down for reading."""
    return bool(_ended) and _ended.get(sock) == _waking.END_OF_STREAM


def reading_has_ended(failure: OSError, sock: Any, function: Callable[..., Any]) -> bool:
    """Whether the call is to give the end of the stream, as after one's own shutdown; False to make it again. Raises
    what ends it else."""
    code = getattr(failure, "winerror", None)
    if code == _SHUT_DOWN and _name(function) in _END:
        return True
    if code not in _errors.CANCELLED and not _may_not_wait(failure, sock):
        try:
            raise _translated(failure, function, sock) from None
        finally:
            del failure
    if get_ident() == interrupter.main:
        interrupter.cancelled += 1
    if code == _WOULD_BLOCK and _ended.get(sock) is None:
        system.wait_for(calls.fileno(sock), False, _LOOK_SECONDS)
        return False
    if _ended.get(sock) == _waking.END_OF_STREAM:
        if _name(function) in _END:
            return True
        raise _errors.error(_SHUT_DOWN, _tried(function)) from None
    _waking.check(sock, _tried(function))
    return False


def _may_not_wait(failure: OSError, sock: Any) -> bool:
    """Whether a call came back without waiting although the socket blocks: for it, or for a duplicate of it, which has
    the same mode, `close(wake=True)` or the shutdown of a listener has set that (docs/decisions/0011)."""
    return getattr(failure, "winerror", None) == _WOULD_BLOCK and (
        calls.gettimeout(sock) is None or _ended.get(sock) is not None
    )


def writing_failed(failure: OSError, sock: Any, function: Callable[..., Any]) -> OSError:
    """The exception for a write that failed."""
    code = getattr(failure, "winerror", None)
    if code in _errors.CANCELLED or _may_not_wait(failure, sock):
        return _cut(sock, function, code)
    return _translated(failure, function, sock)


def _cut(sock: Any, function: Callable[..., Any], code: int | None) -> OSError:
    """For a write that was cancelled: by the close, or by somebody who is no part of this library."""
    name = _ended.get(sock)
    if name == _waking.END_OF_STREAM or (name is None and sock in _waking.shut_for_writing):
        return _errors.named_error("EPIPE", _tried(function), code=code)
    tried = f"{_tried(function)}; it was cancelled, and part may have been sent"
    return _errors.named_error(name or "ECONNABORTED", tried, code=code)


def _translated(failure: OSError, function: Callable[..., Any], sock: Any) -> OSError:
    code = getattr(failure, "winerror", None)
    name = _ended.get(sock) if _ended else None
    if name:
        return _errors.named_error(name, _tried(function), code=code or None)
    if not code:
        return failure
    if calls.fileno(sock) < 0:
        return _errors.named_error("EBADF", f"{_tried(function)}; the socket was closed meanwhile", code=code)
    return _errors.error(code, _tried(function))


def _name(function: Callable[..., Any]) -> str:
    name: str = getattr(function, "__name__", "")
    return name


def _tried(function: Callable[..., Any]) -> str:
    return f"{_name(function).strip('_')}()"


_KINDS: Final[dict[str, Callable[..., Any]]] = {
    **dict.fromkeys(("_accept", "accept", "recvmsg", "recvmsg_into", *_END), read),
    **dict.fromkeys(("send", "sendall", "sendto", "sendmsg"), write),
    **dict.fromkeys(("connect", "connect_ex"), connect),
}
