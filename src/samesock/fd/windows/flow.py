"""read, write, readv and writev over the three tables.

A file on disk that has a C runtime descriptor goes through the C runtime, which alone knows of O_APPEND; anything
else goes to its HANDLE or SOCKET. What must never be put here: sendfile (that is `sending`).
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Sequence
from typing import Any

from samesock._errors import error, named_error
from samesock.fd.descriptor import Descriptor, told
from samesock.fd.windows import files, runtime
from samesock.fd.windows.resolving import handle_of, socket_type
from samesock.ffi import DWORD
from samesock.ffi.kernel32_files import FILE_TYPE_DISK
from samesock.ffi.mswsock import WSAEMSGSIZE, WSAENOTCONN, WSAESHUTDOWN, ws2_vectors
from samesock.ffi.ws2_32 import WSABUF, WSAENOTSOCK, ws2_32

_SOCK_DGRAM = 2


def read(one: Descriptor, size: int) -> bytes:
    """At most `size` bytes."""
    tried = f"reading {size} bytes from {one!r}"
    if size < 0:
        raise named_error("EINVAL", tried)
    if one.space == "fd":
        handle = handle_of(one, tried)
        if files.type_of(handle, tried) == FILE_TYPE_DISK:
            return _runtime_read(one, handle, size, tried)
    room = ctypes.create_string_buffer(size)
    got = _fill(one, [room], tried)
    return room.raw[:got]


def readv(one: Descriptor, buffers: Sequence[Any]) -> int:
    """How many came."""
    tried = f"reading into {len(buffers)} buffers from {one!r}"
    views = [memoryview(buffer).cast("B") for buffer in buffers]
    if one.space == "socket":
        rooms = [(ctypes.c_char * len(view)).from_buffer(view) for view in views if len(view)]
        return _fill(one, rooms, tried)
    data = read(one, sum(map(len, views)))
    start = 0
    for view in views:
        piece = data[start : start + len(view)]
        view[: len(piece)] = piece
        start += len(piece)
    return len(data)


def write(one: Descriptor, data: Any) -> int:
    """How many were taken."""
    return writev(one, [data])


def writev(one: Descriptor, buffers: Sequence[Any]) -> int:
    """How many were taken."""
    views = [memoryview(buffer) for buffer in buffers]
    tried = f"writing {sum(view.nbytes for view in views)} bytes to {one!r}"
    if one.space == "socket":
        return _socket_write(one, views, tried)
    joined = views[0] if len(views) == 1 else memoryview(b"".join(views))
    handle = handle_of(one, tried)
    if one.space == "fd" and files.type_of(handle, tried) == FILE_TYPE_DISK:
        return _runtime_write(one, joined, tried)
    return files.write(handle, joined, tried)


def _fill(one: Descriptor, rooms: Sequence[ctypes.Array[ctypes.c_char]], tried: str) -> int:
    if one.space == "socket":
        return _socket_read(one, rooms, tried)
    handle = handle_of(one, tried)
    if not len(rooms[0]) and not files.is_directory(handle):
        files.type_of(handle, tried)
        return 0  # ReadFile would wait for bytes that nobody asked for
    return files.read(handle, rooms[0], tried)


def _runtime_read(one: Descriptor, handle: int, size: int, tried: str) -> bytes:
    if files.is_directory(handle):
        raise named_error("EISDIR", tried)
    runtime.be_binary(int(one))
    try:
        return os.read(int(one), size)
    except OSError as problem:
        raise told(problem, tried) from None


def _runtime_write(one: Descriptor, data: memoryview, tried: str) -> int:
    runtime.be_binary(int(one))
    try:
        return os.write(int(one), data)
    except OSError as problem:
        raise told(problem, tried) from None


def _vector(rooms: Sequence[Any]) -> Any:
    return (WSABUF * len(rooms))(*(WSABUF(len(room), ctypes.addressof(room)) for room in rooms))


def _socket_read(one: Descriptor, rooms: Sequence[ctypes.Array[ctypes.c_char]], tried: str) -> int:
    room = sum(map(len, rooms))
    if not room and socket_type(int(one)) is not None:
        return 0  # WSARecv of no bytes waits for some
    got, flags = DWORD(), DWORD()
    if not ws2_vectors.WSARecv(
        int(one), _vector(rooms), len(rooms), ctypes.byref(got), ctypes.byref(flags), None, None
    ):
        return got.value
    code = ws2_32.WSAGetLastError()
    if code == WSAEMSGSIZE:
        return room  # a longer datagram: POSIX cuts it without a word
    if code == WSAESHUTDOWN:
        return 0  # shut down for reading by this process: an end, to POSIX
    raise socket_error(code, tried)


def _socket_write(one: Descriptor, views: Sequence[memoryview], tried: str) -> int:
    rooms = [ctypes.create_string_buffer(bytes(view), view.nbytes) for view in views]
    sent = DWORD()
    if not ws2_vectors.WSASend(int(one), _vector(rooms), len(rooms), ctypes.byref(sent), 0, None, None):
        return sent.value
    code = ws2_32.WSAGetLastError()
    if code == WSAENOTCONN and socket_type(int(one)) == _SOCK_DGRAM:
        raise named_error("EDESTADDRREQ", tried, code=code)
    raise socket_error(code, tried)


def socket_error(code: int, tried: str) -> OSError:
    """As the table has it, but a number that is no socket is one that is not open: nobody else's is taken."""
    if code == WSAENOTSOCK:
        return named_error("EBADF", f"{tried}, which is no open socket", code=code)
    return error(code, tried)
