"""What a control message is worth on this machine: each kind is sent once, over loopback, to see whether it arrives.

A system may take control messages and drop them in silence: Wine's WSASendMsg does. A program that pins a datagram's
source, or its hop limit, must not be told that this was done. So a kind that is dropped is refused with EOPNOTSUPP.
The answer is remembered. What must never be put here: the forms of control messages (`control`).
"""

from __future__ import annotations

import _socket
import contextlib
import functools
import struct
from typing import Any, Final, NamedTuple

from samesock._errors import named_error
from samesock.winsock import control, names, sockaddr, waiting
from samesock.winsock.calls import calls

SECONDS: Final = 2.0
"""How long a datagram over loopback may take; it takes microseconds."""


class Trial(NamedTuple):
    """How a kind's arrival is seen."""

    family: int
    data: bytes
    """What is sent beside the datagram."""
    option: int | None
    """The option that has the receiver told; `None` where the sender's address tells."""
    seen: Any
    """The data that comes back, or the host that the datagram is from."""


_INT: Final = struct.Struct("=i")
_IP: Final = 0
_V4: Final = int(_socket.AF_INET)
_V6: Final = int(_socket.AF_INET6)

TRIALS: Final[dict[str, Trial]] = {
    "IP_PKTINFO": Trial(
        _V4, struct.pack("=I4s4s", 0, _socket.inet_aton("127.0.0.2"), bytes(4)), None, "127.0.0.2"
    ),
    "IP_TTL": Trial(_V4, _INT.pack(37), names.number("IP_RECVTTL"), _INT.pack(37)),
    "IP_TOS": Trial(_V4, _INT.pack(0x28), names.number("IP_RECVTOS"), b"\x28"),
    # ::1 is the one address of loopback: who sends a hop limit is believed to send the source, too.
    "IPV6_PKTINFO": Trial(_V6, _INT.pack(37), names.number("IPV6_RECVHOPLIMIT"), _INT.pack(37)),
    "IPV6_HOPLIMIT": Trial(_V6, _INT.pack(37), names.number("IPV6_RECVHOPLIMIT"), _INT.pack(37)),
    "IPV6_TCLASS": Trial(_V6, _INT.pack(0x28), names.number("IPV6_RECVTCLASS"), _INT.pack(0x28)),
}
_STANDS_FOR: Final = {"IPV6_PKTINFO": "IPV6_HOPLIMIT"}


def encoded(family: int, messages: list[control.Message]) -> bytes:
    """Winsock's buffer for the control messages of a datagram. `OSError` for one that would be lost."""
    if not messages:
        return b""
    kinds = [(control.kind_of(level, number), data) for level, number, data in messages]
    made = control.encode(kinds)
    for kind, _ in kinds:
        if family != TRIALS[kind.name].family:
            raise named_error("EINVAL", f"sending {kind.name} from a socket of family {family}")
        if not arrives(kind.name):
            raise named_error("EOPNOTSUPP", f"sending {kind.name} beside a datagram: this system drops it")
    return made


@functools.cache
def arrives(name: str) -> bool:
    """Whether that kind, sent beside a datagram, is obeyed here."""
    trial = TRIALS[name]
    kind = next(kind for kind in control.KINDS if kind.name == _STANDS_FOR.get(name, name))
    try:
        return _tried(trial, kind)
    except OSError:
        return False


def _tried(trial: Trial, kind: control.Kind) -> bool:
    host = "127.0.0.1" if trial.family == _V4 else "::1"
    with (
        contextlib.closing(_socket.socket(trial.family, _socket.SOCK_DGRAM)) as receiver,
        contextlib.closing(_socket.socket(trial.family, _socket.SOCK_DGRAM)) as sender,
    ):
        calls.bind(receiver, (host, 0))
        if trial.option is not None:
            calls.setsockopt(receiver, kind.level, trial.option, 1)
        target = sockaddr.encode(trial.family, calls.getsockname(receiver)[:2])
        calls.send_message(sender, [memoryview(b"?")], control.encode([(kind, trial.data)]), 0, target)
        if not waiting.readable(receiver, SECONDS):
            return False
        buffer = bytearray(1)
        got = calls.receive_message(receiver, [memoryview(buffer)], control.ROOM, 0)
    if trial.option is None:
        return bool(got.address[0] == trial.seen)
    return (kind.level, kind.posix, trial.seen) in got.control
