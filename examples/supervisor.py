"""A supervisor: one wait for what its programs print, for their ends, and for orders on a Unix socket.

    python supervisor.py PATH PROGRAM.py [PROGRAM.py ...]
    orders, one a line: list | stop NUMBER | quit

The programs' output is printed with their numbers before it. A program that ends is started again, at most three times.
Pipes, sockets and processes are keys of one selector, on Windows too.
"""

from __future__ import annotations

import os
import subprocess
import sys

import samesock as socket
from samesock import selectors

MOST_STARTS = 4


class Supervised:
    """One program: its process, and how often it was started."""

    def __init__(self, number: int, program: str) -> None:
        self.number = number
        self.program = program
        self.starts = 0
        self.process: subprocess.Popen[bytes] | None = None


class Supervisor:
    """The programs, the orders, and the one place where this waits; each key's data is what to do with it."""

    def __init__(self, listener: socket.socket, programs: list[str]) -> None:
        self.selector = selectors.DefaultSelector()
        self.selector.register(listener, selectors.EVENT_READ, lambda: self.greet(listener))
        self.programs = [Supervised(number, program) for number, program in enumerate(programs)]
        self.running = True
        for one in self.programs:
            self.start(one)

    def start(self, one: Supervised) -> None:
        one.starts += 1
        process = subprocess.Popen([sys.executable, "-u", one.program], stdout=subprocess.PIPE)
        one.process = process
        self.selector.register(process.stdout, selectors.EVENT_READ, lambda: self.relay(one, process))
        self.selector.register(process, selectors.EVENT_READ, lambda: self.ended(one, process))

    def relay(self, one: Supervised, process: subprocess.Popen[bytes]) -> None:
        """Print what has come; the end of the stream is nothing to print."""
        data = os.read(process.stdout.fileno(), 4096)
        for line in data.decode(errors="replace").splitlines():
            print(f"[{one.number}] {line}", flush=True)
        if not data:
            self.selector.unregister(process.stdout)
            process.stdout.close()

    def ended(self, one: Supervised, process: subprocess.Popen[bytes]) -> None:
        self.selector.unregister(process)
        print(f"[{one.number}] ended with {process.wait()}", flush=True)
        if one.process is process and self.running and one.starts < MOST_STARTS:
            self.start(one)

    def greet(self, listener: socket.socket) -> None:
        sock, _ = listener.accept()
        self.selector.register(sock, selectors.EVENT_READ, lambda: self.obey(sock))

    def obey(self, sock: socket.socket) -> None:
        """One order, and its answer."""
        words = sock.recv(1000).decode().split()
        if words == ["list"]:
            sock.sendall(
                "".join(f"{one.number} {one.program} {one.starts}\n" for one in self.programs).encode()
            )
        elif words[:1] == ["stop"]:
            one = self.programs[int(words[1])]
            process, one.process = one.process, None  # No longer its own: it is not started again.
            process.terminate()
        elif words == ["quit"]:
            self.running = False
        if not words:
            self.selector.unregister(sock)
            sock.close()

    def run(self) -> None:
        """Until it is told to quit; then end what still runs, and tell what it still says."""
        while self.running or len(self.selector.get_map()) > 1:
            if not self.running:
                for one in self.programs:
                    if one.process and one.process.poll() is None:
                        one.process.terminate()
            for key, _ in self.selector.select(1):
                key.data()


def main(path: str, *programs: str) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        try:
            listener.listen()
            Supervisor(listener, list(programs)).run()
        finally:
            os.unlink(path)


if __name__ == "__main__":
    main(*sys.argv[1:])
