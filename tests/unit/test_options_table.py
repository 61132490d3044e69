"""`_options` and `options`, for every platform on any: a system by script says which bytes a value becomes.

The numbers here are those of the platforms' headers and manual pages, written down a second time.
"""

from __future__ import annotations

import errno
import math
import re
import socket as stdlib
import struct
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import samesock
from samesock import _options, options
from samesock._errors import number_of

DOCS = Path(__file__).resolve().parents[2] / "docs" / "options.md"
TIMEVAL = struct.Struct("ll")


class System:
    """setsockopt and getsockopt of a platform that remembers what it was told."""

    def __init__(self, refuse: dict[tuple[int, int], OSError] | None = None) -> None:
        self.told: dict[tuple[int, int], bytes] = {}
        self.order: list[tuple[int, int]] = []
        self.refuse = refuse or {}
        self.calls = options.Calls(self.setsockopt, self.getsockopt)

    def setsockopt(self, sock: Any, level: int, number: int, value: bytes) -> None:
        if (level, number) in self.refuse:
            raise self.refuse[level, number]
        self.told[level, number] = value
        self.order.append((level, number))

    def getsockopt(self, sock: Any, level: int, number: int, size: int) -> bytes:
        if (level, number) in self.refuse:
            raise self.refuse[level, number]
        value = self.told.get((level, number), bytes(size))
        assert len(value) <= size
        return value


def made(name: str, platform: str, system: System) -> Any:
    """The option as that platform has it."""
    row = next(row for row in _options.OPTIONS if row.name == name)
    cls = options._KeepaliveOption if name == "keepalive" else options.Option
    return cls(row, platform, system.calls)


def sock(family: int = stdlib.AF_INET, kind: int = stdlib.SOCK_STREAM) -> Any:
    """All that an option asks of a socket."""
    return SimpleNamespace(family=family, type=kind, fileno=lambda: 3)


def i(value: int) -> bytes:
    """An int."""
    return struct.pack("=i", value)


V6 = stdlib.AF_INET6
SOL = 0xFFFF
# name, value, family, then for Linux, macOS, FreeBSD, Windows: (level, number, bytes), or None for absent
DOCUMENTED: list[tuple[Any, ...]] = [
    (
        *("linger", 2.5, stdlib.AF_INET),
        (1, 13, i(1) + i(3)),
        (SOL, 0x1080, i(1) + i(3)),
        (SOL, 0x80, i(1) + i(3)),
        (SOL, 0x80, b"\1\0\3\0"),
    ),
    (
        *("linger", None, stdlib.AF_INET),
        (1, 13, bytes(8)),
        (SOL, 0x1080, bytes(8)),
        (SOL, 0x80, bytes(8)),
        (SOL, 0x80, bytes(4)),
    ),
    (
        *("linger", 0, stdlib.AF_INET),
        (1, 13, i(1) + i(0)),
        (SOL, 0x1080, i(1) + i(0)),
        (SOL, 0x80, i(1) + i(0)),
        (SOL, 0x80, b"\1\0\0\0"),
    ),
    (
        *("send_timeout", 1.5, stdlib.AF_INET),
        (1, 21, TIMEVAL.pack(1, 500000)),
        (SOL, 0x1005, struct.pack("li0l", 1, 500000)),
        (SOL, 0x1005, TIMEVAL.pack(1, 500000)),
        (SOL, 0x1005, i(1500)),
    ),
    (
        *("receive_timeout", 0.0001, stdlib.AF_INET),
        (1, 20, TIMEVAL.pack(0, 100)),
        (SOL, 0x1006, struct.pack("li0l", 0, 100)),
        (SOL, 0x1006, TIMEVAL.pack(0, 100)),
        (SOL, 0x1006, i(1)),
    ),
    (
        *("receive_timeout", None, stdlib.AF_INET),
        (1, 20, TIMEVAL.pack(0, 0)),
        (SOL, 0x1006, struct.pack("li0l", 0, 0)),
        (SOL, 0x1006, TIMEVAL.pack(0, 0)),
        (SOL, 0x1006, i(0)),
    ),
    ("no_delay", True, stdlib.AF_INET, *[(6, 1, i(1))] * 4),
    ("send_buffer", 70000, stdlib.AF_INET, (1, 7, i(70000)), *[(SOL, 0x1001, i(70000))] * 3),
    ("receive_buffer", 70000, stdlib.AF_INET, (1, 8, i(70000)), *[(SOL, 0x1002, i(70000))] * 3),
    ("ipv6_only", False, V6, (41, 26, i(0)), *[(41, 27, i(0))] * 3),
    ("exclusive", True, stdlib.AF_INET, None, None, None, (SOL, -5, i(1))),
    ("time_to_live", 33, stdlib.AF_INET, (0, 2, i(33)), *[(0, 4, i(33))] * 3),
    ("time_to_live", 33, V6, (41, 16, i(33)), *[(41, 4, i(33))] * 3),
    ("type_of_service", 0x28, stdlib.AF_INET, (0, 1, i(0x28)), *[(0, 3, i(0x28))] * 3),
    ("type_of_service", 0x28, V6, (41, 67, i(40)), (41, 36, i(40)), (41, 61, i(40)), (41, 39, i(40))),
    ("user_timeout", 30.5, stdlib.AF_INET, (6, 18, i(30500)), (6, 0x80, i(31)), None, (6, 5, i(31))),
    ("reuse_address", True, stdlib.AF_INET, (1, 2, i(1)), (SOL, 4, i(1)), (SOL, 4, i(1)), "reuse"),
    ("reuse_port", True, stdlib.AF_INET, (1, 15, i(1)), (SOL, 0x200, i(1)), (SOL, 0x10000, i(1)), None),
]
CASES = [
    pytest.param(name, value, family, platform, wanted, id=f"{name}-{value}-{int(family)}-{platform}")
    for name, value, family, *rest in DOCUMENTED
    for platform, wanted in zip(_options.PLATFORMS, rest, strict=True)
    if wanted != "reuse"
]


@pytest.fixture
def no_binding(monkeypatch: pytest.MonkeyPatch) -> None:
    """The system alone is told, and no module that keeps something beside it."""
    monkeypatch.setattr(options.Option, "_kept", lambda self, encoding: None)


@pytest.mark.parametrize(("name", "value", "family", "platform", "wanted"), CASES)
@pytest.mark.usefixtures("no_binding")
def test_encodings(name: str, value: Any, family: int, platform: str, wanted: Any) -> None:
    """Each value becomes the level, number and bytes of that platform's headers, and can be read back."""
    system = System()
    option = made(name, platform, system)
    if wanted is None:
        for call in (lambda: option.set(sock(family), value), lambda: option.get(sock(family))):
            with pytest.raises(OSError, match=name) as caught:
                call()
            assert caught.value.errno == number_of("ENOPROTOOPT")
        return
    option.set(sock(family), value)
    level, number, raw = wanted
    assert system.told == {(level, number): raw}
    if "buffer" in name and platform == "linux":
        system.told[level, number] = i(2 * value)
    read = option.get(sock(family))
    assert type(read) is type(value) or isinstance(value, int)
    if value is None or isinstance(value, bool):
        assert read is value
    else:
        assert value <= read < value + 1


def test_every_option_is_in_the_documented_list() -> None:
    """No option is without a line above, and none of the public names without a row."""
    assert {case[0] for case in DOCUMENTED} == {row.name for row in _options.OPTIONS} - {"keepalive"}
    public = {name for name in options.__all__ if name not in ("Keepalive", "Option")}
    assert public == {row.name for row in _options.OPTIONS}
    for name in public:
        assert getattr(options, name).name == name


KEEPALIVE = {
    "linux": [(1, 9), (6, 4), (6, 5), (6, 6)],
    "macos": [(SOL, 8), (6, 0x10), (6, 0x101), (6, 0x102)],
    "freebsd": [(SOL, 8), (6, 256), (6, 512), (6, 1024)],
    "windows": [(SOL, 8), (6, 3), (6, 17), (6, 16)],
}


@pytest.mark.parametrize("platform", _options.PLATFORMS)
def test_keepalive(platform: str) -> None:
    """Keep-alive is the switch, first, and three numbers in whole seconds, rounded up; `None` turns it off."""
    system = System()
    option = made("keepalive", platform, system)
    assert option.get(sock()) is None
    option.set(sock(), options.Keepalive(idle=60, interval=9.5, count=5))
    assert system.order == KEEPALIVE[platform]
    assert [system.told[key] for key in KEEPALIVE[platform]] == [i(1), i(60), i(10), i(5)]
    assert option.get(sock()) == options.Keepalive(60.0, 10.0, 5)
    option.set(sock(), options.Keepalive(count=7))
    assert option.get(sock()) == options.Keepalive(60.0, 10.0, 7)
    option.set(sock(), None)
    assert option.get(sock()) is None


@pytest.mark.parametrize("platform", _options.PLATFORMS)
def test_keepalive_is_all_or_nothing(platform: str) -> None:
    """Where a number is refused, keep-alive is not left on; the error names the number."""
    system = System({KEEPALIVE[platform][2]: OSError(errno.ENOPROTOOPT, "no")})
    option = made("keepalive", platform, system)
    with pytest.raises(OSError, match=r"keepalive\.interval") as caught:
        option.set(sock(), options.Keepalive(idle=60, interval=10))
    assert caught.value.errno == errno.ENOPROTOOPT
    assert system.told[KEEPALIVE[platform][0]] == i(0)


@pytest.mark.parametrize("platform", [*_options.PLATFORMS, "other"])
@pytest.mark.parametrize("row", _options.OPTIONS, ids=lambda row: row.name)
def test_kinds_of_sockets(row: Any, platform: str) -> None:
    """An option that a socket, or a platform, cannot have is ENOPROTOOPT, and the system is not even asked."""
    system = System()
    option = made(row.name, platform, system)
    wrong = {
        "tcp": [sock(kind=stdlib.SOCK_DGRAM), sock(samesock.AF_UNIX)],
        "inet": [sock(samesock.AF_UNIX)],
        "ipv6": [sock(), sock(samesock.AF_UNIX)],
        "any": [],
    }[row.of]
    if platform == "other":
        wrong = [sock(), sock(V6)]
    for one in wrong:
        for call in (
            lambda one=one: option.set(one, None if row.kind == "keepalive" else 1),
            lambda one=one: option.get(one),
        ):
            with pytest.raises(OSError, match=row.name) as caught:
                call()
            assert caught.value.errno == number_of("ENOPROTOOPT")
    assert system.order == []


WRONG: list[tuple[str, Any, type[Exception]]] = [
    ("linger", -1, ValueError),
    ("linger", 65536, ValueError),
    ("linger", math.nan, ValueError),
    ("linger", "1", TypeError),
    ("send_timeout", 0, ValueError),
    ("send_timeout", -1, ValueError),
    ("send_timeout", 1e10, ValueError),
    ("receive_timeout", [], TypeError),
    ("no_delay", None, TypeError),
    ("no_delay", "yes", TypeError),
    ("send_buffer", 0, ValueError),
    ("send_buffer", 1.5, TypeError),
    ("receive_buffer", 2**31, ValueError),
    ("time_to_live", 0, ValueError),
    ("time_to_live", 256, ValueError),
    ("time_to_live", 1.0, TypeError),
    ("type_of_service", 256, ValueError),
    ("type_of_service", -1, ValueError),
    ("keepalive", True, TypeError),
    ("keepalive", options.Keepalive(idle=0), ValueError),
    ("keepalive", options.Keepalive(count=128), ValueError),
    ("keepalive", options.Keepalive(interval="1"), TypeError),  # type: ignore[arg-type]
]


@pytest.mark.parametrize(("name", "value", "kind"), WRONG)
@pytest.mark.parametrize("platform", _options.PLATFORMS)
def test_values_that_cannot_be(name: str, value: Any, kind: type[Exception], platform: str) -> None:
    """A value that an option cannot have is the same exception on every platform, and changes nothing."""
    system = System()
    with pytest.raises(kind):
        made(name, platform, system).set(sock(), value)
    assert system.told == {}


@given(st.floats(0.000001, 2_000_000), st.sampled_from(_options.PLATFORMS))
def test_a_time_out_is_never_shortened(seconds: float, platform: str) -> None:
    """A time that was set is at least as long when it is read, and longer by a unit of the platform at the most."""
    for name in ("send_timeout", "receive_timeout"):
        option = made(name, platform, System())
        option.set(sock(), seconds)
        read = option.get(sock())
        assert seconds - 1e-9 <= read <= seconds + 0.001001


@pytest.mark.parametrize("garbage", [b"\1", b"\0", b"\1\0\0\0"])
def test_a_bool_of_one_byte(garbage: bytes) -> None:
    """Winsock's BOOL may come as one byte."""
    system = System()
    system.told[6, 1] = garbage
    assert made("no_delay", "windows", system).get(sock()) is (garbage[0] == 1)


def winsock_error(code: int) -> OSError:
    """An error of Winsock's as Windows' Python raises it."""
    error = OSError(code, "scripted")
    error.winerror = code  # type: ignore[attr-defined,unused-ignore]
    return error


@pytest.mark.parametrize("code", [10042, 10045, 10022])
def test_winsocks_three_ways_of_having_no_such_option(code: int) -> None:
    """What Winsock says of an option that it lacks is ENOPROTOOPT, naming the option; its code is kept."""
    system = System({(6, 5): winsock_error(code)})
    option = made("user_timeout", "windows", system)
    for call in (lambda: option.set(sock(), 30), lambda: option.get(sock())):
        with pytest.raises(OSError, match=r"user_timeout.*TCP_MAXRT") as caught:
            call()
        assert caught.value.errno == number_of("ENOPROTOOPT")
        assert caught.value.winerror == code  # type: ignore[attr-defined,unused-ignore]


def test_a_value_that_windows_refuses() -> None:
    """WSAEINVAL for an option that can be read is EINVAL: the value's fault."""
    system = System()

    def refuse(*_: Any) -> None:
        raise winsock_error(10022)

    option = made("time_to_live", "windows", system)
    option._calls = options.Calls(refuse, system.getsockopt)
    with pytest.raises(OSError, match="time_to_live") as caught:
        option.set(sock(), 200)
    assert caught.value.errno == errno.EINVAL


def test_user_timeout_of_windows() -> None:
    """Windows has no way back to its own time-out, and -1 is for ever."""
    system = System()
    option = made("user_timeout", "windows", system)
    with pytest.raises(OSError, match="TCP_MAXRT") as caught:
        option.set(sock(), None)
    assert caught.value.errno == errno.EINVAL
    system.told[6, 5] = i(-1)
    assert option.get(sock()) == math.inf


@pytest.mark.parametrize("row", [*_options.OPTIONS, *_options.KEEPALIVE_PARTS], ids=lambda row: row.name)
def test_this_platforms_numbers(row: Any) -> None:
    """The numbers in this platform's column are those that its Python has under the same names."""
    for table in (row.encodings, row.ipv6 or {}):
        encoding = table.get(_options.PLATFORM)
        if encoding is not None and hasattr(stdlib, encoding.name):
            assert encoding.number == getattr(stdlib, encoding.name)
            if encoding.name.startswith("SO_"):
                assert encoding.level == stdlib.SOL_SOCKET


@pytest.mark.parametrize("row", [*_options.OPTIONS, *_options.KEEPALIVE_PARTS], ids=lambda row: row.name)
def test_the_table_is_whole(row: Any) -> None:
    """Every row has every platform's column, and a form that has a description."""
    for table in filter(None, (row.encodings, row.ipv6)):
        assert tuple(table) == _options.PLATFORMS
        assert all(encoding is None or encoding.form in _options.FORMS for encoding in table.values())


def table_text() -> str:
    """The documentation's table, made from the options' table."""
    lines = [
        "| option | value | sockets | Linux | macOS | FreeBSD | Windows |",
        "|---|---|---|---|---|---|---|",
    ]
    kinds = {
        "flag": "bool",
        "count": "int",
        "bytes": "int, bytes",
        "seconds": "float, seconds",
        "seconds or None": "float, seconds; or None",
        "keepalive": "`Keepalive` or None",
    }
    sockets = {"any": "any", "inet": "IPv4, IPv6", "ipv6": "IPv6", "tcp": "TCP"}
    parts = [part._replace(name=f"keepalive's {part.name}") for part in _options.KEEPALIVE_PARTS]
    first, *others = _options.OPTIONS
    for row in (first, *parts, *others):
        cells = [f"`{row.name}`" if " " not in row.name else row.name, kinds[row.kind], sockets[row.of]]
        for platform in _options.PLATFORMS:
            names = [
                f"`{encoding.name}`"
                for table in filter(None, (row.encodings, row.ipv6))
                if (encoding := table[platform])
            ]
            cells.append(", ".join(names) or "absent")
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def test_the_documentations_table() -> None:
    """docs/options.md has the table as it is made from the options' table."""
    text = DOCS.read_text(encoding="utf-8")
    (found,) = re.findall(r"\| option \|.*?(?=\n\n)", text, re.DOTALL)
    assert found == table_text(), f"the table should be:\n{table_text()}"
