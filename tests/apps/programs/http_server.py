"""http.server's handler on a Unix socket, asked by http.client."""

import http.client
import http.server
import socket
import socketserver
import sys
import threading


class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[::-1])

    def log_message(self, *arguments: object) -> None:
        pass


path = sys.argv[1]
with socketserver.ThreadingUnixStreamServer(path, Handler) as server:
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    connection = http.client.HTTPConnection("localhost")
    connection.sock = socket.socket(socket.AF_UNIX)
    connection.sock.connect(path)
    connection.request("POST", "/", b"0123456789" * 20000)
    response = connection.getresponse()
    print(response.status, response.read() == b"9876543210" * 20000)
    connection.close()
    server.shutdown()
    thread.join()
