"""Which bytes are a frame, against whoever is rude: bytes that look like one, one again, pieces, and a proxy's."""

from __future__ import annotations

import os
import socket as stdlib
import threading
import time

import pytest

import samesock
from faults.children import child, says, tell
from faults.passing.exchange import all_of, close_all, frame_of, passage, stays_with_its_receiver
from samesock.backend import system
from samesock.unix import ends, frames, passing

pytestmark = pytest.mark.needs("passing")


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


@stays_with_its_receiver
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


def test_two_threads_first_messages(pair, monkeypatch):
    """Two threads whose calls are the first on a connection have the same state of it: a frame that one has read
    half of is where the other goes on."""
    end = ends.get(pair[0])
    assert end is not None
    genuine, found = passing.Passage, []

    def made(keys):
        monkeypatch.setattr(passing, "Passage", genuine)
        other = threading.Thread(target=lambda: found.append(end.passage()))
        other.start()
        other.join(20)
        return genuine(keys)

    monkeypatch.setattr(passing, "Passage", made)
    found.append(end.passage())
    assert found[0] is found[1] is end.passage()
