"""A call that failed keeps nothing alive: its exception gone, the socket is closed with the last reference to it.

An exception that a frame keeps in a variable of its own keeps that frame, and the socket in it, until the garbage
collector comes: a descriptor that stays open for no reason which a program can see.
"""

from __future__ import annotations

import gc
import os
import select
import struct
import sys
import time
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import samesock
import samesock.selectors

Call = Callable[[Any], object]

pytestmark = [
    pytest.mark.filterwarnings("ignore:unclosed"),  # which is what these tests are about
    pytest.mark.skipif(
        not hasattr(sys, "getrefcount"),
        reason="this interpreter counts no references: nothing is freed at once",
    ),
]


@pytest.fixture(autouse=True)
def without_collector() -> Iterator[None]:
    """The garbage collector off, so that it hides nothing."""
    gc.disable()
    yield
    gc.enable()


def assert_freed(sock: Any, call: Call) -> None:
    """That the call fails, and that `sock`, which the caller must hold in a list of one, is gone after it."""
    (one,) = sock
    alive = weakref.ref(one)
    try:
        call(one)
    except OSError:
        pass
    else:
        pytest.fail("it did not fail")
    del one
    sock.clear()
    assert alive() is None, "something still holds the socket"


def many(call: Call) -> Call:
    """The call, often enough for the reset to be told."""

    def repeated(sock: Any) -> None:
        for _ in range(50):
            call(sock)
            time.sleep(0.002)

    return repeated


READS: dict[str, Call] = {
    "recv": lambda sock: sock.recv(5),
    "recv with a flag": lambda sock: sock.recv(5, samesock.MSG_PEEK),
    "recv_into": lambda sock: sock.recv_into(bytearray(5)),
    "recvfrom": lambda sock: sock.recvfrom(5),
    "recvfrom_into": lambda sock: sock.recvfrom_into(bytearray(5)),
    "recvmsg": lambda sock: sock.recvmsg(5, 100),
    "recvmsg_into": lambda sock: sock.recvmsg_into([bytearray(5)]),
    "recv_fds": lambda sock: samesock.recv_fds(sock, 5, 2),
}
WRITES: dict[str, Call] = {
    "send": many(lambda sock: sock.send(b"x")),
    "send with a flag": many(lambda sock: sock.send(b"x", samesock.MSG_DONTWAIT)),
    "sendall": many(lambda sock: sock.sendall(b"x")),
    "sendall of much": many(lambda sock: sock.sendall(bytes(10000))),
    "sendmsg": many(lambda sock: sock.sendmsg([b"x", b"y"])),
}
WAYS: list[Any] = [
    pytest.param(None, id="blocking"),
    pytest.param(5.0, id="timeout"),
    pytest.param(0.0, id="now"),
]


def pair(family: str, folder: str) -> tuple[Any, Any]:
    """Two connected sockets."""
    if family == "tcp":
        with samesock.create_server(("127.0.0.1", 0)) as listener:
            client = samesock.create_connection(listener.getsockname())
            return client, listener.accept()[0]
    with samesock.socket(samesock.AF_UNIX) as listener:
        listener.bind(os.path.join(folder, "s"))
        listener.listen()
        client = samesock.socket(samesock.AF_UNIX)
        client.connect(listener.getsockname())
        return client, listener.accept()[0]


@pytest.mark.parametrize("timeout", WAYS)
@pytest.mark.parametrize("name", [*READS, *WRITES])
def test_after_a_reset(name: str, timeout: float | None, socket_dir: Path) -> None:
    """Of a connection that the peer has reset."""
    if name == "recv_fds":
        pytest.skip("feature descriptor passing: a TCP connection passes none")
    sock, peer = pair("tcp", "")
    peer.setsockopt(samesock.SOL_SOCKET, samesock.SO_LINGER, struct.pack("ii", 1, 0))
    peer.close()
    time.sleep(0.05)
    sock.settimeout(timeout)
    held = [sock]
    del sock
    assert_freed(held, {**READS, **WRITES}[name])


@pytest.mark.parametrize("name", [*READS, *WRITES])
def test_after_a_refused_connect(name: str) -> None:
    """Of a connect that was refused after its call."""
    if name == "recv_fds":
        pytest.skip("feature descriptor passing: a TCP connection passes none")
    with samesock.create_server(("127.0.0.1", 0)) as listener:
        address = listener.getsockname()
    sock = samesock.socket()
    sock.setblocking(False)
    sock.connect_ex(address)
    assert any(select.select([], [sock], [sock], 5))  # Windows tells a failure by the third list
    held = [sock]
    del sock
    assert_freed(held, {**READS, **WRITES}[name])


@pytest.mark.parametrize("timeout", [pytest.param(0.01, id="timeout"), pytest.param(0.0, id="now")])
@pytest.mark.parametrize("name", READS)
@pytest.mark.parametrize("family", ["tcp", "unix"])
def test_when_nothing_comes(family: str, name: str, timeout: float, socket_dir: Path) -> None:
    """Of a read that waits in vain."""
    if (family, name) == ("tcp", "recv_fds"):
        pytest.skip("feature descriptor passing: a TCP connection passes none")
    sock, peer = pair(family, str(socket_dir))
    sock.settimeout(timeout)
    held = [sock]
    del sock
    with peer:
        assert_freed(held, READS[name])


@pytest.mark.parametrize("name", WRITES)
def test_a_write_after_the_peer_is_gone(name: str, socket_dir: Path) -> None:
    """Of a Unix connection."""
    sock, peer = pair("unix", str(socket_dir))
    peer.close()
    held = [sock]
    del sock
    assert_freed(held, WRITES[name])


UNCONNECTED: dict[str, Call] = {
    "recv": lambda sock: sock.recv(1),
    "send": lambda sock: sock.send(b"x"),
    "sendall": lambda sock: sock.sendall(b"x"),
    "sendmsg": lambda sock: sock.sendmsg([b"x"]),
    "recvmsg": lambda sock: sock.recvmsg(5),
    "accept": lambda sock: sock.accept(),
    "getpeername": lambda sock: sock.getpeername(),
    "shutdown": lambda sock: sock.shutdown(samesock.SHUT_RDWR),
    "setsockopt": lambda sock: sock.setsockopt(samesock.SOL_SOCKET, 12345, 1),
    "getsockopt": lambda sock: sock.getsockopt(samesock.SOL_SOCKET, 12345),
    "peercred": samesock.peercred,
}


@pytest.mark.parametrize("timeout", WAYS)
@pytest.mark.parametrize("name", UNCONNECTED)
@pytest.mark.parametrize("family", ["tcp", "unix"])
def test_unconnected(family: str, name: str, timeout: float | None) -> None:
    """Of a socket that is connected to nobody: told at once, whatever its time-out."""
    if (family, name) == ("unix", "shutdown"):
        pytest.skip("feature shutdown: Linux lets an unconnected Unix socket be shut down")
    kind = samesock.AF_INET if family == "tcp" else samesock.AF_UNIX
    sock = samesock.socket(kind, samesock.SOCK_STREAM)
    sock.settimeout(timeout)
    held = [sock]
    del sock
    start = time.monotonic()
    assert_freed(held, UNCONNECTED[name])
    assert time.monotonic() - start < 4


@pytest.mark.parametrize("timeout", WAYS)
@pytest.mark.parametrize("where", ["refused", "missing", "plain file", "no directory", "too long"])
def test_connecting(where: str, timeout: float | None, socket_dir: Path) -> None:
    """Of a connect that leads nowhere."""
    plain = socket_dir / "plain"
    plain.write_bytes(b"")
    addresses: dict[str, Any] = {
        "refused": _closed_port(),
        "missing": str(socket_dir / "none"),
        "plain file": str(plain),
        "no directory": str(socket_dir / "none" / "s"),
        "too long": str(socket_dir / ("x" * 200)),
    }
    sock = samesock.socket(samesock.AF_INET if where == "refused" else samesock.AF_UNIX)
    sock.settimeout(timeout)
    held = [sock]
    del sock
    assert_freed(held, lambda one: one.connect(addresses[where]))


def _closed_port() -> Any:
    with samesock.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()


@pytest.mark.parametrize("where", ["in use", "plain file", "no directory", "too long", "port in use"])
def test_binding(where: str, socket_dir: Path) -> None:
    """Of a bind that is refused."""
    (socket_dir / "plain").write_bytes(b"")
    with samesock.socket(samesock.AF_UNIX) as first, samesock.create_server(("127.0.0.1", 0)) as second:
        first.bind(str(socket_dir / "s"))
        first.listen()
        addresses: dict[str, Any] = {
            "in use": str(socket_dir / "s"),
            "plain file": str(socket_dir / "plain"),
            "no directory": str(socket_dir / "none" / "s"),
            "too long": str(socket_dir / ("x" * 200)),
            "port in use": second.getsockname(),
        }
        held = [samesock.socket(samesock.AF_INET if where == "port in use" else samesock.AF_UNIX)]
        assert_freed(held, lambda one: one.bind(addresses[where]))


@pytest.mark.parametrize("timeout", [pytest.param(0.01, id="timeout"), pytest.param(0.0, id="now")])
@pytest.mark.parametrize("family", ["tcp", "unix"])
def test_accepting(family: str, timeout: float, socket_dir: Path) -> None:
    """Of an accept to which nobody comes."""
    sock = samesock.socket(samesock.AF_INET if family == "tcp" else samesock.AF_UNIX)
    sock.bind(("127.0.0.1", 0) if family == "tcp" else str(socket_dir / "s"))
    sock.listen()
    sock.settimeout(timeout)
    held = [sock]
    del sock
    assert_freed(held, lambda one: one.accept())


DATAGRAMS: dict[str, Call] = {
    "recv": lambda sock: sock.recv(5),
    "recvfrom": lambda sock: sock.recvfrom(5),
    "recvfrom_into": lambda sock: sock.recvfrom_into(bytearray(5)),
    "recvmsg": lambda sock: sock.recvmsg(5),
    "send": lambda sock: sock.send(b"x"),
    "sendmsg": lambda sock: sock.sendmsg([b"x"]),
}


@pytest.mark.parametrize("timeout", [pytest.param(0.01, id="timeout"), pytest.param(0.0, id="now")])
@pytest.mark.parametrize("name", DATAGRAMS)
@pytest.mark.parametrize("family", ["udp", "unix"])
def test_datagrams(family: str, name: str, timeout: float, socket_dir: Path) -> None:
    """Of a datagram socket to which nothing comes, and which sends to nobody."""
    sock = samesock.socket(samesock.AF_INET if family == "udp" else samesock.AF_UNIX, samesock.SOCK_DGRAM)
    sock.bind(("127.0.0.1", 0) if family == "udp" else str(socket_dir / "s"))
    sock.settimeout(timeout)
    held = [sock]
    del sock
    assert_freed(held, DATAGRAMS[name])


@pytest.mark.parametrize("name", ["sendto", "sendmsg", "connect"])
def test_a_datagram_to_nobody(name: str, socket_dir: Path) -> None:
    """Of a Unix datagram to a path that is not there."""
    where = str(socket_dir / "none")
    calls: dict[str, Call] = {
        "sendto": lambda sock: sock.sendto(b"x", where),
        "sendmsg": lambda sock: sock.sendmsg([b"x"], [], 0, where),
        "connect": lambda sock: sock.connect(where),
    }
    assert_freed([samesock.socket(samesock.AF_UNIX, samesock.SOCK_DGRAM)], calls[name])


@pytest.mark.parametrize("end", ["unregister", "close"])
@pytest.mark.parametrize("events", [samesock.selectors.EVENT_READ, samesock.selectors.EVENT_WRITE])
def test_after_a_selector(end: str, events: int) -> None:
    """Of a socket that a selector has watched, ready or not, once it is unregistered or the selector is closed."""
    sock, peer = pair("tcp", "")
    with peer, samesock.selectors.DefaultSelector() as selector:
        selector.register(sock, events)
        for _ in range(2):
            assert bool(selector.select(0.05)) == (events == samesock.selectors.EVENT_WRITE)
        if end == "unregister":
            selector.unregister(sock)
        else:
            selector.close()
        alive = weakref.ref(sock)
        del sock
        assert alive() is None, "something still holds the socket"
