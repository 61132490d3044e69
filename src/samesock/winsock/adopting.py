"""`socket(fileno=n)` where Winsock tells too little of the number: an unbound socket, and what is no socket.

C asks getsockname for the family, which Winsock refuses for an unbound socket. What must never be put here: Unix
sockets.
"""

from __future__ import annotations

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
