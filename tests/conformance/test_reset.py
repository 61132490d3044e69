"""What becomes of an Internet stream that its peer has reset: its one error, and every call after it."""

from __future__ import annotations

import errno
import select
import time
from collections.abc import Callable
from typing import Any

import pytest

from conformance.raising import PATIENCE, Background, errno_of


def by_file(sock: Any, mode: str, call: Callable[[Any], Any]) -> Any:
    """What the call makes of a file over the socket."""
    with sock.makefile(mode, buffering=0) as file:
        return call(file)


MODES = [None, PATIENCE, 0.0]
"""Time-outs: a socket that blocks, one that has a time-out, one that does not block."""

READERS: dict[str, Callable[[Any, Any], Any]] = {
    "recv": lambda net, sock: sock.recv(8),
    "recv_into": lambda net, sock: sock.recv_into(bytearray(8)),
    "recvfrom": lambda net, sock: sock.recvfrom(8)[0],
    "recvfrom_into": lambda net, sock: sock.recvfrom_into(bytearray(8))[0],
    "recvmsg": lambda net, sock: sock.recvmsg(8)[0],
    "recvmsg_into": lambda net, sock: sock.recvmsg_into([bytearray(8)])[0],
    "MSG_PEEK": lambda net, sock: sock.recv(8, net.MSG_PEEK),
    "MSG_WAITALL": lambda net, sock: sock.recv(8, net.MSG_WAITALL),
    "MSG_DONTWAIT": lambda net, sock: sock.recv(8, net.MSG_DONTWAIT),
    "makefile": lambda net, sock: by_file(sock, "rb", lambda file: file.read(8)),
}
WRITERS: dict[str, Callable[[Any, Any], Any]] = {
    "send": lambda net, sock: sock.send(b"x"),
    "send of nothing": lambda net, sock: sock.send(b""),
    "sendall": lambda net, sock: sock.sendall(b"x"),
    "sendall of 64 KiB": lambda net, sock: sock.sendall(bytes(1 << 16)),
    "sendall of 5 MiB": lambda net, sock: sock.sendall(bytes(5 << 20)),
    "sendmsg": lambda net, sock: sock.sendmsg([b"x", b"y"]),
    "sendto": lambda net, sock: sock.sendto(b"x", ("127.0.0.1", 9)),
    "MSG_DONTWAIT": lambda net, sock: sock.send(b"x", net.MSG_DONTWAIT),
    "makefile": lambda net, sock: by_file(sock, "wb", lambda file: file.write(b"x")),
}


def pending(net: Any, sock: Any) -> int:
    """SO_ERROR."""
    return int(sock.getsockopt(net.SOL_SOCKET, net.SO_ERROR))


@pytest.fixture
def broken(inet: Any) -> Any:
    """A stream whose peer has reset the connection, which nobody has been told yet."""
    made = inet.connection()
    inet.reset(made.server)
    assert select.select([made.client], [], [], PATIENCE)[0]
    return made.client


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("how", READERS)
def test_receiving_tells_it_once(net, broken, how, mode):
    """recv(2): ECONNRESET once, and from then on the end of the stream (Linux)."""
    broken.settimeout(mode)
    assert errno_of(READERS[how], net, broken) == errno.ECONNRESET
    assert not READERS[how](net, broken)
    assert not READERS[how](net, broken)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("how", WRITERS)
def test_sending_tells_it_once(net, broken, how, mode):
    """send(2): ECONNRESET once, and from then on EPIPE."""
    broken.settimeout(mode)
    assert errno_of(WRITERS[how], net, broken) == errno.ECONNRESET
    assert errno_of(WRITERS[how], net, broken) == errno.EPIPE
    assert errno_of(WRITERS[how], net, broken) == errno.EPIPE


@pytest.mark.parametrize("how", ["recv", "recv_into", "recvmsg", "MSG_PEEK", "send", "sendall", "sendmsg"])
def test_a_connection_that_nobody_has_asked_about(net, inet, how):
    """connect(2): after a non-blocking connect whose end was never asked for, a reset is told as of any other."""
    listener, client = inet.listener(), inet.tcp()
    client.setblocking(False)
    assert client.connect_ex(listener.getsockname()) == errno.EINPROGRESS
    assert select.select([], [client], [], PATIENCE)[1]
    inet.reset(inet.accept(listener)[0])
    assert select.select([client], [], [], PATIENCE)[0]
    assert errno_of((READERS | WRITERS)[how], net, client) == errno.ECONNRESET
    assert client.recv(1) == b""
    assert errno_of(client.send, b"x") == errno.EPIPE
    assert pending(net, client) == 0


@pytest.mark.parametrize("how", READERS)
def test_who_receives_takes_it(net, broken, how):
    """send(2): EPIPE where a recv(2) of whatever kind has been told of the reset; SO_ERROR is 0 (socket(7))."""
    assert errno_of(READERS[how], net, broken) == errno.ECONNRESET
    assert errno_of(broken.send, b"x") == errno.EPIPE
    assert pending(net, broken) == 0
    assert broken.recv(1) == b""


@pytest.mark.parametrize("how", WRITERS)
def test_who_sends_takes_it(net, broken, how):
    """recv(2): the end of the stream where a send(2) of whatever kind has been told of the reset; SO_ERROR is 0."""
    assert errno_of(WRITERS[how], net, broken) == errno.ECONNRESET
    assert broken.recv(1) == b""
    assert pending(net, broken) == 0
    assert errno_of(broken.send, b"x") == errno.EPIPE


def test_who_asks_takes_it(net, broken):
    """socket(7): SO_ERROR is ECONNRESET once; recv(2) is at the end of the stream then, and send(2) EPIPE."""
    assert pending(net, broken) == errno.ECONNRESET
    assert pending(net, broken) == 0
    assert broken.recv(1) == b""
    assert errno_of(broken.send, b"x") == errno.EPIPE


def test_the_error_as_bytes(net, broken):
    """socket(7): SO_ERROR asked for as bytes is the same int, and is taken."""
    told = broken.getsockopt(net.SOL_SOCKET, net.SO_ERROR, 4)
    assert int.from_bytes(told, "little") == errno.ECONNRESET
    assert pending(net, broken) == 0


def test_it_has_no_peer(net, broken):
    """getpeername(2): ENOTCONN as soon as the connection is reset; the error is still there."""
    assert errno_of(broken.getpeername) == errno.ENOTCONN
    assert errno_of(broken.recv, 1) == errno.ECONNRESET
    assert errno_of(broken.getpeername) == errno.ENOTCONN


def test_it_keeps_its_name(inet, broken):
    """getsockname(2): the socket's own name stays."""
    name = broken.getsockname()
    assert name[0] == inet.host
    assert errno_of(broken.recv, 1) == errno.ECONNRESET
    assert broken.getsockname() == name


@pytest.mark.parametrize("how", ["SHUT_RD", "SHUT_WR", "SHUT_RDWR"])
def test_it_cannot_be_shut_down(net, broken, how):
    """shutdown(2): ENOTCONN, told and untold; the error is still there."""
    assert errno_of(broken.shutdown, getattr(net, how)) == errno.ENOTCONN
    assert errno_of(broken.recv, 1) == errno.ECONNRESET
    assert errno_of(broken.shutdown, getattr(net, how)) == errno.ENOTCONN


def test_options_can_be_had(net, broken):
    """setsockopt(2): options are read and set as before, and take nothing."""
    broken.setsockopt(net.IPPROTO_TCP, net.TCP_NODELAY, 1)
    assert broken.getsockopt(net.IPPROTO_TCP, net.TCP_NODELAY) != 0
    assert errno_of(broken.recv, 1) == errno.ECONNRESET
    assert broken.getsockopt(net.SOL_SOCKET, net.SO_TYPE) == net.SOCK_STREAM


def test_receiving_nothing_takes_nothing(broken):
    """recv(0) gives no bytes, and the error is still there (CPython)."""
    assert broken.recv(0) == b""
    assert errno_of(broken.recv, 1) == errno.ECONNRESET


def test_it_is_ready_for_ever(net, broken):
    """select(2): readable and writable, before the error is told and after it."""
    for _ in range(2):
        assert select.select([broken], [broken], [], PATIENCE)[:2] == ([broken], [broken])
        pending(net, broken)


def test_a_duplicate_takes_it(broken):
    """dup(2): a duplicate is the same socket, whose one error whoever asks first is told."""
    with broken.dup() as copy:
        assert errno_of(copy.recv, 1) == errno.ECONNRESET
        assert broken.recv(1) == b""
        assert errno_of(copy.send, b"x") == errno.EPIPE
    with broken.dup() as copy:
        assert copy.recv(1) == b""


def test_it_is_connected_no_more(inet, broken):
    """connect(2) is not EISCONN: it tells the reset, and ECONNABORTED after it was told (Linux)."""
    address = inet.listener().getsockname()
    assert errno_of(broken.connect, address) == errno.ECONNRESET


def test_connecting_after_it_was_told(inet, broken):
    """connect(2): ECONNABORTED where the reset was told before (Linux)."""
    assert errno_of(broken.recv, 1) == errno.ECONNRESET
    assert errno_of(broken.connect, inet.listener().getsockname()) == errno.ECONNABORTED


@pytest.mark.parametrize("mode", [None, 2 * PATIENCE])
def test_a_reset_ends_a_recv(net, inet, mode):
    """recv(2): one that blocks is ECONNRESET when the reset comes, and has taken the error."""
    made = inet.connection()
    made.client.settimeout(mode)
    call = Background(made.client.recv, 1)
    assert call.running(0.1)
    inet.reset(made.server)
    assert errno_of(call.result) == errno.ECONNRESET
    assert made.client.recv(1) == b""
    assert pending(net, made.client) == 0


@pytest.mark.parametrize("mode", [None, 2 * PATIENCE])
def test_a_reset_ends_a_sendall(inet, mode):
    """send(2): one that waits for room is ECONNRESET when the reset comes, and has taken the error."""
    made = inet.connection()
    inet.fill(made.client)
    made.client.settimeout(mode)
    call = Background(made.client.sendall, bytes(1 << 20))
    assert call.running(0.1)
    inet.reset(made.server)
    assert errno_of(call.result) == errno.ECONNRESET
    assert errno_of(made.client.send, b"x") == errno.EPIPE


@pytest.mark.parametrize("how", ["recv", "recvmsg"])
def test_a_part_is_given_out_first(net, inet, how):
    """recv(2): with MSG_WAITALL what had come is given out when the reset comes; the next call is told of it."""
    made = inet.connection()
    made.client.settimeout(None)
    arguments = (8, net.MSG_WAITALL) if how == "recv" else (8, 0, net.MSG_WAITALL)
    call = Background(getattr(made.client, how), *arguments)
    made.server.sendall(b"ab")
    assert call.running(0.2)
    inet.reset(made.server)
    got = call.result()
    assert (got if how == "recv" else got[0]) == b"ab"
    assert errno_of(made.client.recv, 8) == errno.ECONNRESET
    assert made.client.recv(8) == b""


def test_after_ones_own_shutdown(net, inet):
    """send(2): a reset that comes after one's own SHUT_WR is told before EPIPE is (Linux)."""
    made = inet.connection()
    made.client.shutdown(net.SHUT_WR)
    inet.reset(made.server)
    assert select.select([made.client], [], [], PATIENCE)[0]
    assert errno_of(made.client.send, b"x") == errno.ECONNRESET
    assert errno_of(made.client.send, b"x") == errno.EPIPE
    assert made.client.recv(1) == b""


def test_what_came_before_is_received(inet):
    """tcp(7): what had come before the reset is received, and ECONNRESET comes after it (Linux)."""
    made = inet.connection()
    made.server.sendall(b"data")
    assert select.select([made.client], [], [], PATIENCE)[0]
    inet.reset(made.server)
    time.sleep(0.1)
    assert made.client.recv(8) == b"data"
    assert errno_of(made.client.recv, 8) == errno.ECONNRESET


def test_an_end_stays_an_end(inet):
    """recv(2): where the peer has closed properly the stream has ended; the reset that answers what was sent to it
    since is send's alone, as EPIPE (Linux)."""
    made = inet.connection()
    made.server.close()
    assert made.client.recv(1) == b""
    made.client.send(b"to nobody")
    time.sleep(0.1)
    assert made.client.recv(1) == b""
    assert errno_of(made.client.send, b"x") == errno.EPIPE


def test_an_end_that_nobody_read_stays_an_end(net, inet):
    """recv(2): the end of the stream where the peer has closed properly and then answered a send by a reset, also if
    the first recv comes after it; send and SO_ERROR have EPIPE (Linux)."""
    made = inet.connection()
    made.server.close()
    assert select.select([made.client], [], [], PATIENCE)[0]
    made.client.send(b"to nobody")
    time.sleep(0.1)
    assert made.client.recv(1) == b""
    assert made.client.recv(1) == b""
    assert pending(net, made.client) == errno.EPIPE
    assert made.client.recv(1) == b""


def test_a_connect_in_vain_tells_no_error(net, inet):
    """connect(2): one that fails on a live connection, as for a host that cannot be found, leaves the reset that comes
    later to be told."""
    made = inet.connection()
    with pytest.raises(net.gaierror):
        made.client.connect(("::1", 80))  # no host of IPv4's
    made.server.sendall(b"part")
    assert made.client.recv(8) == b"part"
    inet.reset(made.server)
    assert select.select([made.client], [], [], PATIENCE)[0]
    assert errno_of(made.client.recv, 8) == errno.ECONNRESET


def test_a_duplicate_knows_of_a_second_connect(inet):
    """connect(2): after a connect that was refused and a second one that was not, a reset is told to the socket or to
    its duplicate, whichever asks first (Linux)."""
    listener, sock = inet.listener(), inet.tcp()
    sock.settimeout(None)
    with sock.dup() as copy:
        assert errno_of(sock.connect, inet.closed_port()) == errno.ECONNREFUSED
        sock.connect(listener.getsockname())
        server, _ = inet.accept(listener)
        inet.reset(server)
        assert select.select([copy], [], [], PATIENCE)[0]
        assert errno_of(copy.recv, 8) == errno.ECONNRESET
        assert sock.recv(8) == b""


def test_a_refusal_is_told_once(net, inet):
    """socket(7): SO_ERROR is 0 where connect(2) has told why it failed."""
    sock = inet.tcp()
    assert errno_of(sock.connect, inet.closed_port()) == errno.ECONNREFUSED
    assert pending(net, sock) == 0
