"""Control messages: what travels beside a datagram, in POSIX's form for the program and in Winsock's for the call.

Pure: bytes and tuples. A program sees the forms that Linux has (`IP_PKTINFO` is an interface and two addresses,
`IP_TOS` one byte), and its buffer is counted in those, so a size that is right on Linux is right here. The table below
says how each kind is turned into Winsock's. What must never be put here: a call of any kind, and what a socket of
`AF_UNIX` passes.
"""

from __future__ import annotations

import operator
import struct
from collections.abc import Callable, Iterable
from typing import Any, Final, NamedTuple

from samesock._errors import named_error
from samesock.winsock import names

Message = tuple[int, int, bytes]
"""Level, type, data: as `sendmsg` takes it and `recvmsg` gives it."""

_HEADER: Final = struct.Struct("Nii")  # WSACMSGHDR, and cmsghdr on Linux
_ALIGN: Final = struct.calcsize("P")
_LONGEST: Final = 2**31 - 1


class Received(NamedTuple):
    """What one call took."""

    size: int
    """How many bytes."""
    control: list[Message]
    truncated: bool
    """Whether the datagram was longer than the buffers."""
    control_lost: bool
    """Whether there were more control messages than room."""
    address: Any


NOTHING: Final = Received(0, [], truncated=False, control_lost=False, address=None)
"""The end of a stream."""

ROOM: Final = 1024
"""Bytes for what Winsock delivers beside a datagram; all kinds together take less than 300."""


def _aligned(size: int) -> int:
    return -(-size // _ALIGN) * _ALIGN


def _checked(length: int, name: str, around: int) -> int:
    """A length that leaves room for what is around the data: the sum must fit into a `socklen_t`."""
    number = operator.index(length)
    if not 0 <= number <= _LONGEST - around:
        raise OverflowError(f"{name}() argument out of range")
    return number


def CMSG_LEN(length: int, /) -> int:  # noqa: N802 -- the name is POSIX's
    """The size of a control message with `length` bytes of data, without padding behind it; `OverflowError` for
    a length that no message has.

    Portability:
        Linux, macOS, FreeBSD: native. Windows: emulated.

    References: RFC 3542, 20.3; Winsock `WSA_CMSG_LEN`.
    """
    return _HEADER.size + _checked(length, "CMSG_LEN", _HEADER.size)


def CMSG_SPACE(length: int, /) -> int:  # noqa: N802 -- the name is POSIX's
    """The room that a control message with `length` bytes of data takes in a buffer, padding included;
    `OverflowError` for a length that no message has.

    Portability:
        Linux, macOS, FreeBSD: native. Windows: emulated.

    References: RFC 3542, 20.3; Winsock `WSA_CMSG_SPACE`.
    """
    return _HEADER.size + _aligned(_checked(length, "CMSG_SPACE", _HEADER.size + _ALIGN))


class Kind(NamedTuple):
    """One kind of control message, in both forms."""

    name: str
    level: int
    posix: int
    """The type's number for the program: this platform's own."""
    winsock: tuple[int, ...]
    """The type's numbers in Winsock, the one that is sent first."""
    least: int
    """How many bytes Winsock delivers at the least."""
    to_posix: Callable[[bytes], bytes]
    to_winsock: Callable[[bytes], bytes]


def _same(data: bytes) -> bytes:
    return data


def _pktinfo_to_posix(data: bytes) -> bytes:
    """IN_PKTINFO is the address and the interface; in_pktinfo the interface, the local address, the address."""
    address, interface = struct.unpack_from("=4sI", data)
    return struct.pack("=I4s4s", interface, address, address)


def _pktinfo_to_winsock(data: bytes) -> bytes:
    """What is sent is ipi_spec_dst: the source address."""
    interface, source, _ = _unpacked("=I4s4s", data, "IP_PKTINFO")
    return struct.pack("=4sI", source, interface)


def _pktinfo6_to_winsock(data: bytes) -> bytes:
    return struct.pack("=16sI", *_unpacked("=16sI", data, "IPV6_PKTINFO"))


def _byte_to_posix(data: bytes) -> bytes:
    """Winsock's int as one byte, which is what Linux and FreeBSD give for the type of service."""
    return bytes([int.from_bytes(data[:4], _order) & 0xFF])


def _tos_to_winsock(data: bytes) -> bytes:
    if len(data) == 1:
        return struct.pack("=i", data[0])
    return _number(data, "IP_TOS", 0, 255)


def _ttl_to_winsock(data: bytes) -> bytes:
    return _number(data, "IP_TTL", 1, 255)


def _hops_to_winsock(data: bytes) -> bytes:
    return _number(data, "IPV6_HOPLIMIT", -1, 255)


def _class_to_winsock(data: bytes) -> bytes:
    return _number(data, "IPV6_TCLASS", -1, 255)


def _number(data: bytes, name: str, least: int, most: int) -> bytes:
    (value,) = _unpacked("=i", data, name)
    if not least <= value <= most:
        raise named_error("EINVAL", f"sending {name} of {value}; it is {least} to {most}")
    return data if value >= 0 else b""


def _unpacked(form: str, data: bytes, name: str) -> tuple[Any, ...]:
    if len(data) != struct.calcsize(form):
        raise named_error("EINVAL", f"sending {name} of {len(data)} bytes; it has {struct.calcsize(form)}")
    return struct.unpack(form, data)


_order: Final = "little" if struct.pack("=H", 1)[0] else "big"
_IP: Final = 0
_IPV6: Final = 41


KINDS: Final = (
    # What a program says, and what Winsock says: ws2ipdef.h has one number for asking and for being told, where
    # RFC 3542 and Linux have two; a datagram's time to live is IP_TTL or IP_HOPLIMIT there (4, 21).
    Kind("IP_PKTINFO", _IP, names.number("IP_PKTINFO"), (19,), 8, _pktinfo_to_posix, _pktinfo_to_winsock),
    Kind("IP_TTL", _IP, names.number("IP_TTL"), (4, 21), 4, _same, _ttl_to_winsock),
    Kind("IP_TOS", _IP, names.number("IP_TOS"), (3,), 4, _byte_to_posix, _tos_to_winsock),
    Kind("IPV6_PKTINFO", _IPV6, names.number("IPV6_PKTINFO"), (19,), 20, _same, _pktinfo6_to_winsock),
    Kind("IPV6_HOPLIMIT", _IPV6, names.number("IPV6_HOPLIMIT"), (21,), 4, _same, _hops_to_winsock),
    Kind("IPV6_TCLASS", _IPV6, names.number("IPV6_TCLASS"), (39,), 4, _same, _class_to_winsock),
)

_BY_POSIX: Final = {(kind.level, kind.posix): kind for kind in KINDS}
_BY_WINSOCK: Final = {(kind.level, number): kind for kind in KINDS for number in kind.winsock}


def kind_of(level: int, number: int) -> Kind:
    """The kind that a program means. `OSError` (EINVAL) for one that no datagram has, as Linux says."""
    kind = _BY_POSIX.get((level, number))
    if kind is None:
        raise named_error("EINVAL", f"sending a control message of level {level} and type {number}")
    return kind


def encode(messages: Iterable[tuple[Kind, bytes]]) -> bytes:
    """Winsock's buffer for what a program sends; a value that means "the default" needs no message."""
    made = bytearray()
    for kind, given in messages:
        data = kind.to_winsock(given)
        if data:
            made += _HEADER.pack(_HEADER.size + len(data), kind.level, kind.winsock[0])
            made += data.ljust(_aligned(len(data)), b"\0")
    return bytes(made)


def decode(buffer: bytes) -> list[Message]:
    """What Winsock delivered, in POSIX's form; a kind that is not in the table stays as it is.

    A header that lies about its length ends the list: nothing behind the buffer is ever read.
    """
    found: list[Message] = []
    start = 0
    while start + _HEADER.size <= len(buffer):
        length, level, number = _HEADER.unpack_from(buffer, start)
        if not _HEADER.size <= length <= len(buffer) - start:
            break
        data = buffer[start + _HEADER.size : start + length]
        kind = _BY_WINSOCK.get((level, number))
        if kind is None or len(data) < kind.least:
            found.append((level, number, data))
        else:
            found.append((level, kind.posix, kind.to_posix(data)))
        start += _aligned(length)
    return found


def fitted(messages: list[Message], size: int) -> tuple[list[Message], bool]:
    """What of the messages fits into a program's buffer of `size` bytes, and whether something did not.

    Linux's rule: the one that does not fit is cut, and those behind it are lost.
    """
    kept: list[Message] = []
    for level, number, data in messages:
        if size < _HEADER.size:
            return kept, True
        if size < _HEADER.size + len(data):
            kept.append((level, number, data[: size - _HEADER.size]))
            return kept, True
        kept.append((level, number, data))
        size -= min(size, _HEADER.size + _aligned(len(data)))
    return kept, False
