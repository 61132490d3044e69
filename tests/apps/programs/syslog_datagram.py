"""SysLogHandler, as it comes, to a socketserver.UnixDatagramServer, which answers nobody; and to a threading one."""

import logging.handlers
import socketserver
import sys
import threading

path = sys.argv[1]
got: list[bytes] = []
enough = threading.Event()


class Collector(socketserver.BaseRequestHandler):
    """Keeps what comes."""

    def handle(self) -> None:
        """One datagram, whole."""
        got.append(self.request[0].rstrip(b"\0"))
        if len(got) == 40:
            enough.set()


with socketserver.UnixDatagramServer(path, Collector) as server:
    server.max_packet_size = 65536
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    handler = logging.handlers.SysLogHandler(path)
    log = logging.getLogger("app")
    log.addHandler(handler)
    for number in range(39):
        log.error("message %d", number)
    log.error("x" * 20_000)
    handler.close()
    enough.wait(60)
    server.shutdown()
    thread.join()
print(got[:2], len(got), len(got[-1]), int(handler.socktype))
