"""fromfd() of a Unix socket's number: the same socket once more, whatever it has become by then."""

from __future__ import annotations

import gc
from pathlib import Path

import pytest

import samesock

KINDS = [samesock.SOCK_STREAM, samesock.SOCK_DGRAM]


def again(sock: samesock.socket) -> samesock.socket:
    return samesock.fromfd(sock.fileno(), samesock.AF_UNIX, sock.type)


@pytest.mark.parametrize("kind", KINDS)
def test_before_it_has_a_name(socket_dir: Path, kind: int) -> None:
    """A duplicate that is made before bind is the same socket: what one binds, the other has the name of."""
    path = str(socket_dir / "s")
    with samesock.socket(samesock.AF_UNIX, kind) as sock, again(sock) as copy:
        assert copy.fileno() != sock.fileno()
        copy.bind(path)
        assert sock.getsockname() == copy.getsockname() == path


def test_before_it_is_connected(socket_dir: Path) -> None:
    """What the duplicate connects is connected for both, and stays so when one of them is closed."""
    path = str(socket_dir / "s")
    with samesock.socket(samesock.AF_UNIX) as listener, samesock.socket(samesock.AF_UNIX) as sock:
        listener.bind(path)
        listener.listen()
        with again(sock) as copy:
            copy.connect(path)
            assert sock.getpeername() == path
        served, _ = listener.accept()
        with served:
            sock.sendall(b"still there")
            served.settimeout(20)
            assert served.recv(100) == b"still there"


def test_a_number_that_was_closed_behind_it(socket_dir: Path) -> None:
    """Where a socket's number was closed by hand, and another socket has got it, the duplicate is the other's."""
    first = samesock.socket(samesock.AF_UNIX)
    samesock.close(first.fileno())
    others = []
    try:
        for _ in range(50):
            others.append(samesock.socket(samesock.AF_UNIX))
            if others[-1].fileno() == first.fileno():
                break
        else:
            pytest.skip("absent here: a number that is used again at once")
        others[-1].bind(str(socket_dir / "s"))
        with again(first) as copy:
            assert copy.getsockname() == str(socket_dir / "s")
    finally:
        first.detach()
        for other in others:
            other.close()


def test_other_families() -> None:
    """A TCP socket's duplicate is a TCP socket."""
    with (
        samesock.socket(samesock.AF_INET) as sock,
        samesock.fromfd(sock.fileno(), samesock.AF_INET, sock.type) as copy,
    ):
        copy.bind(("127.0.0.1", 0))
        assert sock.getsockname() == copy.getsockname()


def test_a_failure_keeps_nothing() -> None:
    """A number that is open nowhere is EBADF, and no duplicate is left over."""
    sock = samesock.socket(samesock.AF_UNIX)
    number = sock.fileno()
    sock.close()
    gc.collect()
    with pytest.raises(OSError):
        samesock.fromfd(number, samesock.AF_UNIX, samesock.SOCK_STREAM)
