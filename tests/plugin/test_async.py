"""With pytest-asyncio and anyio: their loops are theirs, a test's leak is the test's."""

from __future__ import annotations

import socket
import sys
from pathlib import Path

import pytest

from plugin.running import Run, run_pytest
from samesock.fdtable import keys

pytestmark = pytest.mark.timeout(120)

ASYNCIO = """
import asyncio, socket
import pytest, pytest_asyncio

KEPT = []

@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def server():
    async def answer(reader, writer):
        writer.write(await reader.readline())
        await writer.drain()
        await reader.read()
        writer.close()
    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    yield server.sockets[0].getsockname()[:2]
    server.close()

@pytest.mark.asyncio
async def test_clean_on_its_own_loop():
    await asyncio.to_thread(lambda: None)

@pytest.mark.asyncio(loop_scope="module")
async def test_talks(server):
    reader, writer = await asyncio.open_connection(*server)
    writer.write(b"hello\\n")
    assert await reader.readline() == b"hello\\n"
    writer.close()
    await writer.wait_closed()

@pytest.mark.asyncio(loop_scope="module")
async def test_leaks_a_connection(server):
    KEPT.append(await asyncio.open_connection(*server))

@pytest.mark.asyncio
async def test_leaks_a_socket():
    KEPT.append(socket.socket())

@pytest.mark.asyncio
async def test_clean_again():
    pass
"""

ANYIO = """
import socket
import anyio, pytest

KEPT = []
pytestmark = pytest.mark.anyio

@pytest.fixture(scope="module", params=["asyncio", "trio"])
def anyio_backend(request):
    pytest.importorskip(request.param)
    return request.param

@pytest.fixture(scope="module")
async def listener(anyio_backend):
    async with await anyio.create_tcp_listener(local_host="127.0.0.1") as listener:
        yield listener

async def test_clean():
    async with anyio.create_task_group() as group:
        group.start_soon(anyio.sleep, 0)

async def test_uses_it(listener):
    assert listener.extra(anyio.abc.SocketAttribute.local_port)

async def test_leaks():
    KEPT.append(socket.socket())

async def test_clean_after():
    await anyio.to_thread.run_sync(lambda: None)
"""

DEFAULT_LOOP = """
import asyncio

def test_asks_for_the_default_loop():
    policy = asyncio.get_event_loop_policy()
    assert policy.get_event_loop() is policy.get_event_loop()

def test_clean():
    pass

def test_gives_a_loop_of_its_own_to_the_policy():
    asyncio.set_event_loop(asyncio.new_event_loop())

def test_clean_again():
    asyncio.set_event_loop(None)
"""


def run_suite(folder: Path, text: str, *options: str) -> Run:
    (folder / "pytest.ini").write_text("[pytest]\naddopts = -p no:cacheprovider -p no:xdist\n")
    (folder / "test_it.py").write_text(text)
    return run_pytest(folder, folder / "r.json", "--fd-leaks=error", *options)


def blamed(run: Run) -> set[str]:
    return {who.rpartition("::")[2] for who in run.who("finding", "section")}


def reused_handles_look_the_same() -> bool:
    """Whether two sockets under one number, one after the other, are the same thing to the descriptor table."""
    seen = []
    for _ in range(2):
        with socket.socket() as sock:
            seen.append([(key, value) for key, value in keys().items() if key[1] == sock.fileno()])
    return seen[0] == seen[1]


def test_pytest_asyncio(tmp_path: Path) -> None:
    """Loops of a function's and a module's scope are not leaks; a connection left open is, with its line."""
    pytest.importorskip("pytest_asyncio", reason="feature absent: pytest-asyncio")
    run = run_suite(tmp_path, ASYNCIO, "-o", "asyncio_default_fixture_loop_scope=function")
    if reused_handles_look_the_same() and blamed(run) != {"test_leaks_a_connection", "test_leaks_a_socket"}:
        # Whether the test's connection gets the number that a socket of the fixture's had is the system's choice.
        assert "test_leaks_a_connection" in run.output
        pytest.xfail("a reused handle cannot be told from the old one: objects have no identity here (Wine)")
    assert blamed(run) == {"test_leaks_a_connection", "test_leaks_a_socket"}, run.output
    row = run.who("finding")["test_it.py::test_leaks_a_connection"]
    assert row["stack"][0][3] == "KEPT.append(await asyncio.open_connection(*server))"


def test_anyio(tmp_path: Path) -> None:
    """On both of anyio's backends only the test that leaks is blamed."""
    pytest.importorskip("anyio", reason="feature absent: anyio")
    run = run_suite(tmp_path, ANYIO, "-p", "no:asyncio")
    assert {name.partition("[")[0] for name in blamed(run)} == {"test_leaks"}, run.output


@pytest.mark.skipif(sys.version_info >= (3, 14), reason="feature absent: a policy that makes a default loop")
def test_default_loop(tmp_path: Path) -> None:
    """The loop that asyncio's policy makes when asked is nobody's leak; one that a test makes is the test's."""
    run = run_suite(tmp_path, DEFAULT_LOOP, "-v", "-p", "no:asyncio", "-p", "no:anyio")
    assert blamed(run) == {"test_gives_a_loop_of_its_own_to_the_policy"}, run.output
    assert "kept by asyncio's default event loop: known, not counted" in run.output
    untraced = run_suite(tmp_path, DEFAULT_LOOP, "-p", "no:asyncio", "-p", "no:anyio", "--fd-leaks-trace=off")
    assert "test_asks_for_the_default_loop" not in blamed(untraced), untraced.output
