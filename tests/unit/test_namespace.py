"""The public namespace: everything that the standard library's socket has on this platform, and what samesock adds."""

from __future__ import annotations

import _socket
import inspect
import socket as stdlib
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import samesock

EVERYWHERE = (
    "AF_UNIX",
    "socketpair",
    "create_server",
    "create_connection",
    "fromfd",
    "has_ipv6",
    "send_fds",
    "recv_fds",
    "SCM_RIGHTS",
)
OWN = {
    "socket",
    "socketpair",
    "create_server",
    "create_connection",
    "fromfd",
    "fromshare",
    "close",
    "dup",
    "getaddrinfo",
    "send_fds",
    "recv_fds",
    "AF_UNIX",
}
"""The standard names behind which there is something of ours."""


def c_names() -> list[str]:
    """The public names of the interpreter's own module on this platform."""
    return [name for name in dir(_socket) if not name.startswith("_")]


@pytest.mark.parametrize("module", ["socket", "_socket"])
def test_nothing_of_the_standard_library_is_missing(module: str) -> None:
    """Every public name of the standard module, and of the interpreter's below it, is in samesock."""
    names = stdlib.__all__ if module == "socket" else c_names()
    assert [name for name in names if not hasattr(samesock, name)] == []


def test_what_is_not_ours_is_the_standard_librarys() -> None:
    """A name that samesock does not improve is the very same object."""
    for name in {*stdlib.__all__} - OWN:
        # The leak check, if it is on, has put a stand-in around some of the standard library's.
        assert getattr(samesock, name) is inspect.unwrap(getattr(stdlib, name)), name


@pytest.mark.parametrize("name", EVERYWHERE)
def test_names_that_are_there_on_every_platform(name: str) -> None:
    """Some names exist whatever the platform, and are public."""
    assert hasattr(samesock, name)
    assert name in samesock.__all__


def test_af_unix_is_a_member_of_the_enumeration() -> None:
    """AF_UNIX prints and compares as the standard library's does, also where that one lacks it."""
    assert samesock.AF_UNIX == 1
    assert repr(samesock.AF_UNIX) == "<AddressFamily.AF_UNIX: 1>"
    assert isinstance(samesock.AF_UNIX, stdlib.AddressFamily)


def test_every_public_name_exists() -> None:
    """Each name of `__all__` can be got, those too that are imported when they are asked for."""
    assert [name for name in samesock.__all__ if not hasattr(samesock, name)] == []
    assert {*stdlib.__all__} <= {*samesock.__all__}


def test_a_star_import_brings_them_all() -> None:
    """`from samesock import *` gives every public name, and nothing else."""
    namespace: dict[str, Any] = {}
    exec("from samesock import *", namespace)
    assert namespace.keys() - {"__builtins__"} == {*samesock.__all__}
    assert namespace["socket"] is samesock.socket


@pytest.mark.parametrize("name", ["AddressInfo", "MsgFlag", "_GLOBAL_DEFAULT_TIMEOUT", "EBADF"])
def test_names_that_the_standard_library_does_not_list(name: str) -> None:
    """What programs take out of the module, though its `__all__` has not got it, is there as well."""
    assert getattr(samesock, name) is getattr(stdlib, name)


def test_no_module_is_had_from_the_standard_library() -> None:
    """The modules that `socket` happens to import are not samesock's: `samesock.selectors` is another one."""
    code = (
        "import samesock; from samesock import selectors; print(selectors.__name__, hasattr(samesock, 'os'))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["samesock.selectors", "False"]


def test_an_unknown_name_is_an_attribute_error() -> None:
    """A name that is not there is refused as by any module."""
    with pytest.raises(AttributeError, match="module 'samesock' has no attribute 'nonesuch'"):
        samesock.nonesuch  # noqa: B018


def test_the_class_is_a_standard_socket() -> None:
    """The class is a subclass of the standard library's, without room of its own."""
    assert issubclass(samesock.socket, stdlib.socket)
    assert samesock.SocketType is stdlib.SocketType
    with samesock.socket() as sock:
        assert not hasattr(sock, "__dict__")


def listener(family: int, folder: Path) -> samesock.socket:
    """A listener made by `create_server`."""
    return samesock.create_server(  # type: ignore[return-value]
        str(folder / "s") if family == samesock.AF_UNIX else ("127.0.0.1", 0), family=family
    )


def accepted(family: int, folder: Path) -> list[Any]:
    """A listener, a client, and what accept gives."""
    server = listener(family, folder)
    client = samesock.socket(family, samesock.SOCK_STREAM)
    client.settimeout(30)
    client.connect(server.getsockname())
    return [server, client, server.accept()[0]]


def duplicated(family: int, folder: Path) -> list[Any]:
    """A socket and its duplicate."""
    sock = samesock.socket(family, samesock.SOCK_STREAM)
    return [sock, sock.dup()]


def from_number(family: int, folder: Path) -> list[Any]:
    """A socket and one that `fromfd` makes of its number; elsewhere than on POSIX `fromfd` takes a socket's number
    all the same."""
    sock = samesock.socket(family, samesock.SOCK_STREAM)
    return [sock, samesock.fromfd(sock.fileno(), family, samesock.SOCK_STREAM)]


def pair(family: int, folder: Path) -> list[Any]:
    """A pair."""
    return [*samesock.socketpair(family)]


def created(family: int, folder: Path) -> list[Any]:
    """What `create_server` gives, and for TCP what `create_connection` does."""
    server = listener(family, folder)
    if family == samesock.AF_UNIX:
        return [server]
    return [server, samesock.create_connection(server.getsockname(), timeout=30)]


def _inet_pairs() -> bool:
    """Whether the standard library makes a pair of the Internet family; POSIX's systems do not."""
    try:
        one, other = stdlib.socketpair(stdlib.AF_INET)
    except OSError:
        return False
    one.close()
    other.close()
    return True


MAKERS = [
    (make, family)
    for make in (accepted, duplicated, from_number, pair, created)
    for family in (samesock.AF_UNIX, samesock.AF_INET)
    if make is not pair or family == samesock.AF_UNIX or _inet_pairs()
]


@pytest.mark.parametrize(
    ("make", "family"), MAKERS, ids=[f"{make.__name__}-{family.name}" for make, family in MAKERS]
)
def test_whatever_makes_a_socket_makes_ours(
    make: Callable[[int, Path], list[Any]], family: int, socket_dir: Path
) -> None:
    """accept, dup, fromfd, socketpair, create_server and create_connection give samesock.socket."""
    socks = make(family, socket_dir)
    try:
        assert [type(sock) for sock in socks] == [samesock.socket] * len(socks)
        assert {int(sock.family) for sock in socks} == {family}
    finally:
        for sock in socks:
            sock.close()


def test_makefile_reads_and_writes_through_our_class(socket_dir: Path) -> None:
    """A file made of a socket keeps it open and works."""
    server, client, taken = accepted(samesock.AF_UNIX, socket_dir)
    with server, taken, client.makefile("rw", encoding="ascii", newline="\n") as file:
        client.close()
        taken.sendall(b"line\n")
        assert file.readline() == "line\n"
        file.write("back\n")
        file.flush()
        assert taken.recv(9) == b"back\n"
