"""Windows' error codes by their names in winerror.h, scripts that answer with them, and what a test asks in one line.

What must never be put here: what the library should make of an answer.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from samesock.fd.descriptor import Descriptor
from samesock.ffi.mswsock import ws2_vectors
from samesock.ffi.ws2_32 import ws2_32
from unit.made_up_kernel import Kernel, put

ACCESS_DENIED, INVALID_HANDLE, WRITE_PROTECT, DISK_FULL = 5, 6, 19, 112
BROKEN_PIPE, PIPE_BUSY, NO_DATA, MORE_DATA, IO_PENDING, CONNECTED = 109, 231, 232, 234, 997, 535
FILE_NOT_FOUND, HANDLE_EOF, NOT_ENOUGH_MEMORY, OPERATION_ABORTED = 2, 38, 8, 995


def failure(function: Callable[..., Any], *arguments: Any) -> tuple[int | None, int | None]:
    """The errno and the winerror of what it raises; an errno of Winsock's by POSIX's number."""
    with pytest.raises(OSError) as caught:
        function(*arguments)
    return caught.value.errno, getattr(caught.value, "winerror", None)


def handle(kernel: Kernel) -> Descriptor:
    """An open handle."""
    return Descriptor(kernel.new(), "handle")


def named(kernel: Kernel, name: str) -> None:
    """The pipe's name, as GetFileInformationByHandleEx writes it."""

    def look(where: int, what: int, room: Any, _: int) -> int:
        raw = name.encode("utf-16-le")
        room.raw = (len(raw).to_bytes(4, "little") + raw).ljust(len(room), b"\0")
        return 1

    kernel.set("GetFileInformationByHandleEx", look)


def moves(kernel: Kernel, name: str, *answers: tuple[int, int]) -> list[int]:
    """ReadFile or WriteFile give each (code, count) in turn; the sizes that they were asked for."""
    left = iter(answers)
    sizes: list[int] = []

    def move(where: int, room: Any, size: int, moved: Any, overlapped: Any) -> int:
        kernel.check(where)
        if overlapped is not None:
            assert overlapped._obj.hEvent & 1  # or a completion port would be told
            kernel.check(overlapped._obj.hEvent & ~1)
        sizes.append(size)
        kernel.code, count = next(left)
        put(moved, count)
        return int(not kernel.code)

    kernel.set(name, move)
    return sizes


def winsock(monkeypatch: pytest.MonkeyPatch, code: int, kind: int = 1) -> None:
    """Every call of Winsock's fails with that code, and the number is a socket of that type."""

    def tell(number: int, level: int, option: int, value: Any, size: Any) -> int:
        put(value, kind)
        return 0

    monkeypatch.setattr(ws2_32, "getsockopt", tell)
    monkeypatch.setattr(ws2_32, "WSAGetLastError", lambda: code)
    for name in ("closesocket", "ioctlsocket", "WSADuplicateSocketW"):
        monkeypatch.setattr(ws2_32, name, lambda *_: -1)
    for name in ("WSARecv", "WSASend"):
        monkeypatch.setattr(ws2_vectors, name, lambda *_: -1)


SOCKET = Descriptor(0x500, "socket")
NOT_A_SOCKET, NOT_CONNECTED, SHUT_DOWN, MESSAGE_SIZE, RESET = 10038, 10057, 10058, 10040, 10054
