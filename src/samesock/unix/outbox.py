"""The sending half of an emulated Unix datagram socket: a UDP socket of its own, and what is under way from it.

A Unix datagram is never lost: who sends too much waits. UDP drops what finds no room, without a word. So an outbox
has at most a window of letters under way to each receiver, asks for an answer when half of it is used, and waits
when all is. Answers come to this socket and not to the one that the program waits on, which would be readable for
nothing. What must never be put here: receiving for the program, files, and names.
"""

from __future__ import annotations

import _socket
import errno
import os
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from secrets import token_bytes

from samesock._errors import error, named_error
from samesock.backend import system
from samesock.unix import letters, turns
from samesock.unix.calls import calls
from samesock.unix.rendezvous import Record

Address = tuple[str, int]

WINDOW_LETTERS = 16
WINDOW_BYTES = 65_536
"""How much one socket may have under way to one receiver that has not read it; one message always may."""
REMEMBERED_WINDOWS = 256
FIRST_QUESTION = 0.05
"""When a sender that waits asks whether its letters were lost: first after this time, then ever more rarely."""
LAST_QUESTION = 5.0
LOOK_SECONDS = 0.25
"""How often a sender that waits looks whether the receiver lives."""
_MOST_ANSWERS = 256
_ROOM_SECONDS = 0.001
"""How often the kernel is asked again that had no room. A wait would not do: where it lacks memory (ENOBUFS), the
socket is writable all the same."""
_NOBODY_THERE = {errno.ECONNREFUSED, errno.ECONNRESET, 10052, 10054, 10061}
_NO_ROOM = {errno.EAGAIN, errno.EWOULDBLOCK, errno.ENOBUFS, errno.ENOMEM, 10035, 10055}


class Full(Exception):
    """The receiver has not read what it was sent, and the time that the caller has is over."""


class Gone(Exception):
    """The receiver is not there any more."""


class _Window:
    """What is under way to one receiver."""

    __slots__ = ("bytes", "due", "pause", "record", "refused", "under_way")

    def __init__(self, record: Record) -> None:
        self.record = record
        self.under_way: deque[tuple[int, int]] = deque()
        self.bytes = 0
        self.refused = False
        self.rest()

    def rest(self) -> None:
        """No question is due: something has come, or nothing waits."""
        self.pause = FIRST_QUESTION
        self.due: float | None = None

    def has_room(self, size: int) -> bool:
        """Whether a letter with `size` bytes may be sent now."""
        count = len(self.under_way)
        return count == 0 or (count < WINDOW_LETTERS and self.bytes + size <= WINDOW_BYTES)

    def half_used(self) -> bool:
        """Whether it is time to ask for an answer."""
        return 2 * len(self.under_way) >= WINDOW_LETTERS or 2 * self.bytes >= WINDOW_BYTES

    def add(self, stamp: int, size: int) -> None:
        """A letter is under way."""
        self.under_way.append((stamp, size))
        self.bytes += size

    def take_back(self, stamp: int, size: int) -> None:
        """It was not sent. What a signal's handler has sent meanwhile is."""
        if (stamp, size) in self.under_way:
            self.under_way.remove((stamp, size))
            self.bytes -= size

    def answered(self, answer: letters.Answer) -> None:
        """All up to the answer's stamp has left the receiver's queue: taken, or lost before it."""
        if not self.under_way or answer.stamp < self.under_way[0][0]:
            return
        while self.under_way and self.under_way[0][0] <= answer.stamp:
            self.bytes -= self.under_way.popleft()[1]
        self.refused = answer.kind == letters.REFUSED
        self.rest()


class Outbox:
    """One process's sending socket of one Unix datagram socket. Its methods may be called from any thread."""

    def __init__(self) -> None:
        self.pid: int = os.getpid()
        self._session = token_bytes(16)
        self._stamp = 0
        self._windows: OrderedDict[bytes, _Window] = OrderedDict()
        self._mutex = turns.lock()  # a signal's handler may send, too, in the middle of a send: a log, say
        udp = calls.create(_socket.AF_INET, _socket.SOCK_DGRAM, 0)
        try:
            system.prepare_listener(udp)
            calls.bind(udp, ("127.0.0.1", 0))
            calls.settimeout(udp, 0.0)
            self.address: Address = calls.getsockname(udp)
        except BaseException:
            calls.close(udp)
            raise
        self.socket = udp
        """Also asked for the realm. AF_INET, and never blocks."""

    def close(self) -> None:
        """Close the socket. What is under way stays in the receivers' queues."""
        calls.close(self.socket)

    def send(
        self,
        record: Record,
        lives: Callable[[], bool],
        *,
        sender: bytes,
        name: bytes,
        message: bytes,
        timeout: float | None,
    ) -> None:
        """Send the message, by the rules of a socket with that `timeout`.

        `lives` says whether the receiver is still there; it was asked already. Raises `Full` when the window stayed
        full, `Gone` when the receiver died meanwhile, `EPERM` when it has thrown away an earlier letter, since it is
        connected to somebody else.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        while True:
            with self._mutex:
                window = self._window(record)
                if window.under_way:
                    self._read_answers(window)
                if window.refused:
                    window.refused = False
                    raise named_error("EPERM", "sending to a Unix socket that is connected to another one")
                if window.has_room(len(message)):
                    self._post(window, sender, name, message, deadline)
                    return
                now = time.monotonic()
                if window.due is None:
                    window.due = now + window.pause
                elif now >= window.due:
                    window.pause = min(2 * window.pause, LAST_QUESTION)
                    window.due = now + window.pause
                    self._ask(window, sender)
                due = window.due
            if deadline is not None and now >= deadline:
                raise Full
            ends = [due, now + LOOK_SECONDS] if deadline is None else [due, now + LOOK_SECONDS, deadline]
            number = calls.fileno(self.socket)
            if number < 0:
                raise named_error("EBADF", "sending from a closed Unix socket")
            system.wait([number], [], max(0.0, min(ends) - now))
            if not lives():
                raise Gone

    # ---- under the mutex

    def _window(self, record: Record) -> _Window:
        window = self._windows.get(record.id)
        if window is None:
            window = self._windows[record.id] = _Window(record)
            if len(self._windows) > REMEMBERED_WINDOWS:
                self._windows.popitem(last=False)
        else:
            self._windows.move_to_end(record.id)
        return window

    def _next_stamp(self) -> int:
        self._stamp = max(self._stamp + 1, time.perf_counter_ns())
        return self._stamp

    def _post(
        self, window: _Window, sender: bytes, name: bytes, message: bytes, deadline: float | None
    ) -> None:
        stamp = self._next_stamp()
        window.add(stamp, len(message))
        flags = letters.ANSWER_WANTED if window.half_used() else 0
        letter = letters.Letter(letters.MESSAGE, flags, stamp, self._session, sender, name, message)
        try:
            self._put(letters.make(window.record, self.address, letter), window.record.port, deadline)
        except BaseException:
            window.take_back(stamp, len(message))
            raise

    def _ask(self, window: _Window, sender: bytes) -> None:
        """Ask how far the receiver is: the letter that should have made it answer may have been dropped."""
        letter = letters.Letter(
            letters.QUESTION,
            letters.ANSWER_WANTED,
            self._next_stamp(),
            self._session,
            sender,
            b"",
            b"",
        )
        try:
            self._put(letters.make(window.record, self.address, letter), window.record.port, time.monotonic())
        except Full:
            pass  # the next one is due soon

    def _put(self, data: bytes, port: int, deadline: float | None) -> None:
        """Give a datagram to the kernel, which takes it at once unless its own buffer is full."""
        told = 0
        while True:
            try:
                calls.sendto(self.socket, data, ("127.0.0.1", port))
                return
            except OSError as failure:
                if failure.errno in _NOBODY_THERE and told < WINDOW_LETTERS:
                    told += 1  # Winsock: what became of an earlier one, told once each; this one was not sent
                    continue
                if failure.errno not in _NO_ROOM:
                    code = getattr(failure, "winerror", None)
                    raise failure if code is None else error(code, "sending a Unix datagram") from None
            rest = LOOK_SECONDS if deadline is None else deadline - time.monotonic()
            if rest <= 0:
                raise Full
            time.sleep(min(rest, _ROOM_SECONDS))

    def _read_answers(self, wanted: _Window) -> None:
        """Take in what has come. Whoever writes nonsense to this port costs a look at it, and no more."""
        for _ in range(_MOST_ANSWERS):
            try:
                data, source = calls.recvfrom(self.socket, letters.LONGEST)
            except OSError as failure:
                if failure.errno in _NOBODY_THERE:
                    continue
                return
            if source == ("127.0.0.1", wanted.record.port):
                windows = [wanted]
            else:
                windows = [w for w in self._windows.values() if source == ("127.0.0.1", w.record.port)]
            for window in windows:
                answer = letters.read_answer(window.record, self.address, self._session, data)
                if answer is not None:
                    window.answered(answer)
