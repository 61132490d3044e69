"""socketserver's threading datagram server, which answers through wfile, and a client with a name."""

import os
import socket
import socketserver
import sys
import threading

path = sys.argv[1]


class Echo(socketserver.DatagramRequestHandler):
    """Answers in capitals."""

    def handle(self) -> None:
        """One datagram."""
        self.wfile.write(self.rfile.read().upper())


with socketserver.ThreadingUnixDatagramServer(path, Echo) as server:
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as client:
        client.settimeout(60)
        client.bind(path + "c")
        client.connect(path)
        for word in (b"one", b"two"):
            client.send(word)
            print(client.recv(100).decode())
    os.unlink(path + "c")
    server.shutdown()
    thread.join()
