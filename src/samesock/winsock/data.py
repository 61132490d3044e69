"""Sending and receiving, as BSD has them.

What must never be put here: the frame around a call (`blocking`).
"""

from __future__ import annotations

from typing import Any

from samesock.winsock import blocking
from samesock.winsock.calls import calls


class DataMethods:
    """See the module's head. Each method's promise is the standard library's on POSIX."""

    __slots__ = ()

    def send(self: Any, data: Any, flags: int = 0, /) -> int:
        return blocking.write(calls.send, self, data, flags)  # type: ignore[no-any-return]

    def sendall(self: Any, data: Any, flags: int = 0, /) -> None:
        blocking.write(calls.sendall, self, data, flags)

    def recv(self: Any, size: int, flags: int = 0, /) -> bytes:
        return blocking.read(calls.recv, self, size, flags)  # type: ignore[no-any-return]

    def recv_into(self: Any, buffer: Any, nbytes: int = 0, flags: int = 0) -> int:
        return blocking.read(calls.recv_into, self, buffer, nbytes, flags)  # type: ignore[no-any-return]
