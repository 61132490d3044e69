"""bind(2) and listen(2) of Unix sockets, and the file at the path."""

from __future__ import annotations

import errno
import os

import pytest

from conformance.raising import errno_of


def test_bind_makes_a_file(unix):
    """bind(2) makes a file at the path."""
    sock = unix.socket()
    sock.bind(unix.path())
    assert os.path.lexists(unix.path())


def test_the_file_outlives_the_socket(unix):
    """unix(7): closing the socket leaves its file."""
    unix.listener().close()
    assert os.path.lexists(unix.path())


def test_a_live_name_is_in_use(unix):
    """bind(2) to a path where somebody listens is EADDRINUSE."""
    unix.listener()
    assert errno_of(unix.socket().bind, unix.path()) == errno.EADDRINUSE
    unix.client()


def test_a_stale_name_is_in_use(unix):
    """bind(2) to the file of a socket that is gone is EADDRINUSE, until somebody unlinks it."""
    unix.listener().close()
    sock = unix.socket()
    assert errno_of(sock.bind, unix.path()) == errno.EADDRINUSE
    os.unlink(unix.path())
    sock.bind(unix.path())
    sock.listen(1)
    unix.client()


@pytest.mark.parametrize("content", [b"", b"precious", b"!samesock 1\n" + bytes(244)])
def test_a_plain_file_is_left_alone(unix, content):
    """bind(2) to an existing file is EADDRINUSE and leaves every byte of it."""
    with open(unix.path(), "wb") as file:
        file.write(content)
    assert errno_of(unix.socket().bind, unix.path()) == errno.EADDRINUSE
    with open(unix.path(), "rb") as file:
        assert file.read() == content


def test_a_folder_is_in_use(unix):
    """bind(2) to an existing directory is EADDRINUSE."""
    os.mkdir(unix.path())
    assert errno_of(unix.socket().bind, unix.path()) == errno.EADDRINUSE


def test_a_missing_folder_is_missed(unix):
    """bind(2) in a directory that does not exist is ENOENT."""
    assert errno_of(unix.socket().bind, unix.path("none/s")) == errno.ENOENT


def test_a_file_is_no_folder(unix):
    """bind(2) and connect(2) below a plain file are ENOTDIR."""
    with open(unix.path("file"), "wb"):
        pass
    assert errno_of(unix.socket().bind, unix.path("file/s")) == errno.ENOTDIR
    assert errno_of(unix.socket().connect, unix.path("file/s")) == errno.ENOTDIR


def test_one_name_a_socket(unix):
    """bind(2) of a socket that has a name is EINVAL."""
    sock = unix.socket()
    sock.bind(unix.path("a"))
    assert errno_of(sock.bind, unix.path("b")) == errno.EINVAL
    assert not os.path.lexists(unix.path("b"))


def test_a_failed_bind_can_be_repeated(unix):
    """A socket whose bind(2) failed can be bound elsewhere."""
    unix.listener("taken")
    sock = unix.socket()
    assert errno_of(sock.bind, unix.path("taken")) == errno.EADDRINUSE
    sock.bind(unix.path("free"))
    sock.listen(1)
    assert unix.client("free").getpeername() == unix.path("free")


def test_a_connected_socket_can_take_a_name(unix):
    """bind(2) of a connected, unnamed socket gives it a name, as Linux does."""
    made = unix.connection()
    made.client.bind(unix.path("late"))
    assert made.client.getsockname() == unix.path("late")
    assert os.path.lexists(unix.path("late"))
    assert errno_of(unix.socket().connect, unix.path("late")) == errno.ECONNREFUSED


def test_listening_needs_a_name(unix):
    """listen(2) of a Unix socket without a name is EINVAL."""
    assert errno_of(unix.socket().listen) == errno.EINVAL


def test_a_connected_socket_cannot_listen(unix):
    """listen(2) of a connected socket is EINVAL."""
    assert errno_of(unix.connection().client.listen) == errno.EINVAL


def test_listening_again_is_no_error(unix):
    """listen(2) of a listening socket sets another backlog."""
    listener = unix.listener(backlog=1)
    listener.listen(5)
    unix.client()
    unix.accept(listener)


def test_listen_needs_no_backlog(unix):
    """listen() without a backlog has a reasonable one; a negative one counts as 0."""
    sock = unix.socket()
    sock.bind(unix.path())
    sock.listen()
    sock.listen(-5)
    unix.client()
    unix.accept(sock)


def test_a_path_can_be_renamed(unix):
    """A socket's file can be renamed while it listens, and the new name connects."""
    listener = unix.listener("old")
    os.rename(unix.path("old"), unix.path("new"))
    assert errno_of(unix.socket().connect, unix.path("old")) == errno.ENOENT
    client = unix.client("new")
    server, _ = unix.accept(listener)
    client.send(b"x")
    assert server.recv(1) == b"x"


def test_a_path_can_be_unlinked_while_it_listens(unix):
    """After unlink(2) the name is free, the old listener keeps whom it has, and a new one takes over the name."""
    old = unix.listener()
    first = unix.client()
    os.unlink(unix.path())
    new = unix.listener()
    second = unix.client()
    from_old, _ = unix.accept(old)
    from_new, _ = unix.accept(new)
    first.send(b"old")
    second.send(b"new")
    assert from_old.recv(3) == b"old"
    assert from_new.recv(3) == b"new"


@pytest.mark.names("create_server")
def test_create_server_listens_at_a_path(unix):
    """create_server(path, family=AF_UNIX) gives a listening socket."""
    with unix.net.create_server(unix.path(), family=unix.net.AF_UNIX) as listener:
        unix.client()
        unix.accept(listener)


@pytest.mark.names("create_server")
def test_create_server_refuses_options_that_do_not_fit(unix):
    """create_server(dualstack_ipv6=True) with a path is a ValueError."""
    with pytest.raises(ValueError, match="dualstack_ipv6"):
        unix.net.create_server(unix.path(), family=unix.net.AF_UNIX, dualstack_ipv6=True)


@pytest.mark.names("create_server")
def test_create_server_closes_what_it_could_not_bind(unix):
    """create_server at a taken path raises EADDRINUSE."""
    unix.listener()
    with pytest.raises(OSError) as caught:
        unix.net.create_server(unix.path(), family=unix.net.AF_UNIX)
    assert caught.value.errno == errno.EADDRINUSE
