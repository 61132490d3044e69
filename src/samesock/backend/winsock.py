"""The Winsock backend: files, events, waits and kernel tables under emulated Unix sockets.

The contract is in `samesock.backend`; the work that needs more than a line is in `_windows_files` (the
rendezvous file), `_windows_life` (the event), `_windows_tables` (owners) and `_windows_security` under them.
It can be imported anywhere and loads nothing before its first call. What must never be put here: the protocol
of the emulation, and anything that only POSIX needs.
"""

from __future__ import annotations

import _socket
import ctypes
import errno
import select
import struct
import time
from collections.abc import Iterable

from samesock.backend import NO_UID, Owner
from samesock.backend import _windows_passing as passing
from samesock.backend._windows_files import (
    OpenRecord,
    adopt_record,
    create_record,
    open_record,
    private_directory,
)
from samesock.backend._windows_ioctls import refuse_quickly
from samesock.backend._windows_life import Hold, LifeTaken
from samesock.backend._windows_tables import connection_owner, listener_owner, start_time
from samesock.ffi import DWORD
from samesock.ffi.kernel32_waits import kernel32_waits
from samesock.ffi.ws2_32 import FIONREAD, SO_EXCLUSIVEADDRUSE, SO_LINGER, SOL_SOCKET, ws2_32

REFUSED_WHEN_FULL = True
NAMED_EARLY = True


def uid() -> int:
    """`NO_UID`: users have no numbers here."""
    return NO_UID


def realm(tcp: _socket.socket) -> bytes:
    """Zeros: all of the machine shares one loopback."""
    return bytes(8)


def socket_cookie(number: int) -> int:
    """0: the kernel has no name for a socket but its handle, which is reused."""
    return 0


def datagram_owner(address: tuple[str, int]) -> Owner | None:
    """`None`: the table of UDP sockets is not asked, so a file that is not this user's alone leads nowhere."""
    return None


def has_socket(pid: int, inode: int) -> bool:
    """False: sockets have no inodes here, and the table names the process itself."""
    return False


def prepare_listener(tcp: _socket.socket) -> None:
    """Take the port for good: else any program that sets SO_REUSEADDR can bind it too, and steal."""
    tcp.setsockopt(SOL_SOCKET, SO_EXCLUSIVEADDRUSE, 1)


def prepare_client(tcp: _socket.socket) -> None:
    """Have a refusal come at once: Windows else repeats a refused SYN for about 2 s, even on loopback."""
    refuse_quickly(tcp.fileno())


def refuse_overlapped(number: int) -> None:
    """Give the socket to a port that nobody asks: it can have no other then, so that asyncio's Proactor, whose C code
    would read the framing and whatever a stranger sends, gets ERROR_INVALID_PARAMETER. The port lives on in the socket
    when its handle is closed, and the socket's duplicates are bound alike. Nothing ever comes to it: calls that wait
    are not overlapped ones. Of a socket that is bound so already the second time fails, and need not succeed.
    """
    port = kernel32_waits.CreateIoCompletionPort(number, 0, 0, 0)
    if port:
        kernel32_waits.CloseHandle(port)


def abort_connect(number: int) -> None:
    """Nothing: Winsock cannot give up a connect; the next one on the same socket takes it up again."""


def reset_on_close(tcp: _socket.socket) -> None:
    """Linger for no time: the close discards what is queued and resets the peer."""
    tcp.setsockopt(SOL_SOCKET, SO_LINGER, struct.pack("<HH", 1, 0))  # two u_short; POSIX has two int


def unread(number: int) -> int:
    """FIONREAD."""
    count = DWORD()
    return 0 if ws2_32.ioctlsocket(number, FIONREAD, ctypes.byref(count)) else count.value


def wait_for(number: int, writing: bool, timeout: float | None) -> bool:
    """One question to the driver, about one socket; whatever is not as usual goes to `wait`."""
    from samesock.backend import _windows_wait as driver

    if number >= 0:
        try:
            return driver.wait_for(
                number,
                driver.WRITE if writing else driver.READ,
                None if timeout is None else time.monotonic() + timeout,
            )
        except driver.Refused:
            pass
        except OSError as error:
            if error.errno != errno.EOPNOTSUPP:
                raise
    return bool(wait((), (number,), timeout) if writing else wait((number,), (), timeout))


def give_way() -> None:
    """Sleep for no time."""
    time.sleep(0)


def has_connection(number: int) -> bool:
    """One question to the driver; where the peer has ended its direction, whether this end has not ended its own."""
    from samesock.backend import _windows_wait as driver
    from samesock.ffi import afd

    try:
        if not driver.wait_for(number, afd.AFD_POLL_ABORT | afd.AFD_POLL_DISCONNECT, 0.0):
            return True
        if driver.wait_for(number, afd.AFD_POLL_ABORT, 0.0):
            return False
        if not driver.wait_for(number, afd.AFD_POLL_SEND, 0.0):
            return True  # it still has something to send
    except driver.Refused:
        return False
    # No byte, which the peer does not see: WSAESHUTDOWN after this end's own shutdown, by whichever process.
    return bool(ws2_32.send(number, b"", 0, 0) == 0)


def wait(readers: Iterable[int], writers: Iterable[int], timeout: float | None) -> set[int]:
    """One question to the driver under Winsock (`_windows_wait`), which Ctrl+C ends at once; a number that is no
    socket any more is found one by one.

    select() knows more kinds of socket than the driver does: it is asked, in pieces, where the driver refuses.
    """
    from samesock.backend import _windows_wait as driver

    reading, writing = list(readers), set(writers)
    deadline = None if timeout is None else time.monotonic() + max(0.0, timeout)
    masks = dict.fromkeys(reading, driver.READ)
    for number in writing:
        masks[number] = masks.get(number, 0) | driver.WRITE
    if not masks:
        _sleep(deadline)
        return set()
    try:
        return driver.wait(masks, deadline)
    except (driver.Refused, struct.error):  # struct: a negative number
        pass
    except OSError as error:
        if error.errno != errno.EOPNOTSUPP:  # no driver under these sockets: a test on another system
            raise
    while True:
        left = driver.SLICE_SECONDS if deadline is None else deadline - time.monotonic()
        ready = _select(set(reading), writing, max(0.0, min(left, driver.SLICE_SECONDS)))
        if ready or (deadline is not None and time.monotonic() >= deadline):
            return ready


def _sleep(deadline: float | None) -> None:
    while deadline is None or time.monotonic() < deadline:
        time.sleep(1.0 if deadline is None else max(0.0, deadline - time.monotonic()))


def _select(reading: set[int], writing: set[int], timeout: float) -> set[int]:
    try:
        return set().union(*select.select(reading, writing, writing, timeout))
    except (OSError, ValueError):
        closed = {number for number in reading | writing if not _is_open(number)}
        if not closed:
            raise
        return closed


def _is_open(number: int) -> bool:
    try:
        select.select((number,), (), (), 0)
    except (OSError, ValueError):  # no socket; negative
        return False
    return True


__all__ = [
    "NAMED_EARLY",
    "NO_UID",
    "REFUSED_WHEN_FULL",
    "Hold",
    "LifeTaken",
    "OpenRecord",
    "abort_connect",
    "adopt_record",
    "connection_owner",
    "create_record",
    "datagram_owner",
    "give_way",
    "has_connection",
    "has_socket",
    "listener_owner",
    "open_record",
    "passing",
    "prepare_client",
    "prepare_listener",
    "private_directory",
    "realm",
    "refuse_overlapped",
    "reset_on_close",
    "socket_cookie",
    "start_time",
    "uid",
    "unread",
    "wait",
    "wait_for",
]
