"""What the table does on a system that tells less: no list of descriptors, no psutil, or a refusal of either."""

from __future__ import annotations

import errno
import importlib
import os
import socket
import stat
import sys
from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace

import pytest

from samesock import fdtable
from samesock.fdtable import holding, numbers, processes, processes_open, providers, scan, tcp_states
from samesock.fdtable.model import OpenDescriptor, SocketInfo

keys = importlib.import_module("samesock.fdtable.keys")  # the package's `keys` is the function
needs_scan = pytest.mark.skipif(
    not hasattr(os, "fpathconf"), reason="needs POSIX descriptors (no os.fpathconf)"
)


def record(**what: object) -> OpenDescriptor:
    """A record of a file, with what is given in place of its own."""
    made = OpenDescriptor(3, "fd", "file", (1, 2, 3), 7, access="r", path="/x")
    return replace(made, **what)  # type: ignore[arg-type]


def test_keys_by_a_list_of_numbers() -> None:
    """A key snapshot by numbers alone has fstat's identities, and leaves out a number that is not open."""
    with open(os.devnull, "rb") as file:
        number = file.fileno()
        seen = os.fstat(number)
        found = keys.listed_keys(lambda: [number, 9999])
    assert found == {("fd", number): (seen.st_dev, seen.st_ino, stat.S_IFMT(seen.st_mode))}


@needs_scan
def test_keys_where_the_kernel_lists_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without /proc the numbers are found otherwise, and what is open is in the snapshot all the same."""

    def absent() -> dict[fdtable.Key, fdtable.Identity]:
        raise FileNotFoundError(errno.ENOENT, "scripted")

    monkeypatch.setattr(keys, "procfs_keys", absent)
    with open(os.devnull, "rb") as file:
        found = keys._probe.__wrapped__()()
        assert ("fd", file.fileno()) in found


@needs_scan
def test_a_scan_works_where_numbers_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """The last source works wherever some list of numbers does, and says no where none does."""
    assert scan.works()
    with open(os.devnull, "rb") as file:
        assert scan.one(file.fileno()).kind == "char"
        for number, space in ((file.fileno(), "socket"), (9999, None)):
            with pytest.raises(OSError, match="descriptor") as caught:
                scan.one(number, space)  # type: ignore[arg-type]
            assert caught.value.errno == errno.EBADF

    def refused() -> list[int]:
        raise OSError(errno.EPERM, "scripted")

    monkeypatch.setattr(numbers, "own_numbers", refused)
    assert not scan.works()


@needs_scan
def test_a_path_by_fcntl(monkeypatch: pytest.MonkeyPatch) -> None:
    """On macOS fcntl tells the path; a descriptor that has none is a record without, not an error."""
    import fcntl

    answers: list[bytes | OSError] = [b"/private/x\0rest", OSError(errno.EBADF, "scripted")]

    def asked(_number: int, command: int, _room: bytes) -> bytes:
        assert command == 50
        answer = answers.pop(0)
        if isinstance(answer, OSError):
            raise answer
        return answer

    monkeypatch.setattr(fcntl, "fcntl", asked)
    with monkeypatch.context() as patch:
        patch.setattr(sys, "platform", "darwin")
        found = scan._path(3), scan._path(3)
    assert found == ("/private/x", None)


@needs_scan
def test_a_socket_that_tells_nothing_is_still_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a socket's own answers are refused its record says so."""
    from samesock.fdtable import own_socket

    def refused(_: int) -> None:
        raise OSError(errno.EACCES, "scripted")

    monkeypatch.setattr(own_socket, "ask", refused)
    with socket.socket() as sock:
        seen = scan.one(sock.fileno())
    assert (seen.kind, seen.partial) == ("socket", ("socket: scripted",))


BOUND = SocketInfo("AF_INET", "SOCK_STREAM", "TCP", ("127.0.0.1", 5), None)


@pytest.mark.parametrize(
    ("other", "alike"),
    [
        (record(), True),
        (record(path="/y"), False),
        (record(access="rw"), False),
        (record(kind="dir"), False),
        (record(path=None), False),
    ],
)
def test_what_looks_like_a_file(other: OpenDescriptor, alike: bool) -> None:
    """Where nothing better is told, a holder of a file is one of the same kind, path and access."""
    assert holding._alike(replace(other, path=record().path) if alike else other, record()) is alike


def test_what_looks_like_a_socket() -> None:
    """Two sockets are alike by protocol and both addresses; unbound ones are alike to nothing."""
    mine = record(kind="socket", socket=BOUND)
    assert holding._alike(mine, record(kind="socket", socket=BOUND))
    assert not holding._alike(mine, record(kind="socket", socket=replace(BOUND, remote=("127.0.0.1", 6))))
    unbound = record(kind="socket", socket=replace(BOUND, local=None))
    assert not holding._alike(unbound, unbound)


def test_holders_by_the_table_of_another_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """What looks like the object is given, as not sure."""
    table = ([record(number=8), record(number=9, path="/y")], [])
    monkeypatch.setattr(providers, "foreign", lambda: SimpleNamespace(table=lambda _: table))
    assert list(holding._in_table(record(), 99)) == [(8, "fd", False)]


def test_holders_count() -> None:
    """The holders found can be counted and gone through."""
    one = holding.Holder(1, 2, "fd", "x", True)
    found = holding.Holders((one,), (3,))
    assert (len(found), list(found)) == (1, [one])


class Psutil:
    """A psutil that refuses everything in one way."""

    class Error(Exception):
        """As psutil's."""

    class NoSuchProcess(Error):
        """As psutil's."""

    class AccessDenied(Error):
        """As psutil's."""

    def __init__(self, refusal: type[Exception]) -> None:
        self.refusal = refusal

    def Process(self, pid: int) -> object:  # noqa: N802 -- psutil's name
        raise self.refusal(pid)


@pytest.mark.parametrize(
    "ask", [processes.process, processes.children, processes_open.table, tcp_states.rows]
)
@pytest.mark.parametrize(
    ("refusal", "error"),
    [(Psutil.NoSuchProcess, ProcessLookupError), (Psutil.AccessDenied, PermissionError)],
)
def test_psutils_refusals_are_the_tables_own(
    ask: Callable[[int], object],
    refusal: type[Exception],
    error: type[OSError],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A process that is gone, or hidden, is ProcessLookupError or PermissionError, which name it."""
    monkeypatch.setattr(processes, "library", lambda: Psutil(refusal))
    with pytest.raises(error, match="4711"):
        ask(4711)


def test_a_command_that_is_hidden_is_empty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody is told a command line that psutil may not read."""
    monkeypatch.setattr(processes, "library", lambda: Psutil(Psutil.AccessDenied))
    assert processes.command(4711) == ""


def test_without_psutil(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever asks for another process is told what to install, and psutil as a source says no."""
    monkeypatch.setitem(sys.modules, "psutil", None)
    with pytest.raises(ModuleNotFoundError, match="pip install psutil"):
        processes.library()
    assert not processes_open.works()


def test_one_by_psutil() -> None:
    """psutil's record of one own descriptor; EBADF for one that it does not list."""
    with open(__file__, "rb") as file:
        listed = processes_open.table(os.getpid())[0]
        found = next(
            (one for one in listed if one.path and one.path.endswith("test_without_sources.py")), None
        )
        if found is None or found.number < 0:
            pytest.skip("fdtable: psutil tells no numbers here")
        assert processes_open.one(found.number) == found
        assert found.number == file.fileno()
    with pytest.raises(OSError, match="descriptor") as caught:
        processes_open.one(9999)
    assert caught.value.errno == errno.EBADF
