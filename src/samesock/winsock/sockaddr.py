"""Internet addresses as Winsock's structures, to and from Python's tuples.

C does this inside its own methods; calls that are made without C need it here. A host that is no number is asked of
`getaddrinfo`, as C does. What must never be put here: Unix addresses (`samesock._address`), a call on a socket.
"""

from __future__ import annotations

import _socket
import operator
import struct
from typing import Any, Final

from samesock._errors import named_error

SIZE: Final = 128
"""Room for any address: `sizeof(SOCKADDR_STORAGE)`."""

_IPV4: Final = struct.Struct("=H2s4s8x")  # the port's two bytes are the network's
_IPV6: Final = struct.Struct("=H2s4s16sI")  # so are the flow's four; the scope is a plain number


def encode(family: int, address: Any, method: str = "sendmsg") -> bytes:
    """The structure for a destination. The unspecified address becomes loopback: BSD reaches it that way.

    Raises what C raises for an address of the wrong shape, `gaierror` for a host that nobody knows.
    """
    if family == _socket.AF_INET:
        host, port = _parts(method, "AF_INET", address, (2,), "a pair (host, port)")
        packed = _host(family, host)[0]
        return _IPV4.pack(family, port, b"\x7f\0\0\1" if packed == bytes(4) else packed)
    if family == _socket.AF_INET6:
        text = "a tuple (host, port[, flowinfo[, scopeid]])"
        host, port, flow, scope = (*_parts(method, "AF_INET6", address, (2, 3, 4), text), 0, 0)[:4]
        if not 0 <= flow <= 0xFFFFF:
            raise OverflowError("flowinfo must be 0-1048575.")
        packed, found = _host(family, host)
        packed = bytes(15) + b"\1" if packed == bytes(16) else packed
        return _IPV6.pack(family, port, flow.to_bytes(4, "big"), packed, scope or found)
    raise named_error("EAFNOSUPPORT", f"sending a message to an address of family {family}")


def decode(raw: bytes) -> Any:
    """The tuple for a structure that the system filled in; `None` for none, which is how a stream says nothing."""
    if len(raw) < 2:
        return None
    family = int.from_bytes(raw[:2], _order)
    if family == _socket.AF_INET and len(raw) >= _IPV4.size:
        _, port, host = _IPV4.unpack_from(raw)
        return _socket.inet_ntop(_socket.AF_INET, host), int.from_bytes(port, "big")
    if family == _socket.AF_INET6 and len(raw) >= _IPV6.size:
        _, port, flow, host, scope = _IPV6.unpack_from(raw)
        text = _socket.inet_ntop(_socket.AF_INET6, host)
        return text, int.from_bytes(port, "big"), int.from_bytes(flow, "big"), scope
    return family, raw[2:]  # as C gives what it does not know


_order: Final = "little" if struct.pack("=H", 1)[0] else "big"


def _parts(method: str, family: str, address: Any, sizes: tuple[int, ...], wanted: str) -> tuple[Any, ...]:
    if not isinstance(address, tuple):
        raise TypeError(f"{method}(): {family} address must be tuple, not {type(address).__name__}")
    if len(address) not in sizes:
        raise TypeError(f"{family} address must be {wanted}")
    port = operator.index(address[1])
    if not 0 <= port <= 0xFFFF:
        raise OverflowError(f"{method}(): port must be 0-65535.")
    return address[0], port.to_bytes(2, "big"), *address[2:]


def _host(family: int, host: Any) -> tuple[bytes, int]:
    """The address's bytes, and the scope that its name carries."""
    if isinstance(host, (bytes, bytearray)):
        host = bytes(host).decode("ascii")
    if not isinstance(host, str):
        raise TypeError(f"str, bytes or bytearray expected, not {type(host).__name__}")
    if host == "":
        return bytes(4 if family == _socket.AF_INET else 16), 0
    if host == "<broadcast>" and family == _socket.AF_INET:
        return b"\xff" * 4, 0
    try:
        return _socket.inet_pton(family, host), 0
    except OSError:
        found = _socket.getaddrinfo(host, None, family)[0][4]
    numbers, _, _ = str(found[0]).partition("%")
    return _socket.inet_pton(family, numbers), int(found[3]) if len(found) > 3 else 0
