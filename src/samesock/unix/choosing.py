"""Which AF_UNIX this process uses: the kernel's, Winsock's own, or the emulation.

The choice is made once, by doing (a socket, bind, listen, connect, a byte across), never by a system's name or build
number; `SAMESOCK_UNIX=native` or `emulated` forces it. What must never be put here: how any of them works.
"""

from __future__ import annotations

import _socket
import functools
import os
from typing import Literal

Transport = Literal["kernel", "native", "emulated"]
"""`kernel`: the interpreter's own sockets do all. `native`: the kernel's, where the interpreter's own do not."""

VARIABLE = "SAMESOCK_UNIX"


def forced() -> str | None:
    """What the environment asks for, `None` if nothing. ValueError for what is neither."""
    asked = os.environ.get(VARIABLE, "")
    value = asked.strip().lower()
    if not value:
        return None
    if value not in ("native", "emulated"):
        raise ValueError(
            f"the environment variable {VARIABLE} is {asked!r}; it can be 'native' or 'emulated'"
        )
    return value


def interpreter_has_unix() -> bool:
    """Whether this interpreter's own sockets speak AF_UNIX."""
    return hasattr(_socket, "AF_UNIX")


def over_winsock() -> bool:
    """Whether this interpreter's sockets are Winsock's."""
    return hasattr(_socket.socket, "share")


def kernel_does_all() -> bool:
    """Whether a Unix socket is simply the interpreter's own here, so that no method needs another one."""
    return interpreter_has_unix() and forced() != "emulated"


@functools.lru_cache(maxsize=1)
def transport() -> Transport:
    """The transport of new AF_UNIX sockets in this process."""
    wanted = forced()
    if wanted == "emulated":
        return _emulated(f"{VARIABLE} asks for it")
    if interpreter_has_unix():
        return "kernel"
    if wanted == "native":
        return "native"
    from samesock.backend import system
    from samesock.unix import native

    if native.works(system.private_directory()):
        return "native"
    return _emulated("the system's own AF_UNIX is absent or does not work in this user's directory")


def _emulated(why: str) -> Transport:
    import logging

    logging.getLogger("samesock").info("AF_UNIX sockets are emulated: %s", why)
    return "emulated"
