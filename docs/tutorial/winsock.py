"""Where Windows' sockets are not like the rest of the system's descriptors."""

import os

import samesock as socket
from samesock import fd

one, other = socket.socketpair()
with one, other:
    one.sendall(b"hello")
    try:
        print("os.read of a socket's number:", os.read(other.fileno(), 5))
    except OSError as error:
        print("os.read of a socket's number:", error.strerror)
        print("samesock.fd.read of that number:", fd.read(other.fileno(), 5))

with socket.create_server(("127.0.0.1", 0)) as listener:
    address = listener.getsockname()
try:
    socket.create_connection(address, timeout=30)
except ConnectionRefusedError as error:
    print("refused:", type(error).__name__, getattr(error, "winerror", None))

with socket.socket(socket.AF_UNIX) as sock:
    try:
        sock.connect(os.path.join(os.path.dirname(__file__), "nobody.sock"))
    except FileNotFoundError as error:
        print("no such path:", type(error).__name__)
