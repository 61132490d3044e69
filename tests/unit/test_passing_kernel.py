"""send_fds and recv_fds by the kernel where it has no flag that makes descriptors close-on-exec: macOS' case, played
over this machine's kernel by taking the flag away."""

from __future__ import annotations

import array
import os
import socket as stdlib
from collections.abc import Iterator

import pytest

import samesock
from samesock import _passing, _socket
from samesock.unix import choosing

pytestmark = pytest.mark.skipif(
    not choosing.kernel_does_all(), reason="passing: this interpreter's own sockets do not pass descriptors"
)


@pytest.fixture
def pair(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[samesock.socket, samesock.socket]]:
    """A pair, and a kernel without MSG_CMSG_CLOEXEC."""
    monkeypatch.setattr(_passing, "_CLOSE_ON_EXEC", 0)
    monkeypatch.setattr(_socket, "_CLOSE_ON_EXEC", 0)
    one, other = samesock.socketpair()
    with one, other:
        yield one, other


def test_room_is_made_for_all_and_the_rest_closed(pair, pipe):
    """No descriptor is left open because there was no room to tell of it: all are received, the extra ones closed."""
    one, other = pair
    samesock.send_fds(one, [b"x"], [pipe[0], pipe[0], pipe[1], pipe[1]])
    os.close(pipe.pop())
    data, numbers, flags, _ = samesock.recv_fds(other, 1, 1)
    os.close(*numbers)
    assert data == b"x"
    assert flags & stdlib.MSG_CTRUNC
    assert os.read(pipe[0], 1) == b""


def test_they_are_made_not_inheritable(pair, pipe):
    """recv_fds, recvmsg and recvmsg_into each make what they give not inheritable."""
    one, other = pair
    ancillary = [(stdlib.SOL_SOCKET, stdlib.SCM_RIGHTS, array.array("i", [pipe[0]]))]
    room = stdlib.CMSG_SPACE(4)
    for receive in (
        lambda: samesock.recv_fds(other, 1, 1)[1],
        lambda: array.array("i", other.recvmsg(1, room)[1][0][2]),
        lambda: array.array("i", other.recvmsg_into([bytearray(1)], room)[1][0][2]),
    ):
        one.sendmsg([b"x"], ancillary)
        (number,) = receive()
        assert not os.get_inheritable(number)
        os.close(number)


def test_it_closes_only_what_came(pair):
    """A message without descriptors closes nothing and has no flag."""
    one, other = pair
    one.sendall(b"x")
    assert samesock.recv_fds(other, 1, 0)[:3] == (b"x", [], 0)


def test_objects_flags_and_addresses_go_to_the_kernel(pair, pipe):
    """send_fds takes objects with fileno(); its flags are the call's."""
    one, other = pair
    with open(pipe[0], closefd=False) as file:
        assert samesock.send_fds(one, [b"x"], [file], stdlib.MSG_DONTWAIT) == 1
    _, (number,), _, _ = samesock.recv_fds(other, 1, 1)
    os.close(number)
    with pytest.raises(OSError, match=r"socket|connected"):
        samesock.send_fds(one, [b"x"], [pipe[0]], 0, "/nowhere")


def test_a_negative_number_is_refused(pair):
    """A negative count of descriptors is the OverflowError that it is in the standard library."""
    with pytest.raises(OverflowError, match="out of range"):
        samesock.recv_fds(pair[1], 1, -1)
