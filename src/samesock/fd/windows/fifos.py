r"""FIFOs: a marker file that names a pipe, readable and writable by this user alone.

The reader is the pipe's server, with one instance; the writer connects to it. Who may come between: another
user cannot read the marker, so the name cannot be guessed; but names of pipes in use can be listed, and one can be
taken as soon as its reader has gone. So a writer looks at the pipe's owner and access list before it trusts it
with a byte, and lets no server act in its name (SECURITY_ANONYMOUS); a reader insists on being the first
instance, and refuses clients from the network. What a squatter can do is keep a reader out (`EBUSY`).

Both ends are synchronous handles with C runtime descriptors, so that `os` and file objects can use them. What
must never be put here: reading and writing.
"""

from __future__ import annotations

import ctypes
import os
import secrets
import time
from collections.abc import Iterator
from typing import Final

from samesock._errors import error, named_error
from samesock.backend import _windows_security as security
from samesock.fd.descriptor import Descriptor
from samesock.fd.windows import runtime
from samesock.ffi import DWORD, HANDLE, INVALID_HANDLE_VALUE, ULONG
from samesock.ffi.kernel32 import (
    CREATE_NEW,
    DELETE,
    ERROR_ACCESS_DENIED,
    ERROR_FILE_NOT_FOUND,
    FILE_DISPOSITION_INFO,
    FILE_FLAG_OPEN_REPARSE_POINT,
    FILE_READ_ATTRIBUTES,
    FILE_SHARE_DELETE,
    FILE_SHARE_READ,
    FILE_SHARE_WRITE,
    FILE_TYPE_DISK,
    GENERIC_READ,
    GENERIC_WRITE,
    OPEN_EXISTING,
    READ_CONTROL,
    SECURITY_ANONYMOUS,
    SECURITY_SQOS_PRESENT,
    FileDispositionInfo,
    kernel32,
)
from samesock.ffi.kernel32_files import (
    ERROR_NO_DATA,
    ERROR_PIPE_BUSY,
    ERROR_PIPE_CONNECTED,
    FILE_FLAG_FIRST_PIPE_INSTANCE,
    FILE_GENERIC_READ,
    FILE_WRITE_ATTRIBUTES,
    PIPE_ACCESS_DUPLEX,
    PIPE_NOWAIT,
    PIPE_REJECT_REMOTE_CLIENTS,
    PIPE_TYPE_BYTE,
    PIPE_WAIT,
    FileNameInfo,
    kernel32_files,
)

_MAGIC: Final = b"!<samesock fifo 1>\n"
_NAME_BYTES: Final = 16
_PREFIX: Final = "samesock-fifo-"
_ROOM: Final = 65536  # as a pipe of Linux's
_SHARE_ALL: Final = FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE
_FIRST_PAUSE: Final = 0.001
_LONGEST_PAUSE: Final = 0.05
"""Seconds between two looks for the other side: 20 looks a second at most while nobody comes."""


def mkfifo(path: str, mode: int) -> None:  # noqa: ARG001  (the parameters are POSIX's)
    """Create the marker, exclusively and closed to others; `mode` asks for more than Windows is told."""
    tried = "making a FIFO"
    if "\0" in path:
        raise ValueError("embedded null character")
    if ":" in os.path.splitdrive(path)[1]:
        raise named_error("EINVAL", f"{tried}: a colon names a stream of another file", path)
    with security.attributes(security.for_user()) as attributes:
        file = kernel32.CreateFileW(
            path,
            GENERIC_READ | GENERIC_WRITE | DELETE | READ_CONTROL,
            0,
            ctypes.addressof(attributes),
            CREATE_NEW,
            FILE_FLAG_OPEN_REPARSE_POINT,
            0,
        )
    if file == INVALID_HANDLE_VALUE:
        raise error(kernel32.GetLastError(), tried, path)
    try:
        if kernel32.GetFileType(file) != FILE_TYPE_DISK:
            raise named_error("EINVAL", f"{tried}: this is a device's name", path)
        try:
            _write_marker(file, tried, path)
        except BaseException:
            going = FILE_DISPOSITION_INFO(True)
            kernel32.SetFileInformationByHandle(
                file, FileDispositionInfo, ctypes.byref(going), ctypes.sizeof(going)
            )
            raise
    finally:
        kernel32.CloseHandle(file)


def _write_marker(file: int, tried: str, path: str) -> None:
    if not security.mine_alone(security.of_handle(file, tried, path)):
        raise named_error("EPERM", f"{tried}: its volume did not keep others out of it", path)
    marker = _MAGIC + secrets.token_hex(_NAME_BYTES).encode() + b"\n"
    written = DWORD()
    if not kernel32.WriteFile(file, marker, len(marker), ctypes.byref(written), None):
        raise error(kernel32.GetLastError(), tried, path)
    if written.value != len(marker):
        raise named_error("ENOSPC", tried, path)


def open_fifo(path: str, mode: str, blocking: bool) -> Descriptor:
    """Be the pipe's server to read, its client to write."""
    name = "\\\\.\\pipe\\" + _PREFIX + _read_marker(path)
    handle = _serve(name, path, blocking) if mode == "r" else _connect(name, path, blocking)
    try:
        if mode == "w" and not blocking:
            _set_state(handle, PIPE_NOWAIT)
        return Descriptor(runtime.descriptor_for(handle, writing=mode == "w"))
    except BaseException:
        kernel32.CloseHandle(handle)
        raise


def _read_marker(path: str) -> str:
    """The pipe's own part of the name; the file must be this user's, and nobody else may write to it."""
    tried = "opening a FIFO"
    flags = SECURITY_SQOS_PRESENT | SECURITY_ANONYMOUS  # the path may name a pipe
    file = kernel32.CreateFileW(path, GENERIC_READ, _SHARE_ALL, None, OPEN_EXISTING, flags, 0)
    if file == INVALID_HANDLE_VALUE:
        code = kernel32.GetLastError()
        if code == ERROR_ACCESS_DENIED and os.path.isdir(path):
            raise named_error("EINVAL", f"{tried}: this is none", path, code=code)
        raise error(code, tried, path)
    try:
        room = ctypes.create_string_buffer(len(_MAGIC) + 2 * _NAME_BYTES + 2)
        got = DWORD()
        good = kernel32.GetFileType(file) == FILE_TYPE_DISK and kernel32.ReadFile(
            file, room, len(room), ctypes.byref(got), None
        )
        data = room.raw[: got.value] if good else b""
        name = data[len(_MAGIC) : -1]
        if not data.startswith(_MAGIC) or len(data) != len(room) - 1 or not _is_hex(name):
            raise named_error("EINVAL", f"{tried}: this is none", path)
        if not security.mine_alone(security.of_handle(file, tried, path)):
            raise named_error("EPERM", f"{tried}: it is not this user's alone", path)
        return name.decode()
    finally:
        kernel32.CloseHandle(file)


def _is_hex(name: bytes) -> bool:
    return not name.strip(b"0123456789abcdef")


def _pauses() -> Iterator[None]:
    pause = _FIRST_PAUSE
    while True:
        yield
        time.sleep(pause)
        pause = min(pause * 2, _LONGEST_PAUSE)


def _serve(name: str, path: str, blocking: bool) -> int:
    """The only instance of the pipe, for reading alone; with a writer, if that is to be waited for.

    It listens in the non-blocking state, looked at now and then, for a ConnectNamedPipe that waits cannot be
    interrupted by Ctrl+C.
    """
    with security.attributes(security.for_user()) as attributes:
        pipe = kernel32_files.CreateNamedPipeW(
            name,
            PIPE_ACCESS_DUPLEX | FILE_FLAG_FIRST_PIPE_INSTANCE,
            PIPE_TYPE_BYTE | PIPE_NOWAIT | PIPE_REJECT_REMOTE_CLIENTS,
            1,
            _ROOM,
            _ROOM,
            0,
            ctypes.addressof(attributes),
        )
    if pipe == INVALID_HANDLE_VALUE:
        code = kernel32.GetLastError()
        if code in {ERROR_PIPE_BUSY, ERROR_ACCESS_DENIED}:
            why = "somebody reads from it already, or has taken its pipe"
            raise named_error("EBUSY", f"opening a FIFO: {why}", path, code=code)
        raise error(code, "opening a FIFO", path)
    handle = _reading_half(pipe, path)
    try:
        if blocking:
            for _ in _pauses():
                if _has_writer(handle):
                    break
            _set_state(handle, PIPE_WAIT)
        else:
            _has_writer(handle)
    except BaseException:
        kernel32.CloseHandle(handle)
        raise
    return handle


def _reading_half(pipe: int, path: str) -> int:
    """The same end without the right to write.

    Made with that right, because an end made for reading alone may not change its own state (ERROR_ACCESS_DENIED
    by SetNamedPipeHandleState, seen under Wine): that takes FILE_WRITE_ATTRIBUTES.
    """
    here = kernel32.GetCurrentProcess()
    half = HANDLE()
    good = kernel32.DuplicateHandle(
        here, pipe, here, ctypes.byref(half), FILE_GENERIC_READ | FILE_WRITE_ATTRIBUTES, False, 0
    )
    code = kernel32.GetLastError()
    kernel32.CloseHandle(pipe)
    if not good:
        raise error(code, "opening a FIFO", path)
    return half.value


def _has_writer(handle: int) -> bool:
    """Listen, or go on listening, and say whether somebody has come; who has gone again has come, too."""
    if kernel32_files.ConnectNamedPipe(handle, None):
        return False  # the first call after a disconnect: it listens from now on
    return kernel32.GetLastError() in {ERROR_PIPE_CONNECTED, ERROR_NO_DATA}


def _connect(name: str, path: str, blocking: bool) -> int:
    access = GENERIC_WRITE | FILE_READ_ATTRIBUTES | READ_CONTROL
    flags = SECURITY_SQOS_PRESENT | SECURITY_ANONYMOUS
    for _ in _pauses():
        handle = kernel32.CreateFileW(name, access, 0, None, OPEN_EXISTING, flags, 0)
        if handle != INVALID_HANDLE_VALUE:
            break
        code = kernel32.GetLastError()
        if code not in {ERROR_FILE_NOT_FOUND, ERROR_PIPE_BUSY}:
            raise error(code, "opening a FIFO", path)
        if not blocking:
            if code == ERROR_PIPE_BUSY:
                raise named_error("EBUSY", "opening a FIFO: another writer has it open", path, code=code)
            raise named_error("ENXIO", "opening a FIFO that nobody reads from", path, code=code)
    try:
        if not security.mine_alone(security.of_handle(handle, "checking a FIFO's pipe", path)):
            raise named_error("EPERM", "opening a FIFO: its pipe is another user's", path)
    except BaseException:
        kernel32.CloseHandle(handle)
        raise
    return handle


def _set_state(handle: int, state: int) -> None:
    if not kernel32_files.SetNamedPipeHandleState(handle, ctypes.byref(ULONG(state)), None, None):
        raise error(kernel32.GetLastError(), "setting a FIFO's mode")


def await_next_writer(handle: int) -> None:
    """After the end: let the next writer in, if the pipe is a FIFO of ours. The mode stays as it was."""
    if not _is_named_ours(handle):
        return
    state = ULONG()
    if not kernel32_files.GetNamedPipeHandleStateW(handle, ctypes.byref(state), None, None, None, None, 0):
        return
    _set_state(handle, PIPE_NOWAIT)
    if kernel32_files.DisconnectNamedPipe(handle):
        _has_writer(handle)
    if not state.value & PIPE_NOWAIT:
        _set_state(handle, PIPE_WAIT)


def is_ours(handle: int) -> bool:
    """Whether the pipe is a FIFO of ours, by its name; no, where a reader in another thread keeps it from saying."""
    from samesock.fdtable import bounded

    try:
        return bounded.ask(lambda: _is_named_ours(handle))
    except bounded.Blocked:
        return False


def _is_named_ours(handle: int) -> bool:
    """FILE_NAME_INFO: four bytes of length, then the name, which begins with a backslash."""
    room = ctypes.create_string_buffer(1024)
    if not kernel32.GetFileInformationByHandleEx(handle, FileNameInfo, room, len(room)):
        return False
    size = int.from_bytes(room.raw[:4], "little")
    return room.raw[4 : 4 + size].decode("utf-16-le", "replace").startswith("\\" + _PREFIX)
