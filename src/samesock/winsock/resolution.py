"""getaddrinfo(), with POSIX's answers: one entry for each type of socket, and errors by their EAI_ names.

Winsock gives an entry of type 0 where no type was asked for, this machine's addresses for an empty host name, and
ignores flags that it does not know. So it is asked for addresses alone; types and services are put to them here, as
glibc's table has them. What must never be put here: connecting to what was found.
"""

from __future__ import annotations

import _socket
from socket import AddressFamily, SocketKind
from typing import Any, NamedTuple

from samesock import _call_arguments, _errors
from samesock.winsock.calls import calls


class _Kind(NamedTuple):
    """One type of socket, its protocol, and the name that services have it under; `None` for any protocol."""

    type: int
    proto: int | None
    name: str | None


_KINDS = (
    _Kind(_socket.SOCK_STREAM, _socket.IPPROTO_TCP, "tcp"),
    _Kind(_socket.SOCK_DGRAM, _socket.IPPROTO_UDP, "udp"),
    _Kind(_socket.SOCK_RAW, None, None),
)

_POSIX_FLAGS = (
    _socket.AI_PASSIVE
    | _socket.AI_CANONNAME
    | _socket.AI_NUMERICHOST
    | _socket.AI_NUMERICSERV
    | _socket.AI_ALL
    | _socket.AI_ADDRCONFIG
    | _socket.AI_V4MAPPED
)
_WINSOCK_FLAGS = 0x1FF000 & ~_POSIX_FLAGS
"""ws2def.h's own, from AI_NON_AUTHORITATIVE to AI_RESOLUTION_HANDLE: they stay Winsock's."""


def getaddrinfo(  # noqa: PLR0917 -- the standard library's
    host: bytes | str | None,
    port: bytes | str | int | None,
    family: int = 0,
    type: int = 0,
    proto: int = 0,
    flags: int = 0,
) -> list[tuple[Any, Any, int, str, Any]]:
    """The addresses of a host and a service: a list of `(family, type, proto, canonname, address)`.

    Arguments are those of the standard library's function. With no type asked for there is an entry for each of
    SOCK_STREAM, SOCK_DGRAM and SOCK_RAW. Raises `gaierror`, its errno one of the EAI_ names.

    Portability:
        Linux, macOS, FreeBSD: native. Windows: native, entries and errors made equal.

    References: POSIX `getaddrinfo`; Winsock `getaddrinfo`.
    """
    tried = f"looking up {host!r}, {port!r}"
    if port is not None and not isinstance(port, (str, bytes, int)):
        raise OSError("Int or String expected")
    family, type, proto, flags = map(_call_arguments.number, (family, type, proto, flags))  # noqa: A001
    if flags & ~(_POSIX_FLAGS | _WINSOCK_FLAGS):
        raise _errors.gai_error("EAI_BADFLAGS", tried)
    if host in ("", b""):
        raise _errors.gai_error("EAI_NONAME", tried)
    kinds = _kinds(type, proto, tried)
    service = _number(port)
    if service is None and flags & _socket.AI_NUMERICSERV:
        raise _errors.gai_error("EAI_NONAME", tried)
    ports = _ports(kinds, port, service, tried)
    found = _addresses(host, None if port is None else 0, family, flags & ~_socket.AI_NUMERICSERV, tried)
    entries: list[tuple[Any, Any, int, str, Any]] = []
    for where, name, plain in found:
        for kind, number in ports:
            given = "" if entries else name
            address = (plain[0], number, *plain[2:])
            entries.append(
                (
                    _member(AddressFamily, where),
                    _member(SocketKind, kind.type),
                    _proto(kind, proto),
                    given,
                    address,
                )
            )
    return entries


def _kinds(type: int, proto: int, tried: str) -> list[_Kind]:
    """The kinds that fit; of a type or protocol that was asked for, the first."""
    fit = [kind for kind in _KINDS if type in (0, kind.type) and (not proto or kind.proto in (None, proto))]
    if not fit:
        raise _errors.gai_error("EAI_SOCKTYPE" if type else "EAI_SERVICE", tried)
    return fit[:1] if type or proto else fit


def _number(port: bytes | str | int | None) -> int | None:
    """The port's number; `None` for the name of a service."""
    if port is None or isinstance(port, int):
        # glibc's: it reads the number as text, and asks for a service of the name of one below 0 or too long.
        return port or 0 if port is None or 0 <= port < 1 << 64 else None
    text = port.decode("ascii", "replace") if isinstance(port, bytes) else port
    if not text:
        return 0
    return int(text) if text.isascii() and text.isdigit() else None


def _ports(
    kinds: list[_Kind], port: bytes | str | int | None, number: int | None, tried: str
) -> list[tuple[_Kind, int]]:
    """The kinds that have the service, and its port for each."""
    if number is not None:
        return [(kind, number & 0xFFFF) for kind in kinds]
    name = port.decode("ascii", "replace") if isinstance(port, bytes) else str(port)
    found = []
    for kind in kinds:
        if kind.name is not None:
            try:
                found.append((kind, calls.getservbyname(name, kind.name)))
            except OSError:
                continue
    if not found:
        raise _errors.gai_error("EAI_SERVICE", tried)
    return found


def _addresses(
    host: bytes | str | None, port: int | None, family: int, flags: int, tried: str
) -> list[tuple[int, str, Any]]:
    """The host's addresses, each once: family, canonical name, address."""
    try:
        entries = calls.getaddrinfo(host, port, family, _socket.SOCK_STREAM, 0, flags)
    except _socket.gaierror as error:
        raise _errors.gai_error(_errors.GAI_NAMES.get(error.errno or 0, "EAI_FAIL"), tried) from None
    found: dict[tuple[int, Any], str] = {}
    for where, _, _, name, address in entries:
        found.setdefault((where, address), name)
    return [(where, name, address) for (where, address), name in found.items()]


def _proto(kind: _Kind, asked: int) -> int:
    return asked if kind.proto is None else kind.proto


def _member(enumeration: Any, number: int) -> Any:
    """The member, or the number where there is none, as the standard library has it."""
    try:
        return enumeration(number)
    except ValueError:
        return number
