"""bind as BSD has it: ports in use, at their end, shared, and kept for one; who holds a port.

Each check runs with Winsock's methods: on Windows' Python over Winsock, elsewhere over libc, which shows that the check
states what BSD does. What only real Windows answers is scripted, and says so.
"""

from __future__ import annotations

import errno
import socket as stdlib
from typing import Any

import pytest

import samesock
from samesock.winsock import binding
from samesock.winsock.calls import calls
from unit.scripted import script
from unit.winsock_sockets import LOCAL, Made


def test_a_live_port(made: Made) -> None:
    """A live listener's port is EADDRINUSE, also with reuse."""
    name = made.listener().getsockname()
    for reuse in (False, True):
        sock = made.stream()
        binding.set_reuse(sock, reuse)
        with pytest.raises(OSError) as caught:
            sock.bind(name)
        assert caught.value.errno == errno.EADDRINUSE


def test_it_cannot_be_stolen(made: Made) -> None:
    """Who sets the system's own SO_REUSEADDR cannot take a live listener's port either."""
    name = made.listener().getsockname()
    with stdlib.socket() as thief:
        thief.setsockopt(stdlib.SOL_SOCKET, stdlib.SO_REUSEADDR, 1)
        with pytest.raises(OSError):
            thief.bind(name)


def test_reuse_after_the_end(made: Made) -> None:
    """With reuse a port can be bound while a connection of its last listener waits out its time."""
    listener, client = made.stream(), made.stream()
    binding.set_reuse(listener, True)
    listener.bind(LOCAL)
    listener.listen()
    name = listener.getsockname()
    client.connect(name)
    server, _ = listener.accept()
    server.shutdown(stdlib.SHUT_WR)  # it closes first, so TIME_WAIT is its own
    client.recv(1)
    client.close()
    server.close()
    listener.close()
    again = made.stream()
    binding.set_reuse(again, True)
    again.bind(name)
    again.listen()


def test_reuse_is_remembered(made: Made) -> None:
    """What was set is what is told; a new socket's is off."""
    sock = made.stream()
    assert not binding.get_reuse(sock)
    binding.set_reuse(sock, True)
    assert binding.get_reuse(sock)
    binding.set_reuse(sock, False)
    assert not binding.get_reuse(sock)


def test_shared_multicast_ports(made: Made) -> None:
    """Two datagram sockets that both ask for reuse share a port; one that does not is refused."""
    one, other = (made.socket(stdlib.AF_INET, stdlib.SOCK_DGRAM) for _ in range(2))
    binding.set_reuse(one, True)
    one.bind(LOCAL)
    with pytest.raises(OSError) as caught:
        other.bind(one.getsockname())
    assert caught.value.errno == errno.EADDRINUSE
    third = made.socket(stdlib.AF_INET, stdlib.SOCK_DGRAM)
    binding.set_reuse(third, True)
    third.bind(one.getsockname())


@pytest.fixture
def exclusive(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """A system with SO_EXCLUSIVEADDRUSE; the options that are set, in order."""
    monkeypatch.setattr(binding, "EXCLUSIVE", -5)
    return script(monkeypatch, "setsockopt", (None,), (None,))


def test_exclusive_unless_reuse(made: Made, exclusive: list[tuple[Any, ...]]) -> None:
    """A stream that did not ask for reuse takes its port for good; one that did asks Winsock for nothing (scripted)."""
    made.stream().bind(LOCAL)
    assert exclusive == [(stdlib.SOL_SOCKET, -5, 1)]
    sock = made.stream()
    binding.set_reuse(sock, True)
    sock.bind(LOCAL)
    assert len(exclusive) == 1


def test_the_programs_word_on_exclusive_use(made: Made, exclusive: list[tuple[Any, ...]]) -> None:
    """What the program says of exclusive use stands: bind does not say otherwise (scripted)."""
    sock = made.stream()
    binding.set_exclusive(sock, False)
    sock.bind(LOCAL)
    assert exclusive == [(stdlib.SOL_SOCKET, -5, 0)]


@pytest.mark.parametrize(
    ("held", "number"),
    [
        ([(7, "127.0.0.1")], "EADDRINUSE"),
        ([(7, "0.0.0.0")], "EADDRINUSE"),
        ([(7, "::")], "EADDRINUSE"),
        ([(7, "127.0.0.2")], "EACCES"),
        ([], "EACCES"),
        (None, "EACCES"),
    ],
)
def test_access_denied(made: Made, monkeypatch: pytest.MonkeyPatch, held: Any, number: str) -> None:
    """WSAEACCES from bind is EADDRINUSE where another socket has the address, EACCES where none is found (scripted)."""

    def sharers(kind: str, port: int) -> Any:
        assert (kind, port) == ("tcp", 80)
        if held is None:
            raise RuntimeError("no table")
        return held

    monkeypatch.setattr(calls, "sharers_of_port", sharers)
    script(monkeypatch, "bind", 10013)
    with pytest.raises(OSError, match=r"binding to \('127.0.0.1', 80\)") as caught:
        made.stream().bind(("127.0.0.1", 80))
    assert caught.value.errno == getattr(errno, number)


def test_holders_of_a_port(made: Made) -> None:
    """The kernel's table tells that a port is held, and by which address."""
    port = made.listener().getsockname()[1]
    assert "127.0.0.1" in [host for _, host in calls.sharers_of_port("tcp", port)]


def test_a_server_restarts() -> None:
    """create_server's port can be taken again at once, and not while the server lives."""
    with samesock.create_server(LOCAL) as server:
        name = server.getsockname()
        with samesock.create_connection(name, timeout=10):
            accepted, _ = server.accept()
            accepted.close()
        with pytest.raises(OSError) as caught:
            samesock.create_server(name)
        assert caught.value.errno == errno.EADDRINUSE
        assert str(name[1]) in str(caught.value)
    samesock.create_server(name).close()
