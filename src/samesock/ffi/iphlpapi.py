"""iphlpapi: the kernel's table of TCP sockets.

Declarations only.
"""

from __future__ import annotations

import ctypes
from typing import Final

from samesock.ffi import BOOL, DWORD, LARGE_INTEGER, LPVOID, NONZERO, ULONG, Function, Library

# ws2def.h
AF_INET: Final = 2

# iprtrmib.h, of TCP_TABLE_CLASS
TCP_TABLE_OWNER_PID_LISTENER: Final = 3
TCP_TABLE_OWNER_MODULE_LISTENER: Final = 6
TCP_TABLE_OWNER_MODULE_ALL: Final = 8

# tcpmib.h, of MIB_TCP_STATE
MIB_TCP_STATE_LISTEN: Final = 2
MIB_TCP_STATE_SYN_RCVD: Final = 4
MIB_TCP_STATE_ESTAB: Final = 5
MIB_TCP_STATE_FIN_WAIT1: Final = 6
MIB_TCP_STATE_FIN_WAIT2: Final = 7
MIB_TCP_STATE_CLOSE_WAIT: Final = 8

# winerror.h
NO_ERROR: Final = 0
ERROR_INSUFFICIENT_BUFFER: Final = 122

TCPIP_OWNING_MODULE_SIZE: Final = 16


class MIB_TCPROW_OWNER_MODULE(ctypes.Structure):
    """tcpmib.h: addresses and ports as they are in a packet, a port in the low 16 bits of its DWORD."""

    _fields_ = [
        ("dwState", DWORD),
        ("dwLocalAddr", DWORD),
        ("dwLocalPort", DWORD),
        ("dwRemoteAddr", DWORD),
        ("dwRemotePort", DWORD),
        ("dwOwningPid", DWORD),
        ("liCreateTimestamp", LARGE_INTEGER),  # a FILETIME
        ("OwningModuleInfo", ctypes.c_uint64 * TCPIP_OWNING_MODULE_SIZE),  # ULONGLONG
    ]


class MIB_TCPTABLE_OWNER_MODULE(ctypes.Structure):
    """tcpmib.h: rows begin at 8, since a row's LARGE_INTEGER aligns it; `dwNumEntries` of them follow, not
    one.
    """

    _fields_ = [
        ("dwNumEntries", DWORD),
        ("table", MIB_TCPROW_OWNER_MODULE * 1),
    ]


class Iphlpapi(Library):
    """The functions, with MSDN's parameters in MSDN's order."""

    dll = "iphlpapi.dll"

    # iphlpapi.h. ctypes.c_int: TCP_TABLE_CLASS is an enumeration. The result is the code, GetLastError says
    # nothing.
    GetExtendedTcpTable: Function = Function(
        DWORD, LPVOID, LPVOID, BOOL, ULONG, ctypes.c_int, ULONG, fails=NONZERO
    )


iphlpapi: Iphlpapi = Iphlpapi()
