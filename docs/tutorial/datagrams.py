"""UDP sends messages, each for itself: what was sent as two arrives as two."""

import samesock as socket

with (
    socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver,
    socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender,
):
    receiver.settimeout(10)  # a datagram may be lost, so never wait for one without an end
    receiver.bind(("127.0.0.1", 0))  # port 0: the kernel chooses a free one
    address = receiver.getsockname()

    sender.sendto(b"first", address)
    sender.sendto(b"second", address)

    for _ in range(2):
        message, where_from = receiver.recvfrom(1500)
        print("received", message, "from", where_from[0])
