"""fcntl(2) FD_CLOEXEC and execve(2): which sockets a child process gets (PEP 446)."""

from __future__ import annotations

import subprocess
import sys

import pytest

from conformance.raising import PATIENCE, names

CHILD_TIME = 50.0
"""Seconds for a process to start and do one thing, on a busy machine under Wine."""


def run(net, code, *arguments):
    """Run code in a child that gets whatever is inheritable; `net` is the module there."""
    program = f"import sys, {net.__name__} as net\n{code}"
    line = [sys.executable, "-c", program, *map(str, arguments)]
    done = subprocess.run(
        line, close_fds=False, capture_output=True, text=True, timeout=CHILD_TIME, check=False
    )
    return done.stdout.strip() or done.stderr


def test_a_new_socket_is_private(net):
    """PEP 446: a new socket is not inheritable."""
    with net.socket() as sock:
        assert sock.get_inheritable() is False


def test_a_duplicate_is_private(inet):
    """dup(2), PEP 446: a duplicate is not inheritable, whatever the first is."""
    sock = inet.tcp()
    sock.set_inheritable(True)
    with sock.dup() as copy:
        assert copy.get_inheritable() is False


def test_a_copy_of_a_number_is_private(net, inet):
    """fromfd(), PEP 446: the duplicate is not inheritable."""
    sock = inet.tcp()
    with net.fromfd(sock.fileno(), net.AF_INET, net.SOCK_STREAM) as copy:
        assert copy.get_inheritable() is False


def test_it_can_be_changed(net):
    """set_inheritable() is read back by get_inheritable() (fcntl(2), FD_CLOEXEC)."""
    with net.socket() as sock:
        for wanted in (True, False):
            sock.set_inheritable(wanted)
            assert sock.get_inheritable() is wanted


def test_a_mode_does_not_change_it(net):
    """settimeout() leaves whether a socket is inheritable as it was."""
    with net.socket() as sock:
        sock.set_inheritable(True)
        sock.settimeout(1)
        assert sock.get_inheritable() is True


def test_detaching_does_not_change_it(net):
    """detach() leaves whether a socket is inheritable as it was."""
    with net.socket() as sock:
        sock.set_inheritable(True)
        with net.socket(fileno=sock.detach()) as again:
            assert again.get_inheritable() is True


@names("SOCK_CLOEXEC")
def test_private_from_the_start(net):
    """socket(2): SOCK_CLOEXEC makes a socket that is not inheritable, and its type does not show it."""
    with net.socket(net.AF_INET, net.SOCK_STREAM | net.SOCK_CLOEXEC) as sock:
        assert sock.get_inheritable() is False
        assert sock.type == net.SOCK_STREAM


@pytest.mark.needs("inherit")
def test_a_child_gets_a_connection(net, inet):
    """execve(2): a child uses an inheritable socket under the same number, and talks to the same peer."""
    made = inet.connection()
    made.client.set_inheritable(True)
    code = "sock = net.socket(fileno=int(sys.argv[1])); sock.sendall(b'child'); print(sock.getpeername())"
    told = run(net, code, made.client.fileno())
    assert told == str(made.listener.getsockname())
    assert made.server.recv(100) == b"child"


@pytest.mark.needs("inherit")
def test_a_child_gets_a_listener(net, inet):
    """execve(2): a child accepts connections from an inheritable listener."""
    listener = inet.listener()
    listener.set_inheritable(True)
    client = inet.client(listener)
    code = "sock, _ = net.socket(fileno=int(sys.argv[1])).accept(); sock.sendall(b'child'); sock.close()"
    run(net, code, listener.fileno())
    assert client.recv(100) == b"child"


def test_a_child_does_not_get_the_others(net, inet):
    """execve(2): a socket that is not inheritable is no descriptor in a child."""
    made = inet.connection()
    code = (
        "try:\n    net.socket(fileno=int(sys.argv[1])).getpeername()\n"
        "except OSError:\n    print('none')\nelse:\n    print('one')"
    )
    assert run(net, code, made.client.fileno()) == "none"


def test_a_child_does_not_keep_a_connection(net, inet):
    """execve(2): a child that was started meanwhile does not keep a connection open."""
    made = inet.connection()
    line = [sys.executable, "-c", "import sys; sys.stdin.read()"]
    with subprocess.Popen(line, stdin=subprocess.PIPE, close_fds=False) as child:
        made.client.close()
        made.server.settimeout(PATIENCE)
        assert made.server.recv(1) == b""
        child.communicate(timeout=CHILD_TIME)
