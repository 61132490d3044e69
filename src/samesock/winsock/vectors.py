"""Winsock's calls with several buffers and with control messages, which Windows' Python lacks.

One call of the system each: WSASend and WSARecv for streams, WSASendMsg and WSARecvMsg for datagrams, by the
replaceable `table`. What must never be put here: what the program gave (`messages`), a second try, a wait.
"""

from __future__ import annotations

import _socket
import ctypes
from typing import Any, Final

from samesock import _errors
from samesock.ffi import DWORD, mswsock, ws2_32
from samesock.ffi.mswsock import WSAEMSGSIZE, WSAMSG
from samesock.ffi.ws2_32 import WSABUF
from samesock.winsock import control, sockaddr
from samesock.winsock.control import NOTHING, Received
from samesock.winsock.direct import pointer_to

MOST: Final = 1 << 30
"""Bytes that one call sends or takes: the count that Winsock gives back is a DWORD."""

MSG_TRUNC: Final = 0x100  # winsock2.h
MSG_CTRUNC: Final = 0x200


class Table:
    """The functions; a test sets another `winsock` with the same names."""

    def __init__(self) -> None:
        self.winsock: Any = mswsock.ws2_vectors
        self.last_error: Any = ws2_32.ws2_32.WSAGetLastError


table: Table = Table()

_number = _socket.socket.fileno


def send_vector(sock: Any, buffers: list[memoryview], flags: int) -> int:
    """Send the buffers down a stream, which may take a part; how many bytes went. `OSError` with `winerror`."""
    array, kept = _array(buffers, stream=True)
    sent = DWORD()
    failed = table.winsock.WSASend(_number(sock), array, len(array), ctypes.byref(sent), flags, None, None)
    del kept
    if failed:
        raise _errors.error(table.last_error(), "sendmsg()")
    return sent.value


def send_message(sock: Any, buffers: list[memoryview], beside: bytes, flags: int, address: bytes) -> int:
    """Send the buffers as one datagram; how many bytes it has. `OSError` with `winerror`."""
    array, kept = _array(buffers, stream=False)
    sent = DWORD()
    message = WSAMSG(lpBuffers=ctypes.addressof(array), dwBufferCount=len(array))
    message.name, message.namelen = pointer_to(address), len(address)
    message.Control = WSABUF(len(beside), pointer_to(beside))
    failed = table.winsock.WSASendMsg(
        _number(sock), ctypes.byref(message), flags, ctypes.byref(sent), None, None
    )
    del kept
    if failed:
        raise _errors.error(table.last_error(), "sendmsg()")
    return sent.value


def receive_vector(sock: Any, buffers: list[memoryview], flags: int) -> Received:
    """Take what a stream has into the buffers. `OSError` with `winerror`."""
    array, kept = _array(buffers, stream=True)
    taken, inout = DWORD(), DWORD(flags)
    failed = table.winsock.WSARecv(
        _number(sock), array, len(array), ctypes.byref(taken), ctypes.byref(inout), None, None
    )
    del kept
    if failed:
        raise _errors.error(table.last_error(), "recvmsg()")
    return NOTHING._replace(size=taken.value)


def receive_message(sock: Any, buffers: list[memoryview], room: int, flags: int) -> Received:
    """Take a datagram, with up to `room` bytes of control messages. `OSError` with `winerror`."""
    array, kept = _array(buffers, stream=False)
    taken = DWORD()
    name = (ctypes.c_char * sockaddr.SIZE)()
    beside = (ctypes.c_char * room)()
    message = WSAMSG(lpBuffers=ctypes.addressof(array), dwBufferCount=len(array), dwFlags=flags)
    message.name, message.namelen = ctypes.addressof(name), sockaddr.SIZE
    message.Control = WSABUF(room, ctypes.addressof(beside) if room else None)
    failed = table.winsock.WSARecvMsg(_number(sock), ctypes.byref(message), ctypes.byref(taken), None, None)
    del kept
    code = table.last_error() if failed else 0
    if failed and code != WSAEMSGSIZE:
        raise _errors.error(code, "recvmsg()")
    # 10040 is Winsock's way of saying MSG_TRUNC, and the buffers are full then; with MSG_CTRUNC alone it is the
    # control data that was too long, and the count is right.
    told = message.dwFlags
    truncated = bool(told & MSG_TRUNC) or (code != 0 and not told & MSG_CTRUNC)
    count = sum(buffer.nbytes for buffer in buffers) if code and truncated else taken.value
    return Received(
        count,
        control.decode(beside.raw[: min(message.Control.len, room)]),
        truncated,
        bool(told & MSG_CTRUNC),
        sockaddr.decode(name.raw[: max(0, min(message.namelen, sockaddr.SIZE))]),
    )


def _array(buffers: list[memoryview], stream: bool) -> tuple[Any, list[Any]]:
    """WSABUFs for the buffers, and what must live as long as they do. There is always one: none is an error."""
    array = (WSABUF * max(1, len(buffers)))()
    kept: list[Any] = []
    total = 0
    for place, buffer in enumerate(buffers):
        size = min(buffer.nbytes, max(0, MOST - total)) if stream else buffer.nbytes
        if size:
            held, address = _held(buffer, size)
            kept.append(held)
            array[place] = WSABUF(size, address)
        total += size
        if size < buffer.nbytes:
            break
    return array, kept


def _is_whole(buffer: memoryview) -> bool:
    return buffer.nbytes == len(buffer.obj)  # type: ignore[arg-type]


def _held(buffer: memoryview, size: int) -> tuple[Any, int | None]:
    """What keeps the buffer's memory, and its address; that of a copy where the memory is read-only and not a whole
    bytes object."""
    if not buffer.readonly:
        held = (ctypes.c_char * buffer.nbytes).from_buffer(buffer)
        return held, ctypes.addressof(held)
    whole = buffer.obj if isinstance(buffer.obj, bytes) and _is_whole(buffer) else bytes(buffer[:size])
    return whole, pointer_to(whole)
