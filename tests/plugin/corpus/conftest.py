"""Fixtures of the corpus: six of them leak ("leaks: WAY" stands on the line to be named), the others do not."""

from __future__ import annotations

import asyncio
import concurrent.futures
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from typing import Any

import dialing
import pytest

KEPT: list[Any] = []


@pytest.fixture(scope="module")
def server() -> Iterator[socket.socket]:
    """A listener that its fixture closes, unless a test already did."""
    listener = socket.create_server(("127.0.0.1", 0))
    yield listener
    try:
        listener.close()
    except OSError:
        pass


class Answering:
    """A server that answers in a thread of its own and keeps its connections until it is closed."""

    def __init__(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.accepted: list[socket.socket] = []
        self.thread = threading.Thread(target=self.answer, daemon=True)
        self.thread.start()

    def answer(self) -> None:
        while True:
            connection, _ = self.listener.accept()
            self.accepted.append(connection)
            if connection.recv(1) == b"q":
                return
            connection.sendall(b"!")

    def close(self) -> None:
        with socket.create_connection(self.listener.getsockname()) as last:
            last.sendall(b"q")
        self.thread.join()
        for connection in (*self.accepted, self.listener):
            connection.close()


@pytest.fixture(scope="module")
def answering() -> Iterator[tuple[str, int]]:
    """Only the address is handed out: nothing leads from it to the connections."""
    server = Answering()
    yield server.listener.getsockname()
    server.close()


@pytest.fixture(scope="module")
def pool(server: socket.socket) -> Iterator[dialing.Client]:
    """A client that connects when it is first used and stays connected for the module."""
    client = dialing.Client(server.getsockname())
    yield client
    client.close()


@pytest.fixture(scope="module")
def processes() -> Iterator[concurrent.futures.Executor]:
    """Processes that are started when the first test needs one."""
    with concurrent.futures.ProcessPoolExecutor(1) as executor:
        yield executor


@pytest.fixture(scope="module")
def leaking_listener() -> int:
    listener = socket.create_server(("127.0.0.1", 0))  # leaks: listener
    KEPT.append(listener)
    return listener.getsockname()[1]


@pytest.fixture(scope="module")
def leaking_log(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    path = tmp_path_factory.mktemp("log") / "service.log"
    KEPT.append(path.open("w"))  # leaks: file
    yield str(path)


@pytest.fixture(scope="module")
def leaking_pipe() -> tuple[int, int]:
    return os.pipe()  # leaks: pipe


@pytest.fixture(scope="module")
def leaking_loop() -> asyncio.AbstractEventLoop:
    loop = asyncio.new_event_loop()  # leaks: loop
    KEPT.append(loop)
    return loop


@pytest.fixture(scope="session")
def leaking_pair() -> Iterator[None]:
    KEPT.append(socket.socketpair())  # leaks: socketpair
    yield


@pytest.fixture(scope="session")
def leaking_helper() -> Iterator[None]:
    words = [sys.executable, "-c", "input()"]
    helper = subprocess.Popen(words, stdin=subprocess.PIPE)  # leaks: popen
    KEPT.append(helper)
    yield
