"""accept() and close() under threads, forks, full queues, foreign timeouts and failing threads."""

from __future__ import annotations

import asyncio
import errno
import gc
import logging
import os
import select
import threading
import time
import warnings
from collections.abc import Callable
from contextlib import ExitStack
from importlib.util import find_spec
from typing import Any

import pytest

import samesock
from faults.children import child, says
from faults.strangers import close_with_reset, exchange, hello_of, record_at, stranger, was_reset
from samesock.backend import system
from samesock.unix import ends
from samesock.unix.calls import calls

Eventually = Callable[[Callable[[], object]], None]
needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="os.fork is absent")


NUMBERS = "/dev/fd" if os.path.isdir("/dev/fd") and find_spec("resource") else None
"""Where this process's descriptors are listed; under Wine that folder is of another system's numbers."""


def emulated_threads() -> list[threading.Thread]:
    """The emulation's own."""
    return [thread for thread in threading.enumerate() if thread.name.startswith("samesock-accept-")]


def park(listener: samesock.socket) -> None:
    """Have a non-blocking accept() park what has connected."""
    listener.setblocking(False)
    select.select([listener], [], [], 20)
    with pytest.raises(BlockingIOError):
        listener.accept()


def test_two_threads_in_accept(path: str, listener: samesock.socket) -> None:
    """Two threads block in accept() on one listener: every client is given to one of them, late hellos included."""
    record = record_at(path)
    listener.settimeout(None)
    served: list[samesock.socket] = []
    threads = [
        threading.Thread(target=lambda: served.extend(listener.accept()[0] for _ in range(15)))
        for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    with ExitStack() as stack:
        for i in range(30):
            tcp = stack.enter_context(stranger(record))
            said = hello_of(record, tcp)
            if i % 3 == 0:
                tcp.sendall(said[:20])
                time.sleep(0.005)
                said = said[20:]
            tcp.sendall(said)
        for thread in threads:
            thread.join(30)
            assert not thread.is_alive()
    assert len(served) == 30
    for sock in served:
        sock.close()


def test_first_come_first_served(
    path: str, listener: samesock.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A client whose hello comes right after the first look at it is accepted before one that connected later."""
    record = record_at(path)
    accept = calls.accept
    with stranger(record) as early, stranger(record) as late:
        said = {tcp: hello_of(record, tcp) for tcp in (early, late)}
        looks = [0]

        def accepted(sock: Any) -> Any:
            looks[0] += 1
            if looks[0] == 2:  # The early one has been looked at.
                for tcp, hello in said.items():
                    tcp.sendall(hello)
                time.sleep(0.01)
            return accept(sock)

        monkeypatch.setattr(calls, "accept", accepted)
        listener.settimeout(20)
        with listener.accept()[0] as first, listener.accept()[0] as second:
            assert looks[0] >= 2
            early.sendall(b"early")
            late.sendall(b"late")
            assert (first.recv(10), second.recv(10)) == (b"early", b"late")


def test_a_round_waits_for_nothing(
    path: str, listener: samesock.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who connects to a queue with room, is accepted and closed has not once asked the system whether something has
    come, which under Wine is the dearest of all calls. (On a loaded machine the handshake itself is waited for.)"""
    wait = system.wait
    waits: list[Any] = []

    def counted(readers: Any, writers: Any, timeout: float | None) -> Any:
        if readers:
            waits.append(readers)
        return wait(readers, writers, timeout)

    monkeypatch.setattr(system, "wait", counted)
    for _ in range(20):
        with samesock.socket(samesock.AF_UNIX, samesock.SOCK_STREAM) as client:
            client.connect(path)
            with listener.accept()[0]:
                pass
    assert len(waits) <= 5


def test_a_default_time_out_waits_for_no_hello(path: str, listener: samesock.socket) -> None:
    """The program's default time-out is for its sockets, and not for strangers: a silent one is not waited for so
    long. Who is accepted has that time-out then, also one whose hello came late."""
    record = record_at(path)
    listener.settimeout(20)
    late = stranger(record)
    hello = hello_of(record, late)
    with stranger(record), late, samesock.socket(samesock.AF_UNIX, samesock.SOCK_STREAM) as client:
        samesock.setdefaulttimeout(300)
        try:
            client.connect(path)
            with listener.accept()[0] as first:
                assert first.gettimeout() == 300
            late.sendall(hello)
            with listener.accept()[0] as second:
                assert second.gettimeout() == 300
                late.sendall(b"late")
                assert second.recv(10) == b"late"
        finally:
            samesock.setdefaulttimeout(None)


def test_a_default_time_out_that_is_taken_back(path: str, listener: samesock.socket) -> None:
    """A client that was looked at under a default time-out, and is given out when there is none, blocks."""
    record = record_at(path)
    with stranger(record) as late:
        hello = hello_of(record, late)
        samesock.setdefaulttimeout(300)
        try:
            park(listener)
        finally:
            samesock.setdefaulttimeout(None)
        late.sendall(hello)
        listener.settimeout(20)
        with listener.accept()[0] as accepted:
            assert accepted.gettimeout() is None
            late.sendall(b"late")
            assert accepted.recv(10) == b"late"


def test_first_accepts_at_once(path: str, listener: samesock.socket, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two threads may begin their first accept() on a listener at the same moment, and its descriptor survives it."""
    create = calls.create

    def slow(*arguments: Any, **named: Any) -> Any:
        made = create(*arguments, **named)
        time.sleep(0.02)
        return made

    monkeypatch.setattr(calls, "create", slow)
    listener.settimeout(20)
    served: list[samesock.socket] = []
    threads = [threading.Thread(target=lambda: served.append(listener.accept()[0])) for _ in range(2)]
    for thread in threads:
        thread.start()
    time.sleep(0.1)
    clients = [samesock.socket(samesock.AF_UNIX) for _ in range(2)]
    for client in clients:
        client.connect(path)
    for thread in threads:
        thread.join(30)
    gc.collect()
    assert len(served) == 2
    for sock in served + clients:
        sock.close()
    exchange(path, listener)


def test_close_resets_who_waits(path: str, listener: samesock.socket, eventually: Eventually) -> None:
    """Closing a listener resets the parked, the ready and the queued."""
    record = record_at(path)
    with stranger(record) as parked, stranger(record) as ready, ExitStack() as stack:
        park(listener)
        said = hello_of(record, ready)
        ready.sendall(said)
        assert select.select([listener], [], [], 20)[0]
        queued = stack.enter_context(samesock.socket(samesock.AF_UNIX))
        queued.settimeout(20)
        queued.connect(path)
        listener.close()
        assert was_reset(parked)
        assert was_reset(ready)
        with pytest.raises(ConnectionError):
            queued.recv(1)
    eventually(lambda: not emulated_threads())


def test_listener_left_to_the_collector(path: str, eventually: Eventually) -> None:
    """A listener that is dropped without close() takes its life, its lock and its waiting clients with it."""
    before = len(os.listdir(NUMBERS)) if NUMBERS else None
    listener = samesock.socket(samesock.AF_UNIX)
    listener.bind(path)
    listener.listen(8)
    record = record_at(path)
    with stranger(record) as parked, stranger(record) as ready:
        park(listener)
        ready.sendall(hello_of(record, ready))
        assert select.select([listener], [], [], 20)[0]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ResourceWarning)
            del listener
            gc.collect()
        assert was_reset(parked)
        assert was_reset(ready)
    with samesock.socket(samesock.AF_UNIX) as client:
        client.settimeout(5)
        with pytest.raises(ConnectionRefusedError):
            client.connect(path)
    eventually(lambda: not emulated_threads())
    if before is not None:
        assert len(os.listdir(NUMBERS)) == before


def test_close_while_another_thread_accepts(path: str, listener: samesock.socket) -> None:
    """close() in one thread and accept() in another: the accept ends by its timeout or by EBADF, not with a client of
    somebody else's; no descriptor of another owner is touched."""
    listener.settimeout(0.5)
    outcome: list[BaseException] = []

    def accept() -> None:
        try:
            listener.accept()
        except OSError as error:
            outcome.append(error)

    thread = threading.Thread(target=accept)
    thread.start()
    time.sleep(0.1)
    listener.close()
    with samesock.socket(samesock.AF_INET) as bystander:
        bystander.bind(("127.0.0.1", 0))
        bystander.listen()
        thread.join(20)
        assert bystander.getsockname()[1]
    (error,) = outcome
    assert isinstance(error, TimeoutError) or error.errno == errno.EBADF


def test_client_is_killed_before_accept(path: str, listener: samesock.socket) -> None:
    """A client that connects, writes and is killed is accepted later, and what it wrote can be read; the next client
    is served as if nothing had been."""
    with child(
        """
        s = socket.socket(socket.AF_UNIX)
        s.connect(sys.argv[1])
        s.sendall(b"last words")
        print("said", flush=True)
        time.sleep(60)
        """,
        path,
    ) as process:
        assert says(process) == "said"
        process.kill()
        process.wait()
    listener.settimeout(20)
    served, _ = listener.accept()
    with served:
        served.settimeout(20)
        try:
            assert served.recv(100) == b"last words"
            assert served.recv(100) == b""
        except ConnectionResetError:
            pass  # how Winsock tells of a killed process
    exchange(path, listener)


def test_no_thread_in_calm(path: str, listener: samesock.socket) -> None:
    """Honest clients cost no thread: blocking, non-blocking and with a timeout."""
    before = threading.active_count()
    for timeout in (None, 5.0):
        listener.settimeout(timeout)
        for _ in range(50):
            exchange(path, listener)
            assert threading.active_count() == before


@needs_fork
def test_fork_in_calm_warns_of_nothing(path: str, listener: samesock.socket) -> None:
    """A server in calm operation may fork without Python's warning about threads."""
    exchange(path, listener)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        pid = os.fork()
    if pid == 0:
        os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0


def test_thread_ends(path: str, listener: samesock.socket, eventually: Eventually) -> None:
    """The thread that tends late hellos is gone when there are none."""
    record = record_at(path)
    with stranger(record) as tcp:
        park(listener)
        assert emulated_threads()
        tcp.sendall(hello_of(record, tcp))
        assert select.select([listener], [], [], 20)[0]
        listener.accept()[0].close()
    eventually(lambda: not emulated_threads())


def test_no_thread_can_be_started(
    path: str, listener: samesock.socket, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Where the system gives no thread, accept() still gives its client, says so in the log, and the parked are
    looked at by the next accept()."""
    record = record_at(path)

    def start(self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with stranger(record) as late:
        with monkeypatch.context() as patch:
            patch.setattr(threading.Thread, "start", start)
            park(listener)
            with samesock.socket(samesock.AF_UNIX) as client:
                client.connect(path)
                select.select([listener], [], [], 20)
                listener.accept()[0].close()
        assert any("thread" in record.message for record in caplog.records)
        late.sendall(hello_of(record, late))
        listener.settimeout(20)
        listener.accept()[0].close()


@pytest.mark.parametrize("name", ["create", "bind", "connect_ex", "recv"])
def test_tending_thread_outlives_errors(  # noqa: PLR0917
    path: str,
    listener: samesock.socket,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    eventually: Eventually,
    name: str,
) -> None:
    """Calls that fail in the tending thread are told to the log, never by a traceback of a dead thread; when they
    work again the waiting client is announced and served."""
    record = record_at(path)
    function = getattr(calls, name)
    failed = threading.Event()
    failing = True

    def fails_in_the_thread(*arguments: Any, **named: Any) -> Any:
        if failing and threading.current_thread().name.startswith("samesock-accept-"):
            failed.set()
            if name == "recv":
                raise MemoryError
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
        return function(*arguments, **named)

    with stranger(record) as late, caplog.at_level(logging.INFO, "samesock"):
        park(listener)
        monkeypatch.setattr(calls, name, fails_in_the_thread)
        late.sendall(hello_of(record, late))
        assert failed.wait(20)
        time.sleep(0.1)
        assert emulated_threads()
        failing = False
        assert select.select([listener], [], [], 20)[0]
        listener.accept()[0].close()
    assert 1 <= len(caplog.records) <= 3


def test_interrupted_accept_loses_nobody(
    path: str, listener: samesock.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl+C in the middle of accept(): the client that was in hand is given to the next accept()."""
    recv = calls.recv
    interrupts = [KeyboardInterrupt]

    def interrupted(*arguments: Any) -> Any:
        if interrupts:
            raise interrupts.pop()
        return recv(*arguments)

    listener.settimeout(20)
    with samesock.socket(samesock.AF_UNIX) as client:
        client.connect(path)
        monkeypatch.setattr(calls, "recv", interrupted)
        with pytest.raises(KeyboardInterrupt):
            listener.accept()
        served, _ = listener.accept()
        with served:
            served.sendall(b"x")
        client.settimeout(20)
        assert client.recv(1) == b"x"


def test_queue_is_full_then_free(path: str) -> None:
    """Full: a non-blocking connect is EAGAIN, one with a timeout ends by it and not before, a blocking one waits;
    after an accept() there is room, and the same objects connect."""
    with ExitStack() as stack:
        listener = stack.enter_context(samesock.socket(samesock.AF_UNIX))
        listener.bind(path)
        listener.listen(1)
        waiting = []
        while True:
            client = stack.enter_context(samesock.socket(samesock.AF_UNIX))
            client.setblocking(False)
            try:
                client.connect(path)
            except BlockingIOError:
                break
            waiting.append(client)
            assert len(waiting) < 10
        assert client.connect_ex(path) in (errno.EAGAIN, errno.EWOULDBLOCK)
        patient = stack.enter_context(samesock.socket(samesock.AF_UNIX))
        patient.settimeout(0.4)
        begin = time.monotonic()
        with pytest.raises(TimeoutError):
            patient.connect(path)
        assert 0.4 <= time.monotonic() - begin < 10
        patient.settimeout(None)
        thread = threading.Thread(target=patient.connect, args=(path,))
        thread.start()
        time.sleep(0.2)
        assert thread.is_alive()
        for _ in waiting:
            listener.accept()[0].close()
        thread.join(30)
        assert not thread.is_alive()
        client.settimeout(20)
        client.connect(path)
        listener.settimeout(20)
        for _ in range(2):
            listener.accept()[0].close()


@pytest.mark.parametrize("timeout", [0.05, 0.25])
def test_timeouts_are_kept(path: str, listener: samesock.socket, timeout: float) -> None:
    """accept() waits no shorter than its timeout, strangers or not, and not grossly longer."""
    record = record_at(path)
    listener.settimeout(timeout)
    with ExitStack() as stack:
        for _ in range(2):
            begin = time.monotonic()
            with pytest.raises(TimeoutError):
                listener.accept()
            assert timeout <= time.monotonic() - begin < timeout + 5
            stack.callback(close_with_reset, stranger(record))


@pytest.fixture
def default_timeout() -> Any:
    """Sets the default timeout for the rest of the test."""
    yield samesock.setdefaulttimeout
    samesock.setdefaulttimeout(None)


def test_default_timeout_does_not_block_the_gate(path: str, default_timeout: Callable[[float], None]) -> None:
    """A silent client blocks no accept(), whatever the default timeout of new sockets is."""
    default_timeout(30.0)
    with samesock.socket(samesock.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen(8)
        record = record_at(path)
        begin = time.monotonic()
        with stranger(record):
            exchange(path, listener)
            listener.setblocking(False)
            with pytest.raises(BlockingIOError):
                listener.accept()
        assert time.monotonic() - begin < 15


@pytest.mark.parametrize("default", [None, 7.0])
@pytest.mark.parametrize("own", [None, 11.0])
def test_modes_after_connect_and_accept(
    path: str, default_timeout: Callable[[float | None], None], default: float | None, own: float | None
) -> None:
    """Both ends block as their objects say after connect(), a refused connect() and accept(): an accepted socket has
    the default timeout, a client keeps its own."""
    default_timeout(default)
    with samesock.socket(samesock.AF_UNIX) as listener, samesock.socket(samesock.AF_UNIX) as client:
        listener.bind(path)
        client.settimeout(own)
        with pytest.raises(ConnectionRefusedError):
            client.connect(path)
        listener.listen(8)
        listener.settimeout(3.0)
        client.connect(path)
        assert client.gettimeout() == own
        with pytest.raises(OSError) as again:
            client.connect(path)
        assert again.value.errno == errno.EISCONN
        served, _ = listener.accept()
        assert listener.gettimeout() == 3.0
        with served:
            assert served.gettimeout() == default
            for receiver, sender in ((client, served), (served, client)):
                timer = threading.Timer(0.1, sender.sendall, (b"x",))
                timer.start()
                assert receiver.recv(1) == b"x"  # would be EAGAIN if the descriptor did not block
                timer.join()
        if not hasattr(samesock.socket, "share"):  # a socket is a descriptor
            assert os.get_blocking(client.fileno()) == (own is None)


def test_connections_from_200_threads(path: str, listener: samesock.socket) -> None:
    """200 threads connect at once to a queue of 128: all of them are served."""
    answers: list[bytes] = []
    failures: list[BaseException] = []

    def talk(number: int) -> None:
        try:
            with samesock.socket(samesock.AF_UNIX) as client:
                client.settimeout(150)
                client.connect(path)
                client.sendall(b"%03d" % number)
                answers.append(client.recv(16))
        except OSError as error:
            failures.append(error)

    threads = [threading.Thread(target=talk, args=(i,)) for i in range(200)]
    for thread in threads:
        thread.start()
    listener.settimeout(150)
    for _ in threads:
        served, _ = listener.accept()
        with served:
            served.settimeout(150)
            served.sendall(served.recv(16))
    for thread in threads:
        thread.join()
    assert not failures
    assert sorted(answers) == [b"%03d" % i for i in range(200)]


def test_duplicate_made_before_listen(path: str) -> None:
    """A duplicate is the same socket: it accepts what the original listens for, and lives on when that is closed."""
    with samesock.socket(samesock.AF_UNIX) as original:
        original.bind(path)
        with original.dup() as duplicate:
            original.listen(8)
            duplicate.settimeout(20)
            exchange(path, duplicate)
            original.close()
            exchange(path, duplicate)


@pytest.mark.skipif(not hasattr(asyncio, "start_unix_server"), reason="asyncio.start_unix_server is absent")
def test_asyncio_server(path: str, listener: samesock.socket) -> None:
    """An asyncio server on the listener serves the honest, those with late hellos too, and never sees a stranger."""
    record = record_at(path)
    peers = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal peers
        peers += 1
        writer.write(await reader.readline())
        await writer.drain()
        writer.close()

    async def main() -> None:
        listener.setblocking(False)
        server = await asyncio.start_unix_server(serve, sock=listener)
        async with server:
            with stranger(record) as rogue, stranger(record) as late:
                rogue.sendall(b"GET / HTTP/1.1\r\n\r\n")
                await asyncio.sleep(0.2)
                late.sendall(hello_of(record, late) + b"late\n")
                late.setblocking(False)
                loop = asyncio.get_running_loop()
                assert await asyncio.wait_for(loop.sock_recv(late, 100), 20) == b"late\n"
                with samesock.socket(samesock.AF_UNIX) as client:
                    client.setblocking(False)
                    client.connect(path)
                    await loop.sock_sendall(client, b"honest\n")
                    assert await asyncio.wait_for(loop.sock_recv(client, 100), 20) == b"honest\n"
                rogue.setblocking(False)
                with pytest.raises(ConnectionError):
                    await asyncio.wait_for(loop.sock_recv(rogue, 100), 20)

    asyncio.run(main())
    assert peers == 2


def test_states_are_not_kept(path: str, listener: samesock.socket) -> None:
    """Nothing is remembered of sockets that are gone."""
    gc.collect()
    before = len(ends.by_reference)
    for _ in range(20):
        exchange(path, listener)
    gc.collect()
    assert len(ends.by_reference) == before


def acceptor_of(listener: samesock.socket) -> Any:
    """The listener's part of the emulation."""
    end: Any = ends.get(listener)
    return end._acceptor


def test_a_forked_copy_closes_what_the_parent_has_in_hand(
    path: str, listener: samesock.socket, eventually: Eventually
) -> None:
    """In a process that is not the one whose accept() took connections in, those are closed before anything else."""
    with stranger(record_at(path)):
        park(listener)
        acceptor = acceptor_of(listener)
        (parked,) = acceptor._parked.values()
        acceptor._pid = 0
        acceptor.check_process()
        assert parked.tcp.fileno() == -1
        assert not acceptor._parked
    eventually(lambda: not emulated_threads())


def test_an_announcement_that_was_taken_back_is_let_go(
    path: str, listener: samesock.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A connection of the emulation's own that has ended when accept() comes to it is closed: no stranger, not kept."""
    acceptor = acceptor_of(listener)
    monkeypatch.setattr(acceptor._announcements, "was_one", lambda _: True)
    stranger(record_at(path)).close()
    park(listener)
    assert (len(acceptor._parked), acceptor.refused) == (0, 0)
    monkeypatch.undo()
    stranger(record_at(path)).close()
    park(listener)
    assert (len(acceptor._parked), acceptor.refused) == (0, 1)


def test_a_forked_copys_outbox_is_its_own(path: str) -> None:
    """A datagram socket in a process that is not the one that sent by it closes that one's outbox and has its own."""
    with (
        samesock.socket(samesock.AF_UNIX, samesock.SOCK_DGRAM) as sock,
        samesock.socket(samesock.AF_UNIX, samesock.SOCK_DGRAM) as receiver,
    ):
        receiver.bind(path)
        sock.sendto(b"one", path)
        end: Any = ends.get(sock)
        outbox = end._box.outbox()
        outbox.pid = 0
        sock.sendto(b"two", path)
        assert outbox.socket.fileno() == -1
        assert end._box.outbox() is not outbox
        assert (receiver.recv(10), receiver.recv(10)) == (b"one", b"two")
