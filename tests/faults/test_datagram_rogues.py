"""Emulated Unix datagrams under attack by another program of the same machine.

A rogue can send anything to the UDP port. It can make the descriptor readable and take room in the kernel's queue,
and that is all: nothing that it sends reaches the program, nothing keeps a receiver or a sender waiting.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import select
import socket
import threading
import time
from collections.abc import Callable, Iterator

import hypothesis
import hypothesis.strategies as st
import pytest

import samesock
from faults.strangers import record_at
from samesock.unix import ends, letters, rendezvous
from samesock.unix.datagram import DatagramEnd
from samesock.unix.letters import Heard, Letter
from samesock.unix.rendezvous import Record

LOCALHOST = "127.0.0.1"


@pytest.fixture
def receiver(path: str) -> Iterator[samesock.socket]:
    """A bound datagram socket."""
    with samesock.socket(samesock.AF_UNIX, samesock.SOCK_DGRAM) as sock:
        sock.bind(path)
        sock.settimeout(20)
        yield sock


@pytest.fixture
def rogue() -> Iterator[socket.socket]:
    """A UDP socket of a stranger."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.bind((LOCALHOST, 0))
        udp.settimeout(20)
        yield udp


def letter(message: bytes = b"forged", **changes: object) -> Letter:
    """A letter of a session of its own."""
    made = Letter(
        letters.MESSAGE,
        0,
        time.perf_counter_ns(),
        secrets.token_bytes(16),
        letters.NOBODY,
        b"",
        message,
    )
    return made._replace(**changes)  # type: ignore[arg-type]


def posted(record: Record, rogue: socket.socket, sent: Letter) -> bytes:
    """Send a letter that is right, as one who holds the secret; its bytes."""
    data = letters.make(record, rogue.getsockname(), sent)
    rogue.sendto(data, (LOCALHOST, record.port))
    return data


def arrives(receiver: samesock.socket, path: str) -> bool:
    """Whether an honest datagram is the next thing that the program gets."""
    with samesock.socket(samesock.AF_UNIX, samesock.SOCK_DGRAM) as sender:
        sender.settimeout(20)
        sender.sendto(b"honest", path)
    return receiver.recvfrom(100) == (b"honest", None)


def nothing_there(receiver: samesock.socket) -> None:
    """A non-blocking recv finds nothing, peeking or not."""
    for flags in (samesock.MSG_PEEK, 0):
        receiver.setblocking(False)
        with pytest.raises(BlockingIOError):
            receiver.recvfrom(100, flags)
        receiver.settimeout(20)


def test_a_right_letter_arrives(path: str, receiver: samesock.socket, rogue: socket.socket) -> None:
    """The test's own letters are right when nothing is wrong with them: what follows can fail."""
    posted(record_at(path), rogue, letter(name=b"/somebody"))
    assert receiver.recvfrom(100) == (b"forged", "/somebody")


NONSENSE: dict[str, Callable[[Record, tuple[str, int]], bytes]] = {
    "nothing": lambda record, source: b"",
    "one byte": lambda record, source: b"\xa5",
    "text": lambda record, source: b"GET / HTTP/1.1\r\n\r\n",
    "random": lambda record, source: secrets.token_bytes(500),
    "a head without a MAC": lambda record, source: letters.make(record, source, letter())[:79],
    "another secret": lambda record, source: letters.make(
        record._replace(secret=secrets.token_bytes(32)), source, letter()
    ),
    "another id": lambda record, source: letters.make(
        record._replace(id=secrets.token_bytes(16)), source, letter()
    ),
    "another source": lambda record, source: letters.make(record, (source[0], source[1] ^ 1), letter()),
    "another port": lambda record, source: letters.make(
        record._replace(port=record.port ^ 1), source, letter()
    ),
    "one bit of the message": lambda record, source: _flipped(letters.make(record, source, letter()), -1),
    "one bit of the MAC": lambda record, source: _flipped(letters.make(record, source, letter()), 50),
    "one bit of the stamp": lambda record, source: _flipped(letters.make(record, source, letter()), 10),
    "cut short": lambda record, source: letters.make(record, source, letter())[:-1],
    "made longer": lambda record, source: letters.make(record, source, letter()) + b"x",
    "a name longer than all": lambda record, source: letters.make(
        record, source, letter(b"", name=b"x" * 100)
    )[:-50],
    "an answer": lambda record, source: letters.answer(record, source, letter(), letters.TAKEN),
    "a question": lambda record, source: letters.make(record, source, letter(b"", kind=letters.QUESTION)),
    "the largest datagram": lambda record, source: secrets.token_bytes(65_507),
}


def _flipped(data: bytes, place: int) -> bytes:
    changed = bytearray(data)
    changed[place] ^= 1
    return bytes(changed)


@pytest.mark.parametrize("kind", NONSENSE)
def test_nonsense_reaches_nobody(
    path: str, receiver: samesock.socket, rogue: socket.socket, kind: str
) -> None:
    """What is no letter of somebody who can read the file is as if it had not come, and the next honest one comes."""
    record = record_at(path)
    for _ in range(3):
        rogue.sendto(NONSENSE[kind](record, rogue.getsockname()), (LOCALHOST, record.port))
        assert select.select([receiver], [], [], 20)[0], "a rogue makes it readable: said so in the docs"
        nothing_there(receiver)
    assert arrives(receiver, path)


def test_nonsense_does_not_end_a_wait(path: str, receiver: samesock.socket, rogue: socket.socket) -> None:
    """A recv that waits goes on waiting while a rogue sends, no longer and no shorter than its time-out."""
    record = record_at(path)
    done = threading.Event()

    def pester() -> None:
        while not done.wait(0.01):
            rogue.sendto(b"nonsense", (LOCALHOST, record.port))

    thread = threading.Thread(target=pester)
    thread.start()
    try:
        receiver.settimeout(0.5)
        begun = time.monotonic()
        with pytest.raises(TimeoutError):
            receiver.recv(10)
        assert 0.49 <= time.monotonic() - begun < 15
        receiver.settimeout(20)
        assert arrives(receiver, path)
    finally:
        done.set()
        thread.join()


def test_a_flood_does_not_hold_a_non_blocking_recv(
    path: str, receiver: samesock.socket, rogue: socket.socket
) -> None:
    """In a flood a non-blocking recv gives up after a moment, and honest datagrams get through while it is read."""
    record = record_at(path)
    done = threading.Event()

    def flood() -> None:
        while not done.is_set():
            rogue.sendto(b"nonsense", (LOCALHOST, record.port))

    thread = threading.Thread(target=flood)
    thread.start()
    try:
        receiver.setblocking(False)
        for _ in range(5):
            begun = time.monotonic()
            with contextlib.suppress(BlockingIOError):
                receiver.recv(10)
            assert time.monotonic() - begun < 10
    finally:
        done.set()
        thread.join()
    with contextlib.suppress(BlockingIOError):
        while True:
            receiver.recv(10)
    receiver.settimeout(20)
    assert arrives(receiver, path)


def test_a_letter_is_taken_once(path: str, receiver: samesock.socket, rogue: socket.socket) -> None:
    """A letter that is sent again is dropped, at once and after later ones."""
    record = record_at(path)
    session = secrets.token_bytes(16)
    first = posted(record, rogue, letter(b"1", session=session))
    second = posted(record, rogue, letter(b"2", session=session))
    assert [receiver.recv(10, samesock.MSG_PEEK), receiver.recv(10), receiver.recv(10)] == [b"1", b"1", b"2"]
    for data in (first, second, first):
        rogue.sendto(data, (LOCALHOST, record.port))
        nothing_there(receiver)


def test_a_letter_of_the_future_silences_nobody(
    path: str, receiver: samesock.socket, rogue: socket.socket
) -> None:
    """Who may send cannot keep others from being heard, by stamps that nobody's clock has reached: not even when the
    receiver has forgotten its sessions."""
    record = record_at(path)
    end = ends.get(receiver)
    assert isinstance(end, DatagramEnd)
    for session in range(3):
        posted(record, rogue, letter(stamp=2**64 - 1, session=bytes([session] * 16)))
        nothing_there(receiver)
    heard = end._box.heard
    for number in range(letters.REMEMBERED_SESSIONS + 1):
        heard.take(letter(session=number.to_bytes(16, "little"), stamp=1))
    assert arrives(receiver, path)


def test_a_letter_is_not_for_another_receiver(
    path: str, receiver: samesock.socket, rogue: socket.socket
) -> None:
    """A letter that was made for one receiver is none to another, nor to the next one at the same path and port."""
    with samesock.socket(samesock.AF_UNIX, samesock.SOCK_DGRAM) as other:
        other.bind(path + "2")
        data = letters.make(record_at(path), rogue.getsockname(), letter())
        rogue.sendto(data, (LOCALHOST, record_at(path + "2").port))
        nothing_there(other)


def test_whoever_has_the_port_learns_nothing_of_use(path: str, receiver: samesock.socket) -> None:
    """When the receiver has died its port is not touched: a squatter there gets not a byte."""
    sender = samesock.socket(samesock.AF_UNIX, samesock.SOCK_DGRAM)
    with sender:
        sender.connect(path)
        record = record_at(path)
        receiver.close()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as squatter:
            squatter.bind((LOCALHOST, record.port))
            squatter.settimeout(0.2)
            for call in (lambda: sender.send(b"secret"), lambda: sender.sendto(b"secret", path)):
                with pytest.raises(ConnectionRefusedError):
                    call()
            with pytest.raises(TimeoutError):
                squatter.recv(100)


def test_sessions_are_remembered_within_bounds() -> None:
    """Ten thousand senders cost a bounded memory, and what the receiver has forgotten is still not taken twice."""
    heard = Heard()
    first = letter(stamp=1)
    sent = [first, *(letter(stamp=n) for n in range(2, 10_000))]
    for one in sent:
        assert heard.is_new(one)
        heard.take(one)
    assert not any(heard.is_new(one) for one in sent)
    assert len(heard._last) <= letters.REMEMBERED_SESSIONS
    assert heard.is_new(letter(stamp=10_001))
    assert heard.is_new(first._replace(stamp=10_002)), "a session that was forgotten goes on"


@hypothesis.given(st.binary(max_size=300))
def test_no_bytes_are_a_letter_or_an_answer(data: bytes) -> None:
    """Whatever bytes come, reading them gives None and never raises."""
    record = rendezvous.new(
        port=1, pid=1, realm=bytes(8), name=b"n", start=0, cookie=0, kind=socket.SOCK_DGRAM
    )
    for prefix in (b"", b"\xa5Sd\n", b"\xa5Sa\n"):
        assert letters.read(record, (LOCALHOST, 1), prefix + data) is None
        assert letters.read_answer(record, (LOCALHOST, 1), bytes(16), prefix + data) is None


@hypothesis.given(st.binary(max_size=300), st.binary(max_size=108), st.integers(0, 2**64 - 1))
def test_a_letter_reads_as_it_was_written(message: bytes, name: bytes, stamp: int) -> None:
    """A letter comes out of its bytes as it went in."""
    record = rendezvous.new(
        port=1, pid=1, realm=bytes(8), name=b"n", start=0, cookie=0, kind=socket.SOCK_DGRAM
    )
    sent = letter(message, name=name, stamp=stamp)
    assert letters.read(record, (LOCALHOST, 9), letters.make(record, (LOCALHOST, 9), sent)) == sent


def outbox_of(sender: samesock.socket) -> tuple[str, int]:
    """Where the answers to a sender go."""
    from samesock.unix import ends

    end = ends.get(sender)
    assert isinstance(end, DatagramEnd)
    return end._box.outbox().address


def fill(sender: samesock.socket, path: str) -> int:
    """Send until the sender would wait."""
    sender.setblocking(False)
    count = 0
    with contextlib.suppress(BlockingIOError):
        while True:
            sender.sendto(b"x", path)
            count += 1
    return count


def test_a_forged_answer_opens_no_window(path: str, receiver: samesock.socket, rogue: socket.socket) -> None:
    """Only the receiver can tell a sender that there is room again, or that it is unwelcome."""
    record = record_at(path)._replace(secret=secrets.token_bytes(32))
    with samesock.socket(samesock.AF_UNIX, samesock.SOCK_DGRAM) as sender:
        fill(sender, path)
        for kind in (letters.TAKEN, letters.REFUSED):
            forged = letter(stamp=2**63)
            for data in (letters.answer(record, outbox_of(sender), forged, kind), b"", b"nonsense"):
                rogue.sendto(data, outbox_of(sender))
        with pytest.raises(BlockingIOError):
            sender.sendto(b"x", path)
        receiver.recv(10)


def test_a_flood_of_the_senders_port_keeps_it_from_nothing(
    path: str, receiver: samesock.socket, rogue: socket.socket
) -> None:
    """Nonsense at the port for answers costs a sender time, and no datagram."""
    with samesock.socket(samesock.AF_UNIX, samesock.SOCK_DGRAM) as sender:
        sender.settimeout(20)
        sender.sendto(b"0", path)
        assert receiver.recv(10) == b"0"
        where = outbox_of(sender)
        for n in range(1, 100):
            for _ in range(50):
                rogue.sendto(b"nonsense", where)
            sender.sendto(b"%d" % n, path)
            assert receiver.recv(10) == b"%d" % n


def test_a_handler_of_a_signal_uses_the_socket_of_the_call_it_came_into(
    path: str, receiver: samesock.socket
) -> None:
    """A send or recv that begins in the middle of another one, in the same thread, is no deadlock."""
    done = threading.Event()

    def handled() -> None:
        with samesock.socket(samesock.AF_UNIX, samesock.SOCK_DGRAM) as sender:
            sender.settimeout(20)
            sender.sendto(b"first", path)
            for sock in (sender, receiver):
                end = ends.get(sock)
                assert isinstance(end, DatagramEnd)
                with end._box.mutex, end._box.outbox()._mutex:
                    sock.sendto(b"in between", path)
            with contextlib.suppress(BlockingIOError):
                sender.recv(10, samesock.MSG_DONTWAIT)
        done.set()

    threading.Thread(target=handled, daemon=True).start()
    assert done.wait(20)
    assert [receiver.recv(20) for _ in range(3)] == [b"first", b"in between", b"in between"]


def test_what_was_dropped_does_not_stop_the_sender(
    path: str, receiver: samesock.socket, rogue: socket.socket
) -> None:
    """When a flood has pushed everything out of the kernel's queue, a sender that waits asks, and goes on."""
    with samesock.socket(samesock.AF_UNIX, samesock.SOCK_DGRAM) as sender:
        fill(sender, path)
        number = receiver.fileno()
        # What the kernel drops in a flood: taken out behind the emulation's back, so that no answer is given.
        with contextlib.suppress(BlockingIOError):
            raw = socket.socket(socket.AF_INET, socket.SOCK_DGRAM, 0, fileno=os_dup(receiver))
            with raw:
                raw.setblocking(False)
                while True:
                    raw.recv(100)
        assert number == receiver.fileno()
        sender.settimeout(20)
        got: list[bytes] = []

        def read() -> None:
            got.append(receiver.recv(10))

        thread = threading.Thread(target=read)
        thread.start()
        sender.sendto(b"after", path)
        thread.join()
        assert got == [b"after"]


def os_dup(sock: samesock.socket) -> int:
    """A duplicate of the descriptor that nobody else knows."""
    import _socket

    return _socket.dup(sock.fileno())


def test_another_process_that_is_not_the_peer_is_told(
    path: str, receiver: samesock.socket, rogue: socket.socket
) -> None:
    """A connected receiver throws away what another process sends, which gets EPERM from its next send; the one after
    is tried again."""
    with samesock.socket(samesock.AF_UNIX, samesock.SOCK_DGRAM) as peer:
        peer.bind(path + "p")
        with samesock.socket(samesock.AF_UNIX, samesock.SOCK_DGRAM) as sender:
            sender.settimeout(20)
            sender.sendto(b"early", path)
            assert receiver.recv(10) == b"early"
            receiver.connect(path + "p")
            _forget_receivers()
            sender.sendto(b"unwelcome", path)
            nothing_there(receiver)
            with pytest.raises(PermissionError) as refused:
                sender.sendto(b"unwelcome", path)
            assert refused.value.errno == errno.EPERM
            nothing_there(receiver)


def _forget_receivers() -> None:
    """As in another process: nothing is known of who is connected to whom."""
    from samesock.unix import datagram

    datagram._bound.clear()


@pytest.mark.skipif(
    not hasattr(os, "geteuid"), reason="chmod tells nobody anything: file modes are absent here"
)
@pytest.mark.parametrize("mode", [0o600, 0o644, 0o666])
def test_after_a_chmod_the_secret_is_not_enough(
    path: str,
    receiver: samesock.socket,
    rogue: socket.socket,
    monkeypatch: pytest.MonkeyPatch,
    mode: int,
) -> None:
    """Since a chmod, a letter counts only of a user who may write to the file now."""
    from samesock.backend import Owner, system

    record = record_at(path)
    if mode != 0o600:
        os.chmod(path, mode)
        monkeypatch.setattr(system, "datagram_owner", lambda address: Owner(uid=54321))
    posted(record, rogue, letter())
    if mode != 0o644:
        assert receiver.recv(10) == b"forged"
    else:
        nothing_there(receiver)
    monkeypatch.undo()
    with samesock.socket(samesock.AF_UNIX, samesock.SOCK_DGRAM) as sender:
        # It stays until it is heard: of a sender that has left the kernel cannot say who it was.
        sender.sendto(b"honest", path)
        assert receiver.recv(10) == b"honest"


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="file modes are absent here")
def test_a_file_that_others_may_write_leads_to_its_owners_port_alone(
    path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where others could have rewritten the file, the kernel must name the file's owner as the port's."""
    from samesock.backend import Owner, system

    with samesock.socket(samesock.AF_UNIX, samesock.SOCK_DGRAM) as receiver:
        receiver.bind(path)
        receiver.settimeout(20)
        os.chmod(path, 0o666)
        assert arrives(receiver, path)
        for owner in (None, Owner(uid=54321)):
            monkeypatch.setattr(system, "datagram_owner", lambda address, owner=owner: owner)
            with (
                samesock.socket(samesock.AF_UNIX, samesock.SOCK_DGRAM) as sender,
                pytest.raises(ConnectionRefusedError),
            ):
                sender.sendto(b"x", path)
