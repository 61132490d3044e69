"""Trials of what ends a call that blocks: a real signal, and a close from another thread.

What must never be put here: waiting that nobody cuts short (that is `waiting`).
"""

from __future__ import annotations

import contextlib
import functools
import os
import signal
import threading
import time
from collections.abc import Callable
from typing import Any

import samesock
from samesock import AF_UNIX, SOCK_STREAM
from samesock._probes import Support
from samesock._probes import waiting as probes
from samesock._trials import Absent, Bench, Shown, equal
from samesock._trials.child import Wire
from samesock._trials.unix import families, name_of

_SIGNAL_PAUSE = 0.2
"""Seconds that a child has to get from saying that it will block to blocking."""


class _Interrupted(Exception):
    """What the signal's handler raises."""


def _interrupt(*_: object) -> None:
    raise _Interrupted


def interrupt(bench: Bench) -> Shown:
    """A signal to a child whose main thread is blocked."""
    can_send = hasattr(signal, "pthread_kill")
    child = bench.child(
        be_interrupted, path=bench.path("interrupt"), patience=10 if can_send else 2, myself=not can_send
    )
    worst = 0.0
    calls = [*(f"accept over {name_of(family)}" for family in families()), "recv"]
    for call in calls:
        equal(child.told(), {"blocks_in": call}, "the child's next call")
        if can_send:
            time.sleep(_SIGNAL_PAUSE)
            os.kill(child.pid, signal.SIGINT)
        answer = child.told()
        if not answer["interrupted"]:
            raise Absent(f"{call} waited on through the signal until something came")
        worst = max(worst, answer["seconds"])
        child.tell(next=True)
    word: Support = "native" if can_send else "emulated"
    return Shown(
        word,
        f"SIGINT ended {', '.join(calls)}, in which a child was blocked; the slowest took {worst:.3f} s",
    )


def be_interrupted(wire: Wire, path: str, patience: float, myself: bool) -> None:
    """Block in accept, then in recv; what comes first, a signal or, after `patience` seconds, something to take?"""
    signal.signal(signal.SIGINT, _interrupt)
    for family in families():
        with samesock.socket(family, SOCK_STREAM) as listener, samesock.socket(family, SOCK_STREAM) as client:
            listener.bind(path if family == AF_UNIX else ("127.0.0.1", 0))
            listener.listen(1)
            connect = functools.partial(client.connect, listener.getsockname())
            _block(
                wire,
                f"accept over {name_of(family)}",
                listener.accept,
                connect,
                patience=patience,
                myself=myself,
            )
            wire.told()
    one, other = samesock.socketpair()
    with one, other:
        _block(wire, "recv", lambda: one.recv(1), lambda: other.send(b"!"), patience=patience, myself=myself)
        wire.told()


def _block(
    wire: Wire,
    name: str,
    call: Callable[[], Any],
    relieve: Callable[[], object],
    *,
    patience: float,
    myself: bool,
) -> None:
    """Call what blocks, and tell whether a signal ended it before `relieve` did."""
    relieved = threading.Event()
    over = threading.Event()

    def relief() -> None:
        if myself:
            over.wait(_SIGNAL_PAUSE)
            signal.raise_signal(signal.SIGINT)
        if not over.wait(patience):
            relieved.set()
            relieve()

    helper = threading.Thread(target=relief, daemon=True)
    begun = time.monotonic()
    try:
        helper.start()
        wire.tell(blocks_in=name)
        result = call()
        while not relieved.wait(0.01):
            pass
        if isinstance(result, tuple):
            result[0].close()
    except _Interrupted:
        pass
    seconds = time.monotonic() - begun
    interrupted = not relieved.is_set()
    over.set()
    helper.join()
    wire.tell(interrupted=interrupted, seconds=max(0.0, seconds - _SIGNAL_PAUSE))


def wake(bench: Bench) -> Shown:
    """A call that blocks in one thread of a child, and a close in another."""
    if probes.wake() == "absent":
        raise Absent("close() takes no wake in this release")
    child = bench.child(be_woken, path=bench.path("wake"))
    calls = [*(f"accept over {name_of(family)}" for family in families()), "recv"]
    slowest = 0.0
    for call in calls:
        answer = child.told()
        equal(answer["call"], call, "the child's next call")
        if not answer["woken"]:
            raise RuntimeError(
                f"{call}, which blocked in a child, was not ended by close(wake=True) in another thread"
            )
        slowest = max(slowest, answer["seconds"])
    return Shown(
        "emulated",
        f"close(wake=True) in another thread of a child ended {', '.join(calls)}; the slowest took {slowest:.3f} s",
    )


def be_woken(wire: Wire, path: str) -> None:
    """Block in a thread and close in this one: in accept, then in recv."""
    for family in families():
        with samesock.socket(family, SOCK_STREAM) as listener:
            listener.bind(path if family == AF_UNIX else ("127.0.0.1", 0))
            listener.listen(1)
            _wake(wire, f"accept over {name_of(family)}", listener, listener.accept)
    one, other = samesock.socketpair()
    with one, other:
        _wake(wire, "recv", one, lambda: one.recv(1))


def _wake(wire: Wire, name: str, sock: samesock.socket, call: Callable[[], object]) -> None:
    def block() -> None:
        with contextlib.suppress(OSError):
            call()

    thread = threading.Thread(target=block, daemon=True)
    thread.start()
    time.sleep(_SIGNAL_PAUSE)
    begun = time.monotonic()
    close: Any = sock.close
    close(wake=True)
    thread.join(5)
    wire.tell(call=name, woken=not thread.is_alive(), seconds=time.monotonic() - begun)
