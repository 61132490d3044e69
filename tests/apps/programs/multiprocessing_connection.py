"""multiprocessing.connection: a listener on a path, a client in another process, both proving a key."""

import sys
from multiprocessing import get_context
from multiprocessing.connection import Client, Listener, wait


def client(path: str) -> None:
    with Client(path, "AF_UNIX", authkey=b"key") as connection:
        connection.send({"numbers": [1, 2, 3]})
        connection.send_bytes(bytes(100_000))
        print(connection.recv(), flush=True)


if __name__ == "__main__":
    path = sys.argv[1]
    with Listener(path, "AF_UNIX", authkey=b"key") as listener:
        process = get_context("spawn").Process(target=client, args=(path,))
        process.start()
        with listener.accept() as connection:
            print(listener.address == path, connection.recv(), flush=True)
            assert connection.poll(10)
            assert wait([connection], 10) == [connection]
            print(len(connection.recv_bytes()), flush=True)
            connection.send("thanks")
            process.join()
    print(process.exitcode)
