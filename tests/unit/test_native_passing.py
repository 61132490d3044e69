"""Descriptor passing over native ends, whose connections have no key of their own: over libc, against a real kernel.

The descriptors themselves go by the backend of this system, so what is shown is the key that is published."""

from __future__ import annotations

import _socket
import errno
import os
import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from samesock.backend import system
from samesock.unix import choosing, dispatch, frames, making, passing_keys
from samesock.unix._native_calls import libc_calls
from samesock.unix.calls import calls
from samesock.unix.native import NativeEnd

pytestmark = [
    pytest.mark.skipif(
        not hasattr(_socket, "AF_UNIX"), reason="unix-stream: native ends run here over the kernel's own"
    ),
    pytest.mark.skipif(
        not getattr(system.passing, "may_fetch", lambda: True)(),
        reason="passing: nothing here gets at another process's descriptors",
    ),
]


@pytest.fixture(autouse=True)
def taken_back() -> Iterator[None]:
    """What a test has offered and nobody has taken would be kept while this process lives, which may be its taker."""
    yield
    offers = getattr(system.passing, "_in_flight", [])
    while offers:
        offers.pop().revoke()


@pytest.fixture
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's private directory, for this test alone."""
    monkeypatch.setattr(system, "private_directory", lambda: str(tmp_path))
    return tmp_path


class Side:
    """One end of a connection."""

    def __init__(self, sock: _socket.socket) -> None:
        self.sock = sock
        self.end = NativeEnd(libc_calls())
        sock.settimeout(20)

    def send(self, data: bytes, *things: int) -> int:
        return dispatch.send_message(self.sock, self.end, [data], things, 0)

    def receive(self, size: int, most: int = 4) -> tuple[bytes, list[int], int]:
        return dispatch.receive_message(self.sock, self.end, size, most, 0)


@pytest.fixture
def pair(directory: Path) -> Iterator[tuple[Side, Side]]:
    """Two connected ends."""
    sides = tuple(map(Side, _socket.socketpair()))
    yield sides  # type: ignore[misc]
    for side in sides:
        side.end.close(side.sock)
    assert not list(directory.iterdir())


def close_all(numbers: list[int]) -> None:
    """Close what was received."""
    for number in numbers:
        os.close(number)


def read_all(side: Side, size: int) -> tuple[bytes, list[int]]:
    """What is received until `size` bytes have come."""
    got, numbers = b"", []
    while len(got) < size:
        data, some, _ = side.receive(size - len(got))
        assert data
        got += data
        numbers += some
    return got, numbers


def test_descriptors_cross(pair: Any) -> None:
    """Each end can send to the other, the bytes around in order, and the key is read once."""
    reader, writer = os.pipe()
    for one, other in (pair, pair[::-1]):
        one.sock.sendall(b"before")
        for word in (b"first", b"second"):
            one.send(word, reader)
        one.sock.sendall(b"after")
        data, numbers = read_all(other, len(b"beforefirstsecondafter"))
        close_all(numbers)
        assert (data, len(numbers)) == (b"beforefirstsecondafter", 2)
    os.close(reader)
    os.close(writer)


@pytest.mark.parametrize("side", [0, 1], ids=["client", "server"])
def test_another_process_by_that_number(
    directory: Path, socket_dir: Path, monkeypatch: pytest.MonkeyPatch, side: int
) -> None:
    """A peer's process that has ended, and whose number another one has by now, is given nothing: EPIPE."""
    path = str(socket_dir / "s")
    with _socket_of() as listener, _socket_of() as client:
        server_end, client_end = NativeEnd(libc_calls()), NativeEnd(libc_calls())
        server_end.bind(listener, path)
        server_end.listen(listener, 1)
        client_end.connect(client, path)
        number, accepted_end, _ = server_end.accept(listener)
        with _socket_of(number) as accepted:
            sock, end = ((client, client_end), (accepted, accepted_end))[side]
            pid = end.peer_pid(sock)
            assert pid == os.getpid()
            start = system.start_time(pid)
            monkeypatch.setattr(system, "start_time", lambda pid: start + 1)
            for twin in (end, end.copy(sock.fileno())):
                with pytest.raises(
                    BrokenPipeError, match=f"process {pid}, which had the other end, has ended"
                ):
                    dispatch.send_message(sock, twin, [b"x"], [0], 0)
            other = (accepted, client)[side]
            other.setblocking(False)
            with pytest.raises(BlockingIOError):
                other.recv(1)
            end.passage().close(sock)


def _socket_of(number: int | None = None) -> socket.socket:
    return socket.socket(socket.AF_UNIX, socket.SOCK_STREAM, 0, number)


def test_the_key_is_the_users_alone(pair: Any, directory: Path) -> None:
    """The published key can be read by this user alone, and is gone when the receiver has it."""
    one, other = pair
    one.send(b"x", 0)
    (file,) = directory.iterdir()
    assert file.stat().st_mode & 0o777 == 0o600
    assert file.stat().st_size == passing_keys._SIZE
    close_all(read_all(other, 1)[1])
    assert not list(directory.iterdir())


def test_what_was_sent_before_a_close_is_received(pair: Any, directory: Path) -> None:
    """The sender's key outlives its socket: the receiver, who asks later, gets the descriptor, and removes the key."""
    one, other = pair
    one.send(b"x", 0)
    one.end.close(one.sock)
    assert list(directory.iterdir())
    data, numbers = read_all(other, 1)
    close_all(numbers)
    assert (data, len(numbers)) == (b"x", 1)
    assert not list(directory.iterdir())


def test_who_closes_without_asking_leaves_no_key(pair: Any, directory: Path) -> None:
    """A receiver that never asked for descriptors still takes, and closes, what has come: and the key goes."""
    one, other = pair
    one.send(b"x", 0)
    other.end.close(other.sock)
    assert not list(directory.iterdir())


def test_who_was_handed_the_socket_reads_it(pair: Any, directory: Path) -> None:
    """A process that has given its socket to another one leaves what comes to that one."""
    one, other = pair
    number = os.dup(other.sock.fileno())
    one.send(b"x", 0)
    other.end.handed_to(1)
    other.end.close(other.sock)
    assert list(directory.iterdir())
    with _socket_of(number) as sock:
        taker = Side(sock)
        data, numbers = taker.receive(1)[:2]
        close_all(numbers)
        assert (data, len(numbers)) == (b"x", 1)


def test_a_duplicate_reads_what_came(pair: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Closing one of two duplicates leaves what has come to the other."""
    monkeypatch.setattr(choosing, "transport", lambda: "native")
    kind = type("Socket", (*dispatch.method_classes(), socket.socket), {"__slots__": ()})
    one, other = pair
    sock = making.adopted(kind, os.dup(other.sock.fileno()), NativeEnd(libc_calls()))
    with sock, sock.dup() as copy:
        assert type(copy) is kind
        one.send(b"x", 0)
        sock.close()
        data, ancillary, _, _ = copy.recvmsg(1, 64)
        close_all([int.from_bytes(ancillary[0][2], sys.byteorder)])
        assert data == b"x"


@pytest.mark.parametrize("how", ["export", "hand_on", "handed_to"])
@pytest.mark.parametrize("copied", [None, "before", "after"])
def test_who_may_have_given_the_socket_away_reads_nothing_at_its_close(
    pair: Any, directory: Path, how: str, copied: str | None
) -> None:
    """Passed as a descriptor, inherited or shared, by itself or by a duplicate: what has come is another's to read."""
    one, other = pair
    number = os.dup(other.sock.fileno())
    one.send(b"x", 0)
    giver = other.end.copy(number) if copied == "before" else other.end
    getattr(giver, how)(*([1] if how == "handed_to" else []))
    end = giver.copy(number) if copied == "after" else other.end
    end.close(other.sock)
    assert list(directory.iterdir())
    with _socket_of(number) as sock:
        data, numbers = Side(sock).receive(1)[:2]
        close_all(numbers)
        assert (data, len(numbers)) == (b"x", 1)


def test_a_frame_that_was_not_sent_leaves_no_key(
    pair: Any, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the send fails before its first byte, the sender's close takes the key back."""
    one, _ = pair
    monkeypatch.setattr(calls, "send", lambda *_: (_ for _ in ()).throw(OSError(errno.ENOBUFS, "scripted")))
    with pytest.raises(OSError, match="scripted"):
        one.send(b"x", 0)
    assert list(directory.iterdir())
    one.end.close(one.sock)
    assert not list(directory.iterdir())


def test_keys_that_nobody_will_read_are_removed(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first key of a process takes along those whose reader has ended, or, where it is not known, are a day old;
    others, and what is no key, stay."""
    me, start = os.getpid(), system.start_time(os.getpid())

    def put(letter: str, reader: int, started: int, age: float = 0.0) -> Path:
        path = directory / (letter * 32 + ".passing")
        path.write_bytes(bytes(frames.SEED_SIZE) + passing_keys._READER.pack(reader, started))
        os.utime(path, (time.time() - age,) * 2)
        return path

    ended, reused, old = put("a", 999_999_999, 1), put("b", me, start + 1), put("c", 0, 0, 90_000)
    alive, new, strange = put("d", me, start, 90_000), put("e", 0, 0), put("f", 999_999_999, 1)
    strange = strange.rename(directory / "something else.passing")
    monkeypatch.setattr(passing_keys, "_swept_by", 0)
    keys = passing_keys.PublishedKeys()
    keys.outgoing(me, start)
    assert not any(path.exists() for path in (ended, reused, old))
    assert all(path.exists() for path in (alive, new, strange))
    keys.close()
    assert set(directory.iterdir()) == {alive, new, strange}


def test_a_full_directory_is_swept_piece_by_piece(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A first send waits for 0.1 s of sweeping at most. Processes begin at different places, so all of them together
    come to every key."""
    for letter in "258b":
        content = bytes(frames.SEED_SIZE) + passing_keys._READER.pack(999_999_999, 1)
        (directory / (letter * 32 + ".passing")).write_bytes(content)
    ticks = iter(range(1000))
    monkeypatch.setattr(passing_keys.time, "monotonic", lambda: next(ticks) * 0.06)
    for begin, gone in (("6", "8"), ("9", "b"), ("c", "2"), ("0", "5")):
        monkeypatch.setattr(passing_keys, "_swept_by", 0)
        passing_keys._sweep_once(begin)
        assert not (directory / (gone * 32 + ".passing")).exists()
        assert len(list(directory.iterdir())) == 3 - "8b25".index(gone)


def test_the_sender_of_an_ended_reader_takes_its_key_back(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A sender whose reader has ended meanwhile removes the key at its close, without opening it: a file that is open
    could not be removed on Windows by its receiver."""
    keys = passing_keys.PublishedKeys()
    keys.outgoing(999_999_999, 1)
    keys.sent()
    with monkeypatch.context() as scripted:
        scripted.setattr(passing_keys, "_read", None)
        keys.close()
    assert not list(directory.iterdir())


@pytest.mark.parametrize("written", [10, OSError(errno.ENOSPC, "scripted")], ids=["a part", "nothing"])
def test_a_key_is_published_whole_or_not_at_all(
    pair: Any, directory: Path, monkeypatch: pytest.MonkeyPatch, written: Any
) -> None:
    """On a full disk the send fails with ENOSPC, nothing is sent, and no piece of a key stays."""
    one, other = pair
    write = os.write

    def some(number: int, data: bytes) -> int:
        if isinstance(written, OSError):
            raise written
        return write(number, data[:written])

    with monkeypatch.context() as scripted:
        scripted.setattr(os, "write", some)
        with pytest.raises(OSError, match=r"scripted|publishing a key") as caught:
            one.send(b"x", 0)
    assert caught.value.errno == errno.ENOSPC
    assert not list(directory.iterdir())
    one.send(b"y", 0)
    data, numbers = read_all(other, 1)
    close_all(numbers)
    assert (data, len(numbers)) == (b"y", 1)


def test_a_directory_that_cannot_be_listed(
    pair: Any, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is swept then, and sending works all the same."""
    one, other = pair
    monkeypatch.setattr(passing_keys, "_swept_by", 0)

    def refused(_: str) -> list[str]:
        raise PermissionError(errno.EACCES, "scripted")

    with monkeypatch.context() as scripted:
        scripted.setattr(os, "listdir", refused)
        one.send(b"x", 0)
    close_all(read_all(other, 1)[1])


def test_without_the_directory_a_marker_is_plain_bytes(pair: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A receiver that has no private directory gets bytes that begin as a frame does, and no error."""
    one, other = pair
    frame = frames.PUBLIC_MARKER + bytes(frames.HEAD_SIZE)
    one.sock.sendall(frame)

    def refused() -> str:
        raise PermissionError(errno.EPERM, "scripted")

    with monkeypatch.context() as scripted:
        scripted.setattr(system, "private_directory", refused)
        assert read_all(other, len(frame)) == (frame, [])


def made_by(keys: passing_keys.PublishedKeys, seed: bytes | None = None) -> bytes:
    """A frame of that sender, or one that claims to be, under another key."""
    key, name = keys.outgoing()
    if seed is not None:
        key = frames.keys(seed, 0, frames.PUBLIC_MARKER)
    head = frames.Head(name, 1, *system.passing.me(), 0, 0, 1)
    return frames.encode(key, head, [frames.Record("lease", b"", b""), frames.Record("fd", b"", b"")]) + b"x"


def test_who_cannot_publish_cannot_pass(pair: Any, directory: Path) -> None:
    """A frame whose name no file has, or a file with another key, is plain bytes; and no file is touched for it."""
    one, other = pair
    nobody = made_by(passing_keys.PublishedKeys(), seed=bytes(32))
    for file in directory.iterdir():
        file.unlink()
    known = passing_keys.PublishedKeys()
    wrong = made_by(known, seed=bytes(32))
    published = list(directory.iterdir())
    one.sock.sendall(nobody + wrong)
    assert read_all(other, len(nobody + wrong)) == (nobody + wrong, [])
    assert list(directory.iterdir()) == published
    known.close()


def test_names_lead_nowhere_else(pair: Any, directory: Path) -> None:
    """Whatever bytes a frame names, a file of the private directory is looked for and no other; a file that is too long
    or too short is no key."""
    one, other = pair
    for name, content in ((b"../../../../../x", b""), (b"\0" * 16, b"s" * 43), (b"/" * 16, b"s" * 45)):
        path = passing_keys._path_of(name)
        assert Path(path).parent == directory
        Path(path).write_bytes(content)
        key = frames.keys(b"s" * 32, 0, frames.PUBLIC_MARKER)
        frame = frames.encode(key, frames.Head(name, 1, 0, 0, 0, 0, 1), [])
        one.sock.sendall(frame)
        assert read_all(other, len(frame)) == (frame, [])
        Path(path).unlink()


@pytest.mark.fd_leaks(
    "allow", kind="socket", reason="an offer that nobody takes is kept while its receiver lives"
)
def test_a_frame_thrown_back_is_plain(pair: Any, directory: Path) -> None:
    """A frame that the receiver sends back as it came does nothing at its sender."""
    one, other = pair
    reader, writer = os.pipe()
    one.send(b"x", reader)
    raw = other.sock.recv(65536)
    other.sock.sendall(raw)
    assert read_all(one, len(raw)) == (raw, [])
    os.close(reader)
    os.close(writer)
    (key,) = directory.iterdir()
    key.unlink()  # its receiver, who took the frame for plain bytes, is alive


def test_a_frame_shown_to_another_connection_is_plain(pair: Any, directory: Path) -> None:
    """A frame that was taken on one connection is none on another: its key is gone."""
    one, other = pair
    frame = made_by(passing_keys.PublishedKeys())
    one.sock.sendall(frame)
    assert read_all(other, 1)[0] == b"x"
    third, fourth = map(Side, _socket.socketpair())
    third.sock.sendall(frame)
    assert read_all(fourth, len(frame)) == (frame, [])
    third.end.close(third.sock)
    fourth.end.close(fourth.sock)


def test_a_key_that_cannot_be_deleted_is_emptied(
    pair: Any, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on Windows while somebody has the file open: its frame is still none on another connection. What is left of
    the file is removed by a process that finds it a day later."""
    one, other = pair
    frame = made_by(passing_keys.PublishedKeys())
    with monkeypatch.context() as scripted:

        def refused(_: str) -> None:
            raise PermissionError(errno.EACCES, "scripted: a sharing violation")

        scripted.setattr(os, "unlink", refused)
        one.sock.sendall(frame)
        assert read_all(other, 1)[0] == b"x"
    (left,) = directory.iterdir()
    third, fourth = map(Side, _socket.socketpair())
    third.sock.sendall(frame)
    assert read_all(fourth, len(frame)) == (frame, [])
    third.end.close(third.sock)
    fourth.end.close(fourth.sock)
    for age, stays in ((0.0, True), (90_000.0, False)):
        os.utime(left, (time.time() - age,) * 2)
        monkeypatch.setattr(passing_keys, "_swept_by", 0)
        passing_keys._sweep_once("")
        assert left.exists() is stays
