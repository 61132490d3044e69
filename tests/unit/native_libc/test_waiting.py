"""Calls of native ends that wait: time-outs, full queues, other threads, signals."""

from __future__ import annotations

import errno
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from unit.native_libc.both import Compare, Native, needs_unix, outcome

pytestmark = needs_unix


def test_nothing_to_accept(compare: Compare) -> None:
    """accept of nothing is BlockingIOError without blocking, TimeoutError after a timeout."""

    def scenario(make: Any) -> Iterator[Any]:
        with make() as listener:
            listener.bind("s")
            listener.listen(1)
            listener.settimeout(0.0)
            yield outcome(listener.accept)
            listener.settimeout(0.05)
            start = time.monotonic()
            yield outcome(listener.accept)
            assert time.monotonic() - start >= 0.045

    assert compare(scenario) == [(BlockingIOError, errno.EAGAIN), (TimeoutError, None)]


def test_timed_out_says_so(socket_dir: Path) -> None:
    """The TimeoutError has the standard library's words."""
    with Native() as listener:
        listener.bind(str(socket_dir / "s"))
        listener.listen(1)
        listener.settimeout(0.01)
        with pytest.raises(TimeoutError, match=r"^timed out$"):
            listener.accept()


def test_full_queue(compare: Compare) -> None:
    """connect to a full queue fails at once, also with a timeout, and works when there is room."""

    def scenario(make: Any) -> Iterator[Any]:
        with make() as listener, make() as late:
            listener.bind("s")
            listener.listen(0)
            early = []
            late.settimeout(0.0)
            while True:
                client = make()
                early.append(client)
                client.settimeout(0.0)
                last = outcome(lambda client=client: client.connect("s"))
                if last is not None:
                    break
            yield len(early), last
            late.settimeout(0.05)
            yield outcome(lambda: late.connect("s"))
            listener.accept()[0].close()
            yield outcome(lambda: late.connect("s"))
            for client in early:
                client.close()

    compare(scenario)


def test_non_blocking_connect(compare: Compare) -> None:
    """A non-blocking connect is done when it returns."""

    def scenario(make: Any) -> Iterator[Any]:
        with make() as listener, make() as client:
            listener.bind("s")
            listener.listen(1)
            client.settimeout(0.0)
            yield outcome(lambda: client.connect("s"))
            yield client.getpeername()

    assert compare(scenario) == [None, "s"]


def test_blocking_calls_leave_others_running(socket_dir: Path) -> None:
    """While one thread blocks in accept, the rest of the program runs."""
    path = str(socket_dir / "s")
    names: list[str | bytes] = []

    def serve() -> None:
        server, name = listener.accept()
        server.close()
        names.append(name)

    with Native() as listener, Native() as client:
        listener.bind(path)
        listener.listen(1)
        thread = threading.Thread(target=serve)
        thread.start()
        time.sleep(0.05)
        client.connect(path)
        thread.join(10)
    assert names == [""]


def test_connect_blocks_while_the_queue_is_full(socket_dir: Path) -> None:
    """A blocking connect to a full queue waits until somebody is accepted, where the kernel's does."""
    path = str(socket_dir / "s")
    with Native() as listener, Native() as first, Native() as probe, Native() as late:
        listener.bind(path)
        listener.listen(0)
        first.connect(path)
        probe.settimeout(0.0)
        if outcome(lambda: probe.connect(path)) != (BlockingIOError, errno.EAGAIN):
            pytest.skip("unix-stream: this kernel does not wait for a full queue")

        def accept() -> None:
            listener.accept()[0].close()

        accepted = threading.Timer(0.1, accept)
        accepted.start()
        start = time.monotonic()
        late.connect(path)
        assert time.monotonic() - start > 0.05
        accepted.join(10)


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="interrupt: no interval timer to interrupt with")
def test_interrupted(socket_dir: Path) -> None:
    """A signal does not make a blocking accept fail; its handler runs, and may end the call by raising."""
    path = str(socket_dir / "s")
    seen: list[str] = []

    def quiet(*signal: object) -> None:
        seen.append("quiet")

    def loud(*signal: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, quiet)
    try:
        with Native() as listener, Native() as client:
            listener.bind(path)
            listener.listen(1)
            signal.setitimer(signal.ITIMER_REAL, 0.02, 0.02)

            def connect() -> None:
                time.sleep(0.2)
                signal.setitimer(signal.ITIMER_REAL, 0)
                client.connect(path)

            thread = threading.Thread(target=connect)
            thread.start()
            listener.accept()[0].close()
            thread.join(10)
            assert len(seen) > 1
            signal.signal(signal.SIGALRM, loud)
            signal.setitimer(signal.ITIMER_REAL, 0.02)
            with pytest.raises(KeyboardInterrupt):
                listener.accept()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
