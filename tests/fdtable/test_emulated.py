"""Emulated Unix sockets in the descriptor table: what they are to their user, not what carries them."""

from __future__ import annotations

import pytest

import samesock
from samesock import fdtable


@pytest.fixture
def connection(socket_dir):
    """A listener, a client with a name, and the socket accepted for it."""
    if samesock.features()["unix-stream"] != "emulated":
        pytest.skip("unix-stream is not emulated (SAMESOCK_UNIX=emulated)")
    server_path, client_path = str(socket_dir / "server"), str(socket_dir / "client")
    with samesock.socket(samesock.AF_UNIX) as listener, samesock.socket(samesock.AF_UNIX) as client:
        listener.bind(server_path)
        listener.listen(5)
        client.bind(client_path)
        client.connect(server_path)
        server, _ = listener.accept()
        with server:
            yield listener, client, server, server_path, client_path


def test_an_emulated_socket_is_shown_as_a_unix_socket(connection):
    """Family, path and peer are the Unix socket's; `transport` tells that it is emulated."""
    listener, client, server, server_path, client_path = connection
    for sock, local, remote in (
        (listener, server_path, None),
        (client, client_path, server_path),
        (server, server_path, client_path),
    ):
        record = fdtable.describe(sock)
        assert record.socket.family == "AF_UNIX"
        assert record.socket.transport == "emulated"
        assert record.socket.local == local
        if remote is not None:
            assert record.socket.remote == remote
        assert record.path == local


def test_a_tcp_socket_stays_one(connection):
    """Other sockets on loopback are what they are."""
    with samesock.create_server(("127.0.0.1", 0)) as tcp:
        record = fdtable.describe(tcp)
        assert record.socket.family == "AF_INET"
        assert record.socket.local == tcp.getsockname()


def test_an_emulated_datagram_socket_is_shown_as_a_unix_socket(socket_dir):
    """Family, path and transport are the Unix socket's; so are those of the descriptor by which it sends."""
    if samesock.features()["unix-dgram"] != "emulated":
        pytest.skip("unix-dgram is not emulated (SAMESOCK_UNIX=emulated)")
    path = str(socket_dir / "d")
    before = fdtable.snapshot()
    with samesock.socket(samesock.AF_UNIX, samesock.SOCK_DGRAM) as sock:
        sock.bind(path)
        sock.sendto(b"x", path)
        record = fdtable.describe(sock)
        assert (record.socket.family, record.socket.type) == ("AF_UNIX", "SOCK_DGRAM")
        assert (record.socket.transport, record.socket.local, record.path) == ("emulated", path, path)
        known = {one.key for one in before}
        sockets = [one for one in fdtable.snapshot() if one.key not in known and one.kind == "socket"]
        assert [one.socket.family for one in sockets] == ["AF_UNIX"] * 2


def test_an_emulated_seqpacket_socket_is_shown_as_one(socket_dir):
    """Its type is the user's SOCK_SEQPACKET, not that of the TCP socket that carries it, on every end."""
    if samesock.features()["unix-seqpacket"] != "emulated":
        pytest.skip("unix-seqpacket is not emulated (SAMESOCK_UNIX=emulated)")
    path = str(socket_dir / "p")
    kind = samesock.SOCK_SEQPACKET
    with (
        samesock.socket(samesock.AF_UNIX, kind) as listener,
        samesock.socket(samesock.AF_UNIX, kind) as client,
    ):
        listener.bind(path)
        listener.listen(1)
        client.connect(path)
        server, _ = listener.accept()
        with server:
            shown = [fdtable.describe(sock).socket for sock in (listener, client, server)]
    assert [(one.family, one.type) for one in shown] == [("AF_UNIX", "SOCK_SEQPACKET")] * 3
