"""/proc/PID/net: the sockets of the network namespace that a process lives in, as text tables by inode.

The second source on Linux: for a process in another namespace than ours, of which netlink says nothing, for
kernels that refuse sock_diag, and for netlink and packet sockets. It knows no peers of AF_UNIX sockets. What
must never be put here: descriptor numbers.
"""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Callable

from samesock.fdtable import netnames
from samesock.fdtable.model import SocketInfo

Rows = dict[int, SocketInfo]


def host(text: str) -> str:
    """An address of these tables: 32-bit words in hexadecimal, each in the machine's byte order."""
    words = [int(text[at : at + 8], 16) for at in range(0, len(text), 8)]
    raw = struct.pack(f"={len(words)}I", *words)
    return socket.inet_ntop(socket.AF_INET if len(raw) == 4 else socket.AF_INET6, raw)


def parse_inet(text: str, name: str | None, kind: int) -> Rows:
    """net/tcp, net/udp, net/raw and their version-6 siblings."""
    rows: Rows = {}
    for line in text.splitlines()[1:]:
        words = line.split()
        inode = int(words[9])
        if not inode:
            continue  # TIME_WAIT: no process holds it
        here, port = words[1].split(":")
        there, far_port = words[2].split(":")
        state = int(words[3], 16)
        listening = name == "TCP" and state == 10
        connected = there.strip("0") != "" and not listening
        number = int(port, 16)
        if name == "TCP":
            word = netnames.LINUX_TCP_STATES.get(state, f"state {state}")
        else:
            word = "ESTABLISHED" if connected else "UNCONNECTED"
        rows[inode] = SocketInfo(
            family="AF_INET" if len(here) == 8 else "AF_INET6",
            type=netnames.type_name(kind),
            # A raw socket carries its protocol where the others carry their port.
            protocol=name or netnames.IP_PROTOCOLS.get(number, f"protocol {number}"),
            local=(host(here), number if name else 0),
            remote=(host(there), int(far_port, 16)) if connected else None,
            state=word,
            listening=listening,
        )
    return rows


def parse_unix(text: str) -> Rows:
    """net/unix: an abstract name begins with "@" there, and so does a path that really begins with one."""
    rows: Rows = {}
    for line in text.splitlines()[1:]:
        words = line.split(None, 7)
        name = words[7] if len(words) > 7 else ""
        if name.startswith("@"):
            name = "\0" + name[1:]
        listening = int(words[3], 16) & 0x10000 != 0  # __SO_ACCEPTCON
        connected = int(words[5], 16) == 3  # SS_CONNECTED
        rows[int(words[6])] = SocketInfo(
            family="AF_UNIX",
            type=netnames.type_name(int(words[4], 16)),
            local=name,
            remote="" if connected else None,
            state="LISTEN" if listening else "ESTABLISHED" if connected else "UNCONNECTED",
            listening=listening,
        )
    return rows


def parse_netlink(text: str) -> Rows:
    """net/netlink: the "port" that a netlink socket is bound to, often its process's number, and its
    groups.
    """
    rows: Rows = {}
    for line in text.splitlines()[1:]:
        words = line.split()
        rows[int(words[9])] = SocketInfo(
            family="AF_NETLINK",
            protocol=netnames.protocol_name("AF_NETLINK", int(words[1])),
            local=(int(words[2]), int(words[3], 16)),
            listening=False,
        )
    return rows


def parse_packet(text: str, interface: Callable[[int], str]) -> Rows:
    """net/packet: the interface by its index, 0 for all of them."""
    rows: Rows = {}
    for line in text.splitlines()[1:]:
        words = line.split()
        protocol = int(words[3], 16)
        index = int(words[4])
        rows[int(words[8])] = SocketInfo(
            family="AF_PACKET",
            type=netnames.type_name(int(words[2])),
            protocol=netnames.protocol_name("AF_PACKET", protocol),
            local=(interface(index) if index else "", protocol),
            listening=False,
        )
    return rows


def _interface(index: int) -> str:
    try:
        return socket.if_indextoname(index)
    except OSError:
        return str(index)


_INET: tuple[tuple[str, str | None, int], ...] = (
    ("tcp", "TCP", 1), ("tcp6", "TCP", 1), ("udp", "UDP", 2), ("udp6", "UDP", 2), ("udplite", "UDPLITE", 2),
    ("udplite6", "UDPLITE", 2), ("icmp", "ICMP", 2), ("icmp6", "ICMPV6", 2), ("raw", None, 3), ("raw6", None, 3),
)  # fmt: skip


def _table(pid: int, name: str) -> str:
    try:
        with open(f"/proc/{pid}/net/{name}", encoding="utf-8", errors="surrogateescape") as file:
            return file.read()
    except OSError:
        return ""  # a kernel without this protocol has no such file


def rows(pid: int, everything: bool) -> Rows:
    """The sockets of `pid`'s network namespace by inode: all, or only those that sock_diag may not dump.

    A kernel has a part of sock_diag for each protocol, and may lack one: raw_diag is a module that is often not there.
    TCP's is always, and its table is the one that may be long.
    """
    found: Rows = {}
    for name, protocol, kind in _INET:
        if everything or protocol != "TCP":
            found.update(parse_inet(_table(pid, name), protocol, kind))
    if everything:
        found.update(parse_unix(_table(pid, "unix")))
    found.update(parse_netlink(_table(pid, "netlink")))
    found.update(parse_packet(_table(pid, "packet"), _interface))
    return found


def namespace(pid: int | str) -> str | None:
    """The name of the process's network namespace; `None` when it may not be read."""
    try:
        return os.readlink(f"/proc/{pid}/ns/net")
    except OSError:
        return None
