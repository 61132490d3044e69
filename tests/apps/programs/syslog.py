"""SysLogHandler to a daemon on a stream socket: `stream` says so, `any` lets the handler find out."""

import logging.handlers
import socket
import sys
import threading

path, kind = sys.argv[1:]
with socket.socket(socket.AF_UNIX) as daemon:
    daemon.bind(path)
    daemon.listen()
    got: list[bytes] = []

    def collect() -> None:
        connection, _ = daemon.accept()
        with connection:
            while data := connection.recv(1000):
                got.append(data)

    thread = threading.Thread(target=collect, daemon=True)
    thread.start()
    options = {"socktype": socket.SOCK_STREAM} if kind == "stream" else {}
    handler = logging.handlers.SysLogHandler(path, **options)
    log = logging.getLogger("app")
    log.addHandler(handler)
    log.error("first")
    log.error("second")
    handler.close()
    thread.join(10)
    print(b"".join(got).replace(b"\0", b";").decode())
