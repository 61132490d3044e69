"""socketserver's threading Unix server, with a server and two clients."""

import os
import socket
import socketserver
import sys
import threading


class Handler(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        for line in self.rfile:
            self.wfile.write(line.upper())


path = sys.argv[1]
with socketserver.ThreadingUnixStreamServer(path, Handler) as server:
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    for word in (b"one\n", b"two\n"):
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
            client.connect(path)
            client.sendall(word)
            with client.makefile("rb") as file:
                print(file.readline().decode().strip())
    server.shutdown()
    thread.join()
os.unlink(path)
