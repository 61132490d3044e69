"""What an error means where its code alone does not say: on a closed socket, on an unbound one, in a message.

Every error that reaches a program from this package has POSIX's errno from `blocking`; here it is given the words that
say what was tried, and set right where Winsock has one code for what BSD tells apart. What must never be put here: a
retry.
"""

from __future__ import annotations

import _socket
import errno
from typing import Any

from samesock import _errors
from samesock.unix import End, ends
from samesock.winsock.calls import calls

WSAEBADF = 10009
WSAEINVAL = 10022
WSAEWOULDBLOCK = 10035
WSAENOTSOCK = 10038
WSAEMSGSIZE = 10040
WSAEADDRNOTAVAIL = 10049
WSAENETRESET = 10052
WSAECONNABORTED = 10053
WSAECONNRESET = 10054
WSAENOBUFS = 10055
WSAEISCONN = 10056
WSAENOTCONN = 10057
WSAESHUTDOWN = 10058
WSAETIMEDOUT = 10060
WSAECONNREFUSED = 10061

SOL_SOCKET = 0xFFFF
SO_SNDTIMEO = 0x1005
SO_RCVTIMEO = 0x1006

_CLOSED = (WSAEBADF, WSAENOTSOCK)


def code_of(error: OSError) -> int:
    """Winsock's code in an exception, 0 for none: outside Windows it is an attribute like any other."""
    return getattr(error, "winerror", None) or 0


def told(sock: Any, error: OSError, tried: str) -> OSError:
    """The exception to raise for `error`: EBADF if the socket is closed, and with what was tried in its message."""
    if isinstance(error, _socket.gaierror):
        return _errors.gai_error(_errors.GAI_NAMES.get(error.errno or 0, "EAI_FAIL"), tried)
    code = code_of(error)
    if not code:
        # C encodes an address before it looks whether a socket is open, and here it knows no AF_UNIX.
        is_families = error.errno is None and not isinstance(error, TimeoutError)
        return _errors.named_error("EBADF", tried) if is_families and calls.fileno(sock) < 0 else error
    if code in _CLOSED and calls.fileno(sock) < 0:
        return _errors.named_error("EBADF", tried, code=code)
    if code == WSAETIMEDOUT and has_time_of_the_systems(sock):
        return _errors.named_error("EWOULDBLOCK", tried, code=code)  # what BSD gives after SO_RCVTIMEO
    return _errors.retold(error, tried)


def has_time_of_the_systems(sock: Any) -> bool:
    """Whether SO_RCVTIMEO or SO_SNDTIMEO is set."""
    try:
        return any(calls.getsockopt(sock, SOL_SOCKET, option) for option in (SO_RCVTIMEO, SO_SNDTIMEO))
    except OSError:
        return False


def is_unbound(sock: Any) -> bool:
    """Whether the socket has no address yet."""
    try:
        name = calls.getsockname(sock)
    except OSError as error:
        return code_of(error) == WSAEINVAL
    return isinstance(name, tuple) and name[1] == 0


def is_connected(sock: Any) -> bool:
    """Whether the socket has a peer."""
    try:
        calls.getpeername(sock)
    except OSError:
        return False
    return True


def has_no_peer(sock: Any) -> bool:
    """Whether the system says so of a stream; a socket that it cannot be asked about may have one."""
    end = ends.get(sock)
    try:
        (calls if end is None else end).getpeername(sock)
    except OSError as error:
        return code_of(error) == WSAENOTCONN or error.errno == errno.ENOTCONN
    return False


def is_listening(sock: Any) -> bool:
    """Whether the socket is a listener."""
    try:
        return bool(calls.getsockopt(sock, _socket.SOL_SOCKET, _socket.SO_ACCEPTCONN))
    except OSError:
        return False


def end_is_connected(sock: Any, end: End) -> bool:
    """The same of a Unix socket; a closed one is left to `told`, whatever it was."""
    try:
        end.getpeername(sock)
    except OSError as error:
        return error.errno == errno.EBADF
    return True


def check_open(sock: Any) -> None:
    """Nothing, or EBADF's exception: for what would ask the system about number -1."""
    if calls.fileno(sock) < 0:
        raise _errors.named_error("EBADF", "using a closed socket", code=WSAENOTSOCK)
