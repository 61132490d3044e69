"""Real programs, unchanged: each in `programs/` knows nothing of samesock, and runs by `samesock run`.

Where the interpreter and the kernel have Unix sockets, `samesock run` does nothing, so the same expectations are
held against the real thing.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import samesock
from samesock._install import needed

PROGRAMS = Path(__file__).with_name("programs")
SECONDS = 140
"""For one program: under Wine on a busy machine, importing a web framework takes half a minute."""

pytestmark = pytest.mark.timeout(2 * SECONDS)


def command(*words: str) -> tuple[list[str], dict[str, str]]:
    """The command line and environment of a program under `samesock run`."""
    environment = dict(os.environ, PYTHONUNBUFFERED="1")
    folders = [str(Path(samesock.__file__).parents[1]), str(PROGRAMS), environment.get("PYTHONPATH", "")]
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, folders))
    return [sys.executable, "-W", "error", "-m", "samesock", "run", *words], environment


def run(program: str, *words: str) -> list[str]:
    """Run one of the programs and return the lines that it printed."""
    line, environment = command(str(PROGRAMS / program), *words)
    done = subprocess.run(line, env=environment, capture_output=True, text=True, check=False, timeout=SECONDS)
    assert done.returncode == 0, f"exit {done.returncode}\n{done.stdout}\n{done.stderr}"
    assert not done.stderr.strip(), done.stderr
    return done.stdout.splitlines()


def test_socketserver(path: str) -> None:
    """socketserver's Unix server answers its clients and ends."""
    assert run("socketserver_echo.py", path) == ["ONE", "TWO"]


def test_multiprocessing_connection(path: str) -> None:
    """A listener and a client of multiprocessing.connection in two processes, with AF_UNIX and a key."""
    assert run("multiprocessing_connection.py", path) == [
        "True {'numbers': [1, 2, 3]}",
        "100000",
        "thanks",
        "0",
    ]


def test_multiprocessing_socket(path: str) -> None:
    """A listening Unix socket travels to spawned workers, which accept from it."""
    assert run("multiprocessing_socket.py", path) == ["served by socket"] * 2 + ["0 0"]


def test_syslog_over_a_stream(path: str) -> None:
    """SysLogHandler writes to a daemon's stream socket."""
    assert run("syslog.py", path, "stream") == ["<11>first;<11>second;"]


def test_syslog_that_finds_out(path: str) -> None:
    """SysLogHandler tries datagrams first, and comes to a stream by the error."""
    assert run("syslog.py", path, "any") == ["<11>first;<11>second;"]


def test_syslog_by_datagrams(path: str) -> None:
    """SysLogHandler as it comes writes to socketserver's UnixDatagramServer, 40 messages, one of 20 kB."""
    assert run("syslog_datagram.py", path) == ["[b'<11>message 0', b'<11>message 1'] 40 20004 2"]


def test_datagram_server(path: str) -> None:
    """socketserver's threading Unix datagram server answers a client by its path."""
    assert run("datagram_echo.py", path) == ["ONE", "TWO"]


def test_xmlrpc(path: str) -> None:
    """XML-RPC by the standard library's classes."""
    assert run("xmlrpc_unix.py", path) == ["1024", "27"]


def test_http_server(path: str) -> None:
    """http.server and http.client, with a body of 200 kB each way."""
    assert run("http_server.py", path) == ["200 True"]


WEB = ["200 /one ONE", "200 /two TWO", "True"]


def test_uvicorn_as_a_library(path: str) -> None:
    """uvicorn.Server on a path, asked by httpx's asynchronous transport."""
    pytest.importorskip("uvicorn")
    pytest.importorskip("httpx")
    assert run("uvicorn_library.py", path) == WEB


@contextmanager
def server(*words: str) -> Iterator[subprocess.Popen[str]]:
    """A server program, which is ended as the system ends programs."""
    line, environment = command(*words)
    process = subprocess.Popen(
        line, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    try:
        yield process
    finally:
        process.terminate()
        process.communicate(timeout=SECONDS)


def wait_for(path: str, process: subprocess.Popen[str]) -> None:
    """Until somebody listens at the path."""
    deadline = time.monotonic() + SECONDS
    while True:
        with samesock.socket(samesock.AF_UNIX) as sock:
            if sock.connect_ex(path) == 0:
                return
        if process.poll() is not None:
            raise AssertionError(process.communicate()[0])
        assert time.monotonic() < deadline
        time.sleep(0.1)


UVICORN = ("-m", "uvicorn", "asgi_app:app", "--lifespan", "off", "--uds")


def test_uvicorn_as_a_command(path: str) -> None:
    """`uvicorn app:app --uds PATH` in a process of its own, asked from another one."""
    pytest.importorskip("uvicorn")
    pytest.importorskip("httpx")
    with server(*UVICORN, path) as process:
        wait_for(path, process)
        assert run("asgi_app.py", path) == WEB


def test_curl(path: str, request: pytest.FixtureRequest) -> None:
    """`curl --unix-socket`, a C program, asks uvicorn where the kernel has the sockets; where not, it finds none."""
    pytest.importorskip("uvicorn")
    program = shutil.which("curl")
    if program is None:
        pytest.skip("no curl on PATH")
    if needed():
        reason = "curl's sockets are a C library's own, which knows nothing of the emulation: it finds a plain file"
        request.applymarker(pytest.mark.xfail(strict=True, reason=reason))
    with server(*UVICORN, path) as process:
        wait_for(path, process)
        line = [program, "--silent", "--show-error", "--max-time", "60", "--unix-socket", path]
        done = subprocess.run(
            [*line, "--data", "one", "http://app/one"],
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
    assert (done.returncode, done.stdout, done.stderr) == (0, "/one ONE", "")


def test_uvicorn_after_a_killed_one(path: str) -> None:
    """A second uvicorn serves the path that a killed one has left its file at."""
    pytest.importorskip("uvicorn")
    for _ in range(2):
        with server(*UVICORN, path) as process:
            wait_for(path, process)
            with samesock.socket(samesock.AF_UNIX) as client:
                client.connect(path)
                client.sendall(b"GET /again HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
                with client.makefile("rb") as file:
                    assert b"/again " in file.read()
            process.kill()
        assert os.path.exists(path)


def test_uvicorn_with_workers(path: str) -> None:
    """`uvicorn --workers 2`: the listening socket is handed to spawned processes."""
    pytest.importorskip("uvicorn")
    pytest.importorskip("httpx")
    if not has_console():
        pytest.skip("no console here, and uvicorn ends its workers on Windows by Ctrl+Break alone")
    assert run("uvicorn_workers.py", path) == WEB


def has_console() -> bool:
    """Whether there is a console, where a system has such a thing."""
    try:
        with open("CONIN$" if sys.platform == "win32" else os.devnull):
            return True
    except OSError:
        return False


def test_httpx_synchronous(path: str, request: pytest.FixtureRequest) -> None:
    """httpx's synchronous transport, where it does not refuse by the platform's name."""
    pytest.importorskip("httpx")
    if sys.platform == "win32":
        reason = "httpcore's synchronous backend raises on the name win32, whatever the socket module has"
        request.applymarker(pytest.mark.xfail(strict=True, reason=reason))
    assert run("httpx_sync.py", path) == ["hello"]


def test_aiohttp(path: str) -> None:
    """aiohttp's UnixSite and UnixConnector: a large body, many at once, a web socket."""
    pytest.importorskip("aiohttp")
    assert run("aiohttp_unix.py", path) == ["True", "200 /hello 1048576", "{200}", "SHOUT"]


REDIS = ["True True 100000", "True True b'2'", "True"]


def test_redis(path: str) -> None:
    """redis-py, synchronous and asynchronous, against a server that speaks enough of its protocol."""
    pytest.importorskip("redis")
    assert run("redis_client.py", path) == REDIS


def test_redis_server(path: str) -> None:
    """redis-py against the real redis-server, over the kernel's own Unix sockets."""
    pytest.importorskip("redis")
    program = shutil.which("redis-server")
    if program is None:
        pytest.skip("no redis-server on PATH")
    if needed():
        pytest.skip("unix-stream is not native here, and redis-server speaks no other")
    words = [program, "--port", "0", "--unixsocket", path, "--save", "", "--appendonly", "no"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        try:
            wait_for(path, process)
            assert run("redis_client.py", path) == REDIS
        finally:
            process.terminate()


@pytest.fixture(scope="module")
def starting_trio() -> None:
    """trio asks Winsock's driver for what Wine 10 does not know (WSAIoctl SIO_BSP_HANDLE_SELECT, error 10045)."""
    trio = pytest.importorskip("trio")

    async def nothing() -> None:
        pass

    try:
        trio.run(nothing)
    except OSError as error:
        pytest.skip(f"trio itself does not start here: {error}")


@pytest.mark.usefixtures("starting_trio")
def test_trio(path: str) -> None:
    """trio's sockets, which refuse subclasses: serve_listeners and open_unix_socket."""
    assert run("trio_unix.py", path) == ["ONE", "TWO"]


def test_anyio_on_asyncio(path: str) -> None:
    """anyio's Unix listener and connect_unix on asyncio."""
    pytest.importorskip("anyio")
    assert run("anyio_unix.py", path, "asyncio") == ["ONE", "TWO", "100000"]


@pytest.mark.usefixtures("starting_trio")
def test_anyio_on_trio(path: str) -> None:
    """anyio's Unix listener and connect_unix on trio."""
    pytest.importorskip("anyio")
    assert run("anyio_unix.py", path, "trio") == ["ONE", "TWO", "100000"]
