"""Sending and receiving, as BSD has them.

`send`, `sendall`, `recv` and `recv_into` of a stream without flags are one thin frame: a test, and the call through
`blocking`. Everything else is in `sending` and `receiving`. What must never be put here: the frame around a call
(`blocking`), and what a flag means.
"""

from __future__ import annotations

import _socket
from typing import Any
from weakref import ref

from samesock.unix import ends
from samesock.unix.dispatch import Methods, sender_of
from samesock.winsock import blocking, receiving, sending
from samesock.winsock.calls import calls
from samesock.winsock.failing import WSAESHUTDOWN, code_of, told

_end_of = ends.by_reference.get
_STREAM = _socket.SOCK_STREAM
_BIG = 4 << 20
"""What is longer goes out in pieces, see `sending`."""


class DataMethods:
    """See the module's head. Each method's promise is the standard library's on POSIX."""

    __slots__ = ()

    def send(self: Any, data: Any, flags: int = 0, /) -> int:
        if flags or calls.type(self) != _STREAM:
            return sending.send(self, data, flags)
        try:
            return blocking.write(calls.send, self, data)  # type: ignore[no-any-return]
        except OSError as error:
            return sending.again(self, error, data)

    def sendall(self: Any, data: Any, flags: int = 0, /) -> None:
        try:
            if flags or calls.type(self) != _STREAM or len(data) > _BIG:
                return sending.sendall(self, data, flags)
            return blocking.write(calls.sendall, self, data)  # type: ignore[no-any-return]
        except OSError as error:
            raise sending.failed(self, error) from None

    def recv(self: Any, size: int, flags: int = 0, /) -> bytes:
        if flags or calls.type(self) != _STREAM:
            return receiving.recv(self, size, flags)
        if size < 0:  # before the wait for something to receive
            raise ValueError("negative buffersize in recv")
        try:
            return blocking.read(calls.recv, self, size)  # type: ignore[no-any-return]
        except OSError as error:
            if code_of(error) == WSAESHUTDOWN:
                return b""  # after one's own SHUT_RD the stream has ended
            raise told(self, error, "receiving") from None

    def recv_into(self: Any, buffer: Any, nbytes: int = 0, flags: int = 0) -> int:
        if flags or calls.type(self) != _STREAM:
            return receiving.recv_into(self, buffer, nbytes, flags)
        if nbytes < 0:
            raise ValueError("negative buffersize in recv_into")
        try:
            return blocking.read(calls.recv_into, self, buffer, nbytes)  # type: ignore[no-any-return]
        except OSError as error:
            if code_of(error) == WSAESHUTDOWN:
                return 0
            raise told(self, error, "receiving") from None

    def recvfrom(self: Any, size: int, flags: int = 0, /) -> tuple[bytes, Any]:
        if calls.type(self) != _STREAM:
            if _end_of(ref(self)) is not None:
                return Methods.recvfrom(self, size, flags)
            return receiving.datagram(self, size, flags)
        end = _end_of(ref(self))
        data = DataMethods.recv(self, size, flags)
        return data, sender_of(self, end) if data and end is not None else None

    def recvfrom_into(self: Any, buffer: Any, nbytes: int = 0, flags: int = 0) -> tuple[int, Any]:
        if calls.type(self) != _STREAM:
            if _end_of(ref(self)) is not None:
                return Methods.recvfrom_into(self, buffer, nbytes, flags)
            return receiving.datagram_into(self, receiving.room_in(buffer, nbytes), flags)
        end = _end_of(ref(self))
        count = DataMethods.recv_into(self, buffer, nbytes, flags)
        return count, sender_of(self, end) if count and end is not None else None

    def sendto(self: Any, data: Any, *where: Any) -> int:
        if _end_of(ref(self)) is not None:
            return Methods.sendto(self, data, *where)
        return sending.sendto(self, data, *where)
