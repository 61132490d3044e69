"""Children with exactly some descriptors."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import samesock
from fd.makers import number
from samesock import fd

CHILD = Path(__file__).with_name("child.py")


def command(*work: object) -> list[str]:
    """The child's arguments."""
    return [sys.executable, str(CHILD), *map(str, work)]


@pytest.fixture
def environment() -> dict[str, str]:
    """This process's, with the library's place."""
    return dict(os.environ, PYTHONPATH=os.pathsep.join(filter(None, sys.path)))


def told(child: subprocess.Popen[bytes]) -> object:
    """The child's answer."""
    out, err = child.communicate(timeout=40)
    assert child.returncode == 0, err
    return json.loads(out)


def spawn(environment: dict[str, str], descriptors: list[object], *work: object) -> subprocess.Popen[bytes]:
    """A child with these descriptors."""
    streams = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return fd.spawn_passing(command(*work), descriptors, env=environment, **streams)  # type: ignore[arg-type]


def test_each_kind_arrives_in_order(environment, stack, tmp_path):
    """inherited() gives what was passed, in order, ready to use and not inheritable any more, once; the
    note that told of it is closed."""
    path = tmp_path / "file"
    path.write_text("contents")
    opened = stack.enter_context(path.open("rb"))
    reader, writer = (number(stack, end) for end in fd.pipe())
    tcp = stack.enter_context(samesock.create_server(("127.0.0.1", 0)))
    udp = stack.enter_context(samesock.socket(samesock.AF_INET, samesock.SOCK_DGRAM))
    passed = [tcp, opened, reader, udp, writer, udp.fileno()]
    before = [fd.get_inheritable(one) for one in passed]
    answer = told(spawn(environment, passed, "look"))
    assert answer == {
        "kinds": ["socket", "file", "pipe", "socket", "pipe", "socket"],
        "inheritable": [False] * 6,
        "read": ["contents"],
        "again": 0,
        "variable": None,
        "note": False,
    }
    assert [fd.get_inheritable(one) for one in passed] == before
    assert all(map(fd.is_open, passed))


def test_a_child_serves(environment, stack, socket_dir):
    """A child serves from listeners and an open file of its parent's, though the parent closes its own at once."""
    path = socket_dir / "file"
    path.write_bytes(b"served")
    tcp = samesock.create_server(("127.0.0.1", 0))
    unix = samesock.create_server(str(socket_dir / "s"), family=samesock.AF_UNIX)
    stack.callback(tcp.close)
    stack.callback(unix.close)
    addresses = [(samesock.AF_INET, tcp.getsockname()), (samesock.AF_UNIX, unix.getsockname())]
    with path.open("rb") as opened:
        child = spawn(environment, [tcp, unix, opened], "serve")
    tcp.close()
    for family, address in addresses:
        with samesock.socket(family, samesock.SOCK_STREAM) as client:
            client.settimeout(20)
            client.connect(address)
            assert client.recv(6) == b"served"
    assert told(child) == "served"


def test_nothing_else_is_inherited(environment, stack):
    """A descriptor that was made inheritable and is not passed does not reach the child."""
    reader, writer = (number(stack, end) for end in fd.pipe())
    fd.set_inheritable(writer, True)
    value = fd.handle(writer)
    assert (
        told(spawn(environment, [reader], "is_open", int(value)))[0 if value.space == "handle" else 1]
        is False
    )


def test_not_open_starts_no_child(environment, stack):
    """A number that is not open is EBADF, and no child is started."""
    with pytest.raises(OSError, match="7999"):
        fd.spawn_passing(["no such program"], [7999], env=environment)


def test_without_parent():
    """A process that was passed nothing inherits nothing."""
    assert fd.inherited() == []


def test_a_stale_variable_is_ignored(monkeypatch, stack, tmp_path):
    """The variable of a process further up, whose note is not this one's, gives nothing and closes nothing."""
    path = tmp_path / "other"
    path.write_bytes(b"not a note")
    opened = stack.enter_context(path.open("rb"))
    for value in (opened.fileno(), 7999):
        monkeypatch.setenv("SAMESOCK_INHERITED", str(value))
        assert fd.inherited() == []
    assert opened.read() == b"not a note"


def test_closefrom(environment):
    """closefrom() closes what has that number or a greater one, and nothing below."""
    streams = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    child = subprocess.Popen(command("close_all"), env=environment, **streams)  # type: ignore[call-overload]
    assert told(child) == [True, True, False]
