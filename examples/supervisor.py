"""A supervisor: one wait for what its programs print, for their ends, and for orders on a Unix socket.

    python supervisor.py PATH PROGRAM.py [PROGRAM.py ...]
    orders, one a line: list | stop NUMBER | quit

The programs' output is printed with their numbers before it. A program that ends is started again, at most three times.
Pipes, sockets and processes are keys of one selector, on Windows too. Whoever gives orders can neither end it by a
wrong one nor hold it up; however it ends, its programs end first.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import samesock as socket
from samesock import selectors

MOST_STARTS = 4
LONGEST_ORDER = 1000
GRACE_SECONDS = 10.0  # for a program that is told to end, before it is made to


class Supervised:
    """One program: its process, and how often it was started."""

    def __init__(self, number: int, program: str) -> None:
        self.number = number
        self.program = program
        self.starts = 0
        self.wanted = True
        self.process: subprocess.Popen[bytes] | None = None


class Supervisor:
    """The programs, the orders, and the one place where this waits; each key's data is what to do with it."""

    def __init__(self, listener: socket.socket, programs: list[str]) -> None:
        self.selector = selectors.DefaultSelector()
        listener.setblocking(False)
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
        if one.wanted and self.running and one.starts < MOST_STARTS:
            self.start(one)

    def greet(self, listener: socket.socket) -> None:
        try:
            sock, _ = listener.accept()
        except OSError:  # It has left again already.
            return
        sock.settimeout(1)  # Who does not take its answers does not hold up the others for longer.
        heard = bytearray()
        self.selector.register(sock, selectors.EVENT_READ, lambda: self.hear(sock, heard))

    def hear(self, sock: socket.socket, heard: bytearray) -> None:
        """Whole lines are orders, each with its answer; the rest of one waits for its end."""
        try:
            data = sock.recv(LONGEST_ORDER)
            *lines, heard[:] = bytes(heard + data).split(b"\n")
            for line in lines:
                sock.sendall(self.obey(line.decode(errors="replace").split()).encode())
        except OSError:
            data = b""
        if not data or len(heard) > LONGEST_ORDER:
            self.selector.unregister(sock)
            sock.close()

    def obey(self, words: list[str]) -> str:
        """Do what an order says; what there is to answer."""
        numbers = {str(one.number): one for one in self.programs}
        match words:
            case []:
                return ""
            case ["list"]:
                return "".join(f"{one.number} {one.program} {one.starts}\n" for one in self.programs)
            case ["stop", number] if number in numbers:
                one = numbers[number]
                one.wanted = False
                if one.process:
                    one.process.terminate()
                return ""
            case ["quit"]:
                self.running = False
                return ""
        return "not an order; there are: list | stop NUMBER | quit\n"

    def serve_once(self) -> None:
        for key, _ in self.selector.select(1):
            key.data()

    def run(self) -> None:
        """Until it is told to quit."""
        while self.running:
            self.serve_once()

    def end(self) -> None:
        """End what still runs, and tell what it still says."""
        self.running = False
        deadline = time.monotonic() + GRACE_SECONDS
        while any(not isinstance(key.fileobj, socket.socket) for key in self.selector.get_map().values()):
            for one in self.programs:
                if one.process and one.process.poll() is None:
                    (one.process.terminate if time.monotonic() < deadline else one.process.kill)()
            self.serve_once()
        for key in list(self.selector.get_map().values()):
            key.fileobj.close()
        self.selector.close()


def main(path: str, *programs: str) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        try:
            listener.listen()
            supervisor = Supervisor(listener, list(programs))
            try:
                supervisor.run()
            finally:
                supervisor.end()
        finally:
            os.unlink(path)


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # A service manager's stop is a Ctrl+C.
    try:
        main(*sys.argv[1:])
    except KeyboardInterrupt:
        pass
    except OSError as error:  # Its message says what was tried, on what.
        sys.exit(f"supervisor: {error}")
