"""A socket that one thread closes while another one is in a call of it: its number is soon another socket's."""

from __future__ import annotations

import errno
import os
import socket as stdlib
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import samesock
from samesock.backend import system
from samesock.unix import adoption

SECONDS = 20.0


class Call:
    """A call in a thread of its own."""

    def __init__(self, function: Callable[[], Any]) -> None:
        self.result: Any = None
        self.thread = threading.Thread(target=self._run, args=(function,), daemon=True)
        self.thread.start()
        time.sleep(0.2)
        assert self.thread.is_alive(), self.result

    def _run(self, function: Callable[[], Any]) -> None:
        try:
            self.result = function()
        except Exception as error:  # noqa: BLE001 -- whatever a program would see
            self.result = error

    def end(self) -> Any:
        self.thread.join(SECONDS)
        assert not self.thread.is_alive(), "it does not come back"
        return self.result


@pytest.mark.parametrize("kind", ["SOCK_DGRAM", "SOCK_SEQPACKET"])
def test_what_is_a_strangers_is_left_to_it(kind: str) -> None:
    """A receive whose socket is closed meanwhile takes nothing from the socket that has its number then."""
    if system.REFUSED_WHEN_FULL:
        pytest.skip("winsock: a close ends the call, and numbers are not reused so soon")
    one, other = samesock.socketpair(samesock.AF_UNIX, getattr(samesock, kind))
    with stdlib.socket(stdlib.AF_INET, stdlib.SOCK_DGRAM) as sender:
        sender.bind(("127.0.0.1", 0))
        one.settimeout(0.8)
        number = one.fileno()
        call = Call(lambda: one.recv(10))
        one.close()
        others = []
        while (stranger := stdlib.socket(stdlib.AF_INET, stdlib.SOCK_DGRAM)).fileno() != number:
            others.append(stranger)
            assert len(others) < 50, "the number is not given again"
        try:
            stranger.bind(("127.0.0.1", 0))
            stranger.settimeout(SECONDS)
            sender.sendto(b"for the stranger", stranger.getsockname())
            result = call.end()
            assert isinstance(result, TimeoutError) or getattr(result, "errno", 0) == errno.EBADF, result
            assert stranger.recv(100) == b"for the stranger"
        finally:
            for sock in (stranger, *others):
                sock.close()
            other.close()


def test_a_send_whose_socket_is_closed(path: str) -> None:
    """A datagram that waits for room in one thread is EBADF when another thread closes the socket."""
    with samesock.socket(samesock.AF_UNIX, samesock.SOCK_DGRAM) as receiver:
        receiver.bind(path)
        sender = samesock.socket(samesock.AF_UNIX, samesock.SOCK_DGRAM)
        sender.connect(path)

        def fill() -> None:
            while True:
                sender.send(b"x" * 10_000)

        call = Call(fill)
        sender.close()
        result = call.end()
    assert isinstance(result, OSError)
    assert result.errno == errno.EBADF


def test_a_note_of_another_realm(listener: samesock.socket, monkeypatch: pytest.MonkeyPatch) -> None:
    """A note that a container has left in a shared directory is not taken for this one's, whatever number it has."""
    listener.set_inheritable(True)
    assert adoption.read_handover(listener.fileno()) is not None
    monkeypatch.setattr(system, "realm", lambda _tcp: b"elsewhr!")
    assert adoption.read_handover(listener.fileno()) is None


def test_an_internet_listener_stays_one(socket_dir: Path) -> None:
    """A note that was left behind makes no Unix socket of an Internet listener that has got the same port since."""
    with samesock.socket(samesock.AF_UNIX) as gone:
        gone.bind(str(socket_dir / "gone"))
        gone.listen()
        gone.set_inheritable(True)
        handed = adoption.read_handover(gone.fileno())
        assert handed is not None
        record = handed[0].record
        assert record is not None
        port, note = record.port, Path(adoption._note(record.port))
        blob = note.read_bytes()
    note.write_bytes(blob)
    try:
        with stdlib.socket() as listener:
            listener.bind(("127.0.0.1", port))
            listener.listen()
            adopted = samesock.socket(fileno=listener.detach())
            with adopted:
                assert adopted.family == samesock.AF_INET
    finally:
        note.unlink()


@pytest.mark.skipif(
    sys.platform != "linux", reason="SO_COOKIE is absent: nothing else tells what has no address"
)
def test_a_duplicates_number_before_bind(socket_dir: Path) -> None:
    """socket(fileno=) of the number of a duplicate that has no address yet is that Unix socket; an Internet one's is an
    Internet socket."""
    with samesock.socket(samesock.AF_UNIX) as sock, stdlib.socket() as internet:
        with samesock.socket(fileno=os.dup(sock.fileno())) as copy:
            assert copy.family == samesock.AF_UNIX
            copy.bind(str(socket_dir / "s"))
            assert sock.getsockname() == str(socket_dir / "s")
        with samesock.socket(fileno=os.dup(internet.fileno())) as copy:
            assert copy.family == samesock.AF_INET
