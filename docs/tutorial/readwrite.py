"""read and write are for every descriptor; recv and send are for sockets, and take flags."""

import samesock as socket
from samesock import fd

one, other = socket.socketpair()
reader, writer = fd.pipe()

with one, other:
    for to, out in [(one, other), (writer, reader)]:
        fd.write(to, b"the same call")
        print(fd.kind(out), "gave", fd.read(out, 100))

    one.send(b"look first")
    print("peeked at", other.recv(100, socket.MSG_PEEK))  # it stays where it is
    print("then took", other.recv(100))

    one.shutdown(socket.SHUT_WR)
    print("the end of the stream:", fd.read(other, 100), other.recv(100))
fd.close(reader)
fd.close(writer)
