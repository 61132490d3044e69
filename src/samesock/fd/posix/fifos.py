"""FIFOs: mkfifo(2) and open(2).

What must never be put here: waiting of our own; open(2) waits.
"""

from __future__ import annotations

import os
import stat
import sys

from samesock._errors import named_error
from samesock.fd.descriptor import Descriptor

assert sys.platform != "win32"


def mkfifo(path: str, mode: int) -> None:
    """mkfifo(2), which some systems report without the path."""
    try:
        os.mkfifo(path, mode)
    except OSError as error:
        if error.filename is None:
            error.filename = path
        raise


def open_fifo(path: str, mode: str, blocking: bool) -> Descriptor:
    """Look before opening, since opening a device can do something, and again after."""
    _require_fifo(os.stat(path), path)
    flags = (os.O_RDONLY if mode == "r" else os.O_WRONLY) | os.O_NOCTTY
    number = os.open(path, flags if blocking else flags | os.O_NONBLOCK)
    try:
        _require_fifo(os.fstat(number), path)
    except BaseException:
        os.close(number)
        raise
    return Descriptor(number)


def _require_fifo(about: os.stat_result, path: str) -> None:
    if not stat.S_ISFIFO(about.st_mode):
        raise named_error("EINVAL", "opening a FIFO: this is none", path)
