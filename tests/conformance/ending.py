"""What checks of calls that are ended have in common: calls that block, a thread to block in, and Ctrl+C."""

from __future__ import annotations

import contextlib
import signal
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

SECONDS = 20
"""How long anything may take on a machine that is busy with something else."""

_PRESS_AGAIN = 5.0

MUCH = b"x" * (64 << 20)
"""More than any buffer takes while nobody reads."""


def press_ctrl_c() -> None:
    """Ctrl+C as a program sees it. Where signals go to a thread it is the main one's; Windows has one event for all."""
    kill = getattr(signal, "pthread_kill", None)
    if kill is None:
        signal.raise_signal(signal.SIGINT)
    else:
        kill(threading.main_thread().ident, signal.SIGINT)


@contextlib.contextmanager
def pressed_after(
    seconds: float, action: Callable[[], object] = press_ctrl_c, *, until_heard: bool = False
) -> Iterator[list[float]]:
    """Do it from another thread after that time; the list then holds the moment.

    POSIX's C looks for signals before its call of the system: one that comes in between ends nothing. `until_heard`
    is for a call that Ctrl+C ends: there it is pressed again after a while, and the list has that moment, too.
    """
    moments: list[float] = []
    done = threading.Event()
    again = until_heard and hasattr(signal, "pthread_kill")

    def run() -> None:
        time.sleep(seconds)
        moments.append(time.monotonic())
        action()
        while again and not done.wait(_PRESS_AGAIN):
            moments.append(time.monotonic())
            action()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield moments
    finally:
        done.set()
        thread.join(SECONDS)


@contextlib.contextmanager
def handler(function: Any) -> Iterator[None]:
    """Another handler of SIGINT, for a while."""
    before = signal.signal(signal.SIGINT, function)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


class Blocked:
    """A call in a thread of its own, and what came of it."""

    def __init__(self, call: Callable[[], object]) -> None:
        self.result: object = None
        self.error: OSError | None = None
        self._call = call
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()
        time.sleep(0.15)
        assert self.thread.is_alive(), f"it does not block: {self.result!r}, {self.error!r}"

    def _run(self) -> None:
        try:
            self.result = self._call()
        except OSError as error:
            self.error = error

    def join(self) -> Blocked:
        """Wait until it is over."""
        self.thread.join(SECONDS)
        assert not self.thread.is_alive(), "it still blocks"
        return self


class Net:
    """Sockets of one implementation, all closed at the end."""

    def __init__(self, net: Any, folder: Any) -> None:
        self.net = net
        self.folder = folder
        self.stack = contextlib.ExitStack()

    def keep(self, sock: Any) -> Any:
        """Close it at the end."""
        return self.stack.enter_context(sock)

    def listener(self, family: str = "tcp", backlog: int = 8) -> Any:
        """A listener, over `tcp` or `unix`."""
        if family == "tcp":
            sock = self.keep(self.net.socket())
            sock.bind(("127.0.0.1", 0))
        else:
            sock = self.keep(self.net.socket(self.net.AF_UNIX, self.net.SOCK_STREAM))
            sock.bind(str(self.folder / f"{len(list(self.folder.iterdir()))}"))
        sock.listen(backlog)
        return sock

    def client(self, listener: Any) -> Any:
        """A socket of the listener's family, not connected."""
        return self.keep(self.net.socket(listener.family, self.net.SOCK_STREAM))

    def connection(self, family: str = "tcp") -> tuple[Any, Any]:
        """Two ends."""
        listener = self.listener(family)
        client = self.client(listener)
        client.connect(listener.getsockname())
        return client, self.keep(listener.accept()[0])

    def full(self, family: str = "tcp") -> Any:
        """A listener whose queue takes nobody any more."""
        listener = self.listener(family, backlog=0)
        for _ in range(300):
            client = self.client(listener)
            client.settimeout(0.3)
            try:
                client.connect(listener.getsockname())
            except OSError:
                return listener
        raise AssertionError("the queue has no end")

    def call(self, name: str, timeout: float | None = None) -> tuple[Any, Callable[[], Any]]:
        """A socket, and a call of it that blocks: `accept`, `recv`, `recv_into`, `recvmsg`, `sendall`, `sendmsg` or
        `connect`, with `tcp` or `unix` behind it. A connect that was cut short stays under way: each of them gets a
        socket of its own, the first one the socket that is returned."""
        method, _, family = name.partition(" ")
        if method == "connect":
            listener = self.full(family)
            first = self.client(listener)
            left = [first]

            def connect() -> None:
                sock = left.pop() if left else self.client(listener)
                sock.settimeout(timeout)
                sock.connect(listener.getsockname())

            return first, connect
        sock = self.listener(family) if method == "accept" else self.connection(family)[0]
        sock.settimeout(timeout)
        if method == "accept":
            return sock, sock.accept
        if method == "recv":
            return sock, lambda: sock.recv(1)
        if method == "recv_into":
            return sock, lambda: sock.recv_into(bytearray(1))
        if method == "recvmsg":
            return sock, lambda: sock.recvmsg(1)
        if method == "sendmsg":
            return sock, lambda: sock.sendmsg([MUCH, MUCH])
        return sock, lambda: sock.sendall(MUCH)

    def queue_answers(self) -> bool:
        """Whether a Unix connect with a time-out is told at once that the queue is full, as Linux' kernel does."""
        sock = self.keep(self.net.socket(self.net.AF_UNIX, self.net.SOCK_STREAM))
        return getattr(sock, "transport", "native") == "native"
