"""Who gets the descriptors: the process that has the other end now, and nobody that only has its number or address."""

from __future__ import annotations

import errno
import os
import socket as stdlib
import time
from types import SimpleNamespace
from typing import Any

import pytest

import samesock
from faults.children import child, says, tell
from faults.passing.exchange import all_of, close_all, passage, writer_has_gone
from samesock import fd
from samesock.backend import system
from samesock.unix import ends, frames, passing_taker

pytestmark = pytest.mark.needs("passing")


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
    said = ""
    for _ in range(3):  # the port may have been given to somebody else on this machine
        said = meet_a_stranger(path, listener, pipe, monkeypatch, how)
        if said == "let in" or how != "reset":
            return
    pytest.fail(said)


def meet_a_stranger(path, listener, pipe, monkeypatch, how):
    """What a process said that tried to take over; where it did, it is told nothing."""
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
            with child(STRANGER, *state.remote, *state.local, 10 if how == "reset" else 5) as stranger:
                said = says(stranger)
                if said != "let in" and how == "reset":
                    return said
                monkeypatch.setattr(system.passing, "offer", lambda *_: pytest.fail("made ready"))
                peer_now = samesock.peercred(server)
                assert (peer_now.pid, peer_now.trust) == (pid, "claimed")
                with pytest.raises(OSError, match=r"passing|sending") as caught:
                    samesock.send_fds(server, [b"x"], [pipe[0]])
                assert caught.value.errno in {errno.EPIPE, errno.ECONNRESET}
                return said


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
