"""The client's half of the emulation: everything that happens inside connect().

Opens the file, probes the life of its name, connects, probes again before a byte is sent, sends the hello. What must
never be put here: anything that waits for the server's program (nothing may answer before accept()), and anything
that outlives the call.
"""

from __future__ import annotations

import _socket
import errno
import os
import secrets
import time

from samesock import _waking
from samesock._errors import error, named_error
from samesock.backend import OpenRecord, system
from samesock.unix import hello, rendezvous
from samesock.unix.calls import calls
from samesock.unix.rendezvous import Record
from samesock.unix.socket_file import is_socket_file

Address = tuple[str, int]

TRY_SECONDS = 0.03
"""How long one TCP try may take: a queue with room answers on loopback within microseconds."""

OVER_SECONDS = 3.0
"""How long a try may go on whose listener has gone: Winsock asks a port that nobody listens at for 2 s."""

_TWO_TYPES = "connecting Unix sockets of two types"
_PENDING = {errno.EAGAIN, errno.EWOULDBLOCK, errno.EINPROGRESS, errno.EALREADY, 10035, 10036, 10037}
_BEGUN = {errno.EINPROGRESS, 10035}
"""What says that this very call has begun a connect. Of one that is under way already Winsock says 10037 (seen), and
Linux EALREADY."""
_CONNECTED = {0, errno.EISCONN, 10056}
_REFUSED = {errno.ECONNREFUSED, errno.ETIMEDOUT, errno.ECONNRESET, 10061, 10060, 10054}
_BROKEN = {errno.ENOTCONN, errno.ECONNRESET, errno.ECONNABORTED, errno.EPIPE, 10053, 10054, 10057, 10058}
_NO_PORT = {errno.EADDRNOTAVAIL, errno.EADDRINUSE, errno.ENOBUFS, 10048, 10049, 10055}


Connected = tuple[Record, Address, Address, bytes]
"""What a connect has brought: the record, both addresses, this end's first, and the hello's nonce."""


def refusal(path: bytes) -> OSError:
    """`ECONNREFUSED`, naming the path: bound by nobody who lives, or no socket at all."""
    return named_error("ECONNREFUSED", "connecting a Unix socket", os.fsdecode(path))


def open_living(
    tcp: _socket.socket, path: bytes, kind: int, *, first: bool = False
) -> tuple[OpenRecord, Record]:
    """The file and its record, alive; `ECONNREFUSED` for whatever is no living socket of this realm, `EPROTOTYPE`
    for one of another type than `kind`: the system's own Unix sockets beside these are streams.

    With `first`, whose life it is may be left to a second look, which must come before anything is sent.
    """
    try:
        file = system.open_record(path)
    except OSError as failure:
        name = os.fsdecode(path)
        if failure.errno == errno.ECONNREFUSED and kind != _socket.SOCK_STREAM and is_socket_file(name):
            raise named_error("EPROTOTYPE", _TWO_TYPES, name) from None
        raise
    try:
        record = rendezvous.decode(file.data)
        if (
            record is None
            or record.realm != system.realm(tcp)
            or not (file.seems_live if first else file.live)(record.id)
        ):
            raise refusal(path)
        if record.kind != kind:
            raise named_error("EPROTOTYPE", _TWO_TYPES, os.fsdecode(path))
    except BaseException:
        file.close()
        raise
    return file, record


def check(tcp: _socket.socket, path: bytes, kind: int) -> None:
    """Raise what connect() raises when nothing at the path can be connected to."""
    file, _ = open_living(tcp, path, kind)
    file.close()


def connect(
    tcp: _socket.socket,
    path: bytes,
    *,
    kind: int,
    name: bytes,
    timeout: float | None,
    pending_port: int,
) -> Connected:
    """Connect `tcp` to whoever listens at `path` with a socket of type `kind`, and send the hello of a client that is
    named `name`.

    `pending_port` is the port of an earlier try that the system could not take back (Winsock), else 0.
    Raises `ECONNREFUSED`, `ENOENT`, `EACCES` and the rest of open's errors; `Full` when the queue stayed full.
    """
    deadline = None if timeout is None else time.monotonic() + timeout
    pause = 0.002
    calls.settimeout(tcp, 0.0)
    while True:
        file, record = open_living(tcp, path, kind, first=True)
        try:
            if pending_port not in (0, record.port) and not _has_failed(tcp, path, deadline):
                tried = "connecting a Unix socket: an earlier try to another path is still under way"
                raise named_error("EALREADY", tried, os.fsdecode(path))
            limit = TRY_SECONDS
            if deadline is not None and timeout != 0:
                limit = max(0.001, min(limit, deadline - time.monotonic()))
            try:
                code = _try_tcp(tcp, path, file, record, limit)
                if code in _CONNECTED:
                    return _prove(tcp, path, file, record, name, known=code == 0)
            except BaseException as failure:
                # Not a byte was sent to whom it was not for, Ctrl+C included; and the object can try again.
                _let_go(tcp)
                if isinstance(failure, OSError) and failure.errno in _BROKEN:
                    raise refusal(path) from failure  # the listener closed in the middle of it
                raise
            # One that was refused is over: the next may go to another port, if the path leads there by then.
            pending_port = record.port if system.REFUSED_WHEN_FULL and code in _PENDING else 0
        finally:
            file.close()
        now = time.monotonic()
        if timeout == 0 or (deadline is not None and now >= deadline):
            raise Full(path, timeout, pending_port)
        rest = pause if deadline is None else min(pause, deadline - now)
        time.sleep(rest)
        _waking.check_caller("connecting a Unix socket")
        pause = min(pause * 2, TRY_SECONDS)


class Full(Exception):
    """The listener's queue was full until the end of the time allowed."""

    def __init__(self, path: bytes, timeout: float | None, pending_port: int) -> None:
        super().__init__(path)
        self.path = path
        self.timeout = timeout
        self.pending_port = pending_port


def _try_tcp(tcp: _socket.socket, path: bytes, file: OpenRecord, record: Record, limit: float) -> int:
    """One TCP connect of at most `limit` seconds. Its code: 0 when it has reached that server, another of `_CONNECTED`
    when it has reached somebody, none of them if the queue seems full."""
    server = ("127.0.0.1", record.port)
    code = calls.connect_ex(tcp, server)
    if code in _NO_PORT:
        # The ephemeral ports towards this one server are used up (TIME_WAIT); another source address has its own.
        try:
            calls.bind(tcp, _another_loopback())
        except OSError:
            raise _failed(code, path) from None  # it has a name, or there is one loopback address only
        code = calls.connect_ex(tcp, server)
    if code in _PENDING:
        code = _settled(tcp, server, limit, begun=code in _BEGUN)
    if code in _CONNECTED:
        return code
    if code in _PENDING:
        system.abort_connect(calls.fileno(tcp))
        if not file.live(record.id):
            raise refusal(path)  # the first look may have been content with a stranger's event
        return code
    if code not in _REFUSED:
        raise _failed(code, path)
    if not system.REFUSED_WHEN_FULL or not file.live(record.id):
        raise refusal(path)  # dead; or shut down, where a queue that is full does not refuse
    return code


def _has_failed(tcp: _socket.socket, path: bytes, deadline: float | None) -> bool:
    """Whether the earlier try, to another port, is over by now or soon, and has failed: its listener has gone, and the
    path leads to a new one. `ECONNREFUSED` if it has reached that earlier listener after all."""
    left = OVER_SECONDS if deadline is None else max(0.0, min(deadline - time.monotonic(), OVER_SECONDS))
    if not system.wait([], [calls.fileno(tcp)], left):
        return False
    if calls.getsockopt(tcp, _socket.SOL_SOCKET, _socket.SO_ERROR):
        return True
    _let_go(tcp)
    raise refusal(path)


def _failed(code: int, path: bytes) -> OSError:
    """Any other answer of the TCP connect, which may be Winsock's code or an errno."""
    tried = "connecting a Unix socket over loopback"
    if system.REFUSED_WHEN_FULL:
        return error(code, tried, os.fsdecode(path))
    return named_error(errno.errorcode.get(code, "EIO"), tried, os.fsdecode(path))


def _settled(tcp: _socket.socket, server: Address, limit: float, *, begun: bool) -> int:
    """What became of a connect that was begun, by this try if `begun`: an error's code, or one of the connected or
    pending ones, where 0 says that it has reached that server."""
    if not system.NAMED_EARLY:
        # On loopback the handshake is over by now as a rule. Then the peer has a name, which had to be asked for
        # anyhow: another thread may have connected the same socket.
        try:
            return 0 if calls.getpeername(tcp) == server else errno.EISCONN
        except OSError:
            begun = False  # that thread may still do so
    # On loopback the handshake is over by now as a rule (under Wine 300 of 300 times): connect says so when it is
    # called again, for a quarter of what waiting and asking for SO_ERROR cost. Of one that has failed Winsock begins
    # another by that.
    code = calls.connect_ex(tcp, server)
    if code not in _PENDING:
        return 0 if begun and code in _CONNECTED else code or errno.EISCONN
    number = calls.fileno(tcp)
    if not system.wait([], [number], limit):
        return errno.EAGAIN
    return calls.getsockopt(tcp, _socket.SOL_SOCKET, _socket.SO_ERROR) or errno.EISCONN


def _another_loopback() -> Address:
    a, b, c = secrets.token_bytes(3)
    return (f"127.{max(a, 1)}.{b}.{min(max(c, 1), 254)}", 0)


def _prove(
    tcp: _socket.socket, path: bytes, file: OpenRecord, record: Record, name: bytes, *, known: bool
) -> Connected:
    """Make sure who is at the other end, which may be known by its address already, then send the hello."""
    server = ("127.0.0.1", record.port)
    local = calls.getsockname(tcp)
    if local == server or not (known or calls.getpeername(tcp) == server):
        raise refusal(path)  # connected to itself, or by an earlier try to somebody else
    if not file.live(record.id) or not (file.trusted() or _right_owner(file, record)):
        raise refusal(path)  # somebody took the port after the listener died
    calls.setsockopt(tcp, _socket.IPPROTO_TCP, _socket.TCP_NODELAY, 1)
    message = hello.make(record, local, server, pid=os.getpid(), uid=system.uid(), name=name)
    try:
        sent = calls.send(tcp, message)
    except OSError as reset:
        raise refusal(path) from reset
    if sent != len(message):
        raise refusal(path)
    return record, local, server, hello.nonce_of(message)


def _let_go(tcp: _socket.socket) -> None:
    """Be connected no more; where the system cannot take a connect back, nothing can be sent or received any more."""
    system.abort_connect(calls.fileno(tcp))
    try:
        calls.getpeername(tcp)  # Linux would remember a shutdown for the next connection
        calls.shutdown(tcp, _socket.SHUT_RDWR)
    except OSError:
        pass  # the ordinary case: the system did take it back


def _right_owner(file: OpenRecord, record: Record) -> bool:
    """Whether the listening socket belongs to the file's owner: for a file that others could have written."""
    owner = system.listener_owner(record.port)
    if owner is None or not file.owned_by(owner):
        return False
    return not record.cookie or owner.cookie is None or owner.cookie == record.cookie
