"""Things that hold a descriptor which no `open` or `socket` of the test's own made."""

from __future__ import annotations

import array
import asyncio
import contextlib
import ctypes
import glob
import gzip
import http.client
import http.server
import importlib
import logging
import mmap
import multiprocessing
import os
import pathlib
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
import zipfile
from collections.abc import AsyncIterator
from typing import Any

import pytest

from conftest import KEPT


def needs(name: str, module: str = "os") -> pytest.MarkDecorator:
    """Skip where a module has no such name."""
    try:
        there = hasattr(importlib.import_module(module), name)
    except ImportError:
        there = False
    return pytest.mark.skipif(not there, reason=f"feature absent: {module}.{name}")


def test_mmap(tmp_path: pathlib.Path) -> None:
    (tmp_path / "m").write_bytes(bytes(5000))
    with (tmp_path / "m").open("r+b") as file:
        KEPT.append(mmap.mmap(file.fileno(), 0))  # leaks: mmap


@needs("fwalk")
def test_scandir(tmp_path: pathlib.Path) -> None:
    for name in "ab":
        (tmp_path / name).touch()
    entries = os.scandir(tmp_path)  # leaks: scandir
    next(entries)
    KEPT.append(entries)


def test_glob_not_finished(tmp_path: pathlib.Path) -> None:
    for name in "ab":
        (tmp_path / name).touch()
    names = glob.iglob(str(tmp_path / "*"))
    next(names)
    KEPT.append(names)


@needs("fwalk")
def test_walk_not_finished(tmp_path: pathlib.Path) -> None:
    (tmp_path / "a").mkdir()
    walk = os.fwalk(tmp_path)
    next(walk)  # leaks: fwalk
    KEPT.append(walk)


def test_database(tmp_path: pathlib.Path) -> None:
    connection = sqlite3.connect(tmp_path / "db")  # leaks: database
    connection.execute("create table t (x)")
    KEPT.append(connection)


def test_database_closed(tmp_path: pathlib.Path) -> None:
    with contextlib.closing(sqlite3.connect(tmp_path / "db")) as connection:
        connection.execute("create table t (x)")


def test_named_temporary_file() -> None:
    KEPT.append(tempfile.NamedTemporaryFile())  # leaks: temporary


def test_spooled_file_that_grew() -> None:
    file = tempfile.SpooledTemporaryFile(max_size=10)
    KEPT.append(file)
    file.write(bytes(100))  # leaks: temporary


def test_output_of_a_process() -> None:
    child = subprocess.Popen([sys.executable, "-c", "print()"], stdout=subprocess.PIPE)  # leaks: popen
    child.wait()
    KEPT.append(child.stdout)


def test_suspended_generator(tmp_path: pathlib.Path) -> None:
    async def lines() -> AsyncIterator[str]:
        with open(tmp_path / "f", "w") as file:  # leaks: generator
            yield file.name

    generator = lines()
    with contextlib.suppress(StopIteration):
        generator.__anext__().send(None)
    KEPT.append(generator)


def test_generator_that_the_loop_ends(tmp_path: pathlib.Path) -> None:
    async def lines() -> AsyncIterator[str]:
        with open(tmp_path / "f", "w") as file:
            yield file.name

    async def main() -> None:
        async for _ in lines():
            break

    asyncio.run(main())


def test_file_of_a_closed_socket() -> None:
    near, far = socket.socketpair()  # leaks: makefile
    KEPT.append(near.makefile())
    near.close()
    far.close()


@needs("fcntl", "fcntl")
def test_duplicate_by_fcntl() -> None:
    import fcntl

    fcntl.fcntl(0, fcntl.F_DUPFD_CLOEXEC, 3)  # leaks: fcntl


@needs("SCM_RIGHTS", "socket")
def test_received() -> None:
    near, far = socket.socketpair()
    with near, far, open(os.devnull) as file:
        socket.send_fds(near, [b"x"], [file.fileno()])
        socket.recv_fds(far, 1, 1)  # leaks: received


@needs("SCM_RIGHTS", "socket")
def test_received_by_recvmsg() -> None:
    near, far = socket.socketpair()
    reading, writing = os.pipe()
    with near, far:
        socket.send_fds(near, [b"x"], [reading])
        far.recvmsg(1, socket.CMSG_LEN(array.array("i").itemsize))  # leaks: received
    os.close(reading)
    os.close(writing)


def test_compressed_file(tmp_path: pathlib.Path) -> None:
    KEPT.append(gzip.open(tmp_path / "z", "wb"))  # leaks: library


def test_archive(tmp_path: pathlib.Path) -> None:
    KEPT.append(zipfile.ZipFile(tmp_path / "z", "w"))  # leaks: library


def test_connection_of_multiprocessing() -> None:
    KEPT.append(multiprocessing.Pipe())  # leaks: library


def test_queue_of_multiprocessing() -> None:
    KEPT.append(multiprocessing.Queue())  # leaks: library


def test_log_handler(tmp_path: pathlib.Path) -> None:
    handler = logging.FileHandler(tmp_path / "log")  # leaks: library
    logging.getLogger("situations").addHandler(handler)


def test_http_client() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        connection = http.client.HTTPConnection(*server.getsockname())
        KEPT.append(connection)
        connection.connect()  # leaks: library


def test_server_shut_down_and_not_closed() -> None:
    handler = http.server.BaseHTTPRequestHandler
    server = http.server.HTTPServer(("127.0.0.1", 0), handler)  # leaks: library
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    server.shutdown()
    thread.join()
    KEPT.append(server)


@pytest.mark.skipif(
    hasattr(asyncio, "ProactorEventLoop"), reason="feature absent: a loop that forgets its servers"
)
def test_server_of_a_loop_that_ended() -> None:
    async def main() -> None:
        KEPT.append(await asyncio.start_server(lambda *_: None, "127.0.0.1", 0))  # leaks: library

    asyncio.run(main())


def test_thread_outlives() -> None:
    def later() -> None:
        time.sleep(0.6)
        KEPT.append(socket.socket())

    threading.Thread(target=later, daemon=True).start()


def test_runs_while_that_thread_opens() -> None:
    time.sleep(1.2)


def test_file_that_is_closed() -> None:
    with open(os.devnull):
        pass


@pytest.mark.skipif(os.name != "posix", reason="feature absent: a C library whose open() gives a descriptor")
def test_compiled_code_under_the_same_number() -> None:
    KEPT.append(ctypes.CDLL(None).open(os.fsencode(os.devnull), 0))  # leaks: compiled


@needs("forkpty")
def test_terminal_of_a_child() -> None:
    child, number = os.forkpty()  # leaks: terminal
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)
    KEPT.append(number)


def test_kept_by_an_exception(tmp_path: pathlib.Path) -> None:
    def fail() -> None:
        file = open(tmp_path / "e", "w")  # leaks: exception
        raise ValueError(file.name)

    try:
        fail()
    except ValueError as failure:
        KEPT.append(failure)


@needs("Subtests", "pytest")
def test_part_of_a_test(subtests: Any) -> None:
    with subtests.test("leaks"):
        KEPT.append(socket.socket())  # leaks: part
    with subtests.test("clean"):
        pass


def test_end() -> None:
    pass
