"""The name of a listener while the listener lives: unlinked, bound anew, shut down, and the ports behind it."""

from __future__ import annotations

import errno
import os
import socket as plain
import sys
import threading
from pathlib import Path

import pytest

import samesock
from faults.refusals import refused
from faults.strangers import RESET_ON_CLOSE, exchange, record_at
from samesock.unix.calls import calls


def test_path_is_bound_anew_while_the_first_lives(path: str, listener: samesock.socket) -> None:
    """After unlink the name is free at once: another socket takes it, and clients get to that one."""
    os.unlink(path)
    assert refused(path).errno == errno.ENOENT
    with samesock.socket(samesock.AF_UNIX) as second:
        second.bind(path)
        assert refused(path).errno == errno.ECONNREFUSED
        second.listen(8)
        second.settimeout(20)
        exchange(path, second)
        listener.setblocking(False)
        with pytest.raises(BlockingIOError):
            listener.accept()


def test_unlink_while_clients_read(path: str) -> None:
    """Binding, unlinking and binding again go on undisturbed while clients connect all the time: these are served,
    or refused, or find nothing; nothing else happens."""
    ending = threading.Event()
    strange: list[BaseException] = []

    def knock() -> None:
        while not ending.is_set():
            with samesock.socket(samesock.AF_UNIX) as client:
                client.settimeout(20)
                try:
                    client.connect(path)
                except (ConnectionRefusedError, FileNotFoundError):
                    pass
                except OSError as error:
                    strange.append(error)

    threads = [threading.Thread(target=knock) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(100):
            with samesock.socket(samesock.AF_UNIX) as listener:
                while True:
                    try:
                        listener.bind(path)
                        break
                    except OSError as error:
                        # Wine keeps an unlinked name until its last reader has closed it.
                        assert error.errno == errno.EADDRINUSE
                        assert not hasattr(os, "fork")
                listener.listen(8)
                os.unlink(path)
    finally:
        ending.set()
        for thread in threads:
            thread.join()
    assert not strange


def test_connecting_to_oneself(path: str, listener: samesock.socket) -> None:
    """A listener that connects to its own path is told EINVAL, a bound socket is refused; one thread can be both
    sides of a connection."""
    with pytest.raises(OSError) as caught:
        listener.connect(path)
    assert caught.value.errno == errno.EINVAL
    with samesock.socket(samesock.AF_UNIX) as bound:
        bound.bind(path + "2")
        with pytest.raises(ConnectionRefusedError):
            bound.connect(path + "2")
    listener.settimeout(20)
    exchange(path, listener)


def test_tcp_connected_to_itself(
    path: str, listener: samesock.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    """TCP on loopback can connect a socket to itself when a port is free; that is never taken for the listener."""
    monkeypatch.setattr(calls, "getsockname", lambda tcp: ("127.0.0.1", record_at(path).port))
    assert refused(path).errno == errno.ECONNREFUSED


def test_ports_are_used_up(path: str, listener: samesock.socket, monkeypatch: pytest.MonkeyPatch) -> None:
    """With no port left towards the listener, connect() takes another loopback address, and the server does not
    mind; with none there either, it says why and names the path."""
    connect_ex = calls.connect_ex
    codes = [errno.EADDRNOTAVAIL]
    sources = []

    def used_up(tcp: object, server: object) -> int:
        if codes:
            return codes.pop()
        code = int(connect_ex(tcp, server))  # type: ignore[arg-type]
        sources.append(calls.getsockname(tcp)[0])  # type: ignore[arg-type]
        return code

    monkeypatch.setattr(calls, "connect_ex", used_up)
    listener.settimeout(20)
    exchange(path, listener)
    assert sources[0] != "127.0.0.1"
    assert sources[0].startswith("127.")
    codes[:] = [errno.EADDRNOTAVAIL] * 2
    with samesock.socket(samesock.AF_UNIX) as client, pytest.raises(OSError) as caught:
        client.connect(path)
    assert caught.value.errno == errno.EADDRNOTAVAIL
    assert caught.value.filename == path


def test_shut_down_listener_refuses(path: str, listener: samesock.socket) -> None:
    """A listener that is shut down, as programs do to wake a thread in accept(), refuses at once."""
    listener.shutdown(samesock.SHUT_RDWR)
    assert refused(path).errno == errno.ECONNREFUSED


@pytest.mark.skipif(
    not hasattr(plain, "SO_PEERCRED"), reason="a table of sockets by exact query (sock_diag) is absent"
)
def test_client_is_not_taken_for_whoever_has_its_port(path: str, listener: samesock.socket) -> None:
    """A client that is gone is unknown, although somebody else listens on its port by now."""
    listener.settimeout(20)
    for _ in range(20):  # The system may give the port to a connection of another program, at any moment.
        with samesock.socket(samesock.AF_UNIX) as client:
            client.connect(path)
            served, _ = listener.accept()
            with served:
                assert samesock.peercred(served).uid == os.getuid()
                local = calls.getsockname(client)
                calls.setsockopt(client, plain.SOL_SOCKET, plain.SO_LINGER, RESET_ON_CLOSE)
                client.close()
                try:
                    other = plain.create_server(local)
                except OSError as taken:
                    assert taken.errno == errno.EADDRINUSE
                    continue
                with other:
                    who = samesock.peercred(served)
                assert who.uid is None
                assert who.trust == "claimed"
                return
    pytest.fail("the port of a client that was gone was never free")


@pytest.mark.skipif(sys.platform == "win32", reason="the system's own AF_UNIX is absent, to compare with")
@pytest.mark.parametrize("kind", [plain.SOCK_STREAM, plain.SOCK_DGRAM])
@pytest.mark.parametrize(
    "name",
    ["new/", "new//", "folder/", "file/", "to-folder/", "to-file/", "dangling/", "missing/new/", "file/new/"],
)
def test_a_slash_at_the_end(path: str, name: str, kind: int) -> None:
    """A name that ends in a slash is refused as the kernel refuses it, and nothing is made."""
    folder = os.path.dirname(path)
    os.mkdir(os.path.join(folder, "folder"))
    Path(folder, "file").write_bytes(b"as it was")
    for link, target in (("to-folder", "folder"), ("to-file", "file"), ("dangling", "nothing")):
        os.symlink(target, os.path.join(folder, link))
    there = sorted(os.listdir(folder))
    address = os.path.join(folder, name)
    with plain.socket(plain.AF_UNIX, kind) as kernels, samesock.socket(samesock.AF_UNIX, kind) as ours:
        with pytest.raises(OSError) as expected:
            kernels.bind(address)
        with pytest.raises(OSError) as caught:
            ours.bind(address)
        assert (caught.value.errno, caught.value.filename) == (expected.value.errno, address)
        assert type(caught.value) is type(expected.value)
    assert sorted(os.listdir(folder)) == there
    assert Path(folder, "file").read_bytes() == b"as it was"
