"""The server's half of the emulation: everything that happens inside accept().

A connection is a client only when its hello is whole and proven; until then it is parked and blocks nobody. The
kernel's queue is the one queue that all holders of a listener share, so the proof is checked here by whoever accepts,
and not in a thread with a queue of its own. What must never be put here: files, names, the client's half.
"""

from __future__ import annotations

import _socket
import errno
import os
import threading
import time
from collections import deque
from weakref import WeakSet

from samesock._errors import error, named_error
from samesock.backend import Hold, system
from samesock.unix import hello
from samesock.unix.announcing import Announcements
from samesock.unix.calls import accepted, calls, twin
from samesock.unix.parking import Client, Parked, most_parked, reset, set_mode
from samesock.unix.rendezvous import Record
from samesock.unix.turns import Turn

Address = tuple[str, int]

DRAIN_SECONDS = 0.02
GRACE_SECONDS = 0.002
"""How long a non-blocking accept waits for a hello that must be on its way."""
GRACE_CREDIT = 0.02
GRACE_REFILL = 0.02
ALARM_PARKED = 8
ALARM_BACKLOG = 4096
ALARM_CALM = 60.0
ANNOUNCE_PAUSES = (0.01, 0.02, 0.04, 0.05)
TEND_SECONDS = 0.01
IDLE_ACCEPTS = 8
"""After one that found nobody, so many blocking accepts wait first: to look in vain costs more than to wait in vain."""

_TRANSIENT = {
    errno.ECONNABORTED,
    errno.EPROTO,
    errno.ECONNRESET,
    10053,
    10054,
}
_TABLE_FULL = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, 10024, 10055}
_DONTWAIT = getattr(_socket, "MSG_DONTWAIT", 0) if hasattr(_socket, "SOCK_NONBLOCK") else 0
"""Where an accepted socket does not take its mode from the listener (accept4: Linux, FreeBSD), reading a hello is one
call; elsewhere its mode is set where its hello has not all come, and set back."""


def _posix(failure: OSError, listener: _socket.socket) -> OSError:
    """What the program gets for a listener's error: `EBADF` if somebody has closed it, never a bare Winsock code."""
    tried = "accepting from a Unix socket"
    if calls.fileno(listener) < 0:
        return named_error("EBADF", tried)
    code = getattr(failure, "winerror", None)
    return failure if code is None else error(code, tried)


def _log(text: str) -> None:
    """Tell of an error that no caller is there to get."""
    import logging

    logging.getLogger("samesock").warning(text, exc_info=True)  # noqa: LOG014


class Acceptor:
    """One listener's state in one process, shared by every duplicate of its socket there."""

    def __init__(self, record: Record, backlog: int) -> None:
        self.record = record
        self.address: Address = ("127.0.0.1", record.port)
        self.backlog = backlog
        self._holds: list[Hold | None] = []
        self._twins: dict[int, _socket.socket] = {}
        self.refused: int = 0
        self._fresh()
        _living.add(self)

    @property
    def holders(self) -> int:
        """How many socket objects of this process have the listener."""
        return len(self._holds)

    def _fresh(self) -> None:
        self._pid = os.getpid()
        self._turn = Turn()
        self._mutex = self._turn.lock
        self._parked: dict[int, Parked] = {}
        self._ready: deque[Client] = deque()
        self._announcements = Announcements(self.address)
        self._nonces = hello.Nonces()
        self._credit = GRACE_CREDIT
        self._credited = time.monotonic()
        self._thread: threading.Thread | None = None
        self._alarmed: float | None = None
        self._idle = 0
        self._closed = False
        self._shut = False

    def check_process(self) -> None:
        """After a fork, let go of what the parent's accept had in hand: plain closes, which disturb nobody."""
        if self._pid == os.getpid():
            return
        inherited = [p.tcp for p in self._parked.values()] + [c.tcp for c in self._ready]
        announcements = self._announcements
        self._fresh()
        for tcp in inherited:
            calls.close(tcp)
        announcements.take_back()

    def accept(self, number: int, timeout: float | None) -> Client:
        """One proven client from the listening socket `number`, by the rules of a socket with that `timeout`."""
        if self._pid != os.getpid():
            self.check_process()
        deadline = None if timeout is None else time.monotonic() + timeout
        listener = self._twins.get(number) or self._twin(number)
        try:
            # Whatever mode another holder of the same listener has set: a drain never blocks.
            set_mode(listener, 0.0)
            came: set[int] | None = None
            if timeout is None and self._idle and not self._has_more_to_do():
                self._idle -= 1
                system.wait_for(number, False, None)
            while True:
                with self._mutex:
                    turn = self._turn
                    if turn.running:
                        turn.check("accepting from a Unix socket", timeout)
                    turn.running = True
                    try:
                        client = self._next(listener, came)
                    finally:
                        turn.running = False
                    if client is not None:
                        return client
                    waiting = list(self._parked)
                    due = min(p.deadline for p in self._parked.values()) if waiting else None
                if timeout == 0:
                    if self._grace():
                        continue
                    raise named_error("EWOULDBLOCK", "accepting from a Unix socket")
                came = None
                if deadline is None and due is None:
                    self._idle = IDLE_ACCEPTS
                    system.wait_for(number, False, None)
                    continue
                now = time.monotonic()
                if deadline is not None and now >= deadline:
                    raise TimeoutError("timed out")
                left = min(end - now for end in (deadline, due) if end is not None)
                came = system.wait([number, *waiting], [], max(0.0, left))
        finally:
            if self._closed:
                self._end()  # by a signal's handler, in the middle of this call
            elif (self._parked or self._ready) and not self._shut:
                self._leave()

    def _has_more_to_do(self) -> bool:
        """Whether a wait for the listener alone could miss something, or would not end."""
        return bool(self._parked or self._ready or self._shut or self._turn.running)

    def shut_down(self, number: int, hold: Hold | None) -> None:
        """Take in whoever is in the kernel's queue, and let `hold` go: the listener is about to be shut down for
        reading, which leaves a Unix socket's queue to accept(), and empties TCP's."""
        self.check_process()
        listener = self._twins.get(number) or self._twin(number)
        set_mode(listener, 0.0)
        waiting: list[Client] = []
        with self._mutex:
            self._turn.check("shutting a Unix listener down", None)
            self._turn.running = True
            try:
                while (client := self._next(listener)) is not None:
                    waiting.append(client)
            except OSError:
                pass  # it has been shut before: then there is no queue
            finally:
                self._turn.running = False
            self._ready.extend(waiting)
            self._shut = True
            if hold is not None:
                self._holds[self._holds.index(hold)] = None

    def _twin(self, number: int) -> _socket.socket:
        """Make the listener's twin. There is one for a number: a second one, dropped, would close it."""
        with self._mutex:
            listener = self._twins.get(number)
            if listener is None:
                if self._closed:
                    raise named_error("EBADF", "accepting from a closed Unix socket")
                made = twin(number)
                listener = self._twins.setdefault(number, made)
                if listener is not made:
                    made.detach()  # a signal's handler was here meanwhile
            return listener

    # ---- all below run under the mutex, unless they say otherwise

    def _next(self, listener: _socket.socket, came: set[int] | None = None) -> Client | None:
        """The next proven client without waiting: the longest ready one, a parked one that is whole by now, or a
        new one from the kernel's queue. `came` are the numbers that a wait has just found readable, if there was one.
        """
        if self._parked:
            self._feed(system.wait(list(self._parked), [], 0.0) if came is None else came)
        if self._ready:
            return self._ready.popleft()
        end = 0.0
        while True:
            try:
                number, address = calls.accept(listener)
            except OSError as failure:
                if isinstance(failure, BlockingIOError):
                    return None
                if failure.errno in _TABLE_FULL and self._parked:
                    self._evict()
                elif failure.errno not in _TRANSIENT:
                    raise _posix(failure, listener) from None
            else:
                client = self._greet(number, address, listener)
                if client is not None:
                    return self._first(client) if self._parked else client
            now = time.monotonic()
            if not end:
                end = now + DRAIN_SECONDS
            elif now >= end:
                return None

    def _first(self, client: Client) -> Client:
        """That new client, or who came before it with a hello that was on its way at the first look: a program that
        connects twice finds its connections accepted in that order."""
        try:
            self._feed(system.wait(list(self._parked), [], 0.0))
        finally:
            self._ready.append(client)  # also when Ctrl+C came in between
        return self._ready.popleft()

    def _greet(self, number: int, address: Address, listener: _socket.socket) -> Client | None:
        """Look once at a new connection: a client, or parked, or gone."""
        tcp = accepted(number, self.record.kind)
        if self._announcements.open and self._announcements.is_one(address):
            return calls.close(tcp)
        parked = Parked(tcp, address, time.monotonic())
        before = self.refused
        client = None
        try:
            if _socket.getdefaulttimeout() is not None:  # it is for the program, and must not have this wait
                set_mode(tcp, 0.0)
                parked.impatient = True
            client = self._read(parked)
        finally:
            # Also when Ctrl+C came in between: the next accept goes on with it.
            if client is None and calls.fileno(tcp) >= 0:
                if self._parked and len(self._parked) >= most_parked():  # the limit is asked of the system
                    self._evict()
                self._parked[number] = parked
        if self.refused != before or len(self._parked) > ALARM_PARKED:
            self._alarm(listener)
        elif self._alarmed is not None:
            self._calm(listener)
        return client

    def _read(self, parked: Parked) -> Client | None:
        """Take what has come of the hello, never a byte more. A wrong one is reset and counted.

        Whoever accepts is woken as soon as TCP has connected, and where both ends have one processor the client's
        connect() has not come to its hello yet. So the first to be late is let run, and looked at once more: all that
        is made for one who stays late costs more than the whole connection. To let others run may cost a turn of each
        of theirs, so for a minute nobody has it who comes after somebody was rude.
        """
        tcp = parked.tcp
        again = True
        wanted = hello.missing(parked.got) if parked.got else hello.SIZE
        while wanted != 0:
            if wanted is None:
                self._refuse(tcp)
                return None
            if not _DONTWAIT and not parked.impatient and system.unread(calls.fileno(tcp)) < wanted:
                if again and self._is_first_to_be_late(parked):
                    again = False
                    system.give_way()
                    continue
                set_mode(tcp, 0.0)
                parked.impatient = True
            try:
                data = calls.recv(tcp, wanted, _DONTWAIT)
            except BlockingIOError:
                if not (again and self._is_first_to_be_late(parked)):
                    return None
                again = False
                system.give_way()
                continue
            except OSError:
                self._refuse(tcp)
                return None
            if not data:
                if not parked.got and self._announcements.was_one(parked.address):
                    return calls.close(tcp)
                self._refuse(tcp)
                return None
            parked.got += data
            wanted = hello.missing(parked.got)
        said = hello.check(self.record, parked.address, self.address, parked.got)
        if parked.impatient or not _DONTWAIT:
            set_mode(tcp, _socket.getdefaulttimeout())
        if said is None or not self._may_connect(parked) or not self._nonces.use(said.nonce):
            self._refuse(tcp)
            return None
        return Client(tcp, parked.address, said)

    def _may_connect(self, parked: Parked) -> bool:
        """Since a chmod, the secret alone is not enough: somebody may have read it before.

        Who has reset its connection has left its address to anybody, and the row in the table is theirs who have taken
        it, while Linux still gives out what was sent before the reset (seen: a thief's bytes, let in by root's row).
        So it is asked after the look whether the connection is there: so long the row is its peer's.
        """
        hold = next(filter(None, self._holds), None)
        if self._shut:
            return False  # the hello came too late, and whether the file was touched cannot be told any more
        try:
            if hold is None or not hold.touched():
                return True
            owner = system.connection_owner(parked.address, self.address)
            if owner is None or not system.has_connection(calls.fileno(parked.tcp)):
                return False
            return hold.admits(owner)
        except OSError:
            _log("a client was refused: who it is could not be asked")
            return False

    def _refuse(self, tcp: _socket.socket) -> None:
        self.refused += 1
        reset(tcp)

    def _evict(self) -> None:
        """Reset the connection that has been parked longest."""
        number = next(iter(self._parked))
        self._refuse(self._parked.pop(number).tcp)

    def _feed(self, readable: set[int]) -> None:
        """Reset the overdue; go on reading the others."""
        now = time.monotonic()
        for number in [n for n, parked in self._parked.items() if parked.deadline <= now]:
            self._refuse(self._parked.pop(number).tcp)
        for number, parked in list(self._parked.items()):
            # A whole hello is still here if Ctrl+C came while it was judged.
            if number not in readable and hello.missing(parked.got) != 0:
                continue
            client = self._read(parked)
            if client is not None:
                self._ready.append(client)
            if client is not None or calls.fileno(parked.tcp) < 0:
                del self._parked[number]

    def _alarm(self, listener: _socket.socket) -> None:
        """Somebody is being rude: a large kernel queue keeps room for the polite."""
        if self._alarmed is None:
            calls.listen(listener, ALARM_BACKLOG)
        self._alarmed = time.monotonic()

    def _is_first_to_be_late(self, parked: Parked) -> bool:
        """Whether nobody else is, nor was rude a while ago, and nothing of the hello has come."""
        return not (self._parked or parked.got or self._is_alarmed(parked.since))

    def _is_alarmed(self, now: float) -> bool:
        """Whether somebody has been rude within the last minute."""
        return self._alarmed is not None and now - self._alarmed < ALARM_CALM

    def _calm(self, listener: _socket.socket) -> None:
        """After a minute's quiet, the backlog that was asked for; not on Winsock, where lowering drops some."""
        if self._alarmed is None or system.REFUSED_WHEN_FULL or self._is_alarmed(time.monotonic()):
            return
        calls.listen(listener, self.backlog)
        self._alarmed = None

    # ---- without the mutex

    def _grace(self) -> bool:
        """Wait a moment for young hellos, out of a credit that refills slowly; True if one has come.

        A late hello is ordinary (13 % of connects under select, measured), and a server that was told "readable"
        and then gets EAGAIN goes round its loop for nothing.
        """
        now = time.monotonic()
        with self._mutex:
            self._credit = min(GRACE_CREDIT, self._credit + (now - self._credited) * GRACE_REFILL)
            self._credited = now
            young = [n for n, parked in self._parked.items() if now - parked.since < GRACE_SECONDS]
            limit = min(GRACE_SECONDS, self._credit)
        if not young or limit <= 0:
            return False
        came = system.wait(young, [], limit)
        with self._mutex:
            self._credit -= time.monotonic() - now
        return bool(came)

    def _leave(self) -> None:
        """Somebody must tend what is parked or ready when no accept is running: one thread, while there is any."""
        with self._mutex:
            if self._thread is not None or self._closed:
                return
            thread = threading.Thread(
                target=self._tend, name=f"samesock-accept-{self.record.port}", daemon=True
            )
            try:
                thread.start()
            except RuntimeError:
                # No room for another thread, or the interpreter is about to end. The next accept() looks at them.
                _log("no thread could be started that tends clients whose hello is late")
            else:
                self._thread = thread

    def _tend(self) -> None:
        """The thread: feed the parked, and announce the ready to whoever waits on the listener's descriptor.

        No error ends it, since others depend on it: it tells the log, once for each kind in a row, and goes on.
        """
        told = ""
        announced = 0
        due = 0.0
        while True:
            try:
                with self._mutex:
                    if self._closed or self._shut or not (self._parked or self._ready):
                        self._stop_tending()
                        return
                    waiting = list(self._parked)
                    now = time.monotonic()
                    if not self._ready:
                        announced, due = 0, 0.0
                    elif now >= due:
                        due = now + ANNOUNCE_PAUSES[min(announced, len(ANNOUNCE_PAUSES) - 1)]
                        announced += 1
                        self._announce()
                if waiting:
                    readable = system.wait(waiting, [], TEND_SECONDS)
                else:
                    time.sleep(TEND_SECONDS)
                    readable = set()
                with self._mutex:
                    if not self._closed:
                        self._feed(readable)
            except Exception as trouble:  # noqa: BLE001 -- told to the log
                if repr(trouble) != told:
                    told = repr(trouble)
                    _log("tending clients whose hello is late")
                time.sleep(TEND_SECONDS)

    def _stop_tending(self) -> None:
        if self._closed:
            self._end()
        self._announcements.take_back()
        self._thread = None

    def _announce(self) -> None:
        """Make the listener readable by a connection to oneself, unless it is readable.

        The connection is kept until it is taken. Another process that holds the listener may swallow it: then the
        listener is not readable, and there is another one. So there is never more than one in the queue, however
        long the program takes to come.
        """
        number = next(iter(self._twins), None)
        if not self._announcements.open or (number is not None and not system.wait([number], [], 0.0)):
            self._announcements.make()

    def __del__(self) -> None:
        """The twins own nothing: without this, theirs would be the second close of the listeners' numbers."""
        for listener in self._twins.values():
            listener.detach()

    def join(self, hold: Hold | None) -> None:
        """One more socket object of this process has the listener."""
        self._holds.append(hold)

    def forget(self, number: int) -> None:
        """That descriptor is about to be closed or given away."""
        listener = self._twins.pop(number, None)
        if listener is not None:
            listener.detach()

    def leave(self, hold: Hold | None) -> None:
        """One socket object fewer; its descriptor is closed already. After the last one, reset what was parked or
        ready: their clients see it."""
        self.check_process()
        with self._mutex:
            self._holds.remove(hold)
            self._closed = self._closed or not self._holds
            if self._closed and not self._turn.running:
                self._end()

    def abandon(self, hold: Hold | None) -> None:
        """The same, from a finalizer. That may run in a thread which has the mutex: so it is not taken, and the
        tending thread, if there is one, does what is to be done."""
        self.check_process()
        self._holds.remove(hold)
        if not self._holds:
            self._closed = True
            if self._thread is None and not self._turn.running:
                self._end()

    def _end(self) -> None:
        self._closed = True
        rest = [p.tcp for p in self._parked.values()] + [c.tcp for c in self._ready]
        self._parked.clear()
        self._ready.clear()
        for tcp in rest:
            reset(tcp)
        self._announcements.take_back()


_living: WeakSet[Acceptor] = WeakSet()


def _check_all() -> None:
    for acceptor in list(_living):
        acceptor.check_process()


if hasattr(os, "register_at_fork"):
    # At once, not at the child's first accept: a copy of a waiting connection would hide its end from the client.
    os.register_at_fork(after_in_child=_check_all)
