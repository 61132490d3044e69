"""The driver under Winsock, asked for readiness through its own control code; and the three calls that reach it.

Declarations only. AFD's structures are in no public header; these are the ones that libuv and wepoll have used since
Windows Vista, and Wine answers them (an event arrives on the completion port, seen). One poll tells of a socket
what `select` tells, once, as a completion: no thread, no limit on numbers, no cost while nothing happens.
"""

from __future__ import annotations

import ctypes
from typing import Final

from samesock.ffi import HANDLE, LARGE_INTEGER, LPVOID, NONZERO, ULONG, ULONG_PTR, WORD, Function, Library

# ntstatus.h
STATUS_SUCCESS: Final = 0x00000000
STATUS_PENDING: Final = 0x00000103
STATUS_CANCELLED: Final = 0xC0000120

# winnt.h, winternl.h
SYNCHRONIZE: Final = 0x00100000
FILE_SHARE_READ: Final = 1
FILE_SHARE_WRITE: Final = 2
FILE_OPEN: Final = 1

# afd.h of the driver, as wepoll names it
IOCTL_AFD_POLL: Final = 0x00012024
AFD_POLL_RECEIVE: Final = 0x0001
AFD_POLL_RECEIVE_EXPEDITED: Final = 0x0002
AFD_POLL_SEND: Final = 0x0004
AFD_POLL_DISCONNECT: Final = 0x0008
AFD_POLL_ABORT: Final = 0x0010
AFD_POLL_LOCAL_CLOSE: Final = 0x0020
AFD_POLL_ACCEPT: Final = 0x0080
AFD_POLL_CONNECT_FAIL: Final = 0x0100

# mswsock.h
SIO_BASE_HANDLE: Final = 0x48000022


class UNICODE_STRING(ctypes.Structure):
    """ntdef.h: lengths in bytes, without the NUL."""

    _fields_ = [
        ("Length", WORD),
        ("MaximumLength", WORD),
        ("Buffer", LPVOID),
    ]


class OBJECT_ATTRIBUTES(ctypes.Structure):
    """ntdef.h."""

    _fields_ = [
        ("Length", ULONG),
        ("RootDirectory", HANDLE),
        ("ObjectName", LPVOID),
        ("Attributes", ULONG),
        ("SecurityDescriptor", LPVOID),
        ("SecurityQualityOfService", LPVOID),
    ]


class IO_STATUS_BLOCK(ctypes.Structure):
    """wdm.h: the status is a union with a pointer, so it is as wide as one; its low half is the NTSTATUS."""

    _fields_ = [
        ("Status", ULONG_PTR),
        ("Information", ULONG_PTR),
    ]


class AFD_POLL_HANDLE_INFO(ctypes.Structure):
    """One socket: what is asked, and in the answer what is so."""

    _fields_ = [
        ("Handle", HANDLE),
        ("Events", ULONG),
        ("Status", ULONG),
    ]


class AFD_POLL_INFO(ctypes.Structure):
    """A poll of one socket; the driver writes its answer over the question."""

    _fields_ = [
        ("Timeout", LARGE_INTEGER),
        ("NumberOfHandles", ULONG),
        ("Exclusive", ULONG),
        ("Handles", AFD_POLL_HANDLE_INFO * 1),
    ]


class Ntdll(Library):
    """Each returns an NTSTATUS; MSDN's parameters in MSDN's order."""

    dll = "ntdll.dll"

    # winternl.h
    NtCreateFile: Function = Function(
        ULONG,
        LPVOID,
        ULONG,
        LPVOID,
        LPVOID,
        LPVOID,
        ULONG,
        ULONG,
        ULONG,
        ULONG,
        LPVOID,
        ULONG,
        fails=NONZERO,
    )
    # STATUS_PENDING is success: the completion comes by the port.
    NtDeviceIoControlFile: Function = Function(
        ULONG, HANDLE, HANDLE, LPVOID, LPVOID, LPVOID, ULONG, LPVOID, ULONG, LPVOID, ULONG, fails=NONZERO
    )
    NtQueryAttributesFile: Function = Function(ULONG, LPVOID, LPVOID, fails=NONZERO)
    NtCancelIoFileEx: Function = Function(ULONG, HANDLE, LPVOID, LPVOID, fails=NONZERO)
    RtlNtStatusToDosError: Function = Function(ULONG, ULONG, fails=NONZERO)


ntdll: Ntdll = Ntdll()
