"""WSAIoctl's controls that make one socket fail as BSD's do: at once, or not at all.

Each is an option of some Windows only. Where it is not known the socket works all the same, so a failure to set it
is no failure; it is not tried again then, for the try alone is half of what making a socket costs under Wine. What
must never be put here: which socket needs what.
"""

from __future__ import annotations

import ctypes

from samesock.ffi import BOOL, DWORD
from samesock.ffi.ws2_32 import (
    SIO_TCP_INITIAL_RTO,
    SIO_UDP_CONNRESET,
    SIO_UDP_NETRESET,
    TCP_INITIAL_RTO_NO_SYN_RETRANSMISSIONS,
    TCP_INITIAL_RTO_PARAMETERS,
    TCP_INITIAL_RTO_UNSPECIFIED_RTT,
    WSAEOPNOTSUPP,
    ws2_32,
)

_NO_REPEAT = TCP_INITIAL_RTO_PARAMETERS(
    TCP_INITIAL_RTO_UNSPECIFIED_RTT, TCP_INITIAL_RTO_NO_SYN_RETRANSMISSIONS
)
_unknown: set[int] = set()
"""The controls that this system has said it does not know."""


def refuse_quickly(number: int) -> None:
    """Have connect's refusal come at once: Windows else repeats a refused SYN for about 2 s, even on loopback.

    It is an option of Windows 10 1709 and later; Wine has no need of it (a refusal comes at once there).
    """
    _control(number, SIO_TCP_INITIAL_RTO, _NO_REPEAT)


def report_unreachable(number: int, on: bool) -> None:
    """Whether a datagram socket's calls fail (10054) because an earlier datagram met a closed port."""
    _control(number, SIO_UDP_CONNRESET, BOOL(on))


def ignore_expired(number: int) -> None:
    """Have no call of a datagram socket fail (10052) because an earlier datagram's time to live ran out."""
    _control(number, SIO_UDP_NETRESET, BOOL(False))


def _control(number: int, code: int, value: ctypes.Structure | BOOL) -> None:
    if code in _unknown:
        return
    failed = ws2_32.WSAIoctl(
        number,
        code,
        ctypes.byref(value),
        ctypes.sizeof(value),
        None,
        0,
        ctypes.byref(DWORD()),
        None,
        None,
    )
    if failed and ws2_32.WSAGetLastError() == WSAEOPNOTSUPP:
        _unknown.add(code)
