"""Passing by pidfd_getfd: what a receiver refuses to take, and when a sender lets go."""

from __future__ import annotations

import errno
import gc
import os
import socket
import subprocess
import sys
import threading

import pytest

pytest.importorskip("fcntl", reason="absent here: fcntl, of which the POSIX backend is made")
from samesock.backend import _posix_passing as passing

needs_pidfd = pytest.mark.skipif(
    not hasattr(os, "pidfd_open") or not passing.may_fetch(), reason="passing: needs pidfd_getfd"
)
PROOF = bytes(range(32))


def lease(**changes: object) -> bytes:
    """A lease as a sender of this process writes it, with what is given in place of its own."""
    pid, start = passing.me()
    parts = {"pid": pid, "start": start, "number": 0, "inode": 0, "proof": PROOF, **changes}
    return passing._LEASE.pack(*parts.values())


@needs_pidfd
def test_what_is_offered_is_taken() -> None:
    """The descriptor that is taken is the one that was offered; a second look finds nothing."""
    reader, writer = os.pipe()
    offer = passing.offer([("fd", writer)], passing.taker(None))
    try:
        assert not offer.over()
        (number,) = passing.take(offer.lease, [("fd", b"")])
        assert number is not None
        assert os.path.sameopenfile(number, writer)
        passing.close("fd", number)
        assert offer.over()
        assert passing.take(offer.lease, [("fd", b"")]) == [None]
    finally:
        offer.revoke()
        os.close(reader)
        os.close(writer)


@needs_pidfd
def test_more_than_was_told_of_is_closed() -> None:
    """A sender whose frame tells of fewer descriptors than it offers gives those, and the others are closed."""
    reader, writer = os.pipe()
    offer = passing.offer([("fd", reader), ("fd", writer)], passing.taker(None))
    try:
        before = os.listdir("/proc/self/fd")
        (number,) = passing.take(offer.lease, [("fd", b"")])
        assert number is not None
        assert os.path.sameopenfile(number, reader)
        os.close(number)
        assert os.listdir("/proc/self/fd") == before
    finally:
        offer.revoke()
        os.close(reader)
        os.close(writer)


@needs_pidfd
@pytest.mark.parametrize("wrong", ["start", "inode", "proof", "number", "pid"])
def test_a_lease_that_is_wrong_gives_nothing(wrong: str) -> None:
    """A lease with one wrong part takes nothing out of the other's queue, and leaves no descriptor open."""
    one, other = socket.socketpair()
    with one, other:
        one.send(PROOF)
        right = {"number": other.fileno(), "inode": os.fstat(other.fileno()).st_ino}
        false = {"start": 1, "inode": 1, "proof": bytes(32), "number": 9999, "pid": 2**22 + 1}[wrong]
        before = os.listdir("/proc/self/fd")
        assert passing.take(lease(**{**right, wrong: false}), [("fd", b"")]) == [None]
        assert os.listdir("/proc/self/fd") == before
        assert other.recv(64, socket.MSG_DONTWAIT) == PROOF


@needs_pidfd
def test_a_lease_cut_short_gives_nothing() -> None:
    """Bytes that are no lease are nothing at all: as many Nones as there were tokens."""
    assert passing.take(lease()[:-1], [("fd", b""), ("fd", b"")]) == [None, None]


@needs_pidfd
def test_too_many_that_nobody_took(monkeypatch: pytest.MonkeyPatch) -> None:
    """The offer past the limit is ETOOMANYREFS, and one more may be made when one was taken."""
    monkeypatch.setattr(passing, "_in_flight", [])
    monkeypatch.setattr(passing, "MOST_IN_FLIGHT", 1)
    first = passing.offer([("fd", 0)], passing.taker(os.getppid()))
    first.sent()
    with pytest.raises(OSError, match="nobody has taken") as caught:
        passing.offer([("fd", 0)], passing.taker(None))
    assert caught.value.errno == errno.ETOOMANYREFS
    (number,) = passing.take(first.lease, [("fd", b"")])
    assert number is not None
    os.close(number)
    passing.offer([("fd", 0)], passing.taker(None)).revoke()
    assert passing._in_flight == []


@needs_pidfd
def test_what_nobody_took_is_no_warning_at_the_end() -> None:
    """A process that ends before its descriptors are taken says nothing of sockets that its program never made."""
    code = (
        "import samesock\n"
        "one, other = samesock.socketpair()\n"
        "samesock.send_fds(one, [b'x'], [0])\n"
        "one.close()\n"
        "other.close()"
    )
    command = [sys.executable, "-X", "dev", "-W", "error", "-c", code]
    ended = subprocess.run(
        command, env={**os.environ, "SAMESOCK_UNIX": "emulated"}, capture_output=True, text=True, check=True
    )
    assert not ended.stderr


@needs_pidfd
def test_an_offer_that_is_dropped_is_closed() -> None:
    """One that was never sent, since Ctrl+C came before, leaves no descriptor open."""
    before = os.listdir("/proc/self/fd")
    dropped = passing.offer([("fd", 0)], passing.taker(None))
    del dropped
    gc.collect()
    assert os.listdir("/proc/self/fd") == before


@needs_pidfd
def test_an_offer_of_what_is_not_open_leaves_nothing() -> None:
    """EBADF, and the pair that was made for it is closed."""
    before = os.listdir("/proc/self/fd")
    with pytest.raises(OSError, match="descriptor") as caught:
        passing.offer([("fd", 9999)], passing.taker(None))
    assert caught.value.errno == errno.EBADF
    assert os.listdir("/proc/self/fd") == before


def test_without_pidfd(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a process cannot be opened by number nobody may fetch, and offering is EOPNOTSUPP."""
    monkeypatch.delattr(os, "pidfd_open", raising=False)
    assert not passing.may_fetch()
    with pytest.raises(OSError, match="pidfd_getfd") as caught:
        passing.offer([("fd", 0)], passing.taker(None))
    assert caught.value.errno == errno.EOPNOTSUPP


@needs_pidfd
def test_two_threads_let_go_of_the_same_offers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of two threads that find offers over at the same time each of them is taken back by one, and no number is closed
    twice: the other thread's next one may have it."""
    monkeypatch.setattr(passing, "_in_flight", [])
    closed: list[int] = []
    genuine = os.close

    def close(number: int) -> None:
        closed.append(number)
        genuine(number)

    offers = [passing.offer([("fd", 0)], passing.taker(None)) for _ in range(5)]
    for one in offers:
        one.sent()
        for number in passing.take(one.lease, [("fd", b"")]):
            assert number is not None
            genuine(number)
    is_over = passing.Offer.over

    def over(one: passing.Offer) -> bool:
        found = is_over(one)
        if not closed:
            with monkeypatch.context() as meanwhile:
                meanwhile.setattr(passing.Offer, "over", is_over)
                other = threading.Thread(target=passing.release)
                other.start()
                other.join(20)
        return found

    monkeypatch.setattr(os, "close", close)
    monkeypatch.setattr(passing.Offer, "over", over)
    passing.release()
    assert passing._in_flight == []
    assert len(closed) == len(set(closed)) == 2 * len(offers)
    assert offers[0].over()
