"""Plain numbers where Winsock tells too little of them: an unbound socket's, and what is no socket's.

For `socket(fileno=n)` C asks getsockname for the family, which Winsock refuses for an unbound socket. `close` and
`dup` take any descriptor on POSIX, and so here: a number is a socket's if Winsock knows it, else the C runtime's; a
`samesock.fd.Descriptor` says itself which. What must never be put here: Unix sockets.
"""

from __future__ import annotations

import operator
import os
from typing import Any

from samesock import _errors
from samesock.unix.dispatch import Methods
from samesock.winsock.calls import calls
from samesock.winsock.failing import WSAEINVAL, WSAENOTSOCK, code_of, told


def retry(sock: Any, error: OSError, wanted: tuple[int, int, int], number: Any) -> None:
    """Make the socket after all, or raise: EBADF for a number that is nothing's, ENOTSOCK for something else's."""
    code = code_of(error)
    if not isinstance(number, int):
        raise told(sock, error, f"making a socket of family {wanted[0]}, type {wanted[1]}") from None
    tried = f"making a socket of number {number}"
    known = calls.protocol_of(number) if code else None
    if known is not None and code == WSAEINVAL and wanted[0] == -1:
        family, kind, proto = (have if want == -1 else want for want, have in zip(wanted, known, strict=True))
        Methods.__init__(sock, family, kind, proto, number)
    elif code and known is None:
        name = "ENOTSOCK" if _is_open(number) else "EBADF"
        raise _errors.named_error(name, tried, code=WSAENOTSOCK) from None
    else:
        raise error


def close(fd: int, /) -> None:
    """Close the descriptor with that number, a socket's or a file's; `EBADF` if nothing has it. See close(2).

    Portability:
        Linux, macOS, FreeBSD: native. Windows: native.

    References: POSIX `close`; Winsock `closesocket`.
    """
    if _may_be_socket(fd):
        try:
            return calls.close_number(fd)
        except OSError as error:
            if _is_socket(fd, error):
                raise
    from samesock.fd import state

    return state.close(_plain(fd))


def dup(fd: int, /) -> int:
    """A second descriptor for the one with that number, not inheritable; `EBADF` if nothing has it. See dup(2).

    Portability:
        Linux, macOS, FreeBSD: native. Windows: native.

    References: POSIX `dup`; Winsock `WSADuplicateSocketW`.
    """
    if _may_be_socket(fd):
        try:
            return calls.dup_number(fd)
        except OSError as error:
            if _is_socket(fd, error):
                raise
    from samesock.fd import state

    return state.dup(_plain(fd))


def _may_be_socket(fd: Any) -> bool:
    return getattr(fd, "space", "socket") == "socket"


def _is_socket(fd: Any, error: OSError) -> bool:
    """Whether what failed was meant for a socket: of another number Wine says WSAEOPNOTSUPP to dup."""
    return code_of(error) != WSAENOTSOCK and calls.protocol_of(_plain(fd)) is not None


def _plain(fd: Any) -> int:
    return fd if isinstance(fd, int) else operator.index(fd)


def refused(error: OSError, number: Any) -> OSError:
    """The exception for a number that cannot be duplicated as a socket."""
    code = code_of(error)
    if code != WSAENOTSOCK:
        return error
    name = "ENOTSOCK" if _is_open(number) else "EBADF"
    return _errors.named_error(name, f"duplicating the socket of number {number}", code=code)


def _is_open(number: int) -> bool:
    """Whether the number is a descriptor of the C runtime's, or a handle: -1 is that of the process itself."""
    if number < 0:
        return False
    try:
        os.fstat(number)
    except OSError:
        try:
            calls.get_handle_inheritable(number)
        except OSError:
            return False
    return True
