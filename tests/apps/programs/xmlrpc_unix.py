"""XML-RPC over a Unix socket, by the recipe that needs only the standard library."""

import http.client
import socket
import socketserver
import sys
import threading
from xmlrpc.client import ServerProxy, Transport
from xmlrpc.server import SimpleXMLRPCDispatcher, SimpleXMLRPCRequestHandler


class Handler(SimpleXMLRPCRequestHandler):
    disable_nagle_algorithm = False

    def log_request(self, *arguments: object) -> None:
        pass


class Server(socketserver.UnixStreamServer, SimpleXMLRPCDispatcher):
    def __init__(self, path: str) -> None:
        SimpleXMLRPCDispatcher.__init__(self)
        socketserver.UnixStreamServer.__init__(self, path, Handler)


class Connection(http.client.HTTPConnection):
    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(path)


class UnixTransport(Transport):
    def make_connection(self, host: object) -> Connection:
        return Connection("localhost")


path = sys.argv[1]
with Server(path) as server:
    server.register_function(pow)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    with ServerProxy("http://localhost", transport=UnixTransport()) as proxy:
        print(proxy.pow(2, 10))
        print(proxy.pow(3, 3))
    server.shutdown()
    thread.join()
