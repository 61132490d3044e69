"""Every call that can fail does so in turn: what was opened is closed again, and everything works afterwards."""

from __future__ import annotations

import errno
import gc
import os
import select
import socket
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

import samesock
from faults.strangers import close_with_reset, exchange, hello_of, record_at, stranger
from samesock.unix import pair
from samesock.unix.calls import Calls, calls

NUMBERS = "/dev/fd" if os.path.isdir("/dev/fd") and find_spec("resource") else None
ROUNDS = 10_000 if NUMBERS else 2_000
"""Where a round costs a hundred times as much, a fifth of them; the nightly test makes all."""
HAS_NUMBERS = pytest.mark.skipif(NUMBERS is None, reason="a list of open descriptors (/dev/fd) is absent")
FAULTS: dict[str, Callable[[], BaseException]] = {
    "EMFILE": lambda: OSError(errno.EMFILE, os.strerror(errno.EMFILE)),
    "ECONNRESET": lambda: ConnectionResetError(errno.ECONNRESET, "reset"),
    "Ctrl+C": KeyboardInterrupt,
    "no memory": MemoryError,
}


def open_numbers() -> set[str]:
    """The open descriptors, without the listing's own."""
    if NUMBERS is None:
        return set()
    found = set()
    for number in os.listdir(NUMBERS):
        try:
            os.fstat(int(number))
        except OSError:
            continue
        found.add(number)
    return found


@pytest.fixture(autouse=True)
def no_garbage() -> None:
    """What earlier tests have dropped is closed before descriptors are counted."""
    gc.collect()


class Saboteur:
    """Lets the nth call through the table fail, and counts them; only the creating thread's.

    Calls that open and ask nothing cannot fail: closing, and a second object for a descriptor.
    """

    def __init__(self, patch: pytest.MonkeyPatch, fault: Callable[[], BaseException]) -> None:
        self.fault = fault
        self.count = 0
        self.at = -1
        self.thread = threading.current_thread()
        self.hit = ""
        for name in vars(Calls()):
            if name not in ("close", "detach", "fileno", "family", "type", "proto", "init") and getattr(
                calls, name
            ):
                patch.setattr(calls, name, self.wrapped(name, getattr(calls, name)))

    def wrapped(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **named: Any) -> Any:
            if threading.current_thread() is self.thread and "fileno" not in named:
                self.count += 1
                if self.count == self.at:
                    self.hit = name
                    raise self.fault()
            return function(*arguments, **named)

        return call

    def at_each(self, work: Callable[[], object]) -> Iterator[str]:
        """Run the work with the first, second, ... call failing, until it runs through; yields which one failed."""
        for at in range(1, 100):
            self.count, self.at, self.hit = 0, at, ""
            with warnings.catch_warnings():
                warnings.simplefilter(
                    "ignore", ResourceWarning
                )  # an object half made is closed by the collector
                try:
                    work()
                except (OSError, KeyboardInterrupt, MemoryError):
                    pass
                gc.collect(1)
            self.at = -1
            if not self.hit:
                return
            yield self.hit
        raise AssertionError("it never ran through")


@pytest.fixture(params=FAULTS)
def sabotage(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Saboteur:
    """A saboteur, with each fault in turn."""
    return Saboteur(monkeypatch, FAULTS[request.param])


def accept_what_waits(listener: samesock.socket) -> None:
    """Empty the queue of a listener, which waits for 20 s again after that."""
    listener.setblocking(False)
    try:
        while True:
            listener.accept()[0].close()
    except BlockingIOError:
        pass
    listener.settimeout(20)


def test_bind_and_listen(path: str, sabotage: Saboteur) -> None:
    """A bind() or listen() in which a call fails leaves no descriptor, and no file that nobody holds."""
    made = []

    def work() -> None:
        with samesock.socket(samesock.AF_UNIX) as sock:
            sock.bind(path)
            made.append(path)
            sock.listen(8)

    before = open_numbers()
    for hit in sabotage.at_each(work):
        if made:
            os.unlink(made.pop())
        assert not os.path.exists(path), hit
        assert open_numbers() == before, hit
    os.unlink(path)


def test_connect(path: str, listener: samesock.socket, sabotage: Saboteur) -> None:
    """A connect() in which a call fails leaves no descriptor, and its object can try again."""
    listener.settimeout(20)
    tried: list[samesock.socket] = []

    def work() -> None:
        client = samesock.socket(samesock.AF_UNIX)
        client.settimeout(20)
        tried.append(client)
        client.connect(path)

    before = open_numbers()
    for hit in sabotage.at_each(work):
        for client in tried:
            try:
                client.connect(path)
            except OSError as error:
                # It was through already, or the object is spoilt where a TCP connect cannot be taken back.
                assert error.errno == errno.EISCONN or hasattr(samesock.socket, "share"), hit
            client.close()
        tried.clear()
        time.sleep(0.005)
        accept_what_waits(listener)
        exchange(path, listener)
        assert open_numbers() == before, hit
    for client in tried:
        client.close()
    listener.accept()[0].close()


def test_accept(path: str, listener: samesock.socket, sabotage: Saboteur) -> None:
    """An accept() in which a call fails leaves no descriptor, and loses no client that the error was not about:
    the next accept() gives it."""
    listener.settimeout(20)
    clients: list[socket.socket] = []
    record = record_at(path)
    for _ in range(10):  # alarmed and with strangers, so that all of the code is run
        close_with_reset(stranger(record))

    def work() -> None:
        client = samesock.socket(samesock.AF_UNIX)
        clients.append(client)
        at, sabotage.at = sabotage.at, -1
        client.connect(path)
        listener.settimeout(0.5)
        sabotage.count, sabotage.at = 0, at
        listener.accept()[0].close()
        clients.pop().close()

    exchange(path, listener)
    before = open_numbers()
    for hit in sabotage.at_each(work):
        for client in clients:
            listener.settimeout(0.5)
            try:
                listener.accept()[0].close()
            except TimeoutError:
                # A failed read is the connection's own error.
                assert hit in ("recv", "settimeout"), hit
                assert sabotage.fault is not KeyboardInterrupt
            listener.settimeout(20)
            client.close()
        clients.clear()
        exchange(path, listener)
        assert open_numbers() == before, hit


def test_pair(sabotage: Saboteur) -> None:
    """A socketpair() in which a call fails leaves no descriptor."""

    def work() -> None:
        one, other = samesock.socketpair()
        with one, other:
            one.sendall(b"x")

    before = open_numbers()
    for hit in sabotage.at_each(work):
        assert open_numbers() == before, hit
    work()


def test_adoption(path: str, listener: samesock.socket, sabotage: Saboteur) -> None:
    """A dup() or socket(fileno=) in which a call fails leaves no descriptor and disturbs no listener."""
    listener.settimeout(20)

    def work() -> None:
        with listener.dup() as duplicate:
            duplicate.settimeout(0.5)
            exchange(path, duplicate)

    before = open_numbers()
    for hit in sabotage.at_each(work):
        accept_what_waits(listener)
        exchange(path, listener)
        assert open_numbers() == before, hit


@HAS_NUMBERS
def test_limit_of_descriptors(path: str) -> None:
    """A process at its limit gets EMFILE from socket, bind, dup and accept, leaves nothing behind, and serves when
    there is room again; nobody who waits is lost."""
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with samesock.socket(samesock.AF_UNIX) as listener, samesock.socket(samesock.AF_UNIX) as client:
        listener.bind(path)
        listener.listen(8)
        listener.settimeout(20)
        exchange(path, listener)
        client.connect(path)
        spare = samesock.socket(samesock.AF_UNIX)
        before = open_numbers()
        highest = max(map(int, before))
        fill = []
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (highest + 2, hard))
            while True:
                try:
                    fill.append(os.dup(0))
                except OSError:
                    break
            for call in (
                lambda: samesock.socket(samesock.AF_UNIX),
                lambda: spare.bind(path + "2"),
                listener.dup,
                listener.accept,
                samesock.socketpair,
            ):
                with pytest.raises(OSError) as caught:
                    call()
                assert caught.value.errno == errno.EMFILE
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
            for number in fill:
                os.close(number)
        spare.close()
        listener.accept()[0].close()
        exchange(path, listener)


@HAS_NUMBERS
def test_no_number_above_the_sockets(path: str) -> None:
    """Where the file's descriptor cannot have a higher number than the socket's, bind() is EMFILE: no file is left, no
    descriptor, and no other descriptor is closed."""
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    hole = os.dup(0)
    with samesock.socket(samesock.AF_UNIX) as sock:
        high = os.dup2(sock.fileno(), 200)
        with samesock.socket(samesock.AF_UNIX, fileno=high) as highest:
            os.close(hole)
            before = open_numbers()
            resource.setrlimit(resource.RLIMIT_NOFILE, (high + 1, hard))
            try:
                with pytest.raises(OSError) as caught:
                    highest.bind(path)
            finally:
                resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
            assert caught.value.errno == errno.EMFILE
            assert not os.path.exists(path)
            assert open_numbers() == before
            highest.bind(path)


# ---- the pair


def test_strangers_do_not_get_into_a_pair(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stranger who connects to the pair's port before the right one is dropped."""
    connect = calls.connect
    strangers: list[socket.socket] = []

    def late(tcp: Any, address: Any) -> None:
        strangers.append(socket.create_connection(address))
        connect(tcp, address)

    monkeypatch.setattr(calls, "connect", late)
    one, other = samesock.socketpair()
    with one, other, strangers[0] as stranger_:
        stranger_.settimeout(20)
        try:
            assert stranger_.recv(100) == b""
        except ConnectionError:
            pass
        one.sendall(b"x")
        assert other.recv(10) == b"x"


def test_pair_does_not_wait_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    """With nobody but strangers at the port, as with a proxy that rewrites loopback, the call ends with an error."""
    monkeypatch.setattr(pair, "PAIR_SECONDS", 0.5)
    getsockname = calls.getsockname
    ports: list[int] = []

    def rewritten(tcp: Any) -> Any:
        name = getsockname(tcp)
        ports.append(name[1])
        return ("127.0.0.1", 1) if len(ports) == 2 else name

    ending = threading.Event()

    def knock() -> None:
        while not ending.is_set():
            if not ports:
                continue
            try:
                close_with_reset(socket.create_connection(("127.0.0.1", ports[0]), 1))
            except OSError:
                time.sleep(0.001)

    thread = threading.Thread(target=knock)
    thread.start()
    monkeypatch.setattr(calls, "getsockname", rewritten)
    try:
        with pytest.raises(ConnectionAbortedError):
            samesock.socketpair()
    finally:
        ending.set()
        thread.join()


# ---- endurance


def new_number() -> int:
    """The number that a new socket gets."""
    with socket.socket() as sock:
        return sock.fileno()


def leftovers(path: str, listener: samesock.socket, rounds: int) -> None:
    """That many rounds of connect, accept, close; then count."""
    before = open_numbers()
    highest = new_number()
    threads = threading.active_count()
    listener.settimeout(20)
    for _ in range(rounds):
        with samesock.socket(samesock.AF_UNIX) as client:
            client.connect(path)
            listener.accept()[0].close()
    assert open_numbers() == before
    assert new_number() < highest + 200  # numbers are reused, so they grow only where some are not given back
    assert threading.active_count() == threads
    listener.setblocking(False)
    assert not select.select([listener], [], [], 0)[0]


@pytest.mark.any_python
@pytest.mark.timeout(300)
def test_ten_thousand_rounds(path: str, listener: samesock.socket) -> None:
    """10,000 times connect, accept and close leave no descriptor and no thread."""
    leftovers(path, listener, ROUNDS)


@pytest.mark.nightly
@pytest.mark.timeout(1200)
def test_rounds_with_ports_used_up(path: str, listener: samesock.socket) -> None:
    """50,000 rounds, more than there are ephemeral ports: they go on while TIME_WAIT piles up."""
    leftovers(path, listener, 50_000)


def test_rounds_among_strangers(path: str, listener: samesock.socket) -> None:
    """Rounds among silent and late clients leave nothing either."""
    record = record_at(path)
    listener.settimeout(20)
    exchange(path, listener)
    before = open_numbers()
    for i in range(ROUNDS // 40):
        tcp = stranger(record)
        if i % 3:
            tcp.sendall(hello_of(record, tcp) + b"no" if i % 3 == 1 else b"\xa5S1")
        exchange_with_late(path, listener)
        close_with_reset(tcp)
    end = time.monotonic() + 20
    while open_numbers() != before:
        assert time.monotonic() < end
        listener.settimeout(0.05)
        try:
            listener.accept()[0].close()
        except TimeoutError:
            pass


def exchange_with_late(path: str, listener: samesock.socket) -> None:
    """An honest client among others whom accept() may give first."""
    with samesock.socket(samesock.AF_UNIX) as client:
        client.settimeout(20)
        client.connect(path)
        client.sendall(b"me")
        while True:
            served, _ = listener.accept()
            with served:
                served.settimeout(20)
                try:
                    if served.recv(2) == b"me":
                        served.sendall(b"ok")
                        break
                except ConnectionError:
                    pass
        assert client.recv(2) == b"ok"


def test_file_is_written_whole(path: str, listener: samesock.socket) -> None:
    """The file has 256 bytes from the moment that listen() returns, and its owner alone may read it."""
    assert Path(path).stat().st_size == 256
    if NUMBERS is not None:
        assert Path(path).stat().st_mode & 0o777 == 0o600
