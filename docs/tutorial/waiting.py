"""One thread, many descriptors: a selector waits for all of them, and tells which are ready."""

import samesock as socket
from samesock import fd, selectors

listener = socket.create_server(("127.0.0.1", 0))
reader, writer = fd.pipe()

with selectors.DefaultSelector() as selector:
    selector.register(listener, selectors.EVENT_READ, "a client waits")
    selector.register(reader, selectors.EVENT_READ, "the pipe has bytes")
    print("at first:", selector.select(timeout=0))

    fd.write(writer, b"wake up")
    print([key.data for key, _ in selector.select(timeout=10)])
    fd.read(reader, 100)

    client = socket.create_connection(listener.getsockname(), timeout=10)
    print([key.data for key, _ in selector.select(timeout=10)])

for sock in (client, listener):
    sock.close()
fd.close(reader)
fd.close(writer)
