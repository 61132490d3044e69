"""socket(2): types, protocols and options of the Unix family, and what samesock says of a socket beyond BSD."""

from __future__ import annotations

import errno
import os
import ssl
import threading

import pytest

import samesock
from conformance.raising import errno_of, ours_alone


def test_the_family_has_its_name(net):
    """A Unix socket's family is AF_UNIX, 1, and prints as such."""
    with net.socket(net.AF_UNIX) as sock:
        assert sock.family == net.AF_UNIX == 1
        assert sock.family is net.AF_UNIX
        assert sock.family.name == "AF_UNIX"
        assert (sock.type, sock.proto) == (net.SOCK_STREAM, 0)


def test_unknown_types(net):
    """A socket type that does not exist is EINVAL; a protocol that does not, EPROTONOSUPPORT."""
    assert errno_of(net.socket, net.AF_UNIX, 99) in (errno.EINVAL, errno.ESOCKTNOSUPPORT)
    assert errno_of(net.socket, net.AF_UNIX, net.SOCK_STREAM, 6) == errno.EPROTONOSUPPORT


def test_absent_types_are_os_errors(net):
    """A type of Unix socket is there, or is an OSError: programs fall back on it (SysLogHandler does)."""
    try:
        net.socket(net.AF_UNIX, net.SOCK_DGRAM).close()
    except OSError as error:
        assert error.errno == errno.ESOCKTNOSUPPORT


@pytest.mark.parametrize(
    "kind",
    [
        "SOCK_STREAM",
        pytest.param("SOCK_DGRAM", marks=pytest.mark.needs("unix-dgram")),
        pytest.param("SOCK_SEQPACKET", marks=pytest.mark.needs("unix-seqpacket")),
    ],
)
@pytest.mark.names("socketpair")
def test_a_subclass_has_the_last_word(unix, kind):
    """A program's own subclass of socket overrides methods as of any class, with slots, and its super() is the socket's
    own method; so does a duplicate."""

    class Counting(unix.net.socket):
        __slots__ = ("sent",)

        def __init__(self, *arguments, **named):
            super().__init__(*arguments, **named)
            self.sent = 0

        def send(self, data, *flags):
            self.sent += 1
            return super().send(data, *flags)

        def recv(self, size, *flags):
            return b"<" + super().recv(size, *flags) + b">"

    one, other = unix.pair(getattr(unix.net, kind))
    with Counting(one.family, one.type, one.proto, one.detach()) as own:
        assert own.send(b"there") == 5
        assert other.recv(9) == b"there"
        other.send(b"back")
        assert own.recv(9) == b"<back>"
        with own.dup() as copy:
            assert isinstance(copy, Counting)
            other.send(b"again")
            assert copy.recv(9) == b"<again>"
        assert (own.sent, copy.sent) == (1, 0)


@pytest.mark.parametrize("option", ["SO_REUSEADDR", "SO_KEEPALIVE"])
def test_meaningless_options_are_taken(unix, option):
    """SO_REUSEADDR and SO_KEEPALIVE are accepted, and change nothing."""
    net = unix.net
    sock = unix.socket()
    sock.setsockopt(net.SOL_SOCKET, getattr(net, option), 1)
    sock.bind(unix.path())
    sock.listen(1)
    assert sock.getsockopt(net.SOL_SOCKET, getattr(net, option)) != 0
    assert errno_of(unix.socket().bind, unix.path()) == errno.EADDRINUSE


def test_tcps_options_are_not_a_unix_sockets(unix):
    """setsockopt(2) and getsockopt(2) of TCP's level are EOPNOTSUPP."""
    sock = unix.connection().client
    assert errno_of(sock.setsockopt, unix.net.IPPROTO_TCP, unix.net.TCP_NODELAY, 1) == errno.EOPNOTSUPP
    assert errno_of(sock.getsockopt, unix.net.IPPROTO_TCP, unix.net.TCP_NODELAY) == errno.EOPNOTSUPP


def test_the_socket_says_its_type(unix):
    """SO_TYPE is SOCK_STREAM, SO_ERROR 0, SO_ACCEPTCONN whether it listens."""
    net, made = unix.net, unix.connection()
    assert made.client.getsockopt(net.SOL_SOCKET, net.SO_TYPE) == net.SOCK_STREAM
    assert made.client.getsockopt(net.SOL_SOCKET, net.SO_ERROR) == 0
    assert bool(made.listener.getsockopt(net.SOL_SOCKET, net.SO_ACCEPTCONN))
    assert not made.client.getsockopt(net.SOL_SOCKET, net.SO_ACCEPTCONN)


def test_abstract_names(unix):
    """A name with a leading NUL is native on Linux, else EADDRNOTAVAIL."""
    sock = unix.socket()
    try:
        sock.bind(b"\0samesock-test-%d" % os.getpid())
    except OSError as error:
        assert error.errno == errno.EADDRNOTAVAIL
    else:
        assert sock.getsockname() == b"\0samesock-test-%d" % os.getpid()


@ours_alone
def test_transport_says_how(unix):
    """`transport` is `native` or `emulated` for a Unix socket, `native` for an Internet one."""
    made = unix.connection()
    assert {s.transport for s in (made.listener, made.client, made.server)} <= {"native", "emulated"}
    assert made.client.transport == samesock.features()["unix-stream"]
    with samesock.socket(samesock.AF_INET) as tcp:
        assert tcp.transport == "native"


@ours_alone
def test_peercred_is_right(unix):
    """peercred() names this process at both ends, or says that it does not know."""
    made = unix.connection()
    for sock in (made.client, made.server):
        who = samesock.peercred(sock)
        assert who.pid in (os.getpid(), None)
        if hasattr(os, "geteuid"):
            assert who.uid == os.geteuid()
            assert who.pid == os.getpid()
        assert who.trust in ("kernel", "table", "claimed")


@ours_alone
def test_peercred_needs_a_peer(unix):
    """peercred() without a peer is ENOTCONN, and of another family EOPNOTSUPP."""
    assert errno_of(samesock.peercred, unix.socket()) == errno.ENOTCONN
    with samesock.socket(samesock.AF_INET) as tcp:
        assert errno_of(samesock.peercred, tcp) == errno.EOPNOTSUPP


@ours_alone
def test_unix_path_gives_a_place(net):
    """unix_path(name) is a short path in a private directory where a socket can be bound."""
    path = samesock.unix_path(f"test-{os.getpid()}")
    assert len(os.fsencode(path)) <= 103
    with net.socket(net.AF_UNIX) as sock:
        sock.bind(path)
        os.unlink(path)


@ours_alone
@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "a\\b", "x" * 200, "a\0b"])
def test_unix_path_refuses_what_is_no_name(net, name):
    """unix_path() of what is not a plain, short file name is a ValueError."""
    with pytest.raises(ValueError, match=r"name|bytes"):
        samesock.unix_path(name)


CERTIFICATE = os.path.join(os.path.dirname(__file__), "localhost.pem")


def test_tls_over_a_unix_socket(unix):
    """TLS works over a Unix socket: handshake, data in both directions, the peer's name."""
    made = unix.connection()
    server_side = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server_side.load_cert_chain(CERTIFICATE)
    client_side = ssl.create_default_context(cafile=CERTIFICATE)
    if unix.net is samesock:
        server_side.sslsocket_class = client_side.sslsocket_class = samesock.SSLSocket
    answers = []

    def serve() -> None:
        with server_side.wrap_socket(made.server, server_side=True) as tls:
            answers.append(tls.recv(100))
            tls.sendall(b"sealed answer")

    thread = threading.Thread(target=serve)
    thread.start()
    with client_side.wrap_socket(made.client, server_hostname="localhost") as tls:
        assert tls.family == unix.net.AF_UNIX
        assert tls.getpeername() == unix.path()
        tls.sendall(b"sealed question")
        assert tls.recv(100) == b"sealed answer"
    thread.join()
    assert answers == [b"sealed question"]
