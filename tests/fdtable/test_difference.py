"""What counts as opened, closed, replaced and changed."""

from __future__ import annotations

import os
import socket
from dataclasses import replace
from pathlib import Path

from samesock import fdtable
from samesock.fdtable import plain
from samesock.fdtable.model import OpenDescriptor, SocketInfo

FILE = OpenDescriptor(5, "fd", "file", (1, 2, 3), 10, False, "r", "/a", source=("procfs",))
SOCKET = OpenDescriptor(
    7, "fd", "socket", (9, 4, 5), 10, False, "rw", socket=SocketInfo("AF_INET", "SOCK_STREAM", "TCP")
)


def test_nothing_changed_is_false() -> None:
    """Two snapshots of one state differ in nothing, and their difference is false and says so."""
    nothing = fdtable.diff([FILE, SOCKET], [SOCKET, FILE])
    assert not nothing
    assert str(nothing) == "no change"


def test_opened_and_closed() -> None:
    """What is only in the second is opened, what is only in the first is closed."""
    seen = fdtable.diff([FILE], [SOCKET])
    assert (seen.opened, seen.closed, seen.replaced, seen.changed) == ((SOCKET,), (FILE,), (), ())


def test_a_reused_number_is_one_replacement() -> None:
    """One number with another identity is a replacement, and neither opened nor closed."""
    other = replace(FILE, identity=(1, 9, 3), path="/b")
    seen = fdtable.diff([FILE], [other])
    assert seen.replaced == (fdtable.Replaced(FILE, other),)
    assert (seen.opened, seen.closed, seen.changed) == ((), (), ())


def test_one_number_in_two_spaces_is_two_descriptors() -> None:
    """A CRT descriptor, a SOCKET and a HANDLE of one number are three descriptors; so are those of two processes."""
    as_socket, elsewhere = replace(FILE, space="socket"), replace(FILE, pid=11)
    seen = fdtable.diff([FILE], [FILE, as_socket, elsewhere])
    assert set(seen.opened) == {as_socket, elsewhere}


def test_a_change_names_its_fields() -> None:
    """An object that stays and changes is one change with the names of what did; owner and source do not count."""
    connected = replace(
        SOCKET,
        inheritable=True,
        source=("psutil",),
        socket=SocketInfo("AF_INET", "SOCK_STREAM", "TCP", state="ESTABLISHED"),
    )
    seen = fdtable.diff([SOCKET], [connected])
    assert seen.changed == (fdtable.Changed(SOCKET, connected, ("inheritable", "socket.state")),)
    assert not fdtable.diff([FILE], [replace(FILE, source=("x",), owner=fdtable.Owner("T", "t"))])


def test_records_without_numbers_are_counted() -> None:
    """Equal records without a number (psutil's on Windows) are as many as there are, none lost to another."""
    nameless = replace(SOCKET, number=-1)
    seen = fdtable.diff([nameless], [nameless, nameless])
    assert seen.opened == (nameless,)


def test_a_live_replacement(tmp_path: Path) -> None:
    """close(n) followed by an open that gets n is seen as a replacement between two snapshots."""
    number = os.open(tmp_path / "one", os.O_CREAT | os.O_RDWR)
    before = fdtable.snapshot()
    os.close(number)
    again = os.open(tmp_path / "two", os.O_CREAT | os.O_RDWR)
    try:
        seen = fdtable.diff(before, fdtable.snapshot())
    finally:
        os.close(again)
    assert again == number
    (swap,) = [one for one in seen.replaced if one.after.key == ("fd", number)]
    assert swap.before.path is not None
    assert swap.before.path.endswith("one")
    assert "two" in plain.difference(seen)
    assert "replaced file" in plain.difference(seen)


def test_a_live_connection_is_a_change() -> None:
    """A socket that connects between two snapshots is changed, not replaced."""
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.socket() as client:
        before = [fdtable.describe(client)]
        client.connect(listener.getsockname())
        seen = fdtable.diff(before, [fdtable.describe(client)])
    (change,) = seen.changed
    assert "socket.remote" in change.fields
    assert "socket.state" in change.fields
