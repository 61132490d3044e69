"""bind, listen, accept, connect and names as BSD has them, over this system's sockets and over scripted answers.

Each check runs with Winsock's methods: on Windows' Python over Winsock, elsewhere over libc, which shows that the check
states what BSD does. What only real Windows answers is scripted, and says so.
"""

from __future__ import annotations

import _socket
import errno
import os
import socket as stdlib
import struct
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import samesock
from samesock import _errors, fd
from samesock._socket import _init_dual_stack
from samesock.ffi.ws2_32 import ws2_32
from samesock.unix.dispatch import Methods
from samesock.winsock import binding, connecting
from samesock.winsock.calls import calls, disconnect_winsock
from unit.scripted import windows_error
from unit.winsock_sockets import LOCAL, Made, Socket, made_sockets


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> Iterator[Made]:
    """A maker of sockets."""
    with made_sockets(monkeypatch) as maker:
        yield maker


def script(monkeypatch: pytest.MonkeyPatch, name: str, *answers: Any) -> list[tuple[Any, ...]]:
    """Answer the calls of one function: an int is Winsock's error, anything else the result, `...` the system's own."""
    left, log, real = list(answers), [], getattr(calls, name)

    def answer(sock: Any, *arguments: Any) -> Any:
        log.append(arguments)
        given = left.pop(0) if left else ...
        if isinstance(given, int):
            raise windows_error(given)
        return real(sock, *arguments) if given is ... else given[0]

    monkeypatch.setattr(calls, name, answer)
    return log


def until_settled(sock: Any) -> None:
    """Wait for the end of a connect under way."""
    assert connecting.settled(sock, 10)


# ---- names


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


# ---- listen and accept


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


# ---- connect


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


# ---- bind


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


# ---- what a new datagram socket is told


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
