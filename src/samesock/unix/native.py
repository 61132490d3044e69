"""The native end: a Unix socket that the kernel has and the interpreter's own socket object cannot address.

That is Winsock's AF_UNIX: `_socket.socket(AF_UNIX, SOCK_STREAM)` makes a real one, whose C methods refuse
addresses ("bad family") before any system call, while send, recv, settimeout, shutdown, close and the rest
work. So the five calls that carry an address are made here through a table of C functions, and their answers
are turned into BSD's. What must never be put here: the emulation, the choice between the two, and foreign
declarations.

Nothing is remembered beside the socket but the options that are not passed down, whether a connect is under way, and
when the peer's process started: names and peers are asked of the kernel.
"""

from __future__ import annotations

import _socket
import ctypes
import errno
import os
import secrets
import sys
import time
from typing import TYPE_CHECKING

from samesock import _address, _errors, _waking
from samesock.backend import system
from samesock.unix import AF_UNIX, Name, PeerCred, _native_errors, ends, ignored_options
from samesock.unix._native_calls import NativeCalls, default_calls
from samesock.unix.calls import calls
from samesock.unix.socket_file import is_socket_file, remove_socket_file, socket_file_exists

if TYPE_CHECKING:
    from collections.abc import Callable

    from samesock.unix.passing import Passage

CONNECT_SECONDS = 0.03
"""How long a non-blocking connect may wait for a kernel that first says "under way": both ends are in this
machine, so the answer is there within microseconds, unless the queue is full. As long as the emulation
waits."""

PROBE_SECONDS = 2.0
"""How long each step of `works` may take."""

_WSAEINVAL, _WSAEISCONN = 10022, 10056


class NativeEnd:
    """One native Unix socket. See `samesock.unix.End` for what each method promises."""

    __slots__ = ("__weakref__", "_handed", "_options", "_passage", "_peer", "_pending", "_table")

    transport = "native"
    kind: int = _socket.SOCK_STREAM

    def __init__(self, table: NativeCalls | None = None) -> None:
        self._table = default_calls() if table is None else table
        self._options: dict[int, int] = {}
        self._pending = False
        self._passage: list[Passage] = []  # one, or none yet; common to duplicates
        self._peer: tuple[int, int | None] | None = None
        # With something in it, another process may have the socket, too. Common to duplicates.
        self._handed: list[bool] = []

    # ---- the server's calls

    def bind(self, sock: _socket.socket, address: object) -> None:
        """Make the file and give the socket its name."""
        path = self._path(address, binding=True)
        sys.audit("socket.bind", sock, address)
        raw = _address.encode_unix(path, layout=self._table.layout)
        if self._table.bind(_number(sock), raw, len(raw)) != 0:
            raise self._bind_error(sock, self._table.last_error(), path)

    def _bind_error(self, sock: _socket.socket, code: int, path: bytes) -> OSError:
        name = _address.decode_path(path, self._table.layout)
        if self._table.codes == "winsock":
            return _native_errors.of_bind(code, name, has_name=lambda: self._own_name(sock))
        return self._table.error(code, "binding a Unix socket", name)

    def listen(self, sock: _socket.socket, backlog: int) -> None:
        """Listen; `EINVAL` for a socket without a name, whatever the kernel calls that."""
        try:
            calls.listen(sock, backlog)
        except OSError as error:
            code = getattr(error, "winerror", None)
            if code is not None and _number(sock) >= 0 and not self._own_name(sock):
                raise _errors.named_error(
                    "EINVAL", "listening on a Unix socket without a name", code=code
                ) from None
            raise self._translated(error, "listening on a Unix socket") from None

    def accept(self, sock: _socket.socket) -> tuple[int, NativeEnd, Name]:
        """Take one connection. A client that has left is skipped, as BSD's accept never fails for it."""
        table, number, timeout = self._table, _number(sock), calls.gettimeout(sock)
        deadline = None if timeout is None else time.monotonic() + timeout
        while True:
            # Without an address: what it would bring is asked of getpeername, in one place for all.
            accepted = table.accept(number, None, None)
            if accepted != table.invalid:
                break
            code = table.last_error()
            if code in table.interrupted or code in table.gone:
                _check(sock, number, "accepting on a Unix socket")
                continue
            if code not in table.would_block or timeout == 0:
                raise table.error(code, "accepting on a Unix socket")
            rest = None if deadline is None else deadline - time.monotonic()
            if (rest is not None and rest <= 0) or not table.wait((number,), (), rest):
                raise TimeoutError("timed out")
        try:
            table.settle(accepted)
        except BaseException:
            table.closesocket(accepted)
            raise
        end = NativeEnd(table)
        end._remember_peer(accepted)
        return accepted, end, end._name_by(table.getpeername, accepted) or ""

    # ---- the client's call

    def connect(self, sock: _socket.socket, address: object) -> None:
        """Connect. Where the kernel says "under way", as BSD's never does, the completion is waited for."""
        table = self._table
        path = self._path(address, binding=False)
        sys.audit("socket.connect", sock, address)
        number, timeout = _number(sock), calls.gettimeout(sock)
        raw = _address.encode_unix(path, layout=table.layout)
        while table.connect(number, raw, len(raw)) != 0:
            code = table.last_error()
            if code in table.interrupted:
                _check(sock, number, "connecting a Unix socket")
                continue
            if code in table.pending:
                code = self._completed(sock, path, timeout)
                if code == 0:
                    break
            elif code == _WSAEISCONN and self._pending:
                break  # by an earlier call that did not wait long enough
            self._pending = False
            raise self._connect_error(sock, code, path)
        self._pending = False
        self._remember_peer(number)

    def _remember_peer(self, number: int) -> None:
        """Which process is at the other end and when it started: its number alone may be another's by the time that it
        is to be given descriptors."""
        pid = (ctypes.c_int * 1)()
        if self._table.peer_pid(number, pid) == 0 and pid[0]:
            self._peer = pid[0], system.start_time(pid[0])

    def _completed(self, sock: _socket.socket, path: bytes, timeout: float | None) -> int:
        """Wait for a connect that is under way: its code, 0 for success. `EAGAIN` if none came."""
        self._pending = True
        if self._table.wait((), (_number(sock),), CONNECT_SECONDS if timeout == 0 else timeout):
            return int(calls.getsockopt(sock, _socket.SOL_SOCKET, _socket.SO_ERROR))
        if timeout != 0:
            raise TimeoutError("timed out")
        name = _address.decode_path(path, self._table.layout)
        raise _errors.named_error("EAGAIN", "connecting a Unix socket; the listener's queue is full", name)

    def _connect_error(self, sock: _socket.socket, code: int, path: bytes) -> OSError:
        name = _address.decode_path(path, self._table.layout)
        if self._table.codes == "winsock":
            return _native_errors.of_connect(code, name, listens=lambda: _listens(sock))
        return self._table.error(code, "connecting a Unix socket", name)

    # ---- names and options

    def shutdown(
        self, sock: _socket.socket, how: int, carry: Callable[[_socket.socket, int], None] | None = None
    ) -> None:
        """Winsock's own."""
        (carry or calls.shutdown)(sock, how)

    def getsockname(self, sock: _socket.socket) -> Name:
        """The path as it was given to bind; `''` without one."""
        name = self._name_by(self._table.getsockname, _number(sock))
        if name is None:
            code = self._table.last_error()
            if self._table.codes == "winsock" and code == _WSAEINVAL:  # how Winsock says "not bound"
                return ""
            raise self._table.error(code, "asking for a Unix socket's name")
        return name

    def getpeername(self, sock: _socket.socket) -> Name:
        """The listener's path, the client's name, or `''`."""
        name = self._name_by(self._table.getpeername, _number(sock))
        if name is None:
            raise self._table.error(self._table.last_error(), "asking for a Unix socket's peer")
        return name

    def _name_by(self, ask: Callable[..., int], number: int) -> Name | None:
        size = self._table.layout.size
        buffer = (ctypes.c_char * size)()
        length = (ctypes.c_int * 1)(size)
        if ask(number, buffer, length) != 0:
            return None
        return _address.decode_unix(buffer.raw, length[0], layout=self._table.layout)

    def _own_name(self, sock: _socket.socket) -> Name:
        return self._name_by(self._table.getsockname, calls.fileno(sock)) or ""

    def setsockopt(self, sock: _socket.socket, level: int, option: int, *value: object) -> None:
        """Pass the option down, unless it has no meaning for a Unix socket."""
        _number(sock)
        if level == _socket.SOL_SOCKET and option in ignored_options.IGNORED:
            self._options[option] = ignored_options.switched(*value)
            return
        try:
            calls.setsockopt(sock, level, option, *value)
        except OSError as error:
            raise self._translated(error, f"setting option {option} of level {level}") from None

    def getsockopt(self, sock: _socket.socket, level: int, option: int, *length: int) -> int | bytes:
        """The option, or what was set where it was not passed down. `SO_ERROR` is an errno."""
        _number(sock)
        if level == _socket.SOL_SOCKET and option in ignored_options.IGNORED:
            return ignored_options.as_asked(self._options.get(option, 0), *length)
        try:
            value: int | bytes = calls.getsockopt(sock, level, option, *length)
        except OSError as error:
            raise self._translated(error, f"asking for option {option} of level {level}") from None
        if level == _socket.SOL_SOCKET and option == _socket.SO_ERROR and isinstance(value, int) and value:
            return _errors.to_errno(value) if self._table.codes == "winsock" else value
        return value

    def _translated(self, error: OSError, tried: str) -> OSError:
        """An error of one of C's own methods, which on Windows keeps Winsock's number for an errno."""
        code = getattr(error, "winerror", None)
        return error if code is None else _errors.error(code, tried)

    # ---- the peer, and the end

    def peer_pid(self, sock: _socket.socket) -> int | None:
        """The process that connected or listens at the other end, `None` if the kernel has no answer.

        On Windows it is the process that made the socket, even after another one took it over (microsoft/WSL
        issue 9045). Raises `ENOTCONN` without a peer.
        """
        pid = (ctypes.c_int * 1)()
        if self._table.peer_pid(_number(sock), pid) != 0:
            raise self._table.error(self._table.last_error(), "asking for a Unix socket's peer process")
        return pid[0] or None

    def peercred(self, sock: _socket.socket) -> PeerCred:
        """What the kernel tells of the peer, which on Windows is its process; unknown is `None`.

        The number of a process that has gone may be another's by now: then it is nobody's here. Who its user is is not
        asked: a client could connect, write, and be gone before accept(), and who has its number by then would be asked
        in its place; nothing tells when it connected.
        """
        try:
            pid = self.peer_pid(sock)
        except OSError as error:
            if error.errno != errno.EOPNOTSUPP:
                raise
            pid = None
        if pid is not None and not self._is_the_same(pid):
            pid = None
        return PeerCred(pid, None, None, None, "kernel")

    def _is_the_same(self, pid: int) -> bool:
        """Whether the number is still that of the process which had it when this end was connected. Of a socket that
        came by its number alone there is only the kernel's word."""
        if self._peer is None or self._peer[0] != pid:
            return True
        return system.start_time(pid) == self._peer[1]

    def passage(self) -> Passage | None:
        """What is known of passed descriptors."""
        if not self._passage:
            from samesock.unix.passing import Passage
            from samesock.unix.passing_keys import PublishedKeys

            self._passage.append(Passage(PublishedKeys()))
            self._passage[0].other.holder = self._peer
        return self._passage[0]

    def handed_to(self, process: int) -> None:  # noqa: ARG002
        """The descriptor was given to that process; the kernel goes on to name the one that made it."""
        self.hand_on()

    def copy(self, number: int) -> NativeEnd:  # noqa: ARG002  (the number tells nothing here)
        """The same socket under another number: its options are common to both."""
        end = NativeEnd(self._table)
        end._options = self._options
        end._pending = self._pending
        end._peer = self._peer
        end._passage = self._passage
        end._handed = self._handed
        return end

    def detach(self, sock: _socket.socket) -> int:
        """Let go of the descriptor; nothing of ours has to be found again."""
        return calls.detach(sock)

    def export(self) -> None:
        """Nothing has to go with it: the kernel knows the socket's names."""
        self.hand_on()

    def hand_on(self) -> None:
        """No note has to be left. What comes from now on may be another process's to read."""
        if not self._handed:
            self._handed.append(True)

    def close(self, sock: _socket.socket) -> None:
        """Close the descriptor. The file stays, as BSD's does."""
        try:
            self._close_passage(sock)
        finally:
            calls.close(sock)

    def _close_passage(self, sock: _socket.socket) -> None:
        """With the socket's last holder: let go of descriptors that came and that nobody took, asked for or not."""
        number = calls.fileno(sock)
        if number < 0 or self._handed or not (self._passage or system.unread(number)):
            return
        if any(
            other is not self and getattr(other, "_passage", None) is self._passage for other in ends.all()
        ):
            return
        passage = self.passage()
        if passage is not None:
            passage.close(sock)

    def _path(self, address: object, *, binding: bool) -> bytes:
        """The address's bytes; raises for names that this kernel cannot have."""
        layout = self._table.layout
        path = _address.unix_path(address, layout=layout)
        if not layout.abstract:
            # Winsock takes an abstract name in bind and refuses it in connect (microsoft/WSL issue 4240).
            refused = _address.refusal(path, binding=binding)
            if refused is not None:
                name = _address.decode_path(path, layout)
                raise _errors.named_error(refused, "naming a Unix socket: here each needs a file", name)
        return path


def _number(sock: _socket.socket) -> int:
    """The socket's descriptor; `EBADF` if it is closed."""
    number = calls.fileno(sock)
    if number < 0:
        raise _errors.named_error("EBADF", "using a closed Unix socket")
    return number


def _check(sock: _socket.socket, number: int, tried: str) -> None:
    """Raise what ends a call, before it is made again: the number may be a stranger's once the socket was closed."""
    _waking.check(sock, tried)
    if calls.fileno(sock) != number:
        raise _errors.named_error("EBADF", f"{tried} that was closed meanwhile")


def _listens(sock: _socket.socket) -> bool:
    try:
        return bool(calls.getsockopt(sock, _socket.SOL_SOCKET, _socket.SO_ACCEPTCONN))
    except OSError:
        return False


def works(directory: str) -> bool:
    """Whether native Unix sockets work in the directory: bind, listen, connect, accept, a byte, and the
    file's removal.

    Found by doing, never by a build number: in virtualised directories all but connect works. Takes
    milliseconds; leaves nothing behind.
    """
    path = os.path.join(directory, f"try-{secrets.token_hex(4)}")
    opened: list[_socket.socket] = []
    try:
        try:
            return _exchange(path, opened)
        finally:
            for sock in opened:
                calls.close(sock)
            # Where an orphaned file cannot be removed, each path would work just once.
            if socket_file_exists(path):
                remove_socket_file(path)
    except OSError:
        return False


def _exchange(path: str, opened: list[_socket.socket]) -> bool:
    listener, client = (calls.create(AF_UNIX, _socket.SOCK_STREAM, 0) for _ in "lc")
    opened += (listener, client)
    for sock in opened:
        calls.settimeout(sock, PROBE_SECONDS)
    end = NativeEnd()
    end.bind(listener, path)
    end.listen(listener, 1)
    NativeEnd().connect(client, path)
    number, _, name = end.accept(listener)
    server = calls.create(AF_UNIX, _socket.SOCK_STREAM, 0, fileno=number)
    opened.append(server)
    calls.settimeout(server, PROBE_SECONDS)
    calls.send(client, b"?")
    return name == "" and calls.recv(server, 1) == b"?" and end.getsockname(listener) == path


__all__ = ["NativeEnd", "is_socket_file", "remove_socket_file", "socket_file_exists", "works"]
