"""What another thread's close and shutdown do to a call for messages that blocks; see `test_waking` for the others."""

from __future__ import annotations

import errno
import time
from collections.abc import Callable
from typing import Any

import pytest

from conformance.ending import MUCH, Blocked
from conformance.raising import errno_of, names, ours_alone
from samesock.unix import choosing

WAITING = ("recv", "recv_into", "recvfrom", "recvfrom_into", "recvmsg", "recvmsg_into", "recv_fds")
KINDS = {"stream": "SOCK_STREAM", "packets": "SOCK_SEQPACKET", "datagrams": "SOCK_DGRAM"}
RECEIVING = [f"{name} {kind}" for kind in KINDS for name in WAITING if kind == "stream" or name != "recv_fds"]
SENDING = ["sendmsg stream", "send packets", "sendmsg packets", "send datagrams", "sendmsg datagrams"]

pytestmark = [
    pytest.mark.needs("unix-seqpacket", "unix-dgram"),
    names("SOCK_SEQPACKET"),
]


def pair_for(unix: Any, name: str, timeout: float | None) -> tuple[Any, Any]:
    one, other = unix.pair(getattr(unix.net, KINDS[name.partition(" ")[2]]))
    one.settimeout(timeout)
    return one, other


def receiving(net: Any, sock: Any, name: str) -> Callable[[], Any]:
    """The call, its answer cut down to how many bytes came."""
    method = name.partition(" ")[0]
    room = bytearray(8)
    calls: dict[str, Callable[[], int]] = {
        "recv": lambda: len(sock.recv(8)),
        "recv_into": lambda: sock.recv_into(room),
        "recvfrom": lambda: len(sock.recvfrom(8)[0]),
        "recvfrom_into": lambda: sock.recvfrom_into(room)[0],
        "recvmsg": lambda: len(sock.recvmsg(8)[0]),
        "recvmsg_into": lambda: sock.recvmsg_into([room])[0],
        "recv_fds": lambda: len(net.recv_fds(sock, 8, 1)[0]),
    }
    return calls[method]


def sending(sock: Any, name: str) -> Callable[[], None]:
    """Send until there is no room any more."""
    size = len(MUCH) if name.endswith("stream") else 30_000
    message = MUCH[:size]

    def fill() -> None:
        while True:
            if name.startswith("sendmsg"):
                sock.sendmsg([message])
            else:
                sock.send(message)

    return fill


@ours_alone
@pytest.mark.parametrize("timeout", [None, 60], ids=["blocking", "time-out"])
@pytest.mark.parametrize("name", RECEIVING)
def test_close_with_wake_ends_what_receives(unix: Any, name: str, timeout: float | None) -> None:
    """close(2) with wake=True ends a call that waits for a message: ECONNABORTED on Windows, elsewhere no bytes."""
    one, _other = pair_for(unix, name, timeout)
    blocked = Blocked(receiving(unix.net, one, name))
    begun = time.monotonic()
    one.close(wake=True)
    blocked.join()
    assert time.monotonic() - begun < 10
    if choosing.over_winsock():
        assert blocked.error is not None
        assert blocked.error.errno == errno.ECONNABORTED
        assert "Connection aborted" in str(blocked.error)
    elif timeout and name.endswith("datagrams") and choosing.transport() == "kernel":
        # poll(2) is ended, recv(2) finds nothing, and C asks again until the number is closed.
        assert blocked.error is not None
        assert blocked.error.errno == errno.EBADF
    else:
        assert (blocked.error, blocked.result) == (None, 0)


@ours_alone
@pytest.mark.parametrize("name", SENDING)
def test_close_with_wake_ends_what_sends(unix: Any, name: str) -> None:
    """close(2) with wake=True ends a call that waits for room: ECONNABORTED on Windows, elsewhere EPIPE."""
    one, _other = pair_for(unix, name, None)
    blocked = Blocked(sending(one, name))
    begun = time.monotonic()
    one.close(wake=True)
    blocked.join()
    assert time.monotonic() - begun < 10
    assert blocked.error is not None
    assert blocked.error.errno in (
        {errno.ECONNABORTED} if choosing.over_winsock() else {errno.EPIPE, errno.EBADF}
    )


@pytest.mark.parametrize("name", RECEIVING)
def test_shutdown_ends_what_receives(unix: Any, name: str) -> None:
    """shutdown(2) for reading ends a call that waits for a message in another thread: no bytes came."""
    one, _other = pair_for(unix, name, None)
    blocked = Blocked(receiving(unix.net, one, name))
    one.shutdown(unix.net.SHUT_RD)
    assert blocked.join().result == 0
    assert receiving(unix.net, one, name)() == 0


@pytest.mark.parametrize("name", SENDING)
def test_shutdown_ends_what_sends(unix: Any, name: str) -> None:
    """shutdown(2) ends a call that waits for room in another thread: EPIPE."""
    one, _other = pair_for(unix, name, None)
    blocked = Blocked(sending(one, name))
    one.shutdown(unix.net.SHUT_RDWR)
    error = blocked.join().error
    assert error is not None
    assert error.errno == errno.EPIPE
    assert errno_of(one.send, b"x") == errno.EPIPE


@pytest.mark.parametrize("kind", KINDS)
def test_shut_for_reading_before(unix: Any, kind: str) -> None:
    """recvmsg(2) after one's own shutdown(2) for reading is the end of the stream, at once."""
    one, _other = pair_for(unix, f"recvmsg {kind}", None)
    one.shutdown(unix.net.SHUT_RD)
    assert one.recvmsg(8)[0] == b""
    assert one.recvmsg_into([bytearray(8)])[0] == 0
    assert one.recv(8) == b""


@pytest.mark.parametrize("kind", ["stream", "packets"])
def test_shut_for_writing_before(unix: Any, kind: str) -> None:
    """sendmsg(2) after one's own shutdown(2) for writing is EPIPE, with words that say so."""
    one, _other = pair_for(unix, f"sendmsg {kind}", None)
    one.shutdown(unix.net.SHUT_WR)
    for flags in (0, unix.net.MSG_DONTWAIT, unix.net.MSG_NOSIGNAL):
        with pytest.raises(BrokenPipeError, match="Broken pipe") as caught:
            one.sendmsg([b"x"], [], flags)
        assert caught.value.errno == errno.EPIPE
