"""Windows' table of TCP sockets and its processes: which user owns one end of a connection.

The table gives the number of the process that made the socket, and when. Numbers of processes are reused at
once, so a user is told only of a process that was already there when the socket was made. What must never be
put here: what follows from an owner, and any guess: unknown is `None`.
"""

from __future__ import annotations

import ctypes
import socket
from collections.abc import Iterator
from typing import NamedTuple

from samesock._errors import error
from samesock.backend import Owner
from samesock.backend import _windows_security as security
from samesock.ffi import DWORD
from samesock.ffi.iphlpapi import (
    AF_INET,
    ERROR_INSUFFICIENT_BUFFER,
    MIB_TCPROW_OWNER_MODULE,
    MIB_TCPTABLE_OWNER_MODULE,
    NO_ERROR,
    TCP_TABLE_OWNER_MODULE_ALL,
    TCP_TABLE_OWNER_MODULE_LISTENER,
    iphlpapi,
)
from samesock.ffi.kernel32 import (
    FILETIME,
    PROCESS_QUERY_LIMITED_INFORMATION,
    SYNCHRONIZE,
    WAIT_OBJECT_0,
    kernel32,
)

Address = tuple[str, int]


class _Row(NamedTuple):
    local: Address
    remote: Address
    pid: int
    made: int


def listener_owner(port: int) -> Owner | None:
    """Who owns the socket that listens on 127.0.0.1:`port`; `None` if there is none.

    From the table with times, not from the smaller one with numbers alone: a listener outlives the process
    that made it where another process has its handle, and then the number in its row can be anybody's.
    """
    for row in _rows(TCP_TABLE_OWNER_MODULE_LISTENER):
        if row.local == ("127.0.0.1", port):
            return _owner(row)
    return None


def connection_owner(local: Address, remote: Address) -> Owner | None:
    """Who owns the TCP end with these addresses; `None` if there is no such row."""
    for row in _rows(TCP_TABLE_OWNER_MODULE_ALL):
        if row.local == local and row.remote == remote:
            return _owner(row)
    return None


def _rows(kind: int) -> Iterator[_Row]:
    data = _table(kind)
    first = MIB_TCPTABLE_OWNER_MODULE.table.offset
    width = ctypes.sizeof(MIB_TCPROW_OWNER_MODULE)
    count = DWORD.from_buffer(data).value
    for start in range(first, first + count * width, width):
        row = MIB_TCPROW_OWNER_MODULE.from_buffer(data, start)
        yield _Row(
            _address(row.dwLocalAddr, row.dwLocalPort),
            _address(row.dwRemoteAddr, row.dwRemotePort),
            row.dwOwningPid,
            row.liCreateTimestamp,
        )


def _address(address: int, port: int) -> Address:
    return socket.inet_ntoa(address.to_bytes(4, "little")), socket.ntohs(port & 0xFFFF)


def _table(kind: int) -> ctypes.Array[ctypes.c_char]:
    """The table's bytes: asked again while it grows between being measured and being read."""
    size = DWORD(64 * 1024)
    while True:
        room = ctypes.create_string_buffer(size.value)
        code = iphlpapi.GetExtendedTcpTable(room, ctypes.byref(size), False, AF_INET, kind, 0)
        if code == NO_ERROR:
            return room
        if code != ERROR_INSUFFICIENT_BUFFER:
            raise error(code, "reading the table of TCP sockets")
        size.value += size.value // 8


def _owner(row: _Row) -> Owner:
    """What can be said of the row's process: its number is the table's word, its user must be proven.

    Number 0 has no process: the end is closed and waits out its time. A time of 0 is none (Wine's rows have
    none), so nothing can be proven from it. A process that is younger than the socket is not the one that
    made it.
    """
    if not row.pid:
        return Owner()
    process = kernel32.OpenProcess(PROCESS_QUERY_LIMITED_INFORMATION, False, row.pid)
    if not process:
        return Owner(pid=row.pid)
    try:
        # While the handle is open its process keeps its number and its times, so one look at these is enough.
        born = _creation_time(process)
        if row.made and born is not None and born > row.made:
            return Owner()
        proven = row.made and born is not None
        return Owner(pid=row.pid, sid=security.user_of(process) if proven else None)
    finally:
        kernel32.CloseHandle(process)


def start_time(pid: int) -> int | None:
    """When the process was made, in units of 100 ns since 1601; `None` if it is gone or this user may not
    ask.
    """
    process = kernel32.OpenProcess(PROCESS_QUERY_LIMITED_INFORMATION | SYNCHRONIZE, False, pid)
    if not process:
        return None
    try:
        # A process that has ended can still be opened while anybody has a handle of it; it is then signalled.
        if kernel32.WaitForSingleObject(process, 0) == WAIT_OBJECT_0:
            return None
        return _creation_time(process)
    finally:
        kernel32.CloseHandle(process)


def _creation_time(process: int) -> int | None:
    created, ended, in_kernel, in_user = FILETIME(), FILETIME(), FILETIME(), FILETIME()
    times = (ctypes.byref(time) for time in (created, ended, in_kernel, in_user))
    if not kernel32.GetProcessTimes(process, *times):
        return None
    return int(created.dwHighDateTime) << 32 | int(created.dwLowDateTime)
