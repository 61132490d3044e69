"""install() and uninstall(): what appears in the standard library, what stays as it was, and what comes back."""

from __future__ import annotations

import _socket
import asyncio
import copy
import multiprocessing.connection
import os
import pickle
import socket
import socketserver
import subprocess
import sys
import textwrap
import threading
from pathlib import Path
from typing import Any

import pytest

import samesock
from samesock import _install
from samesock._install import eventloops, sockets
from samesock.unix import choosing

MODULES = [socket, asyncio, asyncio.streams, socketserver, multiprocessing.connection, os, socket.socket]


def everything() -> dict[str, object]:
    """All attributes that install() could change, the lists among them as they are now."""
    owners: list[Any] = [*MODULES, *eventloops.loop_classes(), socket.AddressFamily]
    owners += [
        getattr(asyncio, "IocpProactor", object),
        *(cls.__mro__[1] for cls in eventloops.loop_classes()),
    ]
    found: dict[str, object] = {}
    for owner in owners:
        for name, value in vars(owner).items():
            plain = isinstance(value, list | set | tuple) or name in ("_member_map_", "_value2member_map_")
            found[f"{owner!r}.{name}"] = copy.copy(value) if plain else value
    return {key: value for key, value in found.items() if "__annotations" not in key and "_abc_" not in key}


@pytest.mark.usefixtures("installed")
def test_constant_and_enumeration() -> None:
    """AF_UNIX is a member of AddressFamily, by name, value and iteration, and the same object as samesock's."""
    assert socket.AF_UNIX is samesock.AF_UNIX
    assert socket.AddressFamily(int(samesock.AF_UNIX)) is socket.AF_UNIX
    assert socket.AddressFamily["AF_UNIX"] is socket.AF_UNIX
    assert socket.AddressFamily.AF_UNIX is socket.AF_UNIX
    assert list(socket.AddressFamily).count(socket.AF_UNIX) == 1
    assert socket.AF_UNIX in socket.AddressFamily
    assert socket.AF_UNIX.name == "AF_UNIX"
    assert repr(socket.AF_UNIX) == "<AddressFamily.AF_UNIX: 1>"
    assert pickle.loads(pickle.dumps(socket.AF_UNIX)) is socket.AF_UNIX
    assert "AF_UNIX" in socket.__all__
    assert {socket.AF_UNIX: 1}[samesock.AF_UNIX] == 1


@pytest.mark.usefixtures("installed")
def test_all_names_of_asyncio() -> None:
    """Whoever finds AF_UNIX finds asyncio's Unix functions, and every loop has the methods."""
    for name in ("open_unix_connection", "start_unix_server"):
        assert getattr(asyncio, name) is getattr(asyncio.streams, name)
        assert name in asyncio.streams.__all__
    for loop in eventloops.loop_classes():
        for name in ("create_unix_connection", "create_unix_server"):
            assert getattr(loop, name) is not getattr(asyncio.AbstractEventLoop, name)


@pytest.mark.usefixtures("installed")
def test_names_of_servers() -> None:
    """socketserver's Unix classes and multiprocessing's family are there, although both were imported before."""
    assert issubclass(socketserver.UnixStreamServer, socketserver.TCPServer)
    assert socketserver.UnixStreamServer.address_family is socket.AF_UNIX
    assert issubclass(socketserver.UnixDatagramServer, socketserver.UDPServer)
    assert issubclass(socketserver.ThreadingUnixStreamServer, socketserver.UnixStreamServer)
    assert issubclass(socketserver.ThreadingUnixDatagramServer, socketserver.ThreadingMixIn)
    assert set(socketserver.__all__) >= {"UnixStreamServer", "ThreadingUnixStreamServer"}
    assert "AF_UNIX" in multiprocessing.connection.families


def test_undone_completely() -> None:
    """After uninstall() every attribute of what was changed is the object that it was before."""
    samesock.uninstall()
    before = everything()
    samesock.install()
    samesock.uninstall()
    after = everything()
    assert after.keys() == before.keys()
    assert {k: v for k, v in after.items() if v is not before[k] and v != before[k]} == {}


@pytest.mark.usefixtures("gaps")
def test_twice_is_once() -> None:
    """A second install() changes nothing, and one uninstall() undoes both; a second one is harmless."""
    before = everything()
    samesock.install()
    once = everything()
    samesock.install()
    assert everything() == once
    samesock.uninstall()
    assert everything() == before
    samesock.uninstall()


@pytest.mark.usefixtures("gaps")
def test_from_many_threads() -> None:
    """install() from many threads at once installs once; uninstall() likewise."""
    before = everything()
    for function in (samesock.install, samesock.uninstall):
        barrier = threading.Barrier(8)

        def work(function: Any = function, barrier: threading.Barrier = barrier) -> None:
            barrier.wait()
            function()

        threads = [threading.Thread(target=work) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert _install.installed() == (function is samesock.install)
    assert everything() == before


@pytest.mark.usefixtures("gaps")
def test_all_or_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """If one part cannot be changed, install() says why and nothing is changed."""
    from samesock._install import constants

    def fails(patches: object) -> None:
        raise RuntimeError("no")

    before = everything()
    monkeypatch.setattr(constants, "apply", fails)
    with pytest.raises(RuntimeError, match="no"):
        samesock.install()
    assert everything() == before
    assert not _install.installed()


@pytest.mark.usefixtures("gaps")
def test_later_changes_of_others_stay() -> None:
    """uninstall() leaves alone what somebody else has put in the place of ours since."""
    samesock.install()
    other = object()
    original = socket.socket.connect
    try:
        socket.socket.connect = other  # type: ignore[assignment,method-assign]
        samesock.uninstall()
        assert socket.socket.connect is other
    finally:
        if "connect" in vars(socket.socket):
            del socket.socket.connect
    assert socket.socket.connect is not original
    assert socket.socket.connect is _socket.socket.connect


@pytest.mark.usefixtures("installed")
def test_inet_data_methods_are_c() -> None:
    """An INET socket's data goes through C's own methods: no Python frame is added."""
    for name in sockets.DATA_METHODS:
        if name in vars(_socket.socket):
            assert getattr(socket.socket, name) is getattr(_socket.socket, name)


def test_inert_where_nothing_is_missing() -> None:
    """Where the interpreter and the kernel have it all and nothing is forced, install() changes nothing at all."""
    if not choosing.interpreter_has_unix():
        pytest.skip("unix-stream is not the interpreter's own here")
    code = """
        import socket, asyncio, os, samesock
        before = dict(vars(socket.socket)), socket.socketpair, os.stat, dict(vars(asyncio.SelectorEventLoop))
        samesock.install()
        assert before == (dict(vars(socket.socket)), socket.socketpair, os.stat, dict(vars(asyncio.SelectorEventLoop)))
    """
    environment = {k: v for k, v in os.environ.items() if k != "SAMESOCK_UNIX"}
    environment["PYTHONPATH"] = str(Path(samesock.__file__).parents[1])
    subprocess.run([sys.executable, "-c", textwrap.dedent(code)], check=True, env=environment)


@pytest.mark.usefixtures("gaps")
def test_import_alone_changes_nothing() -> None:
    """`import samesock` neither imports asyncio nor adds AF_UNIX to the standard library."""
    code = """
        import sys, socket
        before = dict(vars(socket)), dict(vars(socket.socket))
        there = {*sys.modules}  # What measures this process, as coverage, may have multiprocessing already.
        import samesock
        assert before == (dict(vars(socket)), dict(vars(socket.socket)))
        assert not {"asyncio", "multiprocessing"} & {*sys.modules} - there
    """
    environment = dict(os.environ, PYTHONPATH=str(Path(samesock.__file__).parents[1]))
    subprocess.run([sys.executable, "-c", textwrap.dedent(code)], check=True, env=environment)
