"""SOCK_DGRAM, emulated: a UDP socket on 127.0.0.1 for what comes in, and a file that leads to it.

This module is the socket's state and speaks BSD's errors for it. What is on the wire is in `letters`, sending in
`outbox`. A receiver is alive from bind on; whoever sends looks at the file each time, as Linux looks the path up each
time, and whoever is connected asks whether the same receiver lives. What must never be put here: a stream.
"""

from __future__ import annotations

import _socket
import errno
import os
import socket as _stdlib
import sys
import time
from collections.abc import Callable
from typing import Final
from weakref import WeakValueDictionary

from samesock._constants import MSG_DONTWAIT
from samesock._errors import error, named_error
from samesock.backend import NO_UID, OpenRecord, Owner, system
from samesock.unix import Name, endable, letters, rendezvous, turns
from samesock.unix.adoption import Key, State, forget_handover, write_handover
from samesock.unix.calls import calls
from samesock.unix.connecting import open_living, refusal
from samesock.unix.emulated import Carry, EmulatedEnd, _number, _path_of
from samesock.unix.letters import Heard, Letter
from samesock.unix.messages import Message
from samesock.unix.outbox import Full, Gone, Outbox
from samesock.unix.rendezvous import Record

Address = tuple[str, int]

RECEIVE_BUFFER: Final = 4 * 1024 * 1024
"""Asked for; Linux gives at most net.core.rmem_max."""
DRAIN_SECONDS: Final = 0.02
"""How long one look may go on throwing nonsense away before the caller's time is looked at."""

SHUT_PAUSE: Final = 0.05
"""How often a socket with a time-out that is shut for reading looks for what still comes, until the time is over."""

AHEAD_NANOSECONDS: Final = 1_000_000_000
"""How far a stamp may be before this machine's clock, which is the sender's, too. Whoever may send could else have
4,096 sessions of the far future forgotten, and no new sender would ever be heard again."""

_MSG_OOB = _socket.MSG_OOB
_MSG_PEEK = _socket.MSG_PEEK
_NOBODY_THERE = {errno.ECONNREFUSED, errno.ECONNRESET, 10052, 10054, 10061}
"""How Winsock says that an answer which went out earlier found nobody."""
_SENDING = "sending to a Unix datagram socket"
_KINDS_OF_SHUTDOWN = {
    _socket.SHUT_RD: (True, False),
    _socket.SHUT_WR: (False, True),
    _socket.SHUT_RDWR: (True, True),
}


class _Receiver:
    """Somebody to send to: a record, and the file that says whether its owner lives."""

    def __init__(self, path: bytes, file: OpenRecord | None, record: Record) -> None:
        self.path = path
        self.file = file
        self.record = record
        self.closed: bool = False

    @classmethod
    def at(cls, udp: _socket.socket, path: bytes) -> _Receiver:
        """The living receiver at the path; connect(2)'s errors if there is none."""
        file, record = open_living(udp, path, _socket.SOCK_DGRAM)
        if not file.trusted():
            # Others could have written the file: the kernel must say that the port is its owner's.
            owner = system.datagram_owner(("127.0.0.1", record.port))
            if owner is None or not file.owned_by(owner):
                file.close()
                raise refusal(path)
        return cls(path, file, record)

    def lives(self) -> bool:
        """Whether the receiver is there. Of one that another process has named, without a file to ask, it is not
        known."""
        if self.closed:
            raise named_error("EBADF", "sending from a Unix datagram socket that was closed meanwhile")
        return self.file is None or self.file.live(self.record.id)

    def close(self) -> None:
        """Let go of the file."""
        self.closed = True
        if self.file is not None:
            self.file.close()


class _Mailbox:
    """What the duplicates of one datagram socket share, beside its `State`."""

    def __init__(self) -> None:
        self.mutex = turns.lock()  # for a signal's handler that uses the socket in the middle of a call
        self.heard = Heard()
        self.holders = 0
        self.peer: _Receiver | None = None
        self.admits_all_before = 0
        """Until when letters of others than the peer were sent rightly; what was then in the queue stays in it."""
        self.void_before = 0
        """A second connect() throws away what the queue holds, as Linux does."""
        self.shut_read = self.shut_write = False
        self.unseen = False
        """Whether nobody else can ever have read the file."""
        self._outbox: Outbox | None = None

    def outbox(self) -> Outbox:
        """This process's outbox. After a fork it is a new one: two processes cannot share one row of stamps."""
        with self.mutex:
            if self._outbox is not None and self._outbox.pid != os.getpid():
                self._outbox.close()
                self._outbox = None
            if self._outbox is None:
                self._outbox = Outbox()
            return self._outbox

    def answers_to(self) -> Address | None:
        """Where the outbox is; `None` if there is none yet."""
        outbox = self._outbox
        return None if outbox is None else outbox.address

    def leave(self) -> None:
        """One end fewer; the last one takes all with it."""
        self.holders -= 1
        if self.holders > 0:
            return
        outbox, self._outbox = self._outbox, None
        peer, self.peer = self.peer, None
        if outbox is not None:
            outbox.close()
        if peer is not None:
            peer.close()


_bound: WeakValueDictionary[bytes, State] = WeakValueDictionary()
"""This process's bound datagram sockets by the ids of their records: a sender in the same process is told at once
what one in another process can only learn by an answer."""


class DatagramEnd(EmulatedEnd):
    """One emulated SOCK_DGRAM socket."""

    __slots__ = ("_box", "_left")

    kind: int = _socket.SOCK_DGRAM

    def __init__(self, state: State | None = None) -> None:
        super().__init__(State.of(kind=self.kind) if state is None else state)
        self._box: _Mailbox = self.state.__dict__.setdefault("mailbox", _Mailbox())
        self._box.holders += 1
        self._left = False

    def open(self, sock: _socket.socket) -> None:
        """Give a new socket its port, by which it is known from now on."""
        udp = _udp(_number(sock))
        try:
            system.prepare_listener(udp)
            calls.bind(udp, ("127.0.0.1", 0))
            calls.setsockopt(udp, _socket.SOL_SOCKET, _socket.SO_RCVBUF, RECEIVE_BUFFER)
            self.state.local = calls.getsockname(udp)
            self._port = self.state.local[1]
        finally:
            udp.detach()

    # ---- names

    def bind(self, sock: _socket.socket, address: object) -> None:
        """Make the file that leads to the port; from now on there is somebody to send to."""
        number = _number(sock)
        path = _path_of(address, binding=True)
        state = self.state
        if state.record is not None:
            raise named_error("EINVAL", "binding a Unix socket that has a name", os.fsdecode(path))
        udp = _udp(number)
        try:
            realm = system.realm(udp)
        finally:
            udp.detach()
        self._publish(number, path, realm)
        assert state.record is not None
        assert self._hold is not None
        try:
            self._hold.listen()
        except BaseException:
            self._hold.close()
            self._hold, state.name, state.record = None, b"", None
            os.unlink(path)
            raise
        _bound[state.record.id] = state
        if state.role == "new":
            state.role = "bound"

    def listen(self, sock: _socket.socket, backlog: int) -> None:  # noqa: ARG002
        """`EOPNOTSUPP`: datagrams have no connections."""
        _number(sock)
        raise named_error("EOPNOTSUPP", "listening on a Unix datagram socket")

    def accept(self, sock: _socket.socket) -> tuple[_stdlib.socket, EmulatedEnd, Name]:
        """`EOPNOTSUPP`: datagrams have no connections."""
        _number(sock)
        raise named_error("EOPNOTSUPP", "accepting from a Unix datagram socket")

    def connect(self, sock: _socket.socket, address: object) -> None:
        """Send to that receiver and hear nobody else from now on; it may be called again."""
        _number(sock)
        path = _path_of(address, binding=False)
        receiver = _Receiver.at(self._box.outbox().socket, path)
        try:
            self._require_hearing(receiver.record)
        except BaseException:
            receiver.close()
            raise
        receiver.path = os.path.abspath(path)
        self.connect_to(receiver)

    def connect_to(self, receiver: _Receiver) -> None:
        """The same for a receiver that was found already."""
        box, state = self._box, self.state
        with box.mutex:
            before, box.peer = box.peer, receiver
            now = time.perf_counter_ns()
            if before is None:
                box.admits_all_before = now
            elif before.record.id != receiver.record.id:
                box.void_before = now
        if before is not None:
            before.close()
        state.role, state.peer_name = "connected", receiver.record.name
        state.peer_path, state.peer_file = receiver.path, rendezvous.encode(receiver.record)

    def receiver(self, sock: _socket.socket) -> _Receiver:
        """This very socket, which is bound, as somebody to send to."""
        udp = _udp(_number(sock))
        try:
            return _Receiver.at(udp, self.state.path)
        finally:
            udp.detach()

    def forget_names(self) -> None:
        """Be unnamed, and have an unnamed peer: for ends that were bound only to find each other, where nobody else
        could see it."""
        self.state.name = self.state.peer_name = b""
        self._box.unseen = True

    def give_up(self) -> None:
        """Let go of all but the descriptor."""
        hold, self._hold = self._hold, None
        if hold is not None:
            hold.close()
        self._leave()

    def _disconnect(self, peer: _Receiver) -> None:
        box, state = self._box, self.state
        with box.mutex:
            if box.peer is not peer:
                return
            box.peer = None
        peer.close()
        state.role = "bound" if state.name else "new"
        state.peer_name = state.peer_path = state.peer_file = b""

    def _require_hearing(self, record: Record) -> None:
        """`EPERM` if the receiver is in this process and connected to another socket."""
        other = _bound.get(record.id)
        if other is None:
            return
        peer = other.__dict__["mailbox"].peer
        if peer is not None and peer.record.id != self._id():
            raise named_error(
                "EPERM", f"{_SENDING} that is connected to another one", os.fsdecode(record.name)
            )

    def _id(self) -> bytes:
        return letters.NOBODY if self.state.record is None else self.state.record.id

    # ---- sending

    def send_message(self, sock: _socket.socket, data: bytes, flags: int, address: object) -> None:
        """Send to the address, else to the peer. The errors are Linux's, and come in its order."""
        _number(sock)
        box = self._box
        if flags & _MSG_OOB:
            raise named_error("EOPNOTSUPP", "sending out of band to a Unix socket")
        path = b"" if address is None else _path_of(address, binding=False)
        peer = box.peer
        if address is None and peer is None:
            raise named_error("ENOTCONN", "sending from a Unix datagram socket that is not connected")
        if len(data) > letters.LONGEST_MESSAGE:
            raise named_error(
                "EMSGSIZE", f"sending {len(data)} bytes; a datagram has at most {letters.LONGEST_MESSAGE}"
            )
        if box.shut_write:
            raise named_error("EPIPE", "sending from a Unix datagram socket after shutdown")
        timeout = 0.0 if flags & MSG_DONTWAIT else calls.gettimeout(sock)
        if address is None:
            assert peer is not None
            self._send_to_peer(sock, peer, data, timeout)
            return
        receiver = _Receiver.at(box.outbox().socket, path)
        try:
            self._send(sock, receiver, data, timeout)
        finally:
            receiver.close()

    def _send_to_peer(
        self, sock: _socket.socket, peer: _Receiver, data: bytes, timeout: float | None
    ) -> None:
        try:
            if not peer.lives():
                raise refusal(peer.record.name)
            self._send(sock, peer, data, timeout)
        except ConnectionRefusedError:
            self._disconnect(peer)
            raise

    def _send(self, sock: _socket.socket, receiver: _Receiver, data: bytes, timeout: float | None) -> None:
        record, number = receiver.record, calls.fileno(sock)

        def goes_on() -> bool:
            """Asked after each wait: another thread may have shut the socket, or closed it, meanwhile."""
            endable.check(sock, number)
            if self._box.shut_write:
                raise named_error("EPIPE", "sending from a Unix datagram socket after shutdown")
            return receiver.lives()

        self._require_hearing(record)
        other = _bound.get(record.id)
        if other is not None and other.__dict__["mailbox"].shut_read:
            raise named_error("EPIPE", f"{_SENDING} that is shut down", os.fsdecode(record.name))
        try:
            self._box.outbox().send(
                record,
                goes_on,
                sender=self._id(),
                name=self.state.name,
                message=data,
                timeout=timeout,
            )
        except Gone:
            raise refusal(record.name) from None
        except Full:
            if timeout == 0:
                raise named_error("EWOULDBLOCK", f"{_SENDING} that does not read") from None
            raise TimeoutError("timed out") from None

    # ---- receiving

    def receive_message(self, sock: _socket.socket, flags: int) -> Message:
        """The next letter that is one. What else comes to the port is thrown away, and makes nobody wait less or
        more."""
        number = _number(sock)
        if flags & _MSG_OOB:
            raise named_error("EOPNOTSUPP", "receiving out of band from a Unix socket")
        timeout = 0.0 if flags & MSG_DONTWAIT else calls.gettimeout(sock)
        deadline = None if timeout is None else time.monotonic() + timeout
        udp = _udp(number)
        try:
            calls.settimeout(udp, 0.0)
            while True:
                letter = self._next(udp, peek=bool(flags & _MSG_PEEK))
                if letter is not None:
                    return Message(letter.message, os.fsdecode(letter.name) if letter.name else None)
                shut = self._box.shut_read
                if shut and timeout is None:
                    return Message(b"", None)
                now = time.monotonic()
                if timeout == 0:
                    raise named_error("EWOULDBLOCK", "receiving from a Unix datagram socket")
                if deadline is not None and now >= deadline:
                    raise TimeoutError("timed out")
                rest = None if deadline is None else deadline - now
                if shut and rest is not None:
                    time.sleep(min(rest, SHUT_PAUSE))  # it is readable for good, as Linux's is
                else:
                    system.wait([number], [], rest)
                endable.check(sock, number)
        finally:
            udp.detach()

    def _next(self, udp: _socket.socket, *, peek: bool) -> Letter | None:
        """The next letter without waiting."""
        end = time.monotonic() + DRAIN_SECONDS
        with self._box.mutex:
            while True:
                try:
                    data, source = calls.recvfrom(udp, letters.LONGEST, _MSG_PEEK if peek else 0)
                    letter = self._judged(udp, data, source)
                    if letter is not None:
                        if not peek:
                            self._taken(udp, source, letter, letters.TAKEN)
                        return letter
                    if peek:
                        # The one that was no letter, as long as no other process takes from the same queue.
                        calls.recvfrom(udp, 0)
                except BlockingIOError:
                    return None
                except OSError as failure:
                    code = getattr(failure, "winerror", None)
                    if failure.errno not in _NOBODY_THERE and code != _CUT_SHORT:
                        tried = "receiving from a Unix datagram socket"
                        raise failure if code is None else error(code, tried) from None
                if time.monotonic() >= end:
                    return None

    def _judged(self, udp: _socket.socket, data: bytes, source: Address) -> Letter | None:
        """The letter in a datagram, if it is one for the program; the others are answered as they deserve."""
        box, record = self._box, self.state.record
        letter = None if record is None else letters.read(record, source, data)
        if letter is None or letter.stamp > time.perf_counter_ns() + AHEAD_NANOSECONDS:
            return None
        if not box.heard.is_new(letter) or not self._may_send(source):
            return None
        if letter.kind != letters.MESSAGE or letter.stamp < box.void_before:
            self._taken(udp, source, letter, letters.TAKEN)
            return None
        peer = box.peer
        if peer is not None and letter.sender != peer.record.id and letter.stamp >= box.admits_all_before:
            self._taken(udp, source, letter, letters.REFUSED)
            return None
        return letter

    def _taken(self, udp: _socket.socket, source: Address, letter: Letter, verdict: int) -> None:
        self._box.heard.take(letter)
        record = self.state.record
        assert record is not None
        if letter.flags & letters.ANSWER_WANTED or verdict == letters.REFUSED:
            try:
                calls.sendto(udp, letters.answer(record, source, letter, verdict), source)
            except OSError:
                pass  # the sender has left, or asks again

    def _may_send(self, source: Address) -> bool:
        """Since a chmod, the secret alone is not enough: somebody may have read it before. A sender that has left
        belongs to nobody who can be named, so it may have been anybody."""
        hold = self._hold
        if hold is None or self._box.unseen or not hold.touched():
            return True
        return hold.admits(system.datagram_owner(source) or Owner(uid=NO_UID))

    def shutdown(self, sock: _socket.socket, how: int, carry: Carry | None = None) -> None:  # noqa: ARG002
        """shutdown(2), which a datagram socket without a peer has, too. Sending goes on underneath: it answers."""
        number = _number(sock)
        if how not in _KINDS_OF_SHUTDOWN:
            raise named_error("EINVAL", f"shutting a Unix socket down: {how} is no way to do it")
        read, write = _KINDS_OF_SHUTDOWN[how]
        self._box.shut_read |= read
        self._box.shut_write |= write
        if read:
            udp = _udp(number)
            try:
                calls.shutdown(udp, _socket.SHUT_RD)
            except OSError:
                pass  # it has no peer; Linux wakes whoever waits all the same
            finally:
                udp.detach()

    # ---- handing on, and the end

    def revive(self, number: int, backlog: int) -> None:
        """In a process that was handed the socket: hold its life, and find its peer again."""
        super().revive(number, backlog)
        state = self.state
        if self._hold is not None:
            self._hold.listen()
        peer = rendezvous.decode(state.peer_file)
        if peer is None:
            return
        file: OpenRecord | None = None
        try:
            file = system.open_record(state.peer_path)
        except OSError:
            pass  # its name is gone; whether it lives is not known then
        if file is not None and file.data != state.peer_file:
            file.close()
            file = None
        self._box.peer = _Receiver(state.peer_path, file, peer)

    def known_as(self) -> list[Key | None]:
        """The socket's own address and its outbox's."""
        where = self._box.answers_to()
        return [*super().known_as(), (where, None, self.kind)] if where else super().known_as()

    def hand_on(self) -> None:
        """Leave a note, as a listener does."""
        if self.state.record is not None:
            write_handover(self.state, 0)

    def close(self, sock: _socket.socket) -> None:
        """Life first, then the port; what is under way to others stays in their queues."""
        hold, self._hold = self._hold, None
        try:
            if hold is not None:
                hold.close()
            if self._box.holders == 1:
                forget_handover(self.state)
        finally:
            calls.close(sock)
            self._leave()

    def _leave(self) -> None:
        if not self._left:
            self._left = True
            self._box.leave()

    def __del__(self, ending: Callable[[], bool] = sys.is_finalizing) -> None:
        """As a stream's, and the outbox goes, too."""
        if ending():
            return
        super().__del__()
        self._leave()


_CUT_SHORT: Final = 10040
"""Winsock's word for a datagram that is longer than the buffer, which is thrown away here."""


def _udp(number: int) -> _socket.socket:
    """As `calls.twin`, for a UDP socket."""
    return calls.create(_socket.AF_INET, _socket.SOCK_DGRAM, 0, fileno=number)
