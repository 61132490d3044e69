"""Winsock's calls with several buffers, played by libc's sendmsg and recvmsg: for driving `samesock.winsock` on Linux.

It takes Winsock's structures, answers with Winsock's codes and flags, and turns control messages between Winsock's
forms and Linux's by tables of its own, written from the headers and not from the code under test.
"""

from __future__ import annotations

import ctypes
import errno
import struct
from typing import Any

from samesock._errors import POSIX_NAMES
from samesock.ffi.ws2_32 import WSABUF

LINUX_TYPES = {(0, 19): 8, (0, 4): 2, (0, 3): 1, (41, 19): 50, (41, 21): 52, (41, 39): 67}
"""Winsock's level and type, and Linux's type."""
WINDOWS_TYPES = {(level, linux): windows for (level, windows), linux in LINUX_TYPES.items()}


class Iovec(ctypes.Structure):
    _fields_ = [("iov_base", ctypes.c_void_p), ("iov_len", ctypes.c_size_t)]


class Msghdr(ctypes.Structure):
    _fields_ = [
        ("msg_name", ctypes.c_void_p),
        ("msg_namelen", ctypes.c_uint32),
        ("msg_iov", ctypes.c_void_p),
        ("msg_iovlen", ctypes.c_size_t),
        ("msg_control", ctypes.c_void_p),
        ("msg_controllen", ctypes.c_size_t),
        ("msg_flags", ctypes.c_int),
    ]


CODES: dict[int, int] = {}
for _code, _name in POSIX_NAMES.items():
    if _code >= 10000 and hasattr(errno, _name):
        CODES.setdefault(getattr(errno, _name), _code)


def messages_in(raw: bytes) -> list[tuple[int, int, bytes]]:
    found, start = [], 0
    while start + 16 <= len(raw):
        length, level, kind = struct.unpack_from("=Qii", raw, start)
        found.append((level, kind, raw[start + 16 : start + length]))
        start += -(-length // 8) * 8
    return found


def buffer_of(messages: list[tuple[int, int, bytes]]) -> bytes:
    made = b""
    for level, kind, data in messages:
        made += struct.pack("=Qii", 16 + len(data), level, kind) + data + bytes(-len(data) % 8)
    return made


def to_linux(level: int, kind: int, data: bytes) -> tuple[int, int, bytes]:
    if (level, kind) == (0, 19):
        address, interface = data[:4], data[4:8]
        data = interface + address + bytes(4)
    return level, LINUX_TYPES[level, kind], data


def to_windows(level: int, kind: int, data: bytes) -> tuple[int, int, bytes]:
    if (level, kind) == (0, 8):
        data = data[8:12] + data[0:4]
    if (level, kind) == (0, 1):
        data = data + bytes(3)
    return level, WINDOWS_TYPES[level, kind], data


class LibcWinsock:
    """The functions of `ws2_vectors`. With `drops` set, control messages are lost in silence, as by Wine."""

    def __init__(self, drops: bool = False) -> None:
        self.libc = ctypes.CDLL(None, use_errno=True)
        self.libc.sendmsg.restype = self.libc.recvmsg.restype = ctypes.c_ssize_t
        self.drops = drops
        self.code = 0

    def WSAGetLastError(self) -> int:  # noqa: N802  (its name in Winsock)
        return self.code

    def _header(self, array: Any, count: int) -> tuple[Msghdr, Any]:
        vectors = (Iovec * count)()
        for place in range(count):
            vectors[place] = Iovec(array[place].buf, array[place].len)
        return Msghdr(msg_iov=ctypes.addressof(vectors), msg_iovlen=count), vectors

    def _done(self, result: int, counted: Any) -> int:
        if result < 0:
            self.code = CODES[ctypes.get_errno()]
            return -1
        counted._obj.value = result
        return 0

    def WSASend(  # noqa: N802, PLR0917
        self, number: int, array: Any, count: int, sent: Any, flags: int, overlapped: None, routine: None
    ) -> int:
        header, kept = self._header(array, count)
        result = self.libc.sendmsg(number, ctypes.byref(header), flags | 0x4000)
        return self._done(result, sent) if kept else -1

    def WSARecv(  # noqa: N802, PLR0917
        self, number: int, array: Any, count: int, taken: Any, flags: Any, overlapped: None, routine: None
    ) -> int:
        header, kept = self._header(array, count)
        result = self.libc.recvmsg(number, ctypes.byref(header), flags._obj.value)
        return self._done(result, taken) if kept else -1

    def WSASendMsg(  # noqa: N802, PLR0917
        self, number: int, message: Any, flags: int, sent: Any, overlapped: None, routine: None
    ) -> int:
        given = message._obj
        header, kept = self._header(
            (WSABUF * given.dwBufferCount).from_address(given.lpBuffers), given.dwBufferCount
        )
        header.msg_name, header.msg_namelen = given.name, given.namelen
        control = ctypes.string_at(given.Control.buf, given.Control.len) if given.Control.len else b""
        linux = ctypes.create_string_buffer(buffer_of([to_linux(*one) for one in messages_in(control)]))
        if control and not self.drops:
            header.msg_control, header.msg_controllen = ctypes.addressof(linux), len(linux) - 1
        result = self.libc.sendmsg(number, ctypes.byref(header), flags)
        return self._done(result, sent) if kept else -1

    def WSARecvMsg(  # noqa: N802
        self, number: int, message: Any, taken: Any, overlapped: None, routine: None
    ) -> int:
        given = message._obj
        header, kept = self._header(
            (WSABUF * given.dwBufferCount).from_address(given.lpBuffers), given.dwBufferCount
        )
        header.msg_name, header.msg_namelen = given.name, given.namelen
        room = ctypes.create_string_buffer(1024)
        header.msg_control, header.msg_controllen = ctypes.addressof(room), 1024
        result = self.libc.recvmsg(number, ctypes.byref(header), given.dwFlags)
        if result < 0:
            return self._done(result, taken)
        assert kept
        given.namelen = header.msg_namelen
        delivered = messages_in(room.raw[: header.msg_controllen])
        control = buffer_of([to_windows(*one) for one in delivered])
        given.dwFlags = 0
        if len(control) > given.Control.len:
            control, given.dwFlags = b"", 0x200
        if control:
            ctypes.memmove(given.Control.buf, control, len(control))
        given.Control.len = len(control)
        if header.msg_flags & 0x20:
            given.dwFlags |= 0x100
        if given.dwFlags:
            self.code = 10040
            return -1
        return self._done(result, taken)
