"""mswsock and ws2_32: a file straight into a socket, and several buffers in one call.

Declarations only; what the socket layer needs of Winsock is in `samesock.ffi.ws2_32`.
"""

from __future__ import annotations

import ctypes
from typing import Final

from samesock.ffi import BOOL, DWORD, HANDLE, LPVOID, SOCKET, ULONG, Function, Library

# winerror.h
WSAEMSGSIZE: Final = 10040
WSAENOTCONN: Final = 10057
WSAESHUTDOWN: Final = 10058


class WSABUF(ctypes.Structure):
    """ws2def.h: the length first, where POSIX's iovec has it last."""

    _fields_ = [
        ("len", ULONG),
        ("buf", LPVOID),
    ]


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
    WSASend: Function = Function(ctypes.c_int, SOCKET, LPVOID, DWORD, LPVOID, DWORD, LPVOID, LPVOID, fails=-1)


mswsock: Mswsock = Mswsock()
ws2_vectors: Ws2Vectors = Ws2Vectors()
