"""create_connection and create_server, which are a few calls of `samesock.socket` in a row.

They are the standard library's in what they take and do; written here, since its functions make its own class's
sockets, with that class's methods. What must never be put here: a method's work.
"""

from __future__ import annotations

import socket as _stdlib
from typing import TYPE_CHECKING, Any

from samesock.winsock import binding

if TYPE_CHECKING:
    from samesock._socket import socket

_DEFAULT: Any = getattr(_stdlib, "_GLOBAL_DEFAULT_TIMEOUT", object())
"""The object that asks for the default time-out: libraries hand the standard library's on."""


def connection(
    cls: type[socket],
    getaddrinfo: Any,
    address: tuple[str | None, int],
    timeout: Any = _DEFAULT,
    source_address: Any = None,
    *,
    all_errors: bool = False,
) -> socket:
    """Connect to the first address of the host that can be connected to."""
    host, port = address
    failures: list[OSError] = []
    for family, kind, proto, _, where in getaddrinfo(host, port, 0, _stdlib.SOCK_STREAM):
        sock: socket | None = None
        try:
            sock = cls(family, kind, proto)
            if timeout is not _DEFAULT:
                sock.settimeout(timeout)
            if source_address:
                sock.bind(source_address)
            sock.connect(where)
        except OSError as error:
            if not all_errors:
                failures.clear()
            failures.append(error)
            if sock is not None:
                sock.close()
        else:
            failures.clear()
            return sock
    try:
        if not failures:
            raise OSError("getaddrinfo returns an empty list")
        if all_errors:
            raise _group(failures)
        raise failures[0]
    finally:
        failures.clear()  # else each exception would hold the frame that holds it


def _group(failures: list[OSError]) -> BaseException:
    import builtins

    group = getattr(builtins, "ExceptionGroup", None)
    if group is None:
        raise TypeError("all_errors needs ExceptionGroup, which Python has from 3.11 on")
    made: BaseException = group("create_connection failed", list(failures))
    return made


def server(
    cls: type[socket],
    address: Any,
    *,
    family: int,
    backlog: int | None,
    reuse_port: bool,
    dualstack_ipv6: bool,
) -> socket:
    """A listener of INET that reuses its address, as BSD means it."""
    if reuse_port and not hasattr(_stdlib, "SO_REUSEPORT"):
        raise ValueError("SO_REUSEPORT not supported on this platform")
    if dualstack_ipv6:
        if not _stdlib.has_dualstack_ipv6():
            raise ValueError("dualstack_ipv6 not supported on this platform")
        if family != _stdlib.AF_INET6:
            raise ValueError("dualstack_ipv6 requires AF_INET6 family")
    sock = cls(family, _stdlib.SOCK_STREAM)
    try:
        binding.set_reuse(sock, True)
        if reuse_port:
            sock.setsockopt(_stdlib.SOL_SOCKET, _stdlib.SO_REUSEPORT, 1)  # type: ignore[attr-defined,unused-ignore]
        if family == _stdlib.AF_INET6:
            sock.setsockopt(_stdlib.IPPROTO_IPV6, _stdlib.IPV6_V6ONLY, 0 if dualstack_ipv6 else 1)
        sock.bind(address)
        if backlog is None:
            sock.listen()
        else:
            sock.listen(backlog)
    except BaseException:
        sock.close()
        raise
    return sock
