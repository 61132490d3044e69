"""Probes of waiting: what a selector takes, and what ends a call that blocks.

What must never be put here: a wait of more than a moment.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import selectors
import signal
import tempfile
import threading
import time
from collections.abc import Callable
from typing import Any

from samesock import _socket
from samesock._probes import SECONDS, Support, pipe, raise_shortage


def selector_classes() -> list[tuple[Support, type[selectors.BaseSelector]]]:
    """What can wait here, and the word for what only that one can: the standard library's, then ours."""
    found: list[tuple[Support, type[selectors.BaseSelector]]] = [
        ("native", selectors.DefaultSelector),
        ("native", selectors.SelectSelector),
    ]
    try:
        from samesock.selectors import DefaultSelector  # type: ignore[import-not-found,unused-ignore]
    except ImportError:
        return found
    return [*found, ("emulated", DefaultSelector)]


def _wait_word(thing: Any, make_ready: Callable[[], object] | None) -> Support:
    """The word for waiting until `thing` can be read: not at first, but once it was made ready."""
    for word, make in selector_classes():
        with make() as selector:
            try:
                selector.register(thing, selectors.EVENT_READ)
                early = selector.select(0)
                if make_ready is None:
                    if early:
                        return word
                    continue
                if early:
                    continue
                make_ready()
                if selector.select(SECONDS):
                    return word
            except (OSError, ValueError) as error:
                raise_shortage(error)
    return "absent"


def select_socket() -> Support:
    """A Unix socket, before and after a byte."""
    one, other = _socket.socketpair()
    with one, other:
        return _wait_word(one, lambda: other.send(b"!"))


def select_pipe() -> Support:
    """A pipe, before and after a byte."""
    with contextlib.ExitStack() as stack:
        reader, writer = pipe(stack)
        return _wait_word(reader, lambda: os.write(writer, b"!"))


def select_console() -> Support:
    """A new terminal, before and after a line was typed; else this process's console, with the keys that wait there.

    Nothing is typed into a console that somebody may be using, so there a selector is believed if it agrees with the
    console about whether a key waits. A process without one gets `absent`: there is nothing to wait for.
    """
    openpty = getattr(os, "openpty", None)
    if openpty is None:
        return _console_word()
    with contextlib.ExitStack() as stack:
        keyboard, terminal = openpty()
        stack.callback(os.close, keyboard)
        stack.callback(os.close, terminal)
        return _wait_word(terminal, lambda: os.write(keyboard, b"!\n"))


def _console_word() -> Support:
    try:
        msvcrt: Any = importlib.import_module("msvcrt")
    except ImportError:
        return "absent"
    with contextlib.ExitStack() as stack:
        console = os.open("CONIN$", os.O_RDWR)
        stack.callback(os.close, console)
        for word, make in selector_classes():
            with make() as selector:
                try:
                    selector.register(console, selectors.EVENT_READ)
                    ready = bool(selector.select(0))
                except (OSError, ValueError) as error:
                    raise_shortage(error)
                    continue
            if ready == msvcrt.kbhit():
                return word
    return "absent"


def select_file() -> Support:
    """A regular file."""
    with tempfile.TemporaryFile() as file:
        return _wait_word(file, None)


def interrupt() -> Support:
    """Whether signals reach a thread inside a system call, which is where `pthread_kill` exists; else whether a call
    that blocks in another thread can be cancelled, which is what Ctrl+C does here.

    A library that sends signals to the program it is in, only to see, would be a nuisance: here nothing is sent, and
    the doctor sends a real one to a process of its own.
    """
    if hasattr(signal, "pthread_kill"):
        return "native"
    one, other = _socket.socketpair()
    with one, other:
        ended: list[OSError] = []

        def block() -> None:
            try:
                one.recv(1)
            except OSError as error:
                ended.append(error)

        thread = threading.Thread(target=block, daemon=True)
        thread.start()
        end = time.monotonic() + SECONDS
        while thread.is_alive() and time.monotonic() < end:
            one.close(wake=True)
            thread.join(0.01)
        other.close()
        thread.join(SECONDS)
    return "emulated" if ended else "absent"


def wake() -> Support:
    """Whether `close` takes `wake`; what it then does is for two threads to show, which is the doctor's."""
    one, other = _socket.socketpair()
    with one, other:
        close: Any = one.close
        try:
            close(wake=True)
        except TypeError:
            return "absent"
        return "emulated"
