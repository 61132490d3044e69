"""The replaceable table under `native`: the calls that carry a `sockaddr_un`, with C's signatures.

`winsock_calls` is the table on Windows. `libc_calls` has the same functions with the same structure, so that
the module above runs against a real kernel wherever tests run; a test may give a third one. What must never
be put here: what an answer means. Only the table knows in which space its codes are, so only the table makes
errors of them.
"""

from __future__ import annotations

import _socket
import ctypes
import errno
import functools
import os
import sys
from typing import TYPE_CHECKING, Protocol

from samesock import _address, _errors
from samesock.backend import system
from samesock.ffi import kernel32 as k
from samesock.ffi import ws2_32 as w

if TYPE_CHECKING:
    from collections.abc import Iterable

    from samesock._address import Layout

    Buffer = ctypes.Array[ctypes.c_char]
    Integer = ctypes.Array[ctypes.c_int]
    """One C int that the callee may change."""


class NativeCalls(Protocol):
    """Results are C's: 0 or a number is success, -1 (accept: `invalid`) is failure; `last_error` says why."""

    layout: Layout
    invalid: int
    """What accept returns when it fails."""
    codes: str
    """`winsock` or `errno`: whose numbers `last_error` and `SO_ERROR` give."""
    would_block: frozenset[int]
    """accept's answers for an empty queue."""
    pending: frozenset[int]
    """connect's answers for "under way"."""
    interrupted: frozenset[int]
    """Answers after which the same call is made again, once Python's signal handlers have run, if the socket is still
    open under its number."""
    gone: frozenset[int]
    """accept's answers for a client that left while it waited."""

    def bind(self, s: int, name: bytes, namelen: int, /) -> int: ...

    def connect(self, s: int, name: bytes, namelen: int, /) -> int: ...

    def accept(self, s: int, addr: None, addrlen: None, /) -> int: ...

    def getsockname(self, s: int, name: Buffer, namelen: Integer, /) -> int: ...

    def getpeername(self, s: int, name: Buffer, namelen: Integer, /) -> int: ...

    def closesocket(self, s: int, /) -> int: ...

    def peer_pid(self, s: int, pid: Integer, /) -> int:
        """0 with the pid stored, or -1."""

    def last_error(self) -> int: ...

    def settle(self, s: int, /) -> None:
        """Make a number from accept block and not be inherited, whatever it took over from the listener."""

    def wait(self, readers: Iterable[int], writers: Iterable[int], timeout: float | None) -> set[int]:
        """`samesock.backend`'s wait."""

    def error(self, code: int, tried: str, filename: str | None = None) -> OSError:
        """The exception for a code of this table's space."""


class WinsockCalls:
    """ws2_32's functions, looked up at each call: `samesock.ffi.ws2_32.ws2_32` is itself a table."""

    layout = _address.WINDOWS
    invalid = w.INVALID_SOCKET
    codes = "winsock"
    would_block = frozenset({w.WSAEWOULDBLOCK})
    pending = frozenset({w.WSAEWOULDBLOCK, 10036, 10037})  # WSAEINPROGRESS, WSAEALREADY
    # No signals: somebody cancelled the call, or closed the socket under it.
    interrupted: frozenset[int] = frozenset(_errors.CANCELLED)
    gone = frozenset({10053, 10054})  # WSAECONNABORTED, WSAECONNRESET

    wait = staticmethod(system.wait)
    error = staticmethod(_errors.error)

    def bind(self, s: int, name: bytes, namelen: int, /) -> int:
        return w.ws2_32.bind(s, name, namelen)

    def connect(self, s: int, name: bytes, namelen: int, /) -> int:
        return w.ws2_32.connect(s, name, namelen)

    def accept(self, s: int, addr: None, addrlen: None, /) -> int:
        return w.ws2_32.accept(s, addr, addrlen)

    def getsockname(self, s: int, name: Buffer, namelen: Integer, /) -> int:
        return w.ws2_32.getsockname(s, name, namelen)

    def getpeername(self, s: int, name: Buffer, namelen: Integer, /) -> int:
        return w.ws2_32.getpeername(s, name, namelen)

    def closesocket(self, s: int, /) -> int:
        return w.ws2_32.closesocket(s)

    def peer_pid(self, s: int, pid: Integer, /) -> int:
        # The count of bytes returned must be asked for and is always 0 (microsoft/WSL issue 4676): not looked
        # at.
        returned = (ctypes.c_uint32 * 1)()
        return w.ws2_32.WSAIoctl(s, w.SIO_AF_UNIX_GETPEERPID, None, 0, pid, 4, returned, None, None)

    def last_error(self) -> int:
        return w.ws2_32.WSAGetLastError()

    def settle(self, s: int, /) -> None:
        # The listener's mode and its inheritability are both taken over by some providers (dotnet/corefx
        # issue 27210, ocaml/ocaml PR 10885).
        blocking = (ctypes.c_uint32 * 1)(0)  # u_long, which is 32 bits wide on Windows
        if w.ws2_32.ioctlsocket(s, w.FIONBIO, blocking) != 0:
            raise self.error(self.last_error(), "making an accepted Unix socket block")
        if not k.kernel32.SetHandleInformation(s, k.HANDLE_FLAG_INHERIT, 0):
            raise self.error(
                k.kernel32.GetLastError(), "keeping an accepted Unix socket from being inherited"
            )


class LibcCalls:
    """libc's functions."""

    layout = _address.LAYOUT
    invalid = -1
    codes = "errno"
    would_block = frozenset({errno.EAGAIN, errno.EWOULDBLOCK})
    # Linux never says it of a Unix socket: its EAGAIN from connect is the final answer for a full queue.
    pending = frozenset({errno.EINPROGRESS, errno.EALREADY})
    interrupted = frozenset({errno.EINTR})
    gone = frozenset({errno.ECONNABORTED})

    wait = staticmethod(system.wait)

    def __init__(self) -> None:
        libc = ctypes.CDLL(None, use_errno=True)
        pointer, length = ctypes.c_void_p, ctypes.c_uint32  # socklen_t is 32 bits wide
        self.bind = libc.bind
        self.bind.argtypes = (ctypes.c_int, pointer, length)  # -1: see errno
        self.connect = libc.connect
        self.connect.argtypes = (ctypes.c_int, pointer, length)  # -1: see errno
        self.getsockname = libc.getsockname
        self.getsockname.argtypes = (ctypes.c_int, pointer, pointer)  # -1: see errno
        self.getpeername = libc.getpeername
        self.getpeername.argtypes = (ctypes.c_int, pointer, pointer)  # -1: see errno
        self.closesocket = libc.close
        self.closesocket.argtypes = (ctypes.c_int,)  # -1: see errno
        # macOS has no accept4: there a fork at the wrong moment inherits the number.
        self._accept4 = getattr(libc, "accept4", None)
        if self._accept4 is not None:
            self._accept4.argtypes = (ctypes.c_int, pointer, pointer, ctypes.c_int)  # -1: see errno
        self._accept = libc.accept
        self._accept.argtypes = (ctypes.c_int, pointer, pointer)  # -1: see errno

    def accept(self, s: int, addr: None, addrlen: None, /) -> int:
        if self._accept4 is None:
            number: int = self._accept(s, addr, addrlen)
        else:
            number = self._accept4(s, addr, addrlen, getattr(_socket, "SOCK_CLOEXEC", 0))
        return number

    def peer_pid(self, s: int, pid: Integer, /) -> int:
        option = getattr(_socket, "SO_PEERCRED", None)
        if option is None:
            ctypes.set_errno(errno.EOPNOTSUPP)
            return -1
        sock = _socket.socket(_socket.AF_INET, _socket.SOCK_STREAM, 0, fileno=s)
        try:
            pid[0] = int.from_bytes(sock.getsockopt(_socket.SOL_SOCKET, option, 4), sys.byteorder)
        except OSError as error:
            ctypes.set_errno(error.errno or errno.EIO)
            return -1
        finally:
            sock.detach()
        return 0

    def last_error(self) -> int:
        return ctypes.get_errno()

    def settle(self, s: int, /) -> None:
        os.set_inheritable(s, False)
        os.set_blocking(s, True)  # type: ignore[attr-defined,unused-ignore]  # not on Windows before 3.12

    def error(self, code: int, tried: str, filename: str | None = None) -> OSError:
        text = f"{os.strerror(code)} ({tried})"
        return OSError(code, text) if filename is None else OSError(code, text, filename)


@functools.lru_cache(maxsize=1)
def winsock_calls() -> NativeCalls:
    """Winsock's own."""
    return WinsockCalls()


@functools.lru_cache(maxsize=1)
def libc_calls() -> NativeCalls:
    """libc's, which only a test needs: on POSIX a Unix socket is simply the kernel's."""
    return LibcCalls()


def default_calls() -> NativeCalls:
    """This platform's."""
    return winsock_calls() if _address.LAYOUT is _address.WINDOWS else libc_calls()
