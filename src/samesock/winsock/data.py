"""Sending and receiving, as BSD has them.

`sendall`, `recv` and `recv_into` of a blocking stream without flags call C in their own frame: what `blocking` does
around a call is written out in them. After the wait in the kernel each further frame and look-up is met with cold
caches: under Wine the five frames that these were cost a ping-pong 12 %, this one 7 %, and one that does nothing 2 %.
Whatever is not as usual goes through `blocking`; flags and datagrams through `sending` and `receiving`. What must never
be put here: what a flag means, and what a failure means.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found,unused-ignore]
import _socket
import signal
from _thread import get_ident
from typing import Any
from weakref import ref

from samesock import _call_arguments, _message_arguments, _waking
from samesock._call_arguments import size_of
from samesock.unix import ends
from samesock.unix.dispatch import Methods, sender_of
from samesock.winsock import blocking, pending, receiving, sending, stream_error
from samesock.winsock.calls import calls
from samesock.winsock.interrupting import interrupter

_end_of = ends.by_reference.get
_nothing = stream_error.nothing
_readers = _waking.readers
_writers = _waking.writers
_marks = _waking.marks
_orphans = _waking.orphans
_getsignal = _signal.getsignal
_SIGINT = int(signal.SIGINT)
_raise_on_ctrl_c = signal.default_int_handler
_STREAM = _socket.SOCK_STREAM
_SMALL = blocking.SMALL
_PIECE = pending.PIECE if not interrupter.signals_do_it else _SMALL
"""The most that goes out in one piece without `blocking`."""
_BIG = 4 << 20
"""What is longer goes out in pieces, see `sending`."""


class DataMethods:
    """See the module's head. Each method's promise is the standard library's on POSIX."""

    __slots__ = ()

    def send(self: Any, data: Any, flags: int = 0, /) -> int:
        if flags or calls.type(self) != _STREAM:
            return sending.send(self, data, flags)
        try:
            return blocking.write(calls.send, self, data)  # type: ignore[no-any-return]
        except OSError as error:
            return sending.again(self, error, data)
        except TypeError:
            _message_arguments.bytes_of(data)
            raise

    def sendall(self: Any, data: Any, flags: int = 0, /) -> None:  # noqa: C901  (in one frame, see above)
        try:
            size = len(data) if data.__class__ is bytes else size_of(data)
            if flags or calls.type(self) != _STREAM or size > _BIG:
                return sending.sendall(self, data, flags)
            if calls.gettimeout(self) is not None or (
                size > _SMALL and (size > _PIECE or data.__class__ is not bytes)
            ):
                return blocking.write(calls.sendall, self, data)  # type: ignore[no-any-return]
            me = get_ident()
            is_main = me == interrupter.main
            if (
                me in _writers
                or me in _readers
                or (is_main and size <= _SMALL and (interrupter.queued or not interrupter.ready))
                or (is_main and size <= _SMALL and _getsignal(_SIGINT) is not _raise_on_ctrl_c)
            ):
                return blocking.write(calls.sendall, self, data)  # type: ignore[no-any-return]
            _writers[me] = self
            try:
                if is_main and size > _SMALL:
                    pending.send_piece(calls.fileno(self), data, size)
                    return None
                if is_main:
                    interrupter.writing = [self]
                return calls.sendall(self, data)
            except OSError as error:
                raise blocking.writing_failed(error, self, calls.sendall) from None
            finally:
                del _writers[me]
                if is_main:
                    interrupter.writing = None
                    if interrupter.queued:
                        interrupter.let_pass(me)
                if _orphans:
                    _waking.close_if_last(self)
        except OSError as error:
            if flags or calls.type(self) != _STREAM or size > _BIG:
                raise  # it has been told
            raise sending.failed(self, error) from None
        except TypeError:
            _message_arguments.bytes_of(data)
            raise

    def recv(self: Any, size: int, flags: int = 0, /) -> bytes:
        if flags or calls.type(self) != _STREAM:
            return receiving.recv(self, size, flags)
        try:
            if calls.gettimeout(self) is None and not _marks:
                me = get_ident()
                if (
                    (interrupter.ready or me != interrupter.main)
                    and me not in _readers
                    and me not in _writers
                ):
                    _readers[me] = self
                    try:
                        return calls.recv(self, size) or _nothing(self, b"", size)
                    except OSError as error:
                        if blocking.reading_has_ended(error, self, calls.recv):
                            return b""
                    finally:
                        del _readers[me]
                        if interrupter.striking or interrupter.queued:
                            interrupter.let_pass(me)
                        if _orphans:
                            _waking.close_if_last(self)
            size = _call_arguments.size(size, "recv")  # before the wait for something to receive
            return blocking.read(calls.recv, self, size) or _nothing(self, b"", size)
        except OSError as error:
            if stream_error.is_end(self, error):
                return b""
            raise receiving.failed(self, error) from None

    def recv_into(self: Any, buffer: Any, nbytes: int = 0, flags: int = 0) -> int:
        if flags or calls.type(self) != _STREAM:
            return receiving.recv_into(self, buffer, nbytes, flags)
        try:
            if calls.gettimeout(self) is None and not _marks:
                me = get_ident()
                if (
                    (interrupter.ready or me != interrupter.main)
                    and me not in _readers
                    and me not in _writers
                ):
                    _readers[me] = self
                    try:
                        return calls.recv_into(self, buffer, nbytes) or _nothing(
                            self, 0, memoryview(buffer).nbytes
                        )
                    except OSError as error:
                        if blocking.reading_has_ended(error, self, calls.recv_into):
                            return 0
                    finally:
                        del _readers[me]
                        if interrupter.striking or interrupter.queued:
                            interrupter.let_pass(me)
                        if _orphans:
                            _waking.close_if_last(self)
            nbytes = _call_arguments.size(nbytes, "recv_into")
            count: int = blocking.read(calls.recv_into, self, buffer, nbytes)
            return count or _nothing(self, 0, memoryview(buffer).nbytes)
        except OSError as error:
            if stream_error.is_end(self, error):
                return 0
            raise receiving.failed(self, error) from None
        except TypeError:
            _call_arguments.room(buffer, nbytes, "recv_into")
            raise

    def recvfrom(self: Any, size: int, flags: int = 0, /) -> tuple[bytes, Any]:
        if calls.type(self) != _STREAM:
            if _end_of(ref(self)) is not None:
                return Methods.recvfrom(self, size, flags)
            return receiving.datagram(self, size, flags)
        end = _end_of(ref(self))
        try:
            data = DataMethods.recv(self, size, flags)
        except (TypeError, ValueError):
            _call_arguments.size(size, "recvfrom")
            raise
        return data, sender_of(self, end) if data and end is not None else None

    def recvfrom_into(self: Any, buffer: Any, nbytes: int = 0, flags: int = 0) -> tuple[int, Any]:
        if calls.type(self) != _STREAM:
            if _end_of(ref(self)) is not None:
                return Methods.recvfrom_into(self, buffer, nbytes, flags)
            return receiving.datagram_into(self, _call_arguments.room(buffer, nbytes, "recvfrom_into"), flags)
        end = _end_of(ref(self))
        try:
            count = DataMethods.recv_into(self, buffer, nbytes, flags)
        except (TypeError, ValueError):
            _call_arguments.room(buffer, nbytes, "recvfrom_into")
            raise
        return count, sender_of(self, end) if count and end is not None else None

    def sendto(self: Any, data: Any, *where: Any) -> int:
        if _end_of(ref(self)) is not None:
            return Methods.sendto(self, data, *where)
        return sending.sendto(self, data, *where)
