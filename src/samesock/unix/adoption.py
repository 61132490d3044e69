"""Finding an emulated socket's state again: by addresses in this process, by a note or a blob in another one.

A state is what one socket knows of itself; a registry keeps those of this process under the pair of TCP addresses
that the kernel gives for a descriptor, so that `socket(fileno=n)`, `fromfd` and `dup` find them, and a reused number
never does. What must never be put here: the protocol, and anything that opens or accepts connections.
"""

from __future__ import annotations

import _socket
import errno
import json
import os
from collections import OrderedDict
from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from samesock.backend import system
from samesock.unix import End, ends, rendezvous
from samesock.unix.calls import calls, twin
from samesock.unix.rendezvous import Record

if TYPE_CHECKING:
    from samesock.unix.emulated import EmulatedEnd
    from samesock.unix.passing import Passage

Address = tuple[str, int]
Key = tuple[Address, Address | None, int]
"""Both addresses, and what the kernel's socket is: the ports of TCP and of UDP are two sets of numbers."""
Seed = tuple[bytes, int] | tuple[Record, bytes, Address, Address, int] | None

MOST_KEPT = 1024
"""Detached sockets that nobody adopted: beyond this many connected ones, the oldest lose their names."""

_PLAIN = ("kind", "role")
_BYTES = ("name", "peer_name", "path", "peer_path", "peer_file")
_TUPLES = ("local", "remote", "claim", "peer_record")
_FIELDS = (*_PLAIN, *_BYTES, *_TUPLES)


class State:
    """What an emulated socket knows of itself beside its descriptor; shared by its duplicates."""

    kind: int = _socket.SOCK_STREAM
    """`SOCK_STREAM`, `SOCK_DGRAM` or `SOCK_SEQPACKET`."""
    role = "new"
    """`new`, `bound`, `listening` or `connected`."""
    name = b""
    peer_name = b""
    local: Address | None = None
    remote: Address | None = None
    path = b""
    """Where the file is, from the root: the program may change its directory."""
    claim: tuple[int, int] | None = None
    """pid and uid that an accepted client claims."""
    peer_record: tuple[int, int] | None = None
    """pid and start time of the listener that a client connected to."""
    peer_path = b""
    peer_file = b""
    """Where the file is of the socket that a datagram socket is connected to, and what was in it."""
    record: Record | None = None
    seed: Seed = None
    """What the keys of passed descriptors are made of: the 32 bytes themselves with this end's side, or what they are
    made of (record, nonce, both addresses, side), since few connections ever need them."""
    passage: Passage | None = None
    """What is known of passed descriptors, once any were."""
    options: Mapping[int, int] = MappingProxyType({})
    """Those that mean nothing to a Unix socket, as they were set."""
    shut = 0
    """What shutdown() was asked for before there was a connection: 1 for receiving, 2 for sending."""
    handed = False
    """Whether another process may have the descriptor, too."""
    noted = 0
    """The process that left a note of it."""

    # Defaults stay with the class, and what is known is set one by one: two states are made for every connection.

    @classmethod
    def of(cls, **known: Any) -> State:
        """A state of which that is known."""
        state = cls()
        state.__dict__.update(known)
        return state

    def key(self) -> Key | None:
        """What the registry knows the socket by; `None` while it has no address."""
        if self.local is None:
            return None
        carrier = _socket.SOCK_DGRAM if self.kind == _socket.SOCK_DGRAM else _socket.SOCK_STREAM
        return self.local, self.remote, carrier

    def passing_seed(self) -> tuple[bytes | None, int]:
        """What the keys of passed descriptors are made of, and this end's side."""
        if self.seed is None:
            return None, 0
        if len(self.seed) == 2:
            return self.seed
        from samesock.unix.passing_keys import seed_of

        record, nonce, client, listener, side = self.seed
        self.seed = seed = seed_of(record, nonce, client, listener), side
        return seed

    def export(self, backlog: int) -> bytes:
        """The state for another process of the same user. It holds the secret: private channels only."""
        fields: dict[str, Any] = {"backlog": backlog}
        for field in _FIELDS:
            value = getattr(self, field)
            fields[field] = value.hex() if isinstance(value, bytes) else value
        seed, side = self.passing_seed()
        if seed is not None:
            fields["seed"] = [seed.hex(), side]
        if self.record is not None:
            fields["record"] = rendezvous.encode(self.record).hex()
        return json.dumps(fields).encode()


def imported(blob: bytes) -> tuple[State, int]:
    """The state and the backlog in an exported blob; ValueError if it is none."""
    try:
        fields = json.loads(blob)
        backlog = int(fields.pop("backlog"))
        record = rendezvous.decode(bytes.fromhex(fields.pop("record"))) if "record" in fields else None
        seed = fields.pop("seed", None)
        if seed is not None:
            seed = bytes.fromhex(seed[0]), int(seed[1])
        for field in _BYTES:
            fields[field] = bytes.fromhex(fields[field])
        for field in _TUPLES:
            fields[field] = None if fields[field] is None else tuple(fields[field])
        return State.of(
            record=record, seed=seed, handed=True, **{field: fields[field] for field in _FIELDS}
        ), backlog
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"not the state of a samesock Unix socket: {error!r}") from None


def addresses_of(number: int) -> Key | None:
    """The Internet addresses of a descriptor, `None` if it is no Internet socket with one."""
    tcp = twin(number)
    try:
        try:
            local = calls.getsockname(tcp)
        except OSError:
            return None
        if not isinstance(local, tuple) or len(local) != 2 or local[1] == 0:
            return None
        carrier = calls.getsockopt(tcp, _socket.SOL_SOCKET, _socket.SO_TYPE)
        try:
            return local, calls.getpeername(tcp), carrier
        except OSError:
            return local, None, carrier
    finally:
        tcp.detach()


def is_tcp(number: int) -> bool:
    """Whether the descriptor may be one of ours: a stream socket of the Internet family."""
    tcp = twin(number)
    try:
        if calls.getsockopt(tcp, _socket.SOL_SOCKET, _socket.SO_TYPE) != _socket.SOCK_STREAM:
            return False
        name = calls.getsockname(tcp)
    except OSError as error:
        return error.errno == errno.EINVAL  # how Winsock answers for an unbound socket's name
    finally:
        tcp.detach()
    return isinstance(name, tuple) and len(name) == 2


def open_sockets() -> list[tuple[_socket.socket, End]]:
    """The sockets that are open, and their ends: a closed one's object may live on, and its port be anybody's by
    then."""
    found = []
    for reference in list(ends.by_reference):  # its keys alone: see `_waking.readers_of`
        end, sock = ends.by_reference.get(reference), reference()
        if end is not None and sock is not None and calls.fileno(sock) >= 0:
            found.append((sock, end))
    return found


def open_ends() -> list[End]:
    """The ends of the sockets that are open."""
    return [end for _, end in open_sockets()]


class Registry:
    """The ends of this process, found by address.

    Adopting a number is rare and connecting is not: so nothing is indexed, and a search looks at every live end.
    """

    def __init__(self) -> None:
        self._kept: OrderedDict[Key, EmulatedEnd] = OrderedDict()

    def keep(self, end: EmulatedEnd) -> None:
        """Keep a detached end alive until its number is adopted, unless a duplicate has the same state."""
        key = end.state.key()
        if key is None or any(
            getattr(other, "state", None) is end.state for other in open_ends() if other is not end
        ):
            return
        self._kept[key] = end
        while len(self._kept) > MOST_KEPT:
            oldest = next((k for k, kept in self._kept.items() if kept.state.role == "connected"), None)
            if oldest is None:
                break
            del self._kept[oldest]

    def adopt(self, number: int) -> EmulatedEnd | None:
        """The end for a descriptor that somebody hands in by its number; `None` if it is none of this process's."""
        key = addresses_of(number)
        if key is None:
            return _without_address(number)
        kept = self._kept.pop(key, None)
        if kept is not None:
            return kept
        for end in open_ends():
            state = getattr(end, "state", None)
            if state is not None and state.key() == key:
                return end.copy(number)  # type: ignore[return-value]
        return None


registry: Registry = Registry()


def _without_address(number: int) -> EmulatedEnd | None:
    """The end for a duplicate of a socket that is neither bound nor connected, by the kernel's name for the socket."""
    cookie = system.socket_cookie(number)
    if cookie:
        for sock, end in open_sockets():
            if end.transport == "emulated" and system.socket_cookie(calls.fileno(sock)) == cookie:
                return end.copy(number)  # type: ignore[return-value]
    return None


# ---- the note for a process that will have nothing but the number


def _note(port: int, carrier: int = _socket.SOCK_STREAM) -> str:
    kind = "datagrams" if carrier == _socket.SOCK_DGRAM else "socket"
    return os.path.join(system.private_directory(), f"{port}.{kind}")


def write_handover(state: State, backlog: int) -> None:
    """Write the state where only this user's processes can read it, under the port's number."""
    assert state.record is not None
    path = _note(state.record.port, state.kind)
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_BINARY", 0), 0o600)
    try:
        os.write(fd, state.export(backlog))
    finally:
        os.close(fd)
    state.noted = os.getpid()


def read_handover(number: int) -> tuple[State, int] | None:
    """The state that was noted for the bound socket `number`, if a note fits it."""
    key = addresses_of(number)
    if key is None or key[1] is not None or key[0][0] != "127.0.0.1":
        return None
    try:
        with open(_note(key[0][1], key[2]), "rb") as file:
            state, backlog = imported(file.read())
    except (OSError, ValueError):
        return None
    record = state.record
    if record is None or record.port != key[0][1] or state.key() != key:
        return None
    if record.cookie and record.cookie != system.socket_cookie(number):
        return None
    tcp = twin(number)
    try:
        if record.realm != system.realm(tcp):
            return None  # noted by a container that shares the directory, and counts its sockets by itself
    finally:
        tcp.detach()
    return state, backlog


def forget_handover(state: State) -> None:
    """Remove the note that this process has left. A forked child's copy of the listener may close without it."""
    if state.record is None or state.noted != os.getpid():
        return
    try:
        os.unlink(_note(state.record.port, state.kind))
    except OSError:
        pass  # there was none, or another process removed it
