"""Constants of BSD's control messages that Windows' Python lacks, as data.

A number is Winsock's own where Winsock has the thing under another name: ws2ipdef.h has one number for asking for a
control message and for the message, where RFC 3542 has two. What must never be put here: a name that the interpreter
has itself, and one that every platform has in samesock (`_constants`).
"""

from __future__ import annotations

import _socket
from typing import Final

from samesock.unix import choosing

WINDOWS: Final = {
    "IPV6_DONTFRAG": 14,  # ws2ipdef.h, as all of these
    "IPV6_HOPLIMIT": 21,
    "IPV6_PKTINFO": 19,
    "IPV6_RECVHOPLIMIT": 21,
    "IPV6_RECVPKTINFO": 19,
    "IPV6_RECVTCLASS": 40,
    "IPV6_TCLASS": 39,
    "IP_PKTINFO": 19,
    "IP_RECVTOS": 40,
    "IP_RECVTTL": 21,
}
"""What `samesock` has on Windows under these names, whatever the version of Python."""

LINUX: Final = {"IP_PKTINFO": 8, "IP_RECVTTL": 12, "IP_RECVTOS": 13}
"""What some versions of Python do not name on Linux, where this package is tested."""


def number(name: str) -> int:
    """This platform's number: the interpreter's, or the table's."""
    found = getattr(_socket, name, None)
    if found is None:
        found = (WINDOWS if choosing.over_winsock() else LINUX)[name]
    return int(found)


def added() -> dict[str, int]:
    """The names that this interpreter lacks and `samesock` has: none where the sockets are not Winsock's."""
    if not choosing.over_winsock():
        return {}
    return {name: number for name, number in WINDOWS.items() if not hasattr(_socket, name)}
