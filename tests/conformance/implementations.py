"""The implementations that a process can make: each is a namespace with the names of `socket`.

`winsock` is the package that stands between samesock and Winsock, driven over this system's own sockets;
`winsock-scripted` is the same, while its table of calls answers as real Windows does and Wine does not
(`windows_answers`). `winsock-native` are Windows' own Unix sockets: libc makes the calls that Winsock makes there, and
C's methods refuse to, as they do on Windows. What must never be put here: which of them a run judges (`conftest`), and
an answer.
"""

from __future__ import annotations

import _socket
import contextlib
import functools
import os
import selectors
import socket as stdlib
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any, NamedTuple
from unittest import mock

import samesock
import samesock.selectors
from conformance import libc_vectors, windows_answers
from samesock.unix import calls as unix_calls
from samesock.unix import choosing, dispatch, making
from samesock.winsock import calls as winsock_calls

EMULATED = "SAMESOCK_UNIX"


class Implementation(NamedTuple):
    """One of them: what it is called, its namespace, and what has to hold while a check runs."""

    name: str
    net: Any
    during: Callable[[], contextlib.AbstractContextManager[None]] = contextlib.nullcontext


def selectors_of(net: Any) -> Any:
    """The implementation's selectors; the standard library's own `socket` has no name for them from 3.14 on."""
    return getattr(net, "selectors", selectors)


def over_libc() -> SimpleNamespace:
    """The namespace whose sockets have Winsock's methods, before this system's own."""
    from samesock import winsock

    bases = (*winsock.method_classes(), *dispatch.method_classes(), stdlib.socket)
    made: Any = type("socket", bases, {"__slots__": ()})
    making.plain_classes.insert(0, made)

    def ours(sock: stdlib.socket) -> stdlib.socket:
        sock.__class__ = made
        return sock

    def fromfd(fd: int, family: int, type: int, proto: int = 0) -> Any:
        return made(family, type, proto, fileno=stdlib.dup(fd))  # type: ignore[attr-defined]

    # What `samesock` itself makes of the standard library's functions.
    names = {name: getattr(samesock, name) for name in samesock.__all__}
    names |= {
        "__name__": "socket",
        "socket": made,
        "selectors": selectors,
        "fromfd": fromfd,
        "socketpair": lambda *args: tuple(map(ours, stdlib.socketpair(*args))),
        "create_connection": lambda *args, **kwargs: ours(stdlib.create_connection(*args, **kwargs)),
        "create_server": lambda *args, **kwargs: ours(stdlib.create_server(*args, **kwargs)),
    }
    return SimpleNamespace(**names)


def native_over_libc() -> SimpleNamespace:
    """The same for Unix sockets that the interpreter cannot address. Pairs and servers are made elsewhere."""
    net = over_libc()
    del net.socketpair, net.create_server
    return net


@contextlib.contextmanager
def _scripted() -> Iterator[None]:
    with libc_vectors.given(), windows_answers.given():
        yield


_WITH_ADDRESSES = (
    "bind",
    "connect",
    "connect_ex",
    "accept",
    "getsockname",
    "getpeername",
    "recvfrom",
    "recvfrom_into",
    "sendto",
)


_family = _socket.socket.family.__get__


def _refusing(function: Callable[..., Any]) -> Callable[..., Any]:
    """C's method as it is on Windows, where the interpreter was built without AF_UNIX."""

    @functools.wraps(function)
    def method(sock: Any, *arguments: Any) -> Any:
        if _family(sock) == stdlib.AF_UNIX and _socket.socket.fileno(sock) >= 0:
            raise OSError(f"{function.__name__}(): bad family")
        return function(sock, *arguments)

    return method


@contextlib.contextmanager
def _native() -> Iterator[None]:
    """Windows' own Unix sockets: libc makes the calls that Winsock makes there, and C's methods refuse the family."""
    with contextlib.ExitStack() as stack:
        stack.enter_context(libc_vectors.given())
        stack.enter_context(mock.patch.object(choosing, "transport", return_value="native"))
        for table in (unix_calls.calls, winsock_calls.calls):
            for name in _WITH_ADDRESSES:
                stack.enter_context(mock.patch.object(table, name, _refusing(getattr(table, name))))
        yield


def implementations() -> Iterator[Implementation]:
    """Those of this process, `samesock` first."""
    if os.environ.get(EMULATED) == "emulated":
        yield Implementation("samesock-emulated", samesock)
        return
    yield Implementation("samesock", samesock)
    yield Implementation("stdlib", stdlib)
    if choosing.over_winsock():
        return
    net = over_libc()
    yield Implementation("winsock", net, libc_vectors.given)
    yield Implementation("winsock-native", native_over_libc(), _native)
    if windows_answers.understood():
        yield Implementation("winsock-scripted", net, _scripted)


def is_missing_name(error: AttributeError, net: Any) -> bool:
    """Whether it is the implementation itself that has not got a name, rather than something in a check."""
    kind = error.obj if isinstance(error.obj, type) else type(error.obj)
    return error.obj is net or issubclass(kind, stdlib.socket)


def lacks(net: Any, names: tuple[str, ...]) -> list[str]:
    """Those of the names that neither the namespace nor its sockets have."""
    return [name for name in names if not (hasattr(net, name) or hasattr(net.socket, name))]
