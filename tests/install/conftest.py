"""What the tests of install() and of samesock.aio share: the standard library with it in force, loops, a stranger."""

from __future__ import annotations

import _socket
import asyncio
import socket
import ssl
import threading
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import pytest

import samesock
from samesock._install import needed

LOOPS = [
    name
    for name in ("ProactorEventLoop", "SelectorEventLoop")
    if issubclass(getattr(asyncio, name, int), asyncio.AbstractEventLoop)
]
SECONDS = 50.0


@pytest.fixture
def installed() -> Iterator[None]:
    """install() is in force, and undone afterwards."""
    samesock.install()
    yield
    samesock.uninstall()


@pytest.fixture
def gaps() -> None:
    """Only where install() has something to do."""
    if not needed():
        pytest.skip("the interpreter and the kernel have it all: unix-stream is native without samesock")


@pytest.fixture
def emulation() -> None:
    """Only where a Unix socket is made of TCP, so that a stranger can reach its port."""
    sock = samesock.socket(samesock.AF_UNIX)
    transport = sock.transport
    sock.close()
    if transport != "emulated":
        pytest.skip(f"unix-stream is {transport} here: there is no TCP port to reach")


def port_of(listener: Any) -> tuple[str, int]:
    """The TCP address under an emulated listener."""
    tcp = _socket.socket(_socket.AF_INET, _socket.SOCK_STREAM, 0, fileno=listener.fileno())
    try:
        return tcp.getsockname()
    finally:
        tcp.detach()


class Stranger:
    """A TCP client of the port under a listener, which says no hello but `data`."""

    def __init__(self, listener: Any, data: bytes) -> None:
        self.tcp = socket.create_connection(port_of(listener), timeout=SECONDS)
        if data:
            self.tcp.sendall(data)

    def is_refused(self) -> bool:
        """Wait for the answer: a reset, and not a byte. Other than that is a conversation."""
        try:
            return self.tcp.recv(1) == b""
        except ConnectionError:
            return True

    def close(self) -> None:
        """Go away."""
        self.tcp.close()


@pytest.fixture
def stranger() -> Iterator[Callable[..., Stranger]]:
    """Makes strangers, and sends them away afterwards."""
    made: list[Stranger] = []

    def make(listener: Any, data: bytes = b"GET / HTTP/1.0\r\n\r\n" * 8) -> Stranger:
        made.append(Stranger(listener, data))
        return made[-1]

    yield make
    for one in made:
        one.close()


Run = Callable[[Coroutine[Any, Any, Any]], Any]


@pytest.fixture(params=LOOPS)
def run(request: pytest.FixtureRequest) -> Iterator[Run]:
    """Runs a coroutine on a new loop of one kind; what the loop's exception handler was told fails the test."""
    loop = getattr(asyncio, request.param)()
    told: list[dict[str, Any]] = []
    loop.set_exception_handler(lambda _, context: told.append(context))
    threads = threading.active_count()

    def runner(coroutine: Coroutine[Any, Any, Any]) -> Any:
        return loop.run_until_complete(asyncio.wait_for(coroutine, SECONDS))

    runner.loop = loop  # type: ignore[attr-defined]
    runner.told = told  # type: ignore[attr-defined]
    yield runner
    if not loop.is_closed():
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.run_until_complete(loop.shutdown_default_executor())
        loop.close()
    assert told == []
    assert threading.active_count() <= threads + 1  # one may be tending a listener for 10 ms more


@pytest.fixture
def tls() -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """A server's and a client's context for the name unix.example."""
    pem = Path(__file__).with_name("unix-example.pem")
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(pem)
    client = ssl.create_default_context(cafile=str(pem))
    return server, client
