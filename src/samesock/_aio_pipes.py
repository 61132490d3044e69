"""asyncio's transports for a pipe's end, a FIFO, a console or a file, where the loop itself has none.

asyncio reads pipes with the selector of Unix, or with overlapped operations that Windows' ordinary pipes and standard
input do not take. Here readiness comes from `samesock.selectors`: a thread waits for all that a loop's transports ask
for, tells the loop, and is gone with the last of them. A read is made when there is something to read, so it does not
block. A write can block whatever was said of room, so each writing transport has a thread, which lives as long as there
is something to write. What must never be put here: sockets, and how any system waits.
"""

from __future__ import annotations

import asyncio
import collections
import threading
from collections.abc import Callable
from typing import Any
from weakref import WeakKeyDictionary

from samesock import fd
from samesock._aio_flow import WriteLimits
from samesock._socket import socketpair
from samesock.selectors import EVENT_READ, EVENT_WRITE, DefaultSelector, wait

READ_SIZE = 64 * 1024

_watches: WeakKeyDictionary[asyncio.AbstractEventLoop, _Watch] = WeakKeyDictionary()


class _Watch:
    """The thread that waits for one loop. A thing is told once, and asked for again by whoever wants more.

    `join` and `leave` are called by the loop's own thread.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._users = 0

    @classmethod
    def of(cls, loop: asyncio.AbstractEventLoop) -> _Watch:
        """The loop's only one."""
        found = _watches.get(loop)
        if found is None:
            found = _watches[loop] = cls(loop)
        return found

    def join(self) -> None:
        """One more transport."""
        if not self._users:
            self._selector = DefaultSelector()
            self._ended, self._ending = socketpair()
            self._selector.register(self._ended, EVENT_READ)
            self._thread = threading.Thread(target=self._run, name="samesock.aio", daemon=True)
            self._thread.start()
        self._users += 1

    def leave(self) -> None:
        """One less; the last one ends the thread."""
        self._users -= 1
        if not self._users:
            self._ending.close()
            self._thread.join()
            self._selector.close()
            self._ended.close()

    def tell(self, thing: Any, call: Callable[[], object]) -> None:
        """Have the loop call `call` once `thing` is readable."""
        self._selector.register(thing, EVENT_READ, call)

    def forget(self, thing: Any) -> None:
        """Do not tell, if that was asked for."""
        try:
            self._selector.unregister(thing)
        except KeyError:
            pass

    def _run(self) -> None:
        while True:
            for key, _ in self._selector.select():
                if key.data is None:
                    return
                self.forget(key.fileobj)
                try:
                    self._loop.call_soon_threadsafe(key.data)
                except RuntimeError:
                    pass  # the loop was closed over its transports


class _Pipe(asyncio.BaseTransport):
    """What both directions share: the pipe is the transport's to close, as it is with asyncio's own."""

    def __init__(self, loop: asyncio.AbstractEventLoop, protocol: Any, pipe: Any) -> None:
        super().__init__({"pipe": pipe})
        self._loop = loop
        self._protocol = protocol
        self._pipe = pipe
        self._closing = False
        self._finished = False

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        """Tell another one from now on."""
        self._protocol = protocol

    def get_protocol(self) -> asyncio.BaseProtocol:
        """Whom it tells."""
        protocol: asyncio.BaseProtocol = self._protocol
        return protocol

    def is_closing(self) -> bool:
        """Whether it was closed, or has failed or ended."""
        return self._closing

    def _close_pipe(self) -> None:
        if hasattr(self._pipe, "close"):
            self._pipe.close()
        else:
            fd.close(self._pipe)

    def _finish(self, error: BaseException | None) -> None:
        if self._finished:
            return
        self._finished = True
        try:
            self._protocol.connection_lost(error)
        finally:
            self._close_pipe()

    def _tell(self, call: Callable[..., object], *arguments: Any) -> None:
        try:
            self._loop.call_soon_threadsafe(call, *arguments)
        except RuntimeError:
            pass  # the loop was closed over its transports


class ReadingPipe(_Pipe, asyncio.ReadTransport):
    """Calls `data_received` with what comes, and `eof_received` at the end."""

    def __init__(self, loop: asyncio.AbstractEventLoop, protocol: Any, pipe: Any) -> None:
        super().__init__(loop, protocol, pipe)
        self._paused = False
        self._asked = False
        self._waits_for_a_line = fd.kind(pipe) in ("tty", "console")
        self._reading_a_line = False
        self._held: tuple[bytes | None, OSError | None] | None = None
        self._watch = _Watch.of(loop)
        self._watch.join()
        loop.call_soon(protocol.connection_made, self)
        loop.call_soon(self._ask)

    def is_reading(self) -> bool:
        """Whether it is neither paused nor closed."""
        return not self._paused and not self._closing

    def pause_reading(self) -> None:
        """Call `data_received` no more until `resume_reading`."""
        if self._closing or self._paused:
            return
        self._paused = True
        self._watch.forget(self._pipe)
        self._asked = False

    def resume_reading(self) -> None:
        """Go on reading."""
        if self._closing or not self._paused:
            return
        self._paused = False
        held, self._held = self._held, None
        if held is None:
            self._ask()
        else:
            self._take(*held)

    def close(self) -> None:
        """Stop reading; `connection_lost` follows."""
        self._end(None)

    def _ask(self) -> None:
        if self.is_reading() and not self._asked and not self._reading_a_line:
            self._asked = True
            self._watch.tell(self._pipe, self._readable)

    def _readable(self) -> None:
        if not self.is_reading():
            self._asked = False  # it was paused when the loop was told already
        elif self._waits_for_a_line:
            self._reading_a_line = True
            threading.Thread(target=lambda: self._tell(self._take, *self._read()), daemon=True).start()
        else:
            self._take(*self._read())

    def _read(self) -> tuple[bytes | None, OSError | None]:
        """What is there, `b""` at the end, `None` if it has gone meanwhile; or the error."""
        try:
            return fd.read(self._pipe, READ_SIZE), None
        except (BlockingIOError, InterruptedError):
            return None, None
        except OSError as error:
            return None, error

    def _take(self, data: bytes | None, error: OSError | None) -> None:
        self._asked = self._reading_a_line = False
        if self._closing:
            return
        if self._paused:  # while a thread was reading the line
            self._held = data, error
            return
        if error is not None:
            self._end(error)
        elif data == b"":
            self._protocol.eof_received()
            self._end(None)
        else:
            if data:
                self._protocol.data_received(data)
            self._ask()

    def _end(self, error: BaseException | None) -> None:
        if self._closing:
            return
        self._closing = True
        self._watch.forget(self._pipe)
        self._watch.leave()
        self._loop.call_soon(self._finish, error)


class WritingPipe(WriteLimits, _Pipe, asyncio.WriteTransport):
    """Writes in a thread, in order; `pause_writing` when more than the high-water mark waits."""

    def __init__(self, loop: asyncio.AbstractEventLoop, protocol: Any, pipe: Any) -> None:
        super().__init__(loop, protocol, pipe)
        self._waiting: collections.deque[bytes] = collections.deque()
        self._size = 0
        self._writing = False
        self._full = False
        self._aborted = False
        self._lock = threading.Lock()
        loop.call_soon(protocol.connection_made, self)

    def can_write_eof(self) -> bool:
        """A pipe ends by being closed."""
        return True

    def write_eof(self) -> None:
        """Close once all is written."""
        self.close()

    def write(self, data: Any) -> None:
        """Write when there is room; what comes after `close`, or after the reader has left, is lost."""
        view = memoryview(data)
        if self._closing or not view.nbytes:
            return
        with self._lock:
            self._waiting.append(bytes(view))
            self._size += view.nbytes
            idle = not self._writing
            self._writing = True
        if self._size > self._high and not self._full:
            self._full = True
            self._protocol.pause_writing()
        if idle:
            threading.Thread(target=self._run, name="samesock.aio", daemon=True).start()

    def close(self) -> None:
        """Write what waits, then close; `connection_lost` follows."""
        if self._closing:
            return
        self._closing = True
        with self._lock:
            idle = not self._writing
        if idle:
            self._loop.call_soon(self._finish, None)

    def abort(self) -> None:
        """Close without writing what waits. A write that blocks ends when the reader reads or leaves."""
        self._aborted = True
        with self._lock:
            self._waiting.clear()
            self._size = 0
        self.close()

    def _run(self) -> None:
        error: OSError | None = None
        while error is None:
            with self._lock:
                if not self._waiting or self._aborted:
                    self._writing = False
                    break
                data = self._waiting.popleft()
            error = self._written(data)
        if error is not None:
            with self._lock:
                self._waiting.clear()
                self._size = 0
                self._writing = False
        self._tell(self._done, error)

    def _written(self, data: bytes) -> OSError | None:
        view = memoryview(data)
        while view and not self._aborted:
            try:
                written = fd.write(self._pipe, view)
            except BlockingIOError:
                wait([self._pipe], events=EVENT_WRITE)
                continue
            except InterruptedError:
                continue
            except OSError as error:
                return error
            view = view[written:]
            with self._lock:
                self._size = max(0, self._size - written)
            if self._full and self._size <= self._low:
                self._tell(self._roomy)
        return None

    def _roomy(self) -> None:
        if self._full and self._size <= self._low:
            self._full = False
            self._protocol.resume_writing()

    def _done(self, error: OSError | None) -> None:
        self._roomy()
        if error is not None and not self._closing:
            self._closing = True
            self._finish(error)
        elif self._closing and not self._writing:
            self._finish(error)
