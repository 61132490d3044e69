"""The names of socket families, types, protocols and states, as numbers of each kernel: tables and nothing
else.
"""

from __future__ import annotations

LINUX_FAMILIES = {
    0: "AF_UNSPEC", 1: "AF_UNIX", 2: "AF_INET", 3: "AF_AX25", 10: "AF_INET6", 15: "AF_KEY", 16: "AF_NETLINK",
    17: "AF_PACKET", 21: "AF_RDS", 29: "AF_CAN", 30: "AF_TIPC", 31: "AF_BLUETOOTH", 37: "AF_CAIF", 38: "AF_ALG",
    39: "AF_NFC", 40: "AF_VSOCK", 41: "AF_KCM", 42: "AF_QIPCRTR", 43: "AF_SMC", 44: "AF_XDP",
}  # fmt: skip
BSD_FAMILIES = {0: "AF_UNSPEC", 1: "AF_UNIX", 2: "AF_INET", 17: "AF_ROUTE", 28: "AF_INET6"}
DARWIN_FAMILIES = {
    0: "AF_UNSPEC", 1: "AF_UNIX", 2: "AF_INET", 17: "AF_ROUTE", 27: "AF_NDRV", 30: "AF_INET6", 32: "AF_SYSTEM",
    40: "AF_VSOCK",
}  # fmt: skip
WINDOWS_FAMILIES = {
    0: "AF_UNSPEC", 1: "AF_UNIX", 2: "AF_INET", 6: "AF_IPX", 16: "AF_APPLETALK", 23: "AF_INET6", 26: "AF_IRDA",
    32: "AF_BTH", 34: "AF_HYPERV",
}  # fmt: skip

TYPES = {
    1: "SOCK_STREAM", 2: "SOCK_DGRAM", 3: "SOCK_RAW", 4: "SOCK_RDM", 5: "SOCK_SEQPACKET", 6: "SOCK_DCCP",
    10: "SOCK_PACKET",
}  # fmt: skip

IP_PROTOCOLS = {
    0: "IP", 1: "ICMP", 2: "IGMP", 6: "TCP", 17: "UDP", 33: "DCCP", 58: "ICMPV6", 132: "SCTP", 136: "UDPLITE",
    255: "RAW", 262: "MPTCP",
}  # fmt: skip

NETLINK_PROTOCOLS = {
    0: "ROUTE", 2: "USERSOCK", 3: "FIREWALL", 4: "SOCK_DIAG", 5: "NFLOG", 6: "XFRM", 7: "SELINUX", 8: "ISCSI",
    9: "AUDIT", 10: "FIB_LOOKUP", 11: "CONNECTOR", 12: "NETFILTER", 13: "IP6_FW", 14: "DNRTMSG",
    15: "KOBJECT_UEVENT", 16: "GENERIC", 18: "SCSITRANSPORT", 19: "ECRYPTFS", 20: "RDMA", 21: "CRYPTO", 22: "SMC",
}  # fmt: skip

# include/net/tcp_states.h
LINUX_TCP_STATES = {
    1: "ESTABLISHED", 2: "SYN_SENT", 3: "SYN_RECV", 4: "FIN_WAIT1", 5: "FIN_WAIT2", 6: "TIME_WAIT", 7: "CLOSE",
    8: "CLOSE_WAIT", 9: "LAST_ACK", 10: "LISTEN", 11: "CLOSING", 12: "SYN_RECV", 13: "CLOSE",
}  # fmt: skip

# netinet/tcp_fsm.h, the same on FreeBSD and macOS
BSD_TCP_STATES = {
    0: "CLOSE", 1: "LISTEN", 2: "SYN_SENT", 3: "SYN_RECV", 4: "ESTABLISHED", 5: "CLOSE_WAIT", 6: "FIN_WAIT1",
    7: "CLOSING", 8: "LAST_ACK", 9: "FIN_WAIT2", 10: "TIME_WAIT",
}  # fmt: skip

# The kernel's name of a protocol (struct proto's), which any process can read of any socket in /proc by the
# extended attribute system.sockprotoname: family, type and protocol, as far as that name tells them.
LINUX_PROTOCOL_NAMES: dict[str, tuple[str, str | None, str | None]] = {
    "TCP": ("AF_INET", "SOCK_STREAM", "TCP"),
    "TCPv6": ("AF_INET6", "SOCK_STREAM", "TCP"),
    "MPTCP": ("AF_INET", "SOCK_STREAM", "MPTCP"),
    "MPTCPv6": ("AF_INET6", "SOCK_STREAM", "MPTCP"),
    "UDP": ("AF_INET", "SOCK_DGRAM", "UDP"),
    "UDPv6": ("AF_INET6", "SOCK_DGRAM", "UDP"),
    "UDP-Lite": ("AF_INET", "SOCK_DGRAM", "UDPLITE"),
    "UDPLITEv6": ("AF_INET6", "SOCK_DGRAM", "UDPLITE"),
    "RAW": ("AF_INET", "SOCK_RAW", None),
    "RAWv6": ("AF_INET6", "SOCK_RAW", None),
    "PING": ("AF_INET", "SOCK_DGRAM", "ICMP"),
    "PINGv6": ("AF_INET6", "SOCK_DGRAM", "ICMPV6"),
    "SCTP": ("AF_INET", None, "SCTP"),
    "SCTPv6": ("AF_INET6", None, "SCTP"),
    "UNIX": ("AF_UNIX", None, None),
    "UNIX-STREAM": ("AF_UNIX", "SOCK_STREAM", None),
    "NETLINK": ("AF_NETLINK", None, None),
    "PACKET": ("AF_PACKET", None, None),
    "AF_VSOCK": ("AF_VSOCK", None, None),
    "XDP": ("AF_XDP", "SOCK_RAW", None),
    "ALG": ("AF_ALG", "SOCK_SEQPACKET", None),
    "KEY": ("AF_KEY", "SOCK_RAW", None),
}


def family_name(table: dict[int, str], number: int) -> str:
    """The family's name, or its number as "AF_99" where the table has none."""
    return table.get(number, f"AF_{number}")


def type_name(number: int) -> str:
    """The socket type's name, or its number as "SOCK_99"."""
    return TYPES.get(number, f"SOCK_{number}")


def protocol_name(family: str, number: int) -> str | None:
    """The protocol's name in its family; `None` where protocols mean nothing (AF_UNIX and unknown
    families).
    """
    if family in ("AF_INET", "AF_INET6"):
        return IP_PROTOCOLS.get(number, f"protocol {number}")
    if family == "AF_NETLINK":
        return NETLINK_PROTOCOLS.get(number, f"protocol {number}")
    if family == "AF_PACKET":
        return "ALL" if number == 3 else f"ethertype {number:#06x}"
    return None
