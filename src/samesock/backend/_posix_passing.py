"""Descriptors for another process where the emulation is forced on Linux: that process fetches them.

They lie in the queue of a pair of kernel sockets of this process's, and the receiver gets at that queue by pidfd_getfd
(Linux 5.6), the twin of Windows' DuplicateHandle, which needs the right to trace this process. So this process must
live until they are taken. What must never be put here: frames, and a Unix socket of the program's.
"""

from __future__ import annotations

import _socket
import array
import os
import select
import stat
import struct
import sys
from collections.abc import Sequence

from samesock._errors import named_error

assert sys.platform != "win32"

NEEDS_TARGET = False

MOST_IN_FLIGHT = 64
"""Offers that nobody has taken; the kernel, too, has a limit, and answers ETOOMANYREFS."""

_PROOF_SIZE = 32
_LEASE = struct.Struct(f"<QQQQ{_PROOF_SIZE}s")
_YAMA = "/proc/sys/kernel/yama/ptrace_scope"
_ROOM = _socket.CMSG_SPACE(253 * 4)

_in_flight: list[Offer] = []


def start_time(pid: int) -> int | None:
    """`samesock.backend`'s: when the process started."""
    from samesock.backend import posix

    return posix.start_time(pid)


def me() -> tuple[int, int]:
    """This process, and when it started."""
    pid = os.getpid()
    return pid, start_time(pid) or 0


def may_fetch() -> bool:
    """Whether another process of this user may fetch from this one."""
    if not hasattr(os, "pidfd_open"):
        return False
    try:
        with open(_YAMA, "rb") as file:
            scope = int(file.read())
    except OSError:
        scope = 0
    return scope == 0 or os.geteuid() == 0


class Taker:
    """Who may fetch what is offered: a number, of which nothing depends."""

    start = 0

    def __init__(self, pid: int | None) -> None:
        self.pid = pid

    def close(self) -> None:
        """Nothing is kept."""


class Offer:
    """Descriptors that wait to be fetched."""

    target = 0
    target_start = 0
    _one = _other = _receiver = -1

    def __init__(self, things: Sequence[tuple[str, int]], taker: Taker) -> None:
        pid = taker.pid
        self.tokens: list[bytes] = [b""] * len(things)
        self._pid = os.getpid()
        one, other = _socket.socketpair(_socket.AF_UNIX, _socket.SOCK_STREAM)
        # Numbers, and no objects: what nobody has taken when the interpreter ends would be told as a ResourceWarning.
        self._one, self._other = one.fileno(), other.detach()
        try:
            numbers = array.array("i", [number for _, number in things])
            proof = os.urandom(_PROOF_SIZE)
            one.sendmsg([proof], [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, numbers)])
            inode = os.fstat(self._other).st_ino
            self.lease: bytes = _LEASE.pack(*me(), self._other, inode, proof)
            if pid is not None and pid != self._pid:
                try:
                    self._receiver = os.pidfd_open(pid)  # type: ignore[attr-defined,unused-ignore]
                except OSError:
                    pass  # it is told of by its name alone, and may have another name here
        except BaseException:
            one.detach()
            self.revoke()
            raise
        one.detach()

    def sent(self) -> None:
        """The frame is on its way: keep them until they are taken, or whoever could take them has gone."""
        _in_flight.append(self)

    def revoke(self) -> None:
        """Take them back, or let go of what was taken."""
        numbers = [number for number in (self._one, self._other, self._receiver) if number >= 0]
        self._one = self._other = self._receiver = -1
        for number in numbers:
            os.close(number)

    __del__ = revoke  # for one that Ctrl+C came before, and nobody sent

    def over(self) -> bool:
        """Whether there is nothing left to keep: taken, the receiver dead, or this is a forked copy. Also of one that
        another thread has just taken back."""
        if self._pid != os.getpid():
            return True
        queue, receiver = self._other, self._receiver
        if queue < 0 or not _is_readable(queue):
            return True
        return receiver >= 0 and _is_readable(receiver)


def _is_readable(number: int) -> bool:
    poller = select.poll()
    poller.register(number, select.POLLIN)
    return bool(poller.poll(0))


def release() -> None:
    """Let go of what was taken. Of two threads that see the same offer over, the one that takes it off the list closes
    its numbers."""
    for offer in list(_in_flight):
        if offer.over():
            try:
                _in_flight.remove(offer)
            except ValueError:
                continue
            offer.revoke()


def taker(pid: int | None) -> Taker:
    """See `samesock.backend`."""
    return Taker(pid)


def offer(things: Sequence[tuple[str, int]], taker: Taker) -> Offer:
    """See `samesock.backend`."""
    if not may_fetch():
        raise named_error(
            "EOPNOTSUPP",
            "passing descriptors over an emulated Unix socket, which needs pidfd_getfd and the right to trace",
        )
    release()
    if len(_in_flight) >= MOST_IN_FLIGHT:
        raise named_error("ETOOMANYREFS", "passing descriptors, of which nobody has taken the earlier ones")
    return Offer(things, taker)


def take(lease: bytes, tokens: Sequence[tuple[str, bytes]]) -> list[int | None]:
    """See `samesock.backend`."""
    numbers: list[int | None] = []
    if len(lease) == _LEASE.size:
        numbers.extend(_fetched(*_LEASE.unpack(lease)))
    for extra in numbers[len(tokens) :]:
        if extra is not None:
            os.close(extra)
    del numbers[len(tokens) :]
    return numbers + [None] * (len(tokens) - len(numbers))


def _fetched(pid: int, start: int, number: int, inode: int, proof: bytes) -> list[int]:
    """What lies in that queue. It must begin with the proof, and is left untouched else: a sender that names another
    process's socket must not make this one, which may have more rights, read from it."""
    from samesock.ffi import libc

    try:
        process = os.pidfd_open(pid)  # type: ignore[attr-defined,unused-ignore]
    except (OSError, AttributeError):
        return []
    try:
        if start_time(pid) != start:
            return []
        queue = libc.pidfd_getfd(process, number)
    except OSError:
        return []
    finally:
        os.close(process)
    about = os.fstat(queue)
    if not stat.S_ISSOCK(about.st_mode) or about.st_ino != inode:
        os.close(queue)
        return []
    sock = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM, 0, fileno=queue)
    flags = _socket.MSG_DONTWAIT | getattr(_socket, "MSG_CMSG_CLOEXEC", 0)
    try:
        if sock.recv(_PROOF_SIZE, _socket.MSG_PEEK | _socket.MSG_DONTWAIT) != proof:
            return []
        _, ancillary, _, _ = sock.recvmsg(_PROOF_SIZE, _ROOM, flags)
    except OSError:
        return []
    finally:
        sock.close()
    numbers = array.array("i")
    for _, _, data in ancillary:
        numbers.frombytes(data[: len(data) - len(data) % numbers.itemsize])
    return list(numbers)


def close(space: str, number: int) -> None:
    """Close what `take` gave."""
    os.close(number)
