"""`class socket` and the module's functions, as BSD and the standard library have them.

Where the interpreter's own sockets do everything, the class adds next to nothing: the hot methods stay C's, and
`bind` and `connect` only name the path in their errors. Elsewhere it takes its methods from `unix.dispatch`. What
must never be put here: anything about one operating system or one transport.
"""

from __future__ import annotations

import _socket as _c
import contextlib
import os
import socket as _stdlib
from _thread import get_ident
from typing import TYPE_CHECKING, Any

from samesock import _waking
from samesock._family import AF_UNIX
from samesock.unix import choosing, ends

_KERNEL = choosing.kernel_does_all()
_WINSOCK = choosing.over_winsock()

if TYPE_CHECKING:
    from collections.abc import Iterable

    from _typeshed import ReadableBuffer, WriteableBuffer

if TYPE_CHECKING or not _WINSOCK:
    # By the same names for type checkers: they are handed on.
    from socket import close as close  # noqa: PLC0414
    from socket import dup as dup  # noqa: PLC0414
    from socket import getaddrinfo as getaddrinfo  # noqa: PLC0414
else:
    from samesock.winsock import adopting as _adopting
    from samesock.winsock import resolution as _resolution

    close = _adopting.close
    dup = _adopting.dup
    getaddrinfo = _resolution.getaddrinfo

_CLOSE_ON_EXEC: int = getattr(_c, "MSG_CMSG_CLOEXEC", 0)
_recvmsg: Any = getattr(_c.socket, "recvmsg", None)
_recvmsg_into: Any = getattr(_c.socket, "recvmsg_into", None)


class _KernelMethods:
    """For interpreters whose own sockets speak AF_UNIX, over a kernel that has it."""

    __slots__ = ()

    def accept(self) -> tuple[socket, Any]:
        """Take one connection: `(a new samesock.socket, the peer's address)`. See accept(2)."""
        me = get_ident()
        outer = _waking.readers.get(me)
        _waking.readers[me] = _waking.entry(self, outer, _waking.writers.get(me))
        try:
            number, address = self._accept()  # type: ignore[attr-defined]
            if _waking.ended and self in _waking.ended:
                _c.close(number)
                _waking.check(self, "accept()")
        except OSError:
            _waking.check(self, "accept()")
            raise
        finally:
            _waking.readers[me] = outer
            _waking.leave(self)
        accepted = socket(self.family, self.type, self.proto, fileno=number)  # type: ignore[attr-defined]
        if _c.getdefaulttimeout() is None and self.gettimeout():  # type: ignore[attr-defined]
            accepted.setblocking(True)
        return accepted, address

    if _recvmsg is not None:

        def recvmsg(
            self, bufsize: int, ancbufsize: int = 0, flags: int = 0, /
        ) -> tuple[bytes, list[tuple[int, int, bytes]], int, Any]:
            """Receive a message and what travels beside it, descriptors not inheritable. See recvmsg(2)."""
            if not ancbufsize:
                return _recvmsg(self, bufsize, 0, flags)  # type: ignore[no-any-return]
            message = _recvmsg(self, bufsize, ancbufsize, flags | _CLOSE_ON_EXEC)
            return _kept_from_children(message)  # type: ignore[no-any-return]

        def recvmsg_into(
            self, buffers: Any, ancbufsize: int = 0, flags: int = 0, /
        ) -> tuple[int, list[tuple[int, int, bytes]], int, Any]:
            """recvmsg into `buffers`: the number of bytes, and the rest as recvmsg gives it."""
            if not ancbufsize:
                return _recvmsg_into(self, buffers, 0, flags)  # type: ignore[no-any-return]
            message = _recvmsg_into(self, buffers, ancbufsize, flags | _CLOSE_ON_EXEC)
            return _kept_from_children(message)  # type: ignore[no-any-return]

    def bind(self, address: Any, /) -> None:
        """Give the socket its address. See bind(2); an error of a Unix socket names the path."""
        if isinstance(address, tuple):
            return _c.socket.bind(self, address)  # type: ignore[arg-type]
        return _with_path(_c.socket.bind, self, address)

    def connect(self, address: Any, /) -> None:
        """Connect to the address. See connect(2); an error of a Unix socket names the path."""
        me = get_ident()
        outer = _waking.readers.get(me)
        _waking.readers[me] = _waking.entry(self, outer, _waking.writers.get(me))
        try:
            if isinstance(address, tuple):
                _c.socket.connect(self, address)  # type: ignore[arg-type]
            else:
                _with_path(_c.socket.connect, self, address)
            _waking.check(self, "connect()")
        except OSError:
            _waking.check(self, "connect()")
            raise
        finally:
            _waking.readers[me] = outer
            _waking.leave(self)

    def connect_ex(self, address: Any, /) -> int:
        """As connect(), with an error's number for an answer."""
        if not isinstance(address, tuple) and _c.socket.family.__get__(self) == AF_UNIX:
            from samesock._address import unix_path

            unix_path(address)
        return _c.socket.connect_ex(self, address)  # type: ignore[arg-type]


def _kept_from_children(message: Any) -> Any:
    """The message, with descriptors that are not inheritable; the flag that does so is taken out of its flags."""
    if _CLOSE_ON_EXEC:
        data, ancillary, flags, address = message
        return data, ancillary, flags & ~_CLOSE_ON_EXEC, address
    from samesock import _passing

    for level, kind, raw in message[1]:
        if level == _c.SOL_SOCKET and kind == _passing.SCM_RIGHTS:
            _passing.not_inheritable(raw)
    return message


def _v6only_is_on() -> bool:
    """Whether a new IPv6 socket refuses IPv4 here: FreeBSD's do, and Linux's with net.ipv6.bindv6only."""
    try:
        probe = _c.socket(_c.AF_INET6, _c.SOCK_DGRAM)
    except OSError:
        return False
    try:
        return bool(probe.getsockopt(_c.IPPROTO_IPV6, _c.IPV6_V6ONLY))
    except OSError:
        return False
    finally:
        probe.close()


def _init_dual_stack(
    self: Any, family: int = -1, type: int = -1, proto: int = -1, fileno: int | None = None
) -> None:
    """Make the socket with IPV6_V6ONLY off, as RFC 3493 has it; OpenBSD lets nobody turn it off."""
    _stdlib.socket.__init__(self, family, type, proto, fileno)
    if fileno is None and family == _c.AF_INET6:
        with contextlib.suppress(OSError):
            self.setsockopt(_c.IPPROTO_IPV6, _c.IPV6_V6ONLY, 0)


if _KERNEL and _v6only_is_on():
    _KernelMethods.__init__ = _init_dual_stack  # type: ignore[method-assign]


def _with_path(function: Any, sock: Any, address: Any) -> None:
    """Call a C method; ValueError for a NUL that C would cut the path at, and the path in what it raises."""
    is_unix = _c.socket.family.__get__(sock) == AF_UNIX
    if is_unix:
        from samesock._address import unix_path

        unix_path(address)
    try:
        function(sock, address)
    except OSError as error:
        if is_unix and error.filename is None and error.errno is not None:
            error.filename = os.fsdecode(address)
        raise


if not _KERNEL:
    from samesock.unix import dispatch as _dispatch
    from samesock.unix import making as _making

    def _method_classes() -> list[type]:
        """What stands before the standard library's methods: Winsock's differences, then those of Unix sockets."""
        if not choosing.over_winsock():
            return _dispatch.method_classes()
        from samesock import winsock

        return [*winsock.method_classes(), *_dispatch.method_classes()]


if TYPE_CHECKING:

    class _Base(_stdlib.socket):
        """What type checkers see: the standard library's class, with what accept() gives here."""

        def accept(self) -> tuple[socket, Any]: ...

        # For Windows, too, where the standard library has none of them. Arguments as in its stubs for POSIX.

        def sendmsg(
            self,
            buffers: Iterable[ReadableBuffer],
            ancdata: Iterable[tuple[int, int, ReadableBuffer]] = ...,
            flags: int = ...,
            address: Any = ...,
            /,
        ) -> int: ...

        def recvmsg(
            self, bufsize: int, ancbufsize: int = ..., flags: int = ..., /
        ) -> tuple[bytes, list[tuple[int, int, bytes]], int, Any]: ...

        def recvmsg_into(
            self, buffers: Iterable[WriteableBuffer], ancbufsize: int = ..., flags: int = ..., /
        ) -> tuple[int, list[tuple[int, int, bytes]], int, Any]: ...

elif _KERNEL:

    class _Base(_KernelMethods, _stdlib.socket):
        __slots__ = ()

else:

    class _Base(*_method_classes(), _stdlib.socket):
        __slots__ = ()


class socket(_Base):
    """A BSD socket: the standard library's class, with the same behaviour on every operating system.

    Arguments, methods and errors are those of `socket.socket`. A Unix domain socket (`AF_UNIX`, of type `SOCK_STREAM`,
    `SOCK_DGRAM` or `SOCK_SEQPACKET`) works on every platform; its `transport` says by what. macOS has no
    `SOCK_SEQPACKET`.

    Portability:
        Linux, macOS, FreeBSD: native. Windows: native where the system's AF_UNIX works, else emulated.

    References: POSIX `socket`, `bind`, `connect`, `accept`; Winsock `socket`.
    """

    __slots__ = ()

    @property
    def transport(self) -> str:
        """`native`, or `emulated` for a Unix socket over TCP on loopback."""
        end = ends.get(self)
        return "native" if end is None else end.transport

    def disconnect(self) -> None:
        """Undo a datagram socket's connect: it has no peer again, and hears from everybody.

        The port stays if it was bound; one that the system chose may be given back (Linux does so). A socket without a
        peer stays as it is. Raises `OSError`: EOPNOTSUPP for a stream, EBADF for a closed socket.

        Portability:
            Linux, macOS, FreeBSD: native. Windows: native.

        References: POSIX `connect` with AF_UNSPEC; Winsock `connect` with an address of zeros.
        """
        from samesock import _disconnecting

        _disconnecting.disconnect(self)

    if not _KERNEL:

        @property
        def family(self) -> Any:
            """The address family, AF_UNIX included where the interpreter lacks it."""
            number = _c.socket.family.__get__(self)
            return AF_UNIX if number == AF_UNIX else _stdlib.socket.family.__get__(self)

    def close(self, *, wake: bool = False) -> None:
        """Close the socket; with `wake`, first end every call of it that blocks in another thread.

        `accept` and `connect` then raise `ECONNABORTED`; `recv` and `send` raise it on Windows, and elsewhere report
        the end of the stream and `EPIPE`. The number is closed when those calls have returned. For that a connection
        is shut down on POSIX, and a listener too: also under another process that shares it. A close without `wake`
        never does that: on POSIX a call that blocks goes on until something comes, on Windows it raises `EBADF`.
        A datagram socket's `recv` with a time-out raises `EBADF` on POSIX, too: its kernel has no end of a stream.

        Portability:
            Linux, macOS, FreeBSD, Windows: emulated.

        References: POSIX `close`, `shutdown`; Winsock `CancelIoEx`.
        """
        if wake:
            _wake(self)
        _stdlib.socket.close(self)

    def __reduce_ex__(self, protocol: Any) -> Any:
        """Through multiprocessing a socket travels as its descriptor; plain pickle refuses, as for any socket."""
        from samesock import _pickling

        return _pickling.reduce(self)


def _wake(sock: socket) -> None:
    if not choosing.over_winsock():
        return _waking.wake(sock)
    from samesock.winsock import ending

    return ending.wake(sock)


def _ours(sock: _stdlib.socket) -> socket:
    """The same object as one of our class: the layouts are equal, since no slot was added."""
    sock.__class__ = socket
    return sock  # type: ignore[return-value]


def fromfd(fd: int, family: int, type: int, proto: int = 0) -> socket:
    """A socket for a duplicate of the descriptor `fd`, which stays open. See dup(2)."""
    try:
        number = _c.dup(fd)
    except OSError as error:
        if not _WINSOCK:
            raise
        from samesock.winsock import adopting

        raise adopting.refused(error, fd) from None
    if _KERNEL:
        return socket(family, type, proto, fileno=number)
    return _making.from_number(fd, number, family, lambda: socket(family, type, proto, fileno=number))


def socketpair(
    family: int | None = None, type: int = _c.SOCK_STREAM, proto: int = 0
) -> tuple[socket, socket]:
    """Two connected sockets, of AF_UNIX by default; no other process can get between them.

    `type` is `SOCK_STREAM`, `SOCK_DGRAM` or `SOCK_SEQPACKET`.

    Portability:
        Linux, macOS, FreeBSD: native. Windows: emulated, authenticated by address and token.

    References: POSIX `socketpair`.
    """
    if _KERNEL or family not in (None, AF_UNIX):
        try:
            one, other = _stdlib.socketpair(family, type, proto)  # type: ignore[arg-type,unused-ignore]
        except ValueError as error:  # Windows' Python's, of a family or a type that it has no pair of
            raise _no_pair(family, type, str(error)) from None
        return _ours(one), _ours(other)
    from samesock import _call_arguments
    from samesock._errors import named_error
    from samesock.unix import pair
    from samesock.unix.making import adopted

    type = _call_arguments.number(type)
    if _call_arguments.number(proto) not in (0, AF_UNIX):
        raise named_error("EPROTONOSUPPORT", f"socketpair() of protocol {proto}")
    plain = type & ~_MODE_FLAGS
    if plain == _c.SOCK_DGRAM:
        one, other = (adopted(socket, number, end) for number, end in pair.make_datagrams())
    elif plain in (_c.SOCK_STREAM, _c.SOCK_SEQPACKET):
        one, other = (adopted(socket, number, end) for number, end in pair.make(plain))
    else:
        raise named_error("ESOCKTNOSUPPORT", f"socketpair() of type {type}")
    if type & getattr(_c, "SOCK_NONBLOCK", 0):
        one.setblocking(False)
        other.setblocking(False)
    return one, other


def _no_pair(family: Any, type: Any, text: str) -> OSError:
    """POSIX's errno for a socketpair() that there is not; `TypeError` for what is no number."""
    from samesock import _call_arguments
    from samesock._errors import named_error

    is_family = _call_arguments.number(family) not in (_c.AF_INET, _c.AF_INET6)
    tried = f"socketpair() of family {family}, type {_call_arguments.number(type)}: {text}"
    return named_error("EAFNOSUPPORT" if is_family else "ESOCKTNOSUPPORT", tried)


_MODE_FLAGS = getattr(_c, "SOCK_NONBLOCK", 0) | getattr(_c, "SOCK_CLOEXEC", 0)


def create_connection(*args: Any, **kwargs: Any) -> socket:
    """Connect a TCP socket to `(host, port)`, trying every address of the host.

    Arguments and errors are those of the standard library's function of this interpreter.
    """
    if not _WINSOCK:
        return _ours(_stdlib.create_connection(*args, **kwargs))
    from samesock import _connections

    return _connections.connection(socket, getaddrinfo, *args, **kwargs)


def create_server(
    address: Any,
    *,
    family: int = _c.AF_INET,
    backlog: int | None = None,
    reuse_port: bool = False,
    dualstack_ipv6: bool = False,
) -> socket:
    """A listening stream socket bound to `address`: `(host, port)`, or a path with `family=AF_UNIX`.

    The port of a server that has ended can be taken at once, and a live one's cannot. Raises `OSError` naming the
    address; ValueError for options that do not go together, as the standard library does.
    """
    if family != AF_UNIX and _WINSOCK:
        from samesock import _connections

        return _connections.server(
            socket,
            address,
            family=family,
            backlog=backlog,
            reuse_port=reuse_port,
            dualstack_ipv6=dualstack_ipv6,
        )
    if family != AF_UNIX or _KERNEL:
        return _ours(
            _stdlib.create_server(
                address,
                family=family,
                backlog=backlog,
                reuse_port=reuse_port,
                dualstack_ipv6=dualstack_ipv6,
            )
        )
    if reuse_port and not hasattr(_c, "SO_REUSEPORT"):
        raise ValueError("SO_REUSEPORT not supported on this platform")
    if dualstack_ipv6:
        raise ValueError("dualstack_ipv6 requires AF_INET6 family")
    sock = socket(AF_UNIX, _c.SOCK_STREAM)
    try:
        sock.bind(address)
        if backlog is None:
            sock.listen()
        else:
            sock.listen(backlog)
    except BaseException:
        sock.close()
        raise
    return sock


def fromshare(info: bytes) -> socket:
    """The socket in the bytes that another process's `share(pid)` made for this one. Windows alone."""
    if not hasattr(_c.socket, "share"):
        from samesock._errors import named_error

        raise named_error("EOPNOTSUPP", "fromshare(), which is Winsock's; elsewhere pass descriptors")
    return _making.from_share(socket, info)


if not _KERNEL:
    _making.plain_classes.insert(0, socket)
    if hasattr(os, "fork"):
        from samesock.unix import beforehand as _beforehand  # noqa: F401
