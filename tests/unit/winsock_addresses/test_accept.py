"""listen and accept as BSD has them: modes, and connections that are gone before they are accepted.

Each check runs with Winsock's methods: on Windows' Python over Winsock, elsewhere over libc, which shows that the check
states what BSD does. What only real Windows answers is scripted, and says so.
"""

from __future__ import annotations

import errno
import socket as stdlib
import struct
import time

import pytest

import samesock
from samesock import fd
from samesock.winsock import connecting
from samesock.winsock.calls import calls
from unit.scripted import script
from unit.winsock_sockets import Made, Socket


@pytest.mark.parametrize("family", [stdlib.AF_INET, stdlib.AF_INET6])
def test_listen_binds(made: Made, family: int) -> None:
    """listen() on an unbound socket gives it the wildcard address and a port, which can be connected to."""
    sock = made.socket(family)
    sock.listen()
    host, port, *_ = sock.getsockname()
    assert host in ("0.0.0.0", "::")
    assert port
    made.socket(family).connect(("127.0.0.1" if family == stdlib.AF_INET else "::1", port))


@pytest.mark.parametrize("timeout", [None, 0, 10])
def test_an_accepted_sockets_mode(made: Made, timeout: float | None) -> None:
    """An accepted socket blocks, whatever the listener does, and is not inheritable."""
    listener, client = made.listener(), made.stream()
    listener.set_inheritable(True)
    client.connect(listener.getsockname())
    assert connecting.settled(client, 10)
    listener.settimeout(timeout)
    deadline = time.monotonic() + 10
    while True:
        try:
            server, _ = listener.accept()
            break
        except BlockingIOError:
            assert time.monotonic() < deadline
    with server:
        assert type(server) is Socket
        assert server.gettimeout() is None
        assert not server.get_inheritable()
        client.settimeout(10)
        with pytest.raises(BlockingIOError):
            server.recv(1, samesock.MSG_DONTWAIT)
        client.send(b"x")
        assert server.recv(1) == b"x"


def test_nothing_to_accept(made: Made) -> None:
    """accept on a non-blocking listener without a connection is EWOULDBLOCK."""
    listener = made.listener()
    listener.setblocking(False)
    with pytest.raises(BlockingIOError) as caught:
        listener.accept()
    assert caught.value.errno == errno.EWOULDBLOCK


def test_a_reset_before_accept(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    """accept of a connection that its peer has reset is ECONNABORTED (scripted: Windows' WSAECONNRESET)."""
    listener = made.listener()
    script(monkeypatch, "accept", 10054)
    with pytest.raises(ConnectionAbortedError) as caught:
        listener.accept()
    assert caught.value.winerror == 10054  # type: ignore[attr-defined,unused-ignore]


def test_an_accepted_connection_without_a_peer(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection that comes without a peer's address was reset: it is closed, and ECONNABORTED (Wine's answer)."""
    listener, spare = made.listener(), stdlib.socket()
    number = spare.detach()
    script(monkeypatch, "accept", ((number, None),))
    with pytest.raises(ConnectionAbortedError):
        listener.accept()
    # Not by a socket object of that number: PyPy's closes whatever has the number when the object is collected.
    assert not fd.is_open(fd.Descriptor(number, "socket"))


def test_a_real_reset_before_accept(made: Made) -> None:
    """After a client has reset its connection, accept gives it or ECONNABORTED, and the listener goes on."""
    listener, client = made.listener(), made.stream()
    client.connect(listener.getsockname())
    width = "<HH" if hasattr(stdlib.socket, "share") else "ii"
    calls.setsockopt(client, stdlib.SOL_SOCKET, stdlib.SO_LINGER, struct.pack(width, 1, 0))
    client.close()
    listener.settimeout(10)
    try:
        server, name = listener.accept()
    except ConnectionAbortedError:
        pass
    else:
        server.close()
        assert name[0] == "127.0.0.1"
    again = made.stream()
    again.connect(listener.getsockname())
    listener.accept()[0].close()
