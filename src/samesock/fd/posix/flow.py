"""read, write, readv and writev: `os` has them all; PyPy's lacks the last two.

What must never be put here: sendfile, which is not the same everywhere (that is `sending`).
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from typing import Any

from samesock.fd.descriptor import Descriptor, told

assert sys.platform != "win32"


def _scattered(one: int, buffers: Sequence[Any]) -> int:
    """readv by one read, so that a datagram stays one."""
    views = [memoryview(buffer).cast("B") for buffer in buffers]
    data = os.read(one, sum(map(len, views)))
    taken = 0
    for view in views:
        part = data[taken : taken + len(view)]
        view[: len(part)] = part
        taken += len(part)
    return taken


def _gathered(one: int, buffers: Sequence[Any]) -> int:
    """writev by one write, so that a datagram stays one."""
    return os.write(one, b"".join(buffers))


_readv: Callable[[int, Sequence[Any]], int] = getattr(os, "readv", _scattered)
_writev: Callable[[int, Sequence[Any]], int] = getattr(os, "writev", _gathered)


def read(one: Descriptor, size: int) -> bytes:
    """At most `size` bytes."""
    try:
        return os.read(one, size)
    except OSError as error:
        raise told(error, f"reading {size} bytes from descriptor {one}") from None


def write(one: Descriptor, data: Any) -> int:
    """How many were taken."""
    try:
        return os.write(one, data)
    except OSError as error:
        raise told(error, f"writing {memoryview(data).nbytes} bytes to descriptor {one}") from None


def readv(one: Descriptor, buffers: Sequence[Any]) -> int:
    """How many came."""
    try:
        return _readv(one, buffers)
    except OSError as error:
        raise told(error, f"reading into {len(buffers)} buffers from descriptor {one}") from None


def writev(one: Descriptor, buffers: Sequence[Any]) -> int:
    """How many were taken."""
    try:
        return _writev(one, buffers)
    except OSError as error:
        raise told(error, f"writing {len(buffers)} buffers to descriptor {one}") from None
