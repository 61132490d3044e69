"""Connecting an emulated Unix socket again, where the system cannot take a TCP connect back (Winsock), over libc."""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import samesock
from samesock.backend import system
from samesock.unix import choosing, connecting
from samesock.unix.calls import calls

pytestmark = pytest.mark.skipif(
    choosing.transport() != "emulated", reason="unix-stream is not emulated here (SAMESOCK_UNIX=emulated)"
)


@pytest.fixture
def path(socket_dir: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Where somebody listens; a full queue refuses, as Winsock's."""
    monkeypatch.setattr(system, "REFUSED_WHEN_FULL", True)
    return str(socket_dir / "s")


@pytest.fixture
def listen(path: str) -> Iterator[Callable[[], Any]]:
    """Make a listener at the path, in the place of an earlier one."""
    made: list[Any] = []

    def listener() -> Any:
        while made:
            made.pop().close()
        Path(path).unlink(missing_ok=True)
        made.append(samesock.socket(samesock.AF_UNIX, samesock.SOCK_STREAM))
        made[0].bind(path)
        made[0].listen(5)
        return made[0]

    yield listener
    while made:
        made.pop().close()


@pytest.mark.parametrize("code", [errno.ECONNREFUSED, errno.EAGAIN])
def test_a_new_listener_is_connected_to(
    path: str, listen: Callable[[], Any], monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    """While a connect waits for a full queue, its listener goes and another one takes the path: it reaches that one,
    whether the earlier try was refused or has failed since."""
    listen()
    genuine, tries = connecting._try_tcp, []

    def try_tcp(*arguments: Any) -> int:
        tries.append(arguments)
        if len(tries) > 1:
            return genuine(*arguments)
        listen()
        return code

    monkeypatch.setattr(connecting, "_try_tcp", try_tcp)
    if code == errno.EAGAIN:
        monkeypatch.setattr(connecting, "_has_failed", lambda *_: True)
    with samesock.socket(samesock.AF_UNIX, samesock.SOCK_STREAM) as client:
        client.settimeout(20)
        client.connect(path)
        assert client.getpeername() == path
    assert len(tries) == 2


def test_a_try_that_goes_on_is_told(
    path: str, listen: Callable[[], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """An earlier try to another listener that nothing ends is EALREADY."""
    listen()
    waits: list[float] = []

    def wait(readers: Any, writers: Any, timeout: float) -> set[int]:
        waits.append(timeout)
        return set()

    monkeypatch.setattr(connecting, "_try_tcp", lambda *_: (listen(), errno.EAGAIN)[1])
    with samesock.socket(samesock.AF_UNIX, samesock.SOCK_STREAM) as client:
        client.settimeout(20)
        monkeypatch.setattr(system, "wait", wait)
        with pytest.raises(OSError, match="still under way") as caught:
            client.connect(path)
    assert caught.value.errno == errno.EALREADY
    assert waits == [connecting.OVER_SECONDS]


def test_a_connection_to_somebody_else(
    path: str, listen: Callable[[], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the same socket has been connected elsewhere meanwhile, by another thread, connect() is refused, and that
    other listener gets not a byte; also where the peer's name is what tells that there is a connection."""
    listen()
    connect_ex = calls.connect_ex
    with socket.create_server(("127.0.0.1", 0)) as elsewhere:
        elsewhere.settimeout(20)

        def diverted(tcp: Any, _: Any) -> int:
            connect_ex(tcp, elsewhere.getsockname())
            return errno.EINPROGRESS

        monkeypatch.setattr(calls, "connect_ex", diverted)
        for early in (False, True):
            monkeypatch.setattr(system, "NAMED_EARLY", early)
            with samesock.socket(samesock.AF_UNIX, samesock.SOCK_STREAM) as client:
                client.settimeout(20)
                with pytest.raises(ConnectionRefusedError):
                    client.connect(path)
            with elsewhere.accept()[0] as other:
                other.settimeout(20)
                try:
                    assert other.recv(1) == b""
                except ConnectionResetError:
                    pass  # let go of at once


def test_whether_a_try_has_failed() -> None:
    """A try has failed when its socket has an error; one that is connected is let go of, and the connect refused."""
    with socket.socket() as gone:
        gone.bind(("127.0.0.1", 0))
        address = gone.getsockname()
    with socket.socket() as tcp:
        tcp.setblocking(False)
        tcp.connect_ex(address)
        # Linux refuses at once, and has told it: the error is scripted.
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(connecting.calls, "getsockopt", lambda *_: errno.ECONNREFUSED)
            assert connecting._has_failed(tcp, b"s", None)
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket() as tcp:
        tcp.connect(server.getsockname())
        with pytest.raises(ConnectionRefusedError):
            connecting._has_failed(tcp, b"s", None)


def test_a_life_that_only_seems(
    path: str, listen: Callable[[], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the first look is content with less (Windows), the second one decides, and nothing was sent before it."""
    listen()
    asked: list[str] = []

    def answer(name: str, result: bool) -> Callable[..., bool]:
        def asked_for(*_: object) -> bool:
            asked.append(name)
            return result

        return asked_for

    def send(*_: object) -> int:
        asked.append("send")
        return 0

    monkeypatch.setattr(system.OpenRecord, "seems_live", answer("seems", True))
    monkeypatch.setattr(system.OpenRecord, "live", answer("lives", False))
    monkeypatch.setattr(calls, "send", send)
    with samesock.socket(samesock.AF_UNIX, samesock.SOCK_STREAM) as client:
        client.settimeout(20)
        with pytest.raises(ConnectionRefusedError):
            client.connect(path)
    assert asked == ["seems", "lives"]


@pytest.mark.parametrize("timeout", [0, 0.2, None])
def test_a_port_that_never_answers(
    path: str, listen: Callable[[], Any], monkeypatch: pytest.MonkeyPatch, timeout: float | None
) -> None:
    """Who squats on a dead listener's port and name, and lets nobody's connection come about, keeps no client waiting:
    it is refused like any other that connects to the dead."""
    listen()
    monkeypatch.setattr(calls, "connect_ex", lambda *_: errno.EINPROGRESS)
    monkeypatch.setattr(connecting, "_settled", lambda *_, **__: errno.EAGAIN)
    monkeypatch.setattr(system.OpenRecord, "seems_live", lambda *_: True)
    monkeypatch.setattr(system.OpenRecord, "live", lambda *_: False)
    with samesock.socket(samesock.AF_UNIX, samesock.SOCK_STREAM) as client:
        client.settimeout(timeout)
        with pytest.raises(ConnectionRefusedError):
            client.connect(path)


def test_datagrams_are_sent_to_the_living_alone(socket_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A datagram's one look asks for all of it: a life that only seems is refused."""
    path = str(socket_dir / "d")
    with (
        samesock.socket(samesock.AF_UNIX, samesock.SOCK_DGRAM) as receiver,
        samesock.socket(samesock.AF_UNIX, samesock.SOCK_DGRAM) as sender,
    ):
        receiver.bind(path)
        monkeypatch.setattr(system.OpenRecord, "seems_live", lambda *_: True)
        monkeypatch.setattr(system.OpenRecord, "live", lambda *_: False)
        with pytest.raises(ConnectionRefusedError):
            sender.sendto(b"x", path)


@pytest.mark.parametrize(("first", "named"), [(errno.EINPROGRESS, 0), (errno.EALREADY, 1)])
def test_whose_connect_it_was(
    path: str, listen: Callable[[], Any], monkeypatch: pytest.MonkeyPatch, first: int, named: int
) -> None:
    """A connect that this call has begun leads where it was told to; of one that was under way before, the peer's name
    is asked for. (Where the name is there early, Winsock, it tells nothing of whether there is a connection.)"""
    listen()
    connect_ex, getpeername = calls.connect_ex, calls.getpeername
    codes: list[int] = []
    names: list[Any] = []

    def told(tcp: Any, server: Any) -> int:
        if codes:
            system.wait(
                [], [calls.fileno(tcp)], 20
            )  # a connect that takes its time is asked for in another way
        code = connect_ex(tcp, server)
        if not codes and code in connecting._PENDING:
            code = first
        codes.append(code)
        return code

    def asked(tcp: Any) -> Any:
        names.append(getpeername(tcp))
        return names[-1]

    monkeypatch.setattr(system, "NAMED_EARLY", True)
    monkeypatch.setattr(calls, "connect_ex", told)
    monkeypatch.setattr(calls, "getpeername", asked)
    with samesock.socket(samesock.AF_UNIX, samesock.SOCK_STREAM) as client:
        client.settimeout(20)
        client.connect(path)
    assert codes[0] == first
    assert codes[1] in connecting._CONNECTED
    assert len(names) == named


@pytest.mark.parametrize("named", [True, False], ids=["at once", "later"])
def test_connected_by_another_thread(
    path: str, listen: Callable[[], Any], monkeypatch: pytest.MonkeyPatch, named: bool
) -> None:
    """Where a peer's name is there with the connection (POSIX), a socket that another thread has let go and connected
    to somebody else, after this call had begun, is not taken for connected to where this call was told to."""
    listen()
    codes = [errno.EINPROGRESS]
    names: list[object] = [] if named else [OSError(errno.ENOTCONN, "not yet")]
    sent: list[object] = []

    def name(_: object) -> Any:
        answer = names.pop() if names else ("127.0.0.1", 1)
        if isinstance(answer, OSError):
            raise answer
        return answer

    monkeypatch.setattr(system, "NAMED_EARLY", False)
    monkeypatch.setattr(calls, "connect_ex", lambda *_: codes.pop() if codes else errno.EISCONN)
    monkeypatch.setattr(calls, "getsockname", lambda _: ("127.0.0.1", 2))
    monkeypatch.setattr(calls, "getpeername", name)
    monkeypatch.setattr(calls, "send", lambda *arguments: sent.append(arguments))
    with samesock.socket(samesock.AF_UNIX, samesock.SOCK_STREAM) as client:
        client.settimeout(20)
        with pytest.raises(ConnectionRefusedError):
            client.connect(path)
    assert sent == []


def test_closed_by_another_thread(
    path: str, listen: Callable[[], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A connect whose socket another thread closes is EBADF, whatever number the system has for that."""
    listen()
    settimeout = calls.settimeout

    def closed(tcp: Any, timeout: float | None) -> None:
        if calls.fileno(tcp) < 0:
            raise OSError(10038, "not a socket")
        settimeout(tcp, timeout)

    with samesock.socket(samesock.AF_UNIX, samesock.SOCK_STREAM) as client:

        def close(*_: object, **__: object) -> None:
            client.close()
            raise OSError(10038, "not a socket")

        monkeypatch.setattr(calls, "settimeout", closed)
        monkeypatch.setattr(connecting, "connect", close)
        with pytest.raises(OSError, match="closed socket") as caught:
            client.connect(path)
    assert caught.value.errno == errno.EBADF
