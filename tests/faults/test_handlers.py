"""A signal's handler that uses the emulated Unix socket in whose call it runs: it works, or fails; nothing hangs.

Each test sends itself a real signal at a chosen moment of a call, or while it waits. A rescue ends the test if it
hangs all the same.
"""

from __future__ import annotations

import errno
import os
import signal
import socket as stdlib
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

import samesock
from samesock.unix import choosing, ends, passing, seqpacket

pytestmark = [
    pytest.mark.timeout(60),
    pytest.mark.skipif(
        choosing.transport() != "emulated" or not hasattr(signal, "pthread_kill"),
        reason="unix-stream is not emulated, or no signal reaches a thread (signal.pthread_kill)",
    ),
]

SIGNAL = getattr(signal, "SIGUSR1", signal.SIGTERM)


@contextmanager
def handled(action: Callable[[], object]) -> Iterator[list[object]]:
    """The signal's handler does that; what came of it is in the list."""
    outcome: list[object] = []

    def handle(*_: object) -> None:
        try:
            outcome.append(action())
        except OSError as error:
            outcome.append(error.errno)

    before = signal.signal(SIGNAL, handle)
    try:
        yield outcome
    finally:
        signal.signal(SIGNAL, before)


def strike() -> None:
    """Send the signal; its handler has run when this returns."""
    signal.pthread_kill(threading.main_thread().ident, SIGNAL)
    for _ in range(3):
        time.sleep(0)


def struck_in(monkeypatch: pytest.MonkeyPatch, owner: Any, name: str) -> None:
    """The signal comes once, right after that method's work, still inside the call."""
    genuine, left = getattr(owner, name), [1]

    def method(*arguments: Any, **named: Any) -> Any:
        result = genuine(*arguments, **named)
        if left and threading.current_thread() is threading.main_thread():
            left.pop()
            strike()
        return result

    monkeypatch.setattr(owner, name, method)


@contextmanager
def struck_after(seconds: float, then: Callable[[], object]) -> Iterator[None]:
    """The signal comes when the call waits, and after it what the call waits for."""

    def run() -> None:
        time.sleep(seconds)
        strike()
        time.sleep(seconds)
        then()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield
    finally:
        thread.join(20)


@pytest.fixture(params=["SOCK_STREAM", "SOCK_SEQPACKET"])
def pair(request: pytest.FixtureRequest, socket_dir: Path) -> Iterator[tuple[Any, Any]]:
    """Two ends of an emulated connection, of a stream and of packets."""
    kind = getattr(samesock, request.param)
    path = str(socket_dir / "s")
    with (
        samesock.socket(samesock.AF_UNIX, kind) as listener,
        samesock.socket(samesock.AF_UNIX, kind) as client,
    ):
        listener.bind(path)
        listener.listen(5)
        client.connect(path)
        with listener.accept()[0] as server:
            yield client, server


def is_stream(sock: Any) -> bool:
    return bool(sock.type == samesock.SOCK_STREAM)


def send(sock: Any, data: bytes) -> int:
    """Over a stream with a descriptor beside it: what goes without one is C's own send."""
    if not is_stream(sock):
        return int(sock.send(data))
    return int(samesock.send_fds(sock, [data], [0]))


def receive(sock: Any, size: int = 100, flags: int = 0) -> bytes:
    if not is_stream(sock):
        return bytes(sock.recv(size, flags))
    data, descriptors, _, _ = samesock.recv_fds(sock, size, 4, flags)
    for one in descriptors:
        os.close(one)
    return data


def fill(sock: Any) -> int:
    """Until there is no room for the least message, also after a while; how many large ones that took."""
    count = 0
    sock.settimeout(0.0)
    for size in (60000, 512):
        full = 0
        while full < 5:
            try:
                if size == 60000:
                    send(sock, b"f" * size)
                else:  # without a descriptor: there is a limit to those under way
                    sock.send(b"f" * size)
            except BlockingIOError:
                full += 1
                time.sleep(0.02)  # the kernel moves some on to the receiver's side
            else:
                full = 0
                count += size == 60000
    sock.settimeout(None)
    return count


@pytest.mark.parametrize(("timeout", "name"), [(None, "EDEADLK"), (20.0, "EDEADLK"), (0.0, "EAGAIN")])
def test_a_send_in_the_middle_of_a_send(
    pair: tuple[Any, Any], monkeypatch: pytest.MonkeyPatch, timeout: float | None, name: str
) -> None:
    """In the middle of a message no other one can begin: EDEADLK, or EAGAIN of a socket that never blocks."""
    client, server = pair
    client.settimeout(timeout)
    owner = passing.Passage if is_stream(client) else seqpacket.PacketEnd
    struck_in(monkeypatch, owner, "_send_frame")
    with handled(lambda: send(client, b"inner")) as outcome:
        send(client, b"outer")
    assert outcome == [getattr(errno, name)]
    send(client, b"next")
    server.settimeout(20)
    assert receive(server) == b"outer"
    assert receive(server) == b"next"


@pytest.mark.parametrize(("timeout", "name"), [(None, "EDEADLK"), (20.0, "EDEADLK"), (0.0, "EAGAIN")])
def test_a_recv_in_the_middle_of_a_recv(
    pair: tuple[Any, Any], monkeypatch: pytest.MonkeyPatch, timeout: float | None, name: str
) -> None:
    """In the middle of taking a message out, another recv is EDEADLK, or EAGAIN of a socket that never blocks."""
    client, server = pair
    for data in (b"first", b"second"):
        send(client, data)
    server.settimeout(20)
    samesock_wait(server)
    server.settimeout(timeout)
    owner = passing.Passage if is_stream(client) else seqpacket.PacketEnd
    struck_in(monkeypatch, owner, "_next")
    with handled(lambda: receive(server)) as outcome:
        assert receive(server) == b"first"
    assert outcome == [getattr(errno, name)]
    server.settimeout(20)
    assert receive(server) == b"second"


def samesock_wait(sock: Any) -> None:
    """Until there is something to receive."""
    end = time.monotonic() + 20
    while time.monotonic() < end:
        try:
            if sock.recv(1, samesock.MSG_PEEK):
                return
        except BlockingIOError:
            time.sleep(0.001)


def test_a_recv_while_a_recv_waits(pair: tuple[Any, Any]) -> None:
    """While a recv waits, a handler's own recv and send on the same socket do what they do anywhere."""
    client, server = pair

    def both() -> object:
        send(server, b"to the client")
        try:
            return receive(server, flags=samesock.MSG_DONTWAIT)
        except BlockingIOError:
            return "nothing"

    with handled(both) as outcome, struck_after(0.2, lambda: send(client, b"late")):
        assert receive(server) == b"late"
    assert outcome == ["nothing"]
    assert receive(client) == b"to the client"


def test_a_send_while_a_send_waits(pair: tuple[Any, Any]) -> None:
    """While a send waits for room, a handler's own send with MSG_DONTWAIT is EAGAIN, and its recv gives what came."""
    client, server = pair
    count = fill(client)
    send(server, b"to the client")

    def both() -> object:
        got = receive(client)
        try:
            if is_stream(client):
                client.sendmsg(
                    [b"x"], [(samesock.SOL_SOCKET, samesock.SCM_RIGHTS, b"\0\0\0\0")], samesock.MSG_DONTWAIT
                )
            else:
                client.send(b"x", samesock.MSG_DONTWAIT)
        except BlockingIOError:
            return got
        return "sent"

    got: list[int] = []

    def take() -> None:
        server.settimeout(20)
        while b"last" not in (data := receive(server, 65536)):
            got.append(len(data))

    with handled(both) as outcome, struck_after(0.3, take):
        send(client, b"last")
    assert outcome == [b"to the client"]
    assert sum(got) >= count * 60000 - 60000


def listening(path: Path) -> Any:
    listener = samesock.socket(samesock.AF_UNIX, samesock.SOCK_STREAM)
    listener.bind(str(path))
    listener.listen(5)
    return listener


def test_an_accept_in_the_middle_of_an_accept(socket_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While an accept judges a client, another one in its middle is EDEADLK, and loses nobody."""
    with listening(socket_dir / "s") as listener, samesock.socket(samesock.AF_UNIX) as client:
        client.connect(str(socket_dir / "s"))
        acceptor: Any = getattr(ends.get(listener), "_acceptor", None)
        struck_in(monkeypatch, acceptor, "_next")
        with handled(listener.accept) as outcome:
            server, _ = listener.accept()
        with server:
            client.send(b"x")
            assert server.recv(1) == b"x"
        assert outcome == [errno.EDEADLK]


def test_a_close_in_the_middle_of_an_accept(socket_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A handler may close the listener whose accept it came into, as servers do on SIGTERM; whoever waits is reset."""
    with listening(socket_dir / "s") as listener:
        with samesock.socket(samesock.AF_UNIX) as client, samesock.socket(samesock.AF_UNIX) as other:
            client.connect(str(socket_dir / "s"))
            other.connect(str(socket_dir / "s"))
            acceptor: Any = getattr(ends.get(listener), "_acceptor", None)
            struck_in(monkeypatch, acceptor, "_next")
            with handled(listener.close) as outcome:
                server, _ = listener.accept()
            with server:
                client.send(b"x")
                assert server.recv(1) == b"x"
            assert outcome == [None]
            other.settimeout(20)
            with pytest.raises(ConnectionResetError):
                other.recv(1)
        assert not any(thread.name.startswith("samesock-accept") for thread in threading.enumerate())


def test_the_sockets_are_emulated(pair: tuple[Any, Any]) -> None:
    """These tests are of the emulation: the descriptor is a TCP socket's."""
    with stdlib.socket(fileno=os.dup(pair[0].fileno())) as underneath:
        assert underneath.family == stdlib.AF_INET
