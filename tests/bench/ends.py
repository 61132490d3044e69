"""The two ends of a measured connection: a server in a child process, and the client that gives it orders.

A lane is one implementation (`socket` or `samesock`) with one family, the same at both ends. Each has a server
process of its own, so that the GIL of one end is not the other's. The server is told over the connection what to do
next: an order is a letter and a number. What must never be put here: clocks of more than one burst, and any
judgement.
"""

from __future__ import annotations

import importlib
import os
import socket
import struct
import subprocess
import sys
import tempfile
import time
from typing import Any, NamedTuple

ORDER = struct.Struct("<1sI")
TRIP = 64
MIB = 1 << 20
ROOM = 256 << 10
BUFFER = 200 << 10
"""What both ends are given to buffer. Left alone, Linux sizes TCP's window by what it has seen of a connection, and one
that began with a small message (a hello) streamed at twice the rate of one that did not, whichever library it was."""


AGE_SECONDS = 0.3
"""How old a socket's file is when it is first connected to. On Windows one that is younger than 0.2 s is opened by each
connect, and a server's is older."""


class Lane(NamedTuple):
    """One implementation with one family, `tcp` or `unix`, and the time-out of its connected sockets in seconds."""

    module: str
    family: str
    timeout: str = ""

    def listener(self) -> Any:
        """A listening socket: on a free port, or at a new path in a folder of its own."""
        net = importlib.import_module(self.module)
        if self.family == "tcp":
            sock = net.socket(net.AF_INET, net.SOCK_STREAM)
            sock.bind(("127.0.0.1", 0))
        else:
            sock = net.socket(net.AF_UNIX, net.SOCK_STREAM)
            sock.bind(os.path.join(tempfile.mkdtemp(prefix="ss-"), "s"))
            time.sleep(AGE_SECONDS)
        sock.listen(128)
        return sock

    def unconnected(self) -> Any:
        """A client's socket."""
        net = sys.modules[self.module]
        return net.socket(net.AF_INET if self.family == "tcp" else net.AF_UNIX, net.SOCK_STREAM)

    def set_up(self, sock: Any) -> None:
        """TCP_NODELAY for TCP, which a Unix socket has not; the time-out."""
        if self.family == "tcp":
            sock.setsockopt(6, 1, 1)
        if self.timeout:
            sock.settimeout(float(self.timeout))


def fix_buffers(sock: Any) -> None:
    """Give a socket, before it is connected, buffers of a size that nothing changes."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BUFFER)


def remove(address: Any) -> None:
    """Remove a Unix socket's path with the folder that `Lane.listener` made for it."""
    if isinstance(address, str):
        os.unlink(address)
        os.rmdir(os.path.dirname(address))


def serve(lane: Lane) -> None:
    """The child: print the address, take one connection, obey its orders until it ends."""
    listener = lane.listener()
    fix_buffers(listener)
    address = listener.getsockname()
    print(repr(address), flush=True)
    sock, _ = listener.accept()
    lane.set_up(sock)
    room = memoryview(bytearray(ROOM))
    try:
        while order := sock.recv(ORDER.size):
            what, number = ORDER.unpack(order)
            if what == b"P":
                _echo(sock, number)
            elif what == b"S":
                _sink(sock, room, number * MIB)
            else:
                for _ in range(number):
                    listener.accept()[0].close()
    finally:
        sock.close()
        listener.close()
        remove(address)


def _echo(sock: Any, trips: int) -> None:
    recv, sendall = sock.recv, sock.sendall
    for _ in range(trips):
        data = recv(TRIP)
        while len(data) < TRIP:
            data += recv(TRIP - len(data))
        sendall(data)


def _sink(sock: Any, room: memoryview, size: int) -> None:
    recv_into = sock.recv_into
    while size:
        size -= recv_into(room, min(ROOM, size))
    sock.sendall(b".")


class Client:
    """The client of one lane, and its server; its methods are bursts, whose results are rates per second."""

    def __init__(self, lane: Lane) -> None:
        self.lane = lane
        importlib.import_module(lane.module)
        line = [sys.executable, os.path.abspath(__file__), "serve", *lane]
        self.server = subprocess.Popen(line, stdout=subprocess.PIPE, text=True)
        assert self.server.stdout is not None
        said = self.server.stdout.readline()
        if not said:
            raise RuntimeError(f"the server of {lane} did not start")
        self.address = eval(said)  # the repr of a str or a pair, from our own child
        self.sock = lane.unconnected()
        fix_buffers(self.sock)
        self.sock.connect(self.address)
        lane.set_up(self.sock)

    def close(self) -> None:
        """End the connection, and with it the server."""
        self.sock.close()
        self.server.wait(30)
        self.server.stdout.close()  # type: ignore[union-attr]

    def ping_pong(self, trips: int) -> float:
        """Round trips of 64 bytes."""
        sock = self.sock
        recv, sendall, data = sock.recv, sock.sendall, b"x" * TRIP
        sock.sendall(ORDER.pack(b"P", trips))
        start = time.perf_counter()
        for _ in range(trips):
            sendall(data)
            got = len(recv(TRIP))
            while got < TRIP:
                got += len(recv(TRIP - got))
        return trips / (time.perf_counter() - start)

    def stream(self, mebibytes: int) -> float:
        """MiB, each sent by one sendall; the clock stops when the server has them all."""
        sock = self.sock
        sendall, data = sock.sendall, bytes(MIB)
        sock.sendall(ORDER.pack(b"S", mebibytes))
        start = time.perf_counter()
        for _ in range(mebibytes):
            sendall(data)
        sock.recv(1)
        return mebibytes / (time.perf_counter() - start)

    def connect(self, rounds: int) -> float:
        """Connections that the server accepts and closes, one after the other, each seen to end here."""
        unconnected, address = self.lane.unconnected, self.address
        self.sock.sendall(ORDER.pack(b"C", rounds))
        start = time.perf_counter()
        for _ in range(rounds):
            sock = unconnected()
            sock.connect(address)
            sock.recv(1)
            sock.close()
        return rounds / (time.perf_counter() - start)


class Alone:
    """Both ends of a lane in this one thread: what a connection costs, and not how well two processes overlap."""

    def __init__(self, lane: Lane) -> None:
        self.lane = lane
        self.listener = lane.listener()
        self.address = self.listener.getsockname()

    def close(self) -> None:
        """Close the listener, remove its path."""
        self.listener.close()
        remove(self.address)

    def connect(self, rounds: int) -> float:
        """Rounds of connect, accept and close of both ends."""
        unconnected, address, accept = self.lane.unconnected, self.address, self.listener.accept
        start = time.perf_counter()
        for _ in range(rounds):
            client = unconnected()
            client.connect(address)
            server, _ = accept()
            client.close()
            server.close()
        return rounds / (time.perf_counter() - start)


if __name__ == "__main__":
    role, module, family, *more = sys.argv[1:]
    if role == "serve":
        serve(Lane(module, family, *more))
    else:
        # For counting instructions: the rounds after the first few, so that imports made by a first call count
        # in every run alike.
        alone = Alone(Lane(module, family))
        alone.connect(5 + int(more[-1]))
        alone.close()
