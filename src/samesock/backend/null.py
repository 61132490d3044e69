"""A backend for no system: the contract's names and signatures, each of which raises EOPNOTSUPP.

It is what documentation and type checks can read without a system, and what another backend's tests compare
with. What must never be put here: an answer.
"""

from __future__ import annotations

import _socket
from collections.abc import Iterable, Sequence
from typing import NoReturn

from samesock._errors import named_error
from samesock.backend import NO_UID, Offer, Owner, Taker

REFUSED_WHEN_FULL = False
NAMED_EARLY = False


def _absent(what: str) -> NoReturn:
    raise named_error("EOPNOTSUPP", f"{what}: this system has no backend")


class Hold:
    """A hold that cannot be made."""

    def __init__(self) -> None:
        _absent("holding a bound name")

    def listen(self) -> None:
        """Absent."""
        _absent("listening")

    def copy(self, above: int) -> Hold:
        """Absent."""
        _absent("copying a hold")

    def doubt(self) -> None:
        """Absent."""
        _absent("doubting a hold")

    def touched(self) -> bool:
        """Absent."""
        _absent("asking for changes of a socket's file")

    def admits(self, owner: Owner) -> bool:
        """Absent."""
        _absent("asking who may connect")

    def close(self) -> None:
        """Absent."""
        _absent("giving up a hold")


class OpenRecord:
    """An open record that cannot be made."""

    data: bytes

    def __init__(self) -> None:
        _absent("opening a socket's file")

    def live(self, id: bytes) -> bool:
        """Absent."""
        _absent("asking whether somebody listens")

    seems_live = live

    def trusted(self) -> bool:
        """Absent."""
        _absent("asking whether a socket's file can be trusted")

    def owned_by(self, owner: Owner) -> bool:
        """Absent."""
        _absent("comparing owners")

    def owner(self) -> Owner:
        """Absent."""
        _absent("asking who owns a socket's file")

    def close(self) -> None:
        """Absent."""
        _absent("closing a socket's file")


class _Passing:
    """Passing that cannot be done."""

    NEEDS_TARGET = False

    def me(self) -> tuple[int, int]:
        """Absent."""
        _absent("naming this process")

    def taker(self, pid: int | None) -> Taker:
        """Absent."""
        _absent("passing descriptors")

    def offer(self, things: Sequence[tuple[str, int]], taker: Taker) -> Offer:
        """Absent."""
        _absent("passing descriptors")

    def take(self, lease: bytes, tokens: Sequence[tuple[str, bytes]]) -> list[int | None]:
        """Absent."""
        _absent("taking descriptors")

    def close(self, space: str, number: int) -> None:
        """Absent."""
        _absent("closing a descriptor")

    def release(self) -> None:
        """Absent."""
        _absent("letting go of descriptors")


passing: _Passing = _Passing()


def uid() -> int:
    """Absent."""
    _absent("asking for the user's number")


def realm(tcp: _socket.socket) -> bytes:
    """Absent."""
    _absent("naming this machine")


def start_time(pid: int) -> int | None:
    """Absent."""
    _absent("asking when a process started")


def socket_cookie(number: int) -> int:
    """Absent."""
    _absent("naming a socket")


def create_record(path: bytes, record: bytes, id: bytes, above: int) -> Hold:
    """Absent."""
    _absent("creating a socket's file")


def adopt_record(path: bytes, record: bytes, id: bytes, above: int) -> Hold:
    """Absent."""
    _absent("adopting a socket's file")


def open_record(path: bytes) -> OpenRecord:
    """Absent."""
    _absent("opening a socket's file")


def prepare_listener(tcp: _socket.socket) -> None:
    """Absent."""
    _absent("preparing a listener")


def prepare_client(tcp: _socket.socket) -> None:
    """Absent."""
    _absent("preparing a client")


def refuse_overlapped(number: int) -> None:
    """Absent."""
    _absent("keeping a socket from completion ports")


def abort_connect(number: int) -> None:
    """Absent."""
    _absent("giving up a connect")


def reset_on_close(tcp: _socket.socket) -> None:
    """Absent."""
    _absent("resetting a connection")


def unread(number: int) -> int:
    """Absent."""
    _absent("asking what can be received")


def wait(readers: Iterable[int], writers: Iterable[int], timeout: float | None) -> set[int]:
    """Absent."""
    _absent("waiting for sockets")


def wait_for(number: int, writing: bool, timeout: float | None) -> bool:
    """Absent."""
    _absent("waiting for a socket")


def give_way() -> None:
    """Absent."""
    _absent("giving way to another process")


def listener_owner(port: int) -> Owner | None:
    """Absent."""
    _absent("asking who listens")


def connection_owner(local: tuple[str, int], remote: tuple[str, int]) -> Owner | None:
    """Absent."""
    _absent("asking who is connected")


def has_connection(number: int) -> bool:
    """Absent."""
    _absent("asking whether a socket is connected")


def datagram_owner(address: tuple[str, int]) -> Owner | None:
    """Absent."""
    _absent("asking who owns a UDP socket")


def has_socket(pid: int, inode: int) -> bool:
    """Absent."""
    _absent("asking which process has a socket")


def private_directory() -> str:
    """Absent."""
    _absent("making the user's private directory")


__all__ = [
    "NAMED_EARLY",
    "NO_UID",
    "REFUSED_WHEN_FULL",
    "Hold",
    "OpenRecord",
    "abort_connect",
    "adopt_record",
    "connection_owner",
    "create_record",
    "datagram_owner",
    "give_way",
    "has_connection",
    "has_socket",
    "listener_owner",
    "open_record",
    "passing",
    "prepare_client",
    "prepare_listener",
    "private_directory",
    "realm",
    "refuse_overlapped",
    "reset_on_close",
    "socket_cookie",
    "start_time",
    "uid",
    "unread",
    "wait",
    "wait_for",
]
