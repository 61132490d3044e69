"""The emulated end: an AF_UNIX stream socket made of a TCP socket on 127.0.0.1 and a file.

This module is the state machine (new, bound, listening, connected) and speaks BSD's errors for it. The client's half
of the protocol is in `connecting`, the server's in `accepting`; what must never be put here is anything of either,
and anything that only one operating system needs.

The user's Python object has family AF_UNIX over a TCP descriptor, so its send, recv and the rest are C's own. The few
calls that carry addresses go through a twin object of family AF_INET, which is detached again at once.
"""

from __future__ import annotations

import _socket
import errno
import functools
import os
import socket as _stdlib
import struct
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

from samesock._address import refusal, unix_path
from samesock._borrowed import Borrowed
from samesock._errors import named_error
from samesock.backend import Hold, system
from samesock.unix import AF_UNIX, Name, PeerCred, connecting, credentials, ends, ignored_options, rendezvous
from samesock.unix.accepting import Acceptor
from samesock.unix.adoption import (
    Key,
    State,
    addresses_of,
    forget_handover,
    imported,
    is_tcp,
    open_ends,
    open_sockets,
    read_handover,
    registry,
    write_handover,
)
from samesock.unix.calls import calls, twin
from samesock.unix.peers import SO_PEERCRED
from samesock.unix.rendezvous import Record

if TYPE_CHECKING:
    from samesock.unix.passing import Passage

Address = tuple[str, int]
Carry = Callable[[_socket.socket, int], None]

_BINDING = "binding a Unix socket"
_CONNECTING = "connecting a Unix socket"
_SO_DOMAIN = 39
_SO_PROTOCOL = 38
_SO_PASSCRED: int | None = getattr(_socket, "SO_PASSCRED", None)
_IS_COUNTED = sys.implementation.name == "cpython"
"""Whether an object is dropped at once: so one that borrows a number lets go of it before it is another's."""
_DIRECTIONS = (_socket.SHUT_RD, _socket.SHUT_WR, _socket.SHUT_RDWR)
_OVER = frozenset(
    {errno.ENOTCONN, errno.ECONNRESET, errno.ECONNABORTED, errno.EPIPE, 10053, 10054, 10057, 10058}
)
"""What TCP answers to the shutdown of a connection that is over; a Unix socket's is shut again."""
_SWALLOWED = ignored_options.IGNORED | {
    getattr(_socket, name) for name in ("SO_REUSEPORT", "SO_EXCLUSIVEADDRUSE") if hasattr(_socket, name)
}
"""Options that mean nothing to a Unix socket, and would change the TCP socket underneath."""


def _path_of(address: object, *, binding: bool) -> bytes:
    """The address as a path: abstract names are the kernel's of Linux alone."""
    path = _path_of_str(address) if type(address) is str else unix_path(address)
    if not path or path[0] == 0:
        name = refusal(path, binding=binding)
        if name:
            raise named_error(name, _BINDING if binding else _CONNECTING, os.fsdecode(path))
    return path


_path_of_str = functools.lru_cache(maxsize=128)(unix_path)
"""Programs connect to the same few paths again and again."""


class EmulatedEnd:
    """One emulated socket. See `samesock.unix.End` for what each method promises."""

    # Defaults stay with the class: two ends are made for every connection, and few ever have any of these.
    transport = "emulated"
    kind: int = _socket.SOCK_STREAM
    _acceptor: Acceptor | None = None
    _hold: Hold | None = None
    _linger = (0, 0)
    _pending_port = 0
    _port = 0

    def __init__(self, state: State | None = None) -> None:
        self.state: State = State() if state is None else state

    def lend(self, carrier: Borrowed) -> None:
        """Have C's object of AF_INET for the descriptor, with which it was made: bind or connect then need no twin."""
        if _IS_COUNTED:
            self._carrier = carrier
        else:
            calls.detach(carrier)

    def _twin(self, number: int) -> _socket.socket:
        """That object, for one call of one thread, or a new one; to be detached."""
        carrier: Borrowed | None = self.__dict__.pop("_carrier", None)
        return carrier if carrier is not None and calls.fileno(carrier) == number else twin(number)

    # ---- the server's calls

    def bind(self, sock: _socket.socket, address: object) -> None:
        """Bind a TCP port, then make the file that leads to it."""
        number = _number(sock)
        path = _path_of(address, binding=True)
        state = self.state
        if state.name or state.role == "listening":
            # The kernel makes the file before it looks whether the socket has a name.
            taken = "EADDRINUSE" if os.path.lexists(path) else "EINVAL"
            raise named_error(taken, f"{_BINDING} that has a name", os.fsdecode(path))
        realm = self._bind_port(sock, number)
        self._publish(number, path, realm)
        if state.role == "new":
            state.role, state.local = "bound", ("127.0.0.1", self._port)

    def _publish(self, number: int, path: bytes, realm: bytes) -> None:
        """Make the file that leads to the port, and have the name."""
        state, pid = self.state, os.getpid()
        record = rendezvous.new(
            port=self._port or (state.local[1] if state.local else 0),
            pid=pid,
            realm=realm,
            name=path,
            start=system.start_time(pid) or 0,
            cookie=system.socket_cookie(number),
            kind=self.kind,
        )
        absolute = os.path.abspath(path)
        self._hold = system.create_record(path, rendezvous.encode(record), record.id, number)
        state.name, state.path, state.record = path, absolute, record
        for sock, sibling in open_sockets():
            if isinstance(sibling, EmulatedEnd) and sibling.state is state and sibling is not self:
                sibling._hold = self._hold.copy(calls.fileno(sock))  # noqa: SLF001

    def _bind_port(self, sock: _socket.socket, number: int) -> bytes:
        """Any free port of 127.0.0.1, exclusively; returns its realm. It is kept for the next bind() if the file
        cannot be made; a connected socket has its port already."""
        tcp = self._twin(number)
        try:
            if self.state.role == "new" and not self._port:
                system.prepare_listener(tcp)
                calls.bind(tcp, ("127.0.0.1", 0))
                self._port = calls.getsockname(tcp)[1]
            return system.realm(tcp)
        finally:
            tcp.detach()
            _restore_mode(sock)

    def listen(self, sock: _socket.socket, backlog: int) -> None:
        """Listen, and only then let the name come alive."""
        _number(sock)
        state = self.state
        if state.role not in ("bound", "listening") or state.record is None:
            raise named_error("EINVAL", "listening on a Unix socket without a name")
        # Accepted sockets inherit it: no call for each of them (seen on Linux and under Wine).
        calls.setsockopt(sock, _socket.IPPROTO_TCP, _socket.TCP_NODELAY, 1)
        calls.listen(sock, backlog)
        acceptor = self._acceptor or self._found()
        if acceptor is None:
            self._listen_as(state.record, backlog)
        else:
            acceptor.backlog = backlog
        if state.shut & 1:
            self.shutdown(sock, _socket.SHUT_RD)

    def _listen_as(self, record: Record, backlog: int) -> None:
        if self._hold is not None:
            self._hold.listen()
        self._acceptor = Acceptor(record, backlog)
        self._acceptor.join(self._hold)
        self.state.role = "listening"

    def accept(self, sock: _socket.socket) -> tuple[_stdlib.socket, EmulatedEnd, Name]:
        """One proven client, in the mode that a new socket has."""
        number = _number(sock)
        acceptor = self._acceptor or self._found()
        if acceptor is None:
            raise named_error("EINVAL", "accepting from a Unix socket that does not listen")
        client = acceptor.accept(number, calls.gettimeout(sock))
        said = client.hello
        end = type(self)()
        state = end.state
        state.role, state.name, state.peer_name = "connected", self.state.name, said.name
        state.local, state.remote, state.claim = acceptor.address, client.address, (said.pid, said.uid)
        state.seed = (acceptor.record, said.nonce, client.address, acceptor.address, 1)
        return client.tcp, end, os.fsdecode(said.name) if said.name else ""

    def _found(self) -> Acceptor | None:
        """What a duplicate has listened with that was made before; anew, if that one is closed."""
        state = self.state
        if state.role != "listening" or state.record is None:
            return None
        siblings = (other for other in ends.all() if isinstance(other, EmulatedEnd) and other.state is state)
        acceptor = next(filter(None, (sibling._acceptor for sibling in siblings)), None)  # noqa: SLF001
        if acceptor is None:
            self._listen_as(state.record, _socket.SOMAXCONN)
        else:
            acceptor.join(self._hold)
            self._acceptor = acceptor
        return self._acceptor

    # ---- the client's call

    def connect(self, sock: _socket.socket, address: object) -> None:
        """Connect and say hello; all of it is done when this returns."""
        number = _number(sock)
        path = _path_of(address, binding=False)
        state = self.state
        if state.role in ("connected", "listening"):
            tcp = twin(number)
            try:
                connecting.check(tcp, path, self.kind)
            finally:
                tcp.detach()
                _restore_mode(sock)
            if state.role == "connected":
                raise named_error("EISCONN", _CONNECTING, os.fsdecode(path))
            raise named_error("EINVAL", f"{_CONNECTING} that listens", os.fsdecode(path))
        timeout = calls.gettimeout(sock)
        tcp = self._twin(number)
        try:
            system.prepare_client(tcp)
            record, local, server, nonce = connecting.connect(
                tcp,
                path,
                kind=self.kind,
                name=state.name,
                timeout=timeout,
                pending_port=self._pending_port,
            )
        except connecting.Full as full:
            self._pending_port = full.pending_port
            if timeout == 0:
                raise named_error(
                    "EWOULDBLOCK", f"{_CONNECTING}: the listener's queue is full", os.fsdecode(path)
                ) from None
            raise TimeoutError("timed out") from None
        finally:
            tcp.detach()
            _restore_mode(sock)
        self._pending_port = 0
        state.role = "connected"
        if state.shut:
            calls.shutdown(sock, state.shut - 1)
        state.local, state.remote = local, server
        state.seed = (record, nonce, local, server, 0)
        state.peer_name = record.name
        state.peer_record = (record.pid, record.start)

    def shutdown(self, sock: _socket.socket, how: int, carry: Carry | None = None) -> None:
        """As on Linux: also without a peer, where it counts for the connection to come, and also when the peer has
        gone. `carry` is the call that shuts the TCP socket down."""
        _number(sock)
        if how not in _DIRECTIONS:
            raise named_error("EINVAL", f"shutting a Unix socket down: {how} is no way to do it")
        state = self.state
        if state.role in ("new", "bound"):
            state.shut |= how + 1
            return
        if state.role == "listening":
            if how == _socket.SHUT_WR:
                return
            self._stop_listening(sock)
        try:
            (carry or calls.shutdown)(sock, how)
        except OSError as failure:
            if failure.errno not in _OVER:
                raise
        finally:
            _restore_mode(sock)

    def _stop_listening(self, sock: _socket.socket) -> None:
        """Let the name die, so that each further connect is refused, and keep those who have connected."""
        acceptor = self._acceptor or self._found()
        hold, self._hold = self._hold, None
        try:
            if acceptor is not None:
                acceptor.shut_down(_number(sock), hold)
        finally:
            if hold is not None:
                hold.close()

    # ---- names and options

    def getsockname(self, sock: _socket.socket) -> Name:
        """The path as it was given to bind; `''` without one."""
        _number(sock)
        return os.fsdecode(self.state.name)

    def getpeername(self, sock: _socket.socket) -> Name:
        """The listener's path, the client's name, or `''`."""
        _number(sock)
        if self.state.role != "connected":
            raise named_error("ENOTCONN", "asking for the peer's name")
        return os.fsdecode(self.state.peer_name)

    def setsockopt(self, sock: _socket.socket, level: int, option: int, *value: object) -> None:
        """The socket level's options that a Unix socket has; other levels are `EOPNOTSUPP`, as on Linux."""
        _number(sock)
        if level != _socket.SOL_SOCKET:
            raise named_error("EOPNOTSUPP", f"option {option} of level {level} on a Unix socket")
        if option in _SWALLOWED:
            self.state.options = {**self.state.options, option: ignored_options.switched(*value)}
            return
        if option == _socket.SO_LINGER:
            # A Unix socket never lingers; TCP would, and with no time for it reset: what was sent would be lost.
            self._linger = ignored_options.lingering(*value)
            return
        calls.setsockopt(sock, level, option, *value)

    def getsockopt(self, sock: _socket.socket, level: int, option: int, *length: int) -> int | bytes:
        """As a Unix socket answers, whatever is underneath."""
        _number(sock)
        if level != _socket.SOL_SOCKET:
            raise named_error("EOPNOTSUPP", f"option {option} of level {level} on a Unix socket")
        number: int | None = None
        if option in _SWALLOWED:
            number = self.state.options.get(option, 0)
        elif option == _socket.SO_LINGER:
            switch, seconds = self._linger
            return ignored_options.as_asked(switch, length[0] if length else 0, seconds)
        elif option == _SO_PASSCRED:
            number = 0
        elif option == _socket.SO_ACCEPTCONN:
            number = int(self.state.role == "listening")  # also when it is shut down, which ends it for TCP
        elif option == _socket.SO_TYPE:
            number = self.kind
        elif option == _SO_DOMAIN and SO_PEERCRED is not None:
            number = AF_UNIX
        elif option == _SO_PROTOCOL and SO_PEERCRED is not None:
            number = 0
        elif option == SO_PEERCRED:
            who = self.peercred(sock)
            ids = [-1 if i is None else i for i in (who.uid, who.gid)]
            return struct.pack("iii", who.pid or 0, *ids)[: length[0] if length else 12]
        if number is None:
            answered: int | bytes = calls.getsockopt(sock, level, option, *length)
            return answered
        return ignored_options.as_asked(number, *length)

    def peercred(self, sock: _socket.socket) -> PeerCred:
        """By the kernel's table where it answers, else as the peer claims."""
        return credentials.of_emulated(self.state, _number(sock))

    def passage(self) -> Passage | None:
        """What is known of passed descriptors; `None` where the ends have no key in common."""
        state = self.state
        if state.passage is None:
            seed, side = state.passing_seed()
            if seed is not None:
                from samesock.unix.passing import Passage
                from samesock.unix.passing_keys import ConnectionKeys

                # Two threads' first messages at once: what is half read must be in the one that both have.
                found: Passage = state.__dict__.setdefault("passage", Passage(ConnectionKeys(seed, side)))
                return found
        return state.passage

    def handed_to(self, process: int) -> None:
        """The descriptor was given to that process: who passes descriptors to it from here must know."""
        state = self.state
        state.handed = True
        for other in ends.all():
            if not isinstance(other, EmulatedEnd) or other.state.role != "connected":
                continue
            if (other.state.local, other.state.remote) == (state.remote, state.local):
                passage = other.passage()
                if passage is not None:
                    passage.other.holder = process, system.start_time(process)

    # ---- handing on, and the end

    def copy(self, number: int) -> EmulatedEnd:
        """The same socket under another number: with its own hold, and the same accept."""
        end: EmulatedEnd = type(self)(self.state)
        end._port = self._port
        end._linger = self._linger
        if self._hold is not None:
            end._hold = self._hold.copy(number)
        if self._acceptor is not None:
            end._acceptor = self._acceptor
            self._acceptor.join(end._hold)
        return end

    def revive(self, number: int, backlog: int) -> None:
        """In a process that was handed the socket: take a hold of its own and listen as the first process did.

        Where the file has gone or was made anew, there is no life to hold: the socket serves whom it already has.
        """
        state = self.state
        if state.record is None:
            return
        try:
            encoded = rendezvous.encode(state.record)
            self._hold = system.adopt_record(state.path, encoded, state.record.id, number)
        except OSError as error:
            if error.errno not in (errno.ENOENT, errno.ESTALE, errno.ENOTDIR):
                raise
        self._port = state.record.port
        if state.role == "listening":
            self._listen_as(state.record, backlog)

    @property
    def backlog(self) -> int:
        """What listen() was given; 0 if it was not called."""
        return self._acceptor.backlog if self._acceptor else 0

    def known_as(self) -> list[Key | None]:
        """The addresses of the end's descriptors, as the kernel has them."""
        return [self.state.key()]

    def export(self) -> bytes:
        """What another process of this user needs beside the descriptor."""
        self.state.handed = True
        return self.state.export(self.backlog)

    def hand_on(self) -> None:
        """Leave a note in the user's private directory, for a process that will have nothing but the number."""
        self.state.handed = True
        if self.state.role == "listening":
            write_handover(self.state, self.backlog)

    def detach(self, sock: _socket.socket) -> int:
        """Let go of the descriptor; `socket(fileno=)` finds the end again."""
        try:
            self.hand_on()
        except OSError:
            # Who adopts the number in this process, as is usual, has no need of the note.
            import logging

            logging.getLogger("samesock").warning("no note of a detached Unix socket", exc_info=True)
        if self._acceptor is not None:
            self._acceptor.forget(calls.fileno(sock))
        if self._hold is not None:
            # Whoever has the number may close it behind our back, and leave the name alive over a free port.
            self._hold.doubt()
        number = calls.detach(sock)
        if number >= 0:
            registry.keep(self)
        return number

    def close(self, sock: _socket.socket) -> None:
        """Life first, then the port, then whoever was waiting: so no port is ever free while its name lives."""
        hold, acceptor = self._hold, self._acceptor
        self._hold = self._acceptor = None
        try:
            if self.state.passage is not None or system.passing.NEEDS_TARGET:
                self._close_passage(sock)
            if hold is not None:
                hold.close()
            if acceptor is not None:
                acceptor.forget(calls.fileno(sock))
                if acceptor.holders == 1:
                    forget_handover(self.state)
        finally:
            calls.close(sock)
            if acceptor is not None:
                acceptor.leave(hold)

    def _close_passage(self, sock: _socket.socket) -> None:
        """Let go of descriptors under way to here, with the connection's last holder. Where they are in this process
        as soon as they are sent, also those that nobody has asked for, unless nothing is left to be read."""
        state = self.state
        if state.passage is None and (state.seed is None or not system.unread(calls.fileno(sock))):
            return
        if state.handed or any(
            getattr(other, "state", None) is state for other in open_ends() if other is not self
        ):
            return
        passage = self.passage()
        if passage is not None:
            passage.close(sock)

    def __del__(self, ending: Callable[[], bool] = sys.is_finalizing) -> None:
        """For a socket that is dropped and not closed: C has closed its descriptor by now, and knows of nothing else.
        Without this the name would live on, and its port be anybody's. When the interpreter ends, the kernel does it;
        by then a module may have lost its names, so the question is a default value."""
        if ending():
            return
        hold, self._hold = self._hold, None
        acceptor, self._acceptor = self._acceptor, None
        if hold is not None:
            hold.close()
        if acceptor is not None:
            acceptor.abandon(hold)


def _number(sock: _socket.socket) -> int:
    """The socket's descriptor; `EBADF` if it is closed."""
    number = calls.fileno(sock)
    if number < 0:
        raise named_error("EBADF", "using a closed socket")
    return number


def _restore_mode(sock: _socket.socket) -> None:
    """Make the descriptor block or not as the user's object says; a twin's settimeout has changed it."""
    try:
        calls.settimeout(sock, calls.gettimeout(sock))
    except OSError:
        _number(sock)  # another thread has closed it: EBADF, and not Winsock's code for it
        raise


def adopt(number: int, *, wanted: bool, kind: int = _socket.SOCK_STREAM) -> EmulatedEnd | None:
    """The end for a descriptor that was handed in by its number: one of this process's; one that another process
    handed on, if AF_UNIX was asked for by name or the kernel's cookie shows that it is the very socket; or, if it was
    asked for, a nameless one of that `kind`. `None` for what is no socket of ours.

    A listener that is taken for an Internet one would hand unproven connections to the program.
    """
    end = registry.adopt(number)
    if end is not None:
        return end
    handed = read_handover(number)
    if handed is not None:
        record = handed[0].record
        if wanted or (record is not None and record.cookie):
            return _revived(number, *handed)
    if not wanted or not is_tcp(number):
        return None
    key = addresses_of(number)
    if key is None or key[1] is None:
        return end_for(State.of(kind=kind))
    return end_for(State.of(kind=kind, role="connected", local=key[0], remote=key[1]))


def end_for(state: State) -> EmulatedEnd:
    """The end of the state's type."""
    if state.kind == _socket.SOCK_DGRAM:
        from samesock.unix.datagram import DatagramEnd

        return DatagramEnd(state)
    if state.kind == _socket.SOCK_SEQPACKET:
        from samesock.unix.seqpacket import PacketEnd

        return PacketEnd(state)
    return EmulatedEnd(state)


def restored(number: int, blob: bytes) -> EmulatedEnd:
    """The end for a descriptor that came from another process together with what `export` gave there. The descriptor
    is this function's to close if that fails."""
    try:
        return _revived(number, *imported(blob))
    except BaseException:
        _socket.close(number)
        raise


def _revived(number: int, state: State, backlog: int) -> EmulatedEnd:
    end = end_for(state)
    end.revive(number, backlog)
    return end
