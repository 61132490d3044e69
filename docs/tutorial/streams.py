"""TCP sends bytes in order, and keeps no boundaries: two calls of sendall are one stream."""

import samesock as socket

with socket.create_server(("127.0.0.1", 0)) as listener:
    client = socket.create_connection(listener.getsockname(), timeout=10)
    server, _ = listener.accept()

with client, server:
    client.sendall(b"first")
    client.sendall(b"second")
    client.shutdown(socket.SHUT_WR)  # "I have said everything"; reading goes on to work

    received = b""
    while piece := server.recv(4):  # at most 4 bytes a call; b"" is the end of the stream
        received += piece
    print("the stream was", received)

    server.sendall(b"thanks")
    print("the other direction:", client.recv(100))
