"""What was opened on the way to something that then fails is closed again, and the error comes through."""

from __future__ import annotations

import _socket
import asyncio
import errno
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import samesock
from samesock import _server_path, _waking, aio, fd
from samesock import selectors as ours
from samesock.backend import system
from samesock.leaks import no_leaks
from samesock.unix import choosing, datagram, emulated, ends, frames, making, outbox, pair, passed


class Refused(BaseException):
    """What no code handles."""


def refuse(*_: Any, **__: Any) -> Any:
    """Fail."""
    raise Refused


needs_emulation = pytest.mark.skipif(
    choosing.transport() == "kernel", reason="unix-dgram is native here (SAMESOCK_UNIX=emulated)"
)


# ---- servers and endpoints


def test_a_servers_socket_that_cannot_be_bound(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever ends the binding of a server's socket, the socket is closed."""
    made: list[Any] = []

    class Sock(samesock.socket):
        __slots__ = ()

        def bind(self, address: Any, /) -> None:
            made.append(self)
            refuse()

    monkeypatch.setattr(_server_path, "socket", Sock)
    with pytest.raises(Refused):
        _server_path.bound(path, None)
    assert made[0].fileno() == -1


def test_a_server_that_does_not_start(path: str) -> None:
    """create_unix_server() with a backlog that is none raises TypeError, and its socket is closed."""

    async def serve() -> None:
        with pytest.raises(TypeError):
            await aio.create_unix_server(asyncio.get_running_loop(), asyncio.Protocol, path, backlog="x")

    with no_leaks():
        asyncio.run(serve())


def test_an_endpoint_that_is_cancelled(path: str) -> None:
    """A task that is cancelled while it makes a datagram endpoint closes it again."""
    lost: list[Exception | None] = []

    class Protocol(asyncio.DatagramProtocol):
        def connection_lost(self, exc: Exception | None) -> None:
            lost.append(exc)

    async def make() -> None:
        making = asyncio.ensure_future(
            aio.create_unix_datagram_endpoint(asyncio.get_running_loop(), Protocol, path)
        )
        await asyncio.sleep(0)
        making.cancel()
        with pytest.raises(asyncio.CancelledError):
            await making
        await asyncio.sleep(0.05)

    with no_leaks():
        asyncio.run(make())
        assert lost == [None]


def test_a_listener_of_anyios_that_cannot_listen(path: str) -> None:
    """create_unix_listener() with a backlog that is none raises TypeError, and its socket is closed."""
    anyio = pytest.importorskip("anyio", reason="absent here: anyio")
    from samesock.anyio import create_unix_listener

    async def listen() -> None:
        with pytest.raises(TypeError):
            await create_unix_listener(path, backlog=None)  # type: ignore[arg-type]

    with no_leaks():
        anyio.run(listen)


# ---- descriptors


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="FIFOs are emulated here")
def test_a_fifo_that_is_none_once_it_is_open(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What took the FIFO's place between the look and the open is closed again: EINVAL."""
    fifo, plain = tmp_path / "fifo", tmp_path / "plain"
    fd.mkfifo(fifo)
    plain.touch()
    open_it = os.open
    monkeypatch.setattr(os, "open", lambda path, flags: open_it(plain if path == str(fifo) else path, flags))
    with no_leaks(), pytest.raises(OSError, match="FIFO") as caught:
        fd.open_fifo(fifo, "r")
    assert caught.value.errno == errno.EINVAL


def test_a_sockets_file_of_a_mode_that_there_is_not() -> None:
    """fdopen() of a socket with a wrong mode is ValueError: the socket is still open, and no duplicate of it is."""

    class Holder:
        """Not a socket, but it has one's number."""

        def __init__(self, number: int) -> None:
            self.number = number

        def fileno(self) -> int:
            return self.number

    one, other = samesock.socketpair()
    with one, other, no_leaks():
        for thing in (Holder(one.fileno()), one.fileno()):
            with pytest.raises(ValueError, match="mode"):
                fd.fdopen(thing, "q")
            assert fd.is_open(one)


@pytest.mark.skipif(not hasattr(os, "waitid"), reason="select-process: needs os.waitid")
def test_a_process_that_cannot_be_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """A selector that cannot take a process in keeps nothing of it."""
    with (
        subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child,
        ours.DefaultSelector() as selector,
    ):
        monkeypatch.setattr(type(selector), "add", refuse)
        with no_leaks(), pytest.raises(Refused):
            selector.register(child, ours.EVENT_READ)  # type: ignore[arg-type]


def test_the_last_caller_leaves_in_between(monkeypatch: pytest.MonkeyPatch) -> None:
    """A call that ends just as its closer gives up, and so saw nothing to close, leaves the number closed."""
    sock = samesock.socket()
    number = fd.Descriptor(sock.fileno(), "socket")
    answers = iter([[1], [], []])
    monkeypatch.setattr(_waking, "others_in", lambda _: next(answers))
    monkeypatch.setattr(_waking, "HAND_OVER_SECONDS", 0.0)
    _waking.wake(sock, lambda *_: None)
    assert not fd.is_open(number)
    assert sock.fileno() == -1
    assert not _waking.orphans


# ---- the emulation


@needs_emulation
def test_a_datagram_socket_that_cannot_be_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    """A datagram socket that gets no port is closed."""
    monkeypatch.setattr(datagram.DatagramEnd, "open", refuse)
    with no_leaks(), pytest.raises(Refused):
        samesock.socket(samesock.AF_UNIX, samesock.SOCK_DGRAM)


def test_an_outbox_that_cannot_be_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    """A sending socket that gets no port is closed."""
    made: list[Any] = []

    def prepare(udp: Any) -> None:
        made.append(udp)
        refuse()

    monkeypatch.setattr(system, "prepare_listener", prepare)
    with pytest.raises(Refused):
        outbox.Outbox()
    assert made[0].fileno() == -1


def held(monkeypatch: pytest.MonkeyPatch, listen: Callable[[], None] | None) -> list[Any]:
    """The holds that are made from now on and are not closed yet; `listen` is what each does then."""
    open_holds: list[Any] = []
    create = system.create_record

    class Hold:
        """One of the system's."""

        def __init__(self, genuine: Any) -> None:
            self.genuine = genuine
            open_holds.append(self)

        def listen(self) -> None:
            if listen is not None:
                listen()
            self.genuine.listen()

        def close(self) -> None:
            self.genuine.close()
            open_holds.remove(self)

        def __getattr__(self, name: str) -> Any:
            return getattr(self.genuine, name)

    monkeypatch.setattr(system, "create_record", lambda *arguments: Hold(create(*arguments)))
    return open_holds


@needs_emulation
def test_a_name_that_cannot_be_held(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A datagram socket whose name cannot be held has none: its file is gone, and it can be bound again."""
    with samesock.socket(samesock.AF_UNIX, samesock.SOCK_DGRAM) as sock:
        with monkeypatch.context() as patch:
            open_holds = held(patch, refuse)
            with pytest.raises(Refused):
                sock.bind(path)
            assert not open_holds
        assert not os.path.lexists(path)
        assert not sock.getsockname()
        sock.bind(path)
        assert sock.getsockname() == path


def test_a_pair_of_datagram_sockets_that_do_not_find_each_other(
    monkeypatch: pytest.MonkeyPatch, socket_dir: Path
) -> None:
    """Where the second of a pair cannot be connected, sockets, holds and files of both are gone."""
    open_holds = held(monkeypatch, None)
    monkeypatch.setattr(datagram.DatagramEnd, "forget_names", refuse)
    monkeypatch.setattr(system, "private_directory", lambda: str(socket_dir))
    with no_leaks(), pytest.raises((Refused, OSError)):
        pair.make_datagrams()
    assert not open_holds
    assert not list(socket_dir.iterdir())


@needs_emulation
def test_a_peer_whose_path_is_anothers_now(path: str) -> None:
    """A connected datagram socket that comes back in another process, and whose peer's path is another's by now, does
    not send to that other one, and holds nothing of its file."""
    with (
        samesock.socket(samesock.AF_UNIX, samesock.SOCK_DGRAM) as sock,
        samesock.socket(samesock.AF_UNIX, samesock.SOCK_DGRAM) as stranger,
    ):
        with samesock.socket(samesock.AF_UNIX, samesock.SOCK_DGRAM) as peer:
            peer.bind(path)
            sock.connect(path)
        os.unlink(path)
        stranger.bind(path)
        stranger.settimeout(0)
        end: Any = ends.get(sock)
        blob = end.export()
        assert blob is not None
        with no_leaks():
            number = _socket.dup(sock.fileno())
            with making.adopted(samesock.socket, number, emulated.restored(number, blob)) as again:
                again.send(b"for the one that was")
            with pytest.raises(BlockingIOError):
                stranger.recv(100)


def test_a_state_that_is_none() -> None:
    """A descriptor that comes with bytes that are no state is closed: ValueError."""
    with samesock.socket() as sock, no_leaks():
        number = _socket.dup(sock.fileno())
        with pytest.raises(ValueError):
            emulated.restored(number, b"no state")
        assert not fd.is_open(fd.Descriptor(number, "socket"))


def test_a_passed_handle_that_gets_no_descriptor(monkeypatch: pytest.MonkeyPatch) -> None:
    """A handle that was passed and for which the C runtime has no descriptor left is closed: EMFILE."""
    from samesock.fd import state

    closed: list[tuple[str, int]] = []

    class Passing:
        """As Windows' is."""

        NEEDS_TARGET = True

        def close(self, space: str, number: int) -> None:
            closed.append((space, number))

    def full(_: Any) -> Any:
        raise OSError(errno.EMFILE, "no descriptor left")

    monkeypatch.setattr(system, "passing", Passing())
    monkeypatch.setattr(state, "from_handle", full)
    with pytest.raises(OSError, match="no descriptor left"):
        passed.usable(frames.Record("fd", b"", b""), 0x1234)
    assert closed == [("handle", 0x1234)]
    assert passed.usable(frames.Record("socket", b"", b""), 8) == fd.Descriptor(8, "socket")
    assert passed.usable(frames.Record("handle", b"", b""), 8) == fd.Descriptor(8, "handle")
