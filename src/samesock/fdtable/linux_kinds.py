"""What Linux's /proc says of a descriptor, decoded: its kind from mode and link, its details from fdinfo.

Pure: text and numbers in, words out, so that it is tested without the objects. What must never be put here:
reading anything.
"""

from __future__ import annotations

import signal
import stat
from typing import NamedTuple

from samesock.fdtable.words import Kind

O_CLOEXEC = 0o2000000
O_PATH = 0o10000000
O_ACCMODE = 0o3

# Major numbers of character devices that are terminals (Documentation/admin-guide/devices.txt): 4 consoles
# and serial ports, 5 /dev/tty and /dev/ptmx, 136 to 143 pty slaves, 188 USB and 204 on-board serial ports.
_TERMINALS = frozenset((4, 5, 188, 204, *range(136, 144)))

_ANONYMOUS: dict[str, Kind] = {
    "[eventpoll]": "epoll", "[eventfd]": "eventfd", "inotify": "inotify", "[timerfd]": "timerfd",
    "[signalfd]": "signalfd", "[fanotify]": "fanotify", "[pidfd]": "pidfd", "[userfaultfd]": "userfaultfd",
    "[io_uring]": "io_uring", "[perf_event]": "perf", "bpf-map": "bpf", "bpf-prog": "bpf", "bpf_link": "bpf",
    "bpf_iter": "bpf", "btf": "bpf",
}  # fmt: skip

_FORMS: dict[int, Kind] = {stat.S_IFDIR: "dir", stat.S_IFBLK: "block", stat.S_IFLNK: "symlink"}

DETAILED: frozenset[Kind] = frozenset(
    ("epoll", "eventfd", "inotify", "timerfd", "signalfd", "fanotify", "pidfd", "tty")
)  # fmt: skip
"""The kinds of which fdinfo tells more than flags and position."""


def kind(mode: int, device: int, link: str) -> Kind:
    """The kind of an object with this st_mode, st_rdev and /proc link."""
    form = stat.S_IFMT(mode)
    if form == stat.S_IFSOCK:
        return "socket"
    if link.startswith("anon_inode:"):
        return _ANONYMOUS.get(link[11:], "anon")
    if form == stat.S_IFREG:
        return _regular(link)
    if form == stat.S_IFIFO:
        return "pipe" if link.startswith("pipe:") else "fifo"
    if form == stat.S_IFCHR:
        return "tty" if device >> 8 & 0xFFF in _TERMINALS else "char"
    return _FORMS.get(form) or ("other" if link.startswith("/") else "anon")


def _regular(link: str) -> Kind:
    if link.startswith("/memfd:"):
        return "memfd"
    if link.startswith("/"):
        return "file"
    # pidfds have a file system of their own since Linux 6.9; "net:[4026531840]" is a namespace.
    if link.startswith("pidfd:"):
        return "pidfd"
    return "namespace" if ":[" in link else "anon"


class FdInfo(NamedTuple):
    """What /proc/PID/fdinfo/N said, its repeated lines kept as lists."""

    flags: int | None
    lines: dict[str, list[str]]


def parse_fdinfo(text: str) -> FdInfo:
    """The lines of an fdinfo file as name and values; unknown lines are kept too, each kernel adds some."""
    lines: dict[str, list[str]] = {}
    for line in text.splitlines():
        name, _, value = line.partition(":")
        if name.startswith(("inotify ", "fanotify ")) and name != "fanotify flags":
            name = "watch"
        lines.setdefault(name.strip(), []).append(value.strip())
    try:
        flags = int(lines["flags"][0], 8)
    except (KeyError, ValueError):
        flags = None
    return FdInfo(flags, lines)


def access(flags: int) -> str | None:
    """Reading, writing or both by the open flags; "path" for O_PATH."""
    if flags & O_PATH:
        return "path"
    return ("r", "w", "rw", None)[flags & O_ACCMODE]


_CLOCKS = {"0": "CLOCK_REALTIME", "1": "CLOCK_MONOTONIC", "7": "CLOCK_BOOTTIME"}


def _numbers(rows: list[str]) -> str:
    """The first 16 watched descriptors of an epoll's "tfd:" rows."""
    seen = [row.split()[0] for row in rows]
    more = f" and {len(seen) - 16} more" if len(seen) > 16 else ""
    return ", ".join(seen[:16]) + more


def _signals(mask: str) -> str:
    """The names in a hexadecimal signal mask, bit 0 being signal 1."""
    bits = int(mask, 16)
    names = []
    for number in range(1, 65):
        if bits >> (number - 1) & 1:
            try:
                names.append(signal.Signals(number).name)
            except ValueError:
                names.append(str(number))
    return " ".join(names)


def detail(what: Kind, lines: dict[str, list[str]]) -> str:
    """One line about what the descriptor is for, "" when fdinfo says nothing of it."""
    if what == "epoll":
        return f"watching {_numbers(lines['tfd'])}" if "tfd" in lines else "watching nothing"
    if what == "eventfd" and "eventfd-count" in lines:
        # The kernel prints the count in hexadecimal without a prefix.
        return f"count {int(lines['eventfd-count'][0], 16)}"
    if what == "pidfd" and "Pid" in lines:
        pid = int(lines["Pid"][0])
        return f"process {pid}" if pid > 0 else "a process that has ended"
    if what == "timerfd" and "clockid" in lines:
        armed = lines.get("it_value", ["(0, 0)"])[0] != "(0, 0)"
        clock = _CLOCKS.get(lines["clockid"][0], f"clock {lines['clockid'][0]}")
        return f"{clock}, {'armed' if armed else 'not armed'}"
    if what == "signalfd" and "sigmask" in lines:
        return _signals(lines["sigmask"][0])
    if what in ("inotify", "fanotify"):
        count = len(lines.get("watch", []))
        return f"{count} watch{'' if count == 1 else 'es'}"
    if what == "tty" and "tty-index" in lines:
        return f"master of /dev/pts/{lines['tty-index'][0]}"
    return ""
