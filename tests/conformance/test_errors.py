"""What an error is: its class, its errno, its words (errno(3)); and the errors of socket(2)."""

from __future__ import annotations

import errno
import os

import pytest

from conformance.raising import PATIENCE, blocking_errno, errno_of


def test_the_modules_errors_are_python_own(net):
    """PEP 3151: socket.error is OSError; gaierror, herror and timeout are OSErrors."""
    assert net.error is OSError
    assert all(issubclass(kind, OSError) for kind in (net.gaierror, net.herror, net.timeout))


def test_a_refusal_is_told_in_full(inet):
    """errno(3): an error has the class for its errno, the number that this platform's errno module gives, and words."""
    with pytest.raises(OSError) as caught:
        inet.tcp().connect(inet.closed_port())
    assert type(caught.value) is ConnectionRefusedError
    assert errno.errorcode[caught.value.errno].removeprefix("WSA") == "ECONNREFUSED"
    assert caught.value.strerror
    assert str(caught.value.errno) in str(caught.value)


def test_a_broken_pipe_is_epipe(net, inet):
    """errno(3): sending after one's own shutdown is EPIPE, and BrokenPipeError is its class."""
    made = inet.connection()
    made.client.shutdown(net.SHUT_WR)
    with pytest.raises(OSError) as caught:
        made.client.send(b"x")
    assert type(caught.value) is BrokenPipeError
    assert caught.value.errno == errno.EPIPE
    assert caught.value.strerror


def test_would_block_is_told_in_full(inet):
    """errno(3): what would block is a BlockingIOError whose errno is EAGAIN or EWOULDBLOCK, and has words."""
    sock = inet.bound_udp()
    sock.setblocking(False)
    with pytest.raises(OSError) as caught:
        sock.recv(1)
    assert type(caught.value) is BlockingIOError
    assert caught.value.errno in (errno.EAGAIN, errno.EWOULDBLOCK)
    assert caught.value.strerror


def test_in_progress_is_told_in_full(inet):
    """errno(3): EINPROGRESS is a BlockingIOError."""
    sock = inet.tcp()
    sock.setblocking(False)
    with pytest.raises(OSError) as caught:
        sock.connect(inet.listener().getsockname())
    assert type(caught.value) is BlockingIOError
    assert caught.value.errno == errno.EINPROGRESS


def test_a_denial_is_a_permission_error(inet):
    """errno(3): EACCES is a PermissionError."""
    with pytest.raises(PermissionError) as caught:
        inet.udp().sendto(b"x", ("127.255.255.255", 9))
    assert caught.value.errno == errno.EACCES


def test_an_address_in_use_has_words(inet):
    """errno(3): EADDRINUSE has no class of its own, but words."""
    with pytest.raises(OSError) as caught:
        inet.tcp().bind(inet.listener().getsockname())
    assert type(caught.value) is OSError
    assert caught.value.errno == errno.EADDRINUSE
    assert caught.value.strerror


def test_an_unknown_family(net):
    """socket(2): EAFNOSUPPORT for a family that does not exist."""
    assert errno_of(net.socket, 213, net.SOCK_STREAM) == errno.EAFNOSUPPORT


def test_an_unknown_protocol(net):
    """socket(2): EPROTONOSUPPORT for a protocol that does not go with the type."""
    assert errno_of(net.socket, net.AF_INET, net.SOCK_STREAM, net.IPPROTO_UDP) == errno.EPROTONOSUPPORT


def test_an_unknown_type(net):
    """socket(2): EINVAL, ESOCKTNOSUPPORT or EPROTONOSUPPORT for a type that the family has not got."""
    code = errno_of(net.socket, net.AF_INET, 99)
    assert code in (errno.EINVAL, errno.ESOCKTNOSUPPORT, errno.EPROTONOSUPPORT)
    code = errno_of(net.socket, net.AF_INET, net.SOCK_SEQPACKET)
    assert code in (errno.ESOCKTNOSUPPORT, errno.EPROTONOSUPPORT)


def test_a_number_that_is_no_descriptor(net):
    """getsockname(2): EBADF for a number that is no open descriptor."""
    assert errno_of(lambda: net.socket(fileno=100_000)) == errno.EBADF


def test_a_descriptor_that_is_no_socket(net):
    """getsockname(2): ENOTSOCK for a descriptor of something else."""
    reading, writing = os.pipe()
    try:
        assert errno_of(lambda: net.socket(fileno=reading)) == errno.ENOTSOCK
    finally:
        os.close(reading)
        os.close(writing)


def test_a_negative_descriptor(net):
    """socket(fileno=n) of a negative number is a ValueError."""
    with pytest.raises(ValueError):
        net.socket(fileno=-1)


def test_a_resolvers_error_has_a_name(net):
    """getaddrinfo(3): an error is a gaierror whose number is one of the EAI_ constants, and has words."""
    with pytest.raises(net.gaierror) as caught:
        net.getaddrinfo("127.0.0.1.", "no service", flags=net.AI_NUMERICHOST | net.AI_NUMERICSERV)
    assert caught.value.errno == net.EAI_NONAME
    assert caught.value.strerror


def test_an_error_of_the_peer_is_told_by_class(inet):
    """errno(3): reset and broken pipe are both ConnectionErrors, so one clause catches a peer that is gone."""
    made = inet.connection()
    inet.reset(made.server)
    made.client.settimeout(PATIENCE)
    for _ in range(2):
        with pytest.raises(ConnectionError):
            made.client.sendall(b"x")
            made.client.recv(1)
            made.client.sendall(b"x")


def test_not_connected_has_words(inet):
    """errno(3): ENOTCONN has no class of its own, but words."""
    with pytest.raises(OSError) as caught:
        inet.tcp().getpeername()
    assert type(caught.value) is OSError
    assert caught.value.strerror


def test_a_failed_call_leaves_no_trace(inet):
    """recv(2): an error of one call is not told again by the next one, which does its own work."""
    sock = inet.tcp()
    assert blocking_errno(sock, "recv", 1) is not None
    listener = inet.listener()
    sock.connect(listener.getsockname())
    server, _ = inet.accept(listener)
    server.sendall(b"x")
    sock.settimeout(PATIENCE)
    assert sock.recv(1) == b"x"
