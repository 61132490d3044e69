"""The words of the descriptor table: spaces, kinds and identities, as types.

Everything else in `fdtable` speaks in these words, the cheap key snapshot included, so nothing is imported
here but `typing`. What must never be put here: anything that asks the system a question.
"""

from __future__ import annotations

from typing import Literal

Space = Literal["fd", "socket", "handle"]
"""Which table a number belongs to. POSIX has "fd" alone. On Windows a CRT descriptor, a SOCKET and another
HANDLE can have the same number and be three objects."""

Identity = tuple[int | str, ...]
"""What tells two objects apart that had the same number one after the other. Compare it, never take it apart:
its length and its fields differ per system and per kind of object."""

Key = tuple[Space, int]
"""Which descriptor of a process: its table and its number."""

Kind = Literal[
    "file", "dir", "symlink", "pipe", "fifo", "char", "block", "tty", "console", "socket", "epoll", "kqueue",
    "eventfd", "timerfd", "signalfd", "inotify", "fanotify", "pidfd", "memfd", "userfaultfd", "io_uring", "bpf",
    "perf", "namespace", "iocp", "shm", "semaphore", "mqueue", "anon", "other",
]  # fmt: skip
"""What a descriptor is, by what the kernel says of it and never by how it was made."""
