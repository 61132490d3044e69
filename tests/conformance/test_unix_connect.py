"""connect(2) and accept(2) of Unix sockets."""

from __future__ import annotations

import errno
import os
import threading
import time

import pytest

from conformance.raising import errno_of


def test_connect_needs_no_accept(unix):
    """connect(2) to a listening Unix socket returns without anybody calling accept(2)."""
    listener = unix.listener()
    client = unix.client()
    client.send(b"early")
    server, _ = unix.accept(listener)
    assert server.recv(5) == b"early"


def test_no_such_file(unix):
    """connect(2) to a path with no file is ENOENT."""
    assert errno_of(unix.socket().connect, unix.path()) == errno.ENOENT


def test_bound_is_not_listening(unix):
    """connect(2) to a bound socket that does not listen is ECONNREFUSED, and works once it does."""
    sock = unix.socket()
    sock.bind(unix.path())
    client = unix.socket()
    assert errno_of(client.connect, unix.path()) == errno.ECONNREFUSED
    sock.listen(1)
    client.connect(unix.path())


def test_nobody_is_there_any_more(unix):
    """connect(2) to the file of a closed socket is ECONNREFUSED."""
    unix.listener().close()
    assert errno_of(unix.socket().connect, unix.path()) == errno.ECONNREFUSED


@pytest.mark.parametrize("content", [b"", b"plain text", bytes(256), bytes(100_000)])
def test_a_plain_file_is_no_socket(unix, content):
    """connect(2) to a plain file is ECONNREFUSED and leaves it as it was."""
    with open(unix.path(), "wb") as file:
        file.write(content)
    assert errno_of(unix.socket().connect, unix.path()) == errno.ECONNREFUSED
    with open(unix.path(), "rb") as file:
        assert file.read() == content


def test_a_folder_is_no_socket(unix):
    """connect(2) to a directory is ECONNREFUSED."""
    assert errno_of(unix.socket().connect, str(unix.folder)) == errno.ECONNREFUSED


def test_a_socket_can_try_again(unix):
    """A socket whose connect(2) was refused can connect elsewhere."""
    unix.listener("dead").close()
    unix.listener("alive")
    client = unix.socket()
    assert errno_of(client.connect, unix.path("dead")) == errno.ECONNREFUSED
    assert errno_of(client.connect, unix.path("absent")) == errno.ENOENT
    client.connect(unix.path("alive"))
    assert client.getpeername() == unix.path("alive")


def test_connecting_twice(unix):
    """connect(2) of a connected socket is EISCONN."""
    made = unix.connection()
    assert errno_of(made.client.connect, unix.path()) == errno.EISCONN
    assert errno_of(made.server.connect, unix.path()) == errno.EISCONN


def test_a_listener_cannot_connect(unix):
    """connect(2) of a listening socket is EINVAL."""
    assert errno_of(unix.listener().connect, unix.path()) == errno.EINVAL


def test_the_path_is_looked_at_first(unix):
    """connect(2) of a connected socket to a path that does not exist is ENOENT."""
    assert errno_of(unix.connection().client.connect, unix.path("absent")) == errno.ENOENT


def test_the_empty_name_cannot_be_connected_to(unix):
    """connect(2) to the empty name is EINVAL."""
    assert errno_of(unix.socket().connect, "") == errno.EINVAL


def test_connect_ex_returns_the_errno(unix):
    """connect_ex gives what connect would raise as a number, and 0 for success."""
    client = unix.socket()
    assert client.connect_ex(unix.path()) == errno.ENOENT
    unix.listener()
    assert client.connect_ex(unix.path()) == 0
    assert client.connect_ex(unix.path()) == errno.EISCONN


def test_links_are_followed(unix):
    """connect(2) follows a symbolic link; bind(2) does not."""
    try:
        os.symlink(unix.path("file"), unix.path("link to a file"))
        with open(unix.path("file"), "wb"), open(unix.path("link to a file"), "rb"):
            pass
    except OSError:
        pytest.skip("symbolic links that lead to a file made later are absent here")
    os.symlink(unix.path("real"), unix.path("link"))
    assert errno_of(unix.socket().connect, unix.path("link")) == errno.ENOENT
    unix.listener("real")
    unix.client("link")
    assert errno_of(unix.socket().bind, unix.path("link")) == errno.EADDRINUSE


def test_accepting_needs_a_listener(unix):
    """accept(2) of a socket that does not listen is EINVAL."""
    assert errno_of(unix.socket().accept) == errno.EINVAL
    assert errno_of(unix.connection().client.accept) == errno.EINVAL


def test_clients_come_in_order(unix):
    """accept(2) takes clients in the order in which they connected."""
    listener = unix.listener()
    for number in range(8):
        unix.client().send(bytes([number]))
    assert [unix.accept(listener)[0].recv(1) for _ in range(8)] == [bytes([number]) for number in range(8)]


def test_accepted_sockets_are_of_the_same_kind(unix):
    """accept() gives a socket of the module's own class, with family, type and protocol of the listener."""
    listener = unix.listener()
    unix.client()
    server, _ = unix.accept(listener)
    assert type(server) is unix.net.socket
    assert (server.family, server.type, server.proto) == (listener.family, listener.type, listener.proto)
    assert server.family == unix.net.AF_UNIX


def test_accepted_sockets_block(unix):
    """An accepted socket is blocking, whatever the listener's mode."""
    listener = unix.listener()
    listener.settimeout(5)
    unix.client()
    server, _ = unix.accept(listener)
    assert server.gettimeout() is None
    listener.setblocking(False)
    unix.client()
    server, _ = unix.accept(listener)
    assert server.gettimeout() is None


def test_sockets_are_not_inheritable(unix):
    """PEP 446: new and accepted sockets are not inheritable."""
    made = unix.connection()
    assert [s.get_inheritable() for s in (made.listener, made.client, made.server)] == [False] * 3


def test_a_full_queue_is_eagain_to_a_non_blocking_client(unix):
    """connect(2) of a non-blocking socket to a full queue is EAGAIN, and the queue takes backlog + 1 (Linux)."""
    unix.listener(backlog=2)
    for _ in range(3):
        unix.client()
    late = unix.socket()
    late.setblocking(False)
    with pytest.raises(BlockingIOError):
        late.connect(unix.path())


def test_a_full_queue_is_waited_for(unix):
    """connect(2) of a blocking socket waits until the queue has room."""
    listener = unix.listener(backlog=0)
    unix.client()
    late = unix.socket()
    done = threading.Event()

    def connect() -> None:
        late.connect(unix.path())
        done.set()

    thread = threading.Thread(target=connect)
    thread.start()
    assert not done.wait(0.15)
    unix.accept(listener)
    assert done.wait(10)
    thread.join()
    unix.accept(listener)


def test_a_full_queue_is_not_waited_for_beyond_the_timeout(unix):
    """connect() with a time-out to a queue that stays full ends by then: EAGAIN at once (Linux) or TimeoutError."""
    unix.listener(backlog=0)
    unix.client()
    late = unix.socket()
    late.settimeout(0.1)
    begun = time.monotonic()
    with pytest.raises((TimeoutError, BlockingIOError)):
        late.connect(unix.path())
    assert time.monotonic() - begun < 10


def test_a_non_blocking_connect_is_complete(unix):
    """connect(2) of a non-blocking Unix socket is complete when it returns, and the socket stays non-blocking."""
    listener = unix.listener()
    client = unix.socket()
    client.setblocking(False)
    client.connect(unix.path())
    server, _ = unix.accept(listener)
    client.send(b"now")
    assert server.recv(3) == b"now"
    with pytest.raises(BlockingIOError):
        client.recv(1)


def test_a_client_that_has_gone_is_still_accepted(unix):
    """A client that connected, sent and closed before accept(2) is accepted, with its data and its end."""
    listener = unix.listener()
    client = unix.client()
    client.send(b"will")
    client.close()
    server, _ = unix.accept(listener)
    assert server.recv(10) == b"will"
    assert server.recv(10) == b""


def test_closing_the_listener_resets_who_waits(unix):
    """A client in the queue sees a reset or the end when the listener closes."""
    listener = unix.listener()
    client = unix.client()
    listener.close()
    client.settimeout(10)
    try:
        assert client.recv(1) == b""
    except ConnectionResetError:
        pass


def test_a_closed_socket_is_closed(unix):
    """Every call on a closed socket is EBADF."""
    made = unix.connection()
    for sock in (made.listener, made.client):
        sock.close()
        for call in (sock.getsockname, sock.getpeername, sock.listen, sock.accept):
            assert errno_of(call) == errno.EBADF
        assert errno_of(sock.connect, unix.path()) == errno.EBADF
        assert sock.fileno() == -1
        sock.close()
