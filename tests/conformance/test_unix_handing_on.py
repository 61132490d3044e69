"""dup(2), detach, fileno=, fork(2) and multiprocessing: one Unix socket under several hands."""

from __future__ import annotations

import errno
import multiprocessing
import os
import pickle
import subprocess
import sys
import textwrap

import pytest

import samesock
from conformance.raising import errno_of, ours_alone


def test_a_duplicate_is_the_same_connection(unix):
    """dup() gives another socket of the same connection, with its names, alive after the first is closed."""
    made = unix.connection()
    with made.client.dup() as copy:
        assert type(copy) is unix.net.socket
        assert (copy.family, copy.getpeername()) == (unix.net.AF_UNIX, unix.path())
        made.client.close()
        copy.send(b"x")
        assert made.server.recv(1) == b"x"
    assert made.server.recv(1) == b""


def test_a_duplicate_of_a_listener_listens(unix):
    """A duplicate of a listener accepts, also when the first has been closed."""
    listener = unix.listener()
    with listener.dup() as copy:
        listener.close()
        unix.client()
        server, _ = unix.accept(copy)
        assert server.getsockname() == unix.path()
        assert copy.getsockname() == unix.path()
    assert errno_of(unix.socket().connect, unix.path()) == errno.ECONNREFUSED


@pytest.mark.parametrize("kind", ["SOCK_STREAM", "SOCK_SEQPACKET"])
@pytest.mark.needs("unix-seqpacket")
def test_a_duplicate_made_before_bind_is_the_same_socket(unix, kind):
    """dup(2): both refer to one socket, so what is bound and listens by one does so by the other, and lives until both
    are closed."""
    kind = getattr(unix.net, kind)
    sock = unix.socket(kind)
    with sock.dup() as copy:
        assert (copy.family, copy.type) == (unix.net.AF_UNIX, kind)
        copy.bind(unix.path())
        assert sock.getsockname() == unix.path()
        sock.listen()
        copy.close()
        client = unix.socket(kind)
        client.connect(unix.path())
        unix.accept(sock)
    sock.close()
    assert errno_of(unix.socket(kind).connect, unix.path()) == errno.ECONNREFUSED


def test_a_duplicate_made_before_bind_keeps_the_name_alive(unix):
    """dup(2): the listener lives on in a duplicate that has been asked for nothing."""
    sock = unix.socket()
    with sock.dup() as copy:
        sock.bind(unix.path())
        sock.listen()
        sock.close()
        unix.client()
        server, _ = unix.accept(copy)
        assert server.getsockname() == unix.path()


def test_a_duplicate_made_before_connect_is_the_same_connection(unix):
    """dup(2): a connect of one socket is one of its duplicates."""
    listener = unix.listener()
    sock = unix.socket()
    with sock.dup() as copy:
        copy.connect(unix.path())
        assert sock.getpeername() == unix.path()
        assert errno_of(sock.connect, unix.path()) == errno.EISCONN
        server, _ = unix.accept(listener)
        sock.send(b"x")
        assert server.recv(1) == b"x"


def test_a_detached_number_is_adopted(unix):
    """socket(fileno=) with a detached number is that socket again, with its names."""
    made = unix.connection()
    number = made.client.detach()
    assert made.client.fileno() == -1
    with unix.net.socket(unix.net.AF_UNIX, unix.net.SOCK_STREAM, 0, number) as again:
        assert again.getpeername() == unix.path()
        again.send(b"x")
        assert made.server.recv(1) == b"x"


def test_a_detached_listener_is_adopted(unix):
    """A detached listener is alive, and accepts under its number."""
    listener = unix.listener()
    number = listener.detach()
    unix.client()
    with unix.net.socket(unix.net.AF_UNIX, unix.net.SOCK_STREAM, 0, number) as again:
        unix.accept(again)
        unix.client()
        unix.accept(again)
    assert errno_of(unix.socket().connect, unix.path()) == errno.ECONNREFUSED


def test_a_numbers_family_is_found(unix):
    """socket(fileno=) alone finds family and type of the descriptor."""
    made = unix.connection()
    with unix.net.socket(fileno=made.client.detach()) as again:
        assert (again.family, again.type) == (unix.net.AF_UNIX, unix.net.SOCK_STREAM)
        assert again.getpeername() == unix.path()


def test_fromfd_duplicates(unix):
    """fromfd gives a socket of a duplicate; the original stays open."""
    made = unix.connection()
    with unix.net.fromfd(made.server.fileno(), unix.net.AF_UNIX, unix.net.SOCK_STREAM) as copy:
        assert copy.fileno() != made.server.fileno()
        assert copy.getsockname() == unix.path()
    made.client.send(b"x")
    assert made.server.recv(1) == b"x"


def test_a_reused_number_is_not_taken_for_the_old_socket(unix):
    """A number that was a Unix socket's and is a TCP socket's now is a TCP socket."""
    made = unix.connection()
    made.client.close()
    with unix.net.socket(unix.net.AF_INET) as tcp:
        tcp.bind(("127.0.0.1", 0))
        with unix.net.socket(fileno=tcp.detach()) as again:
            assert again.family == unix.net.AF_INET


@pytest.mark.skipif(not hasattr(os, "fork"), reason="fork is absent here")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_child_serves_from_an_inherited_listener(unix):
    """After fork(2) parent and child both accept from one listener, which dies with the last of them."""
    listener = unix.listener()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            server, _ = listener.accept()
            server.sendall(b"from the child")
            server.close()
            status = 0
        finally:
            os._exit(status)
    listener.close()
    client = unix.client()
    assert client.recv(100) == b"from the child"
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert errno_of(unix.socket().connect, unix.path()) == errno.ECONNREFUSED


def _serve_from(listener) -> None:
    server, _ = listener.accept()
    with server:
        server.sendall(server.getsockname().encode())


@ours_alone
def test_a_listener_travels_to_a_worker(unix):
    """A listener given to a spawned multiprocessing worker accepts there, with its name, after the parent closed."""
    listener = unix.listener()
    worker = multiprocessing.get_context("spawn").Process(target=_serve_from, args=(listener,))
    worker.start()
    client = unix.client()
    listener.close()
    client.settimeout(50)
    assert client.recv(1000).decode() == unix.path()
    worker.join(50)
    assert worker.exitcode == 0
    worker.close()


@ours_alone
def test_plain_pickle_refuses_a_socket(unix):
    """pickle.dumps of a socket is a TypeError, as the standard library's."""
    with pytest.raises(TypeError, match="cannot pickle"):
        pickle.dumps(unix.socket())


@ours_alone
@pytest.mark.skipif(sys.platform == "win32", reason="inheriting a bare number: see share() there")
@pytest.mark.parametrize("family", ["samesock.AF_UNIX, samesock.SOCK_STREAM, ", ""], ids=["named", "unnamed"])
def test_a_program_serves_from_an_inherited_number(unix, family):
    """A program that is given nothing but a listener's number serves from it, after the parent has closed; it need
    not know of which family it is (systemd's socket activation)."""
    listener = unix.listener()
    listener.set_inheritable(True)
    program = textwrap.dedent(f"""
        import samesock
        with samesock.socket({family}fileno={listener.fileno()}) as listener:
            assert listener.family == samesock.AF_UNIX
            print(listener.getsockname(), flush=True)
            server, _ = listener.accept()
            with server:
                server.sendall(b"from a program")
    """)
    command = [sys.executable, "-c", program]
    environment = dict(os.environ, PYTHONPATH=os.pathsep.join(sys.path))
    with subprocess.Popen(
        command, pass_fds=[listener.fileno()], env=environment, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout.readline().strip() == unix.path()
        listener.close()
        client = unix.client()
        client.settimeout(50)
        assert client.recv(100) == b"from a program"
    assert child.returncode == 0


@pytest.mark.skipif(not hasattr(samesock.socket, "share"), reason="share() is absent here")
@ours_alone
def test_a_shared_listener_serves_in_another_process(unix):
    """share(pid) and fromshare() give a listener to another process, with its name."""
    listener = unix.listener()
    program = textwrap.dedent("""
        import os, sys, samesock
        print(os.getpid(), flush=True)
        with samesock.fromshare(bytes.fromhex(sys.stdin.readline())) as listener:
            print(listener.getsockname(), flush=True)
            server, _ = listener.accept()
            with server:
                server.sendall(b"shared")
    """)
    with subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        pid = int(child.stdout.readline())
        child.stdin.write(listener.share(pid).hex() + "\n")
        child.stdin.flush()
        assert child.stdout.readline().strip() == unix.path()
        listener.close()
        client = unix.client()
        client.settimeout(50)
        assert client.recv(100) == b"shared"
    assert child.returncode == 0


def test_a_closed_duplicate_keeps_nothing_back(unix):
    """A number that was detached is adopted with its names, also where a duplicate of it was closed before."""
    made = unix.connection()
    duplicate = made.client.dup()
    duplicate.close()
    with unix.net.socket(fileno=made.client.detach()) as adopted:
        assert adopted.family == unix.net.AF_UNIX
        assert adopted.getpeername() == unix.path()
    assert duplicate.fileno() == -1
