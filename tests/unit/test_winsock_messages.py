"""`winsock.messages`: sendmsg and recvmsg made of Winsock's calls.

`MADE` is where the methods can run: on Windows by Winsock itself, on Linux by libc in Winsock's place, where they are
compared with the kernel's own. What only real Windows answers is scripted.
"""

from __future__ import annotations

import array
import contextlib
import ctypes
import errno
import random
import re
import socket as stdlib
import struct
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import samesock
from samesock import _waking
from samesock.backend import system
from samesock.unix import choosing, dispatch
from samesock.winsock import beside, control, messages, names, sockaddr, vectors
from samesock.winsock.calls import calls
from samesock.winsock.interrupting import interrupter
from unit.libc_winsock import LibcWinsock
from unit.scripted import Script

SECONDS = 30.0
KERNEL = hasattr(stdlib.socket, "recvmsg")
"""Whether the interpreter's own methods are there to compare with."""

RECEIVED_V4 = ("IP_PKTINFO", "IP_RECVTTL", "IP_RECVTOS")
RECEIVED_V6 = ("IPV6_RECVPKTINFO", "IPV6_RECVHOPLIMIT", "IPV6_RECVTCLASS")

against_kernel = pytest.mark.skipif(
    not KERNEL, reason="absent here: the interpreter's own recvmsg, to compare with"
)


if choosing.over_winsock():
    Ours: Any = samesock.socket
else:

    class Ours(messages.MessageMethods, stdlib.socket):  # type: ignore[no-redef]
        """A plain socket with the methods under test."""

        __slots__ = ()


@pytest.fixture(autouse=True)
def winsock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Winsock, or libc in its place."""
    if not choosing.over_winsock():
        table = LibcWinsock()
        monkeypatch.setattr(vectors.table, "winsock", table)
        monkeypatch.setattr(vectors.table, "last_error", table.WSAGetLastError)
    beside.arrives.cache_clear()


@pytest.fixture
def stack() -> Iterator[contextlib.ExitStack]:
    """What is entered here is closed after the test."""
    with contextlib.ExitStack() as made:
        yield made


def datagrams(stack: contextlib.ExitStack, cls: Any = None, family: int = stdlib.AF_INET) -> tuple[Any, Any]:
    """A bound receiver and a sender, of the class."""
    cls = cls or Ours
    receiver, sender = (stack.enter_context(cls(family, stdlib.SOCK_DGRAM)) for _ in range(2))
    receiver.bind(("127.0.0.1" if family == stdlib.AF_INET else "::1", 0))
    receiver.settimeout(SECONDS)
    sender.settimeout(SECONDS)
    return receiver, sender


def streams(stack: contextlib.ExitStack, cls: Any = None) -> tuple[Any, Any]:
    """Two connected TCP sockets of the class."""
    cls = cls or Ours
    listener = stack.enter_context(stdlib.create_server(("127.0.0.1", 0)))
    one = stack.enter_context(cls(stdlib.AF_INET, stdlib.SOCK_STREAM))
    one.connect(listener.getsockname())
    accepted, _ = listener.accept()
    other = stack.enter_context(cls(stdlib.AF_INET, stdlib.SOCK_STREAM, 0, accepted.detach()))
    one.settimeout(SECONDS)
    other.settimeout(SECONDS)
    return one, other


def raised(function: Any, *arguments: Any) -> Any:
    """The class of what is raised, and its errno; what is returned, if nothing is."""
    try:
        return function(*arguments)
    except (OSError, TypeError, ValueError, BufferError, OverflowError) as error:
        return type(error), getattr(error, "errno", None)


# ---- what every promise says


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


def test_nosignal_is_taken(stack: contextlib.ExitStack) -> None:
    """MSG_NOSIGNAL is a flag that every send takes."""
    one, other = streams(stack)
    assert one.sendmsg([b"x"], [], samesock.MSG_NOSIGNAL) == 1
    assert other.recvmsg(9, 0, samesock.MSG_NOSIGNAL)[0] == b"x"


def test_a_blocked_call_lets_others_run(stack: contextlib.ExitStack) -> None:
    """While one thread waits in recvmsg, another can send what it waits for."""
    receiver, sender = datagrams(stack)
    receiver.settimeout(None)
    timer = threading.Timer(0.05, lambda: sender.sendto(b"x", receiver.getsockname()))
    timer.start()
    assert receiver.recvmsg(9)[0] == b"x"
    timer.join()


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


# ---- control messages


def asked(sock: Any, level: int, options: tuple[str, ...]) -> None:
    """Have the socket told of these."""
    for option in options:
        sock.setsockopt(level, names.number(option), 1)


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


# ---- the arguments


class Wide:
    """An object that is an index."""

    def __index__(self) -> int:
        return 2


STRIDED = memoryview(bytearray(8))[::2]
ARGUMENTS = [
    ("sendmsg", ()),
    ("sendmsg", (3,)),
    ("sendmsg", (["text"],)),
    ("sendmsg", ([STRIDED],)),
    ("sendmsg", ([b"x"], 3)),
    ("sendmsg", ([b"x"], [3])),
    ("sendmsg", ([b"x"], [(1, 2)])),
    ("sendmsg", ([b"x"], [(1, 2, "text")])),
    ("sendmsg", ([b"x"], [("1", 2, b"")])),
    ("sendmsg", ([b"x"], [], "flags")),
    ("sendmsg", ([b"x"], [], 0, "127.0.0.1")),
    ("sendmsg", ([b"x"], [], 0, ("127.0.0.1",))),
    ("sendmsg", ([b"x"], [], 0, ("127.0.0.1", 70000))),
    ("sendmsg", ([b"x"], [], 0, ("127.0.0.1", -1))),
    ("sendmsg", ([b"x"], [], 0, ("127.0.0.1", "80"))),
    ("sendmsg", ([b"x"], [], 0, (1, 80))),
    ("sendmsg", ([b"x"] * 1025,)),
    ("recvmsg", ()),
    ("recvmsg", (-1,)),
    ("recvmsg", ("1",)),
    ("recvmsg", (1, -1)),
    ("recvmsg", (1, "1")),
    ("recvmsg", (1, 0, "1")),
    ("recvmsg", (1, 2**40)),
    ("recvmsg_into", ()),
    ("recvmsg_into", (3,)),
    ("recvmsg_into", ([b"x"],)),
    ("recvmsg_into", (["text"],)),
    ("recvmsg_into", ([3],)),
    ("recvmsg_into", ([STRIDED],)),
    ("recvmsg_into", ([memoryview(b"x")],)),
    ("recvmsg_into", ([bytearray(1)], -1)),
    ("recvmsg_into", ([bytearray(1)] * 1025,)),
]


_ID = re.compile(
    r" at 0x[0-9A-Fa-f]+"
)  # of an object, and another one in each process that collects the tests


@against_kernel
@pytest.mark.parametrize(("method", "arguments"), ARGUMENTS, ids=lambda value: _ID.sub("", repr(value))[:50])
def test_wrong_arguments(method: str, arguments: Any, stack: contextlib.ExitStack) -> None:
    """Arguments that the interpreter's own method refuses are refused with the same exception."""
    ours, theirs = Ours(stdlib.AF_INET, stdlib.SOCK_DGRAM), stdlib.socket(stdlib.AF_INET, stdlib.SOCK_DGRAM)
    stack.enter_context(ours)
    stack.enter_context(theirs)
    for sock in (ours, theirs):
        sock.setblocking(False)
        sock.bind(("127.0.0.1", 0))
        sock.connect(sock.getsockname())
    wanted = raised(getattr(theirs, method), *arguments)
    assert isinstance(wanted, tuple), "the interpreter does not refuse it"
    assert raised(getattr(ours, method), *arguments) == wanted


def test_read_only_and_split_memory_is_refused(stack: contextlib.ExitStack) -> None:
    """recvmsg_into takes writable memory in one piece alone; sendmsg takes none that lies in pieces."""
    receiver, sender = datagrams(stack)
    for wrong in (b"xx", memoryview(b"xx"), STRIDED, "xx", 3):
        with pytest.raises(TypeError):
            receiver.recvmsg_into([bytearray(1), wrong])
    with pytest.raises(BufferError):
        sender.sendmsg([STRIDED], [], 0, receiver.getsockname())


def test_a_buffer_can_be_resized_again(stack: contextlib.ExitStack) -> None:
    """No hold on a program's buffer outlives the call, successful or not."""
    receiver, sender = datagrams(stack)
    buffer = bytearray(8)
    sender.sendmsg([buffer], [], 0, receiver.getsockname())
    receiver.recvmsg_into([buffer])
    buffer.append(1)
    receiver.setblocking(False)
    with contextlib.suppress(BlockingIOError):
        receiver.recvmsg_into([buffer])
    buffer.append(1)
    assert len(buffer) == 10


# ---- against the kernel's own

sizes = st.integers(0, 40)
operation = st.one_of(
    st.tuples(st.just("send"), st.lists(st.binary(max_size=20), max_size=4)),
    st.tuples(st.just("beside"), st.sampled_from(["IP_TTL", "IP_TOS"]), st.integers(-2, 300)),
    st.tuples(st.just("receive"), sizes, st.integers(0, 120), st.booleans()),
    st.tuples(st.just("into"), st.lists(sizes, max_size=4), st.integers(0, 120), st.booleans()),
)


def transcript(cls: Any, options: tuple[str, ...], operations: list[Any]) -> list[Any]:
    """What happens when the operations are done, without the numbers that differ between two runs."""
    said: list[Any] = []
    with contextlib.ExitStack() as stack:
        receiver, sender = datagrams(stack, cls)
        receiver.setblocking(False)
        target = receiver.getsockname()
        asked(receiver, stdlib.IPPROTO_IP, options)
        for what, *rest in operations:
            if what == "send":
                said.append(raised(sender.sendmsg, rest[0], [], 0, target))
            elif what == "beside":
                message = (0, getattr(stdlib, rest[0]), struct.pack("=i", rest[1]))
                said.append(raised(sender.sendmsg, [b"abc"], [message], 0, target))
            else:
                flags = stdlib.MSG_PEEK if rest[2] else 0
                buffers = [bytearray(size) for size in rest[0]] if what == "into" else []
                outcome = (
                    raised(receiver.recvmsg_into, buffers, rest[1], flags)
                    if buffers or what == "into"
                    else raised(receiver.recvmsg, rest[0], rest[1], flags)
                )
                if len(outcome) == 4:
                    data, found, told, address = outcome
                    outcome = data, found, told, address == ("127.0.0.1", sender.getsockname()[1])
                said.append((outcome, [bytes(buffer) for buffer in buffers]))
    return said


@against_kernel
@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sets(st.sampled_from(RECEIVED_V4)), st.lists(operation, max_size=25))
def test_datagrams_against_the_kernels_own(options: set[str], operations: list[Any]) -> None:
    """Whatever is sent, asked for and received, the methods give what the kernel's own give."""
    ordered = tuple(sorted(options))
    assert transcript(Ours, ordered, operations) == transcript(stdlib.socket, ordered, operations)


stream_operation = st.one_of(
    st.tuples(st.just("send"), st.lists(st.binary(max_size=40), max_size=4)),
    st.tuples(st.just("receive"), sizes, st.booleans()),
    st.tuples(st.just("into"), st.lists(sizes, max_size=4), st.booleans()),
)


def stream_transcript(cls: Any, operations: list[Any]) -> list[Any]:
    """What happens on a connection; only what has been sent is received, so that nothing depends on time."""
    said: list[Any] = []
    with contextlib.ExitStack() as stack:
        one, other = streams(stack, cls)
        one.settimeout(None)
        other.settimeout(None)
        due = 0
        for what, given, *rest in operations:
            if what == "send":
                sent = one.sendmsg(given)
                said.append(sent)
                due += sent
                continue
            wanted = given if what == "receive" else sum(given)
            if not 0 < wanted <= due:
                continue
            if rest[0]:
                other.recv(wanted, stdlib.MSG_PEEK | stdlib.MSG_WAITALL)  # now all of it is there
                flags = stdlib.MSG_PEEK
            else:
                flags = stdlib.MSG_WAITALL
                due -= wanted
            buffers = [bytearray(size) for size in given] if what == "into" else []
            method = other.recvmsg_into if buffers else other.recvmsg
            said.append((method(buffers or given, 64, flags), [bytes(buffer) for buffer in buffers]))
    return said


@against_kernel
@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(stream_operation, max_size=20))
def test_streams_against_the_kernels_own(operations: list[Any]) -> None:
    """Whatever is sent and received on a stream, the methods give what the kernel's own give."""
    assert stream_transcript(Ours, operations) == stream_transcript(stdlib.socket, operations)


# ---- what only real Windows says


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


def test_unix_sockets_are_handed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """A Unix socket's three methods are those of `unix.dispatch`, with the same arguments."""
    handed: list[Any] = []
    for name in ("sendmsg", "recvmsg", "recvmsg_into"):
        monkeypatch.setattr(
            dispatch.MessageMethods, name, lambda *arguments: handed.append(arguments[1:]), raising=False
        )
    one, other = samesock.socketpair()
    with one, other:
        if one.transport != "emulated":
            pytest.skip("absent here: an emulated Unix socket (SAMESOCK_UNIX=emulated)")
        methods: Any = messages.MessageMethods
        methods.sendmsg(one, [b"x"], [(1, 1, b"1234")], 2, "address")
        methods.recvmsg(one, 1, 2, 3)
        methods.recvmsg_into(one, [bytearray(1)], 2, 3)
    assert handed == [
        ([b"x"], [(1, 1, b"1234")], 2, "address"),
        (1, 2, 3),
        ([bytearray(1)], 2, 3),
    ]


def test_the_names_are_there() -> None:
    """Whatever a program of messages needs has a name in `samesock` on every platform."""
    for name in (
        "CMSG_LEN",
        "CMSG_SPACE",
        "MSG_CTRUNC",
        "MSG_TRUNC",
        "MSG_DONTWAIT",
        "MSG_NOSIGNAL",
        "MSG_PEEK",
    ):
        assert hasattr(samesock, name), name
    for name in names.added():
        assert getattr(samesock, name) == names.WINDOWS[name]
        assert name in samesock.__all__


@given(
    st.ip_addresses(v=4),
    st.ip_addresses(v=6),
    st.integers(0, 65535),
    st.integers(0, 0xFFFFF),
    st.integers(0, 100),
)
def test_addresses_go_there_and_back(v4: Any, v6: Any, port: int, flow: int, scope: int) -> None:
    """An address is the same after it was encoded and decoded; the unspecified one has become loopback."""
    four = sockaddr.decode(sockaddr.encode(stdlib.AF_INET, (str(v4), port)))
    six = sockaddr.decode(sockaddr.encode(stdlib.AF_INET6, (str(v6), port, flow, scope)))
    assert four == (str(v4) if int(v4) else "127.0.0.1", port)
    assert (stdlib.inet_pton(stdlib.AF_INET6, six[0]), *six[1:]) == (
        v6.packed if int(v6) else bytes(15) + b"\1",
        port,
        flow,
        scope,
    )


def test_the_table_is_the_one_that_is_used() -> None:
    """The entries of the package's table are what the methods call."""
    assert {"send_vector", "send_message", "receive_vector", "receive_message"} <= vars(calls).keys()


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
