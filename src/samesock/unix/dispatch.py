"""The methods of a socket class that differ for a Unix socket which is not simply the kernel's.

One implementation for both users: `samesock.socket` inherits `Methods`, and `install()` assigns the same functions to
`socket.socket`. So nothing here may say `super()`: for every other socket a method calls the function that it was put
in the place of, as it was when this module was imported. What must never be put here: how an end does its work.
"""

from __future__ import annotations

import _socket
import errno
import functools
import socket as _stdlib
from collections.abc import Callable
from typing import Any, TypeVar
from weakref import ref

from samesock._errors import named_error
from samesock.unix import AF_UNIX, End, Name, choosing, ends
from samesock.unix.calls import calls

_Sock = TypeVar("_Sock", bound=_stdlib.socket)

_stdlib_init = _stdlib.socket.__init__
_stdlib_accept = _stdlib.socket.accept
_stdlib_detach = _stdlib.socket.detach
_stdlib_set_inheritable = _stdlib.socket.set_inheritable
_end_of = ends.by_reference.get
_MODE_FLAGS = getattr(_socket, "SOCK_NONBLOCK", 0) | getattr(_socket, "SOCK_CLOEXEC", 0)

plain_classes: list[type[_stdlib.socket]] = [_stdlib.socket]
"""The classes whose `accept` gives their own kind, most derived first; `samesock.socket` joins when it is made."""


def _create(sock: _stdlib.socket, kind: int, proto: int) -> None:
    """Make the descriptor and the end of a new Unix socket."""
    transport = choosing.transport()
    if kind == -1:
        kind = _socket.SOCK_STREAM
    if transport == "kernel":
        _stdlib_init(sock, AF_UNIX, kind, proto)
        return
    plain = kind & ~_MODE_FLAGS
    if plain in (_socket.SOCK_DGRAM, _socket.SOCK_RAW, _socket.SOCK_RDM, _socket.SOCK_SEQPACKET):
        raise named_error("ESOCKTNOSUPPORT", f"AF_UNIX has SOCK_STREAM alone here, not type {plain}")
    if plain != _socket.SOCK_STREAM:
        raise named_error("EINVAL", f"creating a Unix socket of type {plain}")
    if proto not in (-1, 0, AF_UNIX):
        raise named_error("EPROTONOSUPPORT", f"creating a Unix socket of protocol {proto}")
    family = AF_UNIX if transport == "native" else _socket.AF_INET
    _stdlib_init(sock, family, kind, 0)
    calls.init(sock, AF_UNIX, kind, max(proto, 0), fileno=calls.fileno(sock))
    if kind & getattr(_socket, "SOCK_NONBLOCK", 0):
        calls.settimeout(sock, 0.0)
    ends.set(sock, _end_class(transport)())


@functools.lru_cache(maxsize=2)
def _end_class(transport: str) -> Callable[[], End]:
    """The maker of ends, imported when the first one is needed: an import statement costs 1 us each time."""
    if transport == "native":
        from samesock.unix.native import NativeEnd

        return NativeEnd
    from samesock.unix.emulated import EmulatedEnd

    return EmulatedEnd


def _adopt(sock: _stdlib.socket, family: int) -> None:
    """Find the end for a descriptor that was handed in by its number."""
    transport = choosing.transport()
    if transport == "kernel":
        return
    end: End | None = None
    if transport == "native":
        if calls.family(sock) == AF_UNIX:
            end = _end_class(transport)()
    else:
        from samesock.unix.emulated import adopt

        end = adopt(calls.fileno(sock), wanted=family == AF_UNIX)
    if end is None:
        return
    if calls.family(sock) != AF_UNIX:
        calls.init(sock, AF_UNIX, _socket.SOCK_STREAM, 0, fileno=calls.fileno(sock))
    ends.set(sock, end)


class Methods:
    """See the module's head. Each method's promise is the standard library's."""

    __slots__ = ()

    def __init__(self: Any, family: int = -1, type: int = -1, proto: int = -1, fileno: Any = None) -> None:
        if fileno is None and family == AF_UNIX:
            _create(self, type, proto)
            return
        _stdlib_init(self, family, type, proto, fileno)
        if fileno is not None and family in (-1, AF_UNIX) and isinstance(fileno, int):
            _adopt(self, family)

    def bind(self: Any, address: Any, /) -> None:
        end = _end_of(ref(self))
        if end is None:
            return calls.bind(self, address)
        return end.bind(self, address)

    def listen(self: Any, backlog: int | None = None, /) -> None:
        end = _end_of(ref(self))
        if end is None:
            return calls.listen(self) if backlog is None else calls.listen(self, backlog)
        return end.listen(self, max(0, min(_socket.SOMAXCONN, 128) if backlog is None else backlog))

    def accept(self: Any) -> tuple[_stdlib.socket, Any]:
        end = _end_of(ref(self))
        if end is None:
            return accept_as(self)
        number, peer, name = end.accept(self)
        return adopted(_plain_class(self), number, peer), name

    def connect(self: Any, address: Any, /) -> None:
        end = _end_of(ref(self))
        if end is None:
            return calls.connect(self, address)
        return end.connect(self, address)

    def connect_ex(self: Any, address: Any, /) -> int:
        end = _end_of(ref(self))
        if end is None:
            return calls.connect_ex(self, address)
        try:
            end.connect(self, address)
        except TimeoutError:
            return errno.EAGAIN
        except OSError as error:
            if error.errno is None:
                raise  # a path too long is an exception even here, as in the standard library
            return error.errno
        return 0

    def getsockname(self: Any) -> Any:
        end = _end_of(ref(self))
        return calls.getsockname(self) if end is None else end.getsockname(self)

    def getpeername(self: Any) -> Any:
        end = _end_of(ref(self))
        return calls.getpeername(self) if end is None else end.getpeername(self)

    def setsockopt(self: Any, level: int, option: int, *value: Any) -> None:
        end = _end_of(ref(self))
        if end is None:
            return calls.setsockopt(self, level, option, *value)
        return end.setsockopt(self, level, option, *value)

    def getsockopt(self: Any, level: int, option: int, *length: int) -> Any:
        end = _end_of(ref(self))
        if end is None:
            return calls.getsockopt(self, level, option, *length)
        return end.getsockopt(self, level, option, *length)

    def recvfrom(self: Any, size: int, flags: int = 0, /) -> tuple[bytes, Any]:
        end = _end_of(ref(self))
        if end is None:
            return calls.recvfrom(self, size, flags)
        return calls.recv(self, size, flags), sender_of(self, end)

    def recvfrom_into(self: Any, buffer: Any, nbytes: int = 0, flags: int = 0) -> tuple[int, Any]:
        end = _end_of(ref(self))
        if end is None:
            return calls.recvfrom_into(self, buffer, nbytes, flags)
        return calls.recv_into(self, buffer, nbytes, flags), sender_of(self, end)

    def sendto(self: Any, data: Any, *where: Any) -> int:
        end = _end_of(ref(self))
        if end is None:
            return int(calls.sendto(self, data, *where))
        try:
            end.getpeername(self)
        except OSError:
            raise named_error("EOPNOTSUPP", "sending to an address from a Unix stream socket") from None
        raise named_error("EISCONN", "sending to an address from a connected Unix socket")

    def detach(self: Any) -> int:
        end = _end_of(ref(self))
        if end is None or calls.fileno(self) < 0:
            return _stdlib_detach(self)
        number = end.detach(self)
        ends.remove(self)
        _stdlib_detach(self)
        return number

    def set_inheritable(self: Any, inheritable: bool, /) -> None:
        _stdlib_set_inheritable(self, inheritable)
        end = _end_of(ref(self))
        if end is not None and inheritable:
            end.hand_on()

    def _real_close(self: Any) -> None:
        end = _end_of(ref(self))
        if end is None:
            calls.close(self)
        elif calls.fileno(self) >= 0:
            end.close(self)


class MessageMethods:
    """For interpreters whose sockets have `sendmsg`: ancillary data would be lost in silence by TCP."""

    __slots__ = ()

    def sendmsg(self: Any, buffers: Any, ancdata: Any = (), flags: int = 0, address: Any = None, /) -> int:
        end = _end_of(ref(self))
        if end is None:
            return int(calls.sendmsg(self, buffers, ancdata, flags, address))
        ancillary = list(ancdata)
        if ancillary:
            raise named_error("EOPNOTSUPP", "sending ancillary data over an emulated Unix socket")
        if address is not None:
            raise named_error("EISCONN", "sending to an address from a connected Unix socket")
        return int(calls.sendmsg(self, buffers, (), flags))


class ShareMethods:
    """For Winsock's `share`: an emulated socket's state travels behind the system's own bytes."""

    __slots__ = ()

    def share(self: Any, process_id: int, /) -> bytes:
        end = _end_of(ref(self))
        info = bytes(calls.share(self, process_id))
        if end is None:
            return info
        end.hand_on()
        blob = end.export()
        if blob is None:
            return info
        return info + blob + len(blob).to_bytes(4, "little") + _SHARED


def method_classes() -> list[type]:
    """The classes of methods for this interpreter: those whose C functions it has."""
    classes: list[type] = [Methods]
    if hasattr(_socket.socket, "sendmsg"):
        classes.append(MessageMethods)
    if hasattr(_socket.socket, "share"):
        classes.append(ShareMethods)
    return classes


_SHARED = b"!samesock 1\n"


def from_share(cls: type[_Sock], info: bytes) -> _Sock:
    """The socket in the bytes that `share` gave, in the process that they were made for."""
    if not info.endswith(_SHARED):
        sock = cls.__new__(cls)
        _stdlib_init(sock, 0, 0, 0, info)  # type: ignore[arg-type,unused-ignore]
        return sock
    end_of_blob = len(info) - len(_SHARED) - 4
    size = int.from_bytes(info[end_of_blob : end_of_blob + 4], "little")
    start = end_of_blob - size
    if start <= 0:
        raise ValueError("not the bytes of samesock's share(): cut short")
    from samesock.unix.emulated import restored

    number = calls.detach(calls.create(0, 0, 0, info[:start]))  # type: ignore[arg-type,unused-ignore]
    return adopted(cls, number, restored(number, info[start:end_of_blob]))


def adopted(cls: type[_Sock], number: int, end: End) -> _Sock:
    """A socket of that class for a descriptor whose end is known."""
    sock = cls.__new__(cls)
    _stdlib_init(sock, AF_UNIX, _socket.SOCK_STREAM, 0, fileno=number)
    ends.set(sock, end)
    return sock


def sender_of(sock: Any, end: Any) -> Name | None:
    """What recvfrom on a stream says of the sender: its path, `None` for one without (seen on Linux)."""
    try:
        return end.getpeername(sock) or None
    except OSError:
        return None


def _plain_class(sock: _stdlib.socket) -> type[_stdlib.socket]:
    return next(cls for cls in plain_classes if isinstance(sock, cls))


def accept_as(sock: Any) -> tuple[_stdlib.socket, Any]:
    """accept() as the standard library has it, giving the caller's own plain class."""
    number, address = calls.accept(sock)
    return accepted_as(sock, number), address


def accepted_as(sock: Any, number: int) -> _stdlib.socket:
    """The socket that `sock` has accepted as `number`, of its plain class, in the mode that a new socket has."""
    cls = _plain_class(sock)
    accepted = cls.__new__(cls)
    _stdlib_init(accepted, calls.family(sock), calls.type(sock), calls.proto(sock), fileno=number)
    # Winsock's accepted sockets are non-blocking if the listener is, without their Python objects knowing (seen).
    if _socket.getdefaulttimeout() is None and calls.gettimeout(sock) is not None:
        calls.settimeout(accepted, None)
    return accepted
