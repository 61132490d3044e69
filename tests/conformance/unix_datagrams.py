"""Datagram sockets of one implementation, as the checks of Unix datagrams ask for them."""

from __future__ import annotations

import samesock

SECONDS = 20.0


def emulated() -> bool:
    """Whether samesock's datagram sockets are emulated here."""
    return samesock.features()["unix-dgram"] == "emulated"


class Datagrams:
    """Datagram sockets of one implementation."""

    def __init__(self, unix):
        self.unix = unix
        self.net = unix.net
        self.path = unix.path

    def socket(self, name=None):
        """A datagram socket, bound to a name if one is given; none of them waits for ever."""
        sock = self.unix.socket(self.net.SOCK_DGRAM)
        sock.settimeout(SECONDS)
        if name is not None:
            sock.bind(self.path(name))
        return sock

    def connected(self, target="r", name=None):
        """One that is connected to that name."""
        sock = self.socket(name)
        sock.connect(self.path(target))
        return sock

    def is_emulated(self):
        """Whether this implementation's are emulated."""
        return self.net is samesock and emulated()
