"""What only real Windows answers to the calls, scripted: its errors, flags and numbers, and what it is passed."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import socket as stdlib
import struct
from typing import Any

import pytest

import samesock
from samesock.winsock import vectors
from unit.messages.sockets import datagrams, streams
from unit.scripted import Script


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> Script:
    """Winsock by script."""
    script = Script()
    monkeypatch.setattr(vectors.table, "winsock", script)
    monkeypatch.setattr(vectors.table, "last_error", script.WSAGetLastError)
    return script


def at_once(socks: tuple[Any, Any]) -> tuple[Any, Any]:
    """The same sockets, non-blocking: the script's answers are not waited for on the real ones."""
    for sock in socks:
        sock.setblocking(False)
    return socks


def delivers(data: bytes, flags: int = 0, beside: bytes = b"") -> Any:
    """The effect of WSARecvMsg."""

    def effect(number: int, message: Any, taken: Any, *_: Any) -> None:
        given = message._obj
        first = vectors.WSABUF.from_address(given.lpBuffers)
        ctypes.memmove(first.buf, data, min(len(data), first.len))
        given.dwFlags = flags
        ctypes.memmove(given.Control.buf, beside, len(beside))
        given.Control.len = len(beside)
        given.namelen = 0
        taken._obj.value = len(data)

    return effect


def test_an_icmp_error_of_windows_is_passed_over(script: Script, stack: contextlib.ExitStack) -> None:
    """10054 and 10052 from an unconnected socket are an earlier datagram's: the next one is waited for."""
    receiver, _ = at_once(datagrams(stack))
    script.fails("WSARecvMsg", 10054).fails("WSARecvMsg", 10052)
    script.then("WSARecvMsg", 0, effect=delivers(b"abc"))
    assert receiver.recvmsg(9)[:3] == (b"abc", [], 0)
    assert script.finished()


def test_an_icmp_error_of_a_connected_socket(script: Script, stack: contextlib.ExitStack) -> None:
    """10054 from a connected datagram socket is ECONNREFUSED; Winsock's code is kept."""
    receiver, _ = at_once(datagrams(stack))
    receiver.connect(receiver.getsockname())
    script.fails("WSARecvMsg", 10054)
    with pytest.raises(ConnectionRefusedError) as caught:
        receiver.recvmsg(9)
    assert caught.value.errno == errno.ECONNREFUSED
    assert caught.value.winerror == 10054  # type: ignore[attr-defined,unused-ignore]


def test_an_icmp_error_of_a_send(script: Script, stack: contextlib.ExitStack) -> None:
    """10054 from an unconnected send is an earlier datagram's, and this one is sent; from a connected one it is
    ECONNREFUSED."""
    receiver, sender = at_once(datagrams(stack))
    script.fails("WSASendMsg", 10054).then("WSASendMsg", 0, effect=lambda *given: count_as(given[3], 1))
    assert sender.sendmsg([b"x"], [], 0, receiver.getsockname()) == 1
    sender.connect(receiver.getsockname())
    script.fails("WSASendMsg", 10054)
    with pytest.raises(ConnectionRefusedError):
        sender.sendmsg([b"x"])
    assert script.finished()


def count_as(sent: Any, number: int) -> None:
    """Set a call's count."""
    sent._obj.value = number


def test_a_streams_reset_is_a_reset(script: Script, stack: contextlib.ExitStack) -> None:
    """10054 of a stream is ECONNRESET, once."""
    for first in ("receiving", "sending"):
        one, _ = at_once(streams(stack))
        script.fails("WSARecv" if first == "receiving" else "WSASend", 10054).fails("WSASend", 10054)
        with pytest.raises(ConnectionResetError):
            one.recvmsg(9) if first == "receiving" else one.sendmsg([b"x"])
        with pytest.raises(BrokenPipeError):
            one.sendmsg([b"x"])


@pytest.mark.parametrize("flags", [0, 0x100])
def test_windows_error_for_a_long_datagram(flags: int, script: Script, stack: contextlib.ExitStack) -> None:
    """10040 means that the buffers are full and the rest is lost, whether or not MSG_TRUNC is told beside it, and
    whatever the count says."""
    receiver, _ = at_once(datagrams(stack))

    def effect(number: int, message: Any, taken: Any, *rest: Any) -> None:
        delivers(b"abcd", flags)(number, message, taken, *rest)
        taken._obj.value = 0

    script.then("WSARecvMsg", -1, code=10040, effect=effect)
    assert receiver.recvmsg(4)[:3] == (b"abcd", [], stdlib.MSG_TRUNC)


def test_windows_error_for_too_much_control_data(script: Script, stack: contextlib.ExitStack) -> None:
    """10040 with MSG_CTRUNC alone is a whole datagram whose control messages were cut."""
    receiver, _ = at_once(datagrams(stack))
    script.then("WSARecvMsg", -1, code=10040, effect=delivers(b"abc", 0x200))
    assert receiver.recvmsg(9)[:3] == (b"abc", [], stdlib.MSG_CTRUNC)


def test_windows_other_number_for_a_hop_limit(script: Script, stack: contextlib.ExitStack) -> None:
    """A time to live that comes as IP_HOPLIMIT (21) is IP_TTL to the program; what is not BSD's stays as it is."""
    receiver, _ = at_once(datagrams(stack))
    raw = struct.pack("Niii4x", 20, 0, 21, 7) + struct.pack("Niii4x", 20, 0, 50, 2)
    script.then("WSARecvMsg", 0, effect=delivers(b"a", 0x400, raw))
    found = [(0, stdlib.IP_TTL, struct.pack("=i", 7)), (0, 50, struct.pack("=i", 2))]
    assert receiver.recvmsg(9, 256)[:3] == (b"a", found, 0)


def test_windows_receives_after_shutdown(script: Script, stack: contextlib.ExitStack) -> None:
    """10058 from a receive is the end that one's own shutdown made."""
    one, _ = at_once(streams(stack))
    script.fails("WSARecv", 10058)
    assert one.recvmsg(9) == (b"", [], 0, None)


def test_what_is_passed_to_winsock(script: Script, stack: contextlib.ExitStack) -> None:
    """No flag that Winsock lacks reaches it, and no call is made without a buffer."""
    receiver, sender = at_once(datagrams(stack))

    def effect(number: int, message: Any, flags: int, sent: Any, *_: Any) -> None:
        assert (flags, message._obj.dwBufferCount, message._obj.namelen) == (0, 1, 16)

    script.then("WSASendMsg", 0, effect=effect)
    target = receiver.getsockname()
    assert sender.sendmsg([], [], samesock.MSG_NOSIGNAL | samesock.MSG_DONTWAIT, target) == 0
    assert script.finished()
