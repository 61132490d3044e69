"""A Unix domain socket: a server's address is a file's path."""

import errno
import os

import samesock as socket

# Short enough everywhere, and in a directory of this user's alone.
path = socket.unix_path(f"tutorial-{os.getpid()}")

listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
listener.bind(path)
listener.listen()
print("the path exists:", os.path.exists(path))

with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
    client.connect(path)
    server, _ = listener.accept()
    with server:
        client.sendall(b"hello")
        print("the server received", server.recv(100))
        print("its peer is this process:", socket.peercred(server).pid == os.getpid())

listener.close()
print("after closing, the path exists:", os.path.exists(path))

with socket.socket(socket.AF_UNIX) as client:
    try:
        client.connect(path)
    except ConnectionRefusedError:
        print("connecting to a path that nobody listens at: refused")

with socket.socket(socket.AF_UNIX) as late:
    try:
        late.bind(path)
    except OSError as error:
        print("binding it again: EADDRINUSE", error.errno == errno.EADDRINUSE)
    os.unlink(path)
    late.bind(path)
    print("after unlinking it: bound")
os.unlink(path)
