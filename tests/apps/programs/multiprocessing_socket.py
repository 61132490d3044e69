"""A listening Unix socket that is handed to worker processes, as servers with several workers do."""

import multiprocessing
import socket
import sys


def work(listener: socket.socket) -> None:
    connection, _ = listener.accept()
    with connection, listener:
        connection.sendall(b"served by %s" % type(listener).__name__.encode())


if __name__ == "__main__":
    path = sys.argv[1]
    context = multiprocessing.get_context("spawn")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()
        workers = [context.Process(target=work, args=(listener,)) for _ in range(2)]
        for worker in workers:
            worker.start()
        for _ in workers:
            with socket.socket(socket.AF_UNIX) as client:
                client.connect(path)
                print(client.recv(100).decode())
        for worker in workers:
            worker.join()
    print(*(worker.exitcode for worker in workers))
