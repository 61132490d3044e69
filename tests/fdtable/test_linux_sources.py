"""Linux's sources one by one: each decodes what the kernel writes, and two that know the same thing agree."""

from __future__ import annotations

import os
import socket
import struct
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest

from samesock import fdtable
from samesock.fdtable import linux_kinds, numbers, procfs, procfs_tables, procnet, scan, sock_diag

pytestmark = pytest.mark.skipif(not procfs.works(), reason="needs procfs")


def inode(sock: socket.socket) -> int:
    return os.fstat(sock.fileno()).st_ino


def sockets(stack: ExitStack, folder: Path) -> list[socket.socket]:
    """Sockets that are in the kernel's tables, of several families and states."""
    listener = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=3))
    client = stack.enter_context(socket.create_connection(listener.getsockname()))
    six = stack.enter_context(socket.create_server(("::1", 0), family=socket.AF_INET6))
    udp = stack.enter_context(socket.socket(type=socket.SOCK_DGRAM))
    udp.bind(("127.0.0.1", 0))
    unix = stack.enter_context(socket.socket(socket.AF_UNIX))
    unix.bind(str(folder / "with space"))
    unix.listen(2)
    abstract = stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
    abstract.bind(f"\0{folder.name}")
    return [listener, client, six, udp, unix, abstract]


def test_the_text_tables_agree_with_netlink(socket_dir: Path) -> None:
    """/proc/net, the source for another namespace, says of each socket what sock_diag says, queues apart."""
    with ExitStack() as stack:
        made = sockets(stack, socket_dir)
        text = procnet.rows(os.getpid(), everything=True)
        try:
            netlink = {
                **sock_diag.inet_rows(),
                **{key: row.info for key, row in sock_diag.unix_rows().items()},
            }
        except OSError as refusal:
            pytest.skip(f"needs sock_diag: {refusal}")
        for sock in made:
            one, other = text[inode(sock)], netlink[inode(sock)]
            for name in ("family", "type", "protocol", "local", "remote", "state", "listening"):
                assert getattr(one, name) == getattr(other, name), name


def test_a_kernel_without_sock_diag_is_read_by_text(
    socket_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where netlink refuses, foreign sockets are found in /proc/net, and the missing peers are said to be missing."""

    def refuse() -> dict[int, sock_diag.UnixRow]:
        raise OSError(1, "Operation not permitted")

    monkeypatch.setattr(sock_diag, "unix_rows", refuse)
    with ExitStack() as stack:
        made = sockets(stack, socket_dir)
        tables = procfs_tables.Tables(os.getpid(), False, -1)
        found = [tables.find(inode(sock)) for sock in made]
        own = fdtable.describe(made[4])
    assert all(info is not None and source == "procnet" for info, source in found)
    assert own.partial == ("peer: sock_diag: Operation not permitted",)


IN_NAMESPACE = """
import ctypes, os, socket, sys
if ctypes.CDLL(None, use_errno=True).unshare(0x40000000):
    print("refused", flush=True)
    sys.exit()
listener = socket.create_server(("0.0.0.0", 0))
here, there = socket.socketpair()
print(listener.fileno(), listener.getsockname()[1], here.fileno(), flush=True)
sys.stdin.read()
"""


def test_a_process_in_another_network_namespace_is_read() -> None:
    """A process in another network namespace has its sockets' addresses; AF_UNIX peers are said to be unread."""
    with subprocess.Popen(
        [sys.executable, "-c", IN_NAMESPACE], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as child:
        assert child.stdout is not None
        said = child.stdout.readline().split()
        if len(said) != 3:
            child.communicate()
            pytest.skip("needs unshare: this user may not make a network namespace")
        listening, port, here = map(int, said)
        seen = fdtable.snapshot(child)
        child.communicate()
    listener, end = seen.get(listening), seen.get(here)
    assert listener is not None
    assert listener.socket is not None
    assert (listener.socket.local, listener.socket.state) == (("0.0.0.0", port), "LISTEN")
    assert end is not None
    assert end.socket is not None
    assert (end.socket.family, end.socket.state) == ("AF_UNIX", "ESTABLISHED")
    assert "peer: the process lives in another network namespace" in end.partial


def test_the_scan_agrees_with_procfs(socket_dir: Path) -> None:
    """The last resort, for systems that list nothing, has the same numbers, kinds of sockets and inheritance."""
    with ExitStack() as stack:
        sockets(stack, socket_dir)
        ours = {one.number: one for one in procfs.table(os.getpid())[0]}
        scanned = {one.number: one for one in scan.table(os.getpid())[0]}
        assert sorted(numbers.scan_numbers()) == sorted(ours)
    assert sorted(scanned) == sorted(ours)
    for number, one in scanned.items():
        assert one.inheritable == ours[number].inheritable
        assert (one.socket is None) == (ours[number].socket is None)
        if one.socket is not None and ours[number].socket is not None:
            mine = ours[number].socket
            assert mine is not None
            assert (one.socket.local, one.socket.remote, one.socket.state) == (
                mine.local,
                mine.remote,
                mine.state,
            )
    with pytest.raises(PermissionError, match="a scan reaches this process only"):
        scan.table(os.getppid())


def test_a_source_that_misses_an_open_number_is_not_chosen() -> None:
    """Of several sources of numbers the first is taken that lists what is known to be open; none is an error."""

    def blind() -> list[int]:
        return [0, 1, 2]

    def broken() -> list[int]:
        raise OSError("no such thing")

    assert numbers.choose([broken, blind, numbers.scan_numbers]) is numbers.scan_numbers
    with pytest.raises(OSError, match="no source lists this process's descriptors: tried"):
        numbers.choose([broken, blind])


@pytest.mark.parametrize(
    ("mode", "device", "link", "kind"),
    [
        (0o100644, 0, "/a", "file"),
        (0o100644, 0, "/memfd:x (deleted)", "memfd"),
        (0o100444, 0, "net:[4026531840]", "namespace"),
        (0o100600, 0, "pidfd:[12]", "pidfd"),
        (0o600, 0, "anon_inode:[pidfd]", "pidfd"),
        (0o600, 0, "anon_inode:[something new]", "anon"),
        (0o600, 0, "anon_inode:bpf-map", "bpf"),
        (0o010600, 0, "pipe:[3]", "pipe"),
        (0o010600, 0, "/tmp/pipe:", "fifo"),
        (0o020620, 136 << 8, "/dev/pts/0", "tty"),
        (0o020666, 1 << 8 | 3, "/dev/null", "char"),
        (0o060660, 8 << 8, "/dev/sda", "block"),
        (0o140777, 0, "socket:[3]", "socket"),
        (0o120777, 0, "/a", "symlink"),
    ],
)
def test_a_kind_by_mode_and_link(mode: int, device: int, link: str, kind: str) -> None:
    """The kind follows from the file type, the device number and the link, also of objects not to be had here."""
    assert linux_kinds.kind(mode, device, link) == kind


def test_details_of_fdinfo() -> None:
    """fdinfo's lines become one line for people; unknown lines and unreadable flags are no error."""
    info = linux_kinds.parse_fdinfo("pos:\t0\nflags:\t02000002\nnew thing:\t1\ninotify wd:1\ninotify wd:2\n")
    assert info.flags == 0o2000002
    assert linux_kinds.detail("inotify", info.lines) == "2 watches"
    assert linux_kinds.parse_fdinfo("flags: nonsense\n").flags is None
    assert linux_kinds.detail("eventfd", {"eventfd-count": ["ff"]}) == "count 255"
    assert linux_kinds.detail("pidfd", {"Pid": ["-1"]}) == "a process that has ended"
    assert linux_kinds.detail("epoll", {}) == "watching nothing"
    many = {"tfd": [f"{n} events: 19" for n in range(20)]}
    assert linux_kinds.detail("epoll", many).endswith("15 and 4 more")
    assert linux_kinds.access(linux_kinds.O_PATH) == "path"


def test_a_dump_ends_errs_or_starts_again() -> None:
    """A netlink dump ends at its end, raises the kernel's error, and tells of a table that changed meanwhile."""

    def message(kind: int, flags: int, body: bytes) -> bytes:
        return struct.pack("=IHHII", 16 + len(body), kind, flags, 1, 0) + body + bytes(-len(body) % 4)

    rows = message(20, 2, b"row") + message(20, 2, b"another")
    done = message(sock_diag.NLMSG_DONE, 2, bytes(4))
    assert list(sock_diag.messages(iter([rows, rows + done]))) == [b"row", b"another"] * 2
    with pytest.raises(FileNotFoundError, match="sock_diag"):
        list(sock_diag.messages(iter([message(sock_diag.NLMSG_ERROR, 0, struct.pack("=i", -2))])))
    with pytest.raises(InterruptedError):
        list(sock_diag.messages(iter([message(20, sock_diag.NLM_F_DUMP_INTR, b"row")])))
