"""TCP's states where the socket itself does not tell them, and sockets that cannot be read from outside: by
psutil.

psutil reads the kernel's own table of connections (GetExtendedTcpTable on Windows) and names a process for
each, but no descriptor: rows are found by their addresses. What must never be put here: sources other than
psutil.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from samesock.fdtable import processes
from samesock.fdtable.model import Address, OpenDescriptor, SocketInfo


@dataclass(frozen=True, slots=True)
class Row:
    """One connection as psutil lists it."""

    number: int
    info: SocketInfo


_TYPES = {1: "SOCK_STREAM", 2: "SOCK_DGRAM", 5: "SOCK_SEQPACKET"}


def _address(value: Any) -> Address | None:
    if isinstance(value, str):
        return value
    return (str(value.ip), int(value.port)) if value else None


def state_of(word: str, stream: bool, remote: Address | None) -> str:
    """The table's word for psutil's status: "NONE" is what it says of everything but TCP."""
    if word == "NONE" or not stream:
        return "UNCONNECTED" if remote is None else "ESTABLISHED"
    return {"CLOSE": "CLOSE", "BOUND": "CLOSE", "DELETE_TCB": "CLOSE"}.get(word, word)


def rows(pid: int) -> list[Row]:
    """Every connection that psutil gives for the process; raises `OSError` for one gone or hidden."""
    psutil = processes.library()
    try:
        one: Any = psutil.Process(pid)
        listed = (one.net_connections if hasattr(one, "net_connections") else one.connections)("all")
    except psutil.NoSuchProcess:
        raise processes.gone(pid) from None
    except psutil.AccessDenied as failure:
        raise processes.denied(pid, failure) from None
    return [Row(int(row.fd), info_of(row)) for row in listed]


def info_of(row: Any) -> SocketInfo:
    """psutil's connection as the table's words."""
    family = row.family.name if hasattr(row.family, "name") else f"AF_{row.family}"
    kind = _TYPES.get(int(row.type))
    internet = family in ("AF_INET", "AF_INET6")
    remote = _address(row.raddr) if internet else (row.raddr or None)
    state = state_of(row.status, kind == "SOCK_STREAM" and internet, remote)
    protocol = {"SOCK_STREAM": "TCP", "SOCK_DGRAM": "UDP"}.get(kind or "") if internet else None
    return SocketInfo(
        family=family,
        type=kind,
        protocol=protocol,
        local=_address(row.laddr),
        remote=remote,
        state=state,
        listening=state == "LISTEN" if internet else None,
    )


def _ends(info: SocketInfo) -> tuple[object, ...]:
    return (info.protocol, info.local, info.remote)


def completed(records: list[OpenDescriptor], pid: int) -> tuple[list[OpenDescriptor], list[str]]:
    """`records` with TCP's states, and with what psutil knows of sockets that nobody else could read.

    Those of another process are found by their local address; connections that no record could be given
    follow as records without a number.
    """
    if not any(one.socket is not None and (_wants(one.socket) or _unread(one.socket)) for one in records):
        return records, []
    try:
        listed = rows(pid)
    except (OSError, ImportError) as failure:
        return records, [f"TCP states: {failure}"]
    states = {_ends(row.info): row.info.state for row in listed}
    finished = [_stated(one, states) for one in _read(records, listed)]
    if pid != os.getpid():
        finished += _numberless(finished, listed, pid)
    return finished, []


def _unread(info: SocketInfo) -> bool:
    """Whether this is another process's socket, of which at most the local address is known."""
    return info.type is None


def _read(records: list[OpenDescriptor], listed: list[Row]) -> list[OpenDescriptor]:
    """`records` with psutil's facts for those that can only be told by their local address.

    A listener and what it accepted share that address: then each gets one of psutil's rows, and says that the row
    may be the other's.
    """
    here: dict[Address | None, list[OpenDescriptor]] = {}
    for one in records:
        if one.socket is not None and _unread(one.socket):
            here.setdefault(one.socket.local, []).append(one)
    told: dict[int, OpenDescriptor] = {}
    for local, sharing in here.items():
        rows = [row.info for row in listed if row.info.local == local]
        if len(rows) != len(sharing):
            continue  # the rows follow without numbers
        partial = () if len(rows) == 1 else ("number: one of several sockets with this local address",)
        for one, info in zip(sharing, rows, strict=True):
            told[id(one)] = replace(one, socket=info, source=(*one.source, "psutil"), partial=partial)
    return [told.get(id(one), one) for one in records]


def _wants(info: SocketInfo) -> bool:
    return info.protocol == "TCP" and not info.listening and info.local is not None


def _stated(one: OpenDescriptor, states: dict[tuple[object, ...], str | None]) -> OpenDescriptor:
    if one.socket is None or not _wants(one.socket):
        return one
    state = states.get(_ends(one.socket))
    if state is None or state == one.socket.state:
        return one
    return replace(one, socket=replace(one.socket, state=state), source=(*one.source, "psutil"))


def _numberless(records: Iterable[OpenDescriptor], listed: list[Row], pid: int) -> list[OpenDescriptor]:
    """psutil's sockets that no record has the addresses of: the process has them, under numbers not known."""
    seen = {_ends(one.socket) for one in records if one.socket is not None}
    return [
        OpenDescriptor(
            number=-1,
            space="socket",
            kind="socket",
            identity=("psutil", str(row.info.local), str(row.info.remote)),
            pid=pid,
            access="rw",
            socket=row.info,
            source=("psutil",),
            partial=("number: psutil does not tell it", "inheritable: psutil does not tell it"),
        )
        for row in listed
        if _ends(row.info) not in seen
    ]
