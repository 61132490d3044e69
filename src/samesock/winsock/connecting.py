"""connect(2) of an Internet socket: the wildcard address, quick refusals, and a connect that is under way.

A second connect on a non-blocking socket tells how the first one stands, as on Linux: EALREADY while it is under way,
its error once, or success once; after that EISCONN. Winsock's answers differ between its releases (WSAEALREADY,
WSAEINVAL, WSAEISCONN, or a second attempt), so the state is asked of select() and SO_ERROR, and Winsock's connect is
called only to begin. What must never be put here: AF_UNIX.
"""

from __future__ import annotations

import _socket
from typing import Any

from samesock import _errors, _waking
from samesock._told_streams import forget, is_news, tell, with_duplicates
from samesock._told_streams import share as share_errors
from samesock.winsock import stream_error
from samesock.winsock.blocking import call, under_way
from samesock.winsock.calls import calls
from samesock.winsock.failing import (
    WSAEADDRNOTAVAIL,
    WSAECONNABORTED,
    WSAECONNREFUSED,
    WSAECONNRESET,
    WSAEINVAL,
    WSAEISCONN,
    WSAETIMEDOUT,
    WSAEWOULDBLOCK,
    code_of,
    is_connected,
    is_listening,
    told,
)
from samesock.winsock.waiting import settled

WSAEALREADY = 10037
WSAENETUNREACH = 10051
WSAEHOSTUNREACH = 10065

_ATTEMPTS_ENDS = (
    WSAENETUNREACH,
    WSAECONNABORTED,
    WSAECONNRESET,
    WSAETIMEDOUT,
    WSAECONNREFUSED,
    WSAEHOSTUNREACH,
)
"""What the network answers to an attempt. Any other error is one of the call, such as a name that nobody knows."""

_LOOPBACK = {_socket.AF_INET: "127.0.0.1", _socket.AF_INET6: "::1"}
_WILDCARD = {_socket.AF_INET: "0.0.0.0", _socket.AF_INET6: "::"}


def connect(sock: Any, address: Any) -> None:
    """Connect, as BSD does; the error's message names the address."""
    if sock in under_way:
        _look(sock, address)
        return
    target = reachable(sock, address)
    is_stream = calls.type(sock) == _socket.SOCK_STREAM
    if is_stream and _is_loopback(target) and calls.fileno(sock) >= 0:
        calls.refuse_quickly(calls.fileno(sock))
    try:
        call(calls.connect, sock, target)
    except OSError as error:
        raise _failed(sock, address, error) from None
    forget(sock)
    if not is_stream:
        calls.report_unreachable(calls.fileno(sock), True)


def share(sock: Any, copy: Any) -> None:
    """`copy` is a duplicate of the socket: a connect of the one is a connect of the other, and so is its failure, and
    its shutdown."""
    share_errors(sock, copy)
    name = _waking.ended.get(sock)
    if name is not None:
        _waking.ended[copy] = name
    if sock in _waking.shut_for_writing:
        _waking.shut_for_writing.add(copy)
    if sock in under_way:
        under_way.add(copy)


def disconnect(sock: Any) -> None:
    """Undo a datagram socket's connect."""
    calls.disconnect(sock)
    calls.report_unreachable(calls.fileno(sock), False)


def check_settled(sock: Any) -> None:
    """Nothing, or ENOTCONN's exception while a connect is under way."""
    if sock in under_way and not call(settled, sock, 0):
        raise _errors.named_error("ENOTCONN", "a connect is under way")


def reachable(sock: Any, address: Any) -> Any:
    """The address, or the loopback's for the wildcard, as every BSD reads it; Windows answers WSAEADDRNOTAVAIL."""
    if not isinstance(address, tuple) or len(address) < 2 or not isinstance(address[0], str):
        return address
    host = address[0]
    family = calls.family(sock)
    # Every spelling of the wildcard begins so, and few other addresses do.
    if (host and host[0] not in "0:") or family not in _LOOPBACK:
        return address
    if host:
        try:
            found = calls.getaddrinfo(host, 0, family, _socket.SOCK_DGRAM, 0, _socket.AI_NUMERICHOST)
        except OSError:
            return address  # the system's own words for it come from the call
        if found[0][4][0] != _WILDCARD[family]:
            return address
    return (_LOOPBACK[family], *address[1:])


def _look(sock: Any, address: Any) -> None:
    """How the connect that is under way stands; a blocking socket waits for its end."""
    tried = f"connecting to {address!r}"
    try:
        is_settled = call(settled, sock, None if calls.gettimeout(sock) is None else 0)
        code = calls.getsockopt(sock, _socket.SOL_SOCKET, _socket.SO_ERROR) if is_settled else 0
    except OSError as error:
        raise told(sock, error, tried) from None
    if not is_settled:
        raise _errors.named_error("EALREADY", tried, code=WSAEALREADY)
    under_way.difference_update(with_duplicates(sock))
    calls.tell_connected(sock, address)
    if code and is_news(sock):  # Wine's SO_ERROR keeps it
        raise _errors.pending(code, tried)
    if not is_connected(sock):
        # It has failed, and its error was given to somebody who asked before: a recv, or SO_ERROR of this socket, or
        # of one in another process. Linux says so, too, and the connect after this one begins anew.
        raise _errors.named_error("ECONNABORTED", tried)


def _goes_on(sock: Any) -> None:
    """The connect is under way, of the socket and of its duplicates."""
    under_way.update(with_duplicates(sock))
    forget(sock)


def _failed(sock: Any, address: Any, error: OSError) -> OSError:
    """The exception for a failed connect."""
    tried = f"connecting to {address!r}"
    code = code_of(error)
    is_stream = calls.type(sock) == _socket.SOCK_STREAM
    if isinstance(error, TimeoutError) and error.errno is None:
        _goes_on(sock)  # the program has stopped waiting for it, and the system has not
    elif isinstance(error, BlockingIOError):
        _goes_on(sock)
        if code == WSAEWOULDBLOCK:
            return _errors.named_error("EINPROGRESS", tried, code=code)
    elif code == WSAEINVAL and is_listening(sock):
        return _errors.named_error("EISCONN", tried, code=code)
    elif code == WSAEADDRNOTAVAIL and is_stream and _port(address) == 0:
        return _errors.named_error("ECONNREFUSED", tried, code=code)  # nobody listens on port 0
    elif code == WSAEISCONN and is_stream:
        return stream_error.reconnecting(sock, tried) or told(sock, error, tried)
    elif is_stream and code in _ATTEMPTS_ENDS and not is_connected(sock):
        tell(sock)  # Wine's SO_ERROR keeps it; of a connection that goes on no error has been told
    return told(sock, error, tried)


def _is_loopback(address: Any) -> bool:
    host = address[0] if isinstance(address, tuple) and address else None
    return isinstance(host, str) and (host.startswith("127.") or host in ("localhost", "::1"))


def _port(address: Any) -> Any:
    return address[1] if isinstance(address, tuple) and len(address) > 1 else None
