"""Many sockets: no limit of 512, and a cost that does not grow with those that are idle."""

from __future__ import annotations

import contextlib
import socket
import sys
import time
from typing import Any

import pytest
from selectors_shared import READ, SOON, WRITE, becomes, told

from samesock import selectors


def _datagrams(count: int, stack: Any) -> list[Any]:
    made = []
    for _ in range(count):
        sock = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        sock.bind(("127.0.0.1", 0))
        made.append(sock)
    return made


@pytest.fixture
def many_files() -> Any:
    """As many descriptors as this process may have."""
    if sys.platform == "win32":
        yield 1 << 20
        return
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    yield hard
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_five_thousand_sockets(stack: Any, many_files: int) -> None:
    """5,000 sockets are waited for at once; one that is ready is told alone, and all of them when all are."""
    if many_files < 5200:
        pytest.skip(f"select-socket: this process may open {many_files} descriptors")
    socks = _datagrams(5000, stack)
    with selectors.DefaultSelector() as selector:
        for sock in socks:
            selector.register(sock, READ)
        assert told(selector) == {}
        for sock in (socks[0], socks[2500], socks[-1]):
            sock.sendto(b"!", sock.getsockname())
            assert becomes(selector, {sock: READ})
            sock.recv(9)
            assert told(selector) == {}
        for sock in socks:
            selector.modify(sock, WRITE)
        seen: set[Any] = set()
        deadline = time.monotonic() + 3 * SOON
        while len(seen) < len(socks) and time.monotonic() < deadline:
            for sock in told(selector, 1):
                seen.add(sock)
                selector.modify(sock, READ)
        assert seen == set(socks)
        for sock in socks:
            selector.unregister(sock)
        assert len(selector.get_map()) == 0


def test_registering_again_and_again(selector: Any, pair: Any) -> None:
    """Hundreds of turns of register, wait, unregister leave nothing behind."""
    pair[1].send(b"!")
    for _ in range(300):
        selector.register(pair[0], READ | WRITE)
        selector.select(0)
        selector.unregister(pair[0])
    assert told(selector) == {}
    selector.register(pair[0], READ)
    assert becomes(selector, {pair[0]: READ})


def test_closing_with_all_of_them_armed() -> None:
    """A selector can be closed, and its sockets after it or before, while hundreds are waited for."""
    for early in (False, True):
        with contextlib.ExitStack() as stack:
            socks = _datagrams(300, stack)
            selector = selectors.DefaultSelector()
            for sock in socks:
                selector.register(sock, READ)
            assert told(selector) == {}
            if early:
                stack.close()
            selector.close()
