"""Descriptor passing over native ends, whose connections have no key of their own: over libc, against a real kernel.

The descriptors themselves go by the backend of this system, so what is shown is the key that is published."""

from __future__ import annotations

import _socket
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from samesock.backend import system
from samesock.unix import dispatch, frames, passing_keys
from samesock.unix._native_calls import libc_calls
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
    assert file.stat().st_size == frames.SEED_SIZE
    close_all(read_all(other, 1)[1])
    assert not list(directory.iterdir())


@pytest.mark.fd_leaks(
    "allow", kind="socket", reason="an offer that nobody takes is kept while its receiver lives"
)
def test_a_key_that_nobody_read_is_taken_back(pair: Any, directory: Path) -> None:
    """An end that is closed leaves no key behind."""
    one, _ = pair
    one.send(b"x", 0)
    assert list(directory.iterdir())
    one.end.passage().close(one.sock)
    assert not list(directory.iterdir())


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
    for name, content in ((b"../../../../../x", b""), (b"\0" * 16, b"s" * 31), (b"/" * 16, b"s" * 33)):
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
def test_a_frame_thrown_back_is_plain(pair: Any) -> None:
    """A frame that the receiver sends back as it came does nothing at its sender."""
    one, other = pair
    reader, writer = os.pipe()
    one.send(b"x", reader)
    raw = other.sock.recv(65536)
    other.sock.sendall(raw)
    assert read_all(one, len(raw)) == (raw, [])
    os.close(reader)
    os.close(writer)


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
