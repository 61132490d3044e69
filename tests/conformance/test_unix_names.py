"""Names of Unix sockets: getsockname(2), getpeername(2), and what a path may be (unix(7))."""

from __future__ import annotations

import errno
import os

import pytest

from conformance.raising import errno_of, ours_alone
from samesock._address import LAYOUT


def test_a_new_socket_has_no_name(unix):
    """getsockname(2) of an unbound Unix socket is the empty name."""
    assert unix.socket().getsockname() == ""


def test_the_name_is_as_given_to_bind(unix):
    """getsockname(2) gives the path exactly as bind(2) was given it."""
    sock = unix.socket()
    sock.bind(unix.path())
    assert sock.getsockname() == unix.path()


def test_a_name_may_be_given_as_bytes(unix):
    """A path given as bytes is the same path as its str."""
    sock = unix.socket()
    sock.bind(os.fsencode(unix.path()))
    assert sock.getsockname() == unix.path()


def test_a_name_may_have_any_letters(unix):
    """A path with letters beyond ASCII comes back unchanged, and can be connected to."""
    unix.listener("größe-名")
    assert unix.client("größe-名").getpeername() == unix.path("größe-名")


def test_a_relative_name_stays_relative(unix, monkeypatch):
    """A relative path is taken from the current directory, and named as it was given."""
    monkeypatch.chdir(unix.folder)
    listener = unix.socket()
    listener.bind("relative")
    listener.listen(1)
    assert listener.getsockname() == "relative"
    client = unix.socket()
    client.connect("relative")
    assert client.getpeername() == "relative"


def test_an_accepted_socket_has_the_listeners_name(unix):
    """unix(7): the accepted socket's own name is the listener's."""
    assert unix.connection().server.getsockname() == unix.path()


def test_the_clients_peer_is_the_listener(unix):
    """getpeername(2) of a client is the path that the listener was bound to."""
    assert unix.connection().client.getpeername() == unix.path()


def test_an_unnamed_client_is_the_empty_name(unix):
    """accept(2) and getpeername(2) give the empty name for a client that was not bound."""
    unix.listener()
    listener = unix.listener("t")
    unix.client("t")
    server, name = unix.accept(listener)
    assert name == ""
    assert server.getpeername() == ""


def test_a_named_client_is_seen_by_its_name(unix):
    """accept(2) gives the path that a client was bound to before it connected."""
    listener = unix.listener()
    client = unix.socket()
    client.bind(unix.path("client"))
    client.connect(unix.path())
    server, name = unix.accept(listener)
    assert name == unix.path("client")
    assert server.getpeername() == unix.path("client")
    assert client.getsockname() == unix.path("client")


def test_recvfrom_names_the_sender(unix):
    """recvfrom(2) on a stream gives the sender's path, and no name for an unnamed sender."""
    made = unix.connection()
    made.client.send(b"up")
    made.server.send(b"down")
    assert made.server.recvfrom(4) == (b"up", None)
    assert made.client.recvfrom(4) == (b"down", unix.path())


def test_an_unconnected_socket_has_no_peer(unix):
    """getpeername(2) of an unconnected socket is ENOTCONN."""
    assert errno_of(unix.socket().getpeername) == errno.ENOTCONN


def test_a_listener_has_no_peer(unix):
    """getpeername(2) of a listening socket is ENOTCONN."""
    assert errno_of(unix.listener().getpeername) == errno.ENOTCONN


def test_the_peers_name_outlives_the_peer(unix):
    """getpeername(2) of a Unix socket works after the peer has closed."""
    made = unix.connection()
    made.server.close()
    assert made.client.recv(1) == b""
    assert made.client.getpeername() == unix.path()


@pytest.mark.parametrize("address", [5, ("a", 1), None, 1.5])
def test_an_address_is_text_or_bytes(unix, address):
    """An address of another type is a TypeError, for bind and connect alike, and changes nothing."""
    sock = unix.socket()
    with pytest.raises(TypeError):
        sock.bind(address)
    with pytest.raises(TypeError):
        sock.connect(address)
    sock.bind(unix.path())


def test_the_longest_path_fits(unix):
    """A path of 107 bytes (Linux, Windows) or 103 (macOS, BSD) can be bound and connected to."""
    room = LAYOUT.room - 1 - len(os.fsencode(unix.path("")))
    if os.fsencode(unix.path(""))[-1:] not in (b"/", b"\\"):
        room -= 1
    name = "x" * room
    unix.listener(name)
    assert unix.client(name).getpeername() == unix.path(name)


@pytest.mark.parametrize("call", ["bind", "connect"])
def test_a_path_too_long_is_refused(unix, call):
    """A path that does not fit is an OSError without an errno that says so, as CPython raises it."""
    with pytest.raises(OSError, match="AF_UNIX path too long") as caught:
        getattr(unix.socket(), call)(unix.path("x" * 120))
    assert caught.value.errno is None


@ours_alone
@pytest.mark.parametrize("call", ["bind", "connect", "connect_ex"])
def test_a_nul_in_a_path_is_refused(unix, call):
    """A NUL inside a path is a ValueError, where C would cut the path and use another file."""
    with pytest.raises(ValueError, match="null byte"):
        getattr(unix.socket(), call)(unix.path("a\0b"))
    assert os.listdir(unix.folder) == []


@ours_alone
def test_errors_name_the_path(unix):
    """What bind and connect raise says which path it was."""
    for call, path in (("connect", unix.path("absent")), ("bind", unix.path("no/such/folder"))):
        with pytest.raises(FileNotFoundError) as caught:
            getattr(unix.socket(), call)(path)
        assert caught.value.filename == path
        assert path in str(caught.value) or repr(path) in str(caught.value)
