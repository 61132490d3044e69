"""What a descriptor is: a number, and the table that it belongs to; and how an argument becomes one.

The two sides, `posix` and `windows`, have the same files with the same names; `system` imports are in the
public modules. What must never be put here: a call of the operating system.
"""

from __future__ import annotations

import errno
import socket
from typing import Any, Protocol

from samesock._errors import named_error
from samesock.fdtable.words import Space

GREATEST = 0x7FFFFFFF
"""No system gives a greater number: POSIX's are int, and of a HANDLE 32 bits alone count."""

_SPACES = ("fd", "socket", "handle")


class HasFileno(Protocol):
    """Anything that says its descriptor's number."""

    def fileno(self) -> int:
        """The number; negative once it is closed."""


Thing = int | HasFileno


class Descriptor(int):
    """A descriptor's number with the table that it belongs to.

    `space` is "fd" (POSIX's only table; the C runtime's on Windows), "socket" (a SOCKET) or "handle" (another
    HANDLE). It is an `int` wherever one is wanted, and equal to the plain number; two of different spaces are
    never equal. It owns nothing: dropping it closes nothing. Raises ValueError for a space of another name.

    Portability:
        Linux, macOS, FreeBSD: native, and the space is a remark. Windows: native.
    """

    space: Space

    def __new__(cls, value: int, space: Space = "fd") -> Descriptor:  # noqa: PYI034  (typing has no Self in 3.10)
        """The number `value` of the table `space`."""
        if space not in _SPACES:
            raise ValueError(f"a descriptor's space is one of {', '.join(_SPACES)}, not {space!r}")
        self = super().__new__(cls, value)
        self.space = space
        return self

    def fileno(self) -> int:
        """The number."""
        return int(self)

    def __eq__(self, other: object) -> bool:
        """The same number, and, where both say one, the same space."""
        if isinstance(other, Descriptor) and other.space != self.space:
            return False
        return int.__eq__(self, other) if isinstance(other, int) else NotImplemented

    def __ne__(self, other: object) -> bool:
        """Not `==`; int has its own."""
        equal = self.__eq__(other)
        return equal if equal is NotImplemented else not equal

    def __hash__(self) -> int:
        """The number's, since it equals the number."""
        return int.__hash__(self)

    def __getnewargs__(self) -> tuple[int, Space]:  # type: ignore[override]
        """For copy and pickle."""
        return int(self), self.space

    def __repr__(self) -> str:
        """As it is made."""
        return f"Descriptor({int(self)}, {self.space!r})"

    def __str__(self) -> str:
        """The number, as for any int."""
        return str(int(self))


def number_of(thing: Thing, tried: str) -> int:
    """The number behind an argument; `EBADF` if it cannot be one that is open, TypeError if it has none."""
    if isinstance(thing, int):
        number = int(thing)
    else:
        # A closed file raises ValueError for its fileno(), a closed socket gives -1: both are EBADF.
        closed = getattr(thing, "closed", False)
        number = -1 if closed is True else _asked(thing)
    if not 0 <= number <= GREATEST:
        raise named_error("EBADF", f"{tried} {thing!r}, which is not open")
    return number


def _asked(thing: Any) -> int:
    ask = getattr(thing, "fileno", None)
    if ask is None:
        raise TypeError(f"a descriptor is an int or an object with fileno(), not {type(thing).__name__}")
    number = ask()
    if not isinstance(number, int):
        raise TypeError(f"fileno() of {thing!r} gave {type(number).__name__}, not int")
    return number


def socket_object(thing: object) -> socket.socket | None:
    """The argument itself if it is a socket object, whose own methods keep more than the number does."""
    return thing if isinstance(thing, socket.socket) else None


def told(error: OSError, tried: str) -> OSError:
    """The same error, saying what was tried: class, errno and `winerror` stay."""
    number = error.errno if error.errno is not None else errno.EIO
    text = error.strerror or str(error)
    made = OSError(number, f"{text} ({tried})")
    code = getattr(error, "winerror", None)
    if code is not None:
        made.winerror = code  # type: ignore[attr-defined,unused-ignore]
    return made
