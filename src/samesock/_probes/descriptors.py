"""Probes of descriptors as such: handing one to a child, listing them.

What must never be put here: a child.
"""

from __future__ import annotations

import socket as _stdlib
from collections.abc import Callable
from typing import Any

from samesock import _socket
from samesock._probes import Support


def inherit() -> Support:
    """What a child would have: a descriptor without the close-on-exec flag, or a handle that Winsock did not make.

    The second is Windows' way; Wine's ws2_32 refuses a handle that it does not know.
    """
    with _socket.socket(_stdlib.AF_INET, _stdlib.SOCK_STREAM) as sock:
        sock.bind(("127.0.0.1", 0))
        sock.set_inheritable(True)
        if not sock.get_inheritable():
            return "absent"
        duplicate = _duplicate_handle(sock.fileno())
        if duplicate is not None:
            handle, close = duplicate
            try:
                twin = _stdlib.socket(_stdlib.AF_INET, _stdlib.SOCK_STREAM, 0, fileno=handle)
            except OSError:
                close()
                raise
            try:
                is_same = twin.getsockname() == sock.getsockname()
                twin.close()
            except OSError:
                twin.detach()
                close()  # Wine's Winsock tells such a handle's name, and refuses to close it
                raise
            if not is_same:
                return "absent"
    return "native"


def _duplicate_handle(number: int) -> tuple[int, Callable[[], None]] | None:
    """A duplicate that the kernel makes behind Winsock's back, and how to close it; `None` without handles."""
    try:
        import _winapi
    except ImportError:
        return None
    api: Any = _winapi
    here = api.GetCurrentProcess()
    handle = api.DuplicateHandle(here, number, here, 0, False, api.DUPLICATE_SAME_ACCESS)
    return handle, lambda: api.CloseHandle(handle)


def fdtable() -> Support:
    """A source of the table that lists a descriptor which is known to be open."""
    try:
        from samesock.fdtable import providers

        providers.own()
    except ImportError:
        return "absent"
    return "native"
