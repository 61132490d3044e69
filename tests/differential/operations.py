"""A small model of what a program does with Unix stream sockets, and how each step of it is run.

A sequence is a list of operations on four places for sockets and two paths. Running one gives a transcript: a line
for each operation, with its result or its error's name. A place is given a new, non-blocking socket when an operation
first needs it, and again after a close. What must never be put here: what may differ between two transcripts
(`normalising`), and anything that knows what an operation ought to give.
"""

from __future__ import annotations

import contextlib
import errno
import os
import select
import struct
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

PLACES = (0, 1, 2, 3)
PATHS = ("a", "b")
STEPS = 12
SHORT = 0.01
"""The time-out of a socket that has one, in seconds: where the kernel waits for nothing, this is what a wait costs."""
PATIENCE = 20.0
"""How long a result may take to arrive that the other transcript has at once: loopback is late on a busy machine."""
BULK = 4096
"""More than all a sequence's small sends together: whoever receives as much has met a `fill`."""

_SIZES = (1, 5, 100)
_NAMES = (
    *("EAGAIN", "EACCES", "EADDRINUSE", "EALREADY", "EBADF", "ECONNABORTED", "ECONNREFUSED", "ECONNRESET"),
    *("EDOM", "EFAULT", "EINPROGRESS", "EINVAL", "EISCONN", "ENOENT", "ENOPROTOOPT", "ENOTCONN", "ENOTSOCK"),
    *("EOPNOTSUPP", "EPERM", "EPIPE", "ESHUTDOWN", "ETIMEDOUT"),
)
_ERRORS = {getattr(errno, name): name for name in reversed(_NAMES)}
_ERRORS[errno.EWOULDBLOCK] = "EAGAIN"

OPTIONS = (
    "SO_ACCEPTCONN",
    "SO_BROADCAST",
    "SO_ERROR",
    "SO_KEEPALIVE",
    "SO_OOBINLINE",
    "SO_REUSEADDR",
    "SO_TYPE",
)
"""Those that every system has a name for."""
LINUX_OPTIONS = ("SO_DOMAIN", "SO_PASSCRED", "SO_PROTOCOL", "SO_PRIORITY", "SO_DONTROUTE")
"""Without SO_REUSEPORT, which a Unix socket takes or refuses by the kernel's version."""
SWITCHES = ("SO_BROADCAST", "SO_KEEPALIVE", "SO_OOBINLINE", "SO_REUSEADDR", "SO_LINGER")
LINUX_SWITCHES = ("SO_DONTROUTE",)
"""Without SO_PASSCRED: credentials are ancillary data, which the emulation refuses to ask for, and on Linux the option
also gives a socket that connects a name of its own."""


class Operation(NamedTuple):
    """One step: what is done, with the socket in which place, and with what beside it."""

    name: str
    place: int
    argument: Any = None

    def __str__(self) -> str:
        return f"{self.name}({self.place}{'' if self.argument is None else f', {self.argument!r}'})"


Choice = TypeVar("Choice")
Choose = Callable[[Sequence[Any]], Any]

_LISTENER = (Operation("bind", 0, "a"), Operation("listen", 0, 5))
_CONNECTION = (*_LISTENER, Operation("connect", 1, "a"), Operation("accept", 0, 2))
_BEGINNINGS: tuple[tuple[Operation, ...], ...] = (
    (),
    _LISTENER,
    (*_LISTENER, Operation("connect", 1, "a")),
    _CONNECTION,
    _CONNECTION,
    (Operation("bind", 1, "b"), *_CONNECTION, Operation("send", 1, 5)),
)
"""Where sequences start, so that not most of them are about sockets that are nothing yet."""


def _arguments(linux: bool) -> dict[str, Sequence[Any]]:
    """The operations, each with what it may have beside its socket; the more often named, the more often drawn."""
    options = OPTIONS + (LINUX_OPTIONS if linux else ())
    switches = SWITCHES + (LINUX_SWITCHES if linux else ())
    return {
        "bind": PATHS,
        "listen": (0, 1, 5),
        "connect": PATHS,
        "connect_ex": PATHS,
        "accept": PLACES,
        "send": _SIZES,
        "send_nothing": (None,),
        "sendto": PATHS,
        "recv": _SIZES,
        "recvfrom": _SIZES,
        "recv_nothing": (None,),
        "peek": _SIZES,
        "fill": (None,),
        "drain": (None,),
        "shutdown": ("SHUT_RD", "SHUT_WR", "SHUT_RDWR"),
        "close": (None,),
        "unlink": PATHS,
        "getsockname": (None,),
        "getpeername": (None,),
        "getsockopt": options,
        "setsockopt": switches,
        "tcp_option": (None,),
        "settimeout": (0.0, SHORT),
    }


_OFTEN = ("connect", "accept", "send", "recv", "shutdown", "close", "getpeername")


def sequence(choose: Choose, *, linux: bool) -> list[Operation]:
    """A sequence of operations, each part of it chosen by `choose` from what it is offered."""
    arguments = _arguments(linux)
    names = (*arguments, *_OFTEN)
    made = list(choose(_BEGINNINGS))
    for _ in range(choose(range(1, STEPS + 1))):
        name = choose(names)
        made.append(Operation(name, choose(PLACES), choose(arguments[name])))
    return made


def said(error: OSError) -> str:
    """An error's name: POSIX's, whatever the system's numbers are."""
    if isinstance(error, TimeoutError) and error.errno is None:
        return "timed out"
    return named(error.errno)


def named(number: int | None) -> str:
    """An errno's name, 0 for none."""
    return "0" if number == 0 else _ERRORS.get(number or 0, f"errno {number}")


class Machine:
    """Four places for sockets of one implementation, and a folder for their paths."""

    def __init__(self, net: Any, folder: Path) -> None:
        self.net = net
        self.folder = folder
        self.sockets: dict[int, Any] = {}
        self.deaf: set[int] = set()
        self.comes = False

    def run(self, operations: Sequence[Operation], expected: Sequence[str] | None = None) -> list[str]:
        """The transcript. With the other implementation's at hand, what has arrived there is waited for here."""
        lines: list[str] = []
        try:
            for number, operation in enumerate(operations):
                if expected is not None:
                    self.await_arrival(operation, expected[number])
                lines.append(self.step(operation))
        finally:
            self.close_all()
        return lines

    def step(self, operation: Operation) -> str:
        """Do one operation; its line."""
        try:
            result = getattr(self, operation.name)(self.socket(operation.place), operation)
        except OSError as error:
            result = said(error)
        return str(result)

    def await_arrival(self, operation: Operation, expected: str) -> None:
        """Wait until the socket has what the operation found in the other transcript. It is given up in the end: then
        the lines differ, and say so."""
        self.comes = operation.name == "accept" and "timeout" in expected
        waits = {"accept", "recv", "recvfrom", "peek", "drain"}
        if operation.name not in waits or expected.startswith(("EAGAIN", "timed out", "ENOTCONN", "EINVAL")):
            return
        # After one's own SHUT_RD there is nothing to wait for, and Winsock never calls such a socket readable.
        if operation.place in self.sockets and operation.place not in self.deaf:
            select.select([self.sockets[operation.place]], [], [], PATIENCE)

    def socket(self, place: int) -> Any:
        """The socket there; a new one, if there is none."""
        if place not in self.sockets:
            self.deaf.discard(place)
            self.sockets[place] = self.net.socket(self.net.AF_UNIX, self.net.SOCK_STREAM)
            self.sockets[place].settimeout(0.0)
        return self.sockets[place]

    def close_all(self) -> None:
        """Leave no socket and no file."""
        while self.sockets:
            self.sockets.popitem()[1].close()
        for name in PATHS:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self.path(name))

    def path(self, name: str) -> str:
        return str(self.folder / name)

    def short(self, name: Any) -> str:
        """A socket's name without the folder."""
        return repr(os.path.basename(name) if name else name)

    # ---- the operations, by their names

    def bind(self, sock: Any, operation: Operation) -> None:
        sock.bind(self.path(operation.argument))

    def listen(self, sock: Any, operation: Operation) -> None:
        sock.listen(operation.argument)

    def connect(self, sock: Any, operation: Operation) -> None:
        sock.connect(self.path(operation.argument))

    def connect_ex(self, sock: Any, operation: Operation) -> str:
        return named(sock.connect_ex(self.path(operation.argument)))

    def accept(self, sock: Any, operation: Operation) -> str:
        before = sock.gettimeout()
        if self.comes:
            sock.settimeout(
                PATIENCE
            )  # a listener is readable before all of an emulated client's hello has come
        try:
            made, name = sock.accept()
        finally:
            sock.settimeout(before)
        into = operation.argument
        if into in self.sockets:
            self.sockets.pop(into).close()
        self.sockets[into] = made
        self.deaf.discard(into)
        told = made.gettimeout()
        made.settimeout(0.0)
        return f"{self.short(name)}, timeout {told}"

    def send(self, sock: Any, operation: Operation) -> int:
        return int(sock.send(b"x" * operation.argument))

    def send_nothing(self, sock: Any, _: Operation) -> int:
        return int(sock.send(b""))

    def sendto(self, sock: Any, operation: Operation) -> int:
        """Without a time-out: for one, CPython waits before it makes the call."""
        before = sock.gettimeout()
        sock.settimeout(0.0)
        try:
            return int(sock.sendto(b"x", self.path(operation.argument)))
        finally:
            sock.settimeout(before)

    def recv(self, sock: Any, operation: Operation) -> str:
        return f"{len(sock.recv(operation.argument))} bytes"

    def recvfrom(self, sock: Any, operation: Operation) -> str:
        data, name = sock.recvfrom(operation.argument)
        return f"{len(data)} bytes of {self.short(name)}"

    def recv_nothing(self, sock: Any, _: Operation) -> str:
        return f"{len(sock.recv(0))} bytes"

    def peek(self, sock: Any, operation: Operation) -> str:
        return f"{len(sock.recv(operation.argument, self.net.MSG_PEEK))} bytes"

    def fill(self, sock: Any, _: Operation) -> str:
        """Send until no more fits."""
        before = sock.gettimeout()
        sock.settimeout(0.0)
        count = 0
        try:
            while True:
                count += sock.send(b"x" * 65536)
        except OSError as error:
            return f"{count} bytes, {said(error)}"
        finally:
            sock.settimeout(before)

    def drain(self, sock: Any, _: Operation) -> str:
        """Receive until there is no more; where a filled buffer is behind it, the rest of that may be under way."""
        before = sock.gettimeout()
        sock.settimeout(0.0)
        count = 0
        try:
            while True:
                try:
                    piece = sock.recv(1 << 20)
                except BlockingIOError:
                    if count <= BULK or not select.select([sock], [], [], 0.2)[0]:
                        raise
                    continue
                if not piece:
                    return f"{count} bytes, end"
                count += len(piece)
        except OSError as error:
            return f"{count} bytes, {said(error)}" if count else said(error)
        finally:
            sock.settimeout(before)

    def shutdown(self, sock: Any, operation: Operation) -> None:
        sock.shutdown(getattr(self.net, operation.argument))
        if operation.argument != "SHUT_WR":
            self.deaf.add(operation.place)

    def close(self, sock: Any, operation: Operation) -> None:
        del self.sockets[operation.place]
        sock.close()

    def unlink(self, _: Any, operation: Operation) -> None:
        os.unlink(self.path(operation.argument))

    def getsockname(self, sock: Any, _: Operation) -> str:
        return self.short(sock.getsockname())

    def getpeername(self, sock: Any, _: Operation) -> str:
        return self.short(sock.getpeername())

    def getsockopt(self, sock: Any, operation: Operation) -> int:
        return int(sock.getsockopt(self.net.SOL_SOCKET, getattr(self.net, operation.argument)))

    def setsockopt(self, sock: Any, operation: Operation) -> None:
        """Switch it on; SO_LINGER with no time, by which TCP resets the connection."""
        value: Any = struct.pack("ii", 1, 0) if operation.argument == "SO_LINGER" else 1
        sock.setsockopt(self.net.SOL_SOCKET, getattr(self.net, operation.argument), value)

    def tcp_option(self, sock: Any, _: Operation) -> int:
        return int(sock.getsockopt(self.net.IPPROTO_TCP, self.net.TCP_NODELAY))

    def settimeout(self, sock: Any, operation: Operation) -> None:
        sock.settimeout(operation.argument)
