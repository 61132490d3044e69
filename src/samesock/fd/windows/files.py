"""Bytes through a HANDLE: files, pipes and consoles, with POSIX's ends and errors.

A pipe is always used with an OVERLAPPED of ours: it may have been made for overlapped use (asyncio's,
multiprocessing's), where a call without one can report an end that is none, and others do not mind. What must
never be put here: sockets, and the C runtime.
"""

from __future__ import annotations

import ctypes

from samesock._errors import error, named_error
from samesock.ffi import DWORD
from samesock.ffi.kernel32 import (
    BY_HANDLE_FILE_INFORMATION,
    ERROR_ACCESS_DENIED,
    FILE_ATTRIBUTE_DIRECTORY,
    kernel32,
)
from samesock.ffi.kernel32_files import (
    ERROR_BROKEN_PIPE,
    ERROR_HANDLE_EOF,
    ERROR_IO_PENDING,
    ERROR_MORE_DATA,
    ERROR_NO_DATA,
    ERROR_PIPE_LISTENING,
    ERROR_PIPE_NOT_CONNECTED,
    FILE_TYPE_PIPE,
    FILE_TYPE_UNKNOWN,
    OVERLAPPED,
    kernel32_files,
)

PIPE_BUF = 4096
"""What a non-blocking pipe takes whole or not at all, as on Linux."""

_ENDS = {ERROR_BROKEN_PIPE, ERROR_PIPE_NOT_CONNECTED, ERROR_PIPE_LISTENING, ERROR_HANDLE_EOF}


def type_of(handle: int, tried: str) -> int:
    """GetFileType: FILE_TYPE_DISK, _CHAR, _PIPE or _UNKNOWN; `EBADF` for what is not open.

    It answers at once even while another thread reads from the same pipe (0.1 ms, seen under Wine), which
    most questions about a pipe do not.
    """
    found = kernel32.GetFileType(handle)
    if found == FILE_TYPE_UNKNOWN and not is_open(handle):
        raise named_error("EBADF", tried)
    return found


def is_open(handle: int) -> bool:
    """Whether the number is an open HANDLE of this process's."""
    return bool(kernel32.GetHandleInformation(handle, ctypes.byref(DWORD())))


def is_directory(handle: int) -> bool:
    """Whether it is a directory's."""
    about = BY_HANDLE_FILE_INFORMATION()
    if not kernel32.GetFileInformationByHandle(handle, ctypes.byref(about)):
        return False
    return bool(about.dwFileAttributes & FILE_ATTRIBUTE_DIRECTORY)


def read(handle: int, buffer: ctypes.Array[ctypes.c_char], tried: str) -> int:
    """How many bytes came, 0 at the end."""
    is_pipe = type_of(handle, tried) == FILE_TYPE_PIPE
    while True:
        code, got = _move(kernel32.ReadFile, handle, buffer, len(buffer), is_pipe)
        if code == 0 and got == 0 and is_pipe and len(buffer):
            continue  # somebody wrote nothing; Windows hands that on, and it is no end
        if code in {0, ERROR_MORE_DATA}:
            return got
        if code in _ENDS:
            if code == ERROR_BROKEN_PIPE:
                _next_writer(handle)
            return 0
        if code == ERROR_NO_DATA:
            raise named_error("EWOULDBLOCK", tried, code=code)
        raise _failure(code, handle, tried)


def write(handle: int, data: memoryview, tried: str) -> int:
    """How many bytes were taken."""
    is_pipe = type_of(handle, tried) == FILE_TYPE_PIPE
    if not data.nbytes:
        return 0  # to a pipe it would be handed on, and look like an end to some
    size = data.nbytes
    flat = bytes(data)
    while True:
        code, done = _move(kernel32.WriteFile, handle, flat, size, is_pipe)
        if code:
            if code == ERROR_ACCESS_DENIED or is_directory(handle):  # a directory is never open for writing
                raise named_error("EBADF", f"{tried}: it is not open for that", code=code)
            raise error(code, tried)
        if done or not is_pipe:
            return done
        # A non-blocking pipe without room for all takes nothing and calls it success (seen under Wine: 0 of
        # 65,537 bytes into 65,536 of room). POSIX takes a part of what is longer than PIPE_BUF.
        if size <= PIPE_BUF:
            raise named_error("EWOULDBLOCK", tried)
        size = max(size // 2, PIPE_BUF)


def _move(
    call: object, handle: int, buffer: ctypes.Array[ctypes.c_char] | bytes, size: int, is_pipe: bool
) -> tuple[int, int]:
    """ReadFile or WriteFile: the error's code or 0, and how many bytes."""
    assert callable(call)
    moved = DWORD()
    if not is_pipe:
        good = call(handle, buffer, size, ctypes.byref(moved), None)
        return (0 if good else kernel32.GetLastError()), moved.value
    # The lowest bit of the event keeps the completion from a port that the handle may be bound to.
    event = kernel32.CreateEventW(None, True, False, None)
    if not event:
        return kernel32.GetLastError(), 0
    try:
        overlapped = OVERLAPPED(hEvent=event | 1)
        good = call(handle, buffer, size, ctypes.byref(moved), ctypes.byref(overlapped))
        code = 0 if good else kernel32.GetLastError()
        if code == ERROR_IO_PENDING:
            good = kernel32_files.GetOverlappedResult(
                handle, ctypes.byref(overlapped), ctypes.byref(moved), True
            )
            code = 0 if good else kernel32.GetLastError()
        return code, moved.value
    finally:
        kernel32.CloseHandle(event)


def _next_writer(handle: int) -> None:
    from samesock.fd.windows import fifos

    fifos.await_next_writer(handle)


def _failure(code: int, handle: int, tried: str) -> OSError:
    """What POSIX says: a directory is one, and without the right to read or write it is not open for that."""
    if is_directory(handle):
        return named_error("EISDIR", tried, code=code)
    if code == ERROR_ACCESS_DENIED:
        return named_error("EBADF", f"{tried}: it is not open for that", code=code)
    return error(code, tried)
