"""Windows, on whatever runs its programs: every kind of handle is classified, in every state, without blocking."""

from __future__ import annotations

import os
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from samesock import fdtable
from samesock.fdtable import ntquery, wording
from samesock.ffi import ntdll_handles

if sys.platform != "win32":
    pytest.skip("needs ntquery: there are no handles on this system", allow_module_level=True)

import _overlapped
import _winapi
import msvcrt

from consoles import console_input

pytestmark = pytest.mark.skipif(not ntquery.works(), reason="needs ntquery")


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as opened:
        yield opened


def words(thing: object, space: fdtable.Space | None = None) -> str:
    """The last column of what describe() says, after holding it against the snapshot and the key snapshot."""
    found = fdtable.describe(thing, space)
    listed = fdtable.snapshot().get(found.number, found.space)
    assert listed is not None
    assert (listed.kind, listed.identity, listed.socket) == (found.kind, found.identity, found.socket)
    assert fdtable.keys()[found.key] == found.identity
    return f"{found.kind}: {wording.what(found)}".split(", held by")[0]


def test_tcp_in_every_state(stack: ExitStack) -> None:
    """Never bound, bound, listening, connected, accepted, half-closed: each is named with its addresses and state."""
    plain = stack.enter_context(socket.socket())
    assert words(plain) == "socket: TCP CLOSE"
    bound = stack.enter_context(socket.socket())
    bound.bind(("127.0.0.1", 0))
    port = bound.getsockname()[1]
    assert words(bound) == f"socket: TCP 127.0.0.1:{port} CLOSE"
    bound.listen()
    assert words(bound) == f"socket: TCP 127.0.0.1:{port} LISTEN"
    client = stack.enter_context(socket.create_connection(("127.0.0.1", port)))
    mine = client.getsockname()[1]
    accepted = stack.enter_context(bound.accept()[0])
    assert words(client) == (
        f"socket: TCP 127.0.0.1:{mine} -> 127.0.0.1:{port} ESTABLISHED, peer socket {accepted.fileno():#x}"
    )
    client.shutdown(socket.SHUT_WR)
    deadline = time.monotonic() + 20
    while "CLOSE_WAIT" not in words(accepted) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert f"127.0.0.1:{port} -> 127.0.0.1:{mine} CLOSE_WAIT" in words(accepted)


def test_other_families(stack: ExitStack) -> None:
    """UDP never bound, bound and connected, and the same over IPv6."""
    assert words(stack.enter_context(socket.socket(type=socket.SOCK_DGRAM))) == "socket: UDP UNCONNECTED"
    bound = stack.enter_context(socket.socket(type=socket.SOCK_DGRAM))
    bound.bind(("127.0.0.1", 0))
    port = bound.getsockname()[1]
    assert words(bound) == f"socket: UDP 127.0.0.1:{port} UNCONNECTED"
    bound.connect(("127.0.0.1", 9))
    assert words(bound) == f"socket: UDP 127.0.0.1:{port} -> 127.0.0.1:9 ESTABLISHED"
    six = stack.enter_context(socket.socket(socket.AF_INET6, socket.SOCK_DGRAM))
    six.bind(("::1", 0))
    assert words(six) == f"socket: UDP6 [::1]:{six.getsockname()[1]} UNCONNECTED"
    listener = stack.enter_context(socket.create_server(("::1", 0), family=socket.AF_INET6))
    assert words(listener) == f"socket: TCP6 [::1]:{listener.getsockname()[1]} LISTEN"


def test_files_directories_and_devices(stack: ExitStack, tmp_path: Path) -> None:
    """A file and a directory have their paths, NUL is a character device, and access is what was granted."""
    file = stack.enter_context((tmp_path / "naïve").open("w"))
    assert words(file).startswith("file: ")
    found = fdtable.describe(file)
    assert found.path is not None
    assert Path(found.path).samefile(tmp_path / "naïve")
    assert (found.access, found.inheritable, found.space) == ("w", False, "fd")
    handle = _winapi.CreateFile(
        str(tmp_path), _winapi.GENERIC_READ, 0, 0, _winapi.OPEN_EXISTING, 0x02000000, 0
    )
    stack.callback(_winapi.CloseHandle, handle)
    assert words(handle, "handle").startswith("dir: ")
    null = os.open(os.devnull, os.O_RDONLY)
    stack.callback(os.close, null)
    assert words(null).startswith("char: ")


def test_pipes_and_named_pipes(stack: ExitStack) -> None:
    """Both ends of a pipe name each other, and both ends of a named pipe, with its name and which end each is."""
    reader, writer = os.pipe()
    stack.callback(os.close, reader)
    stack.callback(os.close, writer)
    assert words(reader).startswith("pipe: ")
    assert f"read end, peer {writer}" in words(reader)
    assert f"write end, peer {reader}" in words(writer)
    name = rf"\\.\pipe\samesock-{os.getpid()}"
    server = _winapi.CreateNamedPipe(
        name, _winapi.PIPE_ACCESS_DUPLEX | _winapi.FILE_FLAG_OVERLAPPED, 0, 1, 512, 512, 0, 0
    )
    stack.callback(_winapi.CloseHandle, server)
    rights = _winapi.GENERIC_READ | _winapi.GENERIC_WRITE
    client = _winapi.CreateFile(name, rights, 0, 0, _winapi.OPEN_EXISTING, 0, 0)
    stack.callback(_winapi.CloseHandle, client)
    # The leak check, if it is on, adds where it was opened.
    assert words(server, "handle").startswith(f"fifo: {name}, server end, peer handle {client:#x}")
    assert words(client, "handle").startswith(f"fifo: {name}, client end, peer handle {server:#x}")


def test_events_are_other(stack: ExitStack) -> None:
    """An event is listed as "other" with its type, and is no descriptor to the key snapshot."""
    event = (
        _winapi.CreateEventW(0, True, False, None) if hasattr(_winapi, "CreateEventW") else _create_event()
    )
    stack.callback(_winapi.CloseHandle, event)
    found = fdtable.snapshot().get(event, "handle")
    assert found is not None
    assert found.kind == "other"
    assert found.detail.startswith("Event")
    assert ("handle", event) not in fdtable.keys()  # noqa: SIM118


def _create_event() -> int:
    from samesock.ffi.kernel32 import kernel32

    return kernel32.CreateEventW(None, True, False, None)


def test_to_describe_one_asks_nothing_of_what_is_no_file(
    stack: ExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pipe's other end is looked for among Files: a lock is a handle too, and a program may have thousands."""
    event = _overlapped.CreateEvent(None, True, False, None)
    stack.callback(_winapi.CloseHandle, event)
    reading, writing = os.pipe()
    stack.callback(os.close, reading)
    stack.callback(os.close, writing)
    asked = []
    ask = ntdll_handles.query_object_name
    monkeypatch.setattr(
        ntdll_handles, "query_object_name", lambda handle: asked.append(handle) or ask(handle)
    )
    found = fdtable.describe(reading)
    assert found.peer is not None
    assert found.peer.number == writing
    assert {msvcrt.get_osfhandle(reading), msvcrt.get_osfhandle(writing)} <= {*asked}
    assert event not in asked
    fdtable.snapshot()
    assert event in asked


def test_a_number_in_two_spaces_is_settled_by_its_space(stack: ExitStack) -> None:
    """A bare number is a socket if it answers as one, else a CRT descriptor; space="handle" asks for the handle."""
    number = os.open(os.devnull, os.O_RDONLY)
    stack.callback(os.close, number)
    sock = stack.enter_context(socket.socket())
    assert fdtable.describe(sock.fileno()).space == "socket"
    assert fdtable.describe(number).space == "fd"
    handle = msvcrt.get_osfhandle(number)
    assert fdtable.describe(number, "fd").kind == "char"
    assert fdtable.describe(number).identity[-1] == handle
    with pytest.raises(OSError, match=f"{handle + 1} is not open"):
        fdtable.describe(handle + 1, "handle")  # handles are multiples of 4


def test_a_pipe_that_is_being_read_does_not_hang(stack: ExitStack) -> None:
    """While a thread waits in a read of a pipe, snapshot, keys and describe come back and still name the pipe."""
    reader, writer = os.pipe()
    stack.callback(os.close, writer)
    waiting = threading.Thread(target=os.read, args=(reader, 1), daemon=True)
    waiting.start()
    time.sleep(0.3)
    seen = fdtable.snapshot().get(reader, "fd")
    described = fdtable.describe(reader)
    listed = ("fd", reader) in fdtable.keys()  # noqa: SIM118
    os.write(writer, b"x")
    waiting.join()
    os.close(reader)
    assert seen is not None
    assert seen.kind == described.kind == "pipe"
    assert listed


@pytest.mark.console
def test_a_console_is_named() -> None:
    """A console's handles are of kind "console"."""
    with console_input() as console:
        assert words(console).startswith("console: ")
        number = os.open("CONOUT$", os.O_RDWR)
        try:
            assert words(number).startswith("console: ")
        finally:
            os.close(number)
