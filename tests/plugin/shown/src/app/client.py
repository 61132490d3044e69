"""A client that reconnects, and a pipe to wake it."""

import os
import socket


class Client:
    def __init__(self, address):
        self.address = address

    def _dial(self):
        return socket.create_connection(self.address)

    def reconnect(self):
        self._old, self._sock = getattr(self, "_sock", None), self._dial()


class Waker:
    def __init__(self):
        self.reading, self.writing = os.pipe()
