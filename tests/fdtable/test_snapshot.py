"""Snapshots, descriptions and watching: what they promise on every system."""

from __future__ import annotations

import errno
import os
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from samesock import fdtable
from samesock.fdtable import procfs

ON_PROCFS = procfs.works()


def test_a_closed_number_is_named_in_the_error() -> None:
    """describe() of a number that is not open is EBADF, and says which."""
    with pytest.raises(OSError, match="descriptor 4321 is not open in this process") as caught:
        fdtable.describe(4321)
    assert caught.value.errno == errno.EBADF
    with pytest.raises(OSError, match="-1 is not open") as caught:
        fdtable.describe(-1)
    assert caught.value.errno == errno.EBADF
    with pytest.raises(OSError, match=f"descriptor {2**70} is not open") as caught:
        fdtable.describe(2**70)
    assert caught.value.errno == errno.EBADF


def test_a_closed_object_is_named_in_the_error() -> None:
    """describe() of a closed socket or file is EBADF, and says which object."""
    sock = socket.socket()
    sock.close()
    with pytest.raises(OSError, match="closed") as caught:
        fdtable.describe(sock)
    assert caught.value.errno == errno.EBADF
    with open(os.devnull) as file:
        pass
    with pytest.raises(OSError, match="is closed"):
        fdtable.describe(file)


@pytest.mark.parametrize("thing", ["5", None, 2.5, True, object()])
def test_what_has_no_number_is_a_type_error(thing: object) -> None:
    """describe() of anything that is neither a number nor has fileno() is a TypeError."""
    with pytest.raises(TypeError, match="neither a descriptor's number nor has a fileno"):
        fdtable.describe(thing)


def test_an_object_is_named_as_the_owner(tmp_path: Path) -> None:
    """describe(object) gives the descriptor of its fileno(), and the object as owner."""
    with open(tmp_path / "f", "w") as file, socket.socket() as sock:
        described = fdtable.describe(file)
        assert described.kind == "file"
        assert described.path is not None
        assert Path(described.path).samefile(tmp_path / "f")
        assert described.access == "w"
        assert described.owner is not None
        assert described.owner.type == "TextIOWrapper"
        found = fdtable.describe(sock)
        assert found.kind == "socket"
        assert found.number == sock.fileno()


def test_a_pid_that_is_gone_is_named_in_the_error() -> None:
    """snapshot() of a process that has ended is ProcessLookupError, and says which."""
    with subprocess.Popen([sys.executable, "-c", ""]) as child:
        child.wait()
    with pytest.raises(ProcessLookupError, match=str(child.pid)):
        fdtable.snapshot(child.pid)
    with pytest.raises(ProcessLookupError, match="-5"):
        fdtable.snapshot(-5)


@pytest.mark.parametrize("pid", ["1", 1.5, True])
def test_a_pid_is_a_number_or_has_one(pid: object) -> None:
    """snapshot() of anything else is a TypeError that shows it."""
    with pytest.raises(TypeError, match="a process is a number or has a pid"):
        fdtable.snapshot(pid)  # type: ignore[arg-type]


@pytest.mark.skipif(not ON_PROCFS, reason="needs procfs")
def test_another_users_process_is_named_in_the_error() -> None:
    """snapshot() of a process of another user is PermissionError naming the process and both users."""
    if sys.platform == "win32" or os.geteuid() != 0:
        pytest.skip("needs seteuid: this user cannot become another")
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as victim:
        fdtable.snapshot(victim)  # what is imported on the way is imported before the change
        os.seteuid(65534)
        try:
            with pytest.raises(PermissionError) as caught:
                fdtable.snapshot(victim)
        finally:
            os.seteuid(0)
            victim.communicate(b"\n")
    expected = f"process {victim.pid} belongs to user 0 and may not be looked into by user 65534"
    assert caught.value.strerror == expected


def test_tcp_connections_inside_the_process_name_each_other() -> None:
    """Both ends of a TCP connection are in one snapshot, each with the other's number as peer; the state is TCP's."""
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        socket.create_connection(listener.getsockname()) as client,
    ):
        accepted, _ = listener.accept()
        with accepted:
            seen = {one.number: one for one in fdtable.snapshot().find(family="AF_INET")}
            mine, theirs = seen[client.fileno()], seen[accepted.fileno()]
            assert mine.peer is not None
            assert theirs.peer is not None
            assert (mine.peer.number, theirs.peer.number) == (accepted.fileno(), client.fileno())
            assert mine.socket is not None
            assert (mine.socket.local, mine.socket.remote) == (client.getsockname(), client.getpeername())
            assert mine.socket.state == "ESTABLISHED"
            waiting = seen[listener.fileno()].socket
            assert waiting is not None
            assert (waiting.state, waiting.listening, waiting.remote) == ("LISTEN", True, None)
            theirs_before = theirs.socket
            client.shutdown(socket.SHUT_RDWR)
            client.close()
            deadline = time.monotonic() + 20
            while time.monotonic() < deadline:
                now = fdtable.describe(accepted).socket
                assert now is not None
                if now.state == "CLOSE_WAIT":
                    break
                time.sleep(0.05)
            assert theirs_before is not None
            assert now.state == "CLOSE_WAIT"


def test_inheritance_is_told(tmp_path: Path) -> None:
    """A descriptor is inheritable exactly when os.get_inheritable says so."""
    number = os.open(tmp_path / "f", os.O_CREAT | os.O_RDWR)
    try:
        assert fdtable.describe(number).inheritable is False
        os.set_inheritable(number, True)
        assert fdtable.describe(number).inheritable is True
    finally:
        os.close(number)


def test_looking_changes_nothing() -> None:
    """A look leaves a socket's blocking mode alone, even while a default timeout is set, and leaves nothing open."""
    before = fdtable.keys()
    here, there = socket.socketpair()
    socket.setdefaulttimeout(30)
    try:
        fdtable.snapshot()
        fdtable.describe(here)
        if ON_PROCFS:
            assert os.get_blocking(here.fileno())
        threading.Timer(0.3, there.sendall, (b"late",)).start()
        assert here.recv(4) == b"late"  # a socket made non-blocking would raise at once
    finally:
        socket.setdefaulttimeout(None)
        here.close()
        there.close()
    if ON_PROCFS:
        assert fdtable.keys() == before


def test_owners_are_found_when_asked_for(tmp_path: Path) -> None:
    """snapshot(owners=True) names the Python object that holds a descriptor, the outermost one of a file."""
    with open(tmp_path / "f", "w") as file, socket.socket() as sock:
        plain, owned = fdtable.snapshot(), fdtable.snapshot(owners=True)
        for number, name in ((file.fileno(), "TextIOWrapper"), (sock.fileno(), "socket")):
            space = "fd" if name != "socket" or ON_PROCFS else "socket"
            without, with_owner = plain.get(number, space), owned.get(number, space)
            assert without is not None
            assert without.owner is None
            assert with_owner is not None
            assert with_owner.owner is not None
            assert with_owner.owner.type == name


def test_find_and_by_kind(tmp_path: Path) -> None:
    """A snapshot is searched by path, address and kind."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        snap = fdtable.snapshot()
        (found,) = snap.find(local=listener.getsockname())
        assert found.number == listener.fileno()
        assert found in snap.sockets
        assert found in snap.by_kind("socket")
        assert snap.find(path=str(tmp_path / "no such file")) == ()


def test_watch_yields_what_changes(tmp_path: Path) -> None:
    """watch() yields a difference for what was opened, then for what was closed, and nothing in between."""
    changes = fdtable.watch(0.01)
    opened: list[int] = []

    def open_later() -> None:
        opened.append(os.open(tmp_path / "watched", os.O_CREAT | os.O_RDWR))

    timer = threading.Timer(0.3, open_later)
    timer.start()
    deadline = time.monotonic() + 30
    for change in changes:
        if any(one.path is not None and one.path.endswith("watched") for one in change.opened):
            break
        assert time.monotonic() < deadline
    timer.join()
    os.close(opened[0])
    for change in changes:
        if any(one.path is not None and one.path.endswith("watched") for one in change.closed):
            break
        assert time.monotonic() < deadline


def test_watch_ends_with_its_process() -> None:
    """watch(pid) ends when the process does, its descriptors closed; an interval below 0 is a ValueError."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        changes = fdtable.watch(0.2, child)
        assert child.stdin is not None
        threading.Timer(1.0, child.stdin.close).start()  # nobody waits for it: a zombie has ended, too
        last = list(changes)[-1]
        child.wait()
    assert last.closed
    for interval in (-1, float("nan"), float("inf")):
        with pytest.raises(ValueError, match=str(interval)):
            fdtable.watch(interval)


@pytest.mark.skipif(not ON_PROCFS, reason="needs procfs")
def test_a_name_that_ends_in_deleted_is_not_deleted(tmp_path: Path) -> None:
    """A file called "x (deleted)" is not a deleted "x"; a deleted one whose name another took is."""
    odd = tmp_path / "x (deleted)"
    with open(odd, "w") as file:
        seen = fdtable.describe(file)
        assert (seen.path, seen.deleted) == (str(odd), False)
    with open(tmp_path / "y", "w") as file:
        (tmp_path / "y").unlink()
        (tmp_path / "y").touch()
        seen = fdtable.describe(file)
        assert (seen.path, seen.deleted) == (str(tmp_path / "y"), True)


@pytest.mark.skipif(not ON_PROCFS, reason="needs procfs")
def test_a_peer_in_a_child_is_found(socket_dir: Path) -> None:
    """With children=True the far end of a socketpair and of a pipe in a child is named, with the child's pid."""
    here, there = socket.socketpair()
    reader, writer = os.pipe()
    with (
        here,
        subprocess.Popen(
            [sys.executable, "-c", "input()"], stdin=subprocess.PIPE, pass_fds=[there.fileno(), writer]
        ) as child,
    ):
        near, far, far_end = here.fileno(), there.fileno(), writer
        there.close()
        os.close(writer)
        snap = fdtable.snapshot(children=True)
        child.communicate(b"\n")
    os.close(reader)
    mine, pipe = snap.get(near, pid=os.getpid()), snap.get(reader, pid=os.getpid())
    assert mine is not None
    assert mine.peer == fdtable.Peer(far, child.pid)
    assert pipe is not None
    assert pipe.peer == fdtable.Peer(far_end, child.pid)


@pytest.mark.skipif(not ON_PROCFS, reason="needs procfs")
def test_holders_names_a_child_that_inherited() -> None:
    """holders() finds the child that holds a listener and a file, surely, with its number and command."""
    if sys.platform == "win32":
        return
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        open(os.devnull) as other,
        open(os.devnull) as file,
    ):
        passed = [listening, opened] = [listener.fileno(), file.fileno()]
        with subprocess.Popen(
            [sys.executable, "-c", "print(flush=True); input()"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            pass_fds=passed,
        ) as child:
            assert child.stdout is not None
            child.stdout.readline()  # by now the kernel has its whole command line
            found = fdtable.holders(listener, among=[child.pid])
            of_file = fdtable.holders(file, among=[child.pid])
            not_passed = fdtable.holders(other, among=[child.pid])
            everywhere = fdtable.holders(listener)
            child.communicate(b"\n")
    (held,) = found
    assert (held.pid, held.number, held.space, held.sure) == (child.pid, listening, "fd", True)
    assert "input()" in held.command
    assert child.pid in [one.pid for one in everywhere]
    assert (child.pid, opened) in [(one.pid, one.number) for one in of_file]
    if all(one.sure for one in of_file):
        assert opened not in [one.number for one in not_passed]
