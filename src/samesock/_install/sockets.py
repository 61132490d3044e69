"""`socket.socket` itself: the methods that a Unix socket needs, assigned to the standard library's class.

They are the functions of `unix.dispatch`, which serve `samesock.socket`, too. What moves an INET socket's data stays
C's: for those the price of install() is nothing. What must never be put here: what a method does.
"""

from __future__ import annotations

import _socket
import socket as _stdlib
from types import FunctionType
from typing import Any

from samesock._family import AF_UNIX
from samesock._install.patches import Patches
from samesock.unix import choosing, ends

DATA_METHODS = frozenset({"send", "sendall", "sendto", "recv", "recv_into", "recvfrom", "recvfrom_into"})
"""Never replaced where C has them. A Unix stream's `recvfrom` is then C's: it knows no sender's name."""


def apply(patches: Patches) -> None:
    """Assign the methods and the functions, unless the interpreter's own sockets speak AF_UNIX."""
    if choosing.kernel_does_all():
        return
    from samesock.unix import socket_file

    # It remembers os.stat as it is before `files` wraps it.
    assert socket_file.files is not None
    for methods in reversed(_method_classes()):
        for name, function in vars(methods).items():
            if not isinstance(function, FunctionType):
                continue
            if name in DATA_METHODS and hasattr(_socket.socket, name):
                continue
            patches.set(_stdlib.socket, name, function)
    patches.set(_stdlib, "socketpair", _socketpair(_stdlib.socketpair))
    if hasattr(_stdlib, "fromshare"):
        patches.set(_stdlib, "fromshare", _fromshare)


def _method_classes() -> list[type]:
    """The classes of methods, those for messages on every kind of socket: whoever finds `sendmsg` takes it to work."""
    from samesock.unix import dispatch

    if not choosing.over_winsock():
        return dispatch.method_classes()
    from samesock.winsock.messages import MessageMethods

    return [MessageMethods if one is dispatch.MessageMethods else one for one in dispatch.method_classes()]


def _socketpair(original: Any) -> Any:
    """socketpair() that makes AF_UNIX ours, when it is asked for by name: the default stays the interpreter's."""

    def socketpair(
        family: int | None = None, type: int = _socket.SOCK_STREAM, proto: int = 0
    ) -> tuple[_stdlib.socket, _stdlib.socket]:
        if family is None:
            return original(type=type, proto=proto)  # type: ignore[no-any-return]
        if family != AF_UNIX:
            return original(family, type, proto)  # type: ignore[no-any-return]
        import samesock
        from samesock.unix import making

        one, other = samesock.socketpair(AF_UNIX, type, proto)
        for sock in (one, other):
            making.set_class(sock, _stdlib.socket)
        return one, other

    socketpair.__doc__ = original.__doc__
    return socketpair


def _fromshare(info: bytes) -> _stdlib.socket:
    """The socket in the bytes that another process's `share(pid)` made for this one."""
    from samesock.unix import making

    return making.from_share(_stdlib.socket, info)


def keep_alive() -> None:
    """Give every open Unix socket a class of samesock's, whose methods do not go away."""
    for reference in list(ends.by_reference):
        sock = reference()
        if sock is not None:
            _keep(sock)


def _keep(sock: Any) -> None:
    import samesock

    cls = type(sock)
    if issubclass(cls, samesock.socket):
        return
    if cls is _stdlib.socket:
        sock.__class__ = samesock.socket
        return
    import ssl

    if cls is ssl.SSLSocket:
        sock.__class__ = samesock.SSLSocket
        return
    # Somebody's own subclass: the same class with ours behind it. The layouts are equal, as ours adds no slot.
    try:
        sock.__class__ = type(
            cls.__name__, (cls, samesock.socket), {"__slots__": (), "__module__": cls.__module__}
        )
    except TypeError:  # a metaclass or an __init_subclass__ that will not have it
        from logging import getLogger

        getLogger("samesock").exception("%r keeps its class, and goes without its Unix methods now", sock)
