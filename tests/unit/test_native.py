"""`unix.native` over libc: the same calls on the same structure, against a real kernel.

Each scenario is played twice, by the interpreter's own AF_UNIX sockets and by native ends; every outcome
(result, or type of exception and errno) must be the same.
"""

from __future__ import annotations

import _socket
import errno
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import samesock
from samesock._address import LAYOUT
from samesock.unix import native
from samesock.unix._native_calls import libc_calls
from samesock.unix.native import NativeEnd

pytestmark = pytest.mark.skipif(
    not hasattr(_socket, "AF_UNIX"),
    reason="unix-stream: the interpreter has no AF_UNIX of its own to compare with",
)


class Native:
    """A socket that is addressed by a native end only, with the standard library's methods."""

    def __init__(self, number: int | None = None, end: NativeEnd | None = None) -> None:
        self.sock = _socket.socket(1, _socket.SOCK_STREAM, 0, fileno=number)
        self.end = NativeEnd(libc_calls()) if end is None else end

    def __enter__(self) -> Native:  # noqa: PYI034  (Self is newer than 3.10)
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def __getattr__(self, name: str) -> Any:
        method = getattr(self.end, name, None)
        if method is None:
            return getattr(self.sock, name)
        return lambda *arguments: method(self.sock, *arguments)

    def listen(self, backlog: int = 128) -> None:
        self.end.listen(self.sock, backlog)

    def accept(self) -> tuple[Native, str | bytes]:
        number, end, name = self.end.accept(self.sock)
        return Native(number, end), name

    def close(self) -> None:
        self.end.close(self.sock)


class Stdlib(socket.socket):
    """The interpreter's own."""

    def __init__(self) -> None:
        super().__init__(1, _socket.SOCK_STREAM)


MAKERS: list[Any] = [Stdlib, Native]


def outcome(call: Callable[[], Any]) -> Any:
    """What a call gives: its result, or the type of its exception and the errno."""
    try:
        result = call()
    except (OSError, TypeError, ValueError, OverflowError) as error:
        return type(error), getattr(error, "errno", None)
    return None if hasattr(result, "fileno") else result


def compare(
    scenario: Callable[[Any], Iterator[Any]], directory: Path, monkeypatch: pytest.MonkeyPatch
) -> list[Any]:
    """Play a scenario by both, each in a directory of its own; the outcomes, which must be the same."""
    both = []
    for maker in MAKERS:
        where = directory / maker.__name__
        where.mkdir()
        monkeypatch.chdir(where)
        both.append(list(scenario(maker)))
    monkeypatch.chdir(directory)
    assert both[0] == both[1]
    return both[1]


Compare = Callable[[Callable[[Any], Iterator[Any]]], list[Any]]


@pytest.fixture(name="compare")
def _compare(socket_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Compare:
    return lambda scenario: compare(scenario, socket_dir, monkeypatch)


# ---- what works


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


# ---- modes


def test_nothing_to_accept(compare: Compare) -> None:
    """accept of nothing is BlockingIOError without blocking, TimeoutError after a timeout."""

    def scenario(make: Any) -> Iterator[Any]:
        with make() as listener:
            listener.bind("s")
            listener.listen(1)
            listener.settimeout(0.0)
            yield outcome(listener.accept)
            listener.settimeout(0.05)
            start = time.monotonic()
            yield outcome(listener.accept)
            assert time.monotonic() - start >= 0.045

    assert compare(scenario) == [(BlockingIOError, errno.EAGAIN), (TimeoutError, None)]


def test_timed_out_says_so(socket_dir: Path) -> None:
    """The TimeoutError has the standard library's words."""
    with Native() as listener:
        listener.bind(str(socket_dir / "s"))
        listener.listen(1)
        listener.settimeout(0.01)
        with pytest.raises(TimeoutError, match=r"^timed out$"):
            listener.accept()


def test_full_queue(compare: Compare) -> None:
    """connect to a full queue fails at once, also with a timeout, and works when there is room."""

    def scenario(make: Any) -> Iterator[Any]:
        with make() as listener, make() as late:
            listener.bind("s")
            listener.listen(0)
            early = []
            late.settimeout(0.0)
            while True:
                client = make()
                early.append(client)
                client.settimeout(0.0)
                last = outcome(lambda client=client: client.connect("s"))
                if last is not None:
                    break
            yield len(early), last
            late.settimeout(0.05)
            yield outcome(lambda: late.connect("s"))
            listener.accept()[0].close()
            yield outcome(lambda: late.connect("s"))
            for client in early:
                client.close()

    compare(scenario)


def test_non_blocking_connect(compare: Compare) -> None:
    """A non-blocking connect is done when it returns."""

    def scenario(make: Any) -> Iterator[Any]:
        with make() as listener, make() as client:
            listener.bind("s")
            listener.listen(1)
            client.settimeout(0.0)
            yield outcome(lambda: client.connect("s"))
            yield client.getpeername()

    assert compare(scenario) == [None, "s"]


def test_blocking_calls_leave_others_running(socket_dir: Path) -> None:
    """While one thread blocks in accept, the rest of the program runs."""
    path = str(socket_dir / "s")
    names: list[str | bytes] = []

    def serve() -> None:
        server, name = listener.accept()
        server.close()
        names.append(name)

    with Native() as listener, Native() as client:
        listener.bind(path)
        listener.listen(1)
        thread = threading.Thread(target=serve)
        thread.start()
        time.sleep(0.05)
        client.connect(path)
        thread.join(10)
    assert names == [""]


def test_connect_blocks_while_the_queue_is_full(socket_dir: Path) -> None:
    """A blocking connect to a full queue waits until somebody is accepted, where the kernel's does."""
    path = str(socket_dir / "s")
    with Native() as listener, Native() as first, Native() as probe, Native() as late:
        listener.bind(path)
        listener.listen(0)
        first.connect(path)
        probe.settimeout(0.0)
        if outcome(lambda: probe.connect(path)) != (BlockingIOError, errno.EAGAIN):
            pytest.skip("unix-stream: this kernel does not wait for a full queue")

        def accept() -> None:
            listener.accept()[0].close()

        accepted = threading.Timer(0.1, accept)
        accepted.start()
        start = time.monotonic()
        late.connect(path)
        assert time.monotonic() - start > 0.05
        accepted.join(10)


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="interrupt: no interval timer to interrupt with")
def test_interrupted(socket_dir: Path) -> None:
    """A signal does not make a blocking accept fail; its handler runs, and may end the call by raising."""
    path = str(socket_dir / "s")
    seen: list[str] = []

    def quiet(*signal: object) -> None:
        seen.append("quiet")

    def loud(*signal: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, quiet)
    try:
        with Native() as listener, Native() as client:
            listener.bind(path)
            listener.listen(1)
            signal.setitimer(signal.ITIMER_REAL, 0.02, 0.02)

            def connect() -> None:
                time.sleep(0.2)
                signal.setitimer(signal.ITIMER_REAL, 0)
                client.connect(path)

            thread = threading.Thread(target=connect)
            thread.start()
            listener.accept()[0].close()
            thread.join(10)
            assert len(seen) > 1
            signal.signal(signal.SIGALRM, loud)
            signal.setitimer(signal.ITIMER_REAL, 0.02)
            with pytest.raises(KeyboardInterrupt):
                listener.accept()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


# ---- what fails


BAD_NAMES: list[Any] = [
    1,
    None,
    1.5,
    ("a",),
    Path("p"),
    "p" * 108,
    b"p" * 109,
    b"\0" + b"a" * 108,
    "\ud800",
    "no/x",
    "no/no/x",
    "file/x",
    "file",
    ".",
    "stale",
    "dangling",
    "closed/x",
    "/",
]


@pytest.mark.parametrize("name", BAD_NAMES, ids=repr)
@pytest.mark.parametrize("call", ["bind", "connect"])
def test_bad_input(compare: Compare, call: str, name: Any) -> None:
    """Wrong types, names too long, missing directories, files, stale sockets, dangling links: the exception's
    type and errno are the interpreter's, and what is there stays as it is."""

    def scenario(make: Any) -> Iterator[Any]:
        Path("file").write_bytes(b"precious")
        with make() as stale:
            stale.bind("stale")
        Path("dangling").symlink_to("nothing")
        Path("closed").mkdir(mode=0)
        with make() as sock:
            yield outcome(lambda: getattr(sock, call)(name))
            yield sock.getsockname()
        yield sorted(os.listdir()), Path("file").read_bytes()

    compare(scenario)


def test_connect_to_what_is_bound_only(compare: Compare) -> None:
    """A socket that is bound and does not listen refuses."""

    def scenario(make: Any) -> Iterator[Any]:
        with make() as bound, make() as client:
            bound.bind("s")
            yield outcome(lambda: client.connect("s"))

    assert compare(scenario) == [(ConnectionRefusedError, errno.ECONNREFUSED)]


def test_bad_order(compare: Compare) -> None:
    """Calls in the wrong state give the interpreter's errors, and a refused socket can be connected after that."""

    def scenario(make: Any) -> Iterator[Any]:
        with make() as sock, make() as listener, make() as client:
            yield outcome(sock.listen)
            yield outcome(sock.accept)
            yield outcome(sock.getpeername)
            sock.bind("a")
            yield outcome(lambda: sock.bind("b"))
            yield outcome(lambda: sock.bind("a"))
            yield outcome(sock.accept)
            yield outcome(sock.getpeername)
            listener.bind("s")
            yield outcome(lambda: client.connect("s"))
            listener.listen(5)
            yield outcome(listener.getpeername)
            yield outcome(lambda: client.connect("s"))
            yield outcome(lambda: client.connect("s"))
            yield outcome(lambda: client.connect("nowhere"))
            yield outcome(lambda: listener.connect("s"))
            yield outcome(lambda: client.listen(1))
            yield outcome(lambda: client.bind("late")), client.getsockname()

    found = compare(scenario)
    assert (OSError, errno.EISCONN) in found
    assert (OSError, errno.ENOTCONN) in found


def test_closed(compare: Compare) -> None:
    """On a closed socket every call is EBADF, but a wrong type is still a TypeError."""

    def scenario(make: Any) -> Iterator[Any]:
        sock = make()
        sock.close()
        yield outcome(lambda: sock.bind("s"))
        yield outcome(lambda: sock.connect("s"))
        yield outcome(lambda: sock.connect(1))
        yield outcome(lambda: sock.listen(1))
        yield outcome(sock.accept)
        yield outcome(sock.getsockname)
        yield outcome(sock.getpeername)
        yield outcome(lambda: sock.setsockopt(_socket.SOL_SOCKET, _socket.SO_REUSEADDR, 1))
        yield outcome(lambda: sock.getsockopt(_socket.SOL_SOCKET, _socket.SO_REUSEADDR))

    assert (OSError, errno.EBADF) in compare(scenario)


def test_errors_name_the_path(socket_dir: Path) -> None:
    """An error of bind or connect says what was tried, and its filename is the path."""
    path = str(socket_dir / "no" / "s")
    with Native() as sock:
        for call, tried in ((sock.bind, "binding a Unix socket"), (sock.connect, "connecting a Unix socket")):
            with pytest.raises(FileNotFoundError, match=tried) as caught:
                call(path)
            assert caught.value.filename == path


def test_embedded_nul(socket_dir: Path) -> None:
    """A NUL inside a path is a ValueError, where the interpreter cuts the path there; no file is made."""
    with Native() as sock:
        for call in (sock.bind, sock.connect):
            with pytest.raises(ValueError, match="embedded null byte"):
                call(str(socket_dir / "a") + "\0b")
    assert list(socket_dir.iterdir()) == []


def test_audit_events(socket_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """bind and connect raise the audit events that the interpreter's own raise."""
    seen: list[Any] = []
    monkeypatch.setattr(sys, "audit", lambda *event: seen.append(event))
    path = str(socket_dir / "s")
    with Native() as listener, Native() as client:
        listener.bind(path)
        listener.listen(1)
        client.connect(path)
        assert seen == [("socket.bind", listener.sock, path), ("socket.connect", client.sock, path)]


# ---- options


@pytest.mark.parametrize("option", ["SO_REUSEADDR", "SO_KEEPALIVE"])
@pytest.mark.parametrize(
    "value", [0, 1, 7, True, b"", b"1", b"\1\0\0\0", bytes(8), None, "1", 1.5, 1 << 40], ids=repr
)
def test_options(compare: Compare, option: str, value: Any) -> None:
    """An option that is not passed down is taken, refused and answered as the kernel does."""
    number = getattr(_socket, option)
    with Stdlib() as probe:
        probe.setsockopt(_socket.SOL_SOCKET, number, 1)
        if probe.getsockopt(_socket.SOL_SOCKET, number) != 1:
            pytest.skip("unix-stream: this kernel answers a switch with its bit, which is not what was set")

    def scenario(make: Any) -> Iterator[Any]:
        with make() as sock:
            yield outcome(lambda: sock.getsockopt(_socket.SOL_SOCKET, number))
            yield outcome(lambda: sock.setsockopt(_socket.SOL_SOCKET, number, value))
            for length in ((), (0,), (1,), (4,), (8,), (1025,), (-1,)):
                yield outcome(lambda length=length: sock.getsockopt(_socket.SOL_SOCKET, number, *length))

    compare(scenario)


def test_option_without_a_value(compare: Compare) -> None:
    """setsockopt with None and a length is the kernel's EFAULT."""

    def scenario(make: Any) -> Iterator[Any]:
        with make() as sock:
            yield outcome(lambda: sock.setsockopt(_socket.SOL_SOCKET, _socket.SO_KEEPALIVE, None, 4))

    compare(scenario)


def test_other_options(compare: Compare) -> None:
    """Every other option is the kernel's, its errors included."""

    def scenario(make: Any) -> Iterator[Any]:
        with make() as sock:
            yield outcome(lambda: sock.getsockopt(_socket.SOL_SOCKET, _socket.SO_TYPE))
            yield outcome(lambda: sock.getsockopt(_socket.SOL_SOCKET, _socket.SO_ERROR))
            yield outcome(lambda: sock.getsockopt(_socket.SOL_SOCKET, 9999))
            yield outcome(lambda: sock.setsockopt(_socket.SOL_SOCKET, 9999, 1))
            yield outcome(lambda: sock.setsockopt(_socket.IPPROTO_TCP, _socket.TCP_NODELAY, 1))

    compare(scenario)


# ---- the probe


def test_probe(socket_dir: Path) -> None:
    """`works` finds out by doing, and leaves nothing behind."""
    assert native.works(str(socket_dir)) is True
    assert list(socket_dir.iterdir()) == []


def test_probe_where_nothing_can_be_made(socket_dir: Path) -> None:
    """A directory that is missing, or too long for a socket's path, is one where native does not work."""
    assert native.works(str(socket_dir / "no")) is False
    deep = socket_dir / ("d" * 100)
    deep.mkdir()
    assert native.works(str(deep)) is False
    assert list(deep.iterdir()) == []


# ---- the library above

PROGRAM = """
from samesock.unix import choosing
choosing.transport = lambda: "native"
import asyncio, sys, threading
import samesock as socket

path = sys.argv[1]

def echo(listener):
    sock, name = listener.accept()
    with sock, sock.makefile("rb") as stream:
        assert (name, sock.transport) == ("", "native")
        sock.sendall(stream.readline())

def number_of(sock):
    with sock:
        return sock.detach()

with socket.create_server(path + "1", family=socket.AF_UNIX) as listener:
    thread = threading.Thread(target=echo, args=(listener,))
    thread.start()
    client = socket.socket(socket.AF_UNIX)
    assert client.connect_ex(path + "1") == 0
    with client.dup() as twin, socket.socket(fileno=number_of(client)) as client:
        assert client.transport == twin.transport == "native"
        assert client.getpeername() == twin.getpeername() == path + "1"
        client.sendall(b"hello\\n")
        assert client.recvfrom(6) == (b"hello\\n", path + "1")
    thread.join()

async def main():
    async def serve(reader, writer):
        writer.write(await reader.readline())
        writer.close()

    server = await asyncio.start_unix_server(serve, sock=socket.create_server(path + "2", family=socket.AF_UNIX))
    client = socket.socket(socket.AF_UNIX)
    client.setblocking(False)
    await asyncio.get_running_loop().sock_connect(client, path + "2")
    reader, writer = await asyncio.open_unix_connection(sock=client)
    writer.write(b"hello\\n")
    assert await reader.readline() == b"hello\\n"
    writer.close()
    server.close()

asyncio.run(main())
print("done")
"""


def test_the_library_over_native_ends(socket_dir: Path) -> None:
    """With native ends below it, the library's own socket serves threads, duplicates, numbers and asyncio."""
    # "emulated" is what makes samesock.socket ask for an end at all; the program then has it take a native one.
    environment = {
        **os.environ,
        "SAMESOCK_UNIX": "emulated",
        "PYTHONPATH": str(Path(samesock.__file__).parents[1]),
    }
    child = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(socket_dir / "s")],
        env=environment,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert (child.stdout, child.stderr) == ("done\n", "")
