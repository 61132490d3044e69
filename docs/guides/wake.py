"""End a call that another thread is blocked in."""

import threading
import time

import samesock as socket

listener = socket.create_server(("127.0.0.1", 0))


def serve() -> None:
    try:
        listener.accept()
    except OSError:
        print("accept has ended")


server = threading.Thread(target=serve)
server.start()
time.sleep(0.2)  # until it blocks, most likely; if it does not yet, accept fails at once
listener.close(wake=True)
server.join(30)
print("the thread has ended:", not server.is_alive())
