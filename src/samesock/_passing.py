"""send_fds and recv_fds: descriptors over a Unix socket, as in the standard library, on every platform.

Where the kernel passes them this is one call of C's; elsewhere `unix.passing` does it. What must never be put here:
how descriptors travel.
"""

from __future__ import annotations

import _socket
import operator
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any
from weakref import ref

from samesock import _call_arguments
from samesock.unix import ends

if TYPE_CHECKING:
    from socket import socket

    from samesock.fd.descriptor import Thing

SCM_RIGHTS = int(getattr(_socket, "SCM_RIGHTS", 1))
"""The type of ancillary data that is descriptors."""

_CLOSE_ON_EXEC: int = getattr(_socket, "MSG_CMSG_CLOEXEC", 0)
_SOL_SOCKET = int(_socket.SOL_SOCKET)
_Socket = _socket.socket
_recvmsg: Any = getattr(_socket.socket, "recvmsg", None)
_cmsg_len: Any = getattr(_socket, "CMSG_LEN", None)
_MOST = 253
_GREATEST_MAXFDS = (2**31 - 1 - 16) // 4
"""What C's CMSG_LEN takes: the size of so many numbers behind Linux's header of 16 bytes is still an int."""
_ends = ends.by_reference
_INT_SIZE = 4
_RIGHTS = SCM_RIGHTS
_WITHOUT_OUR_FLAG = ~_CLOSE_ON_EXEC


def _array_of(numbers: Any) -> Any:
    """array("i", numbers); the module is imported when it is first needed, and this function makes way for it."""
    global _array_of  # noqa: PLW0603 -- an import statement costs 0.4 us each time
    from array import array
    from functools import partial

    _array_of = partial(array, "i")
    return _array_of(numbers)


def send_fds(
    sock: socket,
    buffers: Iterable[bytes | bytearray | memoryview],
    fds: Sequence[Thing],
    flags: int = 0,
    address: Any = None,
) -> int:
    """Send the bytes of `buffers` and the descriptors `fds` in one message; the number of bytes that were sent.

    `fds` are numbers (`samesock.fd.Descriptor` too) or objects with `fileno()`; at most 253, and at least one byte goes
    with them. They stay open here, and may be closed at once. A number that is not open is `EBADF`, and nothing is
    sent; `EAGAIN` comes before anything is sent. On Windows, where the system does not say who is at the other end, or
    does not let this user give it anything, it is `EPERM`.

    Portability:
        Linux, macOS, FreeBSD: native. Windows: emulated; only `recv_fds` and `recvmsg` take them, and a plain `recv`
        in their place returns bytes that mean nothing.

    References: POSIX `sendmsg`, `SCM_RIGHTS`; Win32 `DuplicateHandle`; Winsock `WSADuplicateSocketW`.
    """
    if fds.__class__ is not list:
        fds = _listed(fds)
    if _ends and (end := _end_of(sock)) is not None:
        from samesock.unix.dispatch import send_message

        things = [_checked(fd) for fd in fds]
        if address is not None:
            method: Any = sock.sendmsg  # type: ignore[attr-defined,unused-ignore]
            return int(method(buffers, [], flags, address))
        return send_message(sock, end, buffers, things, flags)
    try:
        numbers = _array_of(fds)
    except (TypeError, OverflowError):  # an object among them, which is not often so
        numbers = _array_of([_number_of(fd) for fd in fds])
    if address is None and not flags:
        return sock.sendmsg(buffers, [(_SOL_SOCKET, _RIGHTS, numbers)])  # type: ignore[attr-defined,no-any-return,unused-ignore]
    return sock.sendmsg(  # type: ignore[attr-defined,no-any-return,unused-ignore]
        buffers, [(_SOL_SOCKET, _RIGHTS, numbers)], flags, address
    )


def recv_fds(sock: socket, bufsize: int, maxfds: int, flags: int = 0) -> tuple[bytes, list[int], int, Any]:
    """Receive up to `bufsize` bytes and `maxfds` descriptors: `(bytes, descriptors, flags, address)`.

    The descriptors are open, not inheritable, and the caller's to close. More than were asked for are closed, and
    `MSG_CTRUNC` is in the flags, as it is where one could not be had. On Windows each is a `samesock.fd.Descriptor`,
    which says what it is; `samesock.socket(fileno=d)`, `open(d)` and `samesock.fd` take it.

    Portability:
        Linux, macOS, FreeBSD: native. Windows: emulated.

    References: POSIX `recvmsg`, `SCM_RIGHTS`.
    """
    if _ends and (end := _end_of(sock)) is not None:
        from samesock.unix.dispatch import receive_message, sender_of

        maxfds, flags = _count(maxfds), operator.index(flags)
        data, descriptors, told = receive_message(sock, end, bufsize, maxfds, flags)
        return data, descriptors, told, sender_of(sock, end)
    if _recvmsg is None:  # no Unix socket, and so no descriptors, where the interpreter has no recvmsg itself
        _count(maxfds)
        data, _, told, address = sock.recvmsg(bufsize, 0, operator.index(flags))  # type: ignore[attr-defined,unused-ignore]
        return data, [], told, address
    # Without the flag that makes them close-on-exec there may be others that are not closed when there is no room.
    length = _cmsg_len((maxfds if _CLOSE_ON_EXEC else max(_count(maxfds), _MOST)) * _INT_SIZE)
    if isinstance(sock, _Socket):
        data, ancillary, told, address = _recvmsg(sock, bufsize, length, flags | _CLOSE_ON_EXEC)
    else:  # something that stands before a socket
        data, ancillary, told, address = sock.recvmsg(bufsize, length, flags | _CLOSE_ON_EXEC)
    got: list[int] = []
    for level, kind, raw in ancillary:
        if kind == _RIGHTS and level == _SOL_SOCKET:
            got += _array_of(raw) if not len(raw) & 3 else _array_of(raw[: -(len(raw) & 3)])
    if not _CLOSE_ON_EXEC:
        told |= settled(got, maxfds)
    return data, got, told & _WITHOUT_OUR_FLAG, address


def _end_of(sock: Any) -> Any:
    """The socket's emulated end, `None` for one that has none, and for what is no socket of a class of Python's."""
    try:
        return _ends.get(ref(sock))
    except TypeError:
        return None


def _count(maxfds: Any) -> int:
    """How many descriptors are asked for, refused as C's CMSG_LEN refuses."""
    count = operator.index(maxfds)
    if not 0 <= count <= _GREATEST_MAXFDS:
        raise OverflowError("CMSG_LEN() argument out of range")
    return count


def _listed(fds: Any) -> list[Any]:
    """The descriptors to send, which an iterator gives once; of bytes as an array reads them."""
    return list(_array_of(fds) if isinstance(fds, (bytes, bytearray)) else fds)


def _checked(fd: Any) -> Any:
    """One of them, which may be no descriptor. `TypeError` and `OverflowError` in C's words."""
    if not isinstance(fd, int):
        return fd if hasattr(fd, "fileno") else _call_arguments.number(fd)
    _call_arguments.number(fd)
    return fd


def _number_of(fd: Any) -> int:
    """Its number, for the kernel; `EBADF` of an object that is closed."""
    checked = _checked(fd)
    if isinstance(checked, int):
        return checked
    from samesock.fd.descriptor import number_of

    return number_of(checked, "passing")


def not_inheritable(raw: bytes) -> None:
    """Make descriptors that have come not inheritable, where the kernel has no flag for it."""
    import os

    for number in _array_of(raw[: len(raw) - len(raw) % _INT_SIZE]):
        os.set_inheritable(number, False)


def settled(numbers: list[int], most: int) -> int:
    """Close what is more than `most`, which leaves the list, and make the rest not inheritable; the flag to add."""
    import os

    extra = numbers[most:]
    del numbers[most:]
    for number in extra:
        os.close(number)
    for number in numbers:
        os.set_inheritable(number, False)
    return int(_socket.MSG_CTRUNC) if extra else 0
