"""redis-py, sync and asyncio, against the Redis at the path, or one of a few lines that is started there."""

import asyncio
import os
import socketserver
import sys
import threading
from typing import ClassVar

import redis
import redis.asyncio


class Handler(socketserver.StreamRequestHandler):
    """SET, GET and PING of the Redis protocol; OK to all else."""

    values: ClassVar[dict[bytes, bytes]] = {}

    def handle(self) -> None:
        while line := self.rfile.readline():
            words = []
            for _ in range(int(line[1:])):
                size = int(self.rfile.readline()[1:])
                words.append(self.rfile.read(size + 2)[:-2])
            self.wfile.write(self.answer(*words))

    def answer(self, command: bytes, *rest: bytes) -> bytes:
        command = command.upper()
        if command == b"HELLO":
            return b"-ERR unknown command 'HELLO'\r\n"
        if command == b"SET":
            self.values[rest[0]] = rest[1]
        if command == b"GET":
            value = self.values[rest[0]]
            return b"$%d\r\n%s\r\n" % (len(value), value)
        return b"+PONG\r\n" if command == b"PING" else b"+OK\r\n"


async def asynchronous(path: str) -> None:
    async with redis.asyncio.Redis(unix_socket_path=path, protocol=2) as client:
        print(await client.ping(), await client.set("async", "2"), await client.get("async"))
        print(await asyncio.gather(*(client.get("async") for _ in range(10))) == [b"2"] * 10)


def synchronous(path: str) -> None:
    with redis.Redis(unix_socket_path=path, protocol=2) as client:
        print(client.ping(), client.set("key", b"x" * 100_000), len(client.get("key")))


path = sys.argv[1]
if os.path.exists(path):
    synchronous(path)
    asyncio.run(asynchronous(path))
else:
    with socketserver.ThreadingUnixStreamServer(path, Handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            synchronous(path)
            asyncio.run(asynchronous(path))
        finally:
            server.shutdown()
            thread.join()
