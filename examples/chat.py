"""A chat daemon on a Unix socket, and its client: what one says, all hear.

    python chat.py serve PATH
    python chat.py join PATH NAME

One thread and one selector each. A guest that reads too slowly is dismissed, so that it cannot make the others wait.
Who may join is who may open the socket's file.
"""

from __future__ import annotations

import os
import signal
import sys

import samesock as socket
from samesock import selectors

LONGEST_LINE = 4096


class Room:
    """The guests: each one's name, once it has said it, and what has come of its next line."""

    def __init__(self, listener: socket.socket) -> None:
        listener.setblocking(False)
        self.listener = listener
        self.names: dict[socket.socket, str] = {}
        self.heard: dict[socket.socket, bytes] = {}
        self.selector = selectors.DefaultSelector()
        self.selector.register(listener, selectors.EVENT_READ)

    def serve_once(self, timeout: float | None = None) -> None:
        """Wait, and do what has become possible."""
        for key, _ in self.selector.select(timeout):
            if key.fileobj is self.listener:
                self.welcome()
            elif key.fileobj in self.heard:  # Else it was dismissed a moment ago.
                self.hear(key.fileobj)

    def welcome(self) -> None:
        try:
            guest, _ = self.listener.accept()
        except OSError:  # It has left again already.
            return
        guest.setblocking(False)
        self.heard[guest] = b""
        self.selector.register(guest, selectors.EVENT_READ)

    def hear(self, guest: socket.socket) -> None:
        """Say whole lines on; the first is the guest's name, and the rest of one waits for its end."""
        try:
            data = guest.recv(LONGEST_LINE)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        *lines, rest = (self.heard[guest] + data).split(b"\n")
        self.heard[guest] = rest
        if not data or len(rest) > LONGEST_LINE:
            self.dismiss(guest)
        for line in lines:
            text = line.decode(errors="replace").strip()
            if guest in self.names:
                self.say(f"{self.names[guest]}: {text}")
            elif guest in self.heard:
                self.names[guest] = text
                self.say(f"* {text} is here")

    def say(self, text: str) -> None:
        line = text.encode() + b"\n"
        for guest in list(self.names):
            try:
                taken = guest.send(line)
            except OSError:  # BlockingIOError too: its buffer is full.
                taken = 0
            if taken < len(line):
                self.dismiss(guest)

    def close(self) -> None:
        """Let all go at once, without a word about each."""
        for guest in self.heard:
            guest.close()
        self.selector.close()

    def dismiss(self, guest: socket.socket) -> None:
        if self.heard.pop(guest, None) is not None:
            self.selector.unregister(guest)
            guest.close()
            if name := self.names.pop(guest, None):
                self.say(f"* {name} has left")


def serve(path: str) -> None:
    """Until Ctrl+C; the file goes with the daemon."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        try:
            listener.listen()
            print(f"listening on {path}", flush=True)
            room = Room(listener)
            try:
                while True:
                    room.serve_once()
            finally:
                room.close()
        finally:
            os.unlink(path)


def join(path: str, name: str) -> None:
    """What is typed goes out, what is heard is printed: one wait for both, whatever standard input is."""
    with socket.socket(socket.AF_UNIX) as sock:
        sock.connect(path)
        sock.sendall(name.encode() + b"\n")
        sources = [sock, sys.stdin]
        while True:
            ready = selectors.wait(sources)
            if sock in ready:
                data = sock.recv(LONGEST_LINE)
                if not data:
                    return
                sys.stdout.buffer.write(data)
                sys.stdout.flush()
            if sys.stdin in ready:
                data = os.read(sys.stdin.fileno(), LONGEST_LINE)
                if data:
                    sock.sendall(data)
                else:
                    sock.shutdown(socket.SHUT_WR)
                    sources.remove(sys.stdin)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # A service manager's stop is a Ctrl+C.
    try:
        if len(sys.argv) == 3 and sys.argv[1] == "serve":
            serve(sys.argv[2])
        elif len(sys.argv) == 4 and sys.argv[1] == "join":
            join(*sys.argv[2:])
        else:
            sys.exit(__doc__)
    except KeyboardInterrupt:
        pass
    except OSError as error:  # Its message says what was tried, on what.
        sys.exit(f"chat: {error}")
