"""The examples, run as their heads say, each by a user who sees only what they print and what comes over the socket."""

from __future__ import annotations

import http.client
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

import samesock as socket

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
SECONDS = 60
"""For anything that a program is waited for: under Wine on a busy machine a start takes many."""

BECOME = """
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.environ.update(LISTEN_FDS="1", LISTEN_PID=str(os.getpid()))
os.execv(sys.executable, [sys.executable, sys.argv[2]])
"""

pytestmark = pytest.mark.timeout(4 * SECONDS)


def environment() -> dict[str, str]:
    """One in which the example finds the samesock that is tested."""
    folders = [str(Path(socket.__file__).parents[1]), os.environ.get("PYTHONPATH", "")]
    return dict(os.environ, PYTHONPATH=os.pathsep.join(filter(None, folders)), PYTHONUNBUFFERED="1")


@contextmanager
def running(*words: str, **options: object) -> Iterator[subprocess.Popen[str]]:
    """An example, ended at the end if it has not ended itself."""
    line = [sys.executable, "-W", "error", str(EXAMPLES / words[0]), *words[1:]]
    streams = dict.fromkeys(("stdin", "stdout"), subprocess.PIPE)
    process = subprocess.Popen(line, env=environment(), text=True, **{**streams, **options})
    try:
        yield process
    finally:
        process.terminate()
        process.communicate(timeout=SECONDS)


def line_of(process: subprocess.Popen[str]) -> str:
    """The next line that it prints."""
    assert process.stdout is not None
    return process.stdout.readline().rstrip("\n")


def connected(path: str) -> socket.socket:
    """A client of the socket at the path, which may take a moment to be there."""
    client = socket.socket(socket.AF_UNIX)
    client.settimeout(SECONDS)
    deadline = time.monotonic() + SECONDS
    while True:
        try:
            client.connect(path)
            return client
        except (FileNotFoundError, ConnectionRefusedError):
            if time.monotonic() > deadline:
                client.close()
                raise
            time.sleep(0.05)


@pytest.mark.parametrize("name", ["chat", "http_unix", "supervisor", "worker_pool"])
def test_usage(name: str) -> None:
    """A command line that makes no sense is answered by the example's head, which says what does."""
    line = [sys.executable, "-W", "error", str(EXAMPLES / f"{name}.py"), *["--what"] * 4]
    words = line[:-4] if name == "supervisor" else line  # whose programs may have any names
    done = subprocess.run(
        words, env=environment(), capture_output=True, text=True, check=False, timeout=SECONDS
    )
    assert done.returncode == 1
    assert f"python {name}.py" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.needs("unix-stream")
def test_a_path_that_is_taken(path: str) -> None:
    """It is named in one line, and what is there stays."""
    Path(path).write_text("mine")
    line = [sys.executable, "-W", "error", str(EXAMPLES / "chat.py"), "serve", path]
    done = subprocess.run(
        line, env=environment(), capture_output=True, text=True, check=False, timeout=SECONDS
    )
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert done.stderr.startswith("chat: ")
    assert Path(path).read_text() == "mine"


@pytest.mark.needs("unix-stream")
def test_chat(path: str) -> None:
    """What one guest says all hear, in whole lines; one that leaves is missed, and a slow one is let go."""
    with running("chat.py", "serve", path) as daemon:
        assert line_of(daemon) == f"listening on {path}"
        with connected(path) as ann, ann.makefile("r", encoding="utf-8") as anns:
            ann.sendall(b"Ann\n")
            assert anns.readline() == "* Ann is here\n"
            with connected(path) as bob, bob.makefile("r", encoding="utf-8") as bobs:
                bob.sendall(b"Bob\nhel")
                assert [anns.readline(), bobs.readline()] == ["* Bob is here\n"] * 2
                bob.sendall(b"lo\n")
                assert [anns.readline(), bobs.readline()] == ["Bob: hello\n"] * 2
            assert anns.readline() == "* Bob has left\n"
            with connected(path) as endless:
                endless.sendall(b"x" * 9000)
                with suppress(ConnectionResetError):  # What it sent was not all read when it was let go.
                    assert endless.recv(1) == b""


@pytest.mark.needs("unix-stream", "select-pipe")
def test_chat_client(path: str) -> None:
    """The client waits for what is typed and for what is said together, and ends when its input does."""
    with running("chat.py", "serve", path) as daemon:
        assert line_of(daemon) == f"listening on {path}"
        with running("chat.py", "join", path, "Eve") as client:
            assert line_of(client) == "* Eve is here"
            assert client.stdin is not None
            client.stdin.write("good evening\n")
            client.stdin.flush()
            assert line_of(client) == "Eve: good evening"
            client.stdin.close()
            client.stdin = None
            assert client.wait(SECONDS) == 0


def ask(path: str, text: str) -> str:
    """What a pool answers to one line."""
    with connected(path) as client, client.makefile("r") as lines:
        client.sendall(f"{text}\n".encode())
        return lines.readline()


@pytest.mark.needs("unix-stream", "passing")
def test_worker_pool(path: str) -> None:
    """Connections go to the workers in turn, with what their clients have already sent."""
    with running("worker_pool.py", "serve", path) as pool:
        assert line_of(pool) == "ready"
        answers = [ask(path, word) for word in ("one", "two", "three")]
    workers, words = zip(*(answer.split(": ") for answer in answers), strict=True)
    assert words == ("ONE\n", "TWO\n", "THREE\n")
    assert workers[0] == workers[2] != workers[1]


@pytest.mark.needs("unix-stream", "passing")
def test_a_client_that_leaves_costs_the_pool_no_worker(path: str) -> None:
    """Whoever goes without its answer, or without a whole line, has only itself harmed."""
    with running("worker_pool.py", "serve", path) as pool:
        assert line_of(pool) == "ready"
        for said in (b"one\n", b"two\n", b"half", b""):
            with connected(path) as client:
                client.sendall(said)
        workers, words = zip(*(ask(path, word).split(": ") for word in ("three", "four")), strict=True)
    assert set(workers) == {"worker 0", "worker 1"}
    assert words == ("THREE\n", "FOUR\n")


@pytest.mark.needs("unix-stream", "passing", "inherit")
def test_worker_pool_by_activation(path: str) -> None:
    """A listening socket that somebody else has made arrives as descriptor 3, as sd_listen_fds says."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()
        listener.set_inheritable(
            True
        )  # an emulated one leaves a note for whoever will have nothing but its number
        # Between fork and exec a service manager's child knows its own number.
        line = [sys.executable, "-c", BECOME, str(listener.fileno()), str(EXAMPLES / "worker_pool.py")]
        process = subprocess.Popen(
            line, env=environment(), text=True, stdout=subprocess.PIPE, pass_fds=[listener.fileno()]
        )
        try:
            assert line_of(process) == "ready"
            assert ask(path, "activated").endswith(": ACTIVATED\n")
        finally:
            process.terminate()
            process.communicate(timeout=SECONDS)


@pytest.mark.needs("unix-stream", "select-socket", "select-pipe")
def test_supervisor(path: str, tmp_path: Path) -> None:
    """Output, ends and orders arrive at one wait; a program that ends is started again, one that is stopped is not."""
    (tmp_path / "short.py").write_text("print('I was here')")
    (tmp_path / "long.py").write_text("import time\nprint('I stay')\ntime.sleep(600)")
    with running("supervisor.py", path, str(tmp_path / "short.py"), str(tmp_path / "long.py")) as supervisor:
        seen: list[str] = []
        while seen.count("[0] ended with 0") < 4 or "[1] I stay" not in seen:
            seen.append(line_of(supervisor))
        assert seen.count("[0] I was here") == 4
        with connected(path) as client, client.makefile("r") as answers:
            client.sendall(b"list\n")
            rows = [answers.readline().split() for _ in range(2)]
            assert [(row[0], row[-1]) for row in rows] == [("0", "4"), ("1", "1")]
            client.sendall(b"stop\nstop 9\n\xff\nqu")
            assert all(answers.readline().startswith("not an order; ") for _ in range(3))
            client.sendall(b"it is not\nstop 1\nstop 1\n")
            assert answers.readline().startswith("not an order; ")
            assert line_of(supervisor).startswith("[1] ended with ")
            client.sendall(b"quit\n")
            assert supervisor.wait(SECONDS) == 0  # though somebody still listens
    assert not os.path.lexists(path)


class ByPath(http.client.HTTPConnection):
    """http.client over a Unix socket."""

    def __init__(self, path: str) -> None:
        super().__init__("localhost")
        self.path = path

    def connect(self) -> None:
        self.sock = connected(self.path)


@pytest.mark.needs("unix-stream", "peercred")
def test_http(path: str) -> None:
    """An ordinary HTTP client is answered on one connection, told who it is, and told what is wrong."""
    with running("http_unix.py", path) as server:
        assert line_of(server) == f"listening on {path}"
        client = ByPath(path)

        def get(method: str, target: str, body: str | None = None) -> tuple[int, bytes]:
            client.request(method, target, body)
            response = client.getresponse()
            return response.status, response.read()

        status, page = get("GET", "/")
        assert (status, json.loads(page)["requests"]) == (200, 1)
        status, who = get("GET", "/whoami")
        assert (status, json.loads(who)["pid"]) == (200, os.getpid())
        assert get("HEAD", "/") == (200, b"")
        assert get("GET", "/nowhere")[0] == 404
        assert get("POST", "/", "a body")[0] == 405
        assert get("GET", "/")[0] == 200
        client.close()
        with connected(path) as rude:
            rude.sendall(b"hello?\r\n\r\n")
            assert rude.recv(100).startswith(b"HTTP/1.1 400 ")
