"""Which process has the other end of a connection, and so takes what is passed over it.

The system's table of connections is read for each message: the end may have been given to another process meanwhile,
and nothing tells. A row counts only if this end still had its connection after the look (`credentials`): so the look
that follows the opening of a process proves that it has the other end, and no stranger has the peer's addresses. What
is kept is the process, open, so that its number stays its own. What must never be put here: what is passed, and how.
"""

from __future__ import annotations

import _socket
from typing import Any, Final

from samesock._errors import named_error
from samesock.backend import system
from samesock.unix import End

_TRIED: Final = "passing descriptors"


class OtherEnd:
    """The process at one connection's other end; asked by one thread at a time."""

    __slots__ = ("_taker", "holder")

    def __init__(self) -> None:
        self.holder: tuple[int, int | None] | None = None
        """The process that has the other end, and when it started, where this one has handed it there, or has seen it
        when the connection was made."""
        # A `samesock.backend.Taker`; each backend's offer takes its own.
        self._taker: Any = None

    def taker(self, sock: _socket.socket, end: End) -> Any:
        """The process that has it now, open; the same object for as long as it is the same one."""
        pid = self._pid(sock, end)
        known = self._taker
        if known is not None and known.pid == pid:
            return known
        taker = system.passing.taker(pid)
        try:
            # Between the look and the opening it may have ended, and another one may have its number. Now that one is
            # open, and keeps it: so a second look is about this very process.
            if self.holder is not None:
                same = taker.start in (0, self.holder[1])
            else:
                same = not system.passing.NEEDS_TARGET or self._pid(sock, end) == pid
            if not same:
                raise named_error("EPIPE", f"{_TRIED}: process {pid} is another one by now")
        except BaseException:
            taker.close()
            raise
        self._taker = taker
        if known is not None:
            known.close()
        return taker

    def _pid(self, sock: _socket.socket, end: End) -> int | None:
        if self.holder is not None:
            pid, start = self.holder
            known = self._taker is not None and (self._taker.pid, self._taker.start) == self.holder
            if not known and system.start_time(pid) != start:
                raise named_error("EPIPE", f"{_TRIED}: process {pid}, which had the other end, has ended")
            return pid
        try:
            peer = end.peercred(sock)
        except OSError:
            return None
        if peer.trust == "claimed":
            # A client could have the descriptors put into whatever process it names, and leave.
            raise named_error("EPIPE", f"{_TRIED}: the kernel knows no process that has the other end")
        return peer.pid

    def close(self) -> None:
        """Let go of it."""
        taker, self._taker = self._taker, None
        if taker is not None:
            taker.close()
