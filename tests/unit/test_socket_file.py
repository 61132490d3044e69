"""`unix.socket_file`: on Windows a native socket's file is a reparse point that cannot be opened."""

from __future__ import annotations

import _socket
import errno
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from samesock.unix.socket_file import (
    ERROR_CANT_ACCESS_FILE,
    IO_REPARSE_TAG_AF_UNIX,
    absence,
    directory_absence,
    files,
    is_socket_file,
    remove_socket_file,
    socket_file_exists,
)
from unit.scripted import windows_error


class Status:
    """What os.lstat gives on Windows: a mode that says "file", and the tag."""

    def __init__(self, tag: int) -> None:
        self.st_mode = 0o100666
        self.st_reparse_tag = tag


class Entry:
    """What os.scandir gives on Windows: the tag is in the listing."""

    def __init__(self, name: str, tag: int) -> None:
        self.name = name
        self.tag = tag

    def stat(self, *, follow_symlinks: bool) -> Status:
        assert not follow_symlinks
        return Status(self.tag)


class Listing(list[Entry]):
    """A directory's listing."""

    def __enter__(self) -> Iterator[Entry]:
        return iter(self)

    def __exit__(self, *error: object) -> None:
        pass


def refuse(*arguments: object) -> Any:
    """How Windows answers what would open a socket's file."""
    raise windows_error(ERROR_CANT_ACCESS_FILE)


@pytest.fixture
def tagged(socket_dir: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The path of a file that looks like a Windows socket's to lstat."""
    path = socket_dir / "s"
    path.touch()
    real = os.lstat

    def lstat(name: str) -> Any:
        status = real(name)
        return Status(IO_REPARSE_TAG_AF_UNIX) if os.path.basename(name).startswith("s") else status

    monkeypatch.setattr(files, "lstat", lstat)
    return str(path)


@pytest.fixture
def closed(socket_dir: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The same where not even lstat gets at it: error 1920; its tag is in the directory's listing alone."""
    path = socket_dir / "s"
    path.touch()
    real = os.lstat
    monkeypatch.setattr(files, "lstat", lambda name: refuse() if name == str(path) else real(name))
    listing = Listing([Entry("a", 0), Entry("s", IO_REPARSE_TAG_AF_UNIX)])
    monkeypatch.setattr(files, "scandir", lambda directory: listing)
    return str(path)


# ---- the look


@pytest.mark.skipif(not hasattr(_socket, "AF_UNIX"), reason="unix-stream: the interpreter has no AF_UNIX")
def test_a_real_one(socket_dir: Path) -> None:
    """A bound socket's file is there, is a socket, and is removed, whether it is open or stale."""
    path = str(socket_dir / "s")
    for keep in (True, False):
        sock = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
        sock.bind(path)
        if not keep:
            sock.close()
        assert socket_file_exists(path)
        assert is_socket_file(path)
        remove_socket_file(path)
        assert not socket_file_exists(path)
        sock.close()


def test_what_is_none(socket_dir: Path) -> None:
    """A plain file and a directory are there and are no sockets; nothing is neither."""
    plain = socket_dir / "plain"
    plain.touch()
    assert [socket_file_exists(str(path)) for path in (plain, socket_dir, socket_dir / "no")] == [
        True,
        True,
        False,
    ]
    assert [is_socket_file(str(path)) for path in (plain, socket_dir, socket_dir / "no")] == [False] * 3


def test_by_its_tag(tagged: str) -> None:
    """On Windows the reparse tag tells a socket's file."""
    assert socket_file_exists(tagged)
    assert is_socket_file(tagged)


def test_cannot_be_accessed(closed: str) -> None:
    """Error 1920 means that something is there; whether it is a socket is read in the directory's listing."""
    assert socket_file_exists(closed)
    assert is_socket_file(closed)


def test_cannot_be_accessed_and_is_something_else(
    closed: str, socket_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Error 1920 alone makes no socket: by another tag, or without a listing, it is none."""
    for listing in (Listing([Entry("s", 0x8000001B)]), Listing([Entry("t", IO_REPARSE_TAG_AF_UNIX)])):
        monkeypatch.setattr(files, "scandir", lambda directory, listing=listing: listing)
        assert not is_socket_file(closed)
    monkeypatch.setattr(files, "scandir", refuse)
    assert not is_socket_file(closed)


def test_absence(socket_dir: Path) -> None:
    """Nothing at a path is ENOENT, and ENOTDIR below a file; a directory that is none is told apart."""
    (socket_dir / "file").touch()
    root = str(socket_dir)
    assert absence(f"{root}/no") == "ENOENT"
    assert absence(f"{root}/no/no") == "ENOENT"
    assert absence(f"{root}/file/x") == "ENOTDIR"
    assert absence(f"{root}/file/x/y") == "ENOTDIR"
    assert absence(f"{root}/file") is None
    assert directory_absence(f"{root}/x") is None
    assert directory_absence(f"{root}/file/x") == "ENOTDIR"
    assert directory_absence(f"{root}/no/x") == "ENOENT"
    assert directory_absence("x") is None


def test_absence_is_certain(socket_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What cannot be looked at counts as being there."""

    def lstat(name: str) -> Any:
        raise PermissionError(errno.EACCES, "scripted")

    monkeypatch.setattr(files, "lstat", lstat)
    assert absence(str(socket_dir / "x")) is None


# ---- the removal


def test_a_plain_file_stays(socket_dir: Path) -> None:
    """A file that is no socket is never removed: ENOTSOCK, and it is left byte for byte."""
    path = socket_dir / "plain"
    path.write_bytes(b"precious")
    with pytest.raises(OSError, match="left as it is") as caught:
        remove_socket_file(str(path))
    assert caught.value.errno == errno.ENOTSOCK
    assert caught.value.filename == str(path)
    assert path.read_bytes() == b"precious"


def test_nothing_to_remove(socket_dir: Path) -> None:
    """Removing what is not there is ENOENT, as unlink says."""
    with pytest.raises(FileNotFoundError) as caught:
        remove_socket_file(str(socket_dir / "no"))
    assert caught.value.filename == str(socket_dir / "no")


def test_unlink(tagged: str) -> None:
    """A socket's file is unlinked."""
    remove_socket_file(tagged)
    assert not os.path.lexists(tagged)


def test_renamed_aside(tagged: str, socket_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where Windows refuses to unlink it, it is renamed in its directory, so that the name is free."""
    monkeypatch.setattr(files, "unlink", refuse)
    remove_socket_file(tagged)
    assert not os.path.lexists(tagged)
    (aside,) = socket_dir.iterdir()
    assert aside.name.startswith("s.")


def test_renamed_and_removed(tagged: str, socket_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was renamed is unlinked where that works then."""
    real = os.unlink
    monkeypatch.setattr(files, "unlink", lambda path: refuse() if path == tagged else real(path))
    remove_socket_file(tagged)
    assert list(socket_dir.iterdir()) == []


def test_cannot_be_removed(tagged: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where neither works the error names the path and the way that is known; nothing else is tried."""
    monkeypatch.setattr(files, "unlink", refuse)
    monkeypatch.setattr(files, "rename", refuse)
    with pytest.raises(OSError, match="renaming its directory") as caught:
        remove_socket_file(tagged)
    assert caught.value.winerror == ERROR_CANT_ACCESS_FILE
    assert caught.value.filename == tagged
    assert os.path.lexists(tagged)


def test_posix_refusal(tagged: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """An unlink that POSIX refuses is told as it is, and no renaming is tried."""

    def deny(path: str) -> None:
        raise PermissionError(errno.EACCES, "scripted", path)

    monkeypatch.setattr(files, "unlink", deny)
    with pytest.raises(PermissionError, match="scripted"):
        remove_socket_file(tagged)
    assert os.path.lexists(tagged)
