"""sendfile: TransmitFile into a socket object that waits, else a read and a write.

TransmitFile waits whatever the socket's mode, which nobody can ask Winsock for: so it is used where an object
says that the socket waits. What must never be put here: what needs no such choice.
"""

from __future__ import annotations

import ctypes
from typing import Final

from samesock._errors import error, named_error
from samesock.fd.descriptor import Descriptor, Thing, socket_object
from samesock.fd.windows import files, flow
from samesock.fd.windows.resolving import handle_of
from samesock.ffi import DWORD, LARGE_INTEGER
from samesock.ffi.kernel32 import kernel32
from samesock.ffi.kernel32_files import (
    ERROR_HANDLE_EOF,
    ERROR_IO_PENDING,
    FILE_BEGIN,
    FILE_CURRENT,
    FILE_TYPE_DISK,
    OVERLAPPED,
    kernel32_files,
)
from samesock.ffi.mswsock import mswsock

_PIECE: Final = 1 << 16
_MOST: Final = (1 << 31) - 2  # what TransmitFile takes in one call, by its documentation


def sendfile(out: Descriptor, thing: Thing, file: Descriptor, offset: int | None, count: int) -> int:
    """How many bytes were sent."""
    tried = f"sending {count} bytes of {file!r} to {out!r}"
    if count < 0 or (offset is not None and offset < 0):
        raise named_error("EINVAL", tried)
    if file.space == "socket":
        raise named_error("EINVAL", f"{tried}: the source is no regular file")
    handle = handle_of(file, tried)
    if files.type_of(handle, tried) != FILE_TYPE_DISK or files.is_directory(handle):
        raise named_error("EINVAL", f"{tried}: the source is no regular file")
    position = _seek(handle, 0, FILE_CURRENT, tried)
    start = position if offset is None else offset
    sent = 0
    try:
        # TransmitFile takes 0 for "all of it", and fails where there is less than was asked for.
        count = min(count, max(_size(handle, tried) - start, 0), _MOST)
        if count and _waits(out, thing):
            sent = _transmit(out, handle, start, count, tried)
        elif count:
            sent = flow.write(out, _read_at(handle, start, min(count, _PIECE), tried))
        else:
            flow.write(out, b"") if out.space != "socket" else None
    finally:
        # Both ways of reading move the position, and a copy of the descriptor shares it.
        _seek(handle, start + sent if offset is None else position, FILE_BEGIN, tried)
    return sent


def _waits(out: Descriptor, thing: Thing) -> bool:
    sock = socket_object(thing)
    return out.space == "socket" and sock is not None and sock.gettimeout() is None


def _transmit(out: Descriptor, handle: int, start: int, count: int, tried: str) -> int:
    event = kernel32.CreateEventW(None, True, False, None)
    if not event:
        raise error(kernel32.GetLastError(), tried)
    try:
        overlapped = OVERLAPPED(Offset=start & 0xFFFFFFFF, OffsetHigh=start >> 32, hEvent=event | 1)
        sent = DWORD(count)
        good = mswsock.TransmitFile(int(out), handle, count, 0, ctypes.byref(overlapped), None, 0)
        if not good and kernel32.GetLastError() == ERROR_IO_PENDING:
            good = kernel32_files.GetOverlappedResult(
                int(out), ctypes.byref(overlapped), ctypes.byref(sent), True
            )
        if not good:
            raise flow.socket_error(kernel32.GetLastError(), tried)
        return sent.value
    finally:
        kernel32.CloseHandle(event)


def _read_at(handle: int, start: int, count: int, tried: str) -> bytes:
    room = ctypes.create_string_buffer(count)
    got = DWORD()
    overlapped = OVERLAPPED(Offset=start & 0xFFFFFFFF, OffsetHigh=start >> 32)
    if not kernel32.ReadFile(handle, room, count, ctypes.byref(got), ctypes.byref(overlapped)):
        code = kernel32.GetLastError()
        if code != ERROR_HANDLE_EOF:
            raise error(code, tried)
    return room.raw[: got.value]


def _seek(handle: int, distance: int, method: int, tried: str) -> int:
    found = LARGE_INTEGER()
    if not kernel32_files.SetFilePointerEx(handle, distance, ctypes.byref(found), method):
        raise error(kernel32.GetLastError(), tried)
    return found.value


def _size(handle: int, tried: str) -> int:
    size = LARGE_INTEGER()
    if not kernel32_files.GetFileSizeEx(handle, ctypes.byref(size)):
        raise error(kernel32.GetLastError(), tried)
    return size.value
