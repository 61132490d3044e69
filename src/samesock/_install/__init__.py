"""install() and uninstall(): Unix sockets in the standard library itself, for programs that do not know of us.

This module keeps the order and the promise of all or nothing; what is changed is in the modules beside it, one for
each part of the standard library. What must never be put here: a method of a socket, or of a loop.
"""

from __future__ import annotations

import threading

from samesock._install.patches import Patches
from samesock.unix import choosing

_lock = threading.RLock()
_patches: Patches | None = None


def needed() -> bool:
    """Whether anything is to be filled in: on Windows always (asyncio), elsewhere when the emulation is forced."""
    import sys

    return sys.platform == "win32" or not choosing.kernel_does_all()


def installed() -> bool:
    """Whether install() is in force and has changed something."""
    return _patches is not None


def install() -> None:
    """Give the standard library Unix sockets where the interpreter lacks them, for every program in this process.

    Afterwards `socket.AF_UNIX`, `asyncio.start_unix_server`, `socketserver.UnixStreamServer` and the rest are there,
    with the behaviour they have on Linux. Names that the interpreter has are left as they are; INET sockets keep
    their C methods for data. All or nothing: if a part fails, nothing is changed. Calling it again changes nothing.

    Programs that look for the names when they are imported must be imported after it: see `samesock run`.

    Portability:
        Windows: native or emulated, as `samesock.socket`. Linux, macOS, FreeBSD: native, so there is nothing to do,
        unless `SAMESOCK_UNIX=emulated`.
    """
    global _patches  # noqa: PLW0603 -- one process has one standard library
    with _lock:
        if _patches is not None or not needed():
            return
        from samesock._install import constants, eventloops, files, processes, servers, sockets

        patches = Patches()
        try:
            # The constant comes last: who finds AF_UNIX finds all the rest.
            for part in (sockets, files, eventloops, processes, servers, constants):
                part.apply(patches)
        except BaseException:
            patches.undo()
            raise
        _patches = patches


def uninstall() -> None:
    """Take everything back. Unix sockets that are open become `samesock.socket`, and go on working.

    Portability:
        Linux, macOS, FreeBSD, Windows: native.
    """
    global _patches
    with _lock:
        if _patches is None:
            return
        from samesock._install import eventloops, sockets

        patches, _patches = _patches, None
        # Before, so that no open socket is ever without its methods; after, for those made in between.
        sockets.keep_alive()
        eventloops.keep_alive()
        patches.undo()
        sockets.keep_alive()
