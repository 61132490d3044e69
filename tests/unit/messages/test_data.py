"""sendmsg and recvmsg made of Winsock's calls: the bytes, their addresses, flags and ends."""

from __future__ import annotations

import array
import contextlib
import errno
import socket as stdlib
from typing import Any

import pytest

import samesock
from unit.messages.sockets import Ours, datagrams, streams


def test_a_datagram_of_many_buffers(stack: contextlib.ExitStack) -> None:
    """The buffers become one datagram, in their order; the sender's address comes with it."""
    receiver, sender = datagrams(stack)
    sender.bind(("127.0.0.1", 0))
    whole = bytes(range(256))
    parts = [b"", whole[:7], bytearray(whole[7:9]), memoryview(b"x" + whole[9:] + b"y")[1:-1]]
    assert sender.sendmsg(parts, [], 0, receiver.getsockname()) == 256
    assert receiver.recvmsg(300) == (whole, [], 0, sender.getsockname())


def test_a_stream_of_many_buffers(stack: contextlib.ExitStack) -> None:
    """A stream sends the buffers one behind the other, and says no address."""
    one, other = streams(stack)
    assert one.sendmsg([b"ab", array.array("H", [0x6463]), memoryview(b"")]) == 4
    assert one.sendmsg((b"e",)) == 1
    got = b""
    while len(got) < 5:
        data, messages, flags, address = other.recvmsg(64, 64)
        assert (messages, flags, address) == ([], 0, None)
        got += data
    assert got == b"abcde"


def test_the_end_of_a_stream_is_no_data(stack: contextlib.ExitStack) -> None:
    """When the peer has closed, recvmsg gives no bytes."""
    one, other = streams(stack)
    one.close()
    assert other.recvmsg(9) == (b"", [], 0, None)


def test_receiving_after_ones_own_end_is_no_data(stack: contextlib.ExitStack) -> None:
    """After shutdown(SHUT_RD) recvmsg gives no bytes, and after SHUT_WR sendmsg is EPIPE."""
    one, _ = streams(stack)
    one.shutdown(stdlib.SHUT_RD)
    assert one.recvmsg(9)[0] == b""
    one.shutdown(stdlib.SHUT_WR)
    with pytest.raises(BrokenPipeError) as caught:
        one.sendmsg([b"x"])
    assert caught.value.errno == errno.EPIPE


def test_a_long_datagram_is_cut(stack: contextlib.ExitStack) -> None:
    """What does not fit is lost, and MSG_TRUNC says so; a peek before says the same and takes nothing."""
    receiver, sender = datagrams(stack)
    sender.sendto(b"abcdef", receiver.getsockname())
    sender.sendto(b"next", receiver.getsockname())
    for flags in (stdlib.MSG_PEEK, 0):
        data, _, told, address = receiver.recvmsg(4, 0, flags)
        assert (data, told) == (b"abcd", stdlib.MSG_TRUNC)
        assert address == ("127.0.0.1", sender.getsockname()[1])
    assert receiver.recvmsg(4)[0:3] == (b"next", [], 0)


def test_a_datagram_into_many_buffers(stack: contextlib.ExitStack) -> None:
    """recvmsg_into fills one buffer after the other, of any element type, and leaves the rest."""
    receiver, sender = datagrams(stack)
    sender.sendto(b"abcdefg", receiver.getsockname())
    parts: list[Any] = [
        bytearray(2),
        bytearray(),
        array.array("H", [0]),
        memoryview(bytearray(b"......"))[1:5],
    ]
    count, messages, flags, address = receiver.recvmsg_into(parts)
    assert (count, messages, flags, address) == (7, [], 0, ("127.0.0.1", sender.getsockname()[1]))
    assert [bytes(part) for part in parts] == [b"ab", b"", b"cd", b"efg."]


def test_datagrams_without_bytes(stack: contextlib.ExitStack) -> None:
    """No buffers, and empty ones, are a datagram of no bytes; no room takes a datagram and says that it was cut."""
    receiver, sender = datagrams(stack)
    target = receiver.getsockname()
    assert [sender.sendmsg(buffers, [], 0, target) for buffers in ([], [b""], [b"", bytearray()])] == [
        0,
        0,
        0,
    ]
    assert [receiver.recvmsg(9)[0:3] for _ in range(3)] == [(b"", [], 0)] * 3
    sender.sendto(b"abc", target)
    sender.sendto(b"def", target)
    assert receiver.recvmsg(0)[0:3] == (b"", [], stdlib.MSG_TRUNC)
    assert receiver.recvmsg_into([])[0:3] == (0, [], stdlib.MSG_TRUNC)


def test_too_long_a_datagram_is_refused(stack: contextlib.ExitStack) -> None:
    """A datagram that UDP cannot have is EMSGSIZE, and so are more buffers than POSIX's IOV_MAX."""
    receiver, sender = datagrams(stack)
    target = receiver.getsockname()
    for buffers in ([bytes(66000)], [b"x"] * 1025):
        with pytest.raises(OSError) as caught:
            sender.sendmsg(buffers, [], 0, target)
        assert caught.value.errno == errno.EMSGSIZE
    assert sender.sendmsg([b"x"] * 1024, [], 0, target) == 1024


def test_a_datagram_needs_a_destination(stack: contextlib.ExitStack) -> None:
    """Without an address, a datagram socket that is not connected is EDESTADDRREQ."""
    _, sender = datagrams(stack)
    with pytest.raises(OSError) as caught:
        sender.sendmsg([b"x"])
    assert caught.value.errno == errno.EDESTADDRREQ


def test_destinations_by_name_and_by_wildcard(stack: contextlib.ExitStack) -> None:
    """A destination's host may be a name; the wildcard is this machine."""
    receiver, sender = datagrams(stack)
    port = receiver.getsockname()[1]
    for host in ("localhost", b"127.0.0.1", "0.0.0.0", ""):
        assert sender.sendmsg([b"x"], [], 0, (host, port)) == 1
        assert receiver.recvmsg(9)[0] == b"x"


def test_ipv6_addresses(stack: contextlib.ExitStack) -> None:
    """IPv6 addresses have four parts when they come, and two to four when they go."""
    if not samesock.has_ipv6:
        pytest.skip("absent here: IPv6")
    receiver, sender = datagrams(stack, family=stdlib.AF_INET6)
    name = receiver.getsockname()
    for address in (name, name[:2], name[:3], ("::", name[1])):
        sender.sendmsg([b"x"], [], 0, address)
        data, _, _, source = receiver.recvmsg(9)
        assert (data, source[0], len(source)) == (b"x", "::1", 4)


def test_a_closed_socket(stack: contextlib.ExitStack) -> None:
    """Each of the three on a closed socket is EBADF."""
    receiver, _ = datagrams(stack)
    receiver.close()
    for call in (
        lambda: receiver.sendmsg([b"x"]),
        lambda: receiver.recvmsg(1),
        lambda: receiver.recvmsg_into([bytearray(1)]),
    ):
        with pytest.raises(OSError) as caught:
            call()
        assert caught.value.errno == errno.EBADF


def test_nosignal_is_taken(stack: contextlib.ExitStack) -> None:
    """MSG_NOSIGNAL is a flag that every send takes."""
    one, other = streams(stack)
    assert one.sendmsg([b"x"], [], samesock.MSG_NOSIGNAL) == 1
    assert other.recvmsg(9, 0, samesock.MSG_NOSIGNAL)[0] == b"x"


def test_an_icmp_error_is_told_by_a_connected_socket_alone(stack: contextlib.ExitStack) -> None:
    """Where nobody receives, an unconnected socket goes on; a connected one is refused, or hears nothing."""
    receiver, sender = datagrams(stack)
    gone = stack.enter_context(Ours(stdlib.AF_INET, stdlib.SOCK_DGRAM))
    gone.bind(("127.0.0.1", 0))
    nowhere = gone.getsockname()
    gone.close()
    receiver.sendmsg([b"x"], [], 0, nowhere)
    sender.sendmsg([b"y"], [], 0, receiver.getsockname())
    assert receiver.recvmsg(9)[0] == b"y"
    sender.connect(nowhere)
    sender.settimeout(0.2)
    sender.sendmsg([b"x"])
    with pytest.raises((ConnectionRefusedError, TimeoutError)):
        sender.recvmsg(9)
