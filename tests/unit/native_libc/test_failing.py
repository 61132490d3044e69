"""Calls of native ends that fail: names that are none, the wrong order, closed sockets, and what an error says."""

from __future__ import annotations

import _socket
import errno
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from unit.native_libc.both import Compare, Native, needs_unix, outcome

pytestmark = needs_unix

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
