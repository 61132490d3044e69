"""Announcing a proven client to whoever waits on the listener's descriptor: by a connection to oneself.

A client whose hello came late is out of the kernel's queue when it is proven, and the descriptor is not readable any
more. So the queue gets a connection that says nothing; accept() knows it by its address and drops it. What must never
be put here: hellos, and when to announce.
"""

from __future__ import annotations

import _socket
import errno
import os
from collections import deque

from samesock.unix.calls import calls

Address = tuple[str, int]

_UNDER_WAY = {0, errno.EINPROGRESS, errno.EWOULDBLOCK, errno.EAGAIN, 10035}


class Announcements:
    """The announcements that one process has under way at one listener."""

    def __init__(self, listener: Address) -> None:
        self._listener = listener
        self.open: dict[Address, _socket.socket] = {}
        """Those under way, by the address that accept() sees."""
        self._taken_back: deque[Address] = deque(maxlen=64)

    def make(self) -> None:
        """Connect to the listener, in the place of an earlier announcement. OSError if that cannot be."""
        self.take_back()
        tcp = calls.create(_socket.AF_INET, _socket.SOCK_STREAM, 0)
        try:
            calls.settimeout(tcp, 0.0)
            calls.bind(tcp, ("127.0.0.1", 0))
            code = calls.connect_ex(tcp, self._listener)
            if code not in _UNDER_WAY:
                raise OSError(code, os.strerror(code))
            self.open[calls.getsockname(tcp)] = tcp
        except BaseException:
            calls.close(tcp)
            raise

    def is_one(self, address: Address) -> bool:
        """Whether the connection from that address is an announcement; it is over then."""
        own = self.open.pop(address, None)
        if own is None:
            return False
        calls.close(own)
        return True

    def was_one(self, address: Address) -> bool:
        """Whether a connection from that address which ended without a byte was one that was taken back."""
        if address not in self._taken_back:
            return False
        self._taken_back.remove(address)
        return True

    def take_back(self) -> None:
        """Close what is under way; one that is still in the queue is known when it is accepted."""
        for own in self.open.values():
            calls.close(own)
        self._taken_back.extend(self.open)
        self.open.clear()
