"""A socket's own address and its peer's, bind, listen, accept and connect, as BSD has them.

Winsock refuses what BSD answers: the name of an unbound socket, listen on one, connect to the wildcard address. What
must never be put here: the frame around a call (`blocking`), who may share a port (`binding`), how a connect goes on
(`connecting`).
"""

from __future__ import annotations

import _socket
import errno
import socket as _stdlib
from typing import Any
from weakref import ref

from samesock import _call_arguments, _errors
from samesock.unix import ends
from samesock.unix.dispatch import Methods
from samesock.unix.making import accepted_as
from samesock.winsock import adopting, binding, connecting, stream_error
from samesock.winsock.blocking import call
from samesock.winsock.calls import calls
from samesock.winsock.failing import WSAECONNRESET, WSAEINVAL, check_open, code_of, is_unbound, told
from samesock.winsock.interrupting import prepare_to_block

_end_of = ends.by_reference.get


class AddressMethods:
    """See the module's head. Each method's promise is the standard library's on POSIX."""

    __slots__ = ()

    def __init__(self: Any, family: int = -1, type: int = -1, proto: int = -1, fileno: Any = None) -> None:
        try:
            Methods.__init__(self, family, type, proto, fileno)
        except OSError as error:
            adopting.retry(self, error, (family, type, proto), fileno)
        if fileno is None and _end_of(ref(self)) is None:
            binding.settle_new(self)

    def bind(self: Any, address: Any, /) -> None:
        if _end_of(ref(self)) is not None:
            return Methods.bind(self, address)
        binding.before_bind(self)
        try:
            return call(calls.bind, self, address)  # type: ignore[no-any-return]
        except OSError as error:
            raise binding.refused(self, address, error) from None

    def listen(self: Any, /, *backlog: int) -> None:
        if _end_of(ref(self)) is not None:
            return Methods.listen(self, *backlog)
        size = tuple(map(_call_arguments.number, backlog))  # C's long has other words for one too great
        try:
            call(calls.listen, self, *size)
        except OSError as error:
            if code_of(error) != WSAEINVAL or not is_unbound(self) or not binding.has_wildcard(self):
                raise told(self, error, "listening") from None
            self.bind(binding.wildcard(self))
            call(calls.listen, self, *size)

    def accept(self: Any) -> tuple[_stdlib.socket, Any]:
        end = _end_of(ref(self))
        if end is not None:
            if end.transport == "native":
                prepare_to_block(self)
            return Methods.accept(self)
        try:
            number, address = call(calls.accept, self)
        except OSError as error:
            if code_of(error) == WSAECONNRESET:
                raise _aborted() from None
            raise told(self, error, "accepting a connection") from None
        if address is None:
            # Wine gives out a connection that was reset, without a peer's address, where Winsock refuses (seen).
            calls.close_number(number)
            raise _aborted()
        return accepted_as(self, number), address

    def connect(self: Any, address: Any, /) -> None:
        if _end_of(ref(self)) is not None:
            return Methods.connect(self, address)
        try:
            return connecting.connect(self, address)
        except (TypeError, OverflowError) as error:
            raise _of_method(error, "connect_ex()", "connect()") from None

    def connect_ex(self: Any, address: Any, /) -> int:
        if _end_of(ref(self)) is not None:
            return Methods.connect_ex(self, address)
        try:
            connecting.connect(self, address)
        except (TypeError, OverflowError) as error:
            raise _of_method(error, "connect()", "connect_ex()") from None
        except _socket.gaierror:
            raise  # no number of connect(2)'s, and an exception in the standard library, too
        except OSError as error:
            if error.errno is None:
                return errno.EWOULDBLOCK  # the time-out: what the standard library gives for it
            return error.errno
        return 0

    def dup(self: Any) -> Any:
        check_open(self)
        copy = Methods.dup(self)
        connecting.share(self, copy)
        return copy

    def getsockname(self: Any) -> Any:
        if _end_of(ref(self)) is not None:
            return Methods.getsockname(self)
        try:
            return call(calls.getsockname, self)
        except OSError as error:
            if code_of(error) == WSAEINVAL and binding.has_wildcard(self):
                return binding.wildcard(self)
            raise told(self, error, "asking for the socket's name") from None

    def getpeername(self: Any) -> Any:
        if _end_of(ref(self)) is not None:
            return Methods.getpeername(self)
        try:
            connecting.check_settled(self)  # Winsock names the peer of a connect that is still under way
            name = call(calls.getpeername, self)
            if stream_error.has_failed(self):
                raise _errors.named_error("ENOTCONN", "the connection was reset")
            return name
        except OSError as error:
            raise told(self, error, "asking for the peer's name") from None


def _of_method(error: Exception, asked: str, called: str) -> Exception:
    """C's exception for a wrong address, with the name of the method that the program has called: either of the two
    asks C's of the other name, as its blocking mode has it."""
    return type(error)(str(error).replace(asked, called))


def _aborted() -> OSError:
    return _errors.named_error(
        "ECONNABORTED", "accepting a connection that its peer has reset", code=WSAECONNRESET
    )
