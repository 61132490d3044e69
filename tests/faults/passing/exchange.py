"""What the tests of passing do at either end: make a frame, take all that comes, and see that nothing is kept.

What must never be put here: expectations.
"""

from __future__ import annotations

import time
from typing import Any

import pytest

import samesock
from samesock import fd
from samesock.unix import dispatch, ends, passing

stays_with_its_receiver = pytest.mark.fd_leaks(
    "allow",
    reason="on Windows what a frame carries that nobody takes stays in its receiver, which is this process",
)


def passage(sock: samesock.socket) -> passing.Passage:
    """The state of passing at that end."""
    end = ends.get(sock)
    assert end is not None
    found = end.passage()
    assert found is not None
    return found


def frame_of(sock: samesock.socket, things: list[int], message: bytes) -> bytes:
    """The bytes that the socket would send for that message, made but not sent."""
    sent: list[bytes] = []
    end = ends.get(sock)
    assert end is not None
    state = passage(sock)
    original = state._send_frame

    def keep(_: Any, data: bytes, flags: int, offer: Any) -> None:
        sent.append(data)
        offer.sent()

    state._send_frame = keep  # type: ignore[method-assign]
    try:
        dispatch.send_message(sock, end, [message], things, 0)
    finally:
        state._send_frame = original  # type: ignore[method-assign]
    return sent[0]


def all_of(sock: samesock.socket, size: int) -> tuple[bytes, list[int]]:
    """What recv_fds gives until `size` bytes have come."""
    got, numbers = b"", []
    while len(got) < size:
        data, some, _, _ = samesock.recv_fds(sock, size - len(got), 10)
        assert data
        got += data
        numbers += some
    return got, numbers


def close_all(numbers: list[int]) -> None:
    """Close what was received."""
    for number in numbers:
        fd.close(number)


def writer_has_gone(pipe: list[int]) -> bool:
    """Whether nobody has the pipe's writing end any more. Without a read that waits: one could not be ended."""
    assert len(pipe) == 1
    fd.set_blocking(pipe[0], False)
    end = time.monotonic() + 10
    while time.monotonic() < end:
        try:
            return fd.read(pipe[0], 1) == b""
        except BlockingIOError:
            time.sleep(0.02)
    return False
