"""A daemon that runs on Unix and on Windows: one at a time, for this user alone, until it is told to stop."""

import os
import threading

import samesock as socket


def claim(path: str) -> socket.socket:
    """The listening socket at the path. A dead daemon's file is taken away; a living one is left in peace."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        listener.bind(path)
    except OSError:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            try:
                probe.connect(path)
            except ConnectionRefusedError:
                os.unlink(path)  # the file of one that has ended
                listener.bind(path)
            else:
                listener.close()
                raise SystemExit(f"{os.path.basename(path)} is being served already") from None
    listener.listen()
    return listener


def serve(listener: socket.socket) -> None:
    """One line in, one line out; "stop" ends it."""
    while True:
        connection, _ = listener.accept()
        with connection, connection.makefile("rw", encoding="utf-8", newline="\n") as stream:
            word = stream.readline().strip()
            if not word:
                continue  # somebody looked whether we live
            peer = socket.peercred(connection)
            who = "myself" if peer.pid == os.getpid() else f"process {peer.pid}"
            print(f"{word} from {who}", file=stream, flush=True)
        if word == "stop":
            return


def ask(path: str, word: str) -> str:
    """The client's side."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.connect(path)
        with connection.makefile("rw", encoding="utf-8", newline="\n") as stream:
            print(word, file=stream, flush=True)
            return stream.readline().strip()


def main() -> None:
    path = socket.unix_path(f"guide-{os.getpid()}")
    socket.create_server(path, family=socket.AF_UNIX).close()  # as if one had died here: its file is left
    with claim(path) as listener:
        daemon = threading.Thread(target=serve, args=(listener,))
        daemon.start()
        try:
            claim(path)
        except SystemExit as reason:
            print("a second one:", str(reason).partition(" ")[2])
        print(ask(path, "hello"))
        print(ask(path, "stop"))
        daemon.join()
    os.unlink(path)


main()
