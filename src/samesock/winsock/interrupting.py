"""Ctrl+C into a call of Winsock that the main thread blocks in.

C's calls wait through Ctrl+C on Windows. A thread waits for the event that CPython sets on it, and has the main thread
itself cancel the call: Winsock waits alertably (MSDN says so of recv, accept and the others), so a queued
`CancelIo` runs inside the wait and ends what this thread has pending on that socket, and nothing of anybody else's: a
sendall of another thread on the same socket goes on (seen under Wine). Where that does not take, `CancelIoEx` follows,
unless it would hit others. The frame around the call (`blocking`) makes the call again, or lets KeyboardInterrupt out.

The thread is started when the main thread is about to block for the first time, or has made a few calls that might
have: to find out for each of them whether it would costs more than the thread. It is `_thread`'s: no object of
`threading`, so that a program that looks at its threads sees its own. What must never be put here: what a cancelled
call means.
"""

from __future__ import annotations

import _thread
import ctypes
import signal
import sys
import threading
import time
from collections.abc import Callable
from typing import Any, Final

from samesock import _errors, _waking
from samesock.backend import _windows_wait, system
from samesock.ffi import kernel32_waits as waits
from samesock.ffi.kernel32_waits import kernel32_waits
from samesock.winsock.calls import calls

_PAUSES: Final = (0.001, 0.002, 0.004, 0.008, 0.016, 0.032)
_FIRST_OF_CANCEL_IO_EX: Final = 4
_SPARED: Final = 3
"""So many calls of the main thread are made the slow way before the thread is started: a program may make no more."""
_STRIKES: Final = 40
"""After so many the call is left alone: it is in something that nothing cancels, such as a name's resolution."""
_AFTER_A_FAILURE: Final = (0.05, 0.2, 1.0)
"""Seconds of rest after each failure of a step that the thread repeats."""
_WRITE_SECONDS: Final = 0.04
_SETTLE_SECONDS: Final = 0.02
"""Before the event is reset. The interpreter's own input() looks at it up to 10 ms after its read was ended."""


class Interrupter:
    """The thread and what it shares with the main thread."""

    def __init__(self) -> None:
        self.signals_do_it: bool = hasattr(signal, "pthread_kill")
        """Where a signal reaches a thread inside a system call, nothing here is needed."""
        self.ready: bool = self.signals_do_it
        """Whether a call of the main thread may block: Ctrl+C would end it."""
        self.main: int | None = threading.main_thread().ident
        self.cancelled: int = 0
        """How many calls of the main thread came back cancelled."""
        self.striking: bool = False
        self.writing: list[Any] | None = None
        """The socket of a small send that the main thread is in, in a list that is this call's alone."""
        self.queued: bool = False
        """Whether a `CancelIo` may still be queued for some thread."""
        self._struck: set[int] = set()
        """Those threads."""
        self._spared = 0
        self._lock = _thread.allocate_lock()
        self._thread = 0
        self._cancel_io: Any = None

    def prepare(self) -> bool:
        """Start the thread, before the main thread blocks; False where the interpreter has no event for it."""
        event = _windows_wait.sigint_event()
        if not event:
            return False
        with self._lock:
            if self.ready:
                return True
            native = threading.main_thread().native_id or 0
            self._thread = kernel32_waits.OpenThread(waits.THREAD_SET_CONTEXT, 0, native)
            self._cancel_io = _address_of(kernel32_waits.CancelIo)
            kernel32_waits.ResetEvent(event)
            _thread.start_new_thread(self._watch, (event,))
            _waking.let_pass = self._let_pass_if_struck
            self.ready = True
        return True

    def is_ready(self) -> bool:
        """Whether the thread is there, for a call that will hardly block; the fourth one starts it."""
        if not self.ready and self._spared >= 0:
            self._spared += 1
            if self._spared > _SPARED and not self.prepare():
                self._spared = -1
        return self.ready

    def settle(self) -> None:
        """In the main thread, before a write that must not be cut: what is still queued for it runs now."""
        with self._lock:
            self._run_queue(self.main or 0)

    def let_pass(self, thread: int) -> None:
        """After a call of this thread's: on return no strike is under way that took the caller's socket for the main
        thread's, and nothing is queued for this thread any more. It would end a later wait there, whosever that is: a
        `select.select` was seen to fail with 995, on a socket that had got the number."""
        with self._lock:
            if thread in self._struck:
                self._run_queue(thread)

    def _run_queue(self, thread: int) -> None:
        kernel32_waits.SleepEx(0, 1)
        self._spare(thread)

    def _mark(self, thread: int) -> None:
        """Before something is queued for the thread, and before it is looked whether it is still in its call: so one
        that leaves meanwhile either sees the mark, or is seen to have left."""
        self._struck.add(thread)
        self.queued = True

    def _spare(self, thread: int) -> None:
        self._struck.discard(thread)
        self.queued = bool(self._struck)

    def _let_pass_if_struck(self, thread: int) -> None:
        if self.striking or self.queued:
            self.let_pass(thread)

    def cancel_for(self, thread: int, sock: Any) -> bool:
        """Have that thread (Windows' number, which is Python's, too) cancel what it has pending on the socket that it
        reads from; False if it does not."""
        with self._lock:
            _waking.let_pass = self._let_pass_if_struck
            self._mark(thread)
            number = calls.fileno(sock)
            handle = 0
            if number >= 0 and thread in _waking.readers_of(sock):
                handle = kernel32_waits.OpenThread(waits.THREAD_SET_CONTEXT, 0, thread)
            try:
                if handle and kernel32_waits.QueueUserAPC(
                    _address_of(kernel32_waits.CancelIo), handle, number
                ):
                    return True
                self._spare(thread)
                return False
            finally:
                if handle:
                    kernel32_waits.CloseHandle(handle)

    def _watch(self, event: int) -> None:
        while True:
            if _is_done(self._hear, event):
                _is_done(self._end_call)
                _is_done(self._end_write)

    def _hear(self, event: int) -> None:
        """Wait for Ctrl+C."""
        if kernel32_waits.WaitForSingleObject(event, waits.INFINITE) != waits.WAIT_OBJECT_0:
            raise _errors.error(kernel32_waits.GetLastError(), "waiting for Ctrl+C")
        self._let_others_see()
        if not kernel32_waits.ResetEvent(event):  # the next wait would end at once, and so would all after it
            raise _errors.error(kernel32_waits.GetLastError(), "resetting the event of Ctrl+C")

    def _end_write(self) -> None:
        """Cut a small send that is still blocked after a while; its frame lets the exception of Ctrl+C out.

        One that began just after Ctrl+C was dealt with looks the same. It is cut only if it blocks so long, and then
        raises ECONNABORTED: nothing is sent twice (where Winsock says WSAEINTR instead, C itself sends again what was
        cut: docs/decisions/0011). Wine waits for a send where nothing that is queued runs, so that `CancelIoEx` is what
        ends it there: other threads' reads of the socket are made again, and where others send on it, too, it goes on
        until they are done.
        """
        token = self.writing
        end = time.monotonic() + _WRITE_SECONDS
        while token is not None and self.writing is token and time.monotonic() < end:
            time.sleep(0.005)
        for strike in range(_STRIKES):
            with self._lock:
                if token is None or self.writing is not token:
                    return
                number = calls.fileno(token[0])
                if number >= 0 and strike < _FIRST_OF_CANCEL_IO_EX:
                    self._mark(self.main or 0)
                    kernel32_waits.QueueUserAPC(self._cancel_io, self._thread, number)
                elif number >= 0 and set(_waking.writers_of(token[0])) <= {self.main}:
                    kernel32_waits.CancelIoEx(number, None)
            time.sleep(_PAUSES[min(strike, len(_PAUSES) - 1)])

    def _let_others_see(self) -> None:
        """Before the event is reset: the interpreter's own input() looks at it up to 10 ms after its read was ended.

        A main thread that is in a call of ours is in no input(). What is pressed until the reset is not told again: so
        a call that begins meanwhile is struck, too, which costs it nothing but to be made again.
        """
        end = time.monotonic() + _SETTLE_SECONDS
        while self._socket() is None and self.writing is None and time.monotonic() < end:
            time.sleep(0.001)

    def _socket(self) -> Any:
        return _waking.read_by(self.main or 0)

    def _end_call(self) -> None:
        """Strike until the call that the main thread is in has come back."""
        sock, seen = self._socket(), self.cancelled
        for strike in range(_STRIKES):
            if sock is None or not self._strike(sock, seen, strike):
                return
            time.sleep(_PAUSES[min(strike, len(_PAUSES) - 1)])

    def _strike(self, sock: Any, seen: int, strike: int) -> bool:
        """One try to end it; False when it has come back."""
        with self._lock:
            self.striking = True
            try:
                number = calls.fileno(sock)
                if self.cancelled != seen or self._socket() is not sock or number < 0:
                    return False
                if self._thread and strike < _FIRST_OF_CANCEL_IO_EX:
                    self._mark(self.main or 0)
                    kernel32_waits.QueueUserAPC(self._cancel_io, self._thread, number)
                elif not _waking.writers_of(sock):
                    kernel32_waits.CancelIoEx(number, None)
                return True
            finally:
                self.striking = False


def _is_done(step: Callable[..., None], *arguments: Any) -> bool:
    """Whether a step of the thread's work was done. With an exception that nobody expects, such as MemoryError, the
    thread must not end: no later Ctrl+C would be heard. It is told, once, and the step is made again after a while."""
    for tries, pause in enumerate(_AFTER_A_FAILURE):
        try:
            step(*arguments)
            return True
        except Exception:  # noqa: BLE001  (whatever it is)
            if not tries:
                _tell()
        time.sleep(pause)
    return False


def _tell() -> None:
    """As of any thread's failure. The thread is no object of `threading`; its hook takes `None` for such a one."""
    try:
        threading.excepthook(threading.ExceptHookArgs((*sys.exc_info(), None)))
    except BaseException:  # noqa: BLE001  (the program's own hook has failed, or would end the thread)
        sys.__excepthook__(*sys.exc_info())


def _address_of(function: Any) -> int:
    return ctypes.cast(function, ctypes.c_void_p).value or 0


interrupter: Interrupter = Interrupter()


def may_block_now(sock: Any) -> bool:
    """Whether a read of the main thread that has no time-out is safe to make: it will not block, or Ctrl+C ends it."""
    number = calls.fileno(sock)
    return (
        number < 0 or interrupter.is_ready() or system.wait_for(number, False, 0.0) or interrupter.prepare()
    )


def prepare_to_block(sock: Any) -> None:
    """Before a call of the main thread that may block in a function of the system's, other than C's methods."""
    if not interrupter.ready and _thread.get_ident() == interrupter.main and calls.gettimeout(sock) is None:
        may_block_now(sock)
