"""Processes, loops, selectors, terminals, and what is done to others' descriptors."""

from __future__ import annotations

import asyncio
import os
import selectors
import socket
import subprocess
import sys
import time

import pytest

from conftest import KEPT

HAS_OWN_DESCRIPTOR = hasattr(selectors.DefaultSelector, "fileno")
needs_selector = pytest.mark.skipif(
    not HAS_OWN_DESCRIPTOR, reason="feature absent: a selector with a descriptor"
)
needs_terminal = pytest.mark.skipif(not hasattr(os, "openpty"), reason="feature absent: pseudo-terminals")
CHILDREN_SEEN = hasattr(os, "fork") and os.path.isdir("/proc/self/fd")
needs_proc = pytest.mark.skipif(not CHILDREN_SEEN, reason="feature absent: a child's descriptors by identity")
WAITING = [sys.executable, "-c", "input()"]


def test_process_with_pipes() -> None:
    child = subprocess.Popen(WAITING, stdin=subprocess.PIPE, stdout=subprocess.PIPE)  # leaks: popen
    KEPT.append(child)


def test_ended_process_with_a_pipe() -> None:
    child = subprocess.Popen([sys.executable, "-c", ""], stdout=subprocess.PIPE)  # leaks: popen
    child.wait()
    KEPT.append(child)


def test_communicated() -> None:
    with subprocess.Popen(WAITING, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        child.communicate(b"\n")


def test_loop() -> None:
    KEPT.append(asyncio.new_event_loop())  # leaks: loop


def test_loop_that_ran() -> None:
    loop = asyncio.new_event_loop()  # leaks: loop
    loop.run_until_complete(asyncio.sleep(0))
    KEPT.append(loop)


def test_asyncio_run() -> None:
    asyncio.run(asyncio.sleep(0))


@needs_selector
def test_selector() -> None:
    KEPT.append(selectors.DefaultSelector())  # leaks: selector


@needs_selector
def test_used_selector() -> None:
    selector = selectors.DefaultSelector()  # leaks: selector
    with socket.socket() as sock:
        selector.register(sock, selectors.EVENT_READ)
        selector.unregister(sock)
    KEPT.append(selector)


@needs_terminal
def test_terminal() -> None:
    KEPT.append(os.openpty())  # leaks: terminal


STANDING = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
"""Opened while the corpus is imported and kept: no test's."""
STANDING_FILE = open(__file__, "rb")
OTHER_FILE = open(os.devnull, "rb")


def test_replaced() -> None:
    os.dup2(OTHER_FILE.fileno(), STANDING_FILE.fileno(), inheritable=False)  # leaks: replaced


def test_after_the_replacement() -> None:
    assert STANDING_FILE.fileno() > 2


def test_closes_what_is_not_its_own(server: socket.socket) -> None:
    socket.close(server.fileno())  # leaks: closed-foreign


def test_after_the_theft() -> None:
    with socket.socket() as sock:
        assert sock.fileno() > 0


@needs_proc
def test_child_keeps_the_port() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:  # leaks: in-child
        number = listener.fileno()
        words, nowhere = [sys.executable, "-c", "import time; time.sleep(5)"], subprocess.DEVNULL
        child = subprocess.Popen(words, pass_fds=[number], stdin=nowhere, stdout=nowhere, stderr=nowhere)
        KEPT.append(child)
        time.sleep(0.05)
