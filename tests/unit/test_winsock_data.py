"""Sending and receiving as BSD has them, over this system's sockets and over scripted answers.

Each check runs with Winsock's methods: on Windows' Python over Winsock, elsewhere over libc, which shows that the check
states what BSD does. What only real Windows answers is scripted, and says so.
"""

from __future__ import annotations

import array
import contextlib
import errno
import socket as stdlib
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

import samesock
from samesock import MSG_DONTWAIT, MSG_NOSIGNAL, _message_arguments, _platform_file
from samesock.winsock import receiving, sending, waiting
from unit.scripted import script
from unit.winsock_sockets import LOCAL, Made

ALL, PEEK, TRUNC = stdlib.MSG_WAITALL, stdlib.MSG_PEEK, stdlib.MSG_TRUNC


RECEIVES: list[Callable[..., Any]] = [
    lambda sock, flags=0: sock.recv(4, flags),
    lambda sock, flags=0: _by_into(sock.recv_into, flags),
    lambda sock, flags=0: sock.recvfrom(4, flags)[0],
    lambda sock, flags=0: _by_into(sock.recvfrom_into, flags),
]
"""Four ways of receiving at most 4 bytes."""


def _by_into(function: Any, flags: int) -> bytes:
    room = bytearray(4)
    count = function(room, 4, flags)
    return bytes(room[: count if isinstance(count, int) else count[0]])


SENDS: list[Callable[..., Any]] = [
    lambda sock, data, flags=0: sock.send(data, flags),
    lambda sock, data, flags=0: sock.sendall(data, flags),
]


def fill(sock: Any, flags: int = 0) -> int:
    """Send until there is no room; how much went."""
    sent = 0
    while True:
        try:
            sent += sock.send(bytes(1 << 16), flags)
        except BlockingIOError as error:
            assert error.errno == errno.EWOULDBLOCK
            return sent


def drain(sock: Any, size: int) -> None:
    """Receive so many bytes."""
    sock.settimeout(30)
    while size:
        got = len(sock.recv(1 << 16))
        assert got
        size -= got


# ---- streams


@pytest.mark.parametrize("receive", RECEIVES)
@pytest.mark.parametrize("flags", [0, ALL])
def test_after_shut_rd(made: Made, receive: Callable[..., Any], flags: int) -> None:
    """After one's own SHUT_RD the stream has ended for recv, with flags or without."""
    client, _ = made.pair()
    client.shutdown(stdlib.SHUT_RD)
    assert receive(client, flags) == b""


@pytest.mark.parametrize("send", SENDS)
@pytest.mark.parametrize("flags", [0, MSG_NOSIGNAL, MSG_DONTWAIT])
def test_after_shut_wr(made: Made, send: Callable[..., Any], flags: int) -> None:
    """A send after one's own SHUT_WR is EPIPE."""
    client, _ = made.pair()
    client.shutdown(stdlib.SHUT_WR)
    with pytest.raises(BrokenPipeError) as caught:
        send(client, b"x", flags)
    assert caught.value.errno == errno.EPIPE


@pytest.mark.parametrize(
    "use",
    [
        *RECEIVES,
        *(lambda sock, send=send: send(sock, b"x") for send in SENDS),
        lambda sock: sock.recv(1, MSG_DONTWAIT),
        lambda sock: sock.sendto(b"x", ("127.0.0.1", 9)),
    ],
)
@pytest.mark.parametrize("kind", [stdlib.SOCK_STREAM, stdlib.SOCK_DGRAM])
def test_a_closed_socket(made: Made, kind: int, use: Callable[[Any], Any]) -> None:
    """Whatever is sent or received with a closed socket, the error is EBADF."""
    sock = made.socket(stdlib.AF_INET, kind)
    sock.close()
    with pytest.raises(OSError) as caught:
        use(sock)
    assert caught.value.errno == errno.EBADF


@pytest.mark.parametrize("receive", RECEIVES)
def test_nothing_connected(made: Made, receive: Callable[..., Any]) -> None:
    """recv on a stream that was never connected is ENOTCONN."""
    with pytest.raises(OSError) as caught:
        receive(made.stream())
    assert caught.value.errno == errno.ENOTCONN


@pytest.mark.parametrize("receive", RECEIVES)
@pytest.mark.parametrize("timeout", [None, 0, 10])
def test_dontwait_receives_nothing(made: Made, receive: Callable[..., Any], timeout: float | None) -> None:
    """With MSG_DONTWAIT nothing to receive is EWOULDBLOCK at once, in every mode; what is there comes."""
    client, server = made.pair()
    client.settimeout(timeout)
    begin = time.monotonic()
    with pytest.raises(BlockingIOError) as caught:
        receive(client, MSG_DONTWAIT)
    assert time.monotonic() - begin < 5
    assert caught.value.errno == errno.EWOULDBLOCK
    assert client.gettimeout() == timeout
    server.send(b"ab")
    assert receiving.readable(client, 10)
    assert receive(client, MSG_DONTWAIT) == b"ab"


@pytest.mark.parametrize("timeout", [None, 0, 10])
def test_dontwait_sends_what_fits(made: Made, timeout: float | None) -> None:
    """With MSG_DONTWAIT send takes what there is room for and is then EWOULDBLOCK, in every mode; nothing is lost."""
    client, server = made.pair()
    client.settimeout(timeout)
    sent = fill(client, MSG_DONTWAIT)
    assert sent
    assert client.gettimeout() == timeout
    drain(server, sent)
    with pytest.raises(BlockingIOError):
        server.recv(1, MSG_DONTWAIT)


def test_dontwait_sends_nothing(made: Made) -> None:
    """An empty send with MSG_DONTWAIT is 0, as without."""
    client, _ = made.pair()
    assert client.send(b"", MSG_DONTWAIT) == 0


def test_nosignal(made: Made) -> None:
    """MSG_NOSIGNAL goes with every send."""
    client, server = made.pair()
    client.send(b"a", MSG_NOSIGNAL)
    client.sendall(b"b", MSG_NOSIGNAL)
    server.settimeout(10)
    assert server.recv(2, ALL) == b"ab"
    sock = made.datagram()
    sock.sendto(b"c", MSG_NOSIGNAL, sock.getsockname())
    assert sock.recv(1) == b"c"


def later(seconds: float, function: Callable[[], object]) -> threading.Thread:
    """Call it from another thread after a while."""
    thread = threading.Timer(seconds, function)
    thread.start()
    return thread


@pytest.mark.parametrize("receive", RECEIVES)
def test_waitall(made: Made, receive: Callable[..., Any]) -> None:
    """With MSG_WAITALL a blocking recv returns when all that was asked for has come."""
    client, server = made.pair()
    client.send(b"ab")
    thread = later(0.3, lambda: client.send(b"cdef"))
    try:
        assert receive(server, ALL) == b"abcd"
    finally:
        thread.join()  # it must not meet a client that is closed, in the middle of another test
    assert server.recv(9) == b"ef"


def test_waitall_at_the_end(made: Made) -> None:
    """MSG_WAITALL gives less where the stream ends, and what is there where the socket does not block."""
    client, server = made.pair()
    client.send(b"ab")
    assert receiving.readable(server, 10)
    server.setblocking(False)
    assert server.recv(4, ALL) == b"ab"
    server.setblocking(True)
    client.send(b"cd")
    client.close()
    assert server.recv(4, ALL) == b"cd"
    assert server.recv(4, ALL) == b""


def test_peek(made: Made) -> None:
    """With MSG_PEEK what was received can be received again."""
    client, server = made.pair()
    client.send(b"abcd")
    for receive in RECEIVES:
        assert receiving.readable(server, 10)
        assert receive(server, PEEK)[:1] == b"a"
    assert server.recv(9) == b"abcd"


def test_buffers_of_any_kind(made: Made) -> None:
    """What has the buffer protocol can be sent and received into; nbytes limits, and is checked."""
    client, server = made.pair()
    numbers = array.array("I", [1, 2, 3])
    client.sendall(numbers)
    client.sendall(memoryview(b"xyz"), MSG_NOSIGNAL)
    room = array.array("I", [0, 0, 0])
    assert server.recv_into(room, 0, ALL) == 3 * room.itemsize
    assert room == numbers
    other = bytearray(3)
    assert server.recv_into(other, 1, ALL) == 1
    assert other == b"x\0\0"
    for flags in (0, ALL):
        with pytest.raises(ValueError):
            server.recv_into(other, 4, flags)
        with pytest.raises(ValueError):
            server.recv_into(other, -1, flags)
        with pytest.raises(ValueError):
            server.recv(-1, flags)


@pytest.mark.parametrize("timeout", [None, 30])
def test_a_big_sendall(made: Made, timeout: float | None) -> None:
    """sendall of much arrives whole and in order."""
    client, server = made.pair()
    client.settimeout(timeout)
    data = bytes(range(256)) * (5 << 12)  # 5 MiB
    thread = threading.Thread(target=client.sendall, args=(data,))
    thread.start()
    assert server.recv(len(data), ALL) == data
    thread.join()


def test_a_big_sendalls_time(made: Made) -> None:
    """The time-out of sendall is for all of it, however much moves in between."""
    client, server = made.pair()
    client.settimeout(0.5)
    stop = threading.Event()

    def trickle() -> None:
        while not stop.wait(0.05):
            with contextlib.suppress(BlockingIOError):  # The sending may not have begun, or not gone on yet.
                server.recv(1 << 16, MSG_DONTWAIT)

    thread = threading.Thread(target=trickle)
    thread.start()
    try:
        begin = time.monotonic()
        with pytest.raises(TimeoutError):
            client.sendall(bytes(64 << 20))
        assert time.monotonic() - begin < 10
    finally:
        stop.set()
        thread.join()


def test_no_buffers(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the system has no memory for a big send, less is tried; for a small one it is an error (scripted)."""
    client, _ = made.pair()
    log = script(monkeypatch, "send", 10055, ..., 10055)
    client.setblocking(False)
    assert 0 < client.send(bytes(2 << 20)) <= 1 << 20
    assert [len(arguments[0]) for arguments in log] == [2 << 20, 1 << 20]
    with pytest.raises(OSError) as caught:
        client.send(b"x")
    assert caught.value.errno == errno.ENOBUFS


def test_an_unconnected_send(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    """WSAECONNRESET from a send that was never connected is ENOTCONN (scripted: Wine's), and else ECONNRESET."""
    script(monkeypatch, "send", 10054, 10054)
    alone, (connected, _) = made.stream(), made.pair()
    for sock in (alone, connected):
        sock.setblocking(False)
    with pytest.raises(OSError) as caught:
        alone.send(b"x")
    assert caught.value.errno == errno.ENOTCONN
    with pytest.raises(ConnectionResetError):
        connected.send(b"x")


def test_urgent_data(made: Made) -> None:
    """recv with MSG_OOB gives the urgent byte, and is EINVAL where there is none."""
    client, server = made.pair()
    with pytest.raises(OSError) as caught:
        server.recv(1, stdlib.MSG_OOB)
    assert caught.value.errno == errno.EINVAL
    client.send(b"u", stdlib.MSG_OOB)
    deadline = time.monotonic() + 10
    while not waiting.is_urgent(server):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert server.recv(1, stdlib.MSG_OOB) == b"u"


# ---- datagrams


@pytest.mark.parametrize("receive", RECEIVES)
@pytest.mark.parametrize("flags", [0, MSG_DONTWAIT, ALL])
def test_a_long_datagram(made: Made, receive: Callable[..., Any], flags: int) -> None:
    """A datagram longer than the room is cut without a word, and its rest is gone."""
    one, other = made.datagram(), made.datagram()
    other.sendto(b"0123456789", one.getsockname())
    other.sendto(b"next", one.getsockname())
    assert receiving.readable(one, 10)
    assert receive(one, flags) == b"0123"
    assert one.recv(9) == b"next"


def test_its_sender(made: Made) -> None:
    """The sender of a datagram is known, also of one that was cut, or only peeked at."""
    one, other = made.datagram(), made.datagram()
    other.sendto(b"0123456789", one.getsockname())
    assert one.recvfrom(4, PEEK) == (b"0123", other.getsockname())
    room = bytearray(9)
    assert one.recvfrom_into(room, 2, PEEK) == (2, other.getsockname())
    assert room == b"01" + bytes(7)
    assert one.recvfrom(4) == (b"0123", other.getsockname())


def test_its_real_length(made: Made) -> None:
    """With MSG_TRUNC the real length of a datagram is told, whatever fits."""
    one, other = made.datagram(), made.datagram()
    for _ in range(3):
        other.sendto(b"0123456789", one.getsockname())
    assert one.recv_into(bytearray(4), 0, TRUNC) == 10
    assert one.recvfrom_into(bytearray(4), 0, TRUNC)[0] == 10
    assert len(one.recv(4, TRUNC)) == 10


def test_an_empty_datagram(made: Made) -> None:
    """A datagram of no bytes is sent and received."""
    one, other = made.datagram(), made.datagram()
    other.sendto(b"", one.getsockname())
    assert one.recvfrom(4) == (b"", other.getsockname())
    other.connect(one.getsockname())
    other.send(b"")
    assert one.recv(4) == b""


def test_room_for_nothing(made: Made) -> None:
    """recv(0) and recv_into without room ask nobody, as in CPython; recvfrom(0) takes a datagram."""
    one, other = made.datagram(), made.datagram()
    assert one.recv(0) == b""
    other.sendto(b"abc", one.getsockname())
    other.sendto(b"next", one.getsockname())
    assert one.recv(0, PEEK) == b""
    assert one.recv_into(bytearray()) == 0
    assert one.recvfrom(0) == (b"", other.getsockname())
    assert one.recv(9) == b"next"


def test_the_longest(made: Made) -> None:
    """The longest datagram, 65,507 bytes, arrives; a longer one is EMSGSIZE."""
    one, other = made.datagram(), made.datagram()
    other.sendto(bytes(65507), one.getsockname())
    assert len(one.recv(70000)) == 65507
    with pytest.raises(OSError) as caught:
        other.sendto(bytes(65508), one.getsockname())
    assert caught.value.errno == errno.EMSGSIZE


def test_beyond_an_int() -> None:
    """What C would cut to an int is EMSGSIZE and not a shorter datagram."""

    class Endless:
        nbytes = 2**32 + 5

    with pytest.MonkeyPatch.context() as patch, pytest.raises(OSError) as caught:
        patch.setattr(_message_arguments, "bytes_of", lambda data: data)
        sending._check_length(Endless())
    assert caught.value.errno == errno.EMSGSIZE


def test_no_destination(made: Made) -> None:
    """send on a datagram socket without a peer is EDESTADDRREQ."""
    for send in SENDS:
        with pytest.raises(OSError) as caught:
            send(made.datagram(), b"x")
        assert caught.value.errno == errno.EDESTADDRREQ


def test_to_another_than_the_peer(made: Made) -> None:
    """A connected datagram socket sends to its peer by send, and by sendto with the peer's address."""
    one, other = made.datagram(), made.datagram()
    other.connect(one.getsockname())
    other.sendall(b"a")
    other.sendto(b"b", one.getsockname())
    assert [one.recv(1), one.recv(1)] == [b"a", b"b"]


def test_sendto_the_peer_where_winsock_refuses(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    """WSAEISCONN from sendto to the peer itself is a send; to others it is EISCONN (scripted)."""
    one, other = made.datagram(), made.datagram()
    other.connect(one.getsockname())
    script(monkeypatch, "sendto", 10056, 10056)
    assert other.sendto(b"b", one.getsockname()) == 1
    assert one.recv(1) == b"b"
    with pytest.raises(OSError) as caught:
        other.sendto(b"b", ("127.0.0.1", 9))
    assert caught.value.errno == errno.EISCONN


def test_sendto_the_wildcard(made: Made) -> None:
    """A datagram to 0.0.0.0 reaches loopback."""
    sock = made.datagram()
    sock.sendto(b"x", ("0.0.0.0", sock.getsockname()[1]))
    assert sock.recv(1) == b"x"


def test_sendto_takes_two_or_three(made: Made) -> None:
    """sendto's arguments are checked as in the standard library."""
    sock = made.datagram()
    for arguments in ((), (0, LOCAL, 0)):
        with pytest.raises(TypeError):
            sock.sendto(b"x", *arguments)


def test_port_0(made: Made) -> None:
    """A datagram to port 0 is EINVAL."""
    with pytest.raises(OSError) as caught:
        made.datagram().sendto(b"x", ("127.0.0.1", 0))
    assert caught.value.errno == errno.EINVAL


def dead_port() -> Any:
    """An address where no datagram socket is."""
    with stdlib.socket(stdlib.AF_INET, stdlib.SOCK_DGRAM) as gone:
        gone.bind(LOCAL)
        return gone.getsockname()


def test_a_closed_port_unconnected(made: Made) -> None:
    """Without a peer nothing is heard of a datagram that met a closed port."""
    sock, friend = made.datagram(), made.datagram()
    sock.sendto(b"x", dead_port())
    friend.sendto(b"hello", sock.getsockname())
    assert sock.recvfrom(9) == (b"hello", friend.getsockname())


@pytest.fixture
def deviation_of_refusal(request: pytest.FixtureRequest) -> None:
    """Expect the test to fail, strictly, where this platform's file declares the deviation."""
    name = "udp-refused"
    path = _platform_file.folder() / f"{_platform_file.this_platform()}.toml"
    entries = (
        _platform_file.tomllib.loads(path.read_text(encoding="utf-8")).get("deviations", [])
        if path.is_file()
        else []
    )
    if any(entry["id"] == name for entry in entries):
        request.applymarker(pytest.mark.xfail(reason=name, strict=True))


@pytest.mark.usefixtures("deviation_of_refusal")
def test_a_closed_port_is_heard_of_by_who_is_connected(made: Made) -> None:
    """With a peer, a datagram that met a closed port makes recv fail with ECONNREFUSED."""
    sock = made.datagram()
    sock.settimeout(1)
    sock.connect(dead_port())
    sock.send(b"x")
    with pytest.raises(ConnectionRefusedError):
        sock.recv(1)


@pytest.mark.parametrize("receive", RECEIVES)
@pytest.mark.parametrize("code", [10054, 10052])
def test_errors_of_earlier_datagrams(
    made: Made, monkeypatch: pytest.MonkeyPatch, receive: Callable[..., Any], code: int
) -> None:
    """WSAECONNRESET and WSAENETRESET from recv without a peer are skipped (scripted)."""
    sock, friend = made.datagram(), made.datagram()
    friend.sendto(b"data", sock.getsockname())
    script(monkeypatch, "recvfrom_into", code, code)
    assert receive(sock) == b"data"


def test_skipping_keeps_the_time(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    """However often an error is skipped, the time-out is the socket's (scripted)."""
    sock = made.datagram()
    sock.settimeout(0.3)
    script(monkeypatch, "recvfrom_into", *[10054] * 3)
    begin = time.monotonic()
    with pytest.raises(TimeoutError):
        sock.recvfrom(4)
    assert time.monotonic() - begin < 10


def test_a_closed_port_connected(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a peer WSAECONNRESET is ECONNREFUSED, from recv and send; WSAENETRESET is skipped (scripted)."""
    sock, friend = made.datagram(), made.datagram()
    sock.connect(friend.getsockname())
    script(monkeypatch, "recvfrom_into", 10054)
    with pytest.raises(ConnectionRefusedError) as caught:
        sock.recv(4)
    assert caught.value.errno == errno.ECONNREFUSED
    script(monkeypatch, "send", 10054, 10052)
    with pytest.raises(ConnectionRefusedError):
        sock.send(b"x")
    assert sock.send(b"x") == 1
    script(monkeypatch, "sendto", 10054)
    assert sock.sendto(b"x", friend.getsockname()) == 1


def test_receiving_unbound(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    """recvfrom on an unbound datagram socket waits as on any other (scripted: Windows' WSAEINVAL)."""
    sock = made.socket(stdlib.AF_INET, stdlib.SOCK_DGRAM)
    sock.settimeout(0.2)
    script(monkeypatch, "recvfrom_into", 10022)
    with pytest.raises(TimeoutError):
        sock.recvfrom(4)
    sock.setblocking(False)
    with pytest.raises(BlockingIOError):
        sock.recvfrom(4)


def test_a_streams_recvfrom(made: Made) -> None:
    """recvfrom of a stream has no sender to tell."""
    client, server = made.pair()
    client.send(b"abcd")
    server.settimeout(10)
    assert server.recvfrom(2) == (b"ab", None)
    assert server.recvfrom_into(bytearray(2)) == (2, None)


# ---- names


def test_flags_are_there() -> None:
    """The flags and the errors of name resolution have names on every platform, of which none is another's."""
    flags = [samesock.MSG_DONTWAIT, samesock.MSG_WAITALL, samesock.MSG_PEEK, samesock.MSG_TRUNC]
    assert len({int(flag) for flag in flags}) == 4
    assert isinstance(samesock.MSG_NOSIGNAL, int)
    assert not any(samesock.MSG_NOSIGNAL & flag for flag in flags)
