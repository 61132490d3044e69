"""Unix socket addresses: what a program may give, and `sockaddr_un` to and from Python.

Pure: bytes in, bytes out. The rules for what is given are CPython's on Linux, for every implementation alike;
the layouts are data. What must never be put here: a look at the file system, a system call, an errno's
translation.

Where a name without a file cannot exist, a leading NUL (an abstract name) and the empty name (Linux's bind
makes up an abstract one) are not refused here: `unix_path` gives them back as they are, a leading NUL or no
bytes at all, and `refusal` says which errno each of them is.
"""

from __future__ import annotations

import os
import struct
import sys
from typing import Final, NamedTuple


class Layout(NamedTuple):
    """How one platform's kernel lays out `sockaddr_un`."""

    family: str
    """The first two bytes, as `struct` has them: a u16 family, or a length byte and a family byte."""
    room: int
    """The size of `sun_path`. A path has one byte less: its NUL."""
    abstract: bool
    """Whether a name that begins with NUL is a name."""
    utf8: bool
    """Whether the kernel wants UTF-8, whatever the code page; else paths are the file system's bytes."""

    @property
    def size(self) -> int:
        """`sizeof(struct sockaddr_un)`."""
        return 2 + self.room


LINUX: Final = Layout("=H", 108, abstract=True, utf8=False)
BSD: Final = Layout("=BB", 104, abstract=False, utf8=False)
WINDOWS: Final = Layout("=H", 108, abstract=False, utf8=True)

AF_UNIX: Final = 1
"""The same number on every platform."""

# The one question that has to be asked of the platform's name: which structure its C compiler sees.
LAYOUT: Final = {"linux": LINUX, "android": LINUX, "win32": WINDOWS}.get(sys.platform, BSD)
"""This platform's layout."""


def unix_path(address: object, *, layout: Layout = LAYOUT) -> bytes:
    """The bytes of an AF_UNIX address: a path, `b""`, or an abstract name with its leading NUL.

    `str` is encoded as file names are, bytes-like objects are taken as they are. Raises as CPython does on
    Linux: `TypeError` for anything else, `UnicodeEncodeError` for what no file name can be, `OSError` without
    an errno for a name that does not fit. A path with a NUL inside is `ValueError`: C would cut it there and
    use another file.
    """
    path = _encoded(address, layout)
    if path[:1] == b"\0":
        if len(path) > layout.room:
            raise OSError(f"AF_UNIX path too long: {path!r} has {len(path)} bytes, {layout.room} fit")
        return path
    if b"\0" in path:
        raise ValueError(f"embedded null byte in the Unix socket's path {path!r}")
    if len(path) >= layout.room:
        raise OSError(
            f"AF_UNIX path too long: {decode_path(path, layout)!r} has {len(path)} bytes, and a Unix"
            f" socket's path can have {layout.room - 1} here; samesock.unix_path(name) gives a short one"
        )
    return path


def _encoded(address: object, layout: Layout) -> bytes:
    if isinstance(address, str):
        return address.encode("utf-8", "surrogatepass") if layout.utf8 else os.fsencode(address)
    if isinstance(address, bytes):
        return address
    try:
        view = memoryview(address)  # type: ignore[arg-type]
    except TypeError:
        raise TypeError(f"a bytes-like object is required, not {type(address).__name__!r}") from None
    with view:
        if not view.c_contiguous:
            raise BufferError("memoryview: underlying buffer is not C-contiguous")
        return view.tobytes()


def refusal(path: bytes, *, binding: bool) -> str | None:
    """The errno's name for a name without a file, where every name must have one; `None` for a path.

    An abstract name is `EADDRNOTAVAIL`: the address is well formed, and this system has no such thing.
    Binding the empty name asks Linux for an abstract one, so it is the same; connecting to it is `EINVAL` on
    Linux, too.
    """
    if path[:1] == b"\0" or (not path and binding):
        return "EADDRNOTAVAIL"
    return None if path else "EINVAL"


def encode_unix(address: object, *, layout: Layout = LAYOUT) -> bytes:
    """The `sockaddr_un` for an address, exactly as long as the length to be passed with it.

    A path ends with its NUL; an abstract name does not, since a NUL there would be part of it.
    """
    path = unix_path(address, layout=layout)
    tail = path if path[:1] in (b"", b"\0") else path + b"\0"
    if layout.family == "=BB":
        return struct.pack(layout.family, 2 + len(tail), AF_UNIX) + tail
    return struct.pack(layout.family, AF_UNIX) + tail


def decode_unix(buffer: bytes, length: int, *, layout: Layout = LAYOUT) -> str | bytes:
    """The address in a `sockaddr_un` of `length` bytes, as the kernel says: `str`, or `bytes` for an abstract
    one.

    No name is `''`. A length greater than the buffer is the kernel's way of saying that it was cut: Linux
    counts a NUL that a path of 108 bytes has no room for. Winsock always says 110 and fills up with zeros,
    the BSDs may say 16.
    """
    path = bytes(buffer[2 : min(length, len(buffer), layout.size)])
    if layout.abstract and path[:1] == b"\0":
        return path
    return decode_path(path.partition(b"\0")[0], layout)


def decode_path(path: bytes, layout: Layout = LAYOUT) -> str:
    """A path's bytes as `str`. It never raises: a peer chooses its own name, and accept must survive any."""
    try:
        return path.decode("utf-8", "surrogatepass") if layout.utf8 else os.fsdecode(path)
    except UnicodeDecodeError:
        return path.decode("utf-8", "backslashreplace")
