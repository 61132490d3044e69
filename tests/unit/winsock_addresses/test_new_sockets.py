"""What a new socket is told, so that it is as BSD has it: both families, unreachable ports, quick refusals, errors.

Each check runs with Winsock's methods: on Windows' Python over Winsock, elsewhere over libc, which shows that the check
states what BSD does. What only real Windows answers is scripted, and says so.
"""

from __future__ import annotations

import _socket
import errno
import socket as stdlib
from typing import Any

import pytest

import samesock
from samesock import _errors
from samesock._socket import _init_dual_stack
from samesock.winsock.calls import calls
from unit.scripted import script
from unit.winsock_sockets import Made


@pytest.mark.parametrize("kind", [stdlib.SOCK_STREAM, stdlib.SOCK_DGRAM])
def test_v6only_is_off(made: Made, kind: int) -> None:
    """A new IPv6 socket has IPV6_V6ONLY off, as RFC 3493 says: bound to :: it serves IPv4, too."""
    sock = made.socket(stdlib.AF_INET6, kind)
    assert calls.getsockopt(sock, stdlib.IPPROTO_IPV6, stdlib.IPV6_V6ONLY) == 0
    sock.bind(("::", 0))
    if kind == stdlib.SOCK_STREAM:
        sock.listen()
        made.stream().connect(("127.0.0.1", sock.getsockname()[1]))


def test_v6only_is_off_where_the_system_has_it_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """A kernel whose new IPv6 sockets have IPV6_V6ONLY on (scripted: FreeBSD's) gives samesock's with it off."""
    init = stdlib.socket.__init__

    def as_on_freebsd(sock: Any, *arguments: Any) -> None:
        init(sock, *arguments)
        stdlib.socket.setsockopt(sock, stdlib.IPPROTO_IPV6, stdlib.IPV6_V6ONLY, 1)

    monkeypatch.setattr(stdlib.socket, "__init__", as_on_freebsd)
    sock = stdlib.socket.__new__(stdlib.socket)
    _init_dual_stack(sock, stdlib.AF_INET6, stdlib.SOCK_STREAM)
    assert sock.getsockopt(stdlib.IPPROTO_IPV6, stdlib.IPV6_V6ONLY) == 0
    sock.close()


def test_a_dual_stack_server() -> None:
    """create_server(dualstack_ipv6=True) serves both families, and without it IPv6 alone."""
    with samesock.create_server(("::", 0), family=stdlib.AF_INET6, dualstack_ipv6=True) as server:
        for host in ("127.0.0.1", "::1"):
            samesock.create_connection((host, server.getsockname()[1]), timeout=10).close()
    with samesock.create_server(("::", 0), family=stdlib.AF_INET6) as server:
        assert server.getsockopt(stdlib.IPPROTO_IPV6, stdlib.IPV6_V6ONLY) == 1


def test_unreachable_ports(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    """Errors of earlier datagrams are off for a new socket, on with a peer, off again after disconnect (scripted)."""
    told = []
    monkeypatch.setattr(calls, "report_unreachable", lambda number, on: told.append(on))
    sock, friend = made.datagram(), made.datagram()
    assert told == [False, False]
    sock.connect(friend.getsockname())
    sock.disconnect()
    assert told == [False, False, True, False]


def test_quick_refusals_on_loopback_alone(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only a connect to loopback is told not to repeat itself (scripted)."""
    quick = []
    monkeypatch.setattr(calls, "refuse_quickly", quick.append)
    script(monkeypatch, "connect", (None,), (None,), (None,))
    made.stream().connect(("10.0.0.1", 9))
    assert not quick
    made.stream().connect(("127.0.0.1", 9))
    made.stream().connect(("0.0.0.0", 9))
    assert len(quick) == 2


def test_errors_of_so_error() -> None:
    """SO_ERROR's number is Winsock's code there, and an errno elsewhere."""
    assert _errors.pending(10061, "x").errno == errno.ECONNREFUSED
    assert _errors.pending(errno.ECONNRESET, "x").errno == errno.ECONNRESET
    assert isinstance(_socket.gaierror(1), OSError)
