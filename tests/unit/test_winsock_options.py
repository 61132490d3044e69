"""`winsock.options`: plain setsockopt and getsockopt on Windows, with POSIX's values.

What Winsock itself does is played by a system that keeps its forms, so that every rule is checked on any platform;
where the sockets are Winsock's, the same promises are checked on them, too.
"""

from __future__ import annotations

import errno
import socket as stdlib
import struct
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import samesock
from samesock._errors import number_of
from samesock._told_streams import told
from samesock.unix import choosing
from samesock.winsock import messages, options
from samesock.winsock.calls import calls
from unit.scripted import windows_error

SOL = options.SOL_SOCKET
NODELAY, KEEPCNT, V6ONLY = (6, 1), (6, 16), (41, 27)

over_winsock = pytest.mark.skipif(
    not choosing.over_winsock(), reason="absent here: Winsock (no socket.share)"
)


class Ours(options.OptionMethods, messages.MessageMethods, stdlib.socket):
    """A plain socket with the methods under test."""

    __slots__ = ()


class System:
    """Winsock's setsockopt and getsockopt: options in Winsock's forms, an int written by its last bytes."""

    def __init__(self) -> None:
        self.values: dict[tuple[int, int], bytes] = {}
        self.set_error: OSError | None = None
        self.get_error: OSError | None = None

    def setsockopt(self, sock: Any, level: int, option: int, *value: Any) -> None:
        if self.set_error is not None:
            raise self.set_error
        raw = value[0]
        self.values[level, option] = (
            struct.pack("=i", raw) if isinstance(raw, int) else bytes(memoryview(raw))
        )

    def getsockopt(self, sock: Any, level: int, option: int, size: int = 0) -> Any:
        if self.get_error is not None:
            raise self.get_error
        assert size >= 4, "Winsock refuses less than it wants to write"
        return self.values[level, option][:size]


@pytest.fixture
def system(monkeypatch: pytest.MonkeyPatch) -> System:
    """Winsock, played, and nothing that keeps SO_REUSEADDR."""
    made = System()
    monkeypatch.setattr(calls, "setsockopt", made.setsockopt)
    monkeypatch.setattr(calls, "getsockopt", made.getsockopt)
    monkeypatch.setattr(options, "_binding", lambda: None)
    return made


@pytest.fixture
def sock() -> Any:
    """A TCP socket of the class under test."""
    with Ours(stdlib.AF_INET, stdlib.SOCK_STREAM) as made:
        yield made


@pytest.mark.parametrize("raw", [b"\1", b"\1\0", b"\1\0\0\0"])
def test_an_int_is_a_whole_int(raw: bytes, system: System, sock: Any) -> None:
    """However few bytes Winsock writes, an int comes back, and 4 bytes where bytes are asked for."""
    system.values[NODELAY] = raw
    assert sock.getsockopt(*NODELAY) == 1
    assert [sock.getsockopt(*NODELAY, size) for size in (4, 8, 1, 2)] == [
        b"\1\0\0\0",
        b"\1\0\0\0",
        b"\1",
        b"\1\0",
    ]


def test_a_negative_int(system: System, sock: Any) -> None:
    """An int is signed, as C's is."""
    sock.setsockopt(*KEEPCNT, -5)
    assert sock.getsockopt(*KEEPCNT) == -5


def test_bytes_longer_than_an_int(system: System, sock: Any) -> None:
    """A structure comes whole, or as much of it as was asked for."""
    sock.setsockopt(0, 12, b"abcdefghij")
    assert sock.getsockopt(0, 12, 10) == b"abcdefghij"
    assert sock.getsockopt(0, 12, 6) == b"abcdef"


@given(st.integers(0, 65535), st.integers(-3, 3))
def test_linger_is_two_ints(seconds: int, on: int) -> None:
    """SO_LINGER takes and gives struct linger as POSIX packs it; Winsock sees its two shorts."""
    raw = options._linger_to_winsock(struct.pack("=ii", on, seconds))
    assert raw == struct.pack("=HH", on != 0, seconds if on else 0)
    assert options._linger_to_posix(raw, 8) == struct.pack("=ii", on != 0, seconds if on else 0)


def test_linger_by_the_methods(system: System, sock: Any) -> None:
    """SO_LINGER by setsockopt and getsockopt: whole, in part, and its first int alone."""
    sock.setsockopt(SOL, options.SO_LINGER, struct.pack("ii", 1, 5))
    assert system.values[SOL, options.SO_LINGER] == b"\1\0\5\0"
    assert sock.getsockopt(SOL, options.SO_LINGER, 8) == struct.pack("ii", 1, 5)
    assert sock.getsockopt(SOL, options.SO_LINGER, 4) == struct.pack("i", 1)
    assert sock.getsockopt(SOL, options.SO_LINGER) == 1
    sock.setsockopt(SOL, options.SO_LINGER, struct.pack("HH", 1, 7))  # a program written for Windows
    assert sock.getsockopt(SOL, options.SO_LINGER, 8) == struct.pack("ii", 1, 7)


@pytest.mark.parametrize(
    "value", [1, b"", b"\1\0\0\0\0", struct.pack("ii", 1, 70000), struct.pack("ii", 1, -1)]
)
def test_linger_that_cannot_be(value: Any, system: System, sock: Any) -> None:
    """SO_LINGER of another size, or of more seconds than Winsock has room for, is EINVAL."""
    with pytest.raises(OSError) as caught:
        sock.setsockopt(SOL, options.SO_LINGER, value)
    assert caught.value.errno == errno.EINVAL
    assert system.values == {}


@pytest.mark.parametrize("option", [options.SO_RCVTIMEO, options.SO_SNDTIMEO])
def test_time_outs(option: int, system: System, sock: Any) -> None:
    """A time-out is a timeval of 16 or 8 bytes, or an int of milliseconds; it is never shortened."""
    for value, milliseconds in (
        (struct.pack("=qq", 2, 500000), 2500),
        (struct.pack("=ii", 2, 500000), 2500),
        (struct.pack("=ii", 0, 1), 1),
        (struct.pack("=ii", 0, 0), 0),
        (struct.pack("=ii", -1, 0), 0),
        (struct.pack("=qq", 2**40, 0), 0xFFFFFFFE),
        (1500, 1500),
        (struct.pack("=I", 0x80000000), 0x80000000),
    ):
        sock.setsockopt(SOL, option, value)
        assert system.values[SOL, option] == struct.pack("=I", milliseconds)
        seconds, rest = divmod(milliseconds, 1000)
        assert sock.getsockopt(SOL, option, 16) == struct.pack("=qq", seconds, rest * 1000)
        assert sock.getsockopt(SOL, option, 4) == struct.pack("=I", milliseconds)
        if seconds < 2**31:
            assert sock.getsockopt(SOL, option, 8) == struct.pack("=ii", seconds, rest * 1000)
    assert sock.getsockopt(SOL, option) == struct.unpack("=i", struct.pack("=I", 0x80000000))[0]
    for wrong in (1_000_000, -1):
        with pytest.raises(OSError) as caught:
            sock.setsockopt(SOL, option, struct.pack("=ii", 1, wrong))
        assert caught.value.errno == errno.EDOM


def test_the_pending_error_is_an_errno(system: System, sock: Any) -> None:
    """SO_ERROR is an errno by the names of the errno module, not Winsock's code."""
    for code, name in ((0, None), (10061, "ECONNREFUSED"), (10060, "ETIMEDOUT"), (10054, "ECONNRESET")):
        system.values[SOL, options.SO_ERROR] = struct.pack("=i", code)
        wanted = getattr(errno, name) if name else 0
        told.discard(sock)
        assert sock.getsockopt(SOL, options.SO_ERROR) == wanted
        told.discard(sock)
        assert sock.getsockopt(SOL, options.SO_ERROR, 4) == struct.pack("=i", wanted)


def test_the_type_is_an_int(system: System, sock: Any) -> None:
    """SO_TYPE is an int, whatever room there is for more."""
    system.values[SOL, options.SO_TYPE] = struct.pack("=i", 1) + b"more"
    assert sock.getsockopt(SOL, options.SO_TYPE, 16) == struct.pack("=i", 1)


@pytest.mark.parametrize("code", [10042, 10045, 10022])
def test_an_option_that_is_not_there(code: int, system: System, sock: Any) -> None:
    """Winsock's three errors for an unknown option are ENOPROTOOPT, to read and to set; the code is kept."""
    system.set_error = system.get_error = windows_error(code)
    for call in (lambda: sock.setsockopt(6, 99, 1), lambda: sock.getsockopt(6, 99)):
        with pytest.raises(OSError, match="option 99 of level 6") as caught:
            call()
        assert caught.value.errno == number_of("ENOPROTOOPT")
        assert caught.value.winerror == code  # type: ignore[attr-defined,unused-ignore]


@pytest.mark.parametrize("code", [10022, 10014])
def test_a_value_that_is_refused(code: int, system: System, sock: Any) -> None:
    """A value out of range, or of the wrong size, is EINVAL: the option can be read."""
    system.values[KEEPCNT] = b"\1\0\0\0"
    system.set_error = windows_error(code)
    with pytest.raises(OSError) as caught:
        sock.setsockopt(*KEEPCNT, 10**6)
    assert caught.value.errno == errno.EINVAL


def test_reuse_is_for_bind_to_decide(system: System, sock: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """SO_REUSEADDR and exclusive use are not Winsock's when another module keeps BSD's meaning."""

    told: list[Any] = []

    class Binding:
        def set_reuse(self, sock: Any, on: bool) -> None:
            told.append(("reuse", on))

        def get_reuse(self, sock: Any) -> bool:
            return True

        def set_exclusive(self, sock: Any, on: bool) -> None:
            told.append(("exclusive", on))

        def get_exclusive(self, sock: Any) -> bool:
            return False

    monkeypatch.setattr(options, "_binding", Binding)
    for value in (1, True, struct.pack("i", 256), 0, struct.pack("i", 0)):
        sock.setsockopt(SOL, options.SO_REUSEADDR, value)
    sock.setsockopt(SOL, options.SO_EXCLUSIVEADDRUSE, 1)
    assert told == [("reuse", on) for on in (True, True, True, False, False)] + [("exclusive", True)]
    assert (
        sock.getsockopt(SOL, options.SO_REUSEADDR),
        sock.getsockopt(SOL, options.SO_EXCLUSIVEADDRUSE),
    ) == (1, 0)
    assert system.values == {}


@pytest.mark.parametrize(
    ("method", "arguments"),
    [
        ("setsockopt", ()),
        ("setsockopt", (1, 2)),
        ("setsockopt", (1, 2, "text")),
        ("setsockopt", (1, 2, 1.5)),
        ("setsockopt", (1, 2, [1])),
        ("setsockopt", ("1", 2, 3)),
        ("setsockopt", (1, 2, 2**40)),
        ("getsockopt", (1,)),
        ("getsockopt", (1, "2")),
        ("getsockopt", (1, 2, -1)),
        ("getsockopt", (1, 2, 5000)),
        ("getsockopt", (1, 2, "4")),
        ("getsockopt", (1, 2, 4, 4)),
    ],
)
def test_wrong_arguments(method: str, arguments: Any, sock: Any) -> None:
    """Arguments that C refuses are refused with the same exception."""
    refused = []
    with stdlib.socket(stdlib.AF_INET, stdlib.SOCK_STREAM) as other:
        for one in (sock, other):
            with pytest.raises((TypeError, OSError, OverflowError)) as caught:
                getattr(one, method)(*arguments)
            refused.append(caught.type)
    assert refused[0] is refused[1]


@pytest.mark.parametrize("option", [options.SO_LINGER, options.SO_RCVTIMEO, options.SO_REUSEADDR])
@pytest.mark.parametrize("value", ["text", 1.5, [1], None])
def test_wrong_values_of_translated_options(option: int, value: Any, system: System, sock: Any) -> None:
    """An option whose values are translated takes what C takes: an int or bytes."""
    with pytest.raises(TypeError):
        sock.setsockopt(SOL, option, value)
    assert system.values == {}


def test_unix_sockets_are_handed_on() -> None:
    """A Unix socket's options are `unix.dispatch`'s."""
    one, other = samesock.socketpair()
    with one, other:
        if one.transport != "emulated":
            pytest.skip("absent here: an emulated Unix socket (SAMESOCK_UNIX=emulated)")
        options.OptionMethods.setsockopt(one, stdlib.SOL_SOCKET, stdlib.SO_KEEPALIVE, 1)
        assert options.OptionMethods.getsockopt(one, stdlib.SOL_SOCKET, stdlib.SO_KEEPALIVE) == 1


# ---- on Winsock itself


@over_winsock
@pytest.mark.parametrize("cls", [samesock.socket])
def test_on_winsock(cls: Any) -> None:
    """samesock's own sockets keep these promises on Winsock."""
    with cls(stdlib.AF_INET, stdlib.SOCK_STREAM) as sock:
        sock.setsockopt(SOL, stdlib.SO_LINGER, struct.pack("ii", 1, 5))
        assert struct.unpack("ii", sock.getsockopt(SOL, stdlib.SO_LINGER, 8)) == (1, 5)
        for option in (stdlib.SO_RCVTIMEO, stdlib.SO_SNDTIMEO):
            sock.setsockopt(SOL, option, struct.pack("qq", 1, 500000))
            assert sock.getsockopt(SOL, option) == 1500
            assert struct.unpack("qq", sock.getsockopt(SOL, option, 16)) == (1, 500000)
        for level, option in ((6, stdlib.TCP_NODELAY), (SOL, stdlib.SO_KEEPALIVE)):
            sock.setsockopt(level, option, 1)
            assert sock.getsockopt(level, option) == 1
            assert sock.getsockopt(level, option, 4) == struct.pack("i", 1)
        for level, option in ((6, 99), (SOL, 0x200), (41, stdlib.IPV6_V6ONLY), (0, 99)):
            with pytest.raises(OSError) as caught:
                sock.getsockopt(level, option)
            assert caught.value.errno == errno.ENOPROTOOPT, (level, option)
        with pytest.raises(OSError) as caught:
            sock.setsockopt(SOL, stdlib.SO_LINGER, 1)
        assert caught.value.errno == errno.EINVAL


@over_winsock
def test_a_refused_connection_on_winsock() -> None:
    """SO_ERROR after a refused non-blocking connect is ECONNREFUSED, by number."""
    from samesock.backend import system as backend

    with stdlib.socket() as gone:
        gone.bind(("127.0.0.1", 0))
        nowhere = gone.getsockname()
    with samesock.socket(stdlib.AF_INET, stdlib.SOCK_STREAM) as sock:
        sock.setblocking(False)
        sock.connect_ex(nowhere)
        assert backend.wait((), (sock.fileno(),), 30)
        assert sock.getsockopt(SOL, stdlib.SO_ERROR) == errno.ECONNREFUSED


def test_byte_order() -> None:
    """Winsock's one byte of a BOOL is the low one: Windows is little-endian on every machine that it runs on."""
    assert sys.byteorder == "little" or not choosing.over_winsock()
