"""The cheap half of Windows: which handles of this process are descriptors, and the identity of each.

Only handles of type File count here (files, directories, pipes, sockets, consoles, devices). Whether one is a
socket is asked with `getsockopt(SO_TYPE)`, which answers WSAENOTSOCK for anything else, and never with
`getsockname`: that gives WSAEINVAL for an unbound socket, and Wine gives 10045 for a pipe. What must never be
put here: names and addresses of handles, which can block; those are `ntquery`'s, in a thread that can be
given up.
"""

from __future__ import annotations

import ctypes
import os
import struct
import sys
from typing import NamedTuple

from samesock.fdtable import bounded
from samesock.fdtable.words import Identity, Key, Space
from samesock.ffi import ntdll_handles
from samesock.ffi.ntdll_handles import HandleRow, NtStatus
from samesock.ffi.ws2_32 import ws2_32

SOL_SOCKET = 0xFFFF
SO_TYPE = 0x1008
SO_PROTOCOL_INFOW = 0x2005
FILE_TYPE_DISK, FILE_TYPE_CHAR, FILE_TYPE_PIPE = 1, 2, 3
FEWEST_SCANNED = 64
"""CRT descriptors scanned at least: the C runtime's table grows by 64."""


class SocketMakeup(NamedTuple):
    """What never changes in a socket's life."""

    family: int
    type: int
    protocol: int


_type_names: dict[int, str] = {}


def type_name(row: HandleRow) -> str:
    """The type of the handle's object ("File", "Event"); "" when it was closed meanwhile.

    An index means one type until the system is started again, so each is asked once. The question never
    blocks.
    """
    known = _type_names.get(row.type_index)
    if known is None:
        try:
            known = ntdll_handles.query_type_name(row.value)
        except NtStatus:
            return ""
        _type_names[row.type_index] = known
    return known


def own_rows() -> list[HandleRow]:
    """Every handle of this process: class 51 where it is implemented (Windows 8 and later), else class 64."""
    if sys.platform != "win32":
        raise OSError("handles: not a system with handles")
    import _winapi

    try:
        return ntdll_handles.query_process_handles(_winapi.GetCurrentProcess())
    except NtStatus as failure:
        if failure.status != ntdll_handles.STATUS_INVALID_INFO_CLASS:
            raise
    return ntdll_handles.query_system_handles(os.getpid())


class _Memory:
    """How far the CRT's descriptors were ever scanned, and what each handle looked like last time."""

    scanned_to = FEWEST_SCANNED
    looks: dict[HandleRow, Identity] = {}  # noqa: RUF012  (one for the process: there is one table)


def runtime_descriptors(files: int) -> dict[int, int]:
    """Handle to CRT descriptor, for the first descriptors; `files` is how many File handles there are.

    The C runtime hands out the lowest free number, so descriptors lie below the greatest number of files that
    were ever open at once, which is what the scan remembers. Scanning all 8,192 costs 6.7 ms under Wine. A
    descriptor that `dup2` put higher than that is shown as its handle: nothing is lost but the number.
    """
    if sys.platform != "win32":
        return {}
    import msvcrt

    _Memory.scanned_to = max(_Memory.scanned_to, files + FEWEST_SCANNED)
    found: dict[int, int] = {}
    for number in range(_Memory.scanned_to):
        try:
            handle = msvcrt.get_osfhandle(number)
        except OSError:
            continue
        if handle > 0:
            found.setdefault(handle, number)
    return found


def file_type(handle: int) -> int:
    """GetFileType: disk, char or pipe (a socket counts as a pipe), 0 when it has none."""
    if sys.platform != "win32":
        return 0
    import _winapi

    try:
        return int(_winapi.GetFileType(handle))
    except OSError:
        return 0


def socket_option(handle: int, name: int, size: int) -> bytes | None:
    """An option of level SOL_SOCKET as bytes; `None` for what is no socket or has no such option.

    Not by Python's class: that asks `getsockname` first, raises an audit event for each handle it is tried
    on, and closes what it adopted when it is forgotten.
    """
    import _socket  # noqa: F401  (its import starts Winsock)

    value, length = ctypes.create_string_buffer(size), ctypes.c_int(size)
    if ws2_32.getsockopt(handle, SOL_SOCKET, name, value, ctypes.byref(length)) != 0:
        return None
    return value.raw[: length.value]


def socket_makeup(handle: int) -> SocketMakeup | None:
    """Family, type and protocol of a socket; `None` for what is no socket."""
    kind = socket_option(handle, SO_TYPE, 4)
    if kind is None:
        return None
    # WSAPROTOCOL_INFOW, 628 bytes: iAddressFamily at 76, iSocketType at 88, iProtocol at 92
    about = socket_option(handle, SO_PROTOCOL_INFOW, 628)
    family, protocol = 0, 0
    if about is not None and len(about) == 628:
        family, protocol = struct.unpack_from("=i", about, 76)[0], struct.unpack_from("=i", about, 92)[0]
    return SocketMakeup(family, int.from_bytes(kind, "little"), protocol)


def _look(row: HandleRow, number: int | None) -> Identity:
    """What an identity has beyond the row: a socket's make-up, a disk file's volume and index. May block."""
    form = file_type(row.value)
    if form == FILE_TYPE_DISK and number is not None:
        try:
            seen = os.fstat(number)
        except OSError:
            return (form,)
        return (form, seen.st_dev, seen.st_ino)
    if form == FILE_TYPE_PIPE and number is None:
        makeup = socket_makeup(row.value)
        if makeup is not None:
            return ("socket", *makeup)
    return (form,)


def look_all(rows: list[tuple[HandleRow, int | None]]) -> dict[HandleRow, Identity]:
    """`_look` at every row, without ever blocking: a row that gives no answer keeps its last one.

    A row can only block while somebody's read or lock is under way on it, so a later look finds the same
    object.
    """
    answers: dict[HandleRow, Identity] = {}
    for (row, _), answer in zip(rows, bounded.each(rows, lambda one: _look(*one)), strict=True):
        answers[row] = _Memory.looks.get(row, ("blocked",)) if isinstance(answer, bounded.Failure) else answer
    _Memory.looks.update(answers)
    return answers


def handle_keys() -> dict[Key, Identity]:
    """Every File handle of this process, by its CRT descriptor where it has one."""
    files = [row for row in own_rows() if type_name(row) == "File"]
    numbers = runtime_descriptors(len(files))
    looks = look_all([(row, numbers.get(row.value)) for row in files])
    found: dict[Key, Identity] = {}
    for row in files:
        look, number = looks[row], numbers.get(row.value)
        space: Space = "fd" if number is not None else "socket" if look[0] == "socket" else "handle"
        found[space, row.value if number is None else number] = identity(row, look, number)
    return found


def identity(row: HandleRow, look: Identity, number: int | None) -> Identity:
    """The identity of a handle from its row and its look; a CRT descriptor's has the handle behind it."""
    base: Identity = (row.type_index, row.object, row.access, *look)
    return base if number is None else (*base, row.value)
