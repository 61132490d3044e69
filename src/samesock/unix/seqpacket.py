"""SOCK_SEQPACKET, emulated: messages over an emulated Unix stream, each in a frame.

A frame is a u32, little endian (the length, and in its highest bit MSG_EOR), and the message. Connecting, accepting
and names are a stream's; the record says of which type the listener is, and the hello is made for that type alone.
Not a byte beyond the frame that is asked for is taken out of the kernel, so that the descriptor is readable as long
as there is a message. What must never be put here: hellos, and anything of a stream that carries no messages.
"""

from __future__ import annotations

import _socket
import contextlib
import errno
import os
import socket as _stdlib
import struct
import time
from typing import Final

from samesock._constants import MSG_DONTWAIT
from samesock._errors import error, named_error
from samesock.backend import system
from samesock.unix import Name, endable
from samesock.unix.adoption import State
from samesock.unix.calls import calls, twin
from samesock.unix.emulated import EmulatedEnd, _number
from samesock.unix.messages import MSG_EOR, Message
from samesock.unix.turns import Turn

LONGEST_MESSAGE: Final = 65_536
SEND_BUFFER: Final = 262_144
"""A kernel calls a TCP socket writable when at least a third of its buffer is free (Linux): more than a frame."""
FINISH_SECONDS: Final = 5.0
"""How long a frame may take that the kernel has taken a part of and then no more, though it had room for all."""
PEEK_SECONDS: Final = 0.001

_HEAD = struct.Struct("<I")
_EOR: Final = 1 << 31
_MSG_OOB = _socket.MSG_OOB
_MSG_PEEK = _socket.MSG_PEEK
_SHUT_DOWN: Final = 10058
_RESET: Final = (10053, 10054)  # WSAECONNABORTED, WSAECONNRESET
_BROKEN = {errno.ECONNRESET, errno.ECONNABORTED, errno.EPIPE, 10053, 10054, 10058}
_END = Message(b"", None)


class _Frames:
    """What the duplicates of one connection share: a frame that has come in part, who is reading or writing, and
    whether a reset has been told."""

    __slots__ = ("got", "reading", "told", "writing")

    def __init__(self) -> None:
        self.got = bytearray()
        self.told = False
        self.reading = Turn()
        self.writing = Turn()


class PacketEnd(EmulatedEnd):
    """One emulated SOCK_SEQPACKET socket."""

    __slots__ = ("_frames",)

    kind: int = _socket.SOCK_SEQPACKET

    def __init__(self, state: State | None = None) -> None:
        super().__init__(State.of(kind=self.kind) if state is None else state)
        self._frames: _Frames = self.state.__dict__.setdefault("frames", _Frames())

    def connect(self, sock: _socket.socket, address: object) -> None:
        """As a stream's, with room for frames."""
        super().connect(sock, address)
        calls.setsockopt(sock, _socket.SOL_SOCKET, _socket.SO_SNDBUF, SEND_BUFFER)

    def accept(self, sock: _socket.socket) -> tuple[_stdlib.socket, EmulatedEnd, Name]:
        """As a stream's, with room for frames."""
        accepted, end, name = super().accept(sock)
        try:
            calls.setsockopt(accepted, _socket.SOL_SOCKET, _socket.SO_SNDBUF, SEND_BUFFER)
        except OSError:
            pass  # reset by its peer already, says Winsock; so will the next call
        return accepted, end, name

    def setsockopt(self, sock: _socket.socket, level: int, option: int, *value: object) -> None:
        """As a stream's; the buffer for sending is never smaller than whole messages need."""
        if (level, option) == (_socket.SOL_SOCKET, _socket.SO_SNDBUF) and len(value) == 1:
            size = value[0]
            if isinstance(size, int):
                value = (max(size, SEND_BUFFER),)
        super().setsockopt(sock, level, option, *value)

    # ---- messages

    def send_message(self, sock: _socket.socket, data: bytes, flags: int, address: object) -> None:  # noqa: ARG002
        """Send one message, whole. An address is ignored, as Linux does."""
        number = _number(sock)
        if flags & _MSG_OOB:
            raise named_error("EOPNOTSUPP", "sending out of band over a Unix socket")
        if self.state.role != "connected":
            raise named_error("ENOTCONN", "sending over a Unix socket")
        if len(data) > LONGEST_MESSAGE:
            raise named_error(
                "EMSGSIZE", f"sending {len(data)} bytes; a message has at most {LONGEST_MESSAGE}"
            )
        frame = _HEAD.pack(len(data) | (_EOR if flags & MSG_EOR else 0)) + data
        timeout = 0.0 if flags & MSG_DONTWAIT else calls.gettimeout(sock)
        deadline = None if timeout is None else time.monotonic() + timeout
        turn = self._frames.writing
        tcp = twin(number)
        try:
            calls.settimeout(tcp, 0.0)
            while True:
                with turn.lock:
                    turn.check("sending over a Unix socket", timeout)
                    turn.running = True
                    try:
                        if system.wait([], [number], 0.0) and self._send_frame(tcp, number, frame):
                            return
                    finally:
                        turn.running = False
                now = time.monotonic()
                if timeout == 0:
                    raise named_error("EWOULDBLOCK", "sending over a Unix socket")
                if deadline is not None and now >= deadline:
                    raise TimeoutError("timed out")
                system.wait([], [number], None if deadline is None else deadline - now)
                endable.check(sock, number)
        finally:
            tcp.detach()

    def _send_frame(self, tcp: _socket.socket, number: int, frame: bytes) -> bool:
        """Give the kernel the whole frame; False if it takes nothing.

        After half a frame the next message's bytes would be taken for the rest of it: whatever leaves in the middle,
        Ctrl+C too, ends the connection.
        """
        rest = memoryview(frame)
        deadline = time.monotonic() + FINISH_SECONDS
        try:
            while rest:
                try:
                    rest = rest[calls.send(tcp, rest) :]
                except BlockingIOError:
                    if len(rest) == len(frame):
                        return False
                    if time.monotonic() >= deadline:
                        raise named_error(
                            "EPIPE", "sending over a Unix socket that took half a message"
                        ) from None
                    system.wait([], [number], 0.1)
        except BaseException as failure:
            if 0 < len(rest) < len(frame):
                with contextlib.suppress(OSError):  # it has gone
                    calls.shutdown(tcp, _socket.SHUT_RDWR)
            if isinstance(failure, OSError) and failure.errno in _BROKEN:
                raise named_error("EPIPE", "sending over a Unix socket") from None
            raise
        return True

    def receive_message(self, sock: _socket.socket, flags: int) -> Message:
        """The next message, whole; what has come of it by the time that the caller has stays for the next call."""
        number = _number(sock)
        if flags & _MSG_OOB:
            raise named_error("EOPNOTSUPP", "receiving out of band from a Unix socket")
        if self.state.role != "connected":
            raise named_error("ENOTCONN", "receiving from a Unix socket")
        timeout = 0.0 if flags & MSG_DONTWAIT else calls.gettimeout(sock)
        deadline = None if timeout is None else time.monotonic() + timeout
        turn = self._frames.reading
        tcp = twin(number)
        try:
            calls.settimeout(tcp, 0.0)
            while True:
                with turn.lock:
                    turn.check("receiving from a Unix socket", timeout)
                    turn.running = True
                    try:
                        message = self._peek(tcp) if flags & _MSG_PEEK else self._next(tcp)
                    finally:
                        turn.running = False
                if message is not None:
                    return message
                now = time.monotonic()
                if timeout == 0:
                    raise named_error("EWOULDBLOCK", "receiving from a Unix socket")
                if deadline is not None and now >= deadline:
                    raise TimeoutError("timed out")
                system.wait([number], [], None if deadline is None else deadline - now)
                endable.check(sock, number)
                if flags & _MSG_PEEK:
                    time.sleep(PEEK_SECONDS)  # the part of a frame that is there makes it readable
        finally:
            tcp.detach()

    def _next(self, tcp: _socket.socket) -> Message | None:
        """Read on, to the end of the frame and no further; `None` if it is not whole yet."""
        got = self._frames.got
        while wanted := self._missing(tcp, got):
            data = self._read(tcp, wanted, 0)
            if data is None:
                return None
            if not data:
                got.clear()  # the peer has left in the middle of it
                return _END
            got += data
        message = self._message(got)
        got.clear()
        return message

    def _peek(self, tcp: _socket.socket) -> Message | None:
        """The next message, left where it is."""
        data = self._read(tcp, _HEAD.size + LONGEST_MESSAGE, _MSG_PEEK)
        if data == b"":
            return _END
        whole = self._frames.got + (data or b"")
        if len(whole) < _HEAD.size:
            return None
        size = self._size(tcp, whole)
        return self._message(whole[:size]) if len(whole) >= size else None

    def _missing(self, tcp: _socket.socket, got: bytearray) -> int:
        """How many bytes to read next; 0 when the frame is whole."""
        if len(got) < _HEAD.size:
            return _HEAD.size - len(got)
        return self._size(tcp, got) - len(got)

    def _size(self, tcp: _socket.socket, frame: bytes | bytearray) -> int:
        """Of the whole frame that begins so. A length that no sender gives ends the connection."""
        length = _length(frame)
        if length > LONGEST_MESSAGE:
            with contextlib.suppress(OSError):  # the peer has left
                calls.shutdown(tcp, _socket.SHUT_RDWR)
            raise named_error("ECONNRESET", "receiving what is no message over a Unix socket")
        return _HEAD.size + length

    def _read(self, tcp: _socket.socket, size: int, flags: int) -> bytes | None:
        """What is there: `None` if nothing, no bytes at the end."""
        try:
            return calls.recv(tcp, size, flags)
        except BlockingIOError:
            return None
        except OSError as failure:
            code = getattr(failure, "winerror", None)
            if code == _SHUT_DOWN or (code in _RESET and self._frames.told):
                return b""  # Winsock says it for ever
            self._frames.told = code in _RESET
            raise failure if code is None else error(code, "receiving from a Unix socket") from None

    def _message(self, frame: bytes | bytearray) -> Message:
        end_of_record = MSG_EOR if _HEAD.unpack_from(frame)[0] & _EOR else 0
        name = self.state.peer_name
        return Message(bytes(frame[_HEAD.size :]), os.fsdecode(name) if name else None, end_of_record)


def _length(frame: bytes | bytearray) -> int:
    return int(_HEAD.unpack_from(frame)[0]) & ~_EOR
