"""Messages over a stream: each one's length first, then its bytes, then as many reads as that takes."""

import struct

import samesock as socket

LENGTH = struct.Struct("!I")  # four bytes, in network byte order


def send_message(sock: socket.socket, message: bytes) -> None:
    """Send one message; sendall goes on until the kernel has taken all of it."""
    sock.sendall(LENGTH.pack(len(message)) + message)


def read_exactly(sock: socket.socket, size: int) -> bytes:
    """Read that many bytes; recv gives what is there, which may be less."""
    found = bytearray()
    while len(found) < size:
        piece = sock.recv(size - len(found))
        if not piece:
            raise EOFError(f"the stream ended after {len(found)} of {size} bytes")
        found += piece
    return bytes(found)


def receive_message(sock: socket.socket) -> bytes:
    """Read one message."""
    (size,) = LENGTH.unpack(read_exactly(sock, LENGTH.size))
    return read_exactly(sock, size)


one, other = socket.socketpair()
with one, other:
    send_message(one, b"first")
    send_message(one, b"")
    send_message(one, b"third")
    print([receive_message(other) for _ in range(3)])

    one.sendall(LENGTH.pack(10) + b"half")
    one.close()
    try:
        receive_message(other)
    except EOFError as error:
        print(error)
