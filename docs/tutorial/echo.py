"""An echo server with two clients: every step that any server and any client take."""

import threading

import samesock as socket


def serve(listener: socket.socket, how_many: int) -> None:
    """Accept that many clients, one after the other, and give each its own words back."""
    for _ in range(how_many):
        connection, _address = listener.accept()  # waits until somebody has connected
        with connection:
            while data := connection.recv(4096):  # waits for bytes; b"" when the client is done
                connection.sendall(data.upper())


def ask(address: tuple[str, int], question: bytes) -> bytes:
    """What a client does: connect, say something, say that this was all, read the answer to its end."""
    with socket.create_connection(address, timeout=10) as connection:
        connection.sendall(question)
        connection.shutdown(socket.SHUT_WR)
        answer = b""
        while data := connection.recv(4096):
            answer += data
        return answer


with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as listener:
    listener.bind(("127.0.0.1", 0))  # which address and port
    listener.listen()  # from here on clients can connect; they wait in a queue
    server = threading.Thread(target=serve, args=(listener, 2))
    server.start()

    print(ask(listener.getsockname(), b"hello"))
    print(ask(listener.getsockname(), b"is anybody there?"))
    server.join()
