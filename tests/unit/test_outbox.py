"""The sending half of an emulated datagram socket (`unix.outbox`) over a kernel that answers by script."""

from __future__ import annotations

import errno
import itertools
import os
import socket as stdlib
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest

from samesock.unix import outbox, rendezvous
from samesock.unix.calls import calls
from samesock.unix.outbox import Full, Outbox
from unit.scripted import windows_error

NAME = b"/some/where"


def lives() -> bool:
    """A receiver that is there."""
    return True


@pytest.fixture
def box() -> Iterator[Outbox]:
    """One outbox."""
    made = Outbox()
    yield made
    made.close()


@pytest.fixture
def receiver() -> Iterator[rendezvous.Record]:
    """A port on which nobody answers, and the record of a socket there."""
    with stdlib.socket(stdlib.AF_INET, stdlib.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        port = sock.getsockname()[1]
        yield rendezvous.new(port=port, pid=os.getpid(), realm=bytes(8), name=NAME, start=0, cookie=0)


Answers = Callable[..., list[bytes]]


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> Answers:
    """Sets what sendto says, one after the other, an exception or `None`; what was then sent is in the list."""

    def begin(script: Iterable[OSError | None] = ()) -> list[bytes]:
        left, sent = iter(script), list[bytes]()

        def sendto(sock: Any, data: bytes, address: Any) -> int:
            if (failure := next(left, None)) is not None:
                raise failure
            sent.append(data)
            return len(data)

        monkeypatch.setattr(calls, "sendto", sendto)
        return sent

    return begin


def send(box: Outbox, record: rendezvous.Record, *, timeout: float | None = None) -> None:
    """One message."""
    box.send(record, lives, sender=bytes(16), name=b"", message=b"word", timeout=timeout)


@pytest.mark.parametrize(
    "told",
    [
        windows_error(10054, 10054),
        windows_error(10052, 10052),
        ConnectionRefusedError(errno.ECONNREFUSED, ""),
    ],
)
def test_what_became_of_an_earlier_letter_loses_no_later_one(
    box: Outbox, receiver: rendezvous.Record, answers: Answers, told: OSError
) -> None:
    """The kernel tells in a send that an earlier datagram found nobody, and sends nothing: it is sent again, once."""
    sent = answers([told, told])
    send(box, receiver)
    assert len(sent) == 1


def test_a_port_that_never_takes_one_is_an_error(
    box: Outbox, receiver: rendezvous.Record, answers: Answers
) -> None:
    """As many letters as can be under way may be told of; more is the kernel's own answer to this one."""
    sent = answers([windows_error(10054, 10054)] * 40)
    with pytest.raises(ConnectionResetError):
        send(box, receiver)
    assert not sent


@pytest.mark.parametrize(
    "full", [BlockingIOError(errno.EAGAIN, ""), OSError(errno.ENOBUFS, ""), windows_error(10055, 10055)]
)
def test_a_kernel_without_room_is_waited_for(
    box: Outbox, receiver: rendezvous.Record, answers: Answers, full: OSError
) -> None:
    """A send that may wait does, until the kernel takes the letter."""
    sent = answers([full, full, None])
    send(box, receiver)
    assert len(sent) == 1


@pytest.mark.parametrize("timeout", [0.0, 0.02])
def test_without_room_in_time_nothing_is_under_way(
    box: Outbox, receiver: rendezvous.Record, answers: Answers, timeout: float
) -> None:
    """Where there is no room in time, the send ends, and the window counts nothing for it: all of it can still be
    sent."""
    answers(itertools.repeat(BlockingIOError(errno.EAGAIN, "")))
    with pytest.raises(Full):
        send(box, receiver, timeout=timeout)
    sent = answers()
    for _ in range(outbox.WINDOW_LETTERS):
        send(box, receiver, timeout=0.0)
    assert len(sent) == outbox.WINDOW_LETTERS
    with pytest.raises(Full):
        send(box, receiver, timeout=0.0)


@pytest.mark.parametrize(
    "full", [OSError(errno.ENOBUFS, ""), OSError(errno.ENOMEM, ""), windows_error(10055, 10055)]
)
def test_room_that_no_wait_tells_of_is_not_asked_for_without_a_pause(
    box: Outbox, receiver: rendezvous.Record, monkeypatch: pytest.MonkeyPatch, full: OSError
) -> None:
    """A kernel that is short of memory goes on to call the socket writable: the sender tries again after a while, and
    does not take the processor meanwhile."""
    tries: list[bytes] = []

    def sendto(sock: Any, data: bytes, address: Any) -> int:
        tries.append(data)
        raise full

    monkeypatch.setattr(calls, "sendto", sendto)
    with pytest.raises(Full):
        send(box, receiver, timeout=0.1)
    assert len(tries) <= 102


def test_another_error_is_posixs(box: Outbox, receiver: rendezvous.Record, answers: Answers) -> None:
    """Whatever else Winsock says leaves with POSIX's errno and Winsock's code, and says what was tried."""
    answers([windows_error(10013)])
    with pytest.raises(PermissionError, match="sending a Unix datagram") as caught:
        send(box, receiver)
    assert getattr(caught.value, "winerror", None) == 10013


def test_a_question_that_finds_no_room_waits_for_the_next(
    box: Outbox, receiver: rendezvous.Record, answers: Answers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A sender whose window is full asks; without room for the question it goes on to wait, and asks again."""
    monkeypatch.setattr(outbox, "FIRST_QUESTION", 0.001)
    answers()
    for _ in range(outbox.WINDOW_LETTERS):
        send(box, receiver)
    full = BlockingIOError(errno.EAGAIN, "")
    questions = answers([full, full])
    with pytest.raises(Full):
        send(box, receiver, timeout=0.5)
    assert questions


def test_a_closed_outbox_sends_nothing(box: Outbox, receiver: rendezvous.Record) -> None:
    """A send that waits while another thread closes the socket is EBADF, and waits for no stranger's number."""
    for _ in range(outbox.WINDOW_LETTERS):
        send(box, receiver)

    box.close()
    with pytest.raises(OSError, match="closed Unix socket") as caught:
        send(box, receiver, timeout=5.0)
    assert caught.value.errno == errno.EBADF


def test_windows_are_forgotten(box: Outbox, answers: Answers) -> None:
    """Of the receivers that a socket has sent to, the last are remembered: memory does not grow with their number."""
    sent = answers()
    count = outbox.REMEMBERED_WINDOWS + 5
    for port in range(count):
        record = rendezvous.new(port=1024 + port, pid=1, realm=bytes(8), name=NAME, start=0, cookie=0)
        send(box, record)
    assert len(sent) == count
    assert len(box._windows) == outbox.REMEMBERED_WINDOWS
