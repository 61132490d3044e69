"""A server that accepts, and hands each connection to a worker process, descriptor and all."""

import sys

import samesock as socket
from samesock import fd

WORKERS = 2


def work(name: str) -> None:
    """In a worker: take connections from the channel, serve them, until the channel ends."""
    (number,) = fd.inherited()
    with socket.socket(fileno=number) as channel:
        while True:
            message, descriptors, _flags, _address = socket.recv_fds(channel, 16, 1)
            if not message:
                return
            with socket.socket(fileno=descriptors[0]) as connection:
                connection.sendall(f"worker {name} serves you".encode())


def main() -> None:
    """In the server: start the workers, accept, hand on."""
    channels, children = [], []
    for name in map(str, range(WORKERS)):
        ours, theirs = socket.socketpair()
        with theirs:
            children.append(fd.spawn_passing([sys.executable, __file__, name], [theirs]))
        channels.append(ours)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        for channel in channels:
            with socket.create_connection(listener.getsockname(), timeout=30) as client:
                connection, _ = listener.accept()
                with connection:
                    socket.send_fds(channel, [b"client"], [connection.fileno()])
                print(client.recv(100).decode())  # our copy is closed; the worker's is the connection

    for channel, child in zip(channels, children, strict=True):
        channel.close()  # the worker's recv_fds returns no message: the end
        print("exit code", child.wait(30))


if len(sys.argv) > 1:
    work(sys.argv[1])
else:
    main()
