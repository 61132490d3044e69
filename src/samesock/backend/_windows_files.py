"""The rendezvous file on Windows, and the user's private directory: made closed to others, opened without
trust.

Everything is asked of a handle, never of the path again, and no handle stays on the file while its name is in
use: an open one would keep an unlinked name from being bound again. What must never be put here: the life of
a name, and the record's contents.
"""

from __future__ import annotations

import ctypes
import ntpath
import os
import time
from collections.abc import Iterator
from typing import Final

from samesock._errors import error, named_error
from samesock.backend import Owner, _windows_known, _windows_life
from samesock.backend import _windows_security as security
from samesock.backend._security_descriptor import SecurityDescriptor
from samesock.backend._windows_life import Hold
from samesock.ffi import DWORD, INVALID_HANDLE_VALUE
from samesock.ffi.kernel32 import (
    BY_HANDLE_FILE_INFORMATION,
    CREATE_NEW,
    DELETE,
    ERROR_ACCESS_DENIED,
    ERROR_ALREADY_EXISTS,
    ERROR_CANT_ACCESS_FILE,
    ERROR_FILE_EXISTS,
    ERROR_FILE_NOT_FOUND,
    ERROR_INVALID_HANDLE,
    ERROR_INVALID_NAME,
    ERROR_LOCK_VIOLATION,
    ERROR_PATH_NOT_FOUND,
    ERROR_SHARING_VIOLATION,
    FILE_ATTRIBUTE_DIRECTORY,
    FILE_ATTRIBUTE_REPARSE_POINT,
    FILE_DISPOSITION_INFO,
    FILE_FLAG_BACKUP_SEMANTICS,
    FILE_FLAG_OPEN_REPARSE_POINT,
    FILE_PERSISTENT_ACLS,
    FILE_READ_ATTRIBUTES,
    FILE_SHARE_DELETE,
    FILE_SHARE_READ,
    FILE_SHARE_WRITE,
    FILE_TYPE_DISK,
    GENERIC_READ,
    GENERIC_WRITE,
    INVALID_FILE_ATTRIBUTES,
    OPEN_EXISTING,
    READ_CONTROL,
    SECURITY_ANONYMOUS,
    SECURITY_SQOS_PRESENT,
    FileDispositionInfo,
    kernel32,
)

RECORD_SIZE: Final = 256
VANISHING_SECONDS: Final = 0.1
"""How long a name whose file is being deleted is waited for: until whoever reads it has closed it."""
_PAUSE: Final = 0.002
_CREATING: Final = "creating the socket's file"
_OPENING: Final = "opening the socket's file"
_SHARE_ALL: Final = FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE

# There is something, and it is no socket that anybody serves: being written (share mode 0), locked, a device,
# a reparse point that nothing follows (1920, and 4390 to 4394: ERROR_NOT_A_REPARSE_POINT to
# ERROR_REPARSE_TAG_MISMATCH).
_NO_SOCKET: Final = {
    ERROR_INVALID_HANDLE,
    ERROR_SHARING_VIOLATION,
    ERROR_LOCK_VIOLATION,
    ERROR_CANT_ACCESS_FILE,
    *range(4390, 4395),
}


def create_record(path: bytes, record: bytes, id: bytes, above: int) -> Hold:
    """Create the file for this user and the system alone, write the record, close it.

    `EADDRINUSE` for whatever exists, `EPERM` where the volume keeps no owners and access lists,
    `EADDRNOTAVAIL` for a device's name. `above` is not needed: see `Hold`.
    """
    name = os.fsdecode(path)
    if ":" in ntpath.splitdrive(name)[1]:
        # It would make a second stream of a file, and that file too if it is not there: another's would change.
        raise named_error("EINVAL", f"{_CREATING}: a colon names a stream of another file", name)
    with security.attributes(security.for_user()) as attributes:
        file = _create(name, ctypes.addressof(attributes))
    try:
        _require_disk(file, name)
        try:
            _require_access_lists(file, name)
            _write(file, record, name)
            _windows_known.mark(file, record)
        except BaseException:
            _discard(file)
            raise
    finally:
        kernel32.CloseHandle(file)
    return Hold.of(id)


def _write(file: int, record: bytes, name: str) -> None:
    written = DWORD()
    if not kernel32.WriteFile(file, record, len(record), ctypes.byref(written), None):
        raise error(kernel32.GetLastError(), "writing the socket's file", name)
    if written.value != len(record):
        raise named_error("ENOSPC", "writing the socket's file", name)


def _create(name: str, attributes: int) -> int:
    """The new file's handle; waits a moment for a name that is on its way out."""
    access = GENERIC_READ | GENERIC_WRITE | DELETE | READ_CONTROL
    for last in _tries():
        # No share mode: nobody sees a half of the record. The flag: a link is not followed, so a dangling one
        # exists.
        file = kernel32.CreateFileW(name, access, 0, attributes, CREATE_NEW, FILE_FLAG_OPEN_REPARSE_POINT, 0)
        if file != INVALID_HANDLE_VALUE:
            return file
        code = kernel32.GetLastError()
        taken = code in (ERROR_FILE_EXISTS, ERROR_ALREADY_EXISTS, ERROR_SHARING_VIOLATION)
        if last or not (taken or code == ERROR_ACCESS_DENIED) or not _is_vanishing(name):
            break
    if code == ERROR_INVALID_HANDLE:  # CON, where there is no console
        raise named_error("EADDRNOTAVAIL", f"{_CREATING}: this is a device's name", name, code=code)
    if taken:
        raise named_error("EADDRINUSE", _CREATING, name, code=code)
    raise _path_error(code, _CREATING, name)


def _tries() -> Iterator[bool]:
    """Once at least, then again after short pauses; True is the last try."""
    deadline = time.monotonic() + VANISHING_SECONDS
    while time.monotonic() < deadline:
        yield False
        time.sleep(_PAUSE)
    yield True


def _is_vanishing(name: str) -> bool:
    """Whether the file is deleted but somebody still has it open, or is gone by now.

    NT then refuses even its attributes, with the code of a missing permission (5). Wine has no sign of it:
    there a file that was unlinked is in the way, as if it were not, until its last reader closes it.
    """
    if kernel32.GetFileAttributesW(name) != INVALID_FILE_ATTRIBUTES:
        return False
    return kernel32.GetLastError() in (ERROR_ACCESS_DENIED, ERROR_FILE_NOT_FOUND)


def _require_disk(file: int, name: str) -> None:
    """Names such as NUL and COM1 are devices in every directory; creating one "succeeds" (seen for NUL)."""
    if kernel32.GetFileType(file) != FILE_TYPE_DISK:
        raise named_error("EADDRNOTAVAIL", f"{_CREATING}: this is a device's name", name)


def _require_access_lists(file: int, name: str) -> None:
    """FAT and some network shares let everybody read everything: a secret cannot live there, nor a right to
    connect.

    The volume is asked for the sake of the message; what it made of our descriptor is read back, as the
    proof.
    """
    flags = DWORD()
    known = kernel32.GetVolumeInformationByHandleW(file, None, 0, None, None, ctypes.byref(flags), None, 0)
    if not known or not flags.value & FILE_PERSISTENT_ACLS:
        raise named_error("EPERM", f"{_CREATING}: its volume keeps no owners and access lists", name)
    if not security.mine_alone(security.of_handle(file, "checking the socket's new file", name)):
        raise named_error("EPERM", f"{_CREATING}: its volume did not keep others out of it", name)


def _discard(file: int) -> None:
    """Have the file go with its handle, which is of the one that we have made and nobody else has opened."""
    going = FILE_DISPOSITION_INFO(True)
    kernel32.SetFileInformationByHandle(file, FileDispositionInfo, ctypes.byref(going), ctypes.sizeof(going))


def _path_error(code: int, tried: str, name: str) -> OSError:
    """The exception for a path that could not be opened, with what BSD tells apart and Windows does not."""
    if code == ERROR_PATH_NOT_FOUND and _has_file_for_directory(name):
        return named_error("ENOTDIR", tried, name, code=code)
    return error(code, tried, name)


def _has_file_for_directory(name: str) -> bool:
    """Whether the nearest thing on the way to `name` that exists is no directory."""
    while True:
        parent = ntpath.dirname(name)
        if parent in ("", name):
            return False
        found = kernel32.GetFileAttributesW(parent)
        if found != INVALID_FILE_ATTRIBUTES:
            return not found & FILE_ATTRIBUTE_DIRECTORY
        name = parent


class OpenRecord:
    """The file as a client saw it: its bytes and its owner, read through one handle.

    That handle is closed again at once: an open one would keep the name of an unlinked file from being bound
    again. Nothing more is asked of the file: whether somebody listens is asked of the event, by the id and
    owner read here.
    """

    __slots__ = ("_descriptor", "data")

    def __init__(self, data: bytes, descriptor: SecurityDescriptor) -> None:
        self._descriptor = descriptor
        self.data: bytes = data

    def live(self, id: bytes) -> bool:
        """Whether the event of this id is set and belongs to the file's owner."""
        return _windows_life.is_announced(id, self._descriptor.owner)

    def seems_live(self, id: bytes) -> bool:
        """Whether there is an event of this id, whoever has made it."""
        return _windows_life.seems_announced(id)

    def trusted(self) -> bool:
        """Whether the file is this user's, and its access list lets nobody else write."""
        return security.mine_alone(self._descriptor)

    def owned_by(self, owner: Owner) -> bool:
        """Whether that user owns the file."""
        return owner.sid is not None and owner.sid == self._descriptor.owner

    def owner(self) -> Owner:
        """The file's owner."""
        return Owner(sid=self._descriptor.owner)

    def close(self) -> None:
        """Nothing is left to close."""


def open_record(path: bytes) -> OpenRecord:
    """Open what is at the path for reading, in nobody's way: it can be unlinked and replaced meanwhile.

    What is no file that can be read as one is `ECONNREFUSED`, as Linux answers for a path that is no socket.
    Without the right to read it is `EACCES`: here that is the right to connect.
    """
    known = _windows_known.find(path)
    if known is not None:
        return known
    name = os.fsdecode(path)
    file = _open(name)
    try:
        times = _windows_known.times_of(file)
        record = OpenRecord(_read(file, name), security.of_handle(file, _OPENING, name))
    finally:
        kernel32.CloseHandle(file)
    _windows_known.remember(path, times, record)
    return record


def _read(file: int, name: str) -> bytes:
    """The file's first 257 bytes."""
    if kernel32.GetFileType(file) != FILE_TYPE_DISK:
        raise named_error("ECONNREFUSED", _OPENING, name)
    room = ctypes.create_string_buffer(RECORD_SIZE + 1)
    got = DWORD()
    if not kernel32.ReadFile(file, room, len(room), ctypes.byref(got), None):
        raise named_error("ECONNREFUSED", _OPENING, name, code=kernel32.GetLastError())
    return room.raw[: got.value]


def _open(name: str) -> int:
    # Anonymous: a path may name a pipe, and its server must not be able to act as us.
    flags = SECURITY_SQOS_PRESENT | SECURITY_ANONYMOUS
    for last in _tries():
        file = kernel32.CreateFileW(name, GENERIC_READ, _SHARE_ALL, None, OPEN_EXISTING, flags, 0)
        if file != INVALID_HANDLE_VALUE:
            return file
        code = kernel32.GetLastError()
        if last or code != ERROR_ACCESS_DENIED or not _is_vanishing(name):
            break
    if code in _NO_SOCKET or (code == ERROR_ACCESS_DENIED and _is_directory(name)):
        raise named_error("ECONNREFUSED", _OPENING, name, code=code)
    if code == ERROR_INVALID_NAME:
        raise named_error("ENOENT", _OPENING, name, code=code)  # nothing can have that name
    raise _path_error(code, _OPENING, name)


def _is_directory(name: str) -> bool:
    found = kernel32.GetFileAttributesW(name)
    return found != INVALID_FILE_ATTRIBUTES and bool(found & FILE_ATTRIBUTE_DIRECTORY)


def adopt_record(path: bytes, record: bytes, id: bytes, above: int) -> Hold:
    """Hold a name that another process bound: the file at `path` must still be the one with this record.

    The life is announced by `Hold.listen`, which opens the event that there is, or makes it again if the
    process that handed the socket on is already gone.
    """
    if open_record(path).data != record:
        raise named_error("ESTALE", "adopting a socket: its file is another one by now", os.fsdecode(path))
    return Hold.of(id)


def private_directory() -> str:
    r"""`%LOCALAPPDATA%\samesock`, made for this user and the system alone, and verified if it exists.

    Raises `PermissionError` naming the directory if it belongs to somebody else, is a link, or lets others
    write.
    """
    base = os.environ.get("LOCALAPPDATA") or os.path.join(os.path.expanduser("~"), "AppData", "Local")
    directory = os.path.join(base, "samesock")
    with security.attributes(security.for_user("OICI")) as attributes:
        if not kernel32.CreateDirectoryW(directory, ctypes.addressof(attributes)):
            code = kernel32.GetLastError()
            if code != ERROR_ALREADY_EXISTS:
                raise _path_error(code, "making the user's private directory", directory)
    _require_private(directory)
    return directory


def _require_private(directory: str) -> None:
    tried = "checking the user's private directory"
    # A link is opened itself, not what it leads to; BACKUP_SEMANTICS is what opens a directory at all.
    flags = FILE_FLAG_BACKUP_SEMANTICS | FILE_FLAG_OPEN_REPARSE_POINT
    access = READ_CONTROL | FILE_READ_ATTRIBUTES
    handle = kernel32.CreateFileW(directory, access, _SHARE_ALL, None, OPEN_EXISTING, flags, 0)
    if handle == INVALID_HANDLE_VALUE:
        raise error(kernel32.GetLastError(), tried, directory)
    try:
        descriptor = security.of_handle(handle, tried, directory)
        private = _is_plain_directory(handle) and security.mine_alone(descriptor)
    finally:
        kernel32.CloseHandle(handle)
    if not private:
        why = "not a directory that this user alone may write to; remove it"
        raise named_error("EPERM", f"{tried}: {why}", directory)


def _is_plain_directory(handle: int) -> bool:
    about = BY_HANDLE_FILE_INFORMATION()
    if not kernel32.GetFileInformationByHandle(handle, ctypes.byref(about)):
        return False
    kind: int = about.dwFileAttributes & (FILE_ATTRIBUTE_DIRECTORY | FILE_ATTRIBUTE_REPARSE_POINT)
    return kind == FILE_ATTRIBUTE_DIRECTORY
