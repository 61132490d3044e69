"""A socket on Windows, asked by its handle: what never changes (`handles.socket_makeup`), its addresses, its
state.

Raw calls and their decoding; whoever calls takes care that a call may block on what turns out to be no
socket. What must never be put here: TCP's states, which Winsock does not tell and psutil reads from the
kernel's table.
"""

from __future__ import annotations

import ctypes
import socket

from samesock.fdtable import netnames
from samesock.fdtable.handles import SocketMakeup, socket_option
from samesock.fdtable.model import Address, SocketInfo
from samesock.ffi import ntdll_handles
from samesock.ffi.ntdll_handles import ntdll
from samesock.ffi.ws2_32 import ws2_32

SO_ACCEPTCONN = 0x0002
_INET, _INET6, _UNIX = 2, 23, 1
_LONGEST = 128


def decode(raw: bytes) -> Address | None:
    """A Windows sockaddr as Python gives it; `None` for a family that the table does not know."""
    if len(raw) < 2:
        return None
    family = int.from_bytes(raw[:2], "little")
    if family == _INET and len(raw) >= 8:
        return (f"{raw[4]}.{raw[5]}.{raw[6]}.{raw[7]}", int.from_bytes(raw[2:4], "big"))
    if family == _INET6 and len(raw) >= 24:
        host = socket.inet_ntop(socket.AF_INET6, raw[8:24])
        scope = int.from_bytes(raw[24:28], "little")
        return (
            f"{host}%{scope}" if scope and host.startswith("fe80:") else host,
            int.from_bytes(raw[2:4], "big"),
        )
    if family == _UNIX:
        # The kernel gives 110 bytes whatever the path: it ends at its first NUL.
        return raw[2:].split(b"\0", 1)[0].decode("utf-8", "surrogateescape")
    return None


def _name(call: str, handle: int) -> bytes | None:
    value, length = ctypes.create_string_buffer(_LONGEST), ctypes.c_int(_LONGEST)
    if getattr(ws2_32, call)(handle, value, ctypes.byref(length)) != 0:
        return None
    return value.raw[: length.value]


def ask(handle: int, makeup: SocketMakeup) -> SocketInfo:
    """The facts of a socket. An address that Winsock refuses (WSAEINVAL before bind, WSAENOTCONN) is
    `None`.
    """
    family = netnames.family_name(netnames.WINDOWS_FAMILIES, makeup.family)
    protocol = netnames.protocol_name(family, makeup.protocol)
    local_name, remote_name = _name("getsockname", handle), _name("getpeername", handle)
    local = None if local_name is None else decode(local_name)
    remote = None if remote_name is None else decode(remote_name)
    accepting = socket_option(handle, SO_ACCEPTCONN, 4)
    listening = None if accepting is None else any(accepting)
    if listening:
        state, remote = "LISTEN", None
    elif remote is not None:
        state = "ESTABLISHED"
    else:
        state = "CLOSE" if protocol == "TCP" else "UNCONNECTED"
    return SocketInfo(
        family=family,
        type=netnames.type_name(makeup.type),
        protocol=protocol,
        local=local,
        remote=remote,
        state=state,
        listening=listening,
    )


def ask_foreign(handle: int, surely: bool) -> SocketInfo | None:
    """The family and local address of another process's socket, duplicated here: Winsock knows nothing of it.

    `surely` when the handle's name already says that it is a socket (Windows); Wine's have none, and there an
    unbound one answers STATUS_INVALID_PARAMETER where every other handle answers that it knows no such
    question. `None` for what is no socket. May block.
    """
    answer = ctypes.create_string_buffer(_LONGEST)
    status_block = (ctypes.c_size_t * 2)()  # IO_STATUS_BLOCK
    code = ntdll_handles.IOCTL_AFD_GET_ADDRESS
    status = ntdll.NtDeviceIoControlFile(
        handle, 0, None, None, ctypes.byref(status_block), code, None, 0, answer, _LONGEST
    )
    if status == ntdll_handles.STATUS_SUCCESS:
        family = netnames.family_name(netnames.WINDOWS_FAMILIES, int.from_bytes(answer.raw[:2], "little"))
        return SocketInfo(family=family, local=decode(answer.raw))
    return SocketInfo() if surely or status == ntdll_handles.STATUS_INVALID_PARAMETER else None
