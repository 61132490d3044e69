"""Descriptors as sendmsg and recvmsg give and take them: control messages of an array of int.

Pure. What must never be put here: what a number means.
"""

from __future__ import annotations

import _socket
import operator
import sys
from collections.abc import Sequence
from typing import Any

from samesock import _message_arguments
from samesock._errors import named_error

SCM_RIGHTS = int(getattr(_socket, "SCM_RIGHTS", 1))


def things_in(ancillary: Any) -> list[int]:
    """The descriptors in sendmsg's ancillary data, which are `(level, type, an array of int)`."""
    numbers: list[int] = []
    for level, kind, raw in _message_arguments.control(ancillary):
        if level != _socket.SOL_SOCKET:
            continue  # as Linux: another level's is not this socket's affair
        if kind != SCM_RIGHTS:
            raise named_error("EOPNOTSUPP", f"sending ancillary data of type {kind} over this Unix socket")
        from array import array

        if len(raw) % array("i").itemsize:
            raise named_error("EINVAL", f"passing descriptors: {len(raw)} bytes are no array of int")
        numbers += array("i", raw).tolist()
    return numbers


_CMSG_HEADER = 16 if sys.maxsize > 2**32 else 12
_INT_SIZE = 4
_LONGEST = 2**31 - 1


def room_for(ancbufsize: int) -> int:
    """How many descriptors fit into a buffer of `CMSG_LEN(n * 4)` or `CMSG_SPACE(n * 4)` bytes."""
    ancbufsize = operator.index(ancbufsize)
    if not 0 <= ancbufsize <= _LONGEST:
        raise ValueError("invalid ancillary data buffer length")
    return max(0, ancbufsize - _CMSG_HEADER) // _INT_SIZE


def as_ancillary(descriptors: Sequence[int]) -> list[tuple[int, int, bytes]]:
    """recvmsg's ancillary data for them."""
    if not descriptors:
        return []
    from array import array

    return [(int(_socket.SOL_SOCKET), SCM_RIGHTS, array("i", descriptors).tobytes())]
