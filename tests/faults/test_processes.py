"""Listeners and clients in several processes: forks, kills, squatters, races, and sockets handed on."""

from __future__ import annotations

import errno
import os
import select
import signal
import socket
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest

import samesock
from faults.children import LISTENER, child, environment, run, says, tell
from faults.strangers import exchange, hello_of, record_at, stranger
from samesock.backend import system
from samesock.unix import adoption, ends
from samesock.unix.calls import calls

Eventually = Callable[[Callable[[], object]], None]
SHARES = hasattr(samesock.socket, "share")
needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="os.fork is absent")
needs_numbers = pytest.mark.skipif(SHARES, reason="a socket is no descriptor, so no lock has a number")
needs_share = pytest.mark.skipif(not SHARES, reason="socket.share is absent")


@pytest.fixture(autouse=True)
def own_private_directory(socket_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """These tests and their children leave notes in a directory of their own."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(socket_dir))
    monkeypatch.setenv("LOCALAPPDATA", str(socket_dir))


def forked(work: Callable[[], object]) -> int:
    """A child process that does the work and exits with 0 if no exception came of it."""
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            work()
            status = 0
        finally:
            os._exit(status)
    return pid


def ended_well(pid: int) -> bool:
    """Wait for the child."""
    return os.waitpid(pid, 0)[1] == 0


# ---- fork


@needs_fork
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_fork_with_waiting_connections(path: str, listener: samesock.socket) -> None:
    """A child that closes the listener, or exits, resets nobody: the parent's parked and ready go on."""
    record = record_at(path)
    listener.setblocking(False)
    with stranger(record) as parked, stranger(record) as ready:
        select.select([listener], [], [], 20)
        with pytest.raises(BlockingIOError):
            listener.accept()
        ready.sendall(hello_of(record, ready))
        assert select.select([listener], [], [], 20)[0]
        assert ended_well(forked(listener.close))
        assert ended_well(forked(lambda: None))
        listener.settimeout(20)
        served, _ = listener.accept()
        with served:
            served.sendall(b"x")
        assert ready.recv(1) == b"x"
        parked.sendall(hello_of(record, parked))
        listener.accept()[0].close()
    exchange(path, listener)


@needs_fork
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_child_keeps_no_copies(path: str, listener: samesock.socket) -> None:
    """A forked child that lives on does not keep the parent's waiting connections open behind its back."""
    record = record_at(path)
    listener.setblocking(False)
    with ExitStack() as stack:
        ready = stack.enter_context(stranger(record))
        select.select([listener], [], [], 20)
        with pytest.raises(BlockingIOError):
            listener.accept()
        ready.sendall(hello_of(record, ready))
        assert select.select([listener], [], [], 20)[0]
        pid = forked(lambda: time.sleep(60))
        stack.callback(os.waitpid, pid, 0)
        stack.callback(os.kill, pid, signal.SIGKILL)
        listener.settimeout(20)
        listener.accept()[0].close()
        assert ready.recv(1) == b""


@needs_fork
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_fork_while_a_thread_accepts(path: str) -> None:
    """A child can accept although it was forked while the parent's threads were in accept() with strangers parked."""
    code = """
    import threading, warnings
    warnings.simplefilter("ignore")
    s = socket.socket(socket.AF_UNIX)
    s.bind(sys.argv[1])
    s.listen(128)
    s.settimeout(0.001)
    ending = []
    def accept():
        while not ending:
            try:
                s.accept()[0].close()
            except TimeoutError:
                pass
    threads = [threading.Thread(target=accept) for _ in range(3)]
    for t in threads:
        t.start()
    def client():
        c = socket.socket(socket.AF_UNIX)
        c.settimeout(20)
        c.connect(sys.argv[1])
        return c
    import socket as plain
    from samesock.unix import rendezvous
    port = rendezvous.decode(open(sys.argv[1], "rb").read()).port
    rogues = [plain.create_connection(("127.0.0.1", port)) for _ in range(5)]
    for _ in range(30):
        pid = os.fork()
        if pid == 0:
            s.settimeout(10)
            c = client()
            while True:
                try:
                    s.accept()[0].close()
                    break
                except TimeoutError:
                    c = client()
            os._exit(0)
        for _ in range(200):
            client().close()
            if os.waitpid(pid, os.WNOHANG)[0]:
                break
            time.sleep(0.01)
        else:
            os.kill(pid, 9)
            sys.exit("the child did not come out of accept()")
    ending.append(1)
    for t in threads:
        t.join()
    """
    run(code, path)


@needs_fork
def test_prefork_workers(path: str, listener: samesock.socket) -> None:
    """Three forked workers share a listener under select(); 60 clients, a third of them with late hellos, are all
    served, although workers swallow each other's announcements."""
    record = record_at(path)
    listener.setblocking(False)

    def work() -> None:
        while True:
            select.select([listener], [], [])
            try:
                sock, _ = listener.accept()
            except BlockingIOError:
                continue
            with sock:
                sock.settimeout(20)
                sock.sendall(sock.recv(16))

    with ExitStack() as stack:
        for _ in range(3):
            pid = forked(work)
            stack.callback(os.waitpid, pid, 0)
            stack.callback(os.kill, pid, signal.SIGKILL)
        for i in range(60):
            with stranger(record) as tcp:
                if i % 3 == 0:
                    time.sleep(0.01)
                tcp.sendall(hello_of(record, tcp) + b"%02d" % i)
                assert tcp.recv(16) == b"%02d" % i


# ---- death


def killed_listener(path: str) -> None:
    """A listener at the path that was killed."""
    with child(LISTENER, path) as process:
        assert says(process) == "listening"
        process.kill()
        process.wait()


def test_killed_listeners_path(path: str) -> None:
    """A killed listener leaves its file: connect is refused, bind is EADDRINUSE; after unlink it can be bound and
    serves."""
    killed_listener(path)
    with samesock.socket(samesock.AF_UNIX) as client, samesock.socket(samesock.AF_UNIX) as listener:
        with pytest.raises(ConnectionRefusedError) as refused:
            client.connect(path)
        assert refused.value.filename == path
        with pytest.raises(OSError) as taken:
            listener.bind(path)
        assert taken.value.errno == errno.EADDRINUSE
        assert taken.value.filename == path
        os.unlink(path)
        listener.bind(path)
        listener.listen(8)
        listener.settimeout(20)
        exchange(path, listener)


KILLS = 12 if hasattr(os, "fork") else 3
"""Tries per run, by what starting a process costs; the prototype made 100, and the nightly test does."""


@pytest.mark.parametrize("tries", [KILLS, pytest.param(100, marks=pytest.mark.nightly)])
@pytest.mark.timeout(300)
def test_squatter_on_a_killed_listeners_port(path: str, tries: int) -> None:
    """A listener is killed with a client knocking and a stranger trying to take its port all the while: the client is
    refused, and the stranger gets no connection."""
    for i in range(tries):
        place = f"{path}{i}"
        with child(LISTENER, place) as process, ExitStack() as stack:
            assert says(process) == "listening"
            port = record_at(place).port
            process.kill()
            squatter = stack.enter_context(socket.socket())
            end = time.monotonic() + 30
            outcome: BaseException | None = None
            squatting = False
            while not squatting or outcome is None:
                assert time.monotonic() < end
                if not squatting:
                    try:
                        squatter.bind(("127.0.0.1", port))
                        squatter.listen(64)
                        squatter.setblocking(False)
                        squatting = True
                    except OSError:
                        pass  # not yet free
                client = stack.enter_context(samesock.socket(samesock.AF_UNIX))
                client.settimeout(20)
                try:
                    client.connect(place)
                except OSError as error:
                    outcome = error
            assert isinstance(outcome, ConnectionRefusedError)
            with pytest.raises(ConnectionRefusedError):
                stack.enter_context(samesock.socket(samesock.AF_UNIX)).connect(place)
            with pytest.raises(BlockingIOError):
                squatter.accept()


def test_squatter_cannot_get_a_hello(path: str) -> None:
    """When somebody has the port of a listener that closed in order, a client sends him nothing."""
    with samesock.socket(samesock.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen(8)
        port = record_at(path).port
    with socket.socket() as squatter, samesock.socket(samesock.AF_UNIX) as client:
        squatter.bind(("127.0.0.1", port))
        squatter.listen()
        squatter.settimeout(0.2)
        with pytest.raises(ConnectionRefusedError):
            client.connect(path)
        with pytest.raises(TimeoutError):
            squatter.accept()


@pytest.mark.skipif(sys.platform != "linux", reason="SO_COOKIE is absent: limit 9 of docs/emulation.md")
@pytest.mark.fd_leaks(
    "allow", kind="file", reason="what the number's owner held is given up with the process"
)
def test_squatter_on_a_port_closed_behind_our_back(path: str, listener: samesock.socket) -> None:
    """When a program detaches a listener and closes its number, whoever takes the port gets no connection and no byte;
    before that, and when the number is adopted, clients come in as ever."""
    port = listener.getsockname() and record_at(path).port
    number = listener.detach()
    with samesock.socket(samesock.AF_UNIX) as client, samesock.socket(samesock.AF_UNIX) as late:
        client.connect(path)
        os.close(number)
        with socket.create_server(("127.0.0.1", port)) as squatter:
            squatter.setblocking(False)
            with pytest.raises(ConnectionRefusedError):
                late.connect(path)
            try:
                met, _ = squatter.accept()
            except BlockingIOError:
                pass
            else:
                with met:
                    met.settimeout(10)
                    try:
                        assert met.recv(1) == b""
                    except ConnectionResetError:
                        pass


def test_stranger_between_the_probes(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The listener dies, and a stranger takes its port, between the client's first look and its connect: not a byte is
    sent, and the same object can connect elsewhere afterwards."""
    connect_ex = calls.connect_ex
    with samesock.socket(samesock.AF_UNIX) as listener, ExitStack() as stack:
        listener.bind(path)
        listener.listen(8)
        port = record_at(path).port
        squatter = stack.enter_context(socket.socket())

        def too_late(tcp: object, server: object) -> int:
            if listener.fileno() >= 0:
                listener.close()
                squatter.bind(("127.0.0.1", port))
                squatter.listen()
            return int(connect_ex(tcp, server))  # type: ignore[arg-type]

        monkeypatch.setattr(calls, "connect_ex", too_late)
        client = stack.enter_context(samesock.socket(samesock.AF_UNIX))
        client.settimeout(20)
        with pytest.raises(ConnectionRefusedError):
            client.connect(path)
        squatter.settimeout(20)
        victim, _ = squatter.accept()
        with victim:
            victim.settimeout(0.3)
            try:
                assert victim.recv(1000) == b""
            except (TimeoutError, ConnectionError):
                pass
            other = stack.enter_context(samesock.socket(samesock.AF_UNIX))
            other.bind(path + "2")
            other.listen(8)
            other.settimeout(1)
            if SHARES:
                # A TCP connect cannot be taken back there: the object is spoilt, and says so.
                with pytest.raises(OSError):
                    client.connect(path + "2")
            else:
                client.connect(path + "2")
                client.sendall(b"for the right one")
                served, _ = other.accept()
                with served:
                    served.settimeout(20)
                    assert served.recv(100) == b"for the right one"
            try:
                assert victim.recv(1000) == b""
            except (TimeoutError, ConnectionError):
                pass


def test_one_winner_for_each_path(socket_dir: Path) -> None:
    """Six processes race for 200 paths: each path is bound once, and everybody else gets EADDRINUSE."""
    code = """
    import errno
    sys.stdin.readline()
    won, lost = [], 0
    keep = []
    for i in range(200):
        s = socket.socket(socket.AF_UNIX)
        try:
            s.bind(os.path.join(sys.argv[1], str(i)))
            won.append(i)
            keep.append(s)
        except OSError as error:
            s.close()
            if error.errno != errno.EADDRINUSE:
                raise
            lost += 1
    print(*won, flush=True)
    sys.stdin.readline()
    for s in keep:
        s.close()
    """
    with ExitStack() as stack:
        processes = [stack.enter_context(child(code, socket_dir)) for _ in range(6)]
        for process in processes:
            tell(process)
        winners = [int(number) for process in processes for number in says(process).split()]
        for process in processes:
            tell(process)
            assert process.wait(30) == 0
    assert sorted(winners) == list(range(200))


# ---- descriptor numbers


@needs_numbers
def test_locks_number_is_above_the_sockets(path: str) -> None:
    """The lock has a higher number than its socket, in bind and in every duplicate: a dying process gives up its
    highest numbers first, so the life ends before the port is free."""
    with ExitStack() as stack:
        low = stack.enter_context(open(os.devnull, "rb"))
        listener = stack.enter_context(samesock.socket(samesock.AF_UNIX))
        low.close()  # a number below the socket's is free now, and the file's descriptor must not take it
        listener.bind(path)
        listener.listen(8)
        low = stack.enter_context(open(os.devnull, "rb"))
        low.close()
        duplicate = stack.enter_context(listener.dup())
        high = os.dup2(listener.fileno(), 300)
        adopted = stack.enter_context(samesock.socket(fileno=high))
        for sock in (listener, duplicate, adopted):
            end = ends.get(sock)
            assert end._hold._fd > sock.fileno()  # type: ignore[union-attr,attr-defined]


# ---- handing on

SERVE = """
    print("ready", flush=True)
    sys.stdin.readline()
    s.settimeout(30)
    served, _ = s.accept()
    served.sendall(served.recv(100))
    served.close()
    s.close()
"""

INHERITOR = "    s = socket.socket(socket.AF_UNIX, fileno=int(sys.argv[1]))\n" + SERVE

PARENT = """
    import subprocess
    s = socket.socket(socket.AF_UNIX)
    s.bind(sys.argv[1])
    s.listen(8)
    s.set_inheritable(True)
    child = subprocess.Popen([sys.executable, "-c", sys.argv[2], str(s.fileno())], close_fds=False)
    sys.stdout.flush()
    os._exit(0)
"""


def speak(path: str) -> None:
    """A word to the server and back."""
    with samesock.socket(samesock.AF_UNIX) as client:
        client.settimeout(30)
        client.connect(path)
        client.sendall(b"hand")
        assert client.recv(100) == b"hand"


@needs_numbers
def test_inherited_with_the_parent_dead(path: str) -> None:
    """A child that has nothing but the number of an inheritable listener serves at its path, after its parent has
    gone; when the child is gone too, the path is dead."""
    inheritor = "import os, sys, time\nimport samesock as socket\n" + textwrap.dedent(INHERITOR)
    parent = "import os, sys, time\nimport samesock as socket\n" + textwrap.dedent(PARENT)
    process = subprocess.Popen(
        [sys.executable, "-c", parent, path, inheritor],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment(),
    )
    try:
        assert says(process) == "ready"
        assert process.wait(30) == 0
        tell(process)
        speak(path)
        assert process.stdout is not None
        assert process.stdout.read() == ""  # the child has ended
    finally:
        process.kill()
        process.communicate()
    with samesock.socket(samesock.AF_UNIX) as client, pytest.raises(ConnectionRefusedError):
        client.connect(path)


@needs_share
def test_shared_with_the_parent_dead(path: str) -> None:
    """A process that got a listener by share() serves at its path after the one that bound it has gone."""
    parent = """
    s = socket.socket(socket.AF_UNIX)
    s.bind(sys.argv[1])
    s.listen(8)
    print(s.share(int(sys.stdin.readline())).hex(), flush=True)
    sys.stdin.readline()
    """
    heir = (
        """
    print(os.getpid(), flush=True)
    s = socket.fromshare(bytes.fromhex(sys.stdin.readline()))
    """
        + SERVE
    )
    with child(heir) as process:
        pid = says(process)
        with child(parent, path) as binder:
            tell(binder, pid)
            tell(process, says(binder))
            assert says(process) == "ready"
            binder.kill()
            binder.wait()
        tell(process)
        speak(path)
        assert process.wait(30) == 0
    with samesock.socket(samesock.AF_UNIX) as client, pytest.raises(ConnectionRefusedError):
        client.connect(path)


@needs_share
def test_shared_and_both_serve(path: str, listener: samesock.socket) -> None:
    """After share() both processes serve, and the life lasts as long as one of them."""
    heir = (
        """
    print(os.getpid(), flush=True)
    s = socket.fromshare(bytes.fromhex(sys.stdin.readline()))
    """
        + SERVE
    )
    with child(heir) as process:
        tell(process, listener.share(int(says(process))).hex())  # type: ignore[attr-defined,unused-ignore]
        assert says(process) == "ready"
        listener.settimeout(20)
        exchange(path, listener)
        listener.close()
        tell(process)
        speak(path)


def test_child_closing_its_copy_leaves_the_note(path: str, listener: samesock.socket) -> None:
    """What a listener has left for processes that know its number alone is taken away by its own process alone."""
    port = record_at(path).port
    listener.set_inheritable(True)
    note = Path(adoption._note(port))
    assert note.exists()
    if hasattr(os, "fork"):
        assert ended_well(forked(listener.close))
        assert note.exists()
    listener.close()
    assert not note.exists()


def test_a_private_directory_that_is_not(
    path: str, listener: samesock.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    """detach() never fails for want of a private directory; set_inheritable(True), which needs one, says so."""

    def squatted() -> str:
        raise PermissionError(errno.EPERM, "not a directory of this user alone", "/somewhere")

    monkeypatch.setattr(system, "private_directory", squatted)
    with pytest.raises(PermissionError):
        listener.set_inheritable(True)
    number = listener.detach()
    with samesock.socket(samesock.AF_UNIX, fileno=number) as again:
        again.settimeout(20)
        exchange(path, again)


DROPPING = """
import sys, samesock
s = samesock.socket(samesock.AF_UNIX)
s.bind(sys.argv[1])
s.listen(8)
c = samesock.socket(samesock.AF_UNIX)
c.connect(sys.argv[1])
t = s.accept()
"""


def test_exit_without_close(path: str) -> None:
    """A program that ends without closing its listener ends without a word on stderr but Python's own."""
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            DROPPING,
            path,
        ],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0
    assert done.stderr == ""
