"""Readiness of sockets: the same rules for every selector on every platform."""

from __future__ import annotations

import contextlib
import socket
import struct
import time
from typing import Any

import pytest
from selectors_shared import NOT_YET, READ, SOON, WRITE, becomes, later, told

import samesock


def test_level_triggered(selector: Any, pair: Any) -> None:
    """What can be read is told by every select until it was read, and again when more has come."""
    one, other = pair
    selector.register(one, READ)
    assert told(selector, NOT_YET) == {}
    other.send(b"ab")
    for _ in range(3):
        assert becomes(selector, {one: READ})
    assert one.recv(1) == b"a"
    assert becomes(selector, {one: READ})
    assert one.recv(1) == b"b"
    assert told(selector) == {}
    other.send(b"c")
    assert becomes(selector, {one: READ})


def test_a_full_buffer(selector: Any, pair: Any) -> None:
    """A socket whose buffer is full is not writable, and is again once the peer has read."""
    one, other = pair
    selector.register(one, WRITE)
    assert becomes(selector, {one: WRITE})
    sent = _fill(one)
    assert told(selector, NOT_YET) == {}
    _drain(other, sent)
    assert becomes(selector, {one: WRITE})


def _fill(sock: Any) -> int:
    sent = 0
    quiet = 0
    while quiet < 5:  # loopback moves bytes on in its own time: full is what stays full
        try:
            sent += sock.send(bytes(65536))
            quiet = 0
        except BlockingIOError:
            quiet += 1
            time.sleep(0.02)
    return sent


def _drain(sock: Any, size: int) -> None:
    sock.setblocking(True)
    sock.settimeout(SOON)
    while size > 0:
        size -= len(sock.recv(1 << 20))


def test_end_of_stream_is_readable(selector: Any, pair: Any) -> None:
    """The end of the peer's stream is readable, for as long as it is asked for."""
    one, other = pair
    selector.register(one, READ)
    other.shutdown(socket.SHUT_WR)
    for _ in range(3):
        assert becomes(selector, {one: READ})
    assert one.recv(1) == b""


def test_reset_is_readable(selector: Any) -> None:
    """A connection that its peer has reset is readable; what recv says then is the error."""
    client, server = _tcp_pair()
    with client, server:
        selector.register(client, READ)
        server.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _no_linger())
        server.close()
        assert becomes(selector, {client: READ})
        with pytest.raises(ConnectionError):
            client.recv(1)


def _no_linger() -> bytes:
    short = struct.pack("hh", 1, 0)
    return short if hasattr(socket, "SIO_RCVALL") else struct.pack("ii", 1, 0)  # Winsock's has two u_short


def _tcp_pair() -> tuple[Any, Any]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = socket.create_connection(listener.getsockname())
        server, _ = listener.accept()
    return client, server


def test_a_listener(selector: Any) -> None:
    """A listening socket is readable while a connection waits to be accepted."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        selector.register(listener, READ)
        assert told(selector, NOT_YET) == {}
        with socket.create_connection(listener.getsockname()):
            assert becomes(selector, {listener: READ})
            assert becomes(selector, {listener: READ})
            listener.accept()[0].close()
            assert told(selector) == {}


def test_connecting(selector: Any) -> None:
    """A connect under way makes its socket writable when it is done, and SO_ERROR is 0 then."""
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.socket() as client:
        client.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            client.connect(listener.getsockname())
        selector.register(client, WRITE)
        assert becomes(selector, {client: WRITE})
        assert client.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0


def test_a_refused_connect(selector: Any) -> None:
    """A refused connect is writable, and readable if asked for, and SO_ERROR says why."""
    with socket.socket() as nobody, socket.socket() as client:
        nobody.bind(("127.0.0.1", 0))
        client.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            client.connect(nobody.getsockname())
        selector.register(client, WRITE)
        assert becomes(selector, {client: WRITE})
        assert becomes(selector, {client: WRITE})
        selector.modify(client, READ | WRITE)
        assert becomes(selector, {client: READ | WRITE})
        error = client.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        assert samesock.error is OSError
        assert error in (111, 61, 10061)  # ECONNREFUSED of Linux, BSD, Winsock


def test_datagrams(selector: Any) -> None:
    """A UDP socket is writable at once, and readable while a datagram waits."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        one.bind(("127.0.0.1", 0))
        selector.register(one, READ | WRITE)
        assert becomes(selector, {one: WRITE})
        one.sendto(b"!", one.getsockname())
        assert becomes(selector, {one: READ | WRITE})
        assert one.recv(9) == b"!"
        assert becomes(selector, {one: WRITE})


@pytest.mark.needs("unix-stream")
def test_unix_sockets(selector: Any, socket_dir: Any) -> None:
    """samesock's own Unix sockets are told as others are, emulated listeners included."""
    path = str(socket_dir / "s")
    unix = samesock.AF_UNIX
    with samesock.socket(unix) as listener, samesock.socket(unix) as client:
        listener.bind(path)
        listener.listen(4)
        selector.register(listener, READ)
        assert told(selector) == {}
        client.connect(path)
        assert becomes(selector, {listener: READ})
        server, _ = listener.accept()
        with server:
            selector.register(server, READ)
            client.send(b"!")
            assert becomes(selector, {server: READ})
            assert server.recv(9) == b"!"
            client.close()
            assert becomes(selector, {server: READ})


def test_timeouts(selector: Any, pair: Any) -> None:
    """With nothing ready, 0 and less return at once, and a timeout is waited for in full, never less."""
    selector.register(pair[0], READ)
    begun = time.monotonic()
    assert selector.select(0) == []
    assert selector.select(-1) == []
    assert time.monotonic() - begun < SOON
    for seconds in (0.01, 0.12):
        begun = time.monotonic()
        assert selector.select(seconds) == []
        # Windows' clock has steps of 15.6 ms
        assert time.monotonic() - begun >= seconds - 0.016


def test_an_empty_selector_waits(selector: Any) -> None:
    """With nothing registered select() waits for its timeout all the same."""
    begun = time.monotonic()
    assert selector.select(0.1) == []
    assert time.monotonic() - begun >= 0.08


def test_waiting_for_ever(selector: Any, pair: Any) -> None:
    """Without a timeout select() waits until something is ready."""
    selector.register(pair[0], READ)
    with later(lambda: pair[1].send(b"!")):
        assert told(selector, None) == {pair[0]: READ}  # type: ignore[arg-type]


def test_many_ready_at_once(selector: Any) -> None:
    """Whatever is ready is told, however much it is, if not by one select then by the next ones."""
    with contextlib.ExitStack() as stack:
        readers = []
        for _ in range(60):
            one, other = socket.socketpair()
            stack.enter_context(one)
            stack.enter_context(other)
            selector.register(one, READ)
            other.send(b"!")
            readers.append(one)
        seen: set[Any] = set()
        deadline = time.monotonic() + SOON
        while len(seen) < 60 and time.monotonic() < deadline:
            for sock in told(selector, 1):
                sock.recv(1)
                seen.add(sock)
        assert seen == set(readers)
