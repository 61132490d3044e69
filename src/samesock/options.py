"""Socket options by meaning: `samesock.options.no_delay.set(sock, True)`, in Python's units, on every platform.

Each name below is an option with `get(sock)` and `set(sock, value)`. It takes `samesock.socket` and `socket.socket`
alike. The table behind it is `samesock._options`; what must never be put here: a platform's number.
"""

from __future__ import annotations

import _socket
import dataclasses
import functools
import importlib
import math
import operator
import struct
import sys
from collections.abc import Callable
from typing import Any, Final, Generic, NamedTuple, TypeVar

from samesock import _option_errors, _options
from samesock._errors import named_error
from samesock._family import AF_UNIX

__all__ = [
    "Keepalive",
    "Option",
    "exclusive",
    "ipv6_only",
    "keepalive",
    "linger",
    "no_delay",
    "receive_buffer",
    "receive_timeout",
    "reuse_address",
    "reuse_port",
    "send_buffer",
    "send_timeout",
    "time_to_live",
    "type_of_service",
    "user_timeout",
]

Value = TypeVar("Value")


class Calls(NamedTuple):
    """The system's two functions; a test gives others."""

    setsockopt: Callable[..., None] = _socket.socket.setsockopt
    getsockopt: Callable[..., Any] = _socket.socket.getsockopt


class Option(Generic[Value]):
    """One option: `get` and `set` in Python's units."""

    __slots__ = ("_calls", "_platform", "_row", "name")

    def __init__(
        self, row: _options.Option, platform: str = _options.PLATFORM, calls: Calls | None = None
    ) -> None:
        self.name: str = row.name
        self._row = row
        self._platform = platform
        self._calls = Calls() if calls is None else calls

    def __repr__(self) -> str:
        return f"<option {self.name}>"

    def set(self, sock: _socket.socket, value: Value) -> None:
        """Set the option of that socket.

        TypeError and ValueError for a value that it cannot have on any platform. `OSError` ENOPROTOOPT, naming the
        option, where the platform or this kind of socket has no such thing; other errors are the system's.
        """
        checked = _checked(self._row, value)
        encoding = self._encoding(sock)
        raw = _encoded(encoding, checked, f"setting {self.name}")
        kept = self._kept(encoding)
        try:
            if kept is None:
                self._calls.setsockopt(sock, encoding.level, encoding.number, raw)
            else:
                kept[0](sock, bool(checked))
        except OSError as error:
            raise self._refused(sock, encoding, error, reading=False) from None

    def get(self, sock: _socket.socket) -> Value:
        """What the system says that the option is now; errors as of `set`."""
        encoding = self._encoding(sock)
        kept = self._kept(encoding)
        try:
            if kept is not None:
                return kept[1](sock)  # type: ignore[no-any-return]
            raw = self._calls.getsockopt(sock, encoding.level, encoding.number, _SIZES[encoding.form])
        except OSError as error:
            raise self._refused(sock, encoding, error, reading=True) from None
        found: Any = _decoded(encoding.form, raw)
        if self._row.kind == "flag":
            found = bool(found)
        return found  # type: ignore[no-any-return]

    def _encoding(self, sock: _socket.socket) -> _options.Encoding:
        """This platform's way for that socket. Raises ENOPROTOOPT if there is none."""
        row, family = self._row, int(sock.family)
        table = row.ipv6 if row.ipv6 is not None and family == _socket.AF_INET6 else row.encodings
        encoding = table.get(self._platform)
        if encoding is None:
            raise named_error("ENOPROTOOPT", f"option {self.name}: this platform has none")
        fits = {
            "any": True,
            "inet": family != AF_UNIX,
            "ipv6": family == _socket.AF_INET6,
            "tcp": family != AF_UNIX and sock.type & 0xF == _socket.SOCK_STREAM,
        }
        if not fits[row.of]:
            raise named_error("ENOPROTOOPT", f"option {self.name}: it is for {_FOR[row.of]} sockets")
        return encoding

    def _kept(self, encoding: _options.Encoding) -> tuple[Callable[..., None], Callable[..., Any]] | None:
        """The functions by which `bind` hears of it, over Winsock; `None` for what is only the system's."""
        if encoding.form not in _KEPT:
            return None
        try:
            binding: Any = importlib.import_module("samesock.winsock.binding")
        except ImportError:
            if encoding.form == "exclusive":
                return None
            raise named_error("ENOPROTOOPT", f"option {self.name}: nothing keeps BSD's meaning") from None
        return getattr(binding, f"set_{encoding.form}"), getattr(binding, f"get_{encoding.form}")

    def _refused(
        self, sock: _socket.socket, encoding: _options.Encoding, error: OSError, *, reading: bool
    ) -> OSError:
        """The error of the system, naming the option; what means that it has no such option is ENOPROTOOPT."""
        said = f"{'reading' if reading else 'setting'} option {self.name} ({encoding.name})"
        if sock.fileno() < 0:
            return named_error("EBADF", said)
        readable = functools.partial(self._calls.getsockopt, sock, encoding.level, encoding.number)
        return _option_errors.refused(error, said, None if reading else readable)


_FOR: Final = {"inet": "Internet", "ipv6": "IPv6", "tcp": "TCP"}


@dataclasses.dataclass(frozen=True)
class Keepalive:
    """When a silent connection is asked whether its peer lives; `None` leaves what the system has."""

    idle: float | None = None
    """Seconds of silence before the first probe."""
    interval: float | None = None
    """Seconds between two probes."""
    count: int | None = None
    """Probes without an answer after which the connection is dropped."""


class _KeepaliveOption(Option["Keepalive | None"]):
    """On or off, and the three numbers."""

    __slots__ = ("_parts", "_switch")

    def __init__(
        self, row: _options.Option, platform: str = _options.PLATFORM, calls: Calls | None = None
    ) -> None:
        super().__init__(row, platform, calls)
        self._switch: Option[bool] = Option(row._replace(kind="flag"), platform, calls)
        self._parts: list[Option[Any]] = [
            Option(part._replace(name=f"keepalive.{part.name}"), platform, calls)
            for part in _options.KEEPALIVE_PARTS
        ]

    def set(self, sock: _socket.socket, value: Keepalive | None) -> None:
        """Turn it on with these numbers, or off with `None`.

        If a number is refused the switch stays as it was. Errors as of any option's `set`.
        """
        if value is None:
            self._switch.set(sock, False)
            return
        if not isinstance(value, Keepalive):
            raise TypeError(f"keepalive takes a Keepalive or None, not {type(value).__name__}")
        given = [
            (part, number)
            for part, number in zip(self._parts, (value.idle, value.interval, value.count), strict=True)
            if number is not None
        ]
        for part, number in given:
            _checked(part._row, number)  # noqa: SLF001 -- its own parts
        was_on = self._switch.get(sock)
        # The switch first: Windows takes the numbers of a socket where it is on.
        self._switch.set(sock, True)
        try:
            for part, number in given:
                part.set(sock, number)
        except OSError:
            self._switch.set(sock, was_on)
            raise

    def get(self, sock: _socket.socket) -> Keepalive | None:
        """The three numbers in force, `None` if it is off; errors as of any option's `get`."""
        if not self._switch.get(sock):
            return None
        return Keepalive(*(part.get(sock) for part in self._parts))


# ---- values


def _checked(row: _options.Option, value: Any) -> Any:
    """The value as a number, `None` for none. TypeError, ValueError."""
    if row.kind == "flag":
        return bool(operator.index(value))
    if value is None and row.kind.endswith("None"):
        return None
    if row.kind.startswith("seconds"):
        if isinstance(value, (str, bytes)):
            raise TypeError(f"{row.name} takes seconds, not {type(value).__name__}")
        number: float = float(value)
    else:
        number = operator.index(value)
    if not row.least <= number <= row.most:  # not a number is in no range
        raise ValueError(f"{row.name} is {row.least} to {row.most}, not {value!r}")
    return number


_KEPT: Final = ("reuse", "exclusive")

_SIZES: Final = {
    **dict.fromkeys(
        ("flag", "int", "doubled", "seconds", "milliseconds", "retries", "linger16", "dword", *_KEPT), 4
    ),
    "linger": 8,
    "timeval": 2 * struct.calcsize("l"),
    "timeval32": 2 * struct.calcsize("l"),
}
"""Bytes to ask for."""


def _encoded(encoding: _options.Encoding, value: Any, said: str) -> bytes:
    """The bytes for the system. A time that is not 0 never becomes 0, which has another meaning."""
    form = encoding.form
    if form in ("linger", "linger16"):
        pack = "=ii" if form == "linger" else "=HH"
        return struct.pack(pack, 0, 0) if value is None else struct.pack(pack, 1, math.ceil(value))
    if form in ("timeval", "timeval32"):
        microseconds = math.ceil((value or 0) * 1_000_000)
        if value == 0:
            raise ValueError(f"{said}: 0 means none to the system; give None")
        pack = "ll" if form == "timeval" else "li0l"
        return struct.pack(pack, *divmod(microseconds, 1_000_000))
    if form == "retries" and value is None:
        raise named_error("EINVAL", f"{said}: {encoding.name} cannot go back to the system's own")
    if form in ("dword", "milliseconds"):
        if value == 0:
            raise ValueError(f"{said}: 0 means none to the system; give None")
        return struct.pack("=I", math.ceil((value or 0) * 1000))
    return struct.pack("=i", math.ceil(value or 0))


def _decoded(form: str, raw: bytes) -> Any:
    """The value in the system's bytes. Winsock's BOOL has one byte, whatever was asked for."""
    if form in ("linger", "linger16"):
        on, seconds = struct.unpack("=ii" if form == "linger" else "=HH", raw)
        return float(seconds) if on else None
    if form in ("timeval", "timeval32"):
        whole, part = struct.unpack("ll" if form == "timeval" else "li0l", raw)
        return whole + part / 1_000_000 or None
    number = int.from_bytes(raw[:4], sys.byteorder, signed=len(raw) >= 4)
    if form in ("dword", "milliseconds"):
        return number / 1000 or None
    if form == "seconds":
        return float(number)
    if form == "retries":
        return math.inf if number == -1 else float(number)
    return number // 2 if form == "doubled" else number


# ---- the options

_ROWS: Final = {row.name: row for row in _options.OPTIONS}

keepalive: Final = _KeepaliveOption(_ROWS["keepalive"])
"""Whether and when a silent TCP connection is probed: a `Keepalive`, or `None` for not at all.

Times are rounded up to whole seconds; `idle` and `interval` are 1 to 32,767 seconds, `count` is 1 to 127.

Portability:
    Linux, macOS, FreeBSD: native. Windows: native from Windows 10 1709.

References: Linux tcp(7); Winsock `IPPROTO_TCP socket options`.
"""

linger: Final[Option[float | None]] = Option(_ROWS["linger"])
"""How many seconds `close` waits for what was sent to be taken; 0 resets the connection, `None` does neither.

Rounded up to whole seconds, at most 65,535.

Portability:
    Linux, macOS, FreeBSD, Windows: native.

References: POSIX `SO_LINGER`; Winsock `LINGER`.
"""

send_timeout: Final[Option[float | None]] = Option(_ROWS["send_timeout"])
"""How many seconds a send of a socket that waits may take; `None` is without end.

Of use to a descriptor that other software uses. A Python socket with `settimeout` does not wait in the system, so this
has no effect on it; without one, an operation that takes too long is a `BlockingIOError` (Windows: `TimeoutError`, and
the connection is of no use any more).

Portability:
    Linux, macOS, FreeBSD: native. Windows: native, in milliseconds.

References: POSIX `SO_SNDTIMEO`; Winsock `SO_SNDTIMEO`.
"""

receive_timeout: Final[Option[float | None]] = Option(_ROWS["receive_timeout"])
"""How many seconds a receive of a socket that waits may take; as `send_timeout`.

Portability:
    Linux, macOS, FreeBSD: native. Windows: native, in milliseconds.

References: POSIX `SO_RCVTIMEO`; Winsock `SO_RCVTIMEO`.
"""

no_delay: Final[Option[bool]] = Option(_ROWS["no_delay"])
"""Whether TCP sends small pieces at once, rather than wait for more (Nagle's algorithm).

Portability:
    Linux, macOS, FreeBSD, Windows: native.

References: POSIX `TCP_NODELAY`; Winsock `TCP_NODELAY`.
"""

send_buffer: Final[Option[int]] = Option(_ROWS["send_buffer"])
"""How many bytes may wait to be sent. What is read is in the same measure as what is set: Linux's double is halved.

The system may take less, or more. Setting it ends the system's own tuning for this socket.

Portability:
    Linux, macOS, FreeBSD, Windows: native.

References: POSIX `SO_SNDBUF`; Winsock `SO_SNDBUF`.
"""

receive_buffer: Final[Option[int]] = Option(_ROWS["receive_buffer"])
"""How many bytes may wait to be received; as `send_buffer`.

Portability:
    Linux, macOS, FreeBSD, Windows: native.

References: POSIX `SO_RCVBUF`; Winsock `SO_RCVBUF`.
"""

ipv6_only: Final[Option[bool]] = Option(_ROWS["ipv6_only"])
"""Whether an IPv6 socket has nothing to do with IPv4; settle it before `bind`.

Portability:
    Linux, macOS, FreeBSD, Windows: native.

References: RFC 3493, 5.3; POSIX `IPV6_V6ONLY`; Winsock `IPV6_V6ONLY`.
"""

exclusive: Final[Option[bool]] = Option(_ROWS["exclusive"])
"""Whether nobody else may bind this socket's port, whatever they set; settle it before `bind`.

Elsewhere than on Windows a bound port is its owner's without any option.

Portability:
    Linux, macOS, FreeBSD: absent. Windows: native.

References: Winsock `SO_EXCLUSIVEADDRUSE`.
"""

time_to_live: Final[Option[int]] = Option(_ROWS["time_to_live"])
"""How many routers a packet may pass, 1 to 255: IPv4's time to live, IPv6's hop limit.

Portability:
    Linux, macOS, FreeBSD, Windows: native.

References: RFC 3493, 5.1; Winsock `IP_TTL`, `IPV6_UNICAST_HOPS`.
"""

type_of_service: Final[Option[int]] = Option(_ROWS["type_of_service"])
"""The octet by which routers tell kinds of traffic apart, 0 to 255: IPv4's type of service, IPv6's traffic class.

Windows takes it and sends 0 unless an administrator allows it; some systems keep the two lowest bits to themselves.

Portability:
    Linux, macOS, FreeBSD, Windows: native. Wine: absent for IPv6.

References: RFC 2474; RFC 3542, 6.5; Winsock `IP_TOS`, `IPV6_TCLASS`.
"""

user_timeout: Final[Option[float | None]] = Option(_ROWS["user_timeout"])
"""After how many seconds without an answer to what was sent a TCP connection is dropped; `None` is the system's own.

Rounded up to milliseconds on Linux, to seconds elsewhere. Windows cannot go back to `None` (EINVAL), and `inf`, which
it may tell, is for ever.

Portability:
    Linux, macOS: native. FreeBSD: absent. Windows: native. Wine: absent.

References: RFC 5482; Linux tcp(7) `TCP_USER_TIMEOUT`; Winsock `TCP_MAXRT`.
"""

reuse_address: Final[Option[bool]] = Option(_ROWS["reuse_address"])
"""Whether a port can be bound while old connections of it are still remembered; never a live listener's.

Portability:
    Linux, macOS, FreeBSD: native. Windows: emulated, since Winsock's own SO_REUSEADDR lets a live port be stolen.

References: POSIX `SO_REUSEADDR`; Winsock `Using SO_REUSEADDR and SO_EXCLUSIVEADDRUSE`.
"""

reuse_port: Final[Option[bool]] = Option(_ROWS["reuse_port"])
"""Whether several sockets of one user can be bound to one port; Linux and FreeBSD spread connections over them.

Portability:
    Linux, macOS, FreeBSD: native. Windows: absent.

References: Linux socket(7) `SO_REUSEPORT`; FreeBSD setsockopt(2) `SO_REUSEPORT_LB`.
"""
