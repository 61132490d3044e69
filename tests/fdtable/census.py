"""Makers of every kind of descriptor that Linux has: a name, a way to open one, and what the table must call it.

Each maker returns numbers and a way to close what it opened; what a kernel or a sandbox refuses raises `OSError`.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import select
import signal
import socket
import struct
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from samesock.fdtable.words import Kind

LOOPBACK = "127.0.0.1"


@dataclass
class Made:
    """The numbers of the descriptors that a maker opened, the one in question first."""

    numbers: list[int]
    words: str
    """What the table's last column must say of the first."""


Maker = Callable[[ExitStack, Path], Made]


@dataclass(frozen=True)
class Case:
    """One kind: its name here, what the table calls it, and its maker."""

    name: str
    kind: Kind
    make: Maker


CASES: list[Case] = []


def case(kind: Kind) -> Callable[[Maker], Maker]:
    """Enter a maker into the census."""

    def enter(make: Maker) -> Maker:
        CASES.append(Case(make.__name__, kind, make))
        return make

    return enter


def own(stack: ExitStack, number: int) -> int:
    """`number`, closed at the end; the negative result of a C call is an error."""
    if number < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    stack.callback(os.close, number)
    return number


def libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


@case("file")
def regular_file(stack: ExitStack, folder: Path) -> Made:
    path = folder / "plain"
    return Made([own(stack, os.open(path, os.O_CREAT | os.O_RDWR))], str(path))


@case("file")
def deleted_file(stack: ExitStack, folder: Path) -> Made:
    path = folder / "gone"
    number = own(stack, os.open(path, os.O_CREAT | os.O_RDWR))
    path.unlink()
    return Made([number], f"{path} (deleted)")


@case("file")
def temporary_file(stack: ExitStack, folder: Path) -> Made:
    file = stack.enter_context(tempfile.TemporaryFile(dir=folder))  # noqa: SIM115
    return Made([file.fileno()], " (deleted)")


@case("dir")
def directory(stack: ExitStack, folder: Path) -> Made:
    return Made([own(stack, os.open(folder, os.O_RDONLY))], str(folder))


@case("pipe")
def pipe_read_end(stack: ExitStack, folder: Path) -> Made:
    reader, writer = os.pipe()
    return Made([own(stack, reader), own(stack, writer)], f"read end, peer {writer}")


@case("pipe")
def pipe_write_end(stack: ExitStack, folder: Path) -> Made:
    reader, writer = os.pipe()
    return Made([own(stack, writer), own(stack, reader)], f"write end, peer {reader}")


@case("fifo")
def fifo(stack: ExitStack, folder: Path) -> Made:
    path = folder / "fifo"
    os.mkfifo(path)
    return Made([own(stack, os.open(path, os.O_RDWR))], str(path))


@case("char")
def character_device(stack: ExitStack, folder: Path) -> Made:
    return Made([own(stack, os.open("/dev/zero", os.O_RDONLY))], "/dev/zero, device 1:5")


@case("tty")
def pty_master(stack: ExitStack, folder: Path) -> Made:
    master, slave = os.openpty()
    return Made([own(stack, master), own(stack, slave)], f"master of {os.ttyname(slave)}, peer {slave}")


@case("tty")
def pty_slave(stack: ExitStack, folder: Path) -> Made:
    master, slave = os.openpty()
    return Made([own(stack, slave), own(stack, master)], f"{os.ttyname(slave)}, peer {master}")


@case("eventfd")
def eventfd(stack: ExitStack, folder: Path) -> Made:
    return Made([own(stack, os.eventfd(17))], "count 17")


@case("epoll")
def epoll(stack: ExitStack, folder: Path) -> Made:
    poller = stack.enter_context(contextlib.closing(select.epoll()))
    reader, writer = os.pipe()
    own(stack, reader)
    own(stack, writer)
    poller.register(reader)
    return Made([poller.fileno()], f"watching {reader}")


@case("memfd")
def memfd(stack: ExitStack, folder: Path) -> Made:
    return Made([own(stack, os.memfd_create("scratch"))], "scratch")


@case("pidfd")
def pidfd(stack: ExitStack, folder: Path) -> Made:
    return Made([own(stack, os.pidfd_open(os.getpid()))], f"process {os.getpid()}")


@case("inotify")
def inotify(stack: ExitStack, folder: Path) -> Made:
    number = own(stack, libc().inotify_init1(0))
    if libc().inotify_add_watch(number, os.fsencode(folder), 2) < 0:
        raise OSError("inotify_add_watch")
    return Made([number], "1 watch")


@case("timerfd")
def timerfd(stack: ExitStack, folder: Path) -> Made:
    return Made([own(stack, libc().timerfd_create(1, 0))], "CLOCK_MONOTONIC, not armed")


@case("signalfd")
def signalfd(stack: ExitStack, folder: Path) -> Made:
    mask = (ctypes.c_ulong * 16)(1 << signal.SIGUSR1 - 1)
    return Made([own(stack, libc().signalfd(-1, mask, 0))], "SIGUSR1")


def tcp_pair(stack: ExitStack, family: int, host: str) -> tuple[socket.socket, socket.socket, socket.socket]:
    """A listener, a client and the accepted socket."""
    listener = stack.enter_context(socket.create_server((host, 0), family=family, backlog=7))
    client = stack.enter_context(socket.create_connection(listener.getsockname()[:2]))
    accepted = stack.enter_context(listener.accept()[0])
    return listener, client, accepted


@case("socket")
def tcp_listener(stack: ExitStack, folder: Path) -> Made:
    listener, _, _ = tcp_pair(stack, socket.AF_INET, LOOPBACK)
    port = listener.getsockname()[1]
    return Made([listener.fileno()], f"TCP {LOOPBACK}:{port} LISTEN (0 of 7 queued)")


@case("socket")
def tcp_client(stack: ExitStack, folder: Path) -> Made:
    listener, client, accepted = tcp_pair(stack, socket.AF_INET, LOOPBACK)
    mine, port = client.getsockname()[1], listener.getsockname()[1]
    words = f"TCP {LOOPBACK}:{mine} -> {LOOPBACK}:{port} ESTABLISHED, peer {accepted.fileno()}"
    return Made([client.fileno()], words)


@case("socket")
def tcp_duplicate(stack: ExitStack, folder: Path) -> Made:
    _, client, accepted = tcp_pair(stack, socket.AF_INET, LOOPBACK)
    return Made([own(stack, os.dup(client.fileno()))], f"ESTABLISHED, peer {accepted.fileno()}")


@case("socket")
def tcp6_listener(stack: ExitStack, folder: Path) -> Made:
    listener = stack.enter_context(socket.create_server(("::1", 0), family=socket.AF_INET6))
    return Made([listener.fileno()], f"TCP6 [::1]:{listener.getsockname()[1]} LISTEN")


@case("socket")
def tcp_never_bound(stack: ExitStack, folder: Path) -> Made:
    return Made([stack.enter_context(socket.socket()).fileno()], "TCP 0.0.0.0:0 CLOSE")


@case("socket")
def udp_bound(stack: ExitStack, folder: Path) -> Made:
    sock = stack.enter_context(socket.socket(type=socket.SOCK_DGRAM))
    sock.bind((LOOPBACK, 0))
    return Made([sock.fileno()], f"UDP {LOOPBACK}:{sock.getsockname()[1]} UNCONNECTED")


@case("socket")
def udp_connected(stack: ExitStack, folder: Path) -> Made:
    sock = stack.enter_context(socket.socket(type=socket.SOCK_DGRAM))
    sock.connect((LOOPBACK, 9))
    return Made([sock.fileno()], f"-> {LOOPBACK}:9 ESTABLISHED")


@case("socket")
def udp_never_bound(stack: ExitStack, folder: Path) -> Made:
    sock = stack.enter_context(socket.socket(type=socket.SOCK_DGRAM))
    return Made([sock.fileno()], "UDP 0.0.0.0:0 UNCONNECTED")


@case("socket")
def udp6_bound(stack: ExitStack, folder: Path) -> Made:
    sock = stack.enter_context(socket.socket(socket.AF_INET6, socket.SOCK_DGRAM))
    sock.bind(("::1", 0))
    return Made([sock.fileno()], f"UDP6 [::1]:{sock.getsockname()[1]} UNCONNECTED")


@case("socket")
def unix_listener(stack: ExitStack, folder: Path) -> Made:
    path = str(folder / "s")
    listener = stack.enter_context(socket.socket(socket.AF_UNIX))
    listener.bind(path)
    listener.listen(5)
    waiting = stack.enter_context(socket.socket(socket.AF_UNIX))
    waiting.connect(path)
    return Made([listener.fileno(), waiting.fileno()], f"UNIX stream {path} LISTEN (1 of 5 queued)")


@case("socket")
def unix_not_yet_accepted(stack: ExitStack, folder: Path) -> Made:
    made = unix_listener(stack, folder)
    listener, waiting = made.numbers
    words = f"UNIX stream unnamed -> {folder / 's'} ESTABLISHED, not yet accepted by {listener}"
    return Made([waiting], words)


@case("socket")
def unix_abstract(stack: ExitStack, folder: Path) -> Made:
    sock = stack.enter_context(socket.socket(socket.AF_UNIX))
    sock.bind(f"\0{folder.name}")
    return Made([sock.fileno()], f"UNIX stream @{folder.name} UNCONNECTED")


@case("socket")
def unix_pair(stack: ExitStack, folder: Path) -> Made:
    here, there = socket.socketpair()
    stack.enter_context(here)
    stack.enter_context(there)
    return Made([here.fileno()], f"UNIX stream unnamed -> unnamed ESTABLISHED, peer {there.fileno()}")


@case("socket")
def unix_with_descriptors_in_flight(stack: ExitStack, folder: Path) -> Made:
    here, there = socket.socketpair()
    stack.enter_context(here)
    stack.enter_context(there)
    socket.send_fds(there, [b"x"], [here.fileno(), there.fileno()])
    return Made([here.fileno()], "(2 descriptors in flight)")


@case("socket")
def unix_datagram(stack: ExitStack, folder: Path) -> Made:
    path = str(folder / "d")
    sock = stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
    sock.bind(path)
    return Made([sock.fileno()], f"UNIX dgram {path} UNCONNECTED")


@case("socket")
def unix_seqpacket(stack: ExitStack, folder: Path) -> Made:
    here, there = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    stack.enter_context(here)
    stack.enter_context(there)
    return Made([here.fileno()], f"UNIX seqpacket unnamed -> unnamed ESTABLISHED, peer {there.fileno()}")


@case("socket")
def netlink(stack: ExitStack, folder: Path) -> Made:
    sock = stack.enter_context(socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0))
    sock.bind((0, 0))
    return Made([sock.fileno()], f"NETLINK raw ROUTE {sock.getsockname()[0]}:0")


@case("socket")
def raw(stack: ExitStack, folder: Path) -> Made:
    sock = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_RAW, 1))
    return Made([sock.fileno()], "ICMP 0.0.0.0:0 UNCONNECTED")


@case("socket")
def packet(stack: ExitStack, folder: Path) -> Made:
    sock = stack.enter_context(socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3)))
    return Made([sock.fileno()], "PACKET raw ALL every interface")


@case("socket")
def vsock(stack: ExitStack, folder: Path) -> Made:
    sock = stack.enter_context(socket.socket(socket.AF_VSOCK))
    return Made([sock.fileno()], "VSOCK stream any:any UNCONNECTED")


@case("block")
def block_device(stack: ExitStack, folder: Path) -> Made:
    for name in sorted(os.listdir("/dev")):
        with contextlib.suppress(OSError):
            if os.stat(f"/dev/{name}").st_mode & 0o170000 == 0o060000:
                return Made([own(stack, os.open(f"/dev/{name}", os.O_PATH))], f"/dev/{name}")
    raise OSError("no block device here")


@case("file")
def path_only(stack: ExitStack, folder: Path) -> Made:
    return Made([own(stack, os.open("/etc/passwd", os.O_PATH))], "/etc/passwd")


@case("symlink")
def symbolic_link(stack: ExitStack, folder: Path) -> Made:
    path = folder / "link"
    path.symlink_to("nowhere")
    return Made([own(stack, os.open(path, os.O_PATH | os.O_NOFOLLOW))], str(path))


@case("namespace")
def namespace(stack: ExitStack, folder: Path) -> Made:
    number = own(stack, os.open("/proc/self/ns/net", os.O_RDONLY))
    return Made([number], f"net:[{os.fstat(number).st_ino}]")


@case("fanotify")
def fanotify(stack: ExitStack, folder: Path) -> Made:
    return Made([own(stack, libc().fanotify_init(0, 0))], "0 watches")


@case("io_uring")
def io_uring(stack: ExitStack, folder: Path) -> Made:
    return Made([own(stack, libc().syscall(425, 4, ctypes.create_string_buffer(120)))], "io_uring")


@case("userfaultfd")
def userfaultfd(stack: ExitStack, folder: Path) -> Made:
    return Made([own(stack, libc().syscall(323, 1))], "userfaultfd")


@case("perf")
def perf_event(stack: ExitStack, folder: Path) -> Made:
    attributes = ctypes.create_string_buffer(struct.pack("=IIQ", 1, 112, 0), 112)
    return Made([own(stack, libc().syscall(298, attributes, 0, -1, -1, 0))], "perf_event")


@case("bpf")
def bpf_map(stack: ExitStack, folder: Path) -> Made:
    attributes = ctypes.create_string_buffer(struct.pack("=IIII", 1, 4, 4, 1), 72)
    return Made([own(stack, libc().syscall(321, 0, attributes, 72))], "bpf-map")


LSOF_CENSUS = 33
"""How many kinds the census has that psutil was measured by."""


def of_lsof() -> int:
    """How many makers, from the first one, are of kinds in that census; those that follow are beyond it."""
    return [case.name for case in CASES].index("block_device")
