"""Descriptor passing against whoever is rude: bytes that look like frames, frames again, halves, ends in the middle."""

from __future__ import annotations

import errno
import os
import select
import socket as stdlib
import threading
import time
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

import samesock
from faults.children import child, says, tell
from faults.strangers import exchange
from samesock import fd
from samesock.backend import system
from samesock.unix import dispatch, ends, frames, passing, passing_taker
from samesock.unix.emulated import EmulatedEnd

pytestmark = pytest.mark.needs("passing")

stays_with_its_receiver = pytest.mark.fd_leaks(
    "allow",
    reason="on Windows what a frame carries that nobody takes stays in its receiver, which is this process",
)


@pytest.fixture(autouse=True)
def taken_back() -> Iterator[None]:
    """What a test has offered and nobody has taken would be kept while this process lives, which may be its taker."""
    yield
    offers = getattr(system.passing, "_in_flight", [])
    while offers:
        offers.pop().revoke()


@pytest.fixture
def pair(path: str, listener: samesock.socket) -> Iterator[tuple[samesock.socket, samesock.socket]]:
    """A client and the server's end of its connection."""
    with samesock.socket(samesock.AF_UNIX) as client:
        client.settimeout(20)
        client.connect(path)
        server, _ = listener.accept()
        with server:
            server.settimeout(20)
            yield client, server


@pytest.fixture
def pipe() -> Iterator[list[int]]:
    """A pipe, of which the test may close what it takes out of the list."""
    both = list(os.pipe())
    yield both
    for number in both:
        os.close(number)


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


@stays_with_its_receiver
def test_bytes_that_look_like_a_frame_do_nothing(pair, pipe):
    """A frame with the right marker and a wrong MAC, with the marker of the other direction, or of another
    connection: all are delivered as the bytes they are."""
    one, other = pair
    marker = passage(other).keys.marker
    forged = frames.keys(bytes(32), 0, marker)
    head = frames.Head(bytes(16), 1, *system.passing.me(), 0, 0, 1)
    lies = frames.encode(forged, head, [frames.Record("lease", b"", b""), frames.Record("fd", bytes(8), b"")])
    reflected = frame_of(other, [pipe[0]], b"x")
    stranger, friend = samesock.socketpair()
    with stranger, friend:
        foreign = frame_of(stranger, [pipe[0]], b"x")
    data = lies + b"|" + reflected + b"|" + foreign + b"|" + marker + b"short" + bytes(200)
    one.sendall(data)
    assert all_of(other, len(data)) == (data, [])


def test_a_frame_is_good_once(pair, pipe):
    """A frame that is sent again by somebody who has seen it is plain bytes."""
    one, other = pair
    frame = frame_of(one, [pipe[0]], b"x")
    one.sendall(frame)
    data, numbers = all_of(other, 1)
    assert data == b"x"
    assert len(numbers) == 1
    close_all(numbers)
    one.sendall(frame)
    assert all_of(other, len(frame)) == (frame, [])


@stays_with_its_receiver
def test_an_earlier_frame_is_not_good_after_a_later_one(pair, pipe):
    """A frame that was held back until a later one has been taken is plain bytes."""
    one, other = pair
    held = frame_of(one, [pipe[0]], b"x")
    samesock.send_fds(one, [b"y"], [pipe[0]])
    _, numbers = all_of(other, 1)
    close_all(numbers)
    one.sendall(held)
    assert all_of(other, len(held)) == (held, [])


def test_a_frame_in_one_byte_pieces(pair, pipe):
    """A frame that comes byte by byte is put together, and so are the bytes around it."""
    one, other = pair
    data = b"before" + frame_of(one, [pipe[0], pipe[1]], b"message") + b"after"

    def trickle() -> None:
        for at in range(len(data)):
            one.send(data[at : at + 1])

    thread = threading.Thread(target=trickle)
    thread.start()
    got, numbers = all_of(other, len(b"beforemessageafter"))
    thread.join()
    close_all(numbers)
    assert got == b"beforemessageafter"
    assert len(numbers) == 2


def test_a_frame_in_pieces_without_blocking(pair, pipe):
    """A non-blocking receiver is told EAGAIN until the frame is whole, and loses nothing of it."""
    one, other = pair
    frame = frame_of(one, [pipe[0]], b"message")
    other.setblocking(False)
    one.sendall(b"x")
    for at in range(0, len(frame), 16):
        one.sendall(frame[at : at + 16])
        if at == 0:
            system.wait([other.fileno()], [], 20)
            assert samesock.recv_fds(other, 100, 1)[0] == b"x"
        if at + 16 < len(frame) - len(b"message"):
            with pytest.raises(BlockingIOError):
                samesock.recv_fds(other, 100, 1)
    other.settimeout(20)
    got, numbers = all_of(other, 7)
    close_all(numbers)
    assert (got, len(numbers)) == (b"message", 1)


def test_the_beginning_of_a_marker_is_not_kept_for_ever(pair):
    """Plain bytes that end as a marker begins are delivered after a moment."""
    one, other = pair
    marker = passage(other).keys.marker
    for length in (1, 2, 15):
        one.sendall(b"text" + marker[:length])
        assert all_of(other, 4 + length) == (b"text" + marker[:length], [])
    one.sendall(marker[:3])
    other.setblocking(False)
    system.wait([other.fileno()], [], 20)
    with pytest.raises(BlockingIOError):
        other.recvmsg(10)
    time.sleep(passing.DOUBT_SECONDS * 2)
    assert other.recvmsg(10)[0] == marker[:3]


@stays_with_its_receiver
def test_a_sender_that_ends_in_the_middle_of_a_frame(pair, pipe):
    """The receiver sees the end, and of the descriptors those that had come whole are closed."""
    one, other = pair
    frame = frame_of(one, [pipe[1], pipe[0]], b"message")
    os.close(pipe.pop())
    one.sendall(frame[:-10])
    one.close()
    assert samesock.recv_fds(other, 100, 4)[:2] == (b"", [])
    system.passing.release()
    assert writer_has_gone(pipe)


def test_a_frame_that_is_cut_off_in_its_message(pair, pipe):
    """Descriptors whose message never comes are closed, and the end is seen."""
    one, other = pair
    frame = frame_of(one, [pipe[1]], b"m")
    os.close(pipe.pop())
    one.sendall(frame[:-1])
    one.close()
    assert samesock.recv_fds(other, 100, 4)[:2] == (b"", [])
    system.passing.release()
    assert writer_has_gone(pipe)


def test_closing_without_having_looked(pair, pipe):
    """An end that is closed with descriptors unread lets go of them."""
    one, other = pair
    one.sendall(b"plain")
    samesock.send_fds(one, [b"x"], [pipe[1]])
    samesock.send_fds(one, [b"y"], [pipe[1]])
    os.close(pipe.pop())
    if not system.passing.NEEDS_TARGET:
        pytest.skip("passing: what is fetched is not there before it is asked for")
    other.close()
    assert writer_has_gone(pipe)


def test_no_room_leaves_nothing(pair, pipe):
    """EAGAIN comes before anything is made: what was to be sent is open nowhere else."""
    one, _ = pair
    one.setblocking(False)
    with pytest.raises(BlockingIOError):
        while True:
            one.send(b"." * 65536)
    with pytest.raises(BlockingIOError):
        samesock.send_fds(one, [b"x"], [pipe[1]])
    os.close(pipe.pop())
    assert writer_has_gone(pipe)


def test_more_than_a_receiver_takes_for_a_frame(pair, pipe, monkeypatch):
    """Descriptors of which there is too much to tell are EMSGSIZE, and none is left anywhere."""
    one, other = pair
    with monkeypatch.context() as patch:
        patch.setattr(frames, "LARGEST_BODY", 64)
        with pytest.raises(OSError, match="tell of them") as caught:
            samesock.send_fds(one, [b"x"], [pipe[1]] * 3)
    assert caught.value.errno == errno.EMSGSIZE
    one.send(b"y")
    assert samesock.recv_fds(other, 10, 3)[:2] == (b"y", [])
    os.close(pipe.pop())
    assert writer_has_gone(pipe)


@stays_with_its_receiver
def test_a_peer_that_does_not_take_a_begun_frame(pair, pipe, monkeypatch):
    """A non-blocking sender that cannot finish a frame ends the connection; it does not wait for ever."""
    monkeypatch.setattr(passing, "FINISH_SECONDS", 0.1)
    one, other = pair
    end = ends.get(one)
    assert end is not None
    one.setblocking(False)
    original = dispatch.calls.send
    begun: list[int] = []

    def stingy(sock: Any, data: Any, flags: int = 0) -> int:
        if begun:
            raise BlockingIOError
        begun.append(1)
        return original(sock, data[:120], flags)  # the head, and a part of the records

    monkeypatch.setattr(dispatch.calls, "send", stingy)
    monkeypatch.setattr(system, "wait", lambda readers, writers, timeout: set() if begun else set(writers))
    with pytest.raises(ConnectionAbortedError):
        samesock.send_fds(one, [b"x"], [pipe[0]])
    monkeypatch.undo()
    assert samesock.recv_fds(other, 100, 1)[:2] == (b"", [])


@stays_with_its_receiver
def test_a_plain_recv_gets_bytes_that_tell_nothing(pair, pipe, socket_dir):
    """A recv in the place of recvmsg gets the frame's bytes, in which no path and no secret can be read."""
    one, other = pair
    with samesock.socket(samesock.AF_UNIX) as secret:
        secret.bind(str(socket_dir / "other"))
        secret.listen(1)
        samesock.send_fds(one, [b"x"], [secret])
        data = b""
        while not data.endswith(b"x"):
            data += other.recv(65536)
    assert len(data) > 100
    assert b"other" not in data
    assert b"secret" not in data
    one.sendall(b"y")
    assert all_of(other, 1) == (b"y", [])


def test_a_plain_recv_does_not_end_passing(pair, pipe):
    """After a frame was read as plain bytes, the next one is a frame again."""
    one, other = pair
    samesock.send_fds(one, [b"x"], [pipe[0]])
    while not other.recv(65536).endswith(b"x"):
        pass
    samesock.send_fds(one, [b"y"], [pipe[0]])
    data, numbers = all_of(other, 1)
    close_all(numbers)
    assert (data, len(numbers)) == (b"y", 1)


def test_an_adopted_number_goes_on(pair, pipe):
    """detach() and socket(fileno=) keep what both ends know: a frame sent before is taken after."""
    one, other = pair
    samesock.send_fds(one, [b"x"], [pipe[0]])
    with samesock.socket(samesock.AF_UNIX, samesock.SOCK_STREAM, 0, other.detach()) as again:
        again.settimeout(20)
        data, numbers = all_of(again, 1)
    close_all(numbers)
    assert (data, len(numbers)) == (b"x", 1)


def test_where_no_key_is_known(path, listener, pipe):
    """A connection of which this process knows the number alone refuses to pass, and receives plain bytes."""
    with samesock.socket(samesock.AF_UNIX) as client:
        client.connect(path)
        server, _ = listener.accept()
        with server:
            end = ends.get(server)
            assert end is not None
            end.state.seed = end.state.passage = None  # type: ignore[attr-defined]
            with pytest.raises(OSError, match="only the number is known"):
                samesock.send_fds(server, [b"x"], [pipe[0]])
            client.sendall(b"plain")
            assert samesock.recv_fds(server, 10, 1)[:2] == (b"plain", [])


PROXY = """
    import array
    up = socket.socket(socket.AF_UNIX)
    up.settimeout(20)
    up.connect(sys.argv[1])
    front = socket.socket(socket.AF_INET)
    front.bind(("127.0.0.1", 0))
    front.listen(1)
    print(front.getsockname()[1], flush=True)
    client, _ = front.accept()
    reader, writer = os.pipe()
    while data := client.recv(65536):
        up.sendall(data)
        socket.send_fds(up, [b"<own>"], [reader])
    print("done", flush=True)
    sys.stdin.readline()
"""


def test_through_a_proxy_nobody_passes_but_the_proxy(path, listener, pipe):
    """Whoever feeds bytes to a proxy has nothing of the receiver's adopted or closed; the proxy itself can pass."""
    with child(PROXY, path) as process:
        port = int(says(process))
        server, _ = listener.accept()
        with server, stdlib.create_connection(("127.0.0.1", port), timeout=20) as attacker:
            server.settimeout(20)
            keys = passage(server).keys
            # All that a stranger could know or guess, and more: even this connection's marker.
            forged = frames.keys(bytes(32), 0, keys.marker)
            head = frames.Head(bytes(16), 1, *system.passing.me(), 0, 0, 1)
            attack = frames.encode(
                forged,
                head,
                [
                    frames.Record("lease", b"", b""),
                    frames.Record("fd", pipe[0].to_bytes(8, "little"), b""),
                ],
            )
            attacker.sendall(attack)
            got, numbers = all_of(server, len(attack) + len(b"<own>"))
            assert got == attack + b"<own>"
            assert len(numbers) == 1
            close_all(numbers)
            os.write(pipe[1], b"open")
            assert os.read(pipe[0], 10) == b"open"
        tell(process)


def test_a_message_flag_for_one_call(pair, pipe):
    """MSG_DONTWAIT makes one call not wait, on a socket that does: EAGAIN before anything is made."""
    flag = samesock.MSG_DONTWAIT
    one, other = pair
    one.settimeout(None)
    other.settimeout(None)
    assert one.sendmsg([b"x"], [], 0, None) == one.sendmsg([b"x"], [], flag) == 1
    assert other.recv(1) + other.recvmsg(1, 0, flag)[0] == b"xx"
    with pytest.raises(BlockingIOError):
        samesock.recv_fds(other, 10, 1, flag)
    with pytest.raises(BlockingIOError):
        while True:
            one.send(b"." * 65536, flag)
    with pytest.raises(BlockingIOError):
        samesock.send_fds(one, [b"x"], [pipe[1]], flag)
    os.close(pipe.pop())
    assert writer_has_gone(pipe)


def test_a_time_out_that_is_over_at_once(pair):
    """A call whose time is over before it has looked looks once: what is there, and the end, are told."""
    one, other = pair
    other.settimeout(1e-9)
    with pytest.raises(TimeoutError):
        other.recvmsg(10)
    one.sendall(b"x")
    assert system.wait([other.fileno()], [], 20)
    assert other.recvmsg(10)[0] == b"x"
    one.close()
    assert system.wait([other.fileno()], [], 20)
    assert other.recvmsg(10)[0] == b""


def test_doubt_does_not_spin(pair):
    """While bytes are held back, a non-blocking call takes a moment, so that a loop over it is no busy one."""
    one, other = pair
    one.sendall(passage(other).keys.marker[:2])
    other.setblocking(False)
    system.wait([other.fileno()], [], 20)
    calls = 0
    while True:
        calls += 1
        try:
            data = other.recvmsg(10)[0]
        except BlockingIOError:
            continue
        break
    assert data == passage(other).keys.marker[:2]
    assert calls <= passing.DOUBT_SECONDS / passing._PAUSE + 2


def test_plain_bytes_stay_at_a_close(pair):
    """Closing with plain bytes unread reads none of them: the peer sees the reset that they cause."""
    one, other = pair
    one.sendall(b"unread")
    system.wait([other.fileno()], [], 20)
    other.close()
    with pytest.raises(ConnectionError):
        one.recv(1)


def test_a_frame_that_names_another_socket(pair, tmp_path):
    """A sender that points at a socket which is not its offer makes the receiver read nothing from there."""
    if system.passing.NEEDS_TARGET:
        pytest.skip("passing: nothing is fetched here, numbers are the receiver's own")
    one, other = pair
    victim, feeder = stdlib.socketpair()
    with victim, feeder:
        feeder.sendall(b"private")
        inode = os.fstat(victim.fileno()).st_ino
        from samesock.backend import _posix_passing

        lease = _posix_passing._LEASE.pack(*system.passing.me(), victim.fileno(), inode, bytes(32))
        key, instance = passage(one).keys.outgoing()
        head = frames.Head(instance, 1, 0, 0, 0, 0, 1)
        records = [frames.Record("lease", lease, b""), frames.Record("fd", b"", b"")]
        one.sendall(frames.encode(key, head, records) + b"x")
        data, numbers, flags, _ = samesock.recv_fds(other, 1, 1)
        assert (data, numbers) == (b"x", [])
        assert flags & stdlib.MSG_CTRUNC
        victim.setblocking(False)
        assert victim.recv(100) == b"private"


@pytest.mark.parametrize("wrong", ["process", "start"])
def test_descriptors_for_another_process(pair, pipe, wrong):
    """A process that the numbers are not for, or one that has the number of one that has ended, takes none of them."""
    one, other = pair
    key, instance = passage(one).keys.outgoing()
    pid, start = system.passing.me()
    target = (pid + 1, start) if wrong == "process" else (pid, start + 1)
    head = frames.Head(instance, 1, *target, 0, 0, 1)
    taker = system.passing.taker(pid)
    offer = system.passing.offer([("handle", int(fd.handle(pipe[0])))], taker)  # type: ignore[arg-type,unused-ignore]
    records = [frames.Record("lease", offer.lease, b""), frames.Record("fd", offer.tokens[0], b"")]
    one.sendall(frames.encode(key, head, records) + b"x")
    data, numbers, flags, _ = samesock.recv_fds(other, 1, 1)
    offer.revoke()
    taker.close()
    assert (data, numbers) == (b"x", [])
    assert flags & stdlib.MSG_CTRUNC
    os.write(pipe[1], b"open")
    assert os.read(pipe[0], 10) == b"open"


def test_records_that_make_no_sense(pair):
    """An authentic sender with records of no known kind, none at all, or without a lease gets no exception raised."""
    one, other = pair
    key, instance = passage(one).keys.outgoing()
    for number, records in enumerate(
        (
            [],
            [frames.Record("fd", b"", b"")],
            [frames.Record("lease", b"?", b""), frames.Record("fd", b"?", b"")],
        )
    ):
        head = frames.Head(instance, number + 1, 0, 0, 0, 0, 1)
        one.sendall(frames.encode(key, head, records) + b"x")
        assert samesock.recv_fds(other, 1, 1)[:2] == (b"x", [])


def test_nothing_goes_to_a_process_that_is_only_claimed(pair, pipe):
    """A client that has left may have named any process: its word alone has nothing put into that one."""
    one, other = pair
    one.close()
    end = time.monotonic() + 20
    while samesock.peercred(other).trust != "claimed":
        assert time.monotonic() < end
        time.sleep(0.01)
    assert samesock.peercred(other).pid == os.getpid()
    with pytest.raises(BrokenPipeError):
        samesock.send_fds(other, [b"x"], [pipe[1]])
    os.close(pipe.pop())
    assert writer_has_gone(pipe)


PEER = """
    s = socket.socket(socket.AF_UNIX)
    s.settimeout(20)
    s.connect(sys.argv[1])
    print(os.getpid(), flush=True)
    if sys.argv[2] == "ended both ways":
        s.recv(1)
    sys.stdin.readline()
    os._exit(0)
"""

STRANGER = """
    from _socket import socket as TCP, SOL_SOCKET, SO_REUSEADDR
    end = time.monotonic() + float(sys.argv[5])
    while True:
        tcp = TCP()
        tcp.setsockopt(SOL_SOCKET, SO_REUSEADDR, 1)
        try:
            tcp.bind((sys.argv[1], int(sys.argv[2])))
            tcp.connect((sys.argv[3], int(sys.argv[4])))
        except OSError as error:
            tcp.close()
            if time.monotonic() > end:
                print("kept out", error, flush=True)
                break
            time.sleep(0.05)
        else:
            print("let in", flush=True)
            break
    sys.stdin.readline()
"""


@pytest.mark.parametrize("how", ["reset", "ended both ways"])
def test_a_stranger_with_the_addresses_of_a_peer_that_has_gone(path, listener, pipe, monkeypatch, how):
    """After its peer was ended, whoever takes over the peer's port and connects to the server's is not taken for it:
    nothing is made ready for that process, and peercred does not name it."""
    with child(PEER, path, how) as peer:
        server, _ = listener.accept()
        with server:
            pid = int(says(peer))
            before = samesock.peercred(server)
            if how == "reset":
                server.sendall(b"unread")
                assert before.pid == pid
            else:
                server.shutdown(samesock.SHUT_WR)
            tell(peer)
            peer.wait(20)
            state: Any = ends.get(server).state  # type: ignore[union-attr]
            with child(STRANGER, *state.remote, *state.local, 20 if how == "reset" else 5) as stranger:
                said = says(stranger)
                assert said == "let in" or how != "reset", said
                monkeypatch.setattr(system.passing, "offer", lambda *_: pytest.fail("made ready"))
                peer_now = samesock.peercred(server)
                assert (peer_now.pid, peer_now.trust) == (pid, "claimed")
                with pytest.raises(OSError, match=r"passing|sending") as caught:
                    samesock.send_fds(server, [b"x"], [pipe[0]])
                assert caught.value.errno in {errno.EPIPE, errno.ECONNRESET}


def test_an_end_that_the_server_has_closed_is_not_its_listeners(pair):
    """Once the server has closed its end, the client is not told that whoever listens there now is its peer."""
    one, other = pair
    other.close()
    assert one.recv(1) == b""
    assert samesock.peercred(one).trust == "claimed"


def test_a_peer_that_has_ended_its_direction_is_still_there(pair, pipe):
    """After the peer's SHUT_WR it is known as before, and gets descriptors."""
    one, other = pair
    before = samesock.peercred(other)
    one.shutdown(samesock.SHUT_WR)
    assert other.recv(1) == b""
    assert samesock.peercred(other) == before
    samesock.send_fds(other, [b"x"], [pipe[0]])
    data, numbers = all_of(one, 1)
    close_all(numbers)
    assert (data, len(numbers)) == (b"x", 1)


def test_the_other_end_is_handed_to_a_process_that_has_ended(pair, pipe):
    """Descriptors for a process that this one gave the other end to, and that has ended, are EPIPE."""
    one, _ = pair
    passage(one).other.holder = (1 << 22) + 7, 5
    with pytest.raises(BrokenPipeError, match="has ended"):
        samesock.send_fds(one, [b"x"], [pipe[0]])


def test_a_passed_connection_passes(pair, path, listener, pipe):
    """A connected socket that was passed knows its key where it arrives, and passes and gets descriptors there."""
    one, other = pair
    with samesock.socket(samesock.AF_UNIX) as client:
        client.settimeout(20)
        client.connect(path)
        server, _ = listener.accept()
        with server:
            server.settimeout(20)
            samesock.send_fds(one, [b"x"], [client])
            _, (number,) = all_of(other, 1)
            client.close()
            with samesock.socket(samesock.AF_UNIX, samesock.SOCK_STREAM, 0, number) as again:
                again.settimeout(20)
                for sender, receiver in ((again, server), (server, again)):
                    samesock.send_fds(sender, [b"y"], [pipe[0]])
                    data, numbers = all_of(receiver, 1)
                    close_all(numbers)
                    assert (data, len(numbers)) == (b"y", 1)


SHARED = """
    sock = socket.fromshare(bytes.fromhex(sys.stdin.readline()))
    sock.settimeout(20)
    data, (number,), _, _ = socket.recv_fds(sock, 1, 1)
    os.write(number, b"from the child")
    sock.sendall(b"done")
"""


def test_a_shared_end_is_where_descriptors_go(pipe):
    """After share(pid) of one end of a pair, what the other end sends goes to that process."""
    if not hasattr(samesock.socket, "share"):
        pytest.skip("passing: share() is Winsock's; elsewhere the receiver fetches, whoever it is")
    one, other = samesock.socketpair()
    with one, other, child(SHARED) as process:
        one.settimeout(20)
        tell(process, other.share(process.pid).hex())
        other.close()
        samesock.send_fds(one, [b"x"], [pipe[1]])
        assert one.recv(4) == b"done"
    assert os.read(pipe[0], 100) == b"from the child"


def test_a_close_with_nothing_unread_makes_no_keys(path, listener, monkeypatch):
    """A connection on which no descriptor was ever passed, and of which nothing is left to be read, is closed without
    the keys that passing needs; one with unread bytes is looked at."""
    monkeypatch.setattr(system.passing, "NEEDS_TARGET", True)
    made = []
    passage_of = EmulatedEnd.passage
    monkeypatch.setattr(EmulatedEnd, "passage", lambda end: made.append(end) or passage_of(end))
    exchange(path, listener)
    assert made == []
    with samesock.socket(samesock.AF_UNIX) as client:
        client.connect(path)
        accepted, _ = listener.accept()
        client.sendall(b"unread")
        select.select([accepted], [], [], 20)
        accepted.close()
    assert len(made) == 1


@pytest.mark.parametrize("known", ["handed on", "by the table"])
def test_a_process_that_takes_over_the_number(pair, pipe, monkeypatch, known):
    """If the peer's process ends after it was looked for, and another one has its number by the time that is opened,
    that one is let go of, the call is EPIPE, nothing is made ready and not a byte is sent."""
    one, other = pair
    other.setblocking(False)
    closed = []
    pid = os.getpid()
    stranger = SimpleNamespace(pid=pid, start=5, close=lambda: closed.append(True))
    monkeypatch.setattr(system.passing, "taker", lambda _pid: stranger)
    monkeypatch.setattr(system.passing, "offer", lambda _things, _taker: pytest.fail("made ready"))
    if known == "handed on":
        passage(one).other.holder = pid, system.start_time(pid)
    else:
        monkeypatch.setattr(system.passing, "NEEDS_TARGET", True)
        looks = iter([pid, pid + 4])
        monkeypatch.setattr(passing_taker.OtherEnd, "_pid", lambda *_: next(looks))
    with pytest.raises(BrokenPipeError, match="another one by now"):
        samesock.send_fds(one, [b"x"], [pipe[0]])
    assert closed == [True]
    with pytest.raises(BlockingIOError):
        other.recv(100)


def test_whose_end_it_is_is_asked_for_each_message(pair, pipe, monkeypatch):
    """The process that has the other end is looked for each time: when another one has it, that one is the taker, and
    the one before is let go of; the same one is opened once."""
    one, other = pair
    me = system.passing.me()
    answers = iter([7, 7, 7, 8, 8])
    opened, closed, given = [], [], []

    def taker(pid: int) -> Any:
        opened.append(pid)
        return SimpleNamespace(pid=pid, start=me[1], close=lambda: closed.append(pid))

    def offer(_things: Any, to: Any) -> Any:
        given.append(to.pid)
        return SimpleNamespace(
            target=to.pid,
            target_start=to.start,
            lease=b"",
            tokens=[b"?"],
            sent=lambda: None,
            revoke=lambda: None,
        )

    with monkeypatch.context() as patch:
        patch.setattr(system.passing, "NEEDS_TARGET", True)
        patch.setattr(system.passing, "taker", taker)
        patch.setattr(system.passing, "offer", offer)
        patch.setattr(passing_taker.OtherEnd, "_pid", lambda *_: next(answers))
        for _ in range(3):
            samesock.send_fds(one, [b"x"], [pipe[0]])
            assert samesock.recv_fds(other, 1, 1)[:2] == (b"x", [])
    assert (opened, given, closed) == ([7, 8], [7, 7, 8], [7])
    one.close()
    assert closed == [7, 8]
