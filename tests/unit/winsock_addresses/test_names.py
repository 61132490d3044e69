"""The names of unbound, closed, unconnected and adopted sockets as BSD has them.

Each check runs with Winsock's methods: on Windows' Python over Winsock, elsewhere over libc, which shows that the check
states what BSD does. What only real Windows answers is scripted, and says so.
"""

from __future__ import annotations

import errno
import os
import socket as stdlib
from collections.abc import Callable
from typing import Any

import pytest

from samesock.unix.dispatch import Methods
from samesock.winsock.calls import calls
from unit.scripted import script, windows_error
from unit.winsock_sockets import LOCAL, Made


@pytest.mark.parametrize("kind", [stdlib.SOCK_STREAM, stdlib.SOCK_DGRAM])
@pytest.mark.parametrize(
    ("family", "name"), [(stdlib.AF_INET, ("0.0.0.0", 0)), (stdlib.AF_INET6, ("::", 0, 0, 0))]
)
def test_an_unbound_sockets_name(made: Made, family: int, kind: int, name: object) -> None:
    """getsockname of an unbound socket is the wildcard address and port 0."""
    assert made.socket(family, kind).getsockname() == name


@pytest.mark.parametrize(
    "ask",
    [
        lambda sock: sock.getsockname(),
        lambda sock: sock.getpeername(),
        lambda sock: sock.bind(LOCAL),
        lambda sock: sock.listen(),
        lambda sock: sock.accept(),
        lambda sock: sock.connect(("127.0.0.1", 9)),
        lambda sock: sock.disconnect(),
    ],
)
def test_a_closed_socket(made: Made, ask: Callable[[Any], object]) -> None:
    """Whatever is asked of a closed socket, the error is EBADF."""
    with pytest.raises(OSError) as caught:
        ask(made.closed())
    assert caught.value.errno == errno.EBADF


def test_a_closed_sockets_connect_ex(made: Made) -> None:
    """connect_ex of a closed socket is EBADF, too."""
    assert made.closed().connect_ex(("127.0.0.1", 9)) == errno.EBADF


def test_no_peer(made: Made) -> None:
    """getpeername without a peer is ENOTCONN."""
    with pytest.raises(OSError) as caught:
        made.stream().getpeername()
    assert caught.value.errno == errno.ENOTCONN


@pytest.mark.parametrize("family", [stdlib.AF_INET, stdlib.AF_INET6])
@pytest.mark.parametrize("kind", [stdlib.SOCK_STREAM, stdlib.SOCK_DGRAM])
def test_adopting_an_unbound_socket(made: Made, family: int, kind: int) -> None:
    """socket(fileno=n) finds out what an unbound socket is."""
    number = stdlib.socket(family, kind).detach()
    sock = made.socket(-1, -1, -1, number)
    assert (sock.family, sock.type) == (family, kind)
    assert sock.getsockname()[1] == 0


def test_adopting_as_winsock_has_it(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where getsockname refuses an unbound socket its protocol is asked; a number of nothing is EBADF (scripted)."""
    asked: list[tuple[int, ...]] = []

    def init(sock: Any, family: int, kind: int, proto: int, number: int) -> None:
        asked.append((family, kind, proto))
        if family == -1:
            raise windows_error(10022)
        stdlib.socket.__init__(sock, family, kind, proto, number)

    monkeypatch.setattr(Methods, "__init__", init)
    monkeypatch.setattr(calls, "protocol_of", lambda number: (int(stdlib.AF_INET), 2, 17))
    sock = made.socket(-1, -1, -1, stdlib.socket(stdlib.AF_INET, stdlib.SOCK_DGRAM).detach())
    assert asked == [(-1, -1, -1), (stdlib.AF_INET, 2, 17)]
    monkeypatch.setattr(calls, "protocol_of", lambda number: None)
    with pytest.raises(OSError) as caught:
        made.socket(-1, -1, -1, 987654)
    assert caught.value.errno == errno.EBADF
    reading, writing = os.pipe()
    with pytest.raises(OSError) as caught:
        made.socket(-1, -1, -1, reading)
    assert caught.value.errno == errno.ENOTSOCK
    os.close(reading)
    os.close(writing)
    sock.close()


def test_no_peer_yet(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    """getpeername while a connect is under way is ENOTCONN (scripted: Winsock names the peer already)."""
    client = made.stream()
    client.setblocking(False)
    script(monkeypatch, "connect", 10035)
    script(monkeypatch, "getpeername", (("127.0.0.1", 9),))
    monkeypatch.setattr(calls, "select", lambda *_: ([], [], []))
    assert client.connect_ex(("127.0.0.1", 9)) == errno.EINPROGRESS
    with pytest.raises(OSError) as caught:
        client.getpeername()
    assert caught.value.errno == errno.ENOTCONN
