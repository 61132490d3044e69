"""What may lie at a path instead of a listener's own file: copies, links, FIFOs, folders, other programs' files."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

import samesock
from faults.refusals import bind_fails, refused
from faults.strangers import exchange
from samesock.backend import system

needs_fifo = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="os.mkfifo is absent")


def copied(path: str, change: Callable[[bytes], bytes]) -> str:
    """A file beside the path with the changed contents."""
    other = path + "-copy"
    Path(other).write_bytes(change(Path(path).read_bytes()))
    return other


CHANGES: dict[str, Callable[[bytes], bytes]] = {
    "as it is": lambda data: data,
    "empty": lambda data: b"",
    "cut in the magic": lambda data: data[:5],
    "cut in the secret": lambda data: data[:60],
    "one byte short": lambda data: data[:-1],
    "one byte more": lambda data: data + b"\0",
    "another secret": lambda data: data[:48] + bytes(32) + data[80:],
    "another port": lambda data: data[:14] + b"\x16\x00" + data[16:],
    "another program's": lambda data: b"#!/bin/sh\n",
    "large": lambda data: data * 4096,
}


@pytest.mark.parametrize("kind", CHANGES)
def test_copies_are_refused(path: str, listener: samesock.socket, kind: str) -> None:
    """A copy of a living listener's file, whole or not, is no socket; the original goes on.

    Where life is not a lock of the file's own, its owner's whole copy is as good as a link.
    """
    if kind == "as it is" and not hasattr(os, "register_at_fork"):
        pytest.skip("locks that belong to one file (fcntl) are absent")
    other = copied(path, CHANGES[kind])
    assert refused(other).errno == errno.ECONNREFUSED
    listener.settimeout(20)
    exchange(path, listener)


def test_another_realm_is_refused(
    path: str, listener: samesock.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file of another machine, or of another network namespace, is refused, though its port answers here."""
    realm = system.realm
    monkeypatch.setattr(system, "realm", lambda tcp: bytes(b ^ 1 for b in realm(tcp)))
    assert refused(path).errno == errno.ECONNREFUSED
    monkeypatch.undo()
    listener.settimeout(20)
    exchange(path, listener)


def links_work(target: str, path: str) -> bool:
    """Make a link; not every user may make one everywhere, and not every one can be followed (seen under Wine)."""
    try:
        os.symlink(target, path)
        return os.path.samefile(target, path)
    except OSError:
        return False


def test_renamed_and_linked(path: str, listener: samesock.socket) -> None:
    """The name may be changed, linked hard and softly: each leads to the listener, as on BSD."""
    listener.settimeout(20)
    os.link(path, path + "-hard")
    exchange(path + "-hard", listener)
    if links_work(path, path + "-soft"):
        exchange(path + "-soft", listener)
    os.rename(path, path + "-new")
    exchange(path + "-new", listener)
    assert refused(path).errno == errno.ENOENT
    with samesock.socket(samesock.AF_UNIX) as client:
        client.connect(path + "-new")
        assert client.getpeername() == path
        listener.accept()[0].close()


@needs_fifo
def test_fifo(path: str) -> None:
    """A FIFO is not waited for: connect is refused, bind is EADDRINUSE."""
    os.mkfifo(path)
    assert refused(path).errno == errno.ECONNREFUSED
    assert bind_fails(path) == errno.EADDRINUSE
    assert stat.S_ISFIFO(os.lstat(path).st_mode)


def test_directory(path: str) -> None:
    """A directory is refused, and cannot be bound."""
    os.mkdir(path)
    assert refused(path).errno == errno.ECONNREFUSED
    assert bind_fails(path) == errno.EADDRINUSE
    assert os.path.isdir(path)


@pytest.mark.skipif(not hasattr(os, "getuid"), reason="links by any user are absent")
def test_links_are_not_followed_by_bind(path: str) -> None:
    """A dangling link is EADDRINUSE to bind, which makes nothing at its end; connect finds nothing there."""
    os.symlink(path + "-target", path)
    assert bind_fails(path) == errno.EADDRINUSE
    assert not os.path.exists(path + "-target")
    assert refused(path).errno == errno.ENOENT
    os.symlink(path + "-loop", path + "-loop")
    assert refused(path + "-loop").errno == errno.ELOOP
    assert bind_fails(path + "-loop") == errno.EADDRINUSE


def test_other_programs_files_are_left_alone(path: str) -> None:
    """bind, connect and close leave a file at the path as it is: its bytes, its times, its mode."""
    Path(path).write_bytes(b"a letter\n" * 100)
    os.utime(path, (1, 1))
    before = os.stat(path)
    assert bind_fails(path) == errno.EADDRINUSE
    with samesock.socket(samesock.AF_UNIX) as client, pytest.raises(ConnectionRefusedError):
        client.connect(path)
    after = os.stat(path)
    assert Path(path).read_bytes() == b"a letter\n" * 100
    assert (after.st_mtime_ns, after.st_mode, after.st_size) == (
        before.st_mtime_ns,
        before.st_mode,
        before.st_size,
    )


def test_replaced_file_survives_close(path: str, listener: samesock.socket) -> None:
    """A listener whose path was given to another file does not touch that file when it closes."""
    os.unlink(path)
    Path(path).write_bytes(b"mine now")
    listener.close()
    assert Path(path).read_bytes() == b"mine now"
