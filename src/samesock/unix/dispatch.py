"""The methods of a socket class that differ for a Unix socket which is not simply the kernel's.

One implementation for both users: `samesock.socket` inherits `Methods`, and `install()` assigns the same functions to
`socket.socket`. So nothing here may say `super()`: for every other socket a method calls the function that it was put
in the place of, as it was when this module was imported. What must never be put here: how an end does its work, and how
an object is made (`making`).
"""

from __future__ import annotations

import _socket
import errno
import socket as _stdlib
from _thread import get_ident
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from weakref import ref

from samesock import _call_arguments, _message_arguments, _waking
from samesock._address import unix_path
from samesock._constants import MSG_DONTWAIT
from samesock._errors import named_error
from samesock._waking import readers, writers
from samesock.unix import AF_UNIX, End, Name, endable, ends
from samesock.unix.calls import calls
from samesock.unix.making import SHARED, accepted_as, adopt, adopted, create, duplicate, plain_class

if TYPE_CHECKING:
    from samesock.unix.passing import Passage

_stdlib_init = _stdlib.socket.__init__
_stdlib_accept = _stdlib.socket.accept
_stdlib_detach = _stdlib.socket.detach
_stdlib_dup = _stdlib.socket.dup
_stdlib_set_inheritable = _stdlib.socket.set_inheritable
_end_of = ends.by_reference.get


class Methods:
    """See the module's head. Each method's promise is the standard library's."""

    __slots__ = ()

    def __init__(self: Any, family: int = -1, type: int = -1, proto: int = -1, fileno: Any = None) -> None:
        if fileno is None and family == AF_UNIX:
            create(self, type, proto)
            return
        _stdlib_init(self, family, type, proto, fileno)
        if fileno is not None and family in (-1, AF_UNIX) and isinstance(fileno, int):
            adopt(self, family, type)

    def bind(self: Any, address: Any, /) -> None:
        end = _end_of(ref(self))
        if end is None:
            return calls.bind(self, address)
        return end.bind(self, address)

    def listen(self: Any, /, *backlog: int) -> None:
        end = _end_of(ref(self))
        if end is None:
            return calls.listen(self, *backlog)
        if len(backlog) > 1:
            raise TypeError(f"listen() takes at most 1 argument ({len(backlog)} given)")
        most = _call_arguments.number(backlog[0]) if backlog else min(_socket.SOMAXCONN, 128)
        return end.listen(self, max(0, most))

    def accept(self: Any) -> tuple[_stdlib.socket, Any]:
        end = _end_of(ref(self))
        if end is None:
            if self.__class__ is _stdlib.socket:  # as in connect
                number, name = calls.accept(self)
                return accepted_as(self, number), name
            return accept_as(self)
        me = get_ident()
        outer, beneath = readers.get(me), writers.get(me)
        readers[me] = self if outer is None and beneath is None else _waking.entry(self, outer, beneath)
        try:
            accepted, peer, name = end.accept(self)
        except OSError:
            _waking.check(self, "accepting from a Unix socket")
            raise
        finally:
            readers[me] = outer
            _waking.leave(self)
        return adopted(plain_class(self), accepted, peer), name

    def connect(self: Any, address: Any, /) -> None:
        end = _end_of(ref(self))
        if end is None:
            # The standard library's own class has no close(wake=True) that could end the call: what it takes to be
            # found by one costs 2 us.
            if self.__class__ is _stdlib.socket:
                return calls.connect(self, address)
            return _connect(self, calls, address)
        return _connect(self, end, address)

    def connect_ex(self: Any, address: Any, /) -> int:
        end = _end_of(ref(self))
        if end is None:
            return calls.connect_ex(self, address)
        try:
            _connect(self, end, address)
        except TimeoutError:
            return errno.EAGAIN
        except OSError as error:
            if error.errno is None:
                raise  # a path too long is an exception even here, as in the standard library
            return error.errno
        return 0

    def shutdown(self: Any, how: int, /) -> None:
        end = _end_of(ref(self))
        if end is None:
            return calls.shutdown(self, how)
        return end.shutdown(self, _call_arguments.number(how))

    def getsockname(self: Any) -> Any:
        end = _end_of(ref(self))
        return calls.getsockname(self) if end is None else end.getsockname(self)

    def getpeername(self: Any) -> Any:
        end = _end_of(ref(self))
        return calls.getpeername(self) if end is None else end.getpeername(self)

    def setsockopt(self: Any, level: int, option: int, *value: Any) -> None:
        end = _end_of(ref(self))
        if end is None:
            return calls.setsockopt(self, level, option, *value)
        level, option = _call_arguments.number(level), _call_arguments.number(option)
        if not value:
            raise TypeError("setsockopt() takes at least 3 arguments (2 given)")
        return end.setsockopt(self, level, option, *value)

    def getsockopt(self: Any, level: int, option: int, *length: int) -> Any:
        end = _end_of(ref(self))
        if end is None:
            return calls.getsockopt(self, level, option, *length)
        level, option = _call_arguments.number(level), _call_arguments.number(option)
        return end.getsockopt(self, level, option, *map(_call_arguments.number, length))

    def recvfrom(self: Any, size: int, flags: int = 0, /) -> tuple[bytes, Any]:
        end = _end_of(ref(self))
        if end is None:
            return calls.recvfrom(self, size, flags)
        try:
            data = calls.recv(self, size, flags)
        except (TypeError, ValueError):
            _call_arguments.size(size, "recvfrom")
            raise
        return data, sender_of(self, end) if data else None

    def recvfrom_into(self: Any, buffer: Any, nbytes: int = 0, flags: int = 0) -> tuple[int, Any]:
        end = _end_of(ref(self))
        if end is None:
            return calls.recvfrom_into(self, buffer, nbytes, flags)
        try:
            count = calls.recv_into(self, buffer, nbytes, flags)
        except (TypeError, ValueError):
            _call_arguments.room(buffer, nbytes, "recvfrom_into")
            raise
        return count, sender_of(self, end) if count else None

    def sendto(self: Any, data: Any, *where: Any) -> int:
        end = _end_of(ref(self))
        if end is None:
            return int(calls.sendto(self, data, *where))
        if len(where) not in (1, 2):
            raise TypeError(f"sendto() takes 2 or 3 arguments ({1 + len(where)} given)")
        _message_arguments.bytes_of(data)
        if len(where) == 2:
            _call_arguments.number(where[0])
        unix_path(where[-1])
        try:
            end.getpeername(self)
        except OSError as error:
            if error.errno == errno.EBADF:
                raise
            raise named_error("EOPNOTSUPP", "sending to an address from a Unix stream socket") from None
        raise named_error("EISCONN", "sending to an address from a connected Unix socket")

    def detach(self: Any) -> int:
        end = _end_of(ref(self))
        if end is None or calls.fileno(self) < 0:
            return _stdlib_detach(self)
        number = end.detach(self)
        ends.remove(self)
        _stdlib_detach(self)
        return number

    def dup(self: Any) -> Any:
        end = _end_of(ref(self))
        if end is None or calls.fileno(self) < 0:
            return _stdlib_dup(self)
        number = _socket.dup(calls.fileno(self))
        copy = duplicate(
            end, number, lambda: self.__class__(self.family, self.type, self.proto, fileno=number)
        )
        copy.settimeout(calls.gettimeout(self))
        return copy

    def set_inheritable(self: Any, inheritable: bool, /) -> None:
        _stdlib_set_inheritable(self, inheritable)
        end = _end_of(ref(self))
        if end is not None and inheritable:
            end.hand_on()

    def _real_close(self: Any) -> None:
        end = _end_of(ref(self))
        if end is None:
            calls.close(self)
        elif calls.fileno(self) >= 0:
            end.close(self)


class MessageMethods:
    """Messages with descriptors beside them. The interpreter lacks all three on Windows, and there `winsock.messages`
    stands before them."""

    __slots__ = ()

    def sendmsg(self: Any, buffers: Any, ancdata: Any = (), flags: int = 0, address: Any = None, /) -> int:
        end = _end_of(ref(self))
        if end is None:
            return int(calls.sendmsg(self, buffers, ancdata, flags, address))
        from samesock.unix.ancillary import things_in

        things = things_in(ancdata)
        if address is not None:
            if things:
                raise named_error("EOPNOTSUPP", "passing descriptors to an address")
            # By name: under install() the class's own is C's, which on Windows knows no Unix address to refuse.
            return Methods.sendto(self, b"".join(_message_arguments.readable(buffers)), flags, address)
        return send_message(self, end, buffers, things, flags)

    def recvmsg(
        self: Any, bufsize: int, ancbufsize: int = 0, flags: int = 0, /
    ) -> tuple[bytes, list[tuple[int, int, bytes]], int, Any]:
        end = _end_of(ref(self))
        if end is None:
            return calls.recvmsg(self, bufsize, ancbufsize, flags)  # type: ignore[no-any-return]
        from samesock.unix.ancillary import as_ancillary, room_for

        data, descriptors, told = receive_message(self, end, bufsize, room_for(ancbufsize), flags)
        return data, as_ancillary(descriptors), told, sender_of(self, end) if data else None

    def recvmsg_into(
        self: Any, buffers: Any, ancbufsize: int = 0, flags: int = 0, /
    ) -> tuple[int, list[tuple[int, int, bytes]], int, Any]:
        end = _end_of(ref(self))
        if end is None:
            return calls.recvmsg_into(self, buffers, ancbufsize, flags)  # type: ignore[no-any-return]
        from samesock.unix.ancillary import as_ancillary, room_for

        views = _message_arguments.require_few(_message_arguments.writable(buffers), "recvmsg_into")
        size = sum(view.nbytes for view in views)
        data, descriptors, told = receive_message(self, end, size, room_for(ancbufsize), flags)
        count = _scatter(data, views)
        return count, as_ancillary(descriptors), told, sender_of(self, end) if count else None


def _scatter(data: bytes, views: list[memoryview]) -> int:
    """Fill the buffers in turn; how many bytes that were."""
    at = 0
    for view in views:
        piece = data[at : at + len(view)]
        view[: len(piece)] = piece
        at += len(piece)
    return at


def send_message(sock: Any, end: End, buffers: Any, things: Any, flags: int) -> int:
    """sendmsg with descriptors, each a number or an object with fileno()."""
    flags = _call_arguments.number(flags)
    views = _message_arguments.require_few(_message_arguments.readable(buffers), "sendmsg")
    data = b"".join(views)
    if not things:
        if flags & MSG_DONTWAIT:
            from samesock.unix.passing import send_plain

            return endable.sending(sock, send_plain, sock, data, flags)
        return endable.sending(sock, calls.send_waiting, sock, data, flags)
    end.getpeername(sock)  # ENOTCONN
    passage = _passage_of(sock, end)
    if passage is None:
        raise named_error(
            "EOPNOTSUPP", "passing descriptors over a Unix socket of which only the number is known"
        )
    return endable.sending(sock, passage.send, sock, end, data, things, flags)


def _passage_of(sock: Any, end: End) -> Passage | None:
    """The connection's, `None` for a socket that has no connection or no key."""
    return end.passage() if calls.type(sock) == _socket.SOCK_STREAM else None


def receive_message(sock: Any, end: End, size: int, most: int, flags: int) -> tuple[bytes, list[int], int]:
    """recvmsg with at most `most` descriptors, ready to use."""
    size = _call_arguments.size(size, "recvmsg", "negative buffer size in {}()")
    flags = _call_arguments.number(flags)
    passage = _passage_of(sock, end)
    if passage is None:
        if calls.type(sock) == _socket.SOCK_STREAM:
            end.getpeername(sock)  # ENOTCONN
        from samesock.unix.passing import receive_plain

        return endable.receiving(sock, b"", receive_plain, sock, size, flags), [], 0
    nothing: tuple[bytes, list[int], int] = b"", [], 0
    return endable.receiving(sock, nothing, passage.receive, sock, size, most, flags)


class ShareMethods:
    """For Winsock's `share`: an emulated socket's state travels behind the system's own bytes."""

    __slots__ = ()

    def share(self: Any, process_id: int, /) -> bytes:
        end = _end_of(ref(self))
        info = bytes(calls.share(self, process_id))
        if end is None:
            return info
        end.hand_on()
        end.handed_to(process_id)
        blob = end.export()
        if blob is None:
            return info
        return info + blob + len(blob).to_bytes(4, "little") + SHARED


def method_classes() -> list[type]:
    """The classes of methods for this interpreter: those whose C functions it has."""
    classes: list[type] = [Methods, MessageMethods]
    if hasattr(_socket.socket, "share"):
        classes.append(ShareMethods)
    return classes


def _connect(sock: Any, end: Any, address: Any) -> None:
    me = get_ident()
    outer, beneath = readers.get(me), writers.get(me)
    readers[me] = sock if outer is None and beneath is None else _waking.entry(sock, outer, beneath)
    try:
        end.connect(sock, address)
        if _waking.marks:
            _waking.check_woken(sock, "connect()")
    except OSError:
        _waking.check_woken(sock, "connect()")
        raise
    finally:
        readers[me] = outer
        _waking.leave(sock)


def sender_of(sock: Any, end: Any) -> Name | None:
    """What recvfrom on a stream says of the sender: its path, `None` for one without (seen on Linux), as of the end
    of the stream, where nobody has sent anything."""
    try:
        return end.getpeername(sock) or None
    except OSError:
        return None


def accept_as(sock: Any, accept: Callable[[Any], Any] | None = None) -> tuple[_stdlib.socket, Any]:
    """accept() as the standard library has it, giving the caller's own plain class."""
    me = get_ident()
    outer = _waking.readers.get(me)
    _waking.readers[me] = _waking.entry(sock, outer, _waking.writers.get(me))
    try:
        number, address = (accept or calls.accept)(sock)
    except OSError:
        _waking.check(sock, "accept()")
        raise
    finally:
        _waking.readers[me] = outer
        _waking.leave(sock)
    return accepted_as(sock, number), address
