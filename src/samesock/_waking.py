"""Who is in a call that may block, and the end that `close(wake=True)` puts to such calls.

`readers` and `writers` say which thread is in a call of which socket: a call that can be ended writes itself in, and
takes itself out when it leaves. `wake` marks the socket, strikes until nobody is in a call of it any more, and only
then lets the number be closed, so that it cannot be another socket's under a call that still blocks. The strike is the
system's: shutdown(2) here, Winsock's in `samesock.winsock.ending`. What must never be put here: what one method does.

C's own recv and send on POSIX are not written in (they would cost more): a shutdown ends them inside the kernel, where
they hold the socket and not its number.
"""

from __future__ import annotations

import _socket
import time
from _thread import get_ident
from collections.abc import Callable
from typing import Any, Final
from weakref import WeakKeyDictionary

from samesock._errors import named_error
from samesock._family import AF_UNIX

readers: dict[int, Any] = {}
"""The socket of which a thread is in a call that loses nothing when it is cut short, by the thread's identifier."""

writers: dict[int, Any] = {}
"""The same for a call that sends: cut short, nobody would know how much was sent."""

END_OF_STREAM: Final = ""

ended: WeakKeyDictionary[Any, str] = WeakKeyDictionary()
"""Sockets whose blocked calls are to end, and the name of the errno with which they do; `END_OF_STREAM` after one's own
shutdown, for reading."""

HAND_OVER_SECONDS = 1.0
"""How long the closing thread waits for the others. After it, the last of them closes the number."""

_GRACE_SECONDS = 0.02
"""Between the shutdown and the close: a thread on its way into recv(2) has its number in a register already, and one
whose poll(2) was ended has still to call recv(2) (with 1 ms, one of 140 got EBADF on a busy machine)."""

_orphans: dict[Any, int] = {}
"""The numbers of closed sockets that a thread is still in a call of, by the socket."""


def check(sock: Any, tried: str) -> None:
    """Raise what ends a call of that socket, if something does."""
    name = ended.get(sock) if ended else None
    if name:
        raise named_error(name, tried)


def check_caller(tried: str) -> None:
    """The same for the socket whose call this thread is in."""
    if ended:
        me = get_ident()
        sock = readers.get(me, writers.get(me))
        if sock is not None:
            check(sock, tried)


def is_shut_for_caller() -> bool:
    """Whether this thread reads from a socket that was shut down for reading: then a wait for it is over."""
    return bool(ended) and ended.get(readers.get(get_ident(), _NOBODY)) == END_OF_STREAM


class _Nobody:
    """What no thread is in a call of."""


_NOBODY = _Nobody()


def leave(sock: Any) -> None:
    """This thread is out of its call. The last one to leave closes what its closer could not."""
    readers.pop(get_ident(), None)
    _close_if_last(sock)


def leave_writing(sock: Any) -> None:
    """The same for a call that sends."""
    writers.pop(get_ident(), None)
    _close_if_last(sock)


def _close_if_last(sock: Any) -> None:
    if _orphans and sock in _orphans and not others_in(sock):
        number = _orphans.pop(sock, None)
        if number is not None:
            _socket.close(number)


def others_in(sock: Any) -> list[int]:
    """The threads other than this one that are in a call of the socket."""
    return readers_of(sock) + writers_of(sock)


def readers_of(sock: Any) -> list[int]:
    """Those that are in a call which can be cut short."""
    me = get_ident()
    return [thread for thread, its in list(readers.items()) if its is sock and thread != me]


def writers_of(sock: Any) -> list[int]:
    """Those that send."""
    me = get_ident()
    return [thread for thread, its in list(writers.items()) if its is sock and thread != me]


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
            _orphans[sock] = _socket.socket.detach(sock)
            if not others_in(sock):  # it left in between, and saw no orphan
                leave(sock)
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
