"""A front door that passes its connections to workers, started by whoever holds the listening socket.

    python worker_pool.py serve PATH        bind, and start the pool
    python worker_pool.py                   start the pool on descriptor 3, as systemd's socket activation hands it over

The parent accepts and passes each connection to the next worker by `send_fds`; a worker serves it and closes it. A
connection is passed whole: what the client has already sent arrives in the worker. A client that says too little, too
much or nothing loses its connection, and costs its worker no more than SECONDS.
"""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress

import samesock as socket

WORKERS = 2
SECONDS = 5.0  # for one client
LONGEST_LINE = 4096
START_SECONDS = 60.0  # for a worker to be there
SD_LISTEN_FDS_START = 3  # sd_listen_fds(3)


def listener_from_environment() -> socket.socket | None:
    """The listening socket that the service manager has made, if it says that it is for this process."""
    if os.environ.get("LISTEN_PID") != str(os.getpid()) or os.environ.get("LISTEN_FDS") != "1":
        return None
    for name in ("LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"):  # Not for our own children.
        os.environ.pop(name, None)
    os.set_inheritable(SD_LISTEN_FDS_START, False)
    return socket.socket(socket.AF_UNIX, fileno=SD_LISTEN_FDS_START)


def start_worker(number: int, channel_path: str) -> subprocess.Popen[bytes]:
    """A process that will connect to the channel; a path can be handed to a child on every system."""
    return subprocess.Popen([sys.executable, __file__, "work", channel_path, str(number)])


def pool(listener: socket.socket) -> None:
    """Accept, and pass on in turn, until the listener or the workers end."""
    channel_path = socket.unix_path(f"worker-pool-{os.getpid()}")
    with socket.socket(socket.AF_UNIX) as channel:
        channel.bind(channel_path)
        channel.listen(WORKERS)
        channel.settimeout(START_SECONDS)  # A worker that cannot start must not be waited for for ever.
        processes = [start_worker(number, channel_path) for number in range(WORKERS)]
        workers = [channel.accept()[0] for _ in processes]
        os.unlink(channel_path)
    print("ready", flush=True)
    try:
        for worker in itertools.cycle(workers):
            connection, _ = listener.accept()
            with connection:  # Ours is closed once it is passed; the worker has its own.
                socket.send_fds(worker, [b"connection"], [connection.fileno()])
    finally:
        for worker in workers:
            worker.close()  # The end of its stream: a worker then ends by itself.
        for process in processes:
            process.wait()


def work(channel_path: str, number: str) -> None:
    """Serve what is passed, one connection after the other."""
    with socket.socket(socket.AF_UNIX) as channel:
        channel.connect(channel_path)
        while True:
            message, descriptors, _, _ = socket.recv_fds(channel, 16, 1)
            if not message:
                return
            for descriptor in descriptors:
                # Whatever goes wrong with one client, its time-out too: the next one is served.
                with socket.socket(fileno=descriptor) as connection, suppress(OSError):
                    answer(connection, number)


def answer(connection: socket.socket, number: str) -> None:
    """One line in, one line out."""
    deadline = time.monotonic() + SECONDS
    line = b""
    while not line.endswith(b"\n") and len(line) < LONGEST_LINE:
        connection.settimeout(max(deadline - time.monotonic(), 0.001))
        data = connection.recv(LONGEST_LINE)
        if not data:
            return
        line += data
    connection.sendall(f"worker {number}: ".encode() + line.strip().upper() + b"\n")


def serve(path: str) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        try:
            listener.listen()
            pool(listener)
        finally:
            os.unlink(path)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # A service manager's stop is a Ctrl+C.
    try:
        if len(sys.argv) == 4 and sys.argv[1] == "work":
            work(*sys.argv[2:])
        elif len(sys.argv) == 3 and sys.argv[1] == "serve":
            serve(*sys.argv[2:])
        elif len(sys.argv) == 1 and (activated := listener_from_environment()):
            with activated:
                pool(activated)
        else:
            sys.exit(__doc__)
    except KeyboardInterrupt:
        pass
    except OSError as error:  # Its message says what was tried, on what.
        sys.exit(f"worker_pool: {error}")
