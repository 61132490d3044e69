"""The library's own sockets with native ends below them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import samesock
from unit.native_libc.both import needs_unix

pytestmark = needs_unix

PROGRAM = """
from samesock.unix import choosing
choosing.transport = lambda: "native"
import asyncio, sys, threading
import samesock as socket

path = sys.argv[1]

def echo(listener):
    sock, name = listener.accept()
    with sock, sock.makefile("rb") as stream:
        assert (name, sock.transport) == ("", "native")
        sock.sendall(stream.readline())

def number_of(sock):
    with sock:
        return sock.detach()

with socket.create_server(path + "1", family=socket.AF_UNIX) as listener:
    thread = threading.Thread(target=echo, args=(listener,))
    thread.start()
    client = socket.socket(socket.AF_UNIX)
    assert client.connect_ex(path + "1") == 0
    with client.dup() as twin, socket.socket(fileno=number_of(client)) as client:
        assert client.transport == twin.transport == "native"
        assert client.getpeername() == twin.getpeername() == path + "1"
        client.sendall(b"hello\\n")
        assert client.recvfrom(6) == (b"hello\\n", path + "1")
    thread.join()

async def main():
    async def serve(reader, writer):
        writer.write(await reader.readline())
        writer.close()

    server = await asyncio.start_unix_server(serve, sock=socket.create_server(path + "2", family=socket.AF_UNIX))
    client = socket.socket(socket.AF_UNIX)
    client.setblocking(False)
    await asyncio.get_running_loop().sock_connect(client, path + "2")
    reader, writer = await asyncio.open_unix_connection(sock=client)
    writer.write(b"hello\\n")
    assert await reader.readline() == b"hello\\n"
    writer.close()
    server.close()

asyncio.run(main())
print("done")
"""


def test_the_library_over_native_ends(socket_dir: Path) -> None:
    """With native ends below it, the library's own socket serves threads, duplicates, numbers and asyncio."""
    # "emulated" is what makes samesock.socket ask for an end at all; the program then has it take a native one.
    environment = {
        **os.environ,
        "SAMESOCK_UNIX": "emulated",
        "PYTHONPATH": str(Path(samesock.__file__).parents[1]),
    }
    child = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(socket_dir / "s")],
        env=environment,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert (child.stdout, child.stderr) == ("done\n", "")
