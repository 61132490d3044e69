"""Kind, copies, flags and end of a descriptor over the three tables.

What must never be put here: bytes that go through one.
"""

from __future__ import annotations

import _socket
import ctypes
import os

from samesock._errors import error, named_error
from samesock.fd.descriptor import GREATEST, Descriptor, Thing, told
from samesock.fd.windows import fifos, files, runtime
from samesock.fd.windows.flow import socket_error
from samesock.fd.windows.resolving import handle_of, is_socket, resolve
from samesock.fdtable.words import Kind
from samesock.ffi import DWORD, HANDLE, ULONG
from samesock.ffi.kernel32 import DUPLICATE_SAME_ACCESS, HANDLE_FLAG_INHERIT, kernel32
from samesock.ffi.kernel32_files import (
    FILE_TYPE_CHAR,
    FILE_TYPE_DISK,
    FILE_TYPE_PIPE,
    PIPE_NOWAIT,
    PIPE_WAIT,
    kernel32_files,
)
from samesock.ffi.ntdll_handles import kernel32_handles
from samesock.ffi.ws2_32 import FIONBIO, WSAENOTSOCK, ws2_32

_CMD_FIONBIO = ctypes.c_int32(FIONBIO & 0xFFFFFFFF).value  # its parameter is a signed long


def kind(one: Descriptor) -> Kind:
    """A socket by SO_TYPE, else by GetFileType, which does not wait for a reader of the same pipe."""
    handle = _handle(one, "looking at")
    if one.space == "socket":
        return "socket"
    found = files.type_of(handle, f"looking at {one!r}")
    if found == FILE_TYPE_DISK:
        return "dir" if files.is_directory(handle) else "file"
    if found == FILE_TYPE_CHAR:
        return "tty" if kernel32_handles.GetConsoleMode(handle, ctypes.byref(DWORD())) else "char"
    if found == FILE_TYPE_PIPE:
        if is_socket(handle):
            return "socket"
        return "fifo" if fifos.is_ours(handle) else "pipe"
    return "other"


def is_open(one: Descriptor) -> bool:
    """By its own table."""
    if one.space == "socket":
        return is_socket(int(one))
    return files.is_open(handle_of(one, f"looking at {one!r}"))


def close(one: Descriptor) -> None:
    """closesocket, the C runtime's close, or CloseHandle."""
    tried = f"closing {one!r}"
    if one.space == "socket":
        if ws2_32.closesocket(int(one)):
            raise socket_error(ws2_32.WSAGetLastError(), tried)
    elif one.space == "fd":
        try:
            os.close(int(one))
        except OSError as problem:
            raise told(problem, tried) from None
    elif not kernel32.CloseHandle(int(one)):
        raise error(kernel32.GetLastError(), tried)


def dup(one: Descriptor) -> Descriptor:
    """In the same table; a socket is duplicated by Winsock, which must know it."""
    tried = f"duplicating {one!r}"
    if one.space == "handle":
        return _duplicate_handle(one, tried)
    try:
        if one.space == "socket":
            return Descriptor(_socket.dup(int(one)), "socket")
        return Descriptor(os.dup(int(one)))
    except OSError as problem:
        if getattr(problem, "winerror", None) == WSAENOTSOCK:
            raise named_error("EBADF", tried, code=WSAENOTSOCK) from None
        raise told(problem, tried) from None


def _duplicate_handle(one: Descriptor, tried: str) -> Descriptor:
    here = kernel32.GetCurrentProcess()
    made = HANDLE()
    if not kernel32.DuplicateHandle(
        here, int(one), here, ctypes.byref(made), 0, False, DUPLICATE_SAME_ACCESS
    ):
        raise error(kernel32.GetLastError(), tried)
    return Descriptor(made.value, "handle")


def target(number: Thing, tried: str) -> Descriptor:
    """What dup2 may write over: by its own word or object's class, and a bare number that is a socket's is one."""
    return resolve(number, tried)


def dup2(one: Descriptor, other: Descriptor, inheritable: bool) -> Descriptor:
    """The C runtime's, among its own."""
    tried = f"duplicating {one!r} to {other!r}"
    _handle(one, "duplicating")
    if one.space != "fd" or other.space != "fd":
        raise named_error("EOPNOTSUPP", f"{tried}: the system itself chooses such numbers")
    try:
        return Descriptor(os.dup2(int(one), int(other), inheritable))
    except OSError as problem:
        raise told(problem, tried) from None


def get_blocking(one: Descriptor) -> bool:
    """A pipe's state; a file or a terminal always waits."""
    tried = f"asking the mode of {one!r}"
    handle = _handle(one, "asking the mode of")
    if one.space == "socket":
        raise named_error("EOPNOTSUPP", f"{tried}: Winsock does not tell; ask by the socket object")
    if files.type_of(handle, tried) != FILE_TYPE_PIPE:
        return True
    state = ULONG()
    if not kernel32_files.GetNamedPipeHandleStateW(handle, ctypes.byref(state), None, None, None, None, 0):
        raise error(kernel32.GetLastError(), tried)
    return not state.value & PIPE_NOWAIT


def set_blocking(one: Descriptor, blocking: bool) -> None:
    """FIONBIO, or a pipe's state."""
    tried = f"making {one!r} {'' if blocking else 'non-'}blocking"
    handle = _handle(one, "setting the mode of")
    if one.space == "socket":
        flag = ULONG(not blocking)
        if ws2_32.ioctlsocket(handle, _CMD_FIONBIO, ctypes.byref(flag)):
            raise socket_error(ws2_32.WSAGetLastError(), tried)
    elif files.type_of(handle, tried) == FILE_TYPE_PIPE:
        state = ULONG(PIPE_WAIT if blocking else PIPE_NOWAIT)
        if not kernel32_files.SetNamedPipeHandleState(handle, ctypes.byref(state), None, None):
            raise error(kernel32.GetLastError(), tried)
    elif not blocking:
        raise named_error("EOPNOTSUPP", f"{tried}: files and terminals always wait here")


def get_inheritable(one: Descriptor) -> bool:
    """HANDLE_FLAG_INHERIT."""
    flags = DWORD()
    if not kernel32.GetHandleInformation(_handle(one, "looking at"), ctypes.byref(flags)):
        raise error(kernel32.GetLastError(), f"asking whether {one!r} is inheritable")
    return bool(flags.value & HANDLE_FLAG_INHERIT)


def set_inheritable(one: Descriptor, inheritable: bool) -> None:
    """HANDLE_FLAG_INHERIT."""
    flag = HANDLE_FLAG_INHERIT if inheritable else 0
    if not kernel32.SetHandleInformation(_handle(one, "looking at"), HANDLE_FLAG_INHERIT, flag):
        raise error(kernel32.GetLastError(), f"making {one!r} inheritable or not")


def pipe() -> tuple[Descriptor, Descriptor]:
    """The C runtime's descriptors over CreatePipe."""
    reader, writer = os.pipe()
    return Descriptor(reader), Descriptor(writer)


def handle(one: Descriptor) -> Descriptor:
    """The HANDLE or SOCKET."""
    return Descriptor(_handle(one, "asking the handle of"), "socket" if one.space == "socket" else "handle")


def from_handle(value: Thing) -> Descriptor:
    """A SOCKET as it is, any other handle under a C runtime descriptor."""
    number = value if isinstance(value, int) else value.fileno()
    tried = f"taking over the handle {int(number)}"
    if not 0 <= number <= GREATEST:
        raise named_error("EBADF", tried)
    if is_socket(number):
        return Descriptor(number, "socket")
    files.type_of(number, tried)
    try:
        return Descriptor(runtime.descriptor_for(int(number)))
    except OSError as problem:
        raise told(problem, tried) from None


def stream(one: Descriptor, owned: bool) -> tuple[int, bool]:
    """The number that `open` takes, and whether the file is to close it.

    A handle gets a C runtime descriptor, which takes it over; an object's own handle stays its own, and a copy is
    taken over.
    """
    if files.is_directory(_handle(one, "opening")):
        raise named_error("EISDIR", f"opening {one!r} as a file")
    if one.space == "fd":
        return int(one), owned
    return int(from_handle(one if owned else dup(one))), True


def _handle(one: Descriptor, tried: str) -> int:
    """The HANDLE or SOCKET of one that is open; `EBADF` of any other."""
    found = int(one) if one.space == "socket" else handle_of(one, f"{tried} {one!r}")
    if not (is_socket(found) if one.space == "socket" else files.is_open(found)):
        raise named_error("EBADF", f"{tried} {one!r}")
    return found
