"""Which event loop is a Proactor, and keeping one that nobody prepared from a socket that keeps messages whole.

A Proactor's own operations would read the raw bytes of the TCP or UDP socket underneath, a stranger's datagrams and
our framing among them. Two things keep it from that. A datagram or packet socket that is made, adopted or given a
blocking mode inside a running loop prepares that loop. And the socket tells its number to no operation of asyncio's
proactor: those that are prepared never ask for it, so who asks is one that is not. What must never be put here: an
import of asyncio at the top (a program without coroutines uses this module), an operation, streams.
"""

from __future__ import annotations

import sys
from typing import Any

from samesock._errors import named_error
from samesock.unix.calls import calls

_OVERLAPPED = "asyncio.windows_events"
"""The module whose functions hand a socket's number to `_overlapped`, in all versions since 3.4."""


def proactor_of(loop: Any) -> Any:
    """The proactor of asyncio's own Proactor loop, `None` of every other loop."""
    proactor = getattr(loop, "_proactor", None)
    return proactor if hasattr(proactor, "_iocp") else None


def prepare_running() -> None:
    """Let the Proactor loop that runs in this thread, if one does, serve Unix sockets."""
    events = sys.modules.get("asyncio.events")
    if events is None:
        return
    proactor = proactor_of(events._get_running_loop())  # noqa: SLF001 -- what get_running_loop() asks, without its error
    if proactor is not None:
        from samesock._aio_proactor import prepare

        prepare(proactor)


class LoopMethods:
    """The methods of a socket that keeps messages whole by which a loop first touches it."""

    __slots__ = ()

    def fileno(self: Any) -> int:
        # The caller's frame is the one thing that tells an overlapped operation from a select(), and refusing here is
        # what holds each time: asyncio remembers a socket whose registration has failed as registered. 0.2 us.
        if sys._getframe(1).f_globals.get("__name__") == _OVERLAPPED:  # noqa: SLF001 -- the standard library's own use
            prepare_running()
            raise named_error(
                "EOPNOTSUPP",
                "a Proactor's overlapped operation on an emulated Unix socket that was made outside of its loop; "
                "the loop is prepared from now on, and samesock.aio or install() prepares it before",
            )
        return calls.fileno(self)

    def setblocking(self: Any, flag: Any, /) -> None:
        LoopMethods.settimeout(self, None if flag else 0.0)

    def settimeout(self: Any, value: Any, /) -> None:
        prepare_running()
        if calls.fileno(self) < 0:  # Winsock would say ENOTSOCK
            raise named_error("EBADF", "setting the time-out of a closed socket")
        calls.settimeout(self, value)
