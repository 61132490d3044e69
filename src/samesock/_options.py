"""Socket options by meaning, as data: for each one its unit, and each platform's level, number and encoding.

Read by `samesock.options`, which does what this says, and by the documentation, whose table is made from it. Numbers
are those of the platforms' headers, written down here so that every platform's encoding can be tested on any. What
must never be put here: a call of any kind.
"""

from __future__ import annotations

import sys
from typing import Final, NamedTuple

PLATFORMS: Final = ("linux", "macos", "freebsd", "windows")

# The one question that has to be asked of the platform's name: which headers its C compiler sees.
PLATFORM: Final = {"linux": "linux", "android": "linux", "darwin": "macos", "win32": "windows"}.get(
    sys.platform, "freebsd" if sys.platform.startswith("freebsd") else "other"
)
"""This platform's column; `other` has none, and every option is absent there."""


class Encoding(NamedTuple):
    """How one platform is told."""

    level: int
    number: int
    form: str
    """One of `FORMS`."""
    name: str
    """What the header calls it."""


FORMS: Final = {
    "flag": "an int, 0 or 1",
    "int": "an int",
    "doubled": "an int; the kernel doubles what is set and tells the double",
    "seconds": "an int of seconds, rounded up",
    "milliseconds": "an int of milliseconds, rounded up",
    "retries": "an int of seconds, rounded up; -1 is for ever",
    "linger": "struct linger: two ints, on or off and seconds",
    "linger16": "LINGER: two unsigned shorts, on or off and seconds",
    "timeval": "struct timeval: seconds and microseconds",
    "timeval32": "struct timeval: long seconds and int microseconds",
    "dword": "a DWORD of milliseconds, rounded up; 0 is none",
    "reuse": "an int, 0 or 1, with BSD's meaning: `bind` decides what Winsock is told",
    "exclusive": "an int, 0 or 1, remembered for `bind`",
}
"""What a value looks like to the system."""


class Option(NamedTuple):
    """One option."""

    name: str
    kind: str
    """What a program gives and gets: `flag`, `count`, `bytes`, `seconds`, `seconds or None`, `keepalive`."""
    least: float
    most: float
    of: str
    """Which sockets have it: `any`, `inet` (IPv4 and IPv6), `ipv6`, `tcp`."""
    encodings: dict[str, Encoding | None]
    """By platform; `None` where it is absent."""
    ipv6: dict[str, Encoding | None] | None = None
    """The same for an IPv6 socket, where that is another one."""


def _each(
    linux: Encoding | None, macos: Encoding | None, freebsd: Encoding | None, windows: Encoding | None
) -> dict[str, Encoding | None]:
    return dict(zip(PLATFORMS, (linux, macos, freebsd, windows), strict=True))


def _socket_level(linux: int, others: int, form: str, name: str) -> dict[str, Encoding | None]:
    """An option of SOL_SOCKET, which the BSDs and Winsock number alike."""
    other = Encoding(_SOL_SOCKET, others, form, name)
    return _each(Encoding(1, linux, form, name), other, other, other)


_SOL_SOCKET: Final = 0xFFFF  # everywhere but on Linux
_IP: Final = 0
_TCP: Final = 6
_IPV6: Final = 41

_NO_DELAY = Encoding(_TCP, 1, "flag", "TCP_NODELAY")
_TTL = Encoding(_IP, 4, "int", "IP_TTL")
_HOPS = Encoding(_IPV6, 4, "int", "IPV6_UNICAST_HOPS")
_TOS = Encoding(_IP, 3, "int", "IP_TOS")
_V6ONLY = Encoding(_IPV6, 27, "flag", "IPV6_V6ONLY")
_BSD_LINGER = Encoding(_SOL_SOCKET, 0x80, "linger", "SO_LINGER")

_INT_MAX: Final = 2**31 - 1
_SHORT_MAX: Final = 65535  # LINGER's seconds
_LONGEST: Final = 2_147_483  # seconds whose milliseconds fit into an int

OPTIONS: Final = (
    Option("keepalive", "keepalive", 0, 0, "tcp", _socket_level(9, 8, "flag", "SO_KEEPALIVE")),
    Option(
        "linger",
        "seconds or None",
        0,
        _SHORT_MAX,
        "any",
        _each(
            Encoding(1, 13, "linger", "SO_LINGER"),
            Encoding(_SOL_SOCKET, 0x1080, "linger", "SO_LINGER_SEC"),  # SO_LINGER counts ticks there
            _BSD_LINGER,
            Encoding(_SOL_SOCKET, 0x80, "linger16", "SO_LINGER"),
        ),
    ),
    Option(
        "send_timeout",
        "seconds or None",
        0,
        _LONGEST,
        "any",
        _each(
            Encoding(1, 21, "timeval", "SO_SNDTIMEO"),
            Encoding(_SOL_SOCKET, 0x1005, "timeval32", "SO_SNDTIMEO"),
            Encoding(_SOL_SOCKET, 0x1005, "timeval", "SO_SNDTIMEO"),
            Encoding(_SOL_SOCKET, 0x1005, "dword", "SO_SNDTIMEO"),
        ),
    ),
    Option(
        "receive_timeout",
        "seconds or None",
        0,
        _LONGEST,
        "any",
        _each(
            Encoding(1, 20, "timeval", "SO_RCVTIMEO"),
            Encoding(_SOL_SOCKET, 0x1006, "timeval32", "SO_RCVTIMEO"),
            Encoding(_SOL_SOCKET, 0x1006, "timeval", "SO_RCVTIMEO"),
            Encoding(_SOL_SOCKET, 0x1006, "dword", "SO_RCVTIMEO"),
        ),
    ),
    Option("no_delay", "flag", 0, 1, "tcp", _each(_NO_DELAY, _NO_DELAY, _NO_DELAY, _NO_DELAY)),
    Option(
        "send_buffer",
        "bytes",
        1,
        _INT_MAX // 2,
        "any",
        {**_socket_level(7, 0x1001, "int", "SO_SNDBUF"), "linux": Encoding(1, 7, "doubled", "SO_SNDBUF")},
    ),
    Option(
        "receive_buffer",
        "bytes",
        1,
        _INT_MAX // 2,
        "any",
        {**_socket_level(8, 0x1002, "int", "SO_RCVBUF"), "linux": Encoding(1, 8, "doubled", "SO_RCVBUF")},
    ),
    Option(
        "ipv6_only",
        "flag",
        0,
        1,
        "ipv6",
        _each(Encoding(_IPV6, 26, "flag", "IPV6_V6ONLY"), _V6ONLY, _V6ONLY, _V6ONLY),
    ),
    Option(
        "exclusive",
        "flag",
        0,
        1,
        "inet",
        _each(None, None, None, Encoding(_SOL_SOCKET, -5, "exclusive", "SO_EXCLUSIVEADDRUSE")),
    ),
    Option(
        "time_to_live",
        "count",
        1,
        255,
        "inet",
        _each(Encoding(_IP, 2, "int", "IP_TTL"), _TTL, _TTL, _TTL),
        _each(Encoding(_IPV6, 16, "int", "IPV6_UNICAST_HOPS"), _HOPS, _HOPS, _HOPS),
    ),
    Option(
        "type_of_service",
        "count",
        0,
        255,
        "inet",
        _each(Encoding(_IP, 1, "int", "IP_TOS"), _TOS, _TOS, _TOS),
        _each(
            Encoding(_IPV6, 67, "int", "IPV6_TCLASS"),
            Encoding(_IPV6, 36, "int", "IPV6_TCLASS"),
            Encoding(_IPV6, 61, "int", "IPV6_TCLASS"),
            Encoding(_IPV6, 39, "int", "IPV6_TCLASS"),
        ),
    ),
    Option(
        "user_timeout",
        "seconds or None",
        0,
        _LONGEST,
        "tcp",
        _each(
            Encoding(_TCP, 18, "milliseconds", "TCP_USER_TIMEOUT"),
            Encoding(_TCP, 0x80, "seconds", "TCP_RXT_CONNDROPTIME"),
            None,
            Encoding(_TCP, 5, "retries", "TCP_MAXRT"),
        ),
    ),
    Option(
        "reuse_address",
        "flag",
        0,
        1,
        "inet",
        {
            **_socket_level(2, 4, "flag", "SO_REUSEADDR"),
            "windows": Encoding(_SOL_SOCKET, 4, "reuse", "SO_REUSEADDR"),
        },
    ),
    Option(
        "reuse_port",
        "flag",
        0,
        1,
        "inet",
        _each(
            Encoding(1, 15, "flag", "SO_REUSEPORT"),
            Encoding(_SOL_SOCKET, 0x200, "flag", "SO_REUSEPORT"),
            Encoding(_SOL_SOCKET, 0x10000, "flag", "SO_REUSEPORT_LB"),
            None,
        ),
    ),
)

_LARGEST_IDLE: Final = 32767  # seconds; Linux' limits, the smallest of all
_LARGEST_COUNT: Final = 127

KEEPALIVE_PARTS: Final = (
    Option(
        "idle",
        "seconds",
        1,
        _LARGEST_IDLE,
        "tcp",
        _each(
            Encoding(_TCP, 4, "seconds", "TCP_KEEPIDLE"),
            Encoding(_TCP, 0x10, "seconds", "TCP_KEEPALIVE"),
            Encoding(_TCP, 256, "seconds", "TCP_KEEPIDLE"),
            Encoding(_TCP, 3, "seconds", "TCP_KEEPIDLE"),
        ),
    ),
    Option(
        "interval",
        "seconds",
        1,
        _LARGEST_IDLE,
        "tcp",
        _each(
            Encoding(_TCP, 5, "seconds", "TCP_KEEPINTVL"),
            Encoding(_TCP, 0x101, "seconds", "TCP_KEEPINTVL"),
            Encoding(_TCP, 512, "seconds", "TCP_KEEPINTVL"),
            Encoding(_TCP, 17, "seconds", "TCP_KEEPINTVL"),
        ),
    ),
    Option(
        "count",
        "count",
        1,
        _LARGEST_COUNT,
        "tcp",
        _each(
            Encoding(_TCP, 6, "int", "TCP_KEEPCNT"),
            Encoding(_TCP, 0x102, "int", "TCP_KEEPCNT"),
            Encoding(_TCP, 1024, "int", "TCP_KEEPCNT"),
            Encoding(_TCP, 16, "int", "TCP_KEEPCNT"),
        ),
    ),
)
"""What `keepalive` consists of, besides being on."""
