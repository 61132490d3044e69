"""Two real processes move 256 MiB over one AF_UNIX path; both print the SHA-256 of what they had, and the rate.

`python tests/bench/move_256_mib.py [MiB]`; exits 1 if the digests differ. The data is made from a counter as it goes,
so that a lost, doubled or swapped block changes the digest. What must never be put here: anything that the library's
user would not write.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tempfile
import time

import samesock as socket

BLOCK = 1 << 16


def send(path: str, mebibytes: int) -> str:
    """Connect, send, end the stream, and wait for the receiver's digest; the digest of what was sent."""
    digest = hashlib.sha256()
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        sock.connect(path)
        for number in range(mebibytes * (1 << 20) // BLOCK):
            block = number.to_bytes(8, "big") * (BLOCK // 8)
            digest.update(block)
            sock.sendall(block)
        sock.shutdown(socket.SHUT_WR)
        sock.recv(1)
    return digest.hexdigest()


def receive(listener: socket.socket) -> tuple[str, int]:
    """Accept one connection and read it to its end; the digest and the number of bytes."""
    digest, size = hashlib.sha256(), 0
    room = memoryview(bytearray(BLOCK))
    sock, _ = listener.accept()
    with sock:
        while got := sock.recv_into(room):
            digest.update(room[:got])
            size += got
        sock.sendall(b".")
    return digest.hexdigest(), size


def main(mebibytes: int) -> int:
    """The receiver, with the sender as its child."""
    with tempfile.TemporaryDirectory(prefix="ss-") as folder:
        path = os.path.join(folder, "s")
        with socket.create_server(path, family=socket.AF_UNIX) as listener:
            line = [sys.executable, os.path.abspath(__file__), "send", path, str(mebibytes)]
            with subprocess.Popen(line, stdout=subprocess.PIPE, text=True) as sender:
                start = time.perf_counter()
                received, size = receive(listener)
                seconds = time.perf_counter() - start
                assert sender.stdout is not None
                sent = sender.stdout.read().strip()
            transport = listener.transport
        os.unlink(path)
    print(f"{size} bytes over a Unix socket ({transport}) from process {sender.pid} to process {os.getpid()}")
    print(f"sent:     {sent}\nreceived: {received}")
    print(
        f"{'equal' if sent == received else 'DIFFERENT'}; {size / (1 << 20) / seconds:.0f} MiB/s, hashing at both ends"
    )
    return int(sent != received or size != mebibytes << 20)


if __name__ == "__main__":
    if sys.argv[1:2] == ["send"]:
        print(send(sys.argv[2], int(sys.argv[3])))
    else:
        sys.exit(main(int(sys.argv[1]) if sys.argv[1:] else 256))
