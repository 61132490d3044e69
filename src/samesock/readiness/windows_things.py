"""What an object is on Windows: its space ("socket", "fd" or "handle"), its number, its handle and its kind.

The rule for a bare number is the design's: a socket if `SO_TYPE` answers, else a C descriptor. An `int` with an
attribute `space` says itself what it is. What must never be put here: waiting.
"""

from __future__ import annotations

import _socket
import ctypes
import enum
import io
import sys
from typing import Any, Final

from samesock import _errors
from samesock.ffi import DWORD
from samesock.ffi.kernel32_waits import (
    FILE_TYPE_CHAR,
    FILE_TYPE_DISK,
    FILE_TYPE_PIPE,
    kernel32_waits,
)
from samesock.ffi.ws2_32 import SO_TYPE, SOL_SOCKET, ws2_32
from samesock.readiness.registry import FileObject, Identity

SPACES: Final = ("socket", "fd", "handle")


class Kind(enum.Enum):
    """How a thing is waited for."""

    ALWAYS = "always ready: a file, a directory, the null device"
    PIPE = "a pipe's end"
    CONSOLE = "console input"
    SIGNAL = "what the kernel signals: a process, an event"


def identify(fileobj: FileObject) -> Identity:
    """(space, number); `ValueError` for what has no number."""
    if isinstance(fileobj, _socket.socket):
        return "socket", _valid(fileobj.fileno())
    if isinstance(fileobj, int):
        space = getattr(fileobj, "space", None)
        if space in SPACES:
            return str(space), _valid(int(fileobj))
        return _space_of(_valid(int(fileobj))), int(fileobj)
    if is_process(fileobj):
        return "handle", int(fileobj._handle)  # noqa: SLF001 -- Popen has no public name for it
    try:
        number = _valid(int(fileobj.fileno()))
    except (AttributeError, TypeError, ValueError):
        raise ValueError(f"Invalid file object: {fileobj!r}") from None
    if isinstance(_raw(fileobj), io.FileIO):
        return "fd", number
    space = _space_of(number)
    if space == "fd" and getattr(fileobj, "_handle", None) == number:
        space = "handle"  # a multiprocessing connection over a named pipe: its fileno() is a HANDLE
    return space, number


def is_process(fileobj: FileObject) -> bool:
    """Whether it is a child process as `subprocess.Popen` makes them; it keeps its handle as long as it lives."""
    return hasattr(fileobj, "_handle") and hasattr(fileobj, "poll") and not hasattr(fileobj, "fileno")


def handle_of(identity: tuple[str, int]) -> int:
    """The handle of a descriptor or handle; `OSError` (EBADF) if it is not open."""
    space, number = identity
    if space == "fd" and sys.platform == "win32":
        import msvcrt

        return msvcrt.get_osfhandle(number)
    if not kernel32_waits.GetHandleInformation(number, ctypes.byref(DWORD())):
        raise _errors.error(kernel32_waits.GetLastError(), f"looking at handle {number:#x}")
    return number


def kind_of(handle: int) -> Kind:
    """How the thing behind a handle, which is no socket, is waited for."""
    kind = kernel32_waits.GetFileType(handle) & 0x7FFF
    if kind == FILE_TYPE_PIPE:
        return Kind.PIPE
    if kind == FILE_TYPE_DISK:
        return Kind.ALWAYS
    if kind == FILE_TYPE_CHAR:
        # An output console has a mode, too; only input has events to count.
        count = DWORD()
        is_input = kernel32_waits.GetNumberOfConsoleInputEvents(handle, ctypes.byref(count))
        return Kind.CONSOLE if is_input else Kind.ALWAYS
    return Kind.SIGNAL


def _space_of(number: int) -> str:
    answer = ctypes.c_int()
    size = ctypes.c_int(ctypes.sizeof(answer))
    failed = ws2_32.getsockopt(number, SOL_SOCKET, SO_TYPE, ctypes.byref(answer), ctypes.byref(size))
    return "fd" if failed else "socket"


def _valid(number: int) -> int:
    if number < 0:
        raise ValueError(f"Invalid file descriptor: {number}")
    return number


def _raw(fileobj: Any) -> Any:
    """What is under a file object's layers; a closed one's is of no interest."""
    for name in ("buffer", "raw"):
        fileobj = getattr(fileobj, name, fileobj)
    return fileobj
