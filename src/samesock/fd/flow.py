"""Bytes in and out of any descriptor: read, write, readv, writev, sendfile.

What must never be put here: what a descriptor is or may do (that is `state`), and anything about one system.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from samesock.fd.descriptor import Thing

if TYPE_CHECKING:
    import mmap
    from array import array

    Readable = bytes | bytearray | memoryview | mmap.mmap | array[int]
    Writable = bytearray | memoryview | mmap.mmap | array[int]

if sys.platform == "win32":
    from samesock.fd.windows import flow as system
    from samesock.fd.windows import sending
    from samesock.fd.windows.resolving import resolve
else:
    from samesock.fd.posix import flow as system
    from samesock.fd.posix import sending
    from samesock.fd.posix.resolving import resolve


def read(thing: Thing, size: int, /) -> bytes:
    """At most `size` bytes, as soon as there are any; b"" at the end.

    The end is the end of a file, a pipe or FIFO that nobody has open for writing, a stream whose peer has shut
    it down. A datagram socket gives one datagram, cut to `size`. Non-blocking and nothing there:
    `BlockingIOError`. A directory: `EISDIR`; not open for reading: `EBADF`; a negative size: `EINVAL`.

    Portability:
        Linux, macOS, FreeBSD: native. Windows: native; a C runtime's descriptor is put into binary mode.

    References: POSIX `read`; Win32 `ReadFile`; Winsock `WSARecv`.
    """
    return system.read(resolve(thing, "reading from"), size)


def write(thing: Thing, data: Readable, /) -> int:
    """Write bytes; how many were taken, all of them unless the descriptor is non-blocking or a file is full.

    No reader any more, or a socket shut down: `BrokenPipeError` (a reset connection may also be `ECONNRESET`).
    Non-blocking and full: `BlockingIOError`. Not open for writing: `EBADF`.

    Portability:
        Linux, macOS, FreeBSD: native. Windows: native; a C runtime's descriptor is put into binary mode.

    References: POSIX `write`; Win32 `WriteFile`; Winsock `WSASend`.
    """
    return system.write(resolve(thing, "writing to"), data)


def readv(thing: Thing, buffers: Sequence[Writable], /) -> int:
    """`read` into several writable buffers, each filled before the next; how many bytes came, 0 at the end.

    Portability:
        Linux, macOS, FreeBSD: native. Windows: native for sockets, else emulated by one read.

    References: POSIX `readv`; Winsock `WSARecv`.
    """
    return system.readv(resolve(thing, "reading from"), buffers)


def writev(thing: Thing, buffers: Sequence[Readable], /) -> int:
    """`write` several buffers as one: to a datagram socket they are one datagram.

    Portability:
        Linux, macOS, FreeBSD: native. Windows: native for sockets, else emulated by one write.

    References: POSIX `writev`; Winsock `WSASend`.
    """
    return system.writev(resolve(thing, "writing to"), buffers)


def sendfile(out: Thing, file: Thing, offset: int | None, count: int, /) -> int:
    """Send at most `count` bytes of a file from `offset` on; how many were sent, 0 at the file's end.

    With `offset` None it starts at the file's position and moves that by what was sent; else the position stays.
    `out` may be anything that can be written to. What is no regular file is `EINVAL`. A non-blocking `out`
    takes what it has room for, or raises `BlockingIOError`.

    Portability:
        Linux: native. macOS, FreeBSD: native to sockets, else emulated. Windows: native to blocking socket
        objects (`TransmitFile`), else emulated by reading and writing.

    References: Linux `sendfile`; Winsock `TransmitFile`.
    """
    return sending.sendfile(resolve(out, "sending to"), out, resolve(file, "sending from"), offset, count)
