"""Handles and sockets for another process: duplicated into it by this one, under numbers that it is then told.

A handle goes by DuplicateHandle, a socket by WSADuplicateSocketW, whose 628 bytes name a handle that is in the other
process already. So nothing that was sent depends on this process any more: what dies with whom is the kernel's affair.
What must never be put here: frames, and what of a Unix socket is not its number.
"""

from __future__ import annotations

import ctypes
import functools
import os
import threading
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
    SYNCHRONIZE,
    kernel32,
)
from samesock.ffi.ws2_32 import (
    FROM_PROTOCOL_INFO,
    INVALID_SOCKET,
    WSA_FLAG_NO_HANDLE_INHERIT,
    WSA_FLAG_OVERLAPPED,
    WSAENOTSOCK,
    WSAPROTOCOL_INFOW,
    ws2_32,
)

NEEDS_TARGET = True

_TRIED = "passing descriptors"
_HANDLE_SIZE = 8
_ACCESS = PROCESS_DUP_HANDLE | PROCESS_QUERY_LIMITED_INFORMATION | SYNCHRONIZE
_WINE_MARK = 0xFF00FF00
"""What Wine's ws2_32 writes into dwServiceFlags4 of a duplicate, whose handle is in dwServiceFlags3 (seen: Wine 10)."""


def me() -> tuple[int, int]:
    """This process, and when it was made."""
    pid = os.getpid()
    return pid, _start_of_me(pid)


@functools.lru_cache(maxsize=1)
def _start_of_me(pid: int) -> int:
    return tables.start_time(pid) or 0


class Taker:
    """A process that descriptors can be given to, open: while it is, its number is no other one's.

    An offer holds it open, so that a close by another thread takes neither the process from what is being made, nor
    the means to take that back.
    """

    def __init__(self, pid: int | None) -> None:
        self.process: int = 0
        self._lock = threading.Lock()
        self._users = 0
        self._is_closed = False
        if pid is None:
            raise named_error("EPERM", f"{_TRIED}: which process is at the other end is not known")
        self.pid: int = pid
        self.process = kernel32.OpenProcess(_ACCESS, False, pid)
        if not self.process:
            code = kernel32.GetLastError()
            if code == ERROR_INVALID_PARAMETER:
                raise self.ended(code)
            raise named_error("EPERM", f"{_TRIED}: process {pid} may not be given any", code=code)
        self.start: int = tables.start_of(self.process) or 0
        if not self.start:
            self.close()
            raise self.ended()

    def failure(self, code: int, what: str) -> OSError:
        """Why it could not be given something, with Windows' code."""
        if tables.start_of(self.process) is None:
            return self.ended(code)
        if code == WSAENOTSOCK:
            return named_error("EBADF", f"{_TRIED}: {what}", code=code)
        return error(code, f"{_TRIED}: {what} to process {self.pid}")

    def ended(self, code: int | None = None) -> OSError:
        """That there is no such process any more."""
        return named_error("EPIPE", f"{_TRIED}: process {self.pid} has ended", code=code)

    def close(self) -> None:
        """Let go of it, or have the last offer that holds it do so."""
        with self._lock:
            self._is_closed = True
            if not self._users:
                self._free()

    def hold(self) -> None:
        """Keep it open until `release`; EBADF if it was closed."""
        with self._lock:
            if self._is_closed:
                raise named_error("EBADF", f"{_TRIED}: the socket was closed meanwhile")
            self._users += 1

    def release(self) -> None:
        """What `hold` has kept is done with."""
        with self._lock:
            self._users -= 1
            if self._is_closed and not self._users:
                self._free()

    def _free(self) -> None:
        process, self.process = self.process, 0
        if process:
            kernel32.CloseHandle(process)

    __del__ = _free


class Offer:
    """Duplicates in the taker's process, which are this side's to take back until a byte of the frame is sent."""

    lease = b""

    def __init__(self, things: Sequence[tuple[str, int]], taker: Taker) -> None:
        self.target: int = taker.pid
        self.target_start: int = taker.start
        self.tokens: list[bytes] = []
        self._taker = taker
        self._made: list[int] = []
        self._is_holding = False
        taker.hold()
        self._is_holding = True
        try:
            for space, number in things:
                self.tokens.append(self._socket(number) if space == "socket" else self._handle(number))
        except BaseException:
            self.revoke()
            raise

    def _socket(self, number: int) -> bytes:
        info = WSAPROTOCOL_INFOW()
        if ws2_32.WSADuplicateSocketW(number, self.target, ctypes.byref(info)):
            raise self._taker.failure(ws2_32.WSAGetLastError(), f"socket {number}")
        self._made.append(_handle_in(info))
        return bytes(info).rstrip(b"\0")  # most of it are the zeros behind the provider's name

    def _handle(self, number: int) -> bytes:
        made = HANDLE()
        if not kernel32.DuplicateHandle(
            kernel32.GetCurrentProcess(),
            number,
            self._taker.process,
            ctypes.byref(made),
            0,
            False,
            DUPLICATE_SAME_ACCESS,
        ):
            raise self._taker.failure(kernel32.GetLastError(), f"handle {number}")
        self._made.append(made.value)
        return int(made.value).to_bytes(_HANDLE_SIZE, "little")

    def sent(self) -> None:
        """They are the receiver's now."""
        self._made = []
        self._let_go()

    def revoke(self) -> None:
        """Close them in the taker's process."""
        made, self._made = self._made, []
        for value in made:
            if value:
                # No target: it is only closed there (DUPLICATE_CLOSE_SOURCE works whatever the call answers).
                kernel32.DuplicateHandle(
                    self._taker.process, value, 0, None, 0, False, DUPLICATE_CLOSE_SOURCE
                )
        self._let_go()

    def _let_go(self) -> None:
        held, self._is_holding = self._is_holding, False
        if held:
            self._taker.release()


def _handle_in(info: WSAPROTOCOL_INFOW) -> int:
    """The duplicate's handle, which nothing but these bytes tells: Windows' own provider has it in
    dwProviderReserved."""
    if info.dwServiceFlags4 == _WINE_MARK:
        return int(info.dwServiceFlags3)
    return int(info.dwProviderReserved)


def taker(pid: int | None) -> Taker:
    """See `samesock.backend`."""
    return Taker(pid)


def offer(things: Sequence[tuple[str, int]], taker: Taker) -> Offer:
    """See `samesock.backend`."""
    return Offer(things, taker)


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
