"""Trials of waiting: a selector for each kind of thing, a real signal, and a close from another thread.

What must never be put here: what a feature is worth; only whether it is there.
"""

from __future__ import annotations

import contextlib
import functools
import os
import selectors
import signal
import threading
import time
from collections.abc import Callable
from typing import Any

import samesock
from samesock import AF_INET, AF_UNIX, SOCK_STREAM
from samesock._probes import Support
from samesock._probes import waiting as probes
from samesock._trials import Absent, Bench, Shown, equal
from samesock._trials.child import Wire
from samesock._trials.unix import families, name_of

_PAUSE = 0.05
"""Seconds between what makes a thing ready and what comes before it."""


def _waited(bench: Bench, things: list[Any], make_ready: Callable[[], object]) -> tuple[Support, str]:
    """Wait until all of them are ready: none at first, all after `make_ready`. The word, and the selector's name."""
    reason = ""
    for word, make in probes.selector_classes():
        with make() as selector:
            try:
                for thing in things:
                    selector.register(thing, selectors.EVENT_READ)
                early = selector.select(_PAUSE)
            except (OSError, ValueError) as error:
                reason = f"{make.__name__} refuses it: {error}"
                continue
            if early:
                reason = f"{make.__name__} calls it ready before it is"
                continue
            make_ready()
            end = time.monotonic() + bench.seconds
            ready: set[Any] = set()
            while len(ready) < len(things) and time.monotonic() < end:
                ready.update(key.fd for key, _ in selector.select(bench.seconds))
            equal(len(ready), len(things), "how many became ready")
            return word, make.__name__
    raise Absent(reason)


def _bound(bench: Bench, family: int, name: str) -> samesock.socket:
    """A listener of that family, in the bench's folder if it is AF_UNIX."""
    listener = samesock.socket(family, SOCK_STREAM)
    listener.settimeout(bench.seconds)
    listener.bind(bench.path(name) if family == AF_UNIX else ("127.0.0.1", 0))
    listener.listen(1)
    return listener


def select_socket(bench: Bench) -> Shown:
    """Listeners that a child connects to, then the connections that it sends over."""
    with contextlib.ExitStack() as stack:
        listeners = [stack.enter_context(_bound(bench, family, "wait")) for family in families()]
        child = bench.child(connect_and_send, addresses=[listener.getsockname() for listener in listeners])
        word, name = _waited(bench, listeners, lambda: child.tell(connect=True))
        accepted = [stack.enter_context(listener.accept()[0]) for listener in listeners]
        _waited(bench, accepted, lambda: child.tell(send=True))
        for sock in accepted:
            equal(sock.recv(9), b"!", "what came")
    return Shown(
        word,
        f"{name} woke when a child connected, and when it sent, over {' and '.join(map(name_of, families()))}",
    )


def connect_and_send(wire: Wire, addresses: list[Any]) -> None:
    """Connect to each, when told; send to each, when told."""
    with contextlib.ExitStack() as stack:
        wire.told()
        socks = []
        for address in addresses:
            sock = stack.enter_context(
                samesock.socket(AF_UNIX if isinstance(address, str) else AF_INET, SOCK_STREAM)
            )
            sock.settimeout(wire.seconds)
            sock.connect(address if isinstance(address, str) else tuple(address))
            socks.append(sock)
        wire.told()
        for sock in socks:
            sock.sendall(b"!")
        wire.told()


def select_pipe(bench: Bench) -> Shown:
    """The pipe that a child's answers come through."""
    child = bench.child(answer_once)
    word, name = _waited(bench, [child], lambda: child.tell(ask=True))
    equal(child.told(), {"answer": True}, "the answer")
    return Shown(word, f"{name} woke when a child wrote into its pipe, and not before")


def answer_once(wire: Wire) -> None:
    """Answer when asked."""
    wire.told()
    wire.tell(answer=True)
    wire.told()


def select_console(bench: Bench) -> Shown:
    """A terminal at whose keyboard a child sits."""
    openpty = getattr(os, "openpty", None)
    if openpty is None:
        raise Absent("this release waits for no console; this system has none of POSIX's terminals")
    with contextlib.ExitStack() as stack:
        keyboard, terminal = openpty()
        stack.callback(os.close, keyboard)
        stack.callback(os.close, terminal)
        child = bench.child(type_line, popen={"pass_fds": [keyboard]}, number=keyboard)
        word, name = _waited(bench, [terminal], lambda: child.tell(type=True))
        equal(os.read(terminal, 100), b"hello\n", "the line")
    return Shown(word, f"{name} woke when a child typed a line into a terminal, and not before")


def type_line(wire: Wire, number: int) -> None:
    """Type a line when told."""
    wire.told()
    os.write(number, b"hello\n")
    wire.told()


def select_file(bench: Bench) -> Shown:
    """A file that a child has written."""
    path = bench.path("file")
    bench.child(write_file, path=path).told()
    reason = ""
    with open(path, "rb") as file:
        for word, make in probes.selector_classes():
            with make() as selector:
                try:
                    selector.register(file, selectors.EVENT_READ)
                    ready = selector.select(bench.seconds)
                except (OSError, ValueError) as error:
                    reason = f"{make.__name__} refuses it: {error}"
                    continue
            equal(len(ready), 1, "how many are ready")
            equal(file.read(), b"written", "the file")
            return Shown(word, f"{make.__name__} calls a file that a child wrote ready at once")
    raise Absent(reason)


def write_file(wire: Wire, path: str) -> None:
    """Make a file."""
    with open(path, "wb") as file:
        file.write(b"written")
    wire.tell(written=True)


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
    answer = bench.child(be_woken).told()
    if not answer["woken"]:
        raise RuntimeError(
            "a recv that blocked in a child was not ended by close(wake=True) in another thread"
        )
    return Shown(
        "native",
        f"close(wake=True) ended a recv in another thread of a child after {answer['seconds']:.3f} s",
    )


def be_woken(wire: Wire) -> None:
    """Block in a thread and close in this one."""
    one, other = samesock.socketpair()
    with other:

        def block() -> None:
            with contextlib.suppress(OSError):
                one.recv(1)

        thread = threading.Thread(target=block, daemon=True)
        thread.start()
        time.sleep(0.2)
        begun = time.monotonic()
        close: Any = one.close
        close(wake=True)
        thread.join(5)
        wire.tell(woken=not thread.is_alive(), seconds=time.monotonic() - begun)
