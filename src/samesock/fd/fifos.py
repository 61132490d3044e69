"""FIFOs: pipes with a name in the file system.

What must never be put here: how one system makes them.
"""

from __future__ import annotations

import os
import sys
from typing import Union

from samesock.fd.descriptor import Descriptor

if sys.platform == "win32":
    from samesock.fd.windows import fifos as system
else:
    from samesock.fd.posix import fifos as system

Path = Union[str, bytes, "os.PathLike[str]", "os.PathLike[bytes]"]


def mkfifo(path: Path, mode: int = 0o666) -> None:
    """Make a FIFO at `path`; what is there already is `FileExistsError`. Errors name the path.

    Portability:
        Linux, macOS, FreeBSD: native. Windows: emulated by a marker file that names a pipe; `mode` gives nothing
        to others: this user alone can open it. `EPERM` where the volume keeps no owners and access lists.

    References: POSIX `mkfifo`; Win32 `CreateNamedPipeW`.
    """
    system.mkfifo(os.fsdecode(path), mode)


def open_fifo(path: Path, mode: str = "r", *, blocking: bool = True) -> Descriptor:
    """Open a FIFO for reading ("r") or writing ("w"), not inheritable.

    It waits until the other side is open, too. With `blocking` False it does not: a reader opens at once, a
    writer gets `ENXIO` where nobody reads, and the descriptor is non-blocking. What is no FIFO is `EINVAL`.
    A reader reads b"" while no writer has it open, and goes on with the next writer's bytes.

    Portability:
        Linux, macOS, FreeBSD: native. Windows: emulated; one reader, and one writer at a time: the next one's
        open waits until the first has closed and the reader has seen the end by `samesock.fd.read` (`EBUSY`
        with `blocking` False, and for a second reader). A path of another user's is `EPERM`.

    References: POSIX `open`.
    """
    if mode not in ("r", "w"):
        raise ValueError(f'a FIFO is opened with mode "r" or "w", not {mode!r}')
    return system.open_fifo(os.fsdecode(path), mode, blocking)
