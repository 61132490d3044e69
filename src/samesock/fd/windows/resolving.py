"""From an argument to a descriptor, with the table that it belongs to.

A bare number is a socket if `SO_TYPE` answers, else a C runtime descriptor: Wine and Windows alike answer
WSAENOTSOCK for anything else, while getsockname has other errors for unbound sockets and for pipes. An object
says what it is by its class. What must never be put here: an operation.
"""

from __future__ import annotations

import ctypes
import io
import socket
import sys

from samesock._errors import named_error
from samesock.fd.descriptor import Descriptor, Thing, number_of
from samesock.fd.windows import runtime
from samesock.fdtable.words import Space
from samesock.ffi.ws2_32 import SO_TYPE, SOL_SOCKET, ws2_32

_HANDLE_CLASSES = (
    ("multiprocessing.connection", "PipeConnection"),
    ("asyncio.windows_utils", "PipeHandle"),
)
"""The standard library's classes whose fileno() is a HANDLE; looked up only where somebody has imported them."""


def resolve(thing: Thing, tried: str) -> Descriptor:
    """The descriptor; `EBADF` for an object that is closed and a number that none can have."""
    number = number_of(thing, tried)
    if isinstance(thing, Descriptor):
        return thing
    space = None if isinstance(thing, int) else _space_of(thing)
    if space is None:
        space = "socket" if is_socket(number) else "fd"
    return Descriptor(number, space)


def _space_of(thing: object) -> Space | None:
    if isinstance(thing, socket.SocketType):
        return "socket"
    if isinstance(thing, io.IOBase):
        # A file made by socket.makefile has the SOCKET's number, down at its raw end.
        raw = getattr(thing, "buffer", thing)
        raw = getattr(raw, "raw", raw)
        return None if isinstance(raw, (socket.SocketIO, io.BufferedIOBase)) else "fd"
    for module, name in _HANDLE_CLASSES:
        found = getattr(sys.modules.get(module), name, None)
        if found is not None and isinstance(thing, found):
            return "handle"
    said = getattr(thing, "space", None)
    return said if said in ("fd", "socket", "handle") else None


def is_socket(number: int) -> bool:
    """Whether `SO_TYPE` answers."""
    return socket_type(number) is not None


def socket_type(number: int) -> int | None:
    """The number of its type, `None` for what is no socket."""
    value = ctypes.c_int()
    size = ctypes.c_int(ctypes.sizeof(value))
    failed = ws2_32.getsockopt(number, SOL_SOCKET, SO_TYPE, ctypes.byref(value), ctypes.byref(size))
    return None if failed else value.value


def handle_of(one: Descriptor, tried: str) -> int:
    """The HANDLE behind a descriptor that is no socket; `EBADF` where there is none."""
    if one.space != "fd":
        return int(one)
    try:
        return runtime.handle_behind(int(one))
    except OSError:
        raise named_error("EBADF", tried) from None
