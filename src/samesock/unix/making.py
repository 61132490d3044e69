"""Making Python's socket objects of Unix sockets: a new descriptor's, an adopted one's, an accepted one's.

Here an object gets its end, and the class that goes with it. What must never be put here: a method of a socket
(`dispatch`), and how an end does its work.
"""

from __future__ import annotations

import _socket
import functools
import socket as _stdlib
import sys
from collections.abc import Callable
from typing import Any, TypeVar
from weakref import ref

from samesock._errors import named_error
from samesock.unix import AF_UNIX, End, choosing, ends
from samesock.unix.calls import calls

_Sock = TypeVar("_Sock", bound=_stdlib.socket)

_stdlib_init = _stdlib.socket.__init__
_forget = ends.by_reference.pop
_NONBLOCK = getattr(_socket, "SOCK_NONBLOCK", 0)
_MODE_FLAGS = _NONBLOCK | getattr(_socket, "SOCK_CLOEXEC", 0)
_STREAM = _socket.SOCK_STREAM
_PROTOCOLS = (-1, 0, AF_UNIX)

SHARED = b"!samesock 1\n"
"""What the bytes of an emulated socket's `share` end with."""

sources: dict[int, End] = {}
"""The ends of which a duplicate is being made, by its number: without an address nothing else tells them."""

plain_classes: list[type[_stdlib.socket]] = [_stdlib.socket]
"""The classes whose `accept` gives their own kind, most derived first; `samesock.socket` joins when it is made."""


def create(sock: _stdlib.socket, kind: int, proto: int) -> None:
    """Make the descriptor and the end of a new Unix socket."""
    transport = choosing.transport()
    if kind == -1:
        kind = _socket.SOCK_STREAM
    if transport == "kernel":
        _stdlib_init(sock, AF_UNIX, kind, proto)
        return
    plain = kind & ~_MODE_FLAGS
    carrier = kind
    if plain != _STREAM:
        _require_known(plain)
        transport = "emulated"  # Winsock's own AF_UNIX has streams alone
        if plain == _socket.SOCK_SEQPACKET:
            carrier = _STREAM | kind & _MODE_FLAGS
    if proto not in _PROTOCOLS:
        raise named_error("EPROTONOSUPPORT", f"creating a Unix socket of protocol {proto}")
    if proto == -1:
        proto = 0
    end = _end_class(transport, plain)()
    if transport == "native" or plain == _socket.SOCK_DGRAM:
        _stdlib_init(sock, AF_UNIX if transport == "native" else _socket.AF_INET, carrier, 0)
        # Detached first: PyPy closes what an object had before it is initialised again.
        calls.init(sock, AF_UNIX, kind, proto, fileno=calls.detach(sock))
    else:
        tcp = calls.borrow(_socket.AF_INET, carrier, 0)
        try:
            _stdlib_init(sock, AF_UNIX, kind, proto, fileno=calls.fileno(tcp))
            end.lend(tcp)  # type: ignore[attr-defined]
        except BaseException:
            (calls.detach if calls.fileno(sock) == calls.fileno(tcp) else calls.close)(tcp)
            raise
    if kind & _NONBLOCK:
        calls.settimeout(sock, 0.0)
    if plain == _socket.SOCK_DGRAM:
        try:
            end.open(sock)  # type: ignore[attr-defined]
        except BaseException:
            calls.close(sock)
            raise
    give(sock, end)


def _require_known(plain: int) -> None:
    """Raise what socket() raises for a type that AF_UNIX has not."""
    if plain in (_socket.SOCK_RAW, _socket.SOCK_RDM):
        raise named_error("ESOCKTNOSUPPORT", f"AF_UNIX has no sockets of type {plain} here")
    if plain not in (_socket.SOCK_DGRAM, _socket.SOCK_SEQPACKET):
        raise named_error("EINVAL", f"creating a Unix socket of type {plain}")


def give(sock: _stdlib.socket, end: End) -> None:
    """Let the socket have its end, and the class that goes with the end's type."""
    ends.by_reference[ref(sock, _forget)] = end  # ends.set, without its frame
    if end.kind != _STREAM:
        from samesock.backend import system
        from samesock.unix.loops import prepare_running

        system.refuse_overlapped(calls.fileno(sock))
        prepare_running()
        set_class(sock, type(sock))


def set_class(sock: _stdlib.socket, cls: type[_stdlib.socket]) -> None:
    """Make the Unix socket one of class `cls`, or of what stands for that class where messages are kept whole."""
    end = ends.get(sock)
    if end is not None and end.kind != _socket.SOCK_STREAM:
        from samesock.unix.messages import class_of

        cls = class_of(cls)
    sock.__class__ = cls


@functools.lru_cache(maxsize=4)
def _end_class(transport: str, kind: int) -> Callable[[], End]:
    """The maker of ends, imported when the first one is needed: an import statement costs 1 us each time."""
    if transport == "native":
        from samesock.unix.native import NativeEnd

        return NativeEnd
    if kind == _socket.SOCK_DGRAM:
        from samesock.unix.datagram import DatagramEnd

        return DatagramEnd
    if kind == _socket.SOCK_SEQPACKET:
        from samesock.unix.seqpacket import PacketEnd

        return PacketEnd
    from samesock.unix.emulated import EmulatedEnd

    return EmulatedEnd


def adopt(sock: _stdlib.socket, family: int, kind: int) -> None:
    """Find the end for a descriptor that was handed in by its number."""
    transport = choosing.transport()
    if transport == "kernel":
        return
    number = calls.fileno(sock)
    source, end = sources.pop(number, None), None
    if source is not None:
        end = source.copy(number)
    elif transport == "native" and calls.family(sock) == AF_UNIX and kind in (-1, _socket.SOCK_STREAM):
        end = _end_class(transport, _socket.SOCK_STREAM)()
    elif transport == "emulated" or "samesock.unix.emulated" in sys.modules:
        from samesock.unix.emulated import adopt

        packets = kind == _socket.SOCK_SEQPACKET
        wanted_kind = _socket.SOCK_SEQPACKET if packets else _socket.SOCK_STREAM
        end = adopt(number, wanted=family == AF_UNIX, kind=wanted_kind)
    if end is None:
        return
    if calls.family(sock) != AF_UNIX or calls.type(sock) != end.kind:
        calls.init(sock, AF_UNIX, end.kind, 0, fileno=calls.detach(sock))
    give(sock, end)


def duplicate(end: End, number: int, make: Callable[[], _Sock]) -> _Sock:
    """What `make` makes of `number`, a duplicate of that end's descriptor; if it fails the number is closed."""
    sources[number] = end
    try:
        return make()
    except BaseException:
        if number in sources:
            _socket.close(number)  # nobody has made a socket of it
        raise
    finally:
        sources.pop(number, None)


def from_number(fd: int, number: int, family: int, make: Callable[[], _Sock]) -> _Sock:
    """What `make` makes of `number`, a duplicate of `fd`. If that is the number of a Unix socket here, it is the same
    socket, also without a name by which it could be found."""
    end = _end_of_number(fd) if family == AF_UNIX else None
    return make() if end is None else duplicate(end, number, make)


def _end_of_number(number: int) -> End | None:
    """The end of the socket here that has the number: of two, the younger's, since the other was closed by hand."""
    for reference in reversed(list(ends.by_reference)):
        sock = reference()
        if sock is not None and calls.fileno(sock) == number:
            return ends.by_reference.get(reference)
    return None


def from_share(cls: type[_Sock], info: bytes) -> _Sock:
    """The socket in the bytes that `share` gave, in the process that they were made for."""
    if not info.endswith(SHARED):
        sock = cls.__new__(cls)
        _stdlib_init(sock, 0, 0, 0, info)  # type: ignore[arg-type,unused-ignore]
        return sock
    end_of_blob = len(info) - len(SHARED) - 4
    size = int.from_bytes(info[end_of_blob : end_of_blob + 4], "little")
    start = end_of_blob - size
    if start <= 0:
        raise ValueError("not the bytes of samesock's share(): cut short")
    from samesock.unix.emulated import restored

    number = calls.detach(calls.create(0, 0, 0, info[:start]))  # type: ignore[arg-type,unused-ignore]
    return adopted(cls, number, restored(number, info[start:end_of_blob]))


def adopted(cls: type[_Sock], what: int | _stdlib.socket, end: End) -> _Sock:
    """A socket of that class for a descriptor whose end is known; an object of the standard library's class that has
    the descriptor becomes one of that class, which adds no slot to it."""
    if isinstance(what, int):
        sock = cls.__new__(cls)
        _stdlib_init(sock, AF_UNIX, end.kind, 0, fileno=what)
    else:
        what.__class__ = cls
        sock = what  # type: ignore[assignment]
    give(sock, end)
    return sock


def plain_class(sock: _stdlib.socket) -> type[_stdlib.socket]:
    if sock.__class__ is plain_classes[0]:  # as a rule
        return plain_classes[0]
    return next(cls for cls in plain_classes if isinstance(sock, cls))


def accepted_as(sock: Any, number: int) -> _stdlib.socket:
    """The socket that `sock` has accepted as `number`, of its plain class, in the mode that a new socket has."""
    cls = plain_class(sock)
    accepted = cls.__new__(cls)
    _stdlib_init(accepted, calls.family(sock), calls.type(sock), calls.proto(sock), fileno=number)
    # Winsock's accepted sockets are non-blocking if the listener is, without their Python objects knowing (seen).
    if _socket.getdefaulttimeout() is None and calls.gettimeout(sock) is not None:
        calls.settimeout(accepted, None)
    return accepted
