"""Descriptors over a Unix socket whose kernel does not pass them: sendmsg and recvmsg with SCM_RIGHTS, in the stream.

The sender makes its descriptors ready for the receiver's process and sends a frame that says how to get at them; the
receiver looks ahead (MSG_PEEK) for a frame before it takes bytes, so that descriptors come with their message's first
byte, and no call reads across into a message with descriptors or beyond one. One `Passage` is the state of one
connection's end, common to its duplicates in a process. What must never be put here: the frame's bytes (`frames`), the
key (`passing_keys`), who has the other end (`passing_taker`), what becomes of one descriptor (`passed`), and how a
system moves it (the backend).
"""

from __future__ import annotations

import _socket
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from samesock import _waking
from samesock._constants import MSG_DONTWAIT
from samesock._errors import named_error
from samesock.backend import system
from samesock.unix import End, frames
from samesock.unix.calls import calls
from samesock.unix.passed import described, os_space, usable
from samesock.unix.passing_taker import OtherEnd
from samesock.unix.turns import Turn

if TYPE_CHECKING:
    from samesock.fd.descriptor import Thing
    from samesock.unix.passing_keys import ConnectionKeys, PublishedKeys

_CTRUNC = _socket.MSG_CTRUNC

DATA_IN_FRAME = 65536
"""How much of a message is kept together with its descriptors; what is longer follows as plain bytes."""

FINISH_SECONDS = 5.0
"""How long a sender that may not block goes on with a frame of which a part is sent, before it ends the connection."""

DOUBT_SECONDS = 0.2
"""How long bytes at the end of what has come that may begin a marker are held back for more. A sender makes one call
for a frame, so the rest is there within microseconds unless it was stopped in the middle."""

DISCARD_SECONDS = 0.25
"""How long a close may read what was passed and not asked for."""

_PAUSE = 0.001
_LOOK_AHEAD = 262144
_DONTWAIT = getattr(_socket, "MSG_DONTWAIT", 0)
"""The kernel's flag, 0 for Winsock, which has none: `MSG_DONTWAIT` is what a program says."""
_PIECE = 4096
"""Bytes that a stream takes at once when it is writable at all."""
_SENDING = "passing descriptors"
_RECEIVING = "receiving from a Unix socket"

Message = tuple[bytes, list[int], int]


class Passage:
    """What one end of a connection knows of the frames that it sends and gets."""

    def __init__(self, keys: ConnectionKeys | PublishedKeys) -> None:
        self.keys: ConnectionKeys | PublishedKeys = keys
        self.other: OtherEnd = OtherEnd()
        self._receiving = Turn()
        self._sending = Turn()
        self._counter = 0
        self._seen = frames.Seen()
        self._key: frames.Keys | None = None
        self._head: frames.Head | None = None
        self._skip = 0
        self._body = bytearray()
        self._since = 0.0
        self._doubted = 0
        self._paused = False

    # ---- sending

    def send(self, sock: _socket.socket, end: End, data: bytes, things: Sequence[Thing], flags: int) -> int:
        """Send the message with its descriptors; the number of the message's bytes that were sent, as sendmsg(2).

        All or nothing for the descriptors: an error before the first byte leaves nothing anywhere.
        """
        if len(things) > frames.MOST_DESCRIPTORS:
            raise named_error(
                "EINVAL", f"{_SENDING}: {len(things)}, and {frames.MOST_DESCRIPTORS} go at once"
            )
        given = [described(thing) for thing in things]
        if not data:
            return 0  # as Linux: on a stream they travel with a byte
        timeout = 0.0 if flags & MSG_DONTWAIT else calls.gettimeout(sock)
        deadline = None if timeout is None else time.monotonic() + timeout
        first = data[:DATA_IN_FRAME]
        while True:
            with self._sending.lock:
                self._sending.check(_SENDING, timeout)
                self._sending.running = True
                try:
                    # Before anything is made ready, so that it is sent at once.
                    if system.wait_for(calls.fileno(sock), True, 0.0):
                        self._send_message(sock, end, first, given, flags)
                        break
                finally:
                    self._sending.running = False
            self._wait_for_room(sock, timeout, deadline)  # without the turn
        if len(first) == len(data):
            return len(data)
        return len(first) + send_plain(sock, data[len(first) :], flags, begun=True)

    def _send_message(
        self, sock: _socket.socket, end: End, first: bytes, given: list[tuple[str, int, bytes]], flags: int
    ) -> None:
        """In its turn, send a frame and the message's first bytes."""
        offer = system.passing.offer(
            [("socket" if space == "socket" else "handle", number) for space, number, _ in given],
            self.other.taker(sock, end),
        )
        try:
            key, instance = self.keys.outgoing(offer.target, offer.target_start)
            records = [frames.Record("lease", offer.lease, b"")]
            records += [
                frames.Record(space, token, state)
                for (space, _, state), token in zip(given, offer.tokens, strict=True)
            ]
            self._counter += 1
            head = frames.Head(instance, self._counter, offer.target, offer.target_start, 0, 0, len(first))
            frame = frames.encode(key, head, records)
            if len(frame) > frames.HEAD_SIZE + frames.LARGEST_BODY:
                # The receiver would take it for plain bytes, and nobody would close what it has been given.
                raise named_error("EMSGSIZE", f"{_SENDING}: {len(frame)} bytes tell of them")
        except BaseException:
            offer.revoke()
            raise
        self._send_frame(sock, frame + first, _known(flags), offer)

    def _wait_for_room(self, sock: _socket.socket, timeout: float | None, deadline: float | None) -> None:
        """So that what is made ready is sent at once, and `EAGAIN` comes before anything is made."""
        left = None if deadline is None else max(0.0, deadline - time.monotonic())
        if not system.wait((), (calls.fileno(sock),), left):
            if timeout == 0:
                raise named_error("EWOULDBLOCK", _SENDING)
            raise TimeoutError("timed out")

    def _send_frame(self, sock: _socket.socket, data: bytes, flags: int, offer: Any) -> None:
        """Send it whole. Half a frame would spoil the stream, so once begun it is finished, or the connection ends."""
        view, sent = memoryview(data), 0
        try:
            while sent < len(view):
                try:
                    sent += calls.send(sock, view[sent:], flags)
                except (BlockingIOError, TimeoutError):
                    if not sent:
                        raise
                    if not system.wait((), (calls.fileno(sock),), FINISH_SECONDS):
                        raise named_error(
                            "ECONNABORTED", f"{_SENDING}: the peer did not take a frame that was begun"
                        ) from None
        except BaseException:
            if sent:
                self.keys.sent()
                # What it has got whole the receiver closes when it sees the end.
                offer.sent()
                try:
                    calls.shutdown(sock, _socket.SHUT_RDWR)
                except OSError:
                    pass  # it has gone
            else:
                offer.revoke()
            raise
        self.keys.sent()
        offer.sent()

    # ---- receiving

    def receive(self, sock: _socket.socket, size: int, most: int, flags: int) -> Message:
        """One message of at most `size` bytes and `most` descriptors, with its flags, as recvmsg(2)."""
        if size <= 0:
            return b"", [], 0
        timeout = 0.0 if flags & MSG_DONTWAIT else calls.gettimeout(sock)
        deadline = None if timeout is None else time.monotonic() + timeout
        number = calls.fileno(sock)
        # A call that may wait asks first how much is there, and waits at once for what is not: one question less.
        waits = _asks_first(timeout)
        while True:
            if _waking.is_shut_for_caller():
                return b"", [], 0
            message = self._in_turn(sock, size, most, flags, timeout, waits)
            if message is not None:
                return message
            if timeout == 0:
                if self._paused:
                    time.sleep(_PAUSE)  # a loop that is told again and again that it may read does not spin
                raise named_error("EWOULDBLOCK", _RECEIVING)
            rest = None if deadline is None else deadline - time.monotonic()
            if rest is not None and rest <= 0:
                if not waits:
                    raise TimeoutError("timed out")
                rest = 0.0  # it has not looked yet
            if self._paused:
                time.sleep(_PAUSE)
            elif not system.wait_for(number, False, rest):
                raise TimeoutError("timed out")
            waits = False

    def _in_turn(  # noqa: PLR0917 -- a call's arguments, and how it waits
        self, sock: _socket.socket, size: int, most: int, flags: int, timeout: float | None, waits: bool
    ) -> Message | None:
        """What can be had without waiting; None if more must come. One that `waits` does not look where nothing is."""
        with self._receiving.lock:
            self._receiving.check(_RECEIVING, timeout)
            self._receiving.running = True
            try:
                self._paused = False
                if waits and not system.unread(calls.fileno(sock)):
                    return None
                return self._next(sock, size, most, bool(flags & _socket.MSG_PEEK))
            except BlockingIOError:
                return None
            finally:
                self._receiving.running = False

    def _next(self, sock: _socket.socket, size: int, most: int, peek: bool) -> Message | None:
        """What can be had without waiting; `None` if more must come, BlockingIOError likewise."""
        if self._head is None:
            view = self._look(sock, min(max(size, frames.HEAD_SIZE), _LOOK_AHEAD))
            if not view:
                return b"", [], 0
            plain = self._plain(view)
            if plain is None:
                self._paused = True
                return None
            if plain:
                count = min(plain, size)
                return (view[:count] if peek else calls.recv(sock, count)), [], 0
        head = self._head
        assert head is not None
        wanted = min(size, head.data)
        data = self._read_frame(sock, head, 0 if peek else wanted)
        if data is None:
            return b"", [], 0
        if peek:
            return self._look(sock, wanted), [], 0
        if not data and not (data := self._read(sock, wanted)):
            self._abandon()
            return b"", [], 0
        return (data, *self._deliver(most))

    def _look(self, sock: _socket.socket, size: int) -> bytes:
        self._check(sock)
        return calls.recv(sock, size, _socket.MSG_PEEK | _DONTWAIT)

    def _read(self, sock: _socket.socket, size: int) -> bytes:
        self._check(sock)
        return calls.recv(sock, size, _DONTWAIT)

    def _check(self, sock: _socket.socket) -> None:
        """Before a call that may not wait: C's waits out a time-out whatever the flags, and Winsock has no flag."""
        if not _asks_first(calls.gettimeout(sock)):
            return
        number = calls.fileno(sock)
        if not system.unread(number) and not system.wait_for(number, False, 0.0):
            raise BlockingIOError

    def _plain(self, view: bytes) -> int | None:
        """How many bytes at the start of `view` are plain: 0 where a frame begins (its head is then taken in),
        `None` while that cannot be told."""
        marker = self.keys.marker
        at = frames.find(view, marker)
        if at:
            return at
        if len(view) < frames.HEAD_SIZE and self._in_doubt(len(view)):
            return None
        self._doubted = 0
        if self._is_frame(view):
            return 0
        return frames.find(view, marker, 1)

    def _is_frame(self, view: bytes) -> bool:
        """Whether a frame begins here; its head is then the one in hand."""
        if len(view) < frames.HEAD_SIZE:
            return False
        raw = view[: frames.HEAD_SIZE]
        key = self.keys.incoming(raw)
        head = None if key is None else frames.head_of(key, raw)
        if head is None or not self._seen.fresh(head):
            return False
        self._key, self._head = key, head
        self._skip, self._body = frames.HEAD_SIZE, bytearray()
        return True

    def _in_doubt(self, length: int) -> bool:
        now = time.monotonic()
        if length != self._doubted:
            self._doubted, self._since = length, now
        limit = DOUBT_SECONDS if length < frames.MARKER_SIZE else self.keys.MARKED_SECONDS
        return now - self._since < limit

    def _read_frame(self, sock: _socket.socket, head: frames.Head, more: int) -> bytes | None:
        """Read the rest of head and records, and with them, if they come, up to `more` bytes of the message, which are
        returned; None when the stream has ended before."""
        while missing := self._skip + head.size - len(self._body):
            try:
                data = self._read(sock, min(missing + more, _LOOK_AHEAD))
            except BlockingIOError:
                raise
            except OSError:
                self._abandon()
                raise
            if not data:
                self._abandon()
                return None
            skipped = min(self._skip, len(data))
            self._skip -= skipped
            self._body += data[skipped:missing]
            if len(data) > missing:
                return data[missing:]
        return b""

    # ---- what a frame brings

    def _taken(self) -> list[tuple[frames.Record, int | None]]:
        """What the frame in hand brings, as far as it is whole; the frame is done with."""
        head, key, body = self._head, self._key, bytes(self._body)
        self._head, self._key, self._body = None, None, bytearray()
        assert head is not None
        assert key is not None
        found = frames.records_of(key, head, body)
        if not found or found[0].space != "lease":
            return []
        lease, records = found[0], found[1:]
        if head.target and (head.target, head.target_start) != system.passing.me():
            return [(record, None) for record in records]
        tokens = [("socket" if one.space == "socket" else "handle", one.token) for one in records]
        return list(zip(records, system.passing.take(lease.token, tokens), strict=True))

    def _deliver(self, most: int) -> tuple[list[int], int]:
        """The first `most` descriptors, and MSG_CTRUNC if there were more, or some could not be had."""
        descriptors: list[int] = []
        flags = 0
        for record, number in self._taken():
            if number is None:
                flags = _CTRUNC
            elif len(descriptors) >= most:
                flags = _CTRUNC
                system.passing.close(os_space(record), number)
            else:
                try:
                    descriptors.append(usable(record, number))
                except (OSError, ValueError):
                    flags = _CTRUNC
        return descriptors, flags

    def _abandon(self) -> None:
        """The sender has gone in the middle of a frame: close what came whole."""
        for record, number in self._taken():
            if number is not None:
                system.passing.close(os_space(record), number)

    # ---- the end

    def close(self, sock: _socket.socket) -> None:
        """Close descriptors that have come and that nobody took, where they are in this process already; let go of
        what was kept for the peer and is taken."""
        try:
            if system.passing.NEEDS_TARGET or self.keys.published:
                self._discard_unread(sock)
        except OSError:
            pass  # nothing more to be read
        if self._head is not None:
            self._abandon()
        system.passing.release()
        self.other.close()
        self.keys.close()

    def _discard_unread(self, sock: _socket.socket) -> None:
        """Plain bytes stay where they are, so that the peer sees what a close with unread bytes shows; and a peer that
        goes on sending holds up nobody."""
        end = time.monotonic() + DISCARD_SECONDS
        while time.monotonic() < end:
            if self._head is None:
                if not system.unread(calls.fileno(sock)):
                    return  # nothing, or the end
                if self.keys.marker not in self._look(sock, _LOOK_AHEAD):
                    return
            message = self._next(sock, _LOOK_AHEAD, 0, False)
            if message is None or not message[0]:
                return


def _asks_first(timeout: float | None) -> bool:
    """Whether C's call would wait, however it is asked not to: with a time-out, and in Winsock, which has no flag."""
    return bool(timeout) or (timeout is None and not _DONTWAIT)


def _known(flags: int) -> int:
    """The flags without the one that this kernel does not know."""
    return flags if _DONTWAIT else flags & ~MSG_DONTWAIT


def send_plain(sock: _socket.socket, data: bytes, flags: int, *, begun: bool = False) -> int:
    """send(2) of a stream, MSG_DONTWAIT among its flags or not; how many bytes were sent.

    `begun` says that these are the rest of a message: then all of them go, or what goes without an error. The number
    tells that a part was sent, and the next call meets the error.
    """
    if not begun and (_DONTWAIT or not flags & MSG_DONTWAIT):
        return calls.send_waiting(sock, data, flags)
    asks = not _DONTWAIT and bool(flags & MSG_DONTWAIT)
    view, sent = memoryview(data), 0
    while sent < len(view):
        if asks and not system.wait((), (calls.fileno(sock),), 0.0):
            break
        try:
            if asks:
                sent += calls.send(sock, view[sent : sent + _PIECE], _known(flags))
            else:
                sent += calls.send_waiting(sock, view[sent:], _known(flags))
        except OSError:
            if sent or begun:
                break
            raise
    if view and not sent and not begun:
        raise named_error("EWOULDBLOCK", "sending over a Unix socket")
    return sent


def receive_plain(sock: _socket.socket, size: int, flags: int) -> bytes:
    """recv(2) of a stream that has no key, or no connection, MSG_DONTWAIT among its flags or not."""
    if flags & MSG_DONTWAIT and not _DONTWAIT and not system.wait((calls.fileno(sock),), (), 0.0):
        raise named_error("EWOULDBLOCK", "receiving from a Unix socket")
    return calls.recv(sock, size, _known(flags))
