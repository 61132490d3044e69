"""A record in words: the columns that every rendering shows, as text without colour or width.

What must never be put here: a decision of how wide, how bright or whether at all.
"""

from __future__ import annotations

from samesock.fdtable.model import Address, OpenDescriptor, Peer, SocketInfo

VSOCK_ANY = 0xFFFFFFFF
HEADINGS = ("pid", "number", "kind", "access", "inh", "what")


def number(record: OpenDescriptor) -> str:
    """The number as the system's own tools write it: handles in hexadecimal, "-" for one that is not
    known.
    """
    return _number(record.number, record.space)


def _number(value: int, space: str) -> str:
    if value < 0:
        return "-"
    if space == "fd":
        return str(value)
    return f"{space} {value:#x}"


def address(family: str | None, value: Address | None) -> str:
    """An address as a person writes it: host:port, a path, "@name" for an abstract one, "unnamed"."""
    if value is None:
        return "-"
    if isinstance(value, str):
        if not value:
            return "unnamed"
        return printable("@" + value[1:] if value.startswith("\0") else value)
    if family == "AF_INET6" and len(value) == 2:
        return f"[{value[0]}]:{value[1]}"
    if family == "AF_PACKET":  # the rest of it is the protocol, which has been said, and a hardware address
        return printable(str(value[0])) or "every interface"
    if family == "AF_VSOCK":
        value = tuple("any" if part == VSOCK_ANY else part for part in value)
    return ":".join(printable(str(part)) for part in value)


def printable(text: str) -> str:
    """Text without anything that moves a cursor or hides a character: a path can hold any byte."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


def socket_words(info: SocketInfo) -> str:
    """Family, protocol, addresses, state and queues in one line."""
    family = (info.family or "socket").removeprefix("AF_")
    if info.family in ("AF_INET", "AF_INET6"):
        version = "6" if info.family == "AF_INET6" else ""
        words = [f"{info.protocol or (info.type or '').removeprefix('SOCK_')}{version}"]
    else:
        words = [family]
        if info.type is not None:
            words.append(info.type.removeprefix("SOCK_").lower())
        if info.protocol is not None:
            words.append(info.protocol)
    if info.local is not None:
        words.append(address(info.family, info.local))
    if info.remote is not None:
        words.append(f"-> {address(info.family, info.remote)}")
    if info.state is not None:
        words.append(info.state)
    if info.listening and info.backlog is not None:
        words.append(f"({info.queued or 0} of {info.backlog} queued)")
    if info.in_flight:
        words.append(f"({info.in_flight} descriptors in flight)")
    if info.transport == "emulated":
        words.append("emulated")
    return " ".join(words)


def peer_words(peer: Peer, mine: int) -> str:
    """Who has the other end, as seen from process `mine`."""
    where = "" if peer.pid in (None, mine) else f" of process {peer.pid}"
    if peer.number is None:
        return f"peer in process {peer.pid}" if peer.pid is not None else "peer unknown"
    if peer.pending:
        return f"not yet accepted by {_number(peer.number, peer.space)}{where}"
    return f"peer {_number(peer.number, peer.space)}{where}"


def what(record: OpenDescriptor) -> str:
    """The last column: the path or the addresses, then what else is known."""
    words = []
    if record.socket is not None:
        words.append(socket_words(record.socket))
    elif record.path is not None:
        words.append(printable(record.path) + (" (deleted)" if record.deleted else ""))
    if record.detail:
        words.append(printable(record.detail))
    if record.peer is not None:
        words.append(peer_words(record.peer, record.pid))
    if record.owner is not None:
        words.append(f"held by {printable(record.owner.text)}")
    if record.origin is not None and record.origin.frames:
        frame = record.origin.frames[0]
        words.append(f"opened {printable(frame.file)}:{frame.line}")
    if record.partial:
        words.append("unread: " + "; ".join(printable(part) for part in record.partial))
    return ", ".join(words)


def row(record: OpenDescriptor) -> tuple[str, ...]:
    """The cells of a record, under `HEADINGS`."""
    inheritable = {True: "yes", False: "no", None: "?"}[record.inheritable]
    return (
        str(record.pid), number(record), record.kind, record.access or "-", inheritable, what(record),
    )  # fmt: skip
