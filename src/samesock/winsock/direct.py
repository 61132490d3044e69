"""Winsock's send, recv, recvfrom and accept by themselves, for a socket that has been found ready.

C's methods of a socket with a time-out ask select() first, each time, which a caller that has just waited pays twice;
and who comes too late, since another thread or process has taken what there was, waits on there, where nothing ends it.
The number is non-blocking then, as C made it, and what is no longer ready is WSAEWOULDBLOCK. What must never be put
here: a wait, and what an error means.
"""

from __future__ import annotations

import _socket
import ctypes
import os
from typing import Any, Final

from samesock import _errors
from samesock.ffi import ws2_32
from samesock.winsock import sockaddr

_COPY: Final = 256 << 10
"""The most of a read-only view that one send copies: ctypes gives the address of bytes and of what can be written."""

_MOST_ROOM: Final = 1 << 20
_MOST: Final = 1 << 30  # a length is an int there
set_handle_inheritable: Any = getattr(os, "set_handle_inheritable", os.set_inheritable)
_number = _socket.socket.fileno
_byte_of = ctypes.c_char.from_buffer


def recv(sock: Any, size: int, flags: int = 0) -> bytes:
    """Take at most so many bytes, and no more than a stream's buffers have. `OSError` with `winerror`."""
    if not size:
        return b""
    room = bytearray(min(size, _MOST_ROOM))  # zeroed, which C's own is not
    count = recv_into(sock, room, 0, flags)
    return bytes(room if count == len(room) else memoryview(room)[:count])


def recv_into(sock: Any, buffer: Any, nbytes: int = 0, flags: int = 0) -> int:
    """Fill the buffer, or so many bytes of it, with what there is; how much that was. `OSError` with `winerror`."""
    view = memoryview(buffer).cast("B")
    if nbytes > len(view):
        raise ValueError("nbytes is greater than the length of the buffer")
    if not len(view):
        return 0
    count: int = ws2_32.ws2_32.recv(
        _number(sock), ctypes.byref(_byte_of(view)), min(nbytes or len(view), _MOST), flags
    )
    if count == ws2_32.SOCKET_ERROR:
        raise _errors.error(ws2_32.ws2_32.WSAGetLastError(), "recv()")
    return count


def recvfrom_into(sock: Any, buffer: Any, nbytes: int = 0, flags: int = 0) -> tuple[int, Any]:
    """Take one datagram into the buffer; its length and its sender. `OSError` with `winerror`."""
    view = memoryview(buffer).cast("B")
    name, length = (ctypes.c_char * sockaddr.SIZE)(), ctypes.c_int(sockaddr.SIZE)
    count: int = ws2_32.ws2_32.recvfrom(
        _number(sock), ctypes.byref(_byte_of(view)), nbytes or len(view), flags, name, ctypes.byref(length)
    )
    if count == ws2_32.SOCKET_ERROR:
        raise _errors.error(ws2_32.ws2_32.WSAGetLastError(), "recvfrom()")
    return count, sockaddr.decode(name.raw[: max(0, length.value)])


def accept(sock: Any) -> tuple[int, Any]:
    """Take a connection; its number, not inheritable, and its peer. `OSError` with `winerror`."""
    name, length = (ctypes.c_char * sockaddr.SIZE)(), ctypes.c_int(sockaddr.SIZE)
    number: int = ws2_32.ws2_32.accept(_number(sock), name, ctypes.byref(length))
    if number == ws2_32.INVALID_SOCKET:
        raise _errors.error(ws2_32.ws2_32.WSAGetLastError(), "accept()")
    try:
        set_handle_inheritable(number, False)
    except BaseException:
        _socket.close(number)
        raise
    return number, sockaddr.decode(name.raw[: length.value])


def send(sock: Any, data: Any, flags: int = 0, start: int = 0) -> int:
    """Send what there is room for, from the byte `start` on; how much that was. `OSError` with `winerror`."""
    if type(data) is bytes:
        size = len(data) - start
        where: Any = data if not start else (pointer_to(data) or 0) + start
    else:
        view = memoryview(data).cast("B")
        size = len(view) - start
        if view.readonly or not size:
            size = min(size, _COPY)
            where = bytes(view[start : start + size])
        else:
            where = ctypes.byref(_byte_of(view, start))
    sent: int = ws2_32.ws2_32.send(_number(sock), where, min(size, _MOST), flags)
    if sent == ws2_32.SOCKET_ERROR:
        raise _errors.error(ws2_32.ws2_32.WSAGetLastError(), "send()")
    return sent


def pointer_to(data: bytes) -> int | None:
    """The address of the bytes. ctypes.cast is not used: what it makes refers to itself, and would hold the memory
    until the garbage collector comes."""
    return ctypes.c_void_p.from_buffer(ctypes.c_char_p(data)).value if data else None
