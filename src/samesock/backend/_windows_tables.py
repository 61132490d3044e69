"""Windows' table of TCP sockets and its processes: which user owns one end of a connection.

The table gives the number of the process that made the socket, and when. Numbers of processes are reused at
once, so a user is told only of a process that was already there when the socket was made. What must never be
put here: what follows from an owner, and any guess: unknown is `None`.
"""

from __future__ import annotations

import ctypes
import socket
import struct
from collections.abc import Iterator
from typing import Final

from samesock._errors import error
from samesock.backend import Owner
from samesock.backend import _windows_security as security
from samesock.ffi import DWORD
from samesock.ffi.iphlpapi import (
    AF_INET,
    ERROR_INSUFFICIENT_BUFFER,
    MIB_TCP_STATE_CLOSE_WAIT,
    MIB_TCP_STATE_ESTAB,
    MIB_TCP_STATE_FIN_WAIT1,
    MIB_TCP_STATE_FIN_WAIT2,
    MIB_TCP_STATE_SYN_RCVD,
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


# MIB_TCPROW_OWNER_MODULE as the compiler lays it out: state, own address and port, the peer's, process, time; the 128
# bytes of the owning module are passed over. Through ctypes a row takes ten times as long, and a machine has hundreds.
_ROW: Final = struct.Struct("<IIIIIIq128x")
assert _ROW.size == ctypes.sizeof(MIB_TCPROW_OWNER_MODULE)


def listener_owner(port: int) -> Owner | None:
    """Who owns the socket that listens on 127.0.0.1:`port`; `None` if there is none.

    From the table with times, not from the smaller one with numbers alone: a listener outlives the process
    that made it where another process has its handle, and then the number in its row can be anybody's.
    """
    here, at = _packed(("127.0.0.1", port))
    for _, address, own, _, _, pid, made in _rows(TCP_TABLE_OWNER_MODULE_LISTENER):
        if address == here and own & _PORT == at:
            return _owner(pid, made)
    return None


def connection_owner(local: Address, remote: Address) -> Owner | None:
    """Who owns the TCP end with these addresses: nobody known (an empty `Owner`) while it waits for accept; `None` if
    there is no such row, or no process that made it.

    Whoever has begun to connect (SYN_SENT) has its row under any two addresses that it likes, answered or not.
    """
    (here, at), (there, to) = _packed(local), _packed(remote)
    for state, address, own, far, its, pid, made in _rows(TCP_TABLE_OWNER_MODULE_ALL):
        if own & _PORT != at or its & _PORT != to or address != here or far != there:
            continue
        if state in _NOT_ACCEPTED and (not pid or state == MIB_TCP_STATE_SYN_RCVD):
            return Owner()
        if state in _ALIVE and pid:
            owner = _owner(pid, made)
            return None if owner == Owner() else owner
    return None


_ALIVE: Final = frozenset(
    (MIB_TCP_STATE_ESTAB, MIB_TCP_STATE_FIN_WAIT1, MIB_TCP_STATE_FIN_WAIT2, MIB_TCP_STATE_CLOSE_WAIT)
)
"""States of an end that a process may still have: one direction at most has ended."""
_NOT_ACCEPTED: Final = frozenset((MIB_TCP_STATE_SYN_RCVD, MIB_TCP_STATE_ESTAB, MIB_TCP_STATE_CLOSE_WAIT))
"""States of an end in a listener's queue; in CLOSE_WAIT its client has ended its direction."""


_PORT: Final = 0xFFFF
"""The bits of a port's DWORD that are the port; the others may be anything."""


def _packed(address: Address) -> tuple[int, int]:
    """Address and port as they are in a row."""
    return int.from_bytes(socket.inet_aton(address[0]), "little"), socket.htons(address[1])


def _rows(kind: int) -> Iterator[tuple[int, ...]]:
    data = _table(kind)
    first = MIB_TCPTABLE_OWNER_MODULE.table.offset
    count = DWORD.from_buffer(data).value
    return _ROW.iter_unpack(memoryview(data)[first : first + count * _ROW.size])


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


def _owner(pid: int, made: int) -> Owner:
    """What can be said of the row's process: its number is the table's word, its user must be proven.

    Number 0 has no process: the end is closed and waits out its time. A time of 0 is none (Wine's rows have
    none), so nothing can be proven from it, and the process is not even opened. A process that is younger than the
    socket is not the one that made it.
    """
    if not pid:
        return Owner()
    if not made:
        return Owner(pid=pid)
    process = kernel32.OpenProcess(PROCESS_QUERY_LIMITED_INFORMATION, False, pid)
    if not process:
        return Owner(pid=pid)
    try:
        # While the handle is open its process keeps its number and its times, so one look at these is enough.
        born = _creation_time(process)
        if born is None:
            return Owner(pid=pid)
        return Owner() if born > made else Owner(pid=pid, sid=security.user_of(process))
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
        return start_of(process)
    finally:
        kernel32.CloseHandle(process)


def start_of(process: int) -> int | None:
    """The same for a process that is open, to be asked and to be waited for."""
    # One that has ended can still be opened while anybody has a handle of it; it is then signalled.
    if kernel32.WaitForSingleObject(process, 0) == WAIT_OBJECT_0:
        return None
    return _creation_time(process)


def _creation_time(process: int) -> int | None:
    created, ended, in_kernel, in_user = FILETIME(), FILETIME(), FILETIME(), FILETIME()
    times = (ctypes.byref(time) for time in (created, ended, in_kernel, in_user))
    if not kernel32.GetProcessTimes(process, *times):
        return None
    return int(created.dwHighDateTime) << 32 | int(created.dwLowDateTime)
