"""`no_leaks()` and `LeakCheckMixin`: what they promise to a program without pytest."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import shutil
import socket
import subprocess
import sys
import threading
import unittest
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import samesock
from plugin.running import environment
from samesock.fdtable import describe, keys
from samesock.leaks import DescriptorLeak, LeakCheckMixin, RuleError, allow, no_leaks, recording


def test_clean_block() -> None:
    """A block that closes what it opens passes."""
    with no_leaks() as check, socket.socket():
        pass
    assert check.findings == check.notes == []


def test_block_with_a_leak() -> None:
    """A socket left open raises `DescriptorLeak` with its finding: number, kind, line and owner."""
    kept = []
    with (
        pytest.raises(DescriptorLeak, match="1 descriptor opened by this block is still open") as caught,
        no_leaks(),
    ):
        kept.append(socket.socket())
    (finding,) = caught.value.findings
    kept[0].close()
    assert (finding.verdict, finding.kind) == ("leaked", "socket")
    assert finding.line.startswith(__file__)
    assert finding.stack[0][3] == "kept.append(socket.socket())"
    assert "socket.socket" in finding.owner


def test_an_exception_stays_the_exception() -> None:
    """The block's own exception is not masked; the leak is added to it as a note."""
    kept = []
    with pytest.raises(ZeroDivisionError) as caught, no_leaks():
        kept.append(socket.socket())
        raise ZeroDivisionError
    kept[0].close()
    if sys.version_info >= (3, 11):
        assert "still open" in caught.value.__notes__[0]


def test_decorator() -> None:
    """Before a function, with and without parentheses, every call is checked; the function keeps its name."""
    kept = []

    @no_leaks
    def leaks() -> int:
        kept.append(socket.socket())
        return 1

    @no_leaks(grace=0)
    def clean(value: int) -> int:
        return value

    assert clean(3) == clean(3) == 3
    assert (leaks.__name__, clean.__name__) == ("leaks", "clean")
    for _ in range(2):
        with pytest.raises(DescriptorLeak):
            leaks()
        kept.pop().close()


def test_async_forms() -> None:
    """`async with` and a decorated coroutine function: the running loop's own descriptors do not count."""
    kept = []

    @no_leaks
    async def leaks() -> None:
        await asyncio.sleep(0)
        kept.append(socket.socket())

    async def main() -> None:
        async with no_leaks():
            server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
            reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname()[:2])
            await reader.read()
            writer.close()
            await writer.wait_closed()
            server.close()
        with pytest.raises(DescriptorLeak):
            await leaks()

    assert asyncio.iscoroutinefunction(leaks) or sys.version_info >= (3, 14)
    asyncio.run(main())
    kept[0].close()


def test_rules(tmp_path: Path) -> None:
    """What a rule covers may stay, as a call or as text."""
    with no_leaks(allow=[allow.path("*/kept.log", reason="rotates")]) as check:
        kept = (tmp_path / "kept.log").open("w")
    kept.close()
    assert [finding.allowed for finding in check.allowed] == ["rotates"]
    with no_leaks(allow=["file:*/kept.log  # rotates"]):
        kept = (tmp_path / "kept.log").open("w")
    kept.close()
    with pytest.raises(DescriptorLeak), no_leaks(allow=[allow.path("*/other.log", reason="not this one")]):
        kept = (tmp_path / "kept.log").open("w")
    kept.close()


@pytest.mark.parametrize("rule", ["socket", "socket:  # why", "sokcet:*  # why", "socket:*", "socket:*  #  "])
def test_a_rule_that_cannot_be_read(rule: str, pytestconfig: pytest.Config) -> None:
    """The error names the rule, and nothing has been entered."""
    with pytest.raises(RuleError) as caught:
        no_leaks(allow=[rule])
    assert repr(rule) in str(caught.value)
    assert not recording.active() or pytestconfig.getoption("fd_leaks", None) not in (None, "off")


def test_kinds() -> None:
    """Only the kinds that are asked for are looked at; a kind that does not exist is named."""
    with no_leaks(kinds=["socket"]):
        ends = os.pipe()
    for end in ends:
        os.close(end)
    with pytest.raises(RuleError, match="'pipes'"):
        no_leaks(kinds=["pipes"])


@pytest.fixture
def no_collection() -> Iterator[None]:
    """The garbage collector comes only when it is called."""
    gc.disable()
    yield
    gc.enable()


@pytest.mark.usefixtures("no_collection")
def test_garbage() -> None:
    """What only the garbage collector frees is a note, or an error on request."""

    def cycle() -> None:
        ring: list[object] = [socket.socket()]
        ring.append(ring)

    with pytest.warns(ResourceWarning, match="unclosed"), no_leaks(gc="note") as check:
        cycle()
    assert [note.verdict for note in check.notes] == ["collected"]
    with pytest.warns(ResourceWarning, match="unclosed"), pytest.raises(DescriptorLeak), no_leaks(gc="error"):
        cycle()


def test_a_thread_that_was_there_before() -> None:
    """What a thread opens that ran before the block is not the block's; what its own threads open is."""
    go, done = threading.Event(), threading.Event()
    kept: list[socket.socket] = []

    def work() -> None:
        go.wait()
        kept.append(socket.socket())
        done.set()

    older = threading.Thread(target=work)
    older.start()
    with no_leaks():
        go.set()
        done.wait()
    older.join()
    with pytest.raises(DescriptorLeak), no_leaks():
        own = threading.Thread(target=lambda: kept.append(socket.socket()))
        own.start()
        own.join()
    for sock in kept:
        sock.close()


def test_blocks_in_two_threads_at_once() -> None:
    """Two blocks that overlap in two threads each answer for their own."""
    barrier = threading.Barrier(2)
    kept: list[socket.socket] = []
    caught: list[str] = []

    def work(name: str, leak: bool) -> None:
        try:
            with no_leaks(grace=0):
                barrier.wait()
                if leak:
                    kept.append(socket.socket())
                barrier.wait()
        except DescriptorLeak:
            caught.append(name)
        barrier.wait()

    threads = [threading.Thread(target=work, args=(name, name == "leaking")) for name in ("leaking", "clean")]
    barrier_of_start = threading.Event()
    for thread in threads:
        thread.start()
    barrier_of_start.set()
    for thread in threads:
        thread.join()
    kept[0].close()
    assert caught == ["leaking"]


def test_inheritable() -> None:
    """What is left open says that it is inheritable; on request what a rule lets stay must not be."""
    rule = allow.kind("*", reason="kept on purpose")
    for wanted in (False, True):
        number = os.open(os.devnull, os.O_RDONLY)
        os.close(number)
        with contextlib.ExitStack() as stack:
            caught = stack.enter_context(pytest.raises(DescriptorLeak)) if wanted else None
            stack.enter_context(no_leaks(allow=[rule], inheritable=wanted))
            number = os.open(os.devnull, os.O_RDONLY)
            os.set_inheritable(number, True)
        os.close(number)
        if caught is not None:
            assert [finding.verdict for finding in caught.value.findings] == ["inheritable"]
            assert "set_inheritable(number, False)" in str(caught.value)


def test_the_table_knows_where(tmp_path: Path) -> None:
    """While somebody traces, `fdtable.describe` tells where a descriptor was opened."""
    with no_leaks(), (tmp_path / "here").open("w") as file:
        origin = describe(file).origin
    assert origin is not None
    assert origin.frames[0].file == __file__
    assert "here" in origin.frames[0].text


OPENING = """
import sys; sys.path.insert(0, sys.argv[1])
import samesock
from samesock.leaks import DescriptorLeak, no_leaks

kept = []
for opening in (
    lambda: samesock.socket(),
    lambda: samesock.create_server(("127.0.0.1", 0)),
):
    try:
        with no_leaks():
            kept.append(opening())
    except DescriptorLeak as leak:
        print(samesock.__file__, *leak.findings[0].stack[0][:2], sep="|")
"""


def test_own_frames_are_skipped_wherever_the_package_lies(tmp_path: Path) -> None:
    """A socket of samesock's is opened by the user's line, in a checkout and in a copy in any folder alike."""
    package = Path(samesock.__file__).parent
    shutil.copytree(package, tmp_path / "copy" / "samesock", ignore=shutil.ignore_patterns("__pycache__"))
    script = tmp_path / "opening.py"
    script.write_text(OPENING)
    for folder in (package.parent, tmp_path / "copy"):
        output = subprocess.run(
            [sys.executable, str(script), str(folder)],
            env=environment({}),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
            check=True,
            timeout=60,
        ).stdout
        rows = [line.split("|") for line in output.splitlines()]
        assert [(Path(file).name, line) for _, file, line in rows] == [(script.name, "8"), (script.name, "9")]
        assert {Path(where) for where, _, _ in rows} == {folder / "samesock" / "__init__.py"}


def test_a_block_is_entered_once() -> None:
    """A block cannot be entered again while it is; afterwards it can."""
    check = no_leaks()
    with check, pytest.raises(RuntimeError, match="already entered"):
        check.__enter__()
    with check:
        pass


def run_case(
    body: Callable[[unittest.TestCase], object], base: type = unittest.TestCase
) -> unittest.TestResult:
    """Run one test method with the mixin."""
    result = unittest.TestResult()
    made = type("Case", (LeakCheckMixin, base), {"test_it": body})
    made("test_it").run(result)
    return result


def test_mixin() -> None:
    """A unittest test that leaves a descriptor open fails; one that closes it in a cleanup passes."""
    kept: list[socket.socket] = []

    def leaks(self: unittest.TestCase) -> None:
        kept.append(socket.socket())

    def cleans(self: unittest.TestCase) -> None:
        self.addCleanup(socket.socket().close)

    assert run_case(cleans).wasSuccessful()
    result = run_case(leaks)
    kept[0].close()
    ((_, text),) = result.failures
    assert "kept.append(socket.socket())" in text


def test_mixin_leaves_failures_alone() -> None:
    """A test that failed is not failed again for what it left open, and a skipped one is not looked at."""
    kept: list[socket.socket] = []

    def fails(self: unittest.TestCase) -> None:
        kept.append(socket.socket())
        self.fail("its own")

    result = run_case(fails)
    kept[0].close()
    assert len(result.failures) == 1
    assert "its own" in result.failures[0][1]
    assert run_case(unittest.skip("not today")(fails)).wasSuccessful()


def test_mixin_with_asyncio() -> None:
    """With `IsolatedAsyncioTestCase` the case's own loop does not count, a socket left open does."""
    kept: list[socket.socket] = []

    async def clean(self: unittest.TestCase) -> None:
        await asyncio.sleep(0)

    async def leaks(self: unittest.TestCase) -> None:
        kept.append(socket.socket())

    assert run_case(clean, unittest.IsolatedAsyncioTestCase).wasSuccessful()
    result = run_case(leaks, unittest.IsolatedAsyncioTestCase)
    kept[0].close()
    assert len(result.failures) == 1, result.errors


def test_tracing_leaves_no_trace() -> None:
    """What tracing replaces is as before when the last block is left; what it replaces behaves the same meanwhile."""
    before = (os.pipe, os.dup, os.close, socket.socket.__init__, socket.socket.detach)
    with no_leaks():
        reading, writing = os.pipe()
        os.write(writing, b"x")
        assert os.read(reading, 1) == b"x"
        for number in (reading, writing):
            os.close(number)
        with pytest.raises(OSError):
            os.close(reading)
        socket.close(socket.socket().detach())
    assert (os.pipe, os.dup, os.close, socket.socket.__init__, socket.socket.detach) == before


def test_checking_opens_nothing() -> None:
    """A check, whatever it finds, leaves no descriptor of its own behind."""
    with pytest.raises(DescriptorLeak), no_leaks():  # the first may load libraries
        number = os.open(os.devnull, os.O_RDONLY)
    os.close(number)
    before = keys()
    with pytest.raises(DescriptorLeak), no_leaks():
        number = os.open(os.devnull, os.O_RDONLY)
    os.close(number)
    assert keys() == before


def test_a_pipe_that_is_being_read_does_not_block() -> None:
    """A leaked pipe on which another thread reads is described without waiting for the read (Windows could hang)."""
    ends: list[int] = []

    def read() -> None:
        os.read(ends[0], 1)

    with pytest.raises(DescriptorLeak), no_leaks():
        ends += os.pipe()
        reader = threading.Thread(target=read)
        reader.start()
    os.write(ends[1], b"x")
    reader.join()
    for end in ends:
        os.close(end)


def test_a_change_of_directory(tmp_path: Path) -> None:
    """Changing the working directory, which is a handle on Windows, is no leak; a file opened meanwhile is one."""
    before = Path.cwd()
    with no_leaks():
        os.chdir(tmp_path)
        os.chdir(before)
    try:
        with pytest.raises(DescriptorLeak) as caught, no_leaks():
            os.chdir(tmp_path)
            kept = (tmp_path / "kept").open("w")
        kept.close()
        assert [finding.kind for finding in caught.value.findings] == ["file"]
    finally:
        os.chdir(before)


def test_anyios_thread_is_known() -> None:
    """anyio's thread for loops without add_reader keeps what it opens when it is first needed, and is no finding."""
    pytest.importorskip("anyio._core._asyncio_selector_thread", reason="anyio before 4.7")
    code = """if True:
        from anyio._core import _asyncio_selector_thread as thread
        from samesock.leaks import no_leaks
        with no_leaks():
            thread.get_selector()
        print("content")
    """
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stdout.strip() == "content", done.stderr


def test_what_multiprocessing_keeps_to_share_sockets() -> None:
    """The listener of multiprocessing's resource sharer, with all its handles, is nobody's leak."""
    from multiprocessing import resource_sharer

    by_object = getattr(resource_sharer, "DupSocket", None)  # on Windows; by its number elsewhere
    with no_leaks():
        one, other = socket.socketpair()
        with one, other:
            if by_object is not None:
                by_object(one).detach().close()
            else:
                os.close(resource_sharer.DupFd(one.fileno()).detach())
    resource_sharer.stop(timeout=20)


@pytest.mark.parametrize(
    ("given", "place"),
    [(["-c"], "<string>:5 in <module>"), (["-"], "<stdin>:5 in <module>"), (["-i", "-q"], "in <module>")],
    ids=["string", "stdin", "console"],
)
def test_code_without_a_file_is_named_as_python_names_it(given: list[str], place: str) -> None:
    """What was typed, piped in or given by `-c` is blamed under Python's own name for it, never a library's line."""
    code = """import samesock
from samesock.leaks import no_leaks
check = no_leaks()
check.__enter__()
kept = samesock.create_server(("127.0.0.1", 0))
try: check.__exit__(None, None, None)
except AssertionError as failure: print(failure)

"""
    line = [sys.executable, *given, *([code] if given == ["-c"] else [])]
    done = subprocess.run(
        line,
        input="" if given == ["-c"] else code,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env=environment({}),
    )
    rows = [row.strip() for row in done.stdout.splitlines()]
    opened = next((row for row in rows if row.startswith("opened ")), done.stdout + done.stderr)
    assert place in opened
    assert opened.removeprefix("opened").strip().startswith("<")
