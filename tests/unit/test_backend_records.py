"""The rendezvous file and the life of its name, on this machine's backend: the same promises on every system."""

from __future__ import annotations

import contextlib
import errno
import os
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from samesock.backend import Hold, OpenRecord, system

RECORD = bytes(range(256))
ID = bytes(16)


@pytest.fixture
def holds() -> Iterator[contextlib.ExitStack]:
    """Where holds go that must be closed at the end, whatever happened."""
    with contextlib.ExitStack() as stack:
        yield stack


@pytest.fixture(name="id")
def new_id() -> bytes:
    """A fresh name for a life: names of lives are shared by all of a machine."""
    return os.urandom(16)


def create(path: Path, id: bytes, holds: contextlib.ExitStack, above: int = 0) -> Hold:
    """A new rendezvous file and its hold."""
    hold = system.create_record(os.fsencode(path), RECORD, id, above)
    holds.callback(hold.close)
    return hold


def opened(path: Path, holds: contextlib.ExitStack) -> OpenRecord:
    """The file as a client opens it."""
    record = system.open_record(os.fsencode(path))
    holds.callback(record.close)
    return record


@pytest.mark.parametrize("name", ["a.sock", "naïve-中文.sock", "with space", "x" * 60])
def test_written_and_read(socket_dir: Path, holds: contextlib.ExitStack, id: bytes, name: str) -> None:
    """The record is at the path as soon as the file is made, whatever its name is written in."""
    create(socket_dir / name, id, holds)
    assert (socket_dir / name).read_bytes() == RECORD
    assert opened(socket_dir / name, holds).data == RECORD


def test_mine_and_trusted(socket_dir: Path, holds: contextlib.ExitStack, id: bytes) -> None:
    """A file made here belongs to this user, who may trust it; a stranger does not own it."""
    create(socket_dir / "a.sock", id, holds)
    record = opened(socket_dir / "a.sock", holds)
    owner = record.owner()
    assert record.trusted()
    assert record.owned_by(owner)
    assert not record.owned_by(type(owner)())
    assert (owner.uid is None) != (owner.sid is None)


def test_existing_file_is_untouched(socket_dir: Path, holds: contextlib.ExitStack, id: bytes) -> None:
    """What is at the path already is EADDRINUSE, naming the path, and stays as it is, byte for byte."""
    path = socket_dir / "plain"
    path.write_bytes(b"somebody's work")
    with pytest.raises(OSError, match="plain") as caught:
        create(path, id, holds)
    assert caught.value.errno == errno.EADDRINUSE
    assert caught.value.filename == os.fspath(path)
    assert path.read_bytes() == b"somebody's work"


def test_existing_directory(socket_dir: Path, holds: contextlib.ExitStack, id: bytes) -> None:
    """A directory at the path is EADDRINUSE too."""
    (socket_dir / "folder").mkdir()
    with pytest.raises(OSError, match="folder") as caught:
        create(socket_dir / "folder", id, holds)
    assert caught.value.errno == errno.EADDRINUSE


def test_stale_file(socket_dir: Path, holds: contextlib.ExitStack, id: bytes) -> None:
    """A dead name is in use until it is unlinked, and free at once then."""
    path = socket_dir / "a.sock"
    create(path, id, holds).close()
    with pytest.raises(OSError, match=r"a\.sock") as caught:
        create(path, id, holds)
    assert caught.value.errno == errno.EADDRINUSE
    path.unlink()
    create(path, os.urandom(16), holds)


@pytest.mark.parametrize(
    ("name", "number"),
    [("nowhere/a.sock", errno.ENOENT), ("plain/a.sock", errno.ENOTDIR), ("plain/b/a.sock", errno.ENOTDIR)],
)
def test_bad_directory(
    socket_dir: Path, holds: contextlib.ExitStack, id: bytes, name: str, number: int
) -> None:
    """A missing directory is ENOENT, a file in a directory's place ENOTDIR: for bind and for connect."""
    (socket_dir / "plain").write_bytes(b"")
    path = socket_dir / name
    with pytest.raises(OSError, match=r"a\.sock") as caught:
        create(path, id, holds)
    assert (caught.value.errno, caught.value.filename) == (number, os.fspath(path))
    with pytest.raises(OSError, match=r"a\.sock") as caught:
        opened(path, holds)
    assert (caught.value.errno, caught.value.filename) == (number, os.fspath(path))


def test_nothing_there(socket_dir: Path, holds: contextlib.ExitStack) -> None:
    """A path where nothing is cannot be opened: ENOENT, a FileNotFoundError that names it."""
    with pytest.raises(FileNotFoundError, match=r"a\.sock") as caught:
        opened(socket_dir / "a.sock", holds)
    assert caught.value.filename == os.fspath(socket_dir / "a.sock")


def test_directory_there(socket_dir: Path, holds: contextlib.ExitStack) -> None:
    """Connecting to a directory is refused."""
    with pytest.raises(ConnectionRefusedError):
        opened(socket_dir, holds)


@pytest.mark.parametrize(("size", "read"), [(0, 0), (10, 10), (256, 256), (257, 257), (100_000, 257)])
def test_other_files(socket_dir: Path, holds: contextlib.ExitStack, size: int, read: int) -> None:
    """Of any file at most 257 bytes are read: enough to see that it is none of ours."""
    (socket_dir / "plain").write_bytes(b"x" * size)
    assert opened(socket_dir / "plain", holds).data == b"x" * read


def test_unlinked_while_read(socket_dir: Path, holds: contextlib.ExitStack, id: bytes) -> None:
    """While a client has the record, the path can be unlinked and bound again; the client keeps what it read."""
    path = socket_dir / "a.sock"
    create(path, id, holds).listen()
    record = opened(path, holds)
    path.unlink()
    create(path, os.urandom(16), holds)
    assert record.data == RECORD
    assert record.live(id)


def test_directory_can_be_removed(socket_dir: Path, holds: contextlib.ExitStack, id: bytes) -> None:
    """Nothing is left beside the file: once it is unlinked, its directory can be removed, listener or not."""
    folder = socket_dir / "folder"
    folder.mkdir()
    create(folder / "a.sock", id, holds).listen()
    (folder / "a.sock").unlink()
    folder.rmdir()


def test_life(socket_dir: Path, holds: contextlib.ExitStack, id: bytes) -> None:
    """A name lives from listen() to close(); calling either again changes nothing."""
    hold = create(socket_dir / "a.sock", id, holds)
    record = opened(socket_dir / "a.sock", holds)
    assert not record.live(id)
    for _ in range(2):
        hold.listen()
        assert record.live(id)
    for _ in range(2):
        hold.close()
        assert not record.live(id)


def test_copies(socket_dir: Path, holds: contextlib.ExitStack, id: bytes) -> None:
    """A name lives until the last copy of its hold is closed."""
    hold = create(socket_dir / "a.sock", id, holds)
    hold.listen()
    copy = hold.copy(0)
    holds.callback(copy.close)
    record = opened(socket_dir / "a.sock", holds)
    hold.close()
    assert record.live(id)
    copy.close()
    assert not record.live(id)


def test_adopted(socket_dir: Path, holds: contextlib.ExitStack, id: bytes) -> None:
    """A second holder keeps the life when the first is gone, and may have called listen() after it."""
    path = socket_dir / "a.sock"
    first = create(path, id, holds)
    first.listen()
    second = system.adopt_record(os.fsencode(path), RECORD, id, 0)
    holds.callback(second.close)
    second.listen()
    record = opened(path, holds)
    first.close()
    assert record.live(id)
    second.close()
    assert not record.live(id)


def test_revived(socket_dir: Path, holds: contextlib.ExitStack, id: bytes) -> None:
    """Who is handed a socket by a process that is gone already makes its name live again."""
    path = socket_dir / "a.sock"
    first = create(path, id, holds)
    first.listen()
    first.close()
    second = system.adopt_record(os.fsencode(path), RECORD, id, 0)
    holds.callback(second.close)
    second.listen()
    assert opened(path, holds).live(id)


@pytest.mark.parametrize("there", [None, b"", RECORD + b"x", RECORD[::-1]])
def test_not_adopted(socket_dir: Path, there: bytes | None) -> None:
    """A name whose file is gone or another one by now cannot be adopted: ENOENT or ESTALE."""
    path = socket_dir / "a.sock"
    if there is not None:
        path.write_bytes(there)
    with pytest.raises(OSError, match=r"a\.sock") as caught:
        system.adopt_record(os.fsencode(path), RECORD, ID, 0)
    assert caught.value.errno == (errno.ENOENT if there is None else errno.ESTALE)


HOLDER = """
    import os, sys
    sys.path[:] = eval(sys.argv[1])
    from samesock.backend import system
    hold = system.create_record(os.fsencode(sys.argv[2]), bytes(range(256)), bytes.fromhex(sys.argv[3]), 0)
    hold.listen()
    print("listening", flush=True)
    sys.stdin.read()
"""


def holder(path: Path, id: bytes) -> subprocess.Popen[str]:
    """Another process that holds the name, and lives until it is killed or its input ends."""
    command = [sys.executable, "-c", textwrap.dedent(HOLDER), repr(sys.path), os.fspath(path), id.hex()]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "listening\n"
    return process


@pytest.mark.parametrize("end", ["kill", "exit"])
def test_death(socket_dir: Path, holds: contextlib.ExitStack, id: bytes, end: str) -> None:
    """A life is seen from other processes, and ends with its process however that ends."""
    path = socket_dir / "a.sock"
    with holder(path, id) as process:
        record = opened(path, holds)
        assert record.live(id)
        assert record.trusted()
        if end == "kill":
            process.kill()
        else:
            assert process.stdin is not None
            process.stdin.close()
        process.wait(20)
    # A process can be waited for a little before the last of its kernel objects is gone.
    deadline = time.monotonic() + 5
    while record.live(id) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not record.live(id)
    assert path.read_bytes() == RECORD


def test_race(socket_dir: Path, holds: contextlib.ExitStack) -> None:
    """Of several that bind one path at the same moment, one wins, and the file is that one's."""
    for number in range(10):
        path = socket_dir / f"{number}.sock"
        gate = threading.Barrier(6)
        won: list[int] = []

        def bind(which: int, path: Path = path, gate: threading.Barrier = gate, won: list[int] = won) -> None:
            gate.wait()
            with contextlib.suppress(OSError):
                hold = system.create_record(os.fsencode(path), bytes([which]) * 256, bytes([which]) * 16, 0)
                holds.callback(hold.close)
                won.append(which)

        threads = [threading.Thread(target=bind, args=(which,)) for which in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(won) == 1
        assert path.read_bytes() == bytes(won) * 256


def test_private_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The private directory exists after it was asked for, and asking again gives the same one."""
    monkeypatch.setenv("LOCALAPPDATA", os.fspath(tmp_path))
    monkeypatch.setenv("XDG_RUNTIME_DIR", os.fspath(tmp_path))
    first = system.private_directory()
    assert os.path.isdir(first)
    assert system.private_directory() == first


def test_start_times() -> None:
    """A process has a start time that does not change; a younger one's is not less; one that is gone has none."""
    mine = system.start_time(os.getpid())
    assert mine is not None
    assert system.start_time(os.getpid()) == mine
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        childs = system.start_time(child.pid)
        assert childs is not None
        assert childs >= mine
        child.communicate(b"\n")
    assert system.start_time(child.pid) is None
