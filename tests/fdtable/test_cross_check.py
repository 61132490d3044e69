"""The cross-check: whatever psutil lists of a process, the table lists, with the same address."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path

import pytest

from samesock import fdtable
from samesock.fdtable import processes_open

pytestmark = pytest.mark.skipif(not processes_open.works(), reason="needs psutil")

Facts = tuple[object, ...]


def plain(address: object) -> object:
    """An address without the scope that /proc, and so psutil, does not have."""
    if isinstance(address, tuple) and isinstance(address[0], str):
        return (address[0].split("%")[0], *address[1:])
    return address


def sockets(records: Iterable[fdtable.OpenDescriptor]) -> set[Facts]:
    """What psutil tells of a socket: family, type, local and remote address, TCP's state."""
    found: set[Facts] = set()
    for one in records:
        info = one.socket
        if info is None:
            continue
        local, remote = plain(info.local), plain(info.remote)
        if info.family == "AF_UNIX":
            # psutil knows no peers of these, gives an abstract name with "@", and an unnamed one as "".
            name = str(local or "")
            found.add((info.family, info.type, "@" + name[1:] if name.startswith("\0") else name))
        else:
            unbound = local in (("0.0.0.0", 0), ("::", 0))
            found.add((info.family, info.type, None if unbound else local, remote, info.state))
    return found


def files(records: Iterable[fdtable.OpenDescriptor]) -> set[Facts]:
    return {(one.path and os.path.normcase(one.path),) for one in records if one.kind == "file"}


def opened(stack: ExitStack, folder: Path) -> None:
    """Files and sockets of every kind that psutil knows."""
    for name in ("one", "two"):
        stack.enter_context((folder / name).open("w"))
    listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
    stack.enter_context(socket.create_connection(listener.getsockname()))
    stack.enter_context(listener.accept()[0])
    datagram = stack.enter_context(socket.socket(type=socket.SOCK_DGRAM))
    datagram.bind(("127.0.0.1", 0))
    here, there = socket.socketpair()
    stack.enter_context(here)
    stack.enter_context(there)
    if socket.has_ipv6:
        stack.enter_context(socket.create_server(("::1", 0), family=socket.AF_INET6))
    if hasattr(socket, "AF_UNIX"):
        named = stack.enter_context(socket.socket(socket.AF_UNIX))
        named.bind(str(folder / "s"))


def test_what_psutil_lists_of_this_process_is_in_the_table(socket_dir: Path) -> None:
    """Every file and every address that psutil gives for this process is in our snapshot, under the same number."""
    with ExitStack() as stack:
        opened(stack, socket_dir)
        theirs, _ = processes_open.table(os.getpid())
        ours = fdtable.snapshot()
    assert files(theirs) <= files(ours)
    assert sockets(theirs) <= sockets(ours)
    numbered = {one.number: one for one in ours if one.space == "fd"}
    for one in theirs:
        if one.number >= 0:  # on Windows psutil gives -1 for all of them
            assert numbered[one.number].kind == one.kind
    assert len(theirs) >= 7
    assert len(ours) > len(theirs)


CHILD = """
import sys; sys.path[:0] = sys.argv[2].split(chr(0))
from contextlib import ExitStack; from pathlib import Path
from fdtable.test_cross_check import opened
with ExitStack() as stack:
    opened(stack, Path(sys.argv[1]))
    print("ready", flush=True)
    sys.stdin.read()
"""


def test_what_psutil_lists_of_a_child_is_in_the_table(socket_dir: Path) -> None:
    """The same holds for another process, and with children=True its descriptors stand beside our own."""
    paths = "\0".join(path for path in (*sys.path, str(Path(__file__).parent.parent)) if path)
    with subprocess.Popen(
        [sys.executable, "-c", CHILD.replace("chr(0)", "';'"), str(socket_dir), paths.replace("\0", ";")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline().strip() == b"ready"
        theirs, _ = processes_open.table(child.pid)
        ours = fdtable.snapshot(child)
        try:
            family = fdtable.snapshot(children=True)
        finally:
            child.communicate()
    assert files(theirs) <= files(ours)
    assert sockets(theirs) <= sockets(ours)
    assert ours.pids == (child.pid,)
    assert {one.pid for one in family} <= set(family.pids)
    assert family.pids[0] == os.getpid()
