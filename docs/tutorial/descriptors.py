"""A file, a pipe and a socket are three kinds of thing with one kind of name: a descriptor."""

import samesock as socket
from samesock import fd

reader, writer = fd.pipe()
with open(__file__, "rb") as file, socket.socket(socket.AF_INET, socket.SOCK_STREAM) as sock:
    for name, thing in [("the open file", file), ("the pipe's end", reader), ("the socket", sock)]:
        print(f"{name} has a number, and the kernel calls it a {fd.kind(thing)}")

    copy = sock.dup()  # a second number for the same socket

print("after closing the first number:", fd.is_open(sock))
print("the second number is open:", fd.is_open(copy))
copy.close()  # the last one: now the socket itself is gone

print("a closed socket has no number:", copy.fileno())
fd.close(reader)
fd.close(writer)
