"""httpx's synchronous transport over a Unix socket."""

import http.server
import socketserver
import sys
import threading

import httpx


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"hello")

    def log_message(self, *arguments: object) -> None:
        pass


path = sys.argv[1]
with socketserver.ThreadingUnixStreamServer(path, Handler) as server:
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        with httpx.Client(transport=httpx.HTTPTransport(uds=path)) as web:
            print(web.get("http://app/").text)
    finally:
        server.shutdown()
        thread.join()
