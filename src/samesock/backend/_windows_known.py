"""Sockets' files on Windows that were read a while ago, and are what they were.

To open a file, read it and its access list, and close it is the dearest part of connecting. A socket's file is written
once: so what was read of one counts for as long as the path leads to a file of the same times, which NT tells without
opening it. The time of its last change moves with the access list, the name and the contents. Times alone do not tell
two files that were made within one tick of the clock, where a link or a directory on the way is switched between them,
or the file system counts in seconds, or another machine's clock does it. So the binder sets the time of writing to a
fraction of a second that is a sum of the record's id, and a file without that mark is opened each time. So is one that
anybody else may write, and a young one. What must never be put here: what a file says, and who may read it for the
first time.

A thread that impersonates another user is this process here, too (see `_windows_security.user`).
"""

from __future__ import annotations

import ctypes
import os
import re
import struct
import time
import zlib
from typing import TYPE_CHECKING, Final

from samesock.ffi.afd import OBJECT_ATTRIBUTES, STATUS_SUCCESS, UNICODE_STRING, ntdll
from samesock.ffi.kernel32 import FileBasicInfo, kernel32

if TYPE_CHECKING:
    from samesock.backend._windows_files import OpenRecord

MOST: Final = 32
OLD_SECONDS: Final = 0.2
"""How old all of a file's times must be. The clock that NT gives files has ticks of up to 16 ms."""

Times = tuple[int, int, int, int]
"""When the file was made, last written and last changed, and its attributes."""

# FILE_BASIC_INFORMATION: made, last read, last written, changed; attributes.
_BASIC: Final = struct.Struct("<qqqqI4x")
_EPOCH: Final = 116_444_736_000_000_000  # of Unix, in NT's units of 100 ns since 1601
_SECOND: Final = 10_000_000
_CASE_INSENSITIVE: Final = 0x40  # OBJ_CASE_INSENSITIVE, ntdef.h
_NAME = r'[^\\/:*?"<>|\x00-\x1f]*[^\\/:*?"<>|\x00-\x1f. ]'
_PLAIN: Final = re.compile(rf"[A-Za-z]:(?:\\{_NAME})+")
"""A path that means the same to NT: from a drive's root, without a name that Windows would make another of."""


class _Known:
    """One file, and the question by which it is known again, made once."""

    def __init__(self, name: str, times: Times, record: OpenRecord) -> None:
        self.times = times
        self.record = record
        text = f"\\??\\{name}".encode("utf-16-le", "surrogatepass")
        self._text = ctypes.create_string_buffer(text)
        size = len(text)
        self._string = UNICODE_STRING(size, size, ctypes.addressof(self._text))
        self._attributes = OBJECT_ATTRIBUTES(
            ctypes.sizeof(OBJECT_ATTRIBUTES), 0, ctypes.addressof(self._string), _CASE_INSENSITIVE, None, None
        )
        self._to_attributes = ctypes.byref(self._attributes)

    def is_there(self) -> bool:
        """Whether the path leads to this very file, unchanged."""
        room = ctypes.create_string_buffer(_BASIC.size)
        if ntdll.NtQueryAttributesFile(self._to_attributes, room) != STATUS_SUCCESS:
            return False
        return _times_in(room.raw) == self.times


_known: dict[bytes, _Known] = {}


def find(path: bytes) -> OpenRecord | None:
    """What was read at the path, if that is still so."""
    known = _known.get(path)
    if known is None:
        return None
    if known.is_there():
        return known.record
    _known.pop(path, None)
    return None


def mark(file: int, data: bytes) -> None:
    """Let the time at which the file with this handle was written tell the record in it from another. Where the system
    does not take it, the file is never known."""
    second = (time.time_ns() // 1_000_000_000 - 1) * _SECOND + _EPOCH
    told = _BASIC.pack(0, 0, second + _mark_of(data), 0, 0)  # 0: left as it is
    kernel32.SetFileInformationByHandle(file, FileBasicInfo, told, len(told))


def _mark_of(data: bytes) -> int:
    """A sum of the record's id: times are everybody's to see, and the rest of a record is not. Never 0, which is what a
    clock of whole seconds would give."""
    return 1 + zlib.crc32(data[32:48]) % (_SECOND - 1)


def times_of(file: int) -> Times | None:
    """The times of the file with this handle, to be asked for before it is read."""
    room = ctypes.create_string_buffer(_BASIC.size)
    if not kernel32.GetFileInformationByHandleEx(file, FileBasicInfo, room, len(room)):
        return None
    return _times_in(room.raw)


def remember(path: bytes, times: Times | None, record: OpenRecord) -> None:
    """Know the file at the path, if it has its mark and nobody else may write it, by the times that it had before it
    was read."""
    name = os.fsdecode(path)
    if times is None or not all(times[:3]) or not _PLAIN.fullmatch(name):
        return
    if times[1] % _SECOND != _mark_of(record.data):
        return
    old = time.time_ns() // 100 + _EPOCH - int(OLD_SECONDS * _SECOND)
    if max(times[:3]) < old and record.trusted():
        if len(_known) >= MOST:
            _known.clear()
        _known[path] = _Known(name, times, record)


def _times_in(data: bytes) -> Times:
    made, _, written, changed, attributes = _BASIC.unpack(data)
    return made, written, changed, attributes
