"""A process that is struck by Ctrl+C forty times while it waits and changes, and then looks whether all is told."""

from __future__ import annotations

import _thread
import os
import signal
import socket
import threading
import time
from typing import Any

from selectors_shared import POLLERS, READ, SOON, WRITE, told


def strike(gate: _thread.LockType) -> None:
    """Interrupt the main thread at forty moments, once it is ready for that."""
    gate.acquire()
    for number in range(40):
        time.sleep(0.003 + number % 7 * 0.0007)
        if hasattr(signal, "pthread_kill"):
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
        else:
            signal.raise_signal(signal.SIGINT)


def turn(selector: Any, one: socket.socket, other: socket.socket) -> None:
    """Change and wait, with data and without."""
    selector.modify(one, READ)
    selector.select(0.001)
    try:
        one.recv(100)
    except BlockingIOError:
        pass
    selector.select(0.001)
    other.send(b"!")
    selector.modify(one, READ | WRITE)
    selector.select(0.001)


def main(name: str) -> bool:
    """Whether both things are told in the end."""
    one, other = socket.socketpair()
    reader, writer = os.pipe()
    one.setblocking(False)
    with POLLERS[name]() as selector:
        selector.register(one, READ | WRITE)
        selector.register(reader, READ)
        gate = _thread.allocate_lock()
        gate.acquire()
        thread = threading.Thread(target=strike, args=(gate,))
        thread.start()
        alive = True
        while alive:
            try:
                if gate.locked():
                    gate.release()
                turn(selector, one, other)
                alive = thread.is_alive()
            except KeyboardInterrupt:
                continue
        time.sleep(0.3)  # for the last stroke's effects
        other.send(b"!")
        os.write(writer, b"!")
        selector.modify(one, READ | WRITE)
        deadline = time.monotonic() + SOON
        while time.monotonic() < deadline:
            if told(selector, 0.2) == {one: READ | WRITE, reader: READ}:
                return True
        print("only", told(selector))
        return False


if __name__ == "__main__":
    if all(main(name) for name in POLLERS):
        print("all told")
