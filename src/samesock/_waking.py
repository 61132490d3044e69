"""Who is in a call that may block, and the end that `close(wake=True)` puts to such calls.

`readers` and `writers` say which thread is in a call of which socket: a call that can be ended writes itself in, and
puts back what it found when it leaves, since a signal's handler makes calls in the middle of a call. Both are done in
the caller's own lines, where no handler's exception can come in between. `wake` marks the socket, strikes until nobody
is in a call of it any more, and only then lets the number be closed, so that it cannot be another socket's under a call
that still blocks. The strike is the system's: shutdown(2) here, Winsock's in `samesock.winsock.ending`. What must never
be put here: what one method does.

C's own recv and send on POSIX are not written in (they would cost more): a shutdown ends them inside the kernel, where
they hold the socket and not its number.
"""

from __future__ import annotations

import _socket
import os
import time
from _thread import get_ident
from collections.abc import Callable
from typing import Any, Final
from weakref import WeakKeyDictionary, WeakSet

from samesock._errors import named_error
from samesock._family import AF_UNIX

readers: dict[int, Any] = {}
"""The socket of which a thread is in a call that loses nothing when it is cut short, by the thread's identifier; a
`Nested` for a call in the middle of another one."""

writers: dict[int, Any] = {}
"""The same for a call that sends: cut short, nobody would know how much was sent."""

END_OF_STREAM: Final = ""


class _Ended(WeakKeyDictionary[Any, str]):
    """A bare `_socket.socket`, which the probes use, has no weak reference, and so is never in it."""

    def get(self, key: Any, default: Any = None) -> Any:
        try:
            return super().get(key, default)
        except TypeError:
            return default


ended = _Ended()
"""Sockets whose blocked calls are to end, and the name of the errno with which they do; `END_OF_STREAM` after one's own
shutdown, for reading."""

shut_for_writing: WeakSet[Any] = WeakSet()
"""Sockets that one's own shutdown has ended for writing, where a call that blocks hears of it from here alone."""

marks: dict[Any, str] = ended.data  # type: ignore[attr-defined]
"""What is in `ended`: to ask this one whether there is anything costs a tenth."""

let_pass: Callable[[int], None] | None = None
"""What a thread does that has left a call, given its identifier: where Ctrl+C is a thread's work (`samesock.winsock`),
none of its strikes may hit what comes after."""

HAND_OVER_SECONDS = 1.0
"""How long the closing thread waits for the others. After it, the last of them closes the number."""

_GRACE_SECONDS = 0.02
"""Between the shutdown and the close: a thread on its way into recv(2) has its number in a register already, and one
whose poll(2) was ended has still to call recv(2) (with 1 ms, one of 140 got EBADF on a busy machine)."""

orphans: dict[Any, int] = {}
"""The numbers of closed sockets that a thread is still in a call of, by the socket."""


class Nested:
    """A call that a signal's handler makes in the middle of the thread's other calls, which go on after it."""

    __slots__ = ("beneath", "outer", "sock")

    def __init__(self, sock: Any, outer: Any, beneath: Any) -> None:
        self.sock = sock
        self.outer = outer
        """What the thread's entry in the same list was before."""
        self.beneath = beneath
        """Its entry in the other list meanwhile."""


def entry(sock: Any, outer: Any, beneath: Any) -> Any:
    """What a call writes of itself into its list, given the thread's entries in that list and in the other one."""
    return sock if outer is None and beneath is None else Nested(sock, outer, beneath)


def _sock_of(entry: Any) -> Any:
    return entry.sock if entry.__class__ is Nested else entry


def _has(entry: Any, sock: Any) -> bool:
    """Whether the call, or one that it is in the middle of, is of the socket."""
    while entry.__class__ is Nested:
        if entry.sock is sock:
            return True
        entry = entry.outer
    return entry is sock


def read_by(thread: int) -> Any:
    """The socket that the thread reads from right now; `None` also while it sends in the middle of that."""
    reading, writing = readers.get(thread), writers.get(thread)
    if writing is None or (reading.__class__ is Nested and reading.beneath is writing):
        return _sock_of(reading)
    return None


def written_by(thread: int) -> Any:
    """The socket that the thread sends on right now; `None` also while it reads in the middle of that."""
    reading, writing = readers.get(thread), writers.get(thread)
    if reading is None or (writing.__class__ is Nested and writing.beneath is reading):
        return _sock_of(writing)
    return None


def check(sock: Any, tried: str) -> None:
    """Raise what ends a call of that socket, if something does."""
    name = ended.get(sock) if ended else None
    if name:
        raise named_error(name, tried)


def check_woken(sock: Any, tried: str) -> None:
    """The same for a call that `close(wake=True)` alone ends, and one's own shutdown does not."""
    if ended and ended.get(sock) == "ECONNABORTED":
        raise named_error("ECONNABORTED", tried)


def check_caller(tried: str) -> None:
    """The same for the socket whose call this thread is in."""
    if ended:
        me = get_ident()
        sock = read_by(me)
        if sock is None:
            sock = _sock_of(writers.get(me))
        if sock is not None:
            check(sock, tried)


def is_shut_for_caller() -> bool:
    """Whether this thread reads from a socket that was shut down for reading, or sends on one that was for writing:
    then a wait for it is over."""
    if not ended and not shut_for_writing:
        return False
    me = get_ident()
    sock = read_by(me)
    if sock is not None:
        return bool(ended.get(sock) == END_OF_STREAM)
    sock = written_by(me)
    return sock is not None and sock in shut_for_writing


def leave(sock: Any) -> None:
    """This thread is out of its call, and has put back what it found. The last one to leave closes what its closer
    could not."""
    me = get_ident()
    if readers.get(me) is None:
        readers.pop(me, None)
    if let_pass is not None:
        let_pass(me)
    if orphans:
        close_if_last(sock)


def leave_writing(sock: Any) -> None:
    """The same for a call that sends."""
    me = get_ident()
    if writers.get(me) is None:
        writers.pop(me, None)
    if let_pass is not None:
        let_pass(me)
    if orphans:
        close_if_last(sock)


def close_if_last(sock: Any) -> None:
    """After a call: close what the socket's closer left to the last thread that leaves it."""
    if sock in orphans and not others_in(sock):
        number = orphans.pop(sock, None)
        if number is not None:
            _socket.close(number)


def others_in(sock: Any) -> list[int]:
    """The threads other than this one that are in a call of the socket."""
    return readers_of(sock) + writers_of(sock)


def readers_of(sock: Any) -> list[int]:
    """Those that are in a call which can be cut short."""
    me = get_ident()
    # The numbers first: that makes no tuples, whose making may run the garbage collector, and with it other threads.
    return [thread for thread in list(readers) if thread != me and _has(readers.get(thread), sock)]


def writers_of(sock: Any) -> list[int]:
    """Those that send."""
    me = get_ident()
    return [thread for thread in list(writers) if thread != me and _has(writers.get(thread), sock)]


def wake(sock: Any, strike: Callable[[Any, int], None] | None = None) -> None:
    """End every call of the socket that blocks in another thread, and wait until they have left it."""
    if _socket.socket.fileno(sock) < 0:
        return
    ended[sock] = "ECONNABORTED"
    strike = shut_down if strike is None else strike
    give_up = time.monotonic() + HAND_OVER_SECONDS
    tries = 0
    pause = 0.0005
    strike(sock, tries)
    while others_in(sock):
        if time.monotonic() >= give_up:
            orphans[sock] = _socket.socket.detach(sock)
            if not others_in(sock):  # it left in between, and saw no orphan
                close_if_last(sock)
            return
        time.sleep(pause)
        pause = min(pause * 2, 0.02)
        tries += 1
        strike(sock, tries)
    time.sleep(_GRACE_SECONDS)


def shut_down(sock: Any, tries: int) -> None:
    """POSIX's strike: shutdown(2), or a connection to oneself where an accept does not hear of that: on macOS, and on
    Linux in a Unix listener with a time-out (poll(2) says ready, accept(2) says EAGAIN, and C tries again at once)."""
    if _listens(sock) and _has_path(sock) == (tries % 2 == 0):
        _connect_to(sock)
        return
    try:
        _socket.socket.shutdown(sock, _socket.SHUT_RDWR)
    except OSError:
        pass  # not connected: Linux wakes whoever waits all the same


def _has_path(sock: Any) -> bool:
    """Whether the kernel has it as a Unix socket; an emulated one has a TCP address underneath."""
    try:
        return not isinstance(_socket.socket.getsockname(sock), tuple)
    except OSError:
        return False


def _listens(sock: Any) -> bool:
    try:
        return bool(_socket.socket.getsockopt(sock, _socket.SOL_SOCKET, _socket.SO_ACCEPTCONN))
    except OSError:
        return False


def _connect_to(sock: Any) -> None:
    """Whoever accepts the connection closes it: the socket is marked."""
    try:
        family = AF_UNIX if _has_path(sock) else _socket.socket.family.__get__(sock)
        if family == AF_UNIX and not _has_path(sock):
            return  # emulated: the shutdown reaches it
        stranger = _socket.socket(family, _socket.SOCK_STREAM)
        try:
            stranger.settimeout(0.0)
            stranger.connect(_socket.socket.getsockname(sock))
        finally:
            stranger.close()
    except OSError:
        pass


def _forget_other_threads() -> None:
    """In a forked child: those threads are in no call any more, and nobody is to wait for them."""
    me = get_ident()
    for calls in (readers, writers):
        for thread in [thread for thread in list(calls) if thread != me]:
            del calls[thread]
    for sock in list(orphans):
        close_if_last(sock)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_other_threads)
