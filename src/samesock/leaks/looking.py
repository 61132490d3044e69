"""A descriptor's record and its name in one line, asked of the descriptor table only once something is wrong.

What must never be put here: judgement, and any question to the system that the table does not answer itself.
"""

from __future__ import annotations

from dataclasses import replace

from samesock import fdtable
from samesock.fdtable import Identity, Key
from samesock.fdtable.model import Address, OpenDescriptor, SocketInfo
from samesock.fdtable.words import Kind

PROTOCOL_FAMILIES = {"AF_INET": "", "AF_INET6": "6"}

UNBOUND = ("0.0.0.0:0", "[::]:0")
"""What the kernel calls the address of a socket that has none."""


def look(key: Key, identity: Identity) -> OpenDescriptor:
    """The table's record of an open descriptor; a bare one, with the reason in `partial`, when it cannot be
    had.

    A descriptor can be closed by a thread between two looks, so every failure means only that less is
    known.
    """
    space, number = key
    try:
        record = fdtable.describe(number, space)
    except (OSError, ValueError) as failure:
        reason = f"record: {failure}"
        return OpenDescriptor(number, space, guess_kind(key), identity, -1, partial=(reason,))
    return replace(record, identity=identity)


def guess_kind(key: Key) -> Kind:
    """The kind of a descriptor about which nothing else could be learned."""
    return "socket" if key[0] == "socket" else "other"


def number_text(key: Key) -> str:
    """A descriptor's number as its users write it: handles in hexadecimal."""
    space, number = key
    return f"handle {number:#x}" if space == "handle" else f"{space} {number}"


def address_text(address: Address | None) -> str:
    """An address as it is written in logs; "" for none."""
    if address is None:
        return ""
    if isinstance(address, str):
        return "@" + address[1:] if address.startswith("\0") else address
    if len(address) < 2:
        return str(address)
    host, port = str(address[0]), address[1]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def label(record: OpenDescriptor) -> str:
    """What a descriptor is, in one line: "TCP 127.0.0.1:53412 -> 127.0.0.1:8443 ESTABLISHED", "file
    /tmp/x"."""
    if record.socket is not None:
        return _socket_label(record.socket)
    words: list[str] = [record.kind if record.kind != "other" else "descriptor"]
    if record.path and record.kind not in ("pipe", "epoll", "eventfd", "anon"):
        words.append(record.path + (" (deleted)" if record.deleted else ""))
    elif record.detail:
        words.append(f"({record.detail})")
    return " ".join(words)


def _socket_label(info: SocketInfo) -> str:
    family = info.family or "socket"
    if family in PROTOCOL_FAMILIES:
        words = [(info.protocol or "IP") + PROTOCOL_FAMILIES[family]]
    elif family == "AF_UNIX":
        words = [
            "AF_UNIX",
            "" if info.type in (None, "SOCK_STREAM") else info.type.removeprefix("SOCK_").lower(),
        ]
    else:
        words = [family, info.protocol or ""]
    local, remote = address_text(info.local), address_text(info.remote)
    if local in UNBOUND:
        local = ""
    if remote:
        words.append(f"{local} -> {remote}" if local else f"-> {remote}")
    else:
        words.append(local)
    if info.listening:
        words.append("listening")
    elif info.state and info.state not in ("UNCONNECTED", "CLOSE"):
        words.append(info.state)
    elif not local and not remote:
        words.append("unbound")
    return " ".join(word for word in words if word)
