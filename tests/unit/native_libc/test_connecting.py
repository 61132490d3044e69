"""A conversation over native ends: names of all kinds, what accept gives, who the peer is."""

from __future__ import annotations

import _socket
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from samesock._address import LAYOUT
from unit.native_libc.both import Compare, Native, needs_unix, outcome

pytestmark = needs_unix


def test_a_conversation(compare: Compare) -> None:
    """bind, listen, connect, accept, data, end of stream, and all names are as the interpreter's."""

    def scenario(make: Any) -> Iterator[Any]:
        with make() as listener, make() as client:
            yield listener.getsockname()
            listener.bind("s")
            listener.listen(1)
            client.connect("s")
            server, name = listener.accept()
            with server:
                yield name
                yield listener.getsockname(), server.getsockname(), server.getpeername()
                yield client.getsockname(), client.getpeername()
                client.sendall(b"to")
                server.sendall(b"fro")
                yield server.recv(9), client.recv(9)
                client.shutdown(_socket.SHUT_WR)
                yield server.recv(9)
                client.close()
                yield server.getpeername()

    assert "s" in str(compare(scenario))


def test_names_of_all_kinds(compare: Compare) -> None:
    """Paths that are no ASCII, no text, of 107 bytes; bytes-like ones; bound clients: all come back alike."""

    def scenario(make: Any) -> Iterator[Any]:
        longest = "p" * (LAYOUT.room - 1)
        for name in ("é", b"\xff\xfe", "\udc80", longest, bytearray(b"array"), memoryview(b"view")):
            with make() as listener, make() as client:
                refused = outcome(lambda listener=listener, name=name: listener.bind(name))
                yield refused
                if refused is not None:
                    continue  # some file systems take text only
                listener.listen(1)
                client.bind("client")
                client.connect(name)
                server, peer = listener.accept()
                server.close()
                os.unlink("client")
                yield listener.getsockname(), client.getpeername(), peer

    compare(scenario)


def test_abstract_names(compare: Compare) -> None:
    """On Linux an abstract name is bytes, NULs included, and bind('') gets one."""
    if sys.platform != "linux":
        pytest.skip("unix-abstract: this kernel has no names without a file")

    def scenario(make: Any) -> Iterator[Any]:
        name = b"\0samesock\0%d%s" % (os.getpid(), make.__name__.encode())
        with make() as listener, make() as client, make() as auto:
            listener.bind(name)
            listener.listen(1)
            client.connect(name)
            server, peer = listener.accept()
            server.close()
            yield peer, listener.getsockname() == name, client.getpeername() == name
            auto.bind("")
            yield len(auto.getsockname()), auto.getsockname()[:1]

    assert compare(scenario)[1] == (6, b"\0")


def test_accepted_sockets(socket_dir: Path) -> None:
    """An accepted socket blocks and is not inherited, whatever its listener does and is."""
    with Native() as listener, Native() as client:
        listener.bind(str(socket_dir / "s"))
        listener.listen(1)
        listener.sock.setblocking(False)
        os.set_inheritable(listener.sock.fileno(), True)
        client.connect(str(socket_dir / "s"))
        number, _, _ = listener.end.accept(listener.sock)
        try:
            assert os.get_blocking(number)
            assert not os.get_inheritable(number)
        finally:
            os.close(number)


def test_peer_pid(socket_dir: Path) -> None:
    """The peer's process is the one that connected."""
    if not hasattr(_socket, "SO_PEERCRED"):
        pytest.skip("peercred: not by SO_PEERCRED here")
    with Native() as listener, Native() as client:
        listener.bind(str(socket_dir / "s"))
        listener.listen(1)
        client.connect(str(socket_dir / "s"))
        server, _ = listener.accept()
        with server:
            assert server.end.peercred(server.sock) == (os.getpid(), None, None, None, "kernel")
