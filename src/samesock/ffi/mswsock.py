"""mswsock and ws2_32: a file straight into a socket, several buffers in one call, and what travels beside them.

Declarations only; what the socket layer needs of Winsock is in `samesock.ffi.ws2_32`.
"""

from __future__ import annotations

import contextlib
import ctypes
import uuid
from collections.abc import Callable
from typing import Any, Final

from samesock._errors import error
from samesock.ffi import BOOL, DWORD, HANDLE, LPVOID, SOCKET, ULONG, Failure, Function, Library
from samesock.ffi.ws2_32 import WSABUF, WSAEOPNOTSUPP, Ws2_32, ws2_32

# ws2def.h
SIO_GET_EXTENSION_FUNCTION_POINTER: Final = 0xC8000006

# mswsock.h
WSAID_WSARECVMSG: Final = "f689d7c8-6f1f-436b-8a53-e54fe351c322"
WSAID_WSASENDMSG: Final = "a441e712-754f-43ca-84a7-0dee44cf606d"

# winerror.h
WSAEMSGSIZE: Final = 10040
WSAENOTCONN: Final = 10057
WSAESHUTDOWN: Final = 10058


class WSAMSG(ctypes.Structure):
    """ws2def.h: 56 bytes where pointers have 8. The flags go in and come out."""

    _fields_ = [
        ("name", LPVOID),
        ("namelen", ctypes.c_int),
        ("lpBuffers", LPVOID),
        ("dwBufferCount", ULONG),
        ("Control", WSABUF),
        ("dwFlags", ULONG),
    ]


class WSACMSGHDR(ctypes.Structure):
    """ws2def.h: SIZE_T, then two int; the data follows, and the next header at the alignment of a pointer."""

    _fields_ = [
        ("cmsg_len", ctypes.c_size_t),
        ("cmsg_level", ctypes.c_int),
        ("cmsg_type", ctypes.c_int),
    ]


class Extension(Function):
    """A function that no library exports: a socket's provider gives its address for a GUID."""

    __slots__ = ("guid",)

    def __init__(self, guid: str, restype: Any, *argtypes: Any, fails: int | Failure) -> None:
        super().__init__(restype, *argtypes, fails=fails)
        self.guid: uuid.UUID = uuid.UUID(guid)


class Mswsock(Library):
    """mswsock.h."""

    dll = "mswsock.dll"

    TransmitFile: Function = Function(BOOL, SOCKET, HANDLE, DWORD, DWORD, LPVOID, LPVOID, DWORD, fails=0)


class Ws2Vectors(Library):
    """winsock2.h."""

    dll = "ws2_32.dll"

    WSARecv: Function = Function(
        ctypes.c_int, SOCKET, LPVOID, DWORD, LPVOID, LPVOID, LPVOID, LPVOID, fails=-1
    )
    WSASend: Function = Ws2_32.WSASend

    WSARecvMsg: Extension = Extension(
        WSAID_WSARECVMSG, ctypes.c_int, SOCKET, LPVOID, LPVOID, LPVOID, LPVOID, fails=-1
    )
    WSASendMsg: Extension = Extension(
        WSAID_WSASENDMSG, ctypes.c_int, SOCKET, LPVOID, DWORD, LPVOID, LPVOID, LPVOID, fails=-1
    )

    def resolve(self, declared: Function) -> Callable[..., int]:
        """An extension's address is asked of a UDP socket's provider: Windows' own serves every family."""
        if not isinstance(declared, Extension) or not hasattr(ctypes, "WINFUNCTYPE"):
            return super().resolve(declared)
        prototype = ctypes.WINFUNCTYPE(declared.restype, *declared.argtypes, use_last_error=True)
        function: Callable[..., int] = prototype(_address_of(declared.guid))
        return function


def _address_of(guid: uuid.UUID) -> int:
    import _socket

    wanted, address, size = guid.bytes_le, LPVOID(), DWORD()
    with contextlib.closing(_socket.socket(_socket.AF_INET, _socket.SOCK_DGRAM)) as asked:
        failed = ws2_32.WSAIoctl(
            asked.fileno(),
            SIO_GET_EXTENSION_FUNCTION_POINTER,
            wanted,
            len(wanted),
            ctypes.byref(address),
            ctypes.sizeof(address),
            ctypes.byref(size),
            None,
            None,
        )
    if failed or not address.value:
        raise error(ws2_32.WSAGetLastError() or WSAEOPNOTSUPP, f"asking for Winsock's function {guid}")
    return address.value


mswsock: Mswsock = Mswsock()
ws2_vectors: Ws2Vectors = Ws2Vectors()
