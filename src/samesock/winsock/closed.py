"""What each method says of a closed socket where C's knows -1 for a number like any other: EBADF, as POSIX has it.

Winsock answers WSAENOTSOCK of number -1, and the functions of Windows for handles take it for the process itself: it
could be asked whether it is inherited. What must never be put here: a method that does more than hand its call on.
"""

from __future__ import annotations

import _socket
import operator
import socket as _stdlib
from typing import Any

from samesock.unix.dispatch import Methods, ShareMethods
from samesock.winsock.calls import calls
from samesock.winsock.failing import check_open, told

_get_inheritable = _stdlib.socket.get_inheritable


class ClosedMethods:
    """See the module's head. Each method's promise is the standard library's on POSIX."""

    __slots__ = ()

    def settimeout(self: Any, value: float | None, /) -> None:
        try:
            calls.settimeout(self, value)
        except OSError as error:
            raise told(self, error, "setting the time-out") from None

    def setblocking(self: Any, flag: bool, /) -> None:
        try:
            calls.setblocking(self, flag)
        except OSError as error:
            raise told(self, error, "setting whether it blocks") from None

    def get_inheritable(self: Any) -> bool:
        check_open(self)
        return _get_inheritable(self)

    def set_inheritable(self: Any, inheritable: bool, /) -> None:
        check_open(self)
        Methods.set_inheritable(self, bool(operator.index(inheritable)))


class ClosedWindowsMethods:
    """The same of the methods that Windows' Python alone has."""

    __slots__ = ()

    def share(self: Any, process_id: int, /) -> bytes:
        check_open(self)
        return ShareMethods.share(self, process_id)

    def ioctl(self: Any, control: int, option: Any, /) -> Any:
        check_open(self)
        return calls.ioctl(self, control, option)


def method_classes() -> list[type]:
    """The classes for this interpreter."""
    return [ClosedMethods, ClosedWindowsMethods] if hasattr(_socket.socket, "share") else [ClosedMethods]
