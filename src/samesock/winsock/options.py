"""setsockopt and getsockopt, with POSIX's encodings.

The numbers of options stay Winsock's, as `socket` has them on Windows; what a value looks like is POSIX's: an int is a
whole int, `SO_LINGER` two of them, a time-out may be a `timeval`, `SO_ERROR` is an errno of this platform's `errno`.
What must never be put here: options by meaning (`samesock.options`), BSD's meaning of SO_REUSEADDR (`binding`).
"""

from __future__ import annotations

import _socket
import functools
import importlib
import operator
import struct
import sys
from collections.abc import Callable
from typing import Any, Final
from weakref import ref

from samesock import _errors, _option_errors
from samesock._told_streams import forget
from samesock.unix import dispatch, ends
from samesock.winsock import stream_error
from samesock.winsock.calls import calls
from samesock.winsock.failing import check_open

# winsock2.h
SOL_SOCKET: Final = 0xFFFF
SO_REUSEADDR: Final = 0x0004
SO_EXCLUSIVEADDRUSE: Final = -5
SO_LINGER: Final = 0x0080
SO_SNDTIMEO: Final = 0x1005
SO_RCVTIMEO: Final = 0x1006
SO_ERROR: Final = 0x1007
SO_TYPE: Final = 0x1008
SO_UPDATE_CONNECT_CONTEXT: Final = 0x7010  # mswsock.h

_INT: Final = 4
_LONGEST: Final = 0xFFFFFFFE
"""Milliseconds: the greatest DWORD but one, which is for ever in some of Winsock's functions."""


class OptionMethods:
    """See the module's head. Each method's promise is the standard library's on POSIX."""

    __slots__ = ()

    def setsockopt(self: Any, level: int, option: int, *value: Any) -> None:
        """Set an option; its value is an int, or bytes as POSIX has them. See setsockopt(2).

        `OSError`: ENOPROTOOPT for an option that this system lacks, EINVAL for a value that the option cannot have.
        `SO_LINGER` is two ints (Winsock's two shorts are taken, too); `SO_RCVTIMEO` and `SO_SNDTIMEO` are a timeval
        of 16 or of 8 bytes, or an int of milliseconds.

        Portability:
            Linux, macOS, FreeBSD: native. Windows: native, with values translated.

        References: POSIX `setsockopt`; Winsock `setsockopt`.
        """
        if ends.by_reference.get(ref(self)) is not None:
            return dispatch.Methods.setsockopt(self, level, option, *value)
        kept = _KEPT.get((level, option)) if _is_switch(value) else None
        binding = _binding() if kept else None
        to_winsock = _TO_WINSOCK.get((level, option))
        if to_winsock is not None and len(value) == 1:
            value = (to_winsock(value[0]),)
        try:
            if binding is not None:
                check_open(self)  # what is only remembered would ask nobody
                getattr(binding, f"set_{kept}")(self, _switched(value[0]))
            else:
                calls.setsockopt(self, level, option, *value)
        except OSError as error:
            raise _refused(error, self, level, option, reading=False) from None
        if option == SO_UPDATE_CONNECT_CONTEXT and level == SOL_SOCKET:
            forget(self)  # asyncio's proactor sets it when its ConnectEx has connected the socket
        return None

    def getsockopt(self: Any, level: int, option: int, *length: int) -> Any:
        """An option's value: an int, or with a length at most so many bytes as POSIX has them. See getsockopt(2).

        `OSError` ENOPROTOOPT for an option that this system lacks. A time-out without a length, and with one of 4, is
        in milliseconds; with 8 or 16 it is a timeval.

        Portability:
            Linux, macOS, FreeBSD: native. Windows: native, with values translated.

        References: POSIX `getsockopt`; Winsock `getsockopt`.
        """
        if ends.by_reference.get(ref(self)) is not None:
            value = dispatch.Methods.getsockopt(self, level, option, *length)
            if (level, option) == _ERROR and not length:
                return stream_error.option(self, value)
            return value
        wanted = operator.index(length[0]) if len(length) == 1 else 0
        if len(length) > 1 or not 0 <= wanted <= 1024:
            return calls.getsockopt(self, level, option, *length)  # C has the words for it
        raw = self._raw_option(level, option, wanted)
        if (level, option) == _ERROR:
            number = int.from_bytes(raw[:_INT], sys.byteorder)
            raw = struct.pack("=i", stream_error.option(self, number)).ljust(len(raw), b"\0")
        return int.from_bytes(raw[:_INT], sys.byteorder, signed=True) if wanted == 0 else raw[:wanted]

    def _raw_option(self: Any, level: int, option: int, wanted: int) -> bytes:
        """The option as POSIX has it: an int of 4 bytes at the least."""
        kept = _KEPT.get((level, option))
        binding = _binding() if kept else None
        to_posix = _TO_POSIX.get((level, option))
        # Asked for as bytes, of which as many come as Winsock has written: of a BOOL it may write one.
        size = max(_INT, wanted if to_posix is None else _INT)
        try:
            if binding is not None:
                return struct.pack("=i", bool(getattr(binding, f"get_{kept}")(self)))
            raw = bytes(calls.getsockopt(self, level, option, size))
        except OSError as error:
            raise _refused(error, self, level, option, reading=True) from None
        if to_posix is not None:
            return to_posix(raw, wanted)
        return raw.ljust(_INT, b"\0")


_ERROR: Final = (_socket.SOL_SOCKET, _socket.SO_ERROR)

_KEPT: Final = {(SOL_SOCKET, SO_REUSEADDR): "reuse", (SOL_SOCKET, SO_EXCLUSIVEADDRUSE): "exclusive"}
"""What `binding` keeps, by the names of its functions there."""


# ---- values


def _bytes(value: Any) -> bytes | None:
    """The value's bytes; `None` for what is not bytes-like, which C refuses in its own words."""
    try:
        return bytes(memoryview(value))
    except TypeError:
        return None


def _is_switch(value: tuple[Any, ...]) -> bool:
    if len(value) != 1:
        return False
    if isinstance(value[0], int):
        return -(2**31) <= value[0] < 2**31
    return len(_bytes(value[0]) or b"") == _INT


def _switched(value: Any) -> bool:
    return bool(value if isinstance(value, int) else any(bytes(value)))


def _linger_to_winsock(value: Any) -> Any:
    raw = b"" if isinstance(value, int) else _bytes(value)
    if raw is None or len(raw) == 4:  # two u_short: what a program written for Windows gives
        return value
    if len(raw) < 8:
        raise _errors.named_error("EINVAL", f"setting SO_LINGER to {value!r}; its value is two ints")
    on, seconds = struct.unpack_from("=ii", raw)
    if on and not 0 <= seconds <= 0xFFFF:
        raise _errors.named_error(
            "EINVAL", f"setting SO_LINGER to {seconds} seconds; 65,535 is the most here"
        )
    return struct.pack("=HH", on != 0, seconds & 0xFFFF if on else 0)


def _linger_to_posix(raw: bytes, _: int) -> bytes:
    return struct.pack("=ii", *struct.unpack("=HH", raw[:4]))


def _timeout_to_winsock(value: Any) -> Any:
    raw = b"" if isinstance(value, int) else _bytes(value) or b""
    form = {16: "=qq", 8: "=ii"}.get(len(raw))
    if form is None:
        return value
    seconds, microseconds = struct.unpack(form, raw)
    if not 0 <= microseconds < 1_000_000:
        raise _errors.named_error("EDOM", f"setting a time-out with {microseconds} microseconds")
    if seconds < 0:
        return struct.pack("=I", 0)  # none, as on Linux
    milliseconds = seconds * 1000 + -(-microseconds // 1000)
    return struct.pack("=I", min(milliseconds, _LONGEST))


def _timeout_to_posix(raw: bytes, wanted: int) -> bytes:
    milliseconds = int.from_bytes(raw[:4], sys.byteorder)
    seconds, rest = divmod(milliseconds, 1000)
    if wanted >= 16:
        return struct.pack("=qq", seconds, rest * 1000)
    return struct.pack("=ii", seconds, rest * 1000) if wanted >= 8 else raw


def _error_to_posix(raw: bytes, _: int) -> bytes:
    code = int.from_bytes(raw[:4], sys.byteorder)
    return struct.pack("=i", _errors.to_errno(code) if code else 0)


def _int_to_posix(raw: bytes, _: int) -> bytes:
    return raw[:4].ljust(_INT, b"\0")


_TO_WINSOCK: Final[dict[tuple[int, int], Callable[[Any], Any]]] = {
    (SOL_SOCKET, SO_LINGER): _linger_to_winsock,
    (SOL_SOCKET, SO_RCVTIMEO): _timeout_to_winsock,
    (SOL_SOCKET, SO_SNDTIMEO): _timeout_to_winsock,
}

_TO_POSIX: Final[dict[tuple[int, int], Callable[[bytes, int], bytes]]] = {
    (SOL_SOCKET, SO_LINGER): _linger_to_posix,
    (SOL_SOCKET, SO_RCVTIMEO): _timeout_to_posix,
    (SOL_SOCKET, SO_SNDTIMEO): _timeout_to_posix,
    (SOL_SOCKET, SO_ERROR): _error_to_posix,
    (SOL_SOCKET, SO_TYPE): _int_to_posix,  # Wine writes more than an int where there is room
}


# ---- errors


def _refused(error: OSError, sock: Any, level: int, option: int, reading: bool) -> OSError:
    """The error as POSIX has it; one of C's own, without Winsock's code, stays as it is."""
    if not getattr(error, "winerror", None):
        return error
    if calls.fileno(sock) < 0:
        return _errors.named_error("EBADF", "an option of a closed socket")
    said = f"{'reading' if reading else 'setting'} option {option} of level {level}"
    readable = None if reading else functools.partial(calls.getsockopt, sock, level, option)
    return _option_errors.refused(error, said, readable)


def _binding() -> Any:
    """The module that keeps BSD's meaning of SO_REUSEADDR, if it is there."""
    try:
        return importlib.import_module("samesock.winsock.binding")
    except ImportError:
        return None
