"""ws2_32: Winsock, for what Python's own socket object does not do.

Declarations only. Addresses are pointers to any `sockaddr`: a structure by `byref`, a buffer, or bytes.
Winsock must have been started by the process; importing `_socket` does that, so no WSAStartup is here.
"""

from __future__ import annotations

import ctypes
from typing import Final

from samesock.ffi import (
    BYTE,
    DWORD,
    LONG,
    LPVOID,
    NEVER,
    SOCKET,
    ULONG,
    WCHAR,
    WORD,
    Function,
    Library,
)

# winsock2.h
INVALID_SOCKET: Final = SOCKET(-1).value
SOCKET_ERROR: Final = -1
FIONREAD: Final = 0x4004667F
FIONBIO: Final = 0x8004667E
WSA_FLAG_OVERLAPPED: Final = 0x01
WSA_FLAG_NO_HANDLE_INHERIT: Final = 0x80
FROM_PROTOCOL_INFO: Final = -1
WSAPROTOCOL_LEN: Final = 255
MAX_PROTOCOL_CHAIN: Final = 7

# ws2def.h
AF_UNIX: Final = 1
AF_INET: Final = 2
SOCK_STREAM: Final = 1
SOL_SOCKET: Final = 0xFFFF
SO_REUSEADDR: Final = 0x0004
SO_EXCLUSIVEADDRUSE: Final = -5  # (int)~SO_REUSEADDR
SO_LINGER: Final = 0x0080
SO_ACCEPTCONN: Final = 0x0002
SO_ERROR: Final = 0x1007
SO_TYPE: Final = 0x1008
SO_PROTOCOL_INFOW: Final = 0x2005

# mstcpip.h
SIO_TCP_INITIAL_RTO: Final = 0x98000011
SIO_UDP_CONNRESET: Final = 0x9800000C
SIO_UDP_NETRESET: Final = 0x9800000F
TCP_INITIAL_RTO_UNSPECIFIED_RTT: Final = 0xFFFF
TCP_INITIAL_RTO_NO_SYN_RETRANSMISSIONS: Final = 0xFE

# afunix.h
UNIX_PATH_MAX: Final = 108
SIO_AF_UNIX_GETPEERPID: Final = 0x58000100

# winerror.h
WSA_IO_PENDING: Final = 997
WSAEWOULDBLOCK: Final = 10035
WSAENOTSOCK: Final = 10038
WSAEOPNOTSUPP: Final = 10045


class SOCKADDR_UN(ctypes.Structure):
    """afunix.h: no length byte, and 110 bytes in all."""

    _fields_ = [
        ("sun_family", WORD),
        ("sun_path", BYTE * UNIX_PATH_MAX),  # bytes of UTF-8, not c_char, whose value ends at the first NUL
    ]


class LINGER(ctypes.Structure):
    """winsock2.h: two u_short, where POSIX has two int."""

    _fields_ = [
        ("l_onoff", WORD),
        ("l_linger", WORD),
    ]


class TCP_INITIAL_RTO_PARAMETERS(ctypes.Structure):
    """mstcpip.h: 4 bytes, the last of them padding; WSAIoctl refuses 3."""

    _fields_ = [
        ("Rtt", WORD),
        ("MaxSynRetransmissions", BYTE),
    ]


class WSABUF(ctypes.Structure):
    """ws2def.h: the length first, where POSIX's iovec has the address first."""

    _fields_ = [
        ("len", ULONG),
        ("buf", LPVOID),
    ]


class GUID(ctypes.Structure):
    """guiddef.h."""

    _fields_ = [
        ("Data1", DWORD),
        ("Data2", WORD),
        ("Data3", WORD),
        ("Data4", BYTE * 8),
    ]


class WSAPROTOCOLCHAIN(ctypes.Structure):
    """winsock2.h."""

    _fields_ = [
        ("ChainLen", ctypes.c_int),
        ("ChainEntries", DWORD * MAX_PROTOCOL_CHAIN),
    ]


class WSAPROTOCOL_INFOW(ctypes.Structure):
    """winsock2.h: 628 bytes, alike in 32 and 64 bits; what `socket.share` gives."""

    _fields_ = [
        ("dwServiceFlags1", DWORD),
        ("dwServiceFlags2", DWORD),
        ("dwServiceFlags3", DWORD),
        ("dwServiceFlags4", DWORD),
        ("dwProviderFlags", DWORD),
        ("ProviderId", GUID),
        ("dwCatalogEntryId", DWORD),
        ("ProtocolChain", WSAPROTOCOLCHAIN),
        ("iVersion", ctypes.c_int),
        ("iAddressFamily", ctypes.c_int),
        ("iMaxSockAddr", ctypes.c_int),
        ("iMinSockAddr", ctypes.c_int),
        ("iSocketType", ctypes.c_int),
        ("iProtocol", ctypes.c_int),
        ("iProtocolMaxOffset", ctypes.c_int),
        ("iNetworkByteOrder", ctypes.c_int),
        ("iSecurityScheme", ctypes.c_int),
        ("dwMessageSize", DWORD),
        ("dwProviderReserved", DWORD),
        ("szProtocol", WCHAR * (WSAPROTOCOL_LEN + 1)),
    ]


_int = ctypes.c_int


class Ws2_32(Library):
    """The functions, with MSDN's parameters in MSDN's order. Lengths are int, not socklen_t: it is signed
    here.
    """

    dll = "ws2_32.dll"

    # winsock2.h
    WSAGetLastError: Function = Function(_int, fails=NEVER)
    accept: Function = Function(SOCKET, SOCKET, LPVOID, LPVOID, fails=INVALID_SOCKET)
    bind: Function = Function(_int, SOCKET, LPVOID, _int, fails=SOCKET_ERROR)
    closesocket: Function = Function(_int, SOCKET, fails=SOCKET_ERROR)
    connect: Function = Function(_int, SOCKET, LPVOID, _int, fails=SOCKET_ERROR)
    getpeername: Function = Function(_int, SOCKET, LPVOID, LPVOID, fails=SOCKET_ERROR)
    getsockname: Function = Function(_int, SOCKET, LPVOID, LPVOID, fails=SOCKET_ERROR)
    getsockopt: Function = Function(_int, SOCKET, _int, _int, LPVOID, LPVOID, fails=SOCKET_ERROR)
    ioctlsocket: Function = Function(
        _int, SOCKET, LONG, LPVOID, fails=SOCKET_ERROR
    )  # long cmd: FIONBIO goes in as negative
    listen: Function = Function(_int, SOCKET, _int, fails=SOCKET_ERROR)
    recv: Function = Function(_int, SOCKET, LPVOID, _int, _int, fails=SOCKET_ERROR)
    recvfrom: Function = Function(_int, SOCKET, LPVOID, _int, _int, LPVOID, LPVOID, fails=SOCKET_ERROR)
    send: Function = Function(_int, SOCKET, LPVOID, _int, _int, fails=SOCKET_ERROR)
    sendto: Function = Function(_int, SOCKET, LPVOID, _int, _int, LPVOID, _int, fails=SOCKET_ERROR)
    setsockopt: Function = Function(_int, SOCKET, _int, _int, LPVOID, _int, fails=SOCKET_ERROR)
    WSADuplicateSocketW: Function = Function(_int, SOCKET, DWORD, LPVOID, fails=SOCKET_ERROR)
    WSAIoctl: Function = Function(
        _int, SOCKET, DWORD, LPVOID, DWORD, LPVOID, DWORD, LPVOID, LPVOID, LPVOID, fails=SOCKET_ERROR
    )
    WSASocketW: Function = Function(SOCKET, _int, _int, _int, LPVOID, DWORD, DWORD, fails=INVALID_SOCKET)
    WSASend: Function = Function(
        _int, SOCKET, LPVOID, DWORD, LPVOID, DWORD, LPVOID, LPVOID, fails=SOCKET_ERROR
    )


class PreparedWs2_32(Library):
    """The same functions for arguments that were prepared, see `Function`."""

    dll = "ws2_32.dll"

    # winsock2.h
    WSASend: Function = Function(
        _int, SOCKET, LPVOID, DWORD, LPVOID, DWORD, LPVOID, LPVOID, fails=SOCKET_ERROR, prepared=True
    )


ws2_32: Ws2_32 = Ws2_32()
prepared_ws2_32: PreparedWs2_32 = PreparedWs2_32()
