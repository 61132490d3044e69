"""connect and disconnect as BSD has them: under way, refused, again, to the wildcard, and after a time-out.

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
from samesock.ffi.ws2_32 import ws2_32
from samesock.winsock.calls import calls, disconnect_winsock
from unit.scripted import script
from unit.winsock_sockets import LOCAL, Made, until_settled


def test_a_connect_under_way(made: Made) -> None:
    """Without blocking, connect is EINPROGRESS; when it has ended the next call succeeds, the one after is EISCONN."""
    listener, client = made.listener(), made.stream()
    client.setblocking(False)
    with pytest.raises(BlockingIOError) as caught:
        client.connect(listener.getsockname())
    assert caught.value.errno == errno.EINPROGRESS
    until_settled(client)
    assert client.connect_ex(listener.getsockname()) == 0
    assert client.connect_ex(listener.getsockname()) == errno.EISCONN


def test_a_refusal_without_blocking(made: Made) -> None:
    """A refused connect under way is told once by the next call; the one after that begins anew."""
    taken, client = made.stream(), made.stream()
    taken.bind(LOCAL)
    client.setblocking(False)
    assert client.connect_ex(taken.getsockname()) in (errno.EINPROGRESS, errno.ECONNREFUSED)
    until_settled(client)
    with pytest.raises(ConnectionRefusedError):
        client.connect(taken.getsockname())
    taken.listen()
    assert client.connect_ex(taken.getsockname()) in (0, errno.EINPROGRESS)
    until_settled(client)
    assert client.connect_ex(taken.getsockname()) in (0, errno.EISCONN)


def test_still_under_way(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second connect while the first is under way is EALREADY, from connect and connect_ex (scripted)."""
    client = made.stream()
    client.setblocking(False)
    script(monkeypatch, "connect", 10035)
    monkeypatch.setattr(calls, "select", lambda *_: ([], [], []))
    assert client.connect_ex(("127.0.0.1", 9)) == errno.EINPROGRESS
    assert client.connect_ex(("127.0.0.1", 9)) == errno.EALREADY
    with pytest.raises(BlockingIOError) as caught:
        client.connect(("127.0.0.1", 9))
    assert caught.value.errno == errno.EALREADY


def test_a_failure_by_so_error(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    """A failed connect is told by select's third set and Winsock's code in SO_ERROR (scripted)."""
    client = made.stream()
    client.setblocking(False)
    script(monkeypatch, "connect", 10035)
    monkeypatch.setattr(calls, "select", lambda read, write, bad, seconds: ([], [], [*bad]))
    monkeypatch.setattr(calls, "getsockopt", lambda *_: 10060)
    assert client.connect_ex(("127.0.0.1", 9)) == errno.EINPROGRESS
    with pytest.raises(TimeoutError) as caught:
        client.connect(("127.0.0.1", 9))
    assert caught.value.errno == errno.ETIMEDOUT


def test_a_second_connect(made: Made) -> None:
    """connect on a connected stream is EISCONN."""
    client, server = made.pair()
    assert client.connect_ex(server.getsockname()) == errno.EISCONN


def test_connect_on_a_listener(made: Made) -> None:
    """connect on a listener is EISCONN."""
    listener = made.listener()
    with pytest.raises(OSError) as caught:
        listener.connect(listener.getsockname())
    assert caught.value.errno == errno.EISCONN


def test_refused(made: Made) -> None:
    """A refused connect is ConnectionRefusedError within 1 s; connect_ex gives the same number."""
    taken = made.stream()
    taken.bind(LOCAL)
    name = taken.getsockname()
    begin = time.monotonic()
    with pytest.raises(ConnectionRefusedError) as caught:
        made.stream().connect(name)
    assert time.monotonic() - begin < 1
    assert caught.value.errno == errno.ECONNREFUSED
    assert made.stream().connect_ex(name) == errno.ECONNREFUSED


@pytest.mark.parametrize("family", [stdlib.AF_INET, stdlib.AF_INET6])
@pytest.mark.parametrize("spelling", [0, 1, 2])
def test_connect_to_the_wildcard(made: Made, family: int, spelling: int) -> None:
    """connect to the wildcard address, however it is written, reaches the loopback's."""
    is_old = family == stdlib.AF_INET
    host = ("0.0.0.0", "", "0")[spelling] if is_old else ("::", "", "0::0")[spelling]
    listener = made.socket(family)
    listener.bind(("127.0.0.1" if is_old else "::1", 0))
    listener.listen()
    client = made.socket(family)
    client.connect((host, listener.getsockname()[1]))
    assert client.getpeername()[0] == ("127.0.0.1" if is_old else "::1")


def test_the_wildcard_never_reaches_winsock(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    """The system is never asked for 0.0.0.0, which Windows refuses with WSAEADDRNOTAVAIL; others are left alone."""
    log = script(monkeypatch, "connect", (None,), (None,))
    made.stream().connect(("0.0.0.0", 9))
    made.stream().connect(("10.0.0.1", 9))
    assert log == [(("127.0.0.1", 9),), (("10.0.0.1", 9),)]


def test_connect_says_where(made: Made) -> None:
    """A failed connect's message names the address (with Winsock's code), the standard library's own errors pass."""
    with pytest.raises(TypeError):
        made.stream().connect(9)
    with pytest.raises(OverflowError):
        made.stream().connect(("127.0.0.1", 99999))


def test_a_told_error(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    """An error keeps its class, POSIX's errno and Winsock's code, and names the address (scripted)."""
    script(monkeypatch, "connect", 10061)
    with pytest.raises(ConnectionRefusedError, match=r"connecting to \('127.0.0.1', 9\)") as caught:
        made.stream().connect(("127.0.0.1", 9))
    assert caught.value.errno == errno.ECONNREFUSED
    assert caught.value.winerror == 10061  # type: ignore[attr-defined,unused-ignore]


def test_port_0(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody listens on port 0: ECONNREFUSED (scripted: Windows' WSAEADDRNOTAVAIL)."""
    script(monkeypatch, "connect", 10049, 10049)
    assert made.stream().connect_ex(("127.0.0.1", 0)) == errno.ECONNREFUSED
    assert made.stream().connect_ex(("203.0.113.1", 9)) == errno.EADDRNOTAVAIL


def test_a_timeout_leaves_it_under_way(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a connect that timed out, another one is EALREADY; connect_ex gives EWOULDBLOCK for the time-out."""

    def slow(*_: object) -> None:
        raise TimeoutError("timed out")

    client = made.stream()
    client.settimeout(0.1)
    monkeypatch.setattr(calls, "connect", slow)
    monkeypatch.setattr(calls, "select", lambda *_: ([], [], []))
    assert client.connect_ex(("127.0.0.1", 9)) == errno.EWOULDBLOCK
    assert client.connect_ex(("127.0.0.1", 9)) == errno.EALREADY


def test_disconnect(made: Made) -> None:
    """After disconnect() a datagram socket has no peer, keeps the port it bound, and hears from others."""
    friend, stranger, sock = made.datagram(), made.datagram(), made.socket(stdlib.AF_INET, stdlib.SOCK_DGRAM)
    with stdlib.socket(stdlib.AF_INET, stdlib.SOCK_DGRAM) as scout:
        scout.bind(LOCAL)
        name = scout.getsockname()
    sock.bind(name)
    sock.settimeout(10)
    sock.connect(friend.getsockname())
    for _ in range(2):
        sock.disconnect()
        with pytest.raises(OSError) as caught:
            sock.getpeername()
        assert caught.value.errno == errno.ENOTCONN
    stranger.sendto(b"x", name)
    assert sock.recv(1) == b"x"


@pytest.mark.parametrize("answers", [(0,), (-1, 0)])
def test_disconnect_as_winsock_has_it(
    made: Made, monkeypatch: pytest.MonkeyPatch, answers: tuple[int, ...]
) -> None:
    """Winsock is given zeros, with the family in them only where that is refused (scripted)."""
    left, log = [*answers], []

    def connect(number: int, address: bytes, size: int) -> int:
        log.append((address, size))
        return left.pop(0)

    sock = made.socket(stdlib.AF_INET, stdlib.SOCK_DGRAM)
    monkeypatch.setattr(ws2_32, "connect", connect)
    monkeypatch.setattr(calls, "disconnect", disconnect_winsock)
    if len(answers) == 1:
        sock.disconnect()
        assert log == [(bytes(16), 16)]
    else:
        sock.connect(made.datagram().getsockname())
        with pytest.raises(OSError) as caught:
            sock.disconnect()  # the script answers, and the peer stays
        assert caught.value.errno == errno.EOPNOTSUPP
        assert log == [(bytes(16), 16), (struct.pack("<H", stdlib.AF_INET) + bytes(14), 16)]


def test_disconnect_of_a_stream(made: Made) -> None:
    """disconnect() is a datagram socket's: EOPNOTSUPP on a stream, whose connection stays."""
    client, server = made.pair()
    with pytest.raises(OSError) as caught:
        client.disconnect()
    assert caught.value.errno == errno.EOPNOTSUPP
    client.send(b"x")
    assert server.recv(1) == b"x"


def test_create_connection(made: Made) -> None:
    """create_connection gives samesock's class, connected; its error is the last address's."""
    listener = made.listener()
    with samesock.create_connection(listener.getsockname(), timeout=10) as client:
        assert type(client) is samesock.socket
        assert client.getpeername() == listener.getsockname()
        assert client.gettimeout() == 10
    name = listener.getsockname()
    listener.close()
    with pytest.raises(ConnectionRefusedError):
        samesock.create_connection(name)
