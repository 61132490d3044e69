"""Passing where an end, the room or the time runs out: within a frame, before it, and while bytes are in doubt."""

from __future__ import annotations

import errno
import os
import select
from typing import Any

import pytest

import samesock
from faults.passing.exchange import frame_of, passage, stays_with_its_receiver, writer_has_gone
from faults.strangers import exchange
from samesock.backend import system
from samesock.unix import dispatch, ends, frames, passing
from samesock.unix.emulated import EmulatedEnd

pytestmark = pytest.mark.needs("passing")


@stays_with_its_receiver
def test_a_sender_that_ends_in_the_middle_of_a_frame(pair, pipe):
    """The receiver sees the end, and of the descriptors those that had come whole are closed."""
    one, other = pair
    frame = frame_of(one, [pipe[1], pipe[0]], b"message")
    os.close(pipe.pop())
    one.sendall(frame[:-10])
    one.close()
    assert samesock.recv_fds(other, 100, 4)[:2] == (b"", [])
    system.passing.release()
    assert writer_has_gone(pipe)


def test_a_frame_that_is_cut_off_in_its_message(pair, pipe):
    """Descriptors whose message never comes are closed, and the end is seen."""
    one, other = pair
    frame = frame_of(one, [pipe[1]], b"m")
    os.close(pipe.pop())
    one.sendall(frame[:-1])
    one.close()
    assert samesock.recv_fds(other, 100, 4)[:2] == (b"", [])
    system.passing.release()
    assert writer_has_gone(pipe)


def test_closing_without_having_looked(pair, pipe):
    """An end that is closed with descriptors unread lets go of them."""
    one, other = pair
    one.sendall(b"plain")
    samesock.send_fds(one, [b"x"], [pipe[1]])
    samesock.send_fds(one, [b"y"], [pipe[1]])
    os.close(pipe.pop())
    if not system.passing.NEEDS_TARGET:
        pytest.skip("passing: what is fetched is not there before it is asked for")
    other.close()
    assert writer_has_gone(pipe)


def test_no_room_leaves_nothing(pair, pipe):
    """EAGAIN comes before anything is made: what was to be sent is open nowhere else."""
    one, _ = pair
    one.setblocking(False)
    with pytest.raises(BlockingIOError):
        while True:
            one.send(b"." * 65536)
    with pytest.raises(BlockingIOError):
        samesock.send_fds(one, [b"x"], [pipe[1]])
    os.close(pipe.pop())
    assert writer_has_gone(pipe)


def test_more_than_a_receiver_takes_for_a_frame(pair, pipe, monkeypatch):
    """Descriptors of which there is too much to tell are EMSGSIZE, and none is left anywhere."""
    one, other = pair
    with monkeypatch.context() as patch:
        patch.setattr(frames, "LARGEST_BODY", 64)
        with pytest.raises(OSError, match="tell of them") as caught:
            samesock.send_fds(one, [b"x"], [pipe[1]] * 3)
    assert caught.value.errno == errno.EMSGSIZE
    one.send(b"y")
    assert samesock.recv_fds(other, 10, 3)[:2] == (b"y", [])
    os.close(pipe.pop())
    assert writer_has_gone(pipe)


@stays_with_its_receiver
def test_a_peer_that_does_not_take_a_begun_frame(pair, pipe, monkeypatch):
    """A non-blocking sender that cannot finish a frame ends the connection; it does not wait for ever."""
    monkeypatch.setattr(passing, "FINISH_SECONDS", 0.1)
    one, other = pair
    end = ends.get(one)
    assert end is not None
    one.setblocking(False)
    original = dispatch.calls.send
    begun: list[int] = []

    def stingy(sock: Any, data: Any, flags: int = 0) -> int:
        if begun:
            raise BlockingIOError
        begun.append(1)
        return original(sock, data[:120], flags)  # the head, and a part of the records

    monkeypatch.setattr(dispatch.calls, "send", stingy)
    monkeypatch.setattr(system, "wait", lambda readers, writers, timeout: set() if begun else set(writers))
    with pytest.raises(ConnectionAbortedError):
        samesock.send_fds(one, [b"x"], [pipe[0]])
    monkeypatch.undo()
    assert samesock.recv_fds(other, 100, 1)[:2] == (b"", [])


def test_a_message_flag_for_one_call(pair, pipe):
    """MSG_DONTWAIT makes one call not wait, on a socket that does: EAGAIN before anything is made."""
    flag = samesock.MSG_DONTWAIT
    one, other = pair
    one.settimeout(None)
    other.settimeout(None)
    assert one.sendmsg([b"x"], [], 0, None) == one.sendmsg([b"x"], [], flag) == 1
    assert other.recv(1) + other.recvmsg(1, 0, flag)[0] == b"xx"
    with pytest.raises(BlockingIOError):
        samesock.recv_fds(other, 10, 1, flag)
    with pytest.raises(BlockingIOError):
        while True:
            one.send(b"." * 65536, flag)
    with pytest.raises(BlockingIOError):
        samesock.send_fds(one, [b"x"], [pipe[1]], flag)
    os.close(pipe.pop())
    assert writer_has_gone(pipe)


def test_a_time_out_that_is_over_at_once(pair):
    """A call whose time is over before it has looked looks once: what is there, and the end, are told."""
    one, other = pair
    other.settimeout(1e-9)
    with pytest.raises(TimeoutError):
        other.recvmsg(10)
    one.sendall(b"x")
    assert system.wait([other.fileno()], [], 20)
    assert other.recvmsg(10)[0] == b"x"
    one.close()
    assert system.wait([other.fileno()], [], 20)
    assert other.recvmsg(10)[0] == b""


def test_doubt_does_not_spin(pair):
    """While bytes are held back, a non-blocking call takes a moment, so that a loop over it is no busy one."""
    one, other = pair
    one.sendall(passage(other).keys.marker[:2])
    other.setblocking(False)
    system.wait([other.fileno()], [], 20)
    calls = 0
    while True:
        calls += 1
        try:
            data = other.recvmsg(10)[0]
        except BlockingIOError:
            continue
        break
    assert data == passage(other).keys.marker[:2]
    assert calls <= passing.DOUBT_SECONDS / passing._PAUSE + 2


def test_plain_bytes_stay_at_a_close(pair):
    """Closing with plain bytes unread reads none of them: the peer sees the reset that they cause."""
    one, other = pair
    one.sendall(b"unread")
    system.wait([other.fileno()], [], 20)
    other.close()
    with pytest.raises(ConnectionError):
        one.recv(1)


def test_a_close_with_nothing_unread_makes_no_keys(path, listener, monkeypatch):
    """A connection on which no descriptor was ever passed, and of which nothing is left to be read, is closed without
    the keys that passing needs; one with unread bytes is looked at."""
    monkeypatch.setattr(system.passing, "NEEDS_TARGET", True)
    made = []
    passage_of = EmulatedEnd.passage
    monkeypatch.setattr(EmulatedEnd, "passage", lambda end: made.append(end) or passage_of(end))
    exchange(path, listener)
    assert made == []
    with samesock.socket(samesock.AF_UNIX) as client:
        client.connect(path)
        accepted, _ = listener.accept()
        client.sendall(b"unread")
        select.select([accepted], [], [], 20)
        accepted.close()
    assert len(made) == 1
