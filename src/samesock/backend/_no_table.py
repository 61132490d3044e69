"""The kernel's socket tables where no backend reads them yet: every answer is "unknown", never a guess."""

from __future__ import annotations

from samesock.backend import Owner

Address = tuple[str, int]


def cookie(number: int) -> int:
    """0: the system names its sockets by nothing that is never reused."""
    return 0


def listener_owner(port: int) -> Owner | None:
    """`None`: unknown."""
    return None


def connection_owner(local: Address, remote: Address) -> Owner | None:
    """`None`: unknown."""
    return None


def datagram_owner(address: Address) -> Owner | None:
    """`None`: unknown."""
    return None


def has_socket(pid: int, inode: int) -> bool:
    """False: unknown."""
    return False
