"""A program's own code, as the corpus's tests call it: the line to be named is here and not in the test.

A comment "leaks: WAY by TEST" marks a line that opens what the test TEST leaves open.
"""

from __future__ import annotations

import os
import socket


class Client:
    """Reconnects, and forgets the connection that it had."""

    def __init__(self, address: tuple[str, int]) -> None:
        self.address = address
        self.connections: list[socket.socket] = []

    def dial(self) -> None:
        """Connect once more."""
        self.connections.append(socket.create_connection(self.address))  # leaks: connection by test_reconnect

    def close(self) -> None:
        """Close every connection."""
        for connection in self.connections:
            connection.close()


class Waker:
    """A pipe to wake a loop with, that nobody closes."""

    def __init__(self) -> None:
        self.ends = os.pipe()  # leaks: pipe by test_waker


class Journal:
    """A file that is opened when the first line is written."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.file: object = None

    def write(self, line: str) -> None:
        """Write one line."""
        if self.file is None:
            self.file = open(self.path, "a", encoding="utf-8")  # leaks: file by test_journal
        print(line, file=self.file)  # type: ignore[call-overload]
