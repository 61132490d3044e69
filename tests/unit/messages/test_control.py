"""Control messages over Winsock: what is received, what is obeyed or refused, what does not fit, and their sizes."""

from __future__ import annotations

import contextlib
import errno
import socket as stdlib
import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import samesock
from samesock.unix import choosing
from samesock.winsock import beside, control, names, vectors
from unit.libc_winsock import LibcWinsock
from unit.messages.sockets import RECEIVED_V4, RECEIVED_V6, asked, datagrams, streams


def test_control_messages_of_ipv4_are_received(stack: contextlib.ExitStack) -> None:
    """Packet information, time to live and type of service come in Linux's forms."""
    receiver, sender = datagrams(stack)
    asked(receiver, stdlib.IPPROTO_IP, RECEIVED_V4)
    sender.setsockopt(stdlib.IPPROTO_IP, stdlib.IP_TTL, 17)
    sender.sendto(b"x", receiver.getsockname())
    data, found, flags, _ = receiver.recvmsg(9, 512)
    assert (data, flags) == (b"x", 0)
    by_type = {(level, number): value for level, number, value in found}
    pktinfo = by_type[0, names.number("IP_PKTINFO")]
    loopback = stdlib.inet_aton("127.0.0.1")
    interface, local, address = struct.unpack("=I4s4s", pktinfo)
    assert (interface > 0, local, address) == (True, loopback, loopback)
    assert by_type[0, stdlib.IP_TTL] == struct.pack("=i", 17)
    assert by_type[0, stdlib.IP_TOS] == b"\0"


def test_control_messages_of_ipv6_are_received(stack: contextlib.ExitStack) -> None:
    """Packet information, hop limit and traffic class come in RFC 3542's forms."""
    receiver, sender = datagrams(stack, family=stdlib.AF_INET6)
    asked(receiver, stdlib.IPPROTO_IPV6, RECEIVED_V6)
    sender.setsockopt(stdlib.IPPROTO_IPV6, stdlib.IPV6_UNICAST_HOPS, 17)
    sender.sendto(b"x", receiver.getsockname())
    _, found, flags, _ = receiver.recvmsg(9, 512)
    by_type = {(level, number): value for level, number, value in found}
    address, interface = struct.unpack("=16sI", by_type[41, names.number("IPV6_PKTINFO")])
    assert (flags, address, interface > 0) == (0, stdlib.inet_pton(stdlib.AF_INET6, "::1"), True)
    assert by_type[41, names.number("IPV6_HOPLIMIT")] == struct.pack("=i", 17)
    assert by_type[41, names.number("IPV6_TCLASS")] == bytes(4)


def test_control_messages_that_do_not_fit(stack: contextlib.ExitStack) -> None:
    """MSG_CTRUNC tells of control messages that were cut or lost; CMSG_SPACE says what room they need."""
    receiver, sender = datagrams(stack)
    asked(receiver, stdlib.IPPROTO_IP, ("IP_PKTINFO", "IP_RECVTTL"))
    rooms = {
        0: 0,
        control.CMSG_LEN(0) - 1: 0,
        control.CMSG_LEN(4): 1,
        control.CMSG_LEN(12): 1,
        control.CMSG_SPACE(12) + control.CMSG_LEN(4): 2,
    }
    for room, kept in rooms.items():
        sender.sendto(b"x", receiver.getsockname())
        _, found, flags, _ = receiver.recvmsg(9, room)
        assert (len(found), flags) == (kept, stdlib.MSG_CTRUNC if kept < 2 else 0), room


SENT = {
    "IP_PKTINFO": (stdlib.AF_INET, struct.pack("=I4s4s", 0, stdlib.inet_aton("127.0.0.3"), bytes(4)), None),
    "IP_TTL": (stdlib.AF_INET, struct.pack("=i", 3), "IP_RECVTTL"),
    "IP_TOS": (stdlib.AF_INET, struct.pack("=i", 0x20), "IP_RECVTOS"),
    "IPV6_PKTINFO": (
        stdlib.AF_INET6,
        stdlib.inet_pton(stdlib.AF_INET6, "::1") + bytes(4),
        "IPV6_RECVPKTINFO",
    ),
    "IPV6_HOPLIMIT": (stdlib.AF_INET6, struct.pack("=i", 3), "IPV6_RECVHOPLIMIT"),
    "IPV6_TCLASS": (stdlib.AF_INET6, struct.pack("=i", 0x20), "IPV6_RECVTCLASS"),
}


@pytest.mark.parametrize("name", SENT)
def test_a_control_message_is_obeyed_or_refused(name: str, stack: contextlib.ExitStack) -> None:
    """A control message that is sent is obeyed, or sending it is EOPNOTSUPP: never taken and dropped."""
    family, data, option = SENT[name]
    receiver, sender = datagrams(stack, family=family)
    level = stdlib.IPPROTO_IP if family == stdlib.AF_INET else stdlib.IPPROTO_IPV6
    if option:
        asked(receiver, level, (option,))
    message = (level, names.number(name) if "PKTINFO" in name else getattr(stdlib, name), data)
    try:
        sender.sendmsg([b"x"], [message], 0, receiver.getsockname())
    except OSError as error:
        assert error.errno == errno.EOPNOTSUPP
        assert name in str(error)
        assert not beside.arrives(name)
        return
    _, found, _, address = receiver.recvmsg(9, 256)
    if option is None:
        assert address[0] == "127.0.0.3"
    else:
        value = found[0][2]
        assert value.ljust(4, b"\0")[:4] == data[:4]


def test_dropped_control_messages_are_noticed(
    stack: contextlib.ExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the system takes control messages and drops them, every kind is refused, and nothing is sent."""
    if choosing.over_winsock():
        pytest.skip("absent here: libc's sendmsg, to drop control messages with")
    table = LibcWinsock(drops=True)
    monkeypatch.setattr(vectors.table, "winsock", table)
    monkeypatch.setattr(vectors.table, "last_error", table.WSAGetLastError)
    monkeypatch.setattr(beside, "SECONDS", 1.0)
    assert [beside.arrives(name) for name in beside.TRIALS] == [False] * len(beside.TRIALS)
    receiver, sender = datagrams(stack)
    with pytest.raises(OSError, match="IP_TTL") as caught:
        sender.sendmsg([b"x"], [(0, stdlib.IP_TTL, struct.pack("=i", 3))], 0, receiver.getsockname())
    assert caught.value.errno == errno.EOPNOTSUPP
    receiver.setblocking(False)
    with pytest.raises(BlockingIOError):
        receiver.recvmsg(9)


def test_control_messages_of_streams_are_refused(stack: contextlib.ExitStack) -> None:
    """A stream has no place for control messages: EOPNOTSUPP, and not a silent loss."""
    one, _ = streams(stack)
    with pytest.raises(OSError) as caught:
        one.sendmsg([b"x"], [(0, stdlib.IP_TTL, struct.pack("=i", 3))])
    assert caught.value.errno == errno.EOPNOTSUPP


@pytest.mark.parametrize(
    "message",
    [
        (0, 99, b"1234"),
        (stdlib.SOL_SOCKET, 1, b"1234"),
        (0, stdlib.IP_TTL, b"12345"),
        (0, stdlib.IP_TTL, struct.pack("=i", 0)),
        (0, stdlib.IP_TTL, struct.pack("=i", 256)),
        (0, stdlib.IP_TOS, struct.pack("=i", -1)),
        (0, names.number("IP_PKTINFO"), b"12345678"),
        (41, stdlib.IPV6_TCLASS, struct.pack("=i", 0)),
    ],
)
def test_control_messages_that_cannot_be(message: Any, stack: contextlib.ExitStack) -> None:
    """A kind that no datagram of this family has, or a value out of its range, is EINVAL, as on Linux."""
    receiver, sender = datagrams(stack)
    with pytest.raises(OSError) as caught:
        sender.sendmsg([b"x"], [message], 0, receiver.getsockname())
    assert caught.value.errno == errno.EINVAL


def test_sizes_of_control_messages() -> None:
    """CMSG_LEN and CMSG_SPACE are the interpreter's own where it has them; what no message has is OverflowError."""
    assert (samesock.CMSG_LEN(0), samesock.CMSG_LEN(5)) == (control.CMSG_LEN(0), control.CMSG_LEN(5))
    for size in (0, 1, 4, 7, 8, 12, 20, 1000):
        assert control.CMSG_LEN(size) == samesock.CMSG_LEN(size)
        assert control.CMSG_SPACE(size) == samesock.CMSG_SPACE(size)
        assert control.CMSG_SPACE(size) - control.CMSG_LEN(size) in range(struct.calcsize("P"))
    for function in (control.CMSG_LEN, control.CMSG_SPACE, samesock.CMSG_LEN, samesock.CMSG_SPACE):
        for wrong in (-1, 2**31, 2**70):
            with pytest.raises(OverflowError):
                function(wrong)


@given(st.binary(max_size=200))
def test_any_bytes_are_read_without_harm(raw: bytes) -> None:
    """Control data that lies about its lengths ends the list; nothing is read that is not there."""
    found = control.decode(raw)
    assert sum(16 + len(data) for _, _, data in found) <= len(raw) + 16 * len(found)


@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3), st.binary(max_size=30)), max_size=5),
    st.integers(0, 200),
)
def test_what_fits_is_what_the_kernel_would_keep(found: list[Any], room: int) -> None:
    """What is kept is the beginning of what came; all of it without the sign of a loss, or less of it with the sign."""
    kept, lost = control.fitted(found, room)
    assert (kept == found) is not lost or (kept == found and lost is False)
    assert all(one[:2] == other[:2] for one, other in zip(kept, found, strict=False))
    assert all(other[2].startswith(one[2]) for one, other in zip(kept, found, strict=False))
