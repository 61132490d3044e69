"""read, write, readv and writev: `os` has them all.

What must never be put here: sendfile, which is not the same everywhere (that is `sending`).
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Any

from samesock.fd.descriptor import Descriptor, told

assert sys.platform != "win32"


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
        return os.readv(one, buffers)
    except OSError as error:
        raise told(error, f"reading into {len(buffers)} buffers from descriptor {one}") from None


def writev(one: Descriptor, buffers: Sequence[Any]) -> int:
    """How many were taken."""
    try:
        return os.writev(one, buffers)
    except OSError as error:
        raise told(error, f"writing {len(buffers)} buffers to descriptor {one}") from None
