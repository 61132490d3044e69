"""Options of native ends: those that Winsock swallows and those that are passed down."""

from __future__ import annotations

import _socket
from collections.abc import Iterator
from typing import Any

import pytest

from unit.native_libc.both import Compare, Stdlib, needs_unix, outcome

pytestmark = needs_unix


@pytest.mark.parametrize("option", ["SO_REUSEADDR", "SO_KEEPALIVE"])
@pytest.mark.parametrize(
    "value", [0, 1, 7, True, b"", b"1", b"\1\0\0\0", bytes(8), None, "1", 1.5, 1 << 40], ids=repr
)
def test_options(compare: Compare, option: str, value: Any) -> None:
    """An option that is not passed down is taken, refused and answered as the kernel does."""
    number = getattr(_socket, option)
    with Stdlib() as probe:
        probe.setsockopt(_socket.SOL_SOCKET, number, 1)
        if probe.getsockopt(_socket.SOL_SOCKET, number) != 1:
            pytest.skip("unix-stream: this kernel answers a switch with its bit, which is not what was set")

    def scenario(make: Any) -> Iterator[Any]:
        with make() as sock:
            yield outcome(lambda: sock.getsockopt(_socket.SOL_SOCKET, number))
            yield outcome(lambda: sock.setsockopt(_socket.SOL_SOCKET, number, value))
            for length in ((), (0,), (1,), (4,), (8,), (1025,), (-1,)):
                yield outcome(lambda length=length: sock.getsockopt(_socket.SOL_SOCKET, number, *length))

    compare(scenario)


def test_option_without_a_value(compare: Compare) -> None:
    """setsockopt with None and a length is the kernel's EFAULT."""

    def scenario(make: Any) -> Iterator[Any]:
        with make() as sock:
            yield outcome(lambda: sock.setsockopt(_socket.SOL_SOCKET, _socket.SO_KEEPALIVE, None, 4))

    compare(scenario)


def test_other_options(compare: Compare) -> None:
    """Every other option is the kernel's, its errors included."""

    def scenario(make: Any) -> Iterator[Any]:
        with make() as sock:
            yield outcome(lambda: sock.getsockopt(_socket.SOL_SOCKET, _socket.SO_TYPE))
            yield outcome(lambda: sock.getsockopt(_socket.SOL_SOCKET, _socket.SO_ERROR))
            yield outcome(lambda: sock.getsockopt(_socket.SOL_SOCKET, 9999))
            yield outcome(lambda: sock.setsockopt(_socket.SOL_SOCKET, 9999, 1))
            yield outcome(lambda: sock.setsockopt(_socket.IPPROTO_TCP, _socket.TCP_NODELAY, 1))

    compare(scenario)
