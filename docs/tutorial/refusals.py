"""What goes wrong between a client and a server has names, and the same ones everywhere."""

import errno

import samesock as socket

with socket.create_server(("127.0.0.1", 0)) as listener:
    address = listener.getsockname()
    try:
        socket.create_server(address)
    except OSError as error:
        print("a second server at the same address: EADDRINUSE", error.errno == errno.EADDRINUSE)

try:
    socket.create_connection(address, timeout=30)
except ConnectionRefusedError as error:
    print("nobody listens any more: ECONNREFUSED", error.errno == errno.ECONNREFUSED)

with socket.create_server(("127.0.0.1", 0)) as listener:
    client = socket.create_connection(listener.getsockname(), timeout=0.2)
    try:
        client.recv(1)  # connected, but nobody ever answers
    except TimeoutError as error:
        print("nobody answers in time:", error)
    client.close()
