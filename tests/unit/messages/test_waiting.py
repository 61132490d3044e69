"""sendmsg and recvmsg where they wait or may not: modes, full streams, time-outs, and who else runs meanwhile."""

from __future__ import annotations

import contextlib
import errno
import random
import socket as stdlib
import threading
import time
from typing import Any

import pytest

import samesock
from samesock import _waking
from samesock.backend import system
from samesock.winsock import messages
from samesock.winsock.calls import calls
from samesock.winsock.interrupting import interrupter
from unit.messages.sockets import SECONDS, datagrams, streams


def test_modes(stack: contextlib.ExitStack) -> None:
    """Non-blocking and MSG_DONTWAIT are BlockingIOError where nothing is there; a time-out is TimeoutError."""
    receiver, _ = datagrams(stack)
    one, _ = streams(stack)
    for sock in (receiver, one):
        for timeout, flags in ((0.0, 0), (None, samesock.MSG_DONTWAIT), (SECONDS, samesock.MSG_DONTWAIT)):
            sock.settimeout(timeout)
            with pytest.raises(BlockingIOError):
                sock.recvmsg(9, 0, flags)
            with pytest.raises(BlockingIOError):
                sock.recvmsg_into([bytearray(9)], 0, flags)
        sock.settimeout(0.05)
        began = time.monotonic()
        with pytest.raises(TimeoutError, match="timed out"):
            sock.recvmsg(9)
        assert time.monotonic() - began >= 0.04


def test_a_full_stream(stack: contextlib.ExitStack) -> None:
    """Sending into a full stream is BlockingIOError or TimeoutError by mode; what was sent before all arrives."""
    one, other = streams(stack)
    piece = [bytes(60000)] * 4
    one.settimeout(0.05)
    sent = 0
    with pytest.raises(TimeoutError):
        while True:
            sent += one.sendmsg(piece)
    for timeout, flags in ((0.0, 0), (None, samesock.MSG_DONTWAIT)):
        one.settimeout(timeout)
        with pytest.raises(BlockingIOError):
            while True:
                sent += one.sendmsg(piece, [], flags)
    one.shutdown(stdlib.SHUT_WR)
    taken = 0
    while data := other.recvmsg(1 << 20)[0]:
        taken += len(data)
    assert taken == sent > 0


def test_a_waiting_send_sends_all(stack: contextlib.ExitStack) -> None:
    """On a socket that waits, sendmsg of writable memory sends all of it, while another thread receives."""
    one, other = streams(stack)
    one.settimeout(None)
    whole = bytearray(8 << 20)
    got: list[int] = []

    def receive() -> None:
        while sum(got) < len(whole):
            got.append(len(other.recvmsg(1 << 20)[0]))

    thread = threading.Thread(target=receive)
    thread.start()
    assert one.sendmsg([whole]) == len(whole)
    thread.join(SECONDS)
    assert sum(got) == len(whole)


def test_a_waiting_send_of_read_only_memory_sends_all(stack: contextlib.ExitStack) -> None:
    """Memory that can only be read is sent whole, too, whichever part of an object it is."""
    one, other = streams(stack)
    one.settimeout(None)
    whole = random.Random(7).randbytes(3 << 20)
    parts: list[Any] = [b"a", memoryview(whole)[1:], whole]
    got = bytearray()

    def receive() -> None:
        while data := other.recvmsg(1 << 20)[0]:
            got.extend(data)

    thread = threading.Thread(target=receive)
    thread.start()
    assert one.sendmsg(parts) == sum(map(len, parts))
    one.shutdown(stdlib.SHUT_WR)
    thread.join(SECONDS)
    assert got == b"".join(parts)


def test_nothing_follows_a_part(stack: contextlib.ExitStack, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a buffer that went in part nothing that lies behind it follows: the stream would have a hole."""
    one, _ = streams(stack)
    one.settimeout(None)
    given: list[int] = []

    def write(_: Any, __: Any, part: Any, ___: int) -> int:
        given.append(memoryview(part).nbytes)
        return 1000

    monkeypatch.setattr(messages.blocking, "write", write)
    monkeypatch.setattr(interrupter, "signals_do_it", False)
    assert one.sendmsg([bytes(messages.PIECE), b"behind it"]) == 1000
    assert given == [messages.PIECE]


def test_a_send_that_fails_on_the_way(stack: contextlib.ExitStack, monkeypatch: pytest.MonkeyPatch) -> None:
    """A waiting send whose second piece fails says what was sent; the error is the next call's."""
    one, _ = streams(stack)
    one.settimeout(None)
    answers: list[Any] = [messages.PIECE, ConnectionResetError(), ConnectionResetError()]

    def answer(*_: Any) -> int:
        if isinstance(answers[0], int):
            return answers.pop(0)  # type: ignore[no-any-return]
        raise answers.pop(0)

    monkeypatch.setattr(calls, "send_vector", answer)
    monkeypatch.setattr(calls, "send", answer)  # the main thread's
    monkeypatch.setattr(interrupter, "main", -1)
    assert one.sendmsg([bytes(3 << 20)]) == messages.PIECE
    with pytest.raises(ConnectionResetError):
        one.sendmsg([bytes(3 << 20)])


def test_waitall_fills_the_buffers(stack: contextlib.ExitStack) -> None:
    """MSG_WAITALL on a stream that waits gives all that was asked for, or what came before the end."""
    one, other = streams(stack)
    other.settimeout(None)
    parts = [bytearray(3), bytearray(5)]
    thread = threading.Thread(target=send_slowly, args=(one, (b"ab", b"cde", b"fgh", b"ij")))
    thread.start()
    assert other.recvmsg_into(parts, 0, stdlib.MSG_WAITALL)[0] == 8
    assert b"".join(parts) == b"abcdefgh"
    assert other.recvmsg(64, 0, stdlib.MSG_WAITALL)[0] == b"ij"
    thread.join(SECONDS)


def send_slowly(sock: Any, parts: tuple[bytes, ...]) -> None:
    """Send each part, then end."""
    for part in parts:
        sock.sendall(part)
        time.sleep(0.05)
    sock.shutdown(stdlib.SHUT_WR)


def test_a_blocked_call_lets_others_run(stack: contextlib.ExitStack) -> None:
    """While one thread waits in recvmsg, another can send what it waits for."""
    receiver, sender = datagrams(stack)
    receiver.settimeout(None)
    timer = threading.Timer(0.05, lambda: sender.sendto(b"x", receiver.getsockname()))
    timer.start()
    assert receiver.recvmsg(9)[0] == b"x"
    timer.join()


def test_a_wait_after_another_thread_took_it(
    stack: contextlib.ExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A recvmsg with a time-out, whose message another thread has taken, waits on where close(wake=True) finds it."""
    one, other = streams(stack)
    one.sendall(b"x")
    receive, tries, found = calls.receive_vector, [], []

    def recvmsg(sock: Any, *arguments: Any) -> Any:
        tries.append(sock)
        if len(tries) == 1:
            raise BlockingIOError(errno.EAGAIN, "another thread has taken it")
        return receive(sock, *arguments)

    def look() -> None:
        if tries:
            found.append(other in _waking.readers.values())

    def wait(*arguments: Any) -> Any:
        look()
        return ask(*arguments)

    def wait_for(*arguments: Any) -> Any:
        look()
        return ask_for(*arguments)

    ask, ask_for = system.wait, system.wait_for
    monkeypatch.setattr(calls, "receive_vector", recvmsg)
    monkeypatch.setattr(system, "wait", wait)
    monkeypatch.setattr(system, "wait_for", wait_for)
    assert other.recvmsg(10)[0] == b"x"
    assert found
    assert all(found)
