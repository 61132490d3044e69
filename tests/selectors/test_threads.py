"""A selector and several threads, signals in the middle of a wait, and Ctrl+C."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from selectors_shared import NOT_YET, READ, SOON, WRITE, becomes, later, told

import samesock


def test_register_during_a_wait(selector: Any, pair: Any, pipe: Any) -> None:
    """What another thread registers is told by a wait that has begun: a socket, and a pipe."""
    pair[1].send(b"!")
    with later(lambda: selector.register(pair[0], READ)):
        assert told(selector, SOON) == {pair[0]: READ}
    selector.unregister(pair[0])
    pipe[1].write(b"!")
    with later(lambda: selector.register(pipe[0], READ)):
        assert told(selector, SOON) == {pipe[0]: READ}


def test_modify_during_a_wait(selector: Any, pair: Any) -> None:
    """modify() in another thread is obeyed by a wait that has begun: more events are told at once."""
    selector.register(pair[0], READ)
    with later(lambda: selector.modify(pair[0], READ | WRITE)):
        assert told(selector, SOON) == {pair[0]: WRITE}


def test_modify_during_a_wait_takes_events_away(selector: Any, pair: Any) -> None:
    """An event that another thread takes away during a wait does not end it."""
    selector.register(pair[0], READ)

    def act() -> None:
        selector.modify(pair[0], WRITE)
        selector.modify(pair[0], READ)
        pair[1].send(b"!")
        time.sleep(0.05)

    with later(act):
        seen = told(selector, SOON)
        while seen in ({pair[0]: WRITE}, {}):  # it may have been writable in between
            seen = told(selector, SOON)
        assert seen == {pair[0]: READ}


def test_unregister_during_a_wait(selector: Any, pair: Any, pipe: Any) -> None:
    """What another thread unregisters during a wait is not told by it, and can be closed at once."""
    selector.register(pair[0], READ)
    selector.register(pipe[0], READ)

    def act() -> None:
        selector.unregister(pair[0])
        pair[1].send(b"!")
        selector.unregister(pipe[0])
        pipe[0].close()

    with later(act):
        assert told(selector, 0.6) == {}


def test_a_socket_closed_during_a_wait(selector: Any, pair: Any) -> None:
    """A socket that another thread closes during a wait is silent from then on, and the wait goes on."""
    one, other = socket.socketpair()
    with other:
        selector.register(one, READ)
        selector.register(pair[0], READ)

        def act() -> None:
            one.close()
            time.sleep(0.2)
            pair[1].send(b"!")

        with later(act):
            deadline = time.monotonic() + SOON
            seen: dict[Any, int] = {}
            while not seen and time.monotonic() < deadline:
                seen = told(selector, SOON)
            assert seen == {pair[0]: READ}
        selector.unregister(one)


def test_a_registered_socket_in_another_thread(selector: Any, pair: Any) -> None:
    """A thread may register a socket and end, and another use it: the wait tells as before."""
    thread = threading.Thread(target=lambda: selector.register(pair[0], READ))
    thread.start()
    thread.join()
    assert told(selector) == {}
    wait = threading.Thread(target=lambda: selector.select(0.05))  # asks the system in its own name, and ends
    wait.start()
    wait.join()
    with later(lambda: pair[1].send(b"!")):
        assert told(selector, SOON) == {pair[0]: READ}


def test_two_threads_wait(selector: Any, pair: Any, pipe: Any) -> None:
    """Two threads may wait with one selector: what is so ends both waits, or one after the other."""
    selector.register(pair[0], READ)
    selector.register(pipe[0], READ)
    results: list[Any] = []
    threads = [threading.Thread(target=lambda: results.append(told(selector, SOON))) for _ in range(2)]
    for thread in threads:
        thread.start()
    time.sleep(NOT_YET)
    pair[1].send(b"!")
    for thread in threads:
        thread.join(2 * SOON)
    assert results == [{pair[0]: READ}] * 2


def test_close_after_waits_in_other_threads(selector: Any, pair: Any, pipe: Any) -> None:
    """A selector that other threads have waited with can be closed as any other."""
    selector.register(pair[0], READ)
    selector.register(pipe[0], READ)
    with later(lambda: None), later(lambda: selector.select(0.1), 0):
        told(selector, 0.3)
    selector.close()
    pipe[1].write(b"!")
    assert pipe[0].read(1) == b"!"


def _interrupt() -> None:
    signal.raise_signal(signal.SIGINT)


@pytest.fixture
def interruptible() -> Any:
    """Ctrl+C raises KeyboardInterrupt, as a program's start sets it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
@pytest.mark.parametrize("timeout", [None, 30.0])
def test_ctrl_c(selector: Any, pair: Any, pipe: Any, timeout: float | None) -> None:
    """Ctrl+C ends a wait in the main thread with KeyboardInterrupt before long, and the selector works as before."""
    selector.register(pair[0], READ)
    selector.register(pipe[0], READ)
    begun = time.monotonic()
    with pytest.raises(KeyboardInterrupt), later(_wake_main):
        selector.select(timeout)
    assert time.monotonic() - begun < SOON
    pair[1].send(b"!")
    pipe[1].write(b"!")
    assert becomes(selector, {pair[0]: READ, pipe[0]: READ})


def _wake_main() -> None:
    # Sent to the thread that waits where threads can be sent signals, as a terminal's Ctrl+C is.
    if hasattr(signal, "pthread_kill"):
        signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)  # type: ignore[arg-type]
    else:
        _interrupt()


def test_ctrl_c_at_any_moment() -> None:
    """Wherever Ctrl+C strikes, whatever is ready is told afterwards: nothing is lost."""
    # In a process of its own: what else Python runs in between, pytest's hooks among it, is not made for this.
    folder = Path(samesock.__file__).parents[1]
    done = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("struck.py"))],
        env={**os.environ, "PYTHONPATH": str(folder)},
        stdout=subprocess.PIPE,
        text=True,
        timeout=50,
        check=False,
    )
    assert done.stdout.split() == ["all", "told"]


def test_register_a_file_during_a_wait(selector: Any, pair: Any) -> None:
    """A file that another thread registers ends a wait that has begun, and none once it is unregistered."""
    selector.register(pair[0], READ)
    with tempfile.TemporaryFile() as file:
        with later(lambda: selector.register(file, READ)):
            assert told(selector, SOON) == {file: READ}
        selector.unregister(file)
        assert told(selector, NOT_YET) == {}
