"""Handles and sockets for another process: duplicated into it by this one, under numbers that it is then told.

A handle goes by DuplicateHandle, a socket by WSADuplicateSocketW, whose 628 bytes name a handle that is in the other
process already. So nothing that was sent depends on this process any more: what dies with whom is the kernel's affair.
What must never be put here: frames, and what of a Unix socket is not its number.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Sequence

from samesock._errors import error, named_error
from samesock.backend import _windows_tables as tables
from samesock.ffi import HANDLE
from samesock.ffi.kernel32 import (
    DUPLICATE_CLOSE_SOURCE,
    DUPLICATE_SAME_ACCESS,
    ERROR_INVALID_PARAMETER,
    PROCESS_DUP_HANDLE,
    PROCESS_QUERY_LIMITED_INFORMATION,
    kernel32,
)
from samesock.ffi.ws2_32 import (
    FROM_PROTOCOL_INFO,
    INVALID_SOCKET,
    WSA_FLAG_NO_HANDLE_INHERIT,
    WSA_FLAG_OVERLAPPED,
    WSAPROTOCOL_INFOW,
    ws2_32,
)

NEEDS_TARGET = True

_TRIED = "passing descriptors"
_HANDLE_SIZE = 8
_WINE_MARK = 0xFF00FF00
"""What Wine's ws2_32 writes into dwServiceFlags4 of a duplicate, whose handle is in dwServiceFlags3 (seen: Wine 10)."""


def me() -> tuple[int, int]:
    """This process, and when it was made."""
    pid = os.getpid()
    return pid, tables.start_time(pid) or 0


class Offer:
    """Duplicates in the target's process, which are this side's to take back until a byte of the frame is sent."""

    lease = b""

    def __init__(self, things: Sequence[tuple[str, int]], pid: int | None) -> None:
        self.target: int
        self.target, self._process = _opened(pid)
        self.tokens: list[bytes] = []
        self._made: list[int] = []
        try:
            self.target_start: int = tables.start_time(self.target) or 0
            if not self.target_start:
                raise named_error("EPIPE", f"{_TRIED}: process {self.target} has ended")
            for space, number in things:
                self.tokens.append(self._socket(number) if space == "socket" else self._handle(number))
        except BaseException:
            self.revoke()
            raise

    def _socket(self, number: int) -> bytes:
        info = WSAPROTOCOL_INFOW()
        if ws2_32.WSADuplicateSocketW(number, self.target, ctypes.byref(info)):
            raise error(ws2_32.WSAGetLastError(), f"{_TRIED}: socket {number} to process {self.target}")
        self._made.append(_handle_in(info))
        return bytes(info).rstrip(b"\0")  # most of it are the zeros behind the provider's name

    def _handle(self, number: int) -> bytes:
        made = HANDLE()
        if not kernel32.DuplicateHandle(
            kernel32.GetCurrentProcess(),
            number,
            self._process,
            ctypes.byref(made),
            0,
            False,
            DUPLICATE_SAME_ACCESS,
        ):
            raise error(kernel32.GetLastError(), f"{_TRIED}: handle {number} to process {self.target}")
        self._made.append(made.value)
        return int(made.value).to_bytes(_HANDLE_SIZE, "little")

    def sent(self) -> None:
        """They are the receiver's now."""
        self._made = []
        self._close()

    def revoke(self) -> None:
        """Close them in the target's process."""
        made, self._made = self._made, []
        for value in made:
            if value:
                # No target: it is only closed there (DUPLICATE_CLOSE_SOURCE works whatever the call answers).
                kernel32.DuplicateHandle(self._process, value, 0, None, 0, False, DUPLICATE_CLOSE_SOURCE)
        self._close()

    def _close(self) -> None:
        process, self._process = self._process, 0
        if process:
            kernel32.CloseHandle(process)


def _handle_in(info: WSAPROTOCOL_INFOW) -> int:
    """The duplicate's handle, which nothing but these bytes tells: Windows' own provider has it in
    dwProviderReserved."""
    if info.dwServiceFlags4 == _WINE_MARK:
        return int(info.dwServiceFlags3)
    return int(info.dwProviderReserved)


def _opened(pid: int | None) -> tuple[int, int]:
    if pid is None:
        raise named_error("EPERM", f"{_TRIED}: which process is at the other end is not known")
    process = kernel32.OpenProcess(PROCESS_DUP_HANDLE | PROCESS_QUERY_LIMITED_INFORMATION, False, pid)
    if not process:
        code = kernel32.GetLastError()
        if code == ERROR_INVALID_PARAMETER:
            raise named_error("EPIPE", f"{_TRIED}: process {pid} has ended", code=code)
        raise named_error("EPERM", f"{_TRIED}: process {pid} may not be given any", code=code)
    return pid, process


def offer(things: Sequence[tuple[str, int]], pid: int | None) -> Offer:
    """See `samesock.backend`."""
    return Offer(things, pid)


def release() -> None:
    """Nothing: what was sent is the receiver's."""


def take(lease: bytes, tokens: Sequence[tuple[str, bytes]]) -> list[int | None]:
    """See `samesock.backend`."""
    return [_opened_socket(token) if space == "socket" else _number(token) for space, token in tokens]


def _number(token: bytes) -> int | None:
    return int.from_bytes(token, "little") if len(token) == _HANDLE_SIZE else None


def _opened_socket(token: bytes) -> int | None:
    info = WSAPROTOCOL_INFOW()
    if len(token) > ctypes.sizeof(info):
        return None
    ctypes.memmove(ctypes.byref(info), token, len(token))
    flags = WSA_FLAG_OVERLAPPED | WSA_FLAG_NO_HANDLE_INHERIT
    number = ws2_32.WSASocketW(
        FROM_PROTOCOL_INFO, FROM_PROTOCOL_INFO, FROM_PROTOCOL_INFO, ctypes.byref(info), 0, flags
    )
    return None if number == INVALID_SOCKET else number


def close(space: str, number: int) -> None:
    """Close what `take` gave."""
    if space == "socket":
        ws2_32.closesocket(number)
    else:
        kernel32.CloseHandle(number)
