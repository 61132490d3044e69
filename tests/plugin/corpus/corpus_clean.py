"""Clean tests, most of which open something that stays: for a library, for a fixture, or for a moment."""

from __future__ import annotations

import concurrent.futures
import multiprocessing
import os
import pathlib
import socket
import ssl
import threading
import time
from multiprocessing import shared_memory

import dialing
import pytest


def test_pool_opens_its_connection(pool: dialing.Client) -> None:
    pool.dial()


def test_pool_uses_it(pool: dialing.Client) -> None:
    assert len(pool.connections) == 1


def test_server_thread_keeps_its_end(answering: tuple[str, int]) -> None:
    with socket.create_connection(answering) as client:
        client.sendall(b"?")
        assert client.recv(1) == b"!"


def test_process_pool(processes: concurrent.futures.Executor) -> None:
    assert processes.submit(os.getpid).result() != os.getpid()


def test_shared_memory_starts_a_tracker() -> None:
    memory = shared_memory.SharedMemory(create=True, size=16)
    memory.close()
    memory.unlink()


def test_shared_value_uses_the_heap() -> None:
    assert multiprocessing.get_context("spawn").Value("i", 3).value == 3


def test_closed_late() -> None:
    sock = socket.socket()
    threading.Timer(0.01, sock.close).start()


def test_captured_descriptors(capfd: pytest.CaptureFixture[str]) -> None:
    os.write(1, b"seen")
    assert capfd.readouterr().out == "seen"


def test_names_and_certificates() -> None:
    socket.getaddrinfo("127.0.0.1", 80)
    ssl.create_default_context()
    time.localtime()


def test_expected_failure_holds_its_frame(tmp_path: pathlib.Path) -> None:
    with pytest.raises(IsADirectoryError if os.name == "posix" else PermissionError), socket.socket():
        open(tmp_path)


def test_uses_leaking_fixtures(
    leaking_listener: int, leaking_log: str, leaking_pipe: object, leaking_loop: object
) -> None:
    assert leaking_listener and leaking_log and leaking_pipe and leaking_loop


def test_uses_leaking_session_fixtures(leaking_pair: None, leaking_helper: None) -> None:
    pass
