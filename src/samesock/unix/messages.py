"""The methods of a Unix socket that keeps the boundaries of messages: SOCK_DGRAM and SOCK_SEQPACKET.

A stream's send and recv are C's own, and must stay so. A socket of these two types gets a class of its own instead: a
subclass without slots of the class that it was made of, with the methods below, all of them in terms of two calls of
its end. What must never be put here: how an end sends or receives.
"""

from __future__ import annotations

import _socket
import socket as _stdlib
from collections.abc import Iterable
from typing import Any, Final, NamedTuple, Protocol, TypeVar
from weakref import ref

from samesock import _call_arguments, _message_arguments
from samesock._errors import named_error
from samesock.unix import endable, ends
from samesock.unix.ancillary import room_for, things_in
from samesock.unix.calls import calls
from samesock.unix.loops import LoopMethods

_Sock = TypeVar("_Sock", bound=_stdlib.socket)

MSG_TRUNC: Final = int(getattr(_socket, "MSG_TRUNC", 0x20))
MSG_EOR: Final = int(getattr(_socket, "MSG_EOR", 0x80))
"""Linux's numbers where the interpreter has no names for them: Winsock gives these bits no other meaning."""

_end_of = ends.by_reference.get


class Message(NamedTuple):
    """One message as it was received, whole."""

    data: bytes
    sender: str | None
    flags: int = 0


_NOTHING: Final = Message(b"", None)


class MessageEnd(Protocol):
    """What the end of such a socket has beside what `samesock.unix.End` states."""

    def send_message(self, sock: _socket.socket, data: bytes, flags: int, address: object) -> None:
        """Send one message whole; `address` is `None` for the peer."""

    def receive_message(self, sock: _socket.socket, flags: int) -> Message:
        """The next message, or no bytes at the end of a connection."""


def _end(sock: Any) -> MessageEnd:
    end = _end_of(ref(sock))
    if end is None or calls.fileno(sock) < 0:
        raise named_error("EBADF", "using a closed Unix socket")
    return end  # type: ignore[return-value]


def _received(sock: Any, flags: int) -> Message:
    flags = _call_arguments.number(flags)
    return endable.receiving(sock, _NOTHING, _end(sock).receive_message, sock, flags)


def _sent(sock: Any, data: bytes, flags: int, address: object) -> None:
    flags = _call_arguments.number(flags)
    endable.sending(sock, _end(sock).send_message, sock, data, flags, address)


def _whole(data: Any) -> bytes:
    if type(data) is bytes:
        return data
    return _message_arguments.bytes_of(data).tobytes()


def _store(message: Message, view: memoryview, flags: int) -> int:
    """Put what fits into the buffer; what is over is lost, and counted if MSG_TRUNC asks for it."""
    size = min(len(view), len(message.data))
    view[:size] = message.data[:size]
    return len(message.data) if flags & MSG_TRUNC else size


class WholeMessageMethods(LoopMethods):
    """See the module's head. Each method's promise is the standard library's."""

    __slots__ = ()

    def send(self: Any, data: Any, flags: int = 0, /) -> int:
        message = _whole(data)
        _sent(self, message, flags, None)
        return len(message)

    def sendall(self: Any, data: Any, flags: int = 0, /) -> None:
        _sent(self, _whole(data), flags, None)

    def sendto(self: Any, data: Any, *where: Any) -> int:
        if len(where) not in (1, 2):
            raise TypeError(f"sendto() takes 2 or 3 arguments ({1 + len(where)} given)")
        message = _whole(data)
        if where[-1] is None:  # which is no address here, and the connection's for sendmsg
            raise TypeError("a bytes-like object is required, not 'NoneType'")
        _sent(self, message, where[0] if len(where) == 2 else 0, where[-1])
        return len(message)

    def sendmsg(
        self: Any, buffers: Iterable[Any], ancdata: Any = (), flags: int = 0, address: Any = None, /
    ) -> int:
        if things_in(ancdata):
            raise named_error("EOPNOTSUPP", "sending ancillary data over an emulated Unix socket")
        message = b"".join(_message_arguments.require_few(_message_arguments.readable(buffers), "sendmsg"))
        _sent(self, message, flags, address)
        return len(message)

    def recv(self: Any, size: int, flags: int = 0, /) -> bytes:
        if not _call_arguments.size(size, "recv"):
            return b""  # C asks nobody for no bytes
        return _received(self, flags).data[:size]

    def recv_into(self: Any, buffer: Any, nbytes: int = 0, flags: int = 0) -> int:
        view = _call_arguments.room(buffer, nbytes, "recv_into")
        return _store(_received(self, flags), view, flags) if len(view) else 0

    def recvfrom(self: Any, size: int, flags: int = 0, /) -> tuple[bytes, Any]:
        _call_arguments.size(size, "recvfrom")
        message = _received(self, flags)
        return message.data[:size], message.sender

    def recvfrom_into(self: Any, buffer: Any, nbytes: int = 0, flags: int = 0) -> tuple[int, Any]:
        view = _call_arguments.room(buffer, nbytes, "recvfrom_into")
        message = _received(self, flags)
        return _store(message, view, flags), message.sender

    def recvmsg(
        self: Any, size: int, ancillary_size: int = 0, flags: int = 0, /
    ) -> tuple[bytes, list[Any], int, Any]:
        _call_arguments.size(size, "recvmsg", "negative buffer size in {}()")
        room_for(ancillary_size)
        message = _received(self, flags)
        cut = MSG_TRUNC if len(message.data) > size else 0
        return message.data[:size], [], message.flags | cut, message.sender

    def recvmsg_into(
        self: Any, buffers: Iterable[Any], ancillary_size: int = 0, flags: int = 0, /
    ) -> tuple[int, list[Any], int, Any]:
        room_for(ancillary_size)
        views = _message_arguments.require_few(_message_arguments.writable(buffers), "recvmsg_into")
        message = _received(self, flags)
        rest = memoryview(message.data)
        for view in views:
            size = min(len(view), len(rest))
            view[:size] = rest[:size]
            rest = rest[size:]
        told = len(message.data) if flags & MSG_TRUNC else len(message.data) - len(rest)
        return told, [], message.flags | (MSG_TRUNC if len(rest) else 0), message.sender


_classes: dict[type, type] = {}


def class_of(cls: type[_Sock]) -> type[_Sock]:
    """The class for sockets of these types that would else be of the class `cls`, under the same name. What a program's
    own class says comes first, and its super() finds the methods above."""
    if issubclass(cls, WholeMessageMethods):
        return cls
    made = _classes.get(cls)
    if made is None:
        from samesock.unix.making import plain_classes

        plain = next(one for one in plain_classes if issubclass(cls, one))
        bases = (WholeMessageMethods, cls) if cls is plain else (cls, class_of(plain))
        body = {"__slots__": (), "__module__": cls.__module__, "__qualname__": cls.__qualname__}
        made = _classes[cls] = type(cls.__name__, bases, body)
    return made
