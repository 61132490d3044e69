"""The life of a name where the system has no locks of open file descriptions: by flock(2), over Linux's own here."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("fcntl", reason="absent here: fcntl, of which the POSIX backend is made")
from samesock.backend import _posix_files as files

ID, RECORD = bytes(16), bytes(range(256))


@pytest.fixture(autouse=True)
def _flock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "_HAS_OFD", False)


@pytest.fixture
def path(socket_dir: Path) -> bytes:
    """Where the name is."""
    return os.fsencode(socket_dir / "s")


@pytest.fixture
def hold(path: bytes) -> Iterator[Any]:
    """The hold of who bound the name; nobody listens yet."""
    made = files.create_record(path, RECORD, ID, 0)
    yield made
    made.close()


def live(path: bytes) -> bool:
    """Whether a client thinks that somebody listens there."""
    record = files.open_record(path)
    try:
        return record.live(ID)
    finally:
        record.close()


def test_life_is_from_listening_to_the_last_copy(hold: Any, path: bytes) -> None:
    """Bound is not alive, listening is, and so it stays until every copy of the hold is closed."""
    assert not live(path)
    hold.listen()
    hold.listen()
    assert live(path)
    copy = hold.copy(0)
    hold.close()
    assert live(path)
    copy.close()
    copy.close()
    assert not live(path)


@pytest.mark.timeout(20)
def test_another_process_hold(hold: Any, path: bytes) -> None:
    """Who is handed the socket holds its life at once beside who has it already, and alone when that one has gone."""
    hold.listen()
    other = files.adopt_record(path, RECORD, ID, 0)
    try:
        listening = threading.Thread(target=other.listen, daemon=True)
        listening.start()
        listening.join(10)
        assert not listening.is_alive(), "it waits for the first one's lock"
        hold.close()
        assert live(path)
    finally:
        other.close()
    assert not live(path)


def test_asking_is_in_nobodys_way(hold: Any, path: bytes) -> None:
    """A client that has asked, and keeps the file open, neither lives there itself nor keeps a server from doing so."""
    client = files.open_record(path)
    try:
        assert not client.live(ID)
        assert not live(path)
        hold.listen()
        assert client.live(ID)
    finally:
        client.close()


def test_there_is_no_lock_to_doubt_by(hold: Any, path: bytes) -> None:
    """A hold in doubtful hands leaves no other mark: the client trusts the file as before."""
    hold.listen()
    hold.doubt()
    client = files.open_record(path)
    try:
        assert client.live(ID)
        assert client.trusted()
    finally:
        client.close()
