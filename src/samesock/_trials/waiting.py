"""Trials of waiting: a selector for each kind of thing.

What must never be put here: what a feature is worth; only whether it is there.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import selectors
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
    """A terminal, or this process's console, at whose keyboard a child sits."""
    openpty = getattr(os, "openpty", None)
    if openpty is None:
        return _select_own_console(bench)
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


def _select_own_console(bench: Bench) -> Shown:
    try:
        msvcrt: Any = importlib.import_module("msvcrt")
        console = os.open("CONIN$", os.O_RDWR)
    except (ImportError, OSError) as error:
        raise Absent(f"this process has no console to wait for: {error}") from error
    try:
        child = bench.child(type_key)
        word, name = _waited(bench, [console], lambda: child.tell(type=True))
        equal(msvcrt.getwch(), _KEY, "the key")
    finally:
        os.close(console)
    return Shown(word, f"{name} woke when a child typed a key into the console, and not before")


_KEY = "h"


def type_key(wire: Wire) -> None:
    """Type a key into the console that this process shares with the doctor, when told."""
    import ctypes

    from samesock.ffi.kernel32_waits import INPUT_RECORD, KEY_EVENT, kernel32_waits

    msvcrt: Any = importlib.import_module("msvcrt")
    wire.told()
    console = os.open("CONIN$", os.O_RDWR)
    records = (INPUT_RECORD * 2)()
    for record, down in zip(records, (1, 0), strict=True):
        record.EventType = KEY_EVENT
        record.KeyEvent.bKeyDown = down
        record.KeyEvent.wRepeatCount = 1
        record.KeyEvent.wVirtualKeyCode = ord(_KEY.upper())
        record.KeyEvent.UnicodeChar = ord(_KEY)
    written = ctypes.c_uint32()
    handle = msvcrt.get_osfhandle(console)
    if not kernel32_waits.WriteConsoleInputW(handle, ctypes.byref(records), 2, ctypes.byref(written)):
        raise RuntimeError(f"typing into the console: error {kernel32_waits.GetLastError()}")
    os.close(console)
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
