"""The key snapshot: what is open in this process right now, as numbers and identities and nothing else.

A leak checker takes one at every test's boundary, so it must cost microseconds (Linux 6.18: 18 us at 3
descriptors, 57 us at 20) and must load neither ctypes nor psutil where the kernel needs neither. What must
never be put here: paths, addresses, owners or any other detail; those belong to `taking` and are read
only when two key snapshots differ.
"""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable
from stat import S_IFMT

from samesock.fdtable.words import Identity, Key

_PROC = "/proc/self/fd"


def anonymous_identity(number: int, device: int, inode: int) -> Identity:
    """The identity of an object without a file type: epoll, eventfd, inotify and their like share one inode.

    `readlink` tells the kinds apart, and an eventfd has an id of its own in fdinfo. The id tells living ones
    apart and is reused after them (seen on Linux 6.18: the next eventfd got the same one), and epoll and the
    rest have none: two that follow one another under the same number cannot be told apart.
    """
    link = os.readlink(f"{_PROC}/{number}")
    if link != "anon_inode:[eventfd]":
        return (device, inode, 0, link)
    with open(f"/proc/self/fdinfo/{number}") as lines:
        for line in lines:
            if line.startswith("eventfd-id:"):
                return (device, inode, 0, link, int(line[11:]))
    return (device, inode, 0, link)


def _stat_identity(number: int) -> Identity | None:
    """The identity of `number` by fstat alone; `None` when it is not open."""
    try:
        seen = os.fstat(number)
    except OSError:
        return None
    return (seen.st_dev, seen.st_ino, S_IFMT(seen.st_mode))


def procfs_keys() -> dict[Key, Identity]:
    """Every descriptor of this process, from /proc: the listing's own descriptor, gone by then, is left
    out.
    """
    found: dict[Key, Identity] = {}
    fstat = os.fstat
    for name in os.listdir(_PROC):
        number = int(name)
        try:
            seen = fstat(number)
            form = seen.st_mode & 0o170000
            if form:
                found["fd", number] = (seen.st_dev, seen.st_ino, form)
            else:
                found["fd", number] = anonymous_identity(number, seen.st_dev, seen.st_ino)
        except OSError:
            continue
    return found


def listed_keys(numbers: Callable[[], list[int]]) -> dict[Key, Identity]:
    """Every descriptor of this process, given a function that lists their numbers and perhaps its own
    besides.
    """
    found: dict[Key, Identity] = {}
    for number in numbers():
        identity = _stat_identity(number)
        if identity is not None:
            found["fd", number] = identity
    return found


@functools.cache
def _probe() -> Callable[[], dict[Key, Identity]]:
    """The cheapest source that works here, found by asking it for a descriptor that is known to be open."""
    if sys.platform == "win32":
        from samesock.fdtable.handles import handle_keys

        return handle_keys
    witness = os.open(os.devnull, os.O_RDONLY)
    try:
        try:
            if ("fd", witness) in procfs_keys():
                return procfs_keys
        except OSError:
            pass
        from samesock.fdtable.numbers import own_numbers

        return lambda: listed_keys(own_numbers)
    finally:
        os.close(witness)


def keys() -> dict[Key, Identity]:
    """What is open in this process: (space, number) and the identity of the object behind it.

    Two snapshots are compared with `==` and by set operations on their items. A number that was closed and
    opened again for another object has another identity; so has a socket on POSIX, always. Not told apart:
    the same file opened twice in a row, two epoll, eventfd, inotify, timerfd or signalfd objects that follow
    one another, and on a Windows that hides the kernel's addresses two sockets of one family and type with
    the same handle.

    On Windows the keys are the handles of type File (files, directories, pipes, sockets, consoles, devices):
    events, threads and the like come and go with the system's own libraries and are no business of a
    caller's. A handle behind a CRT descriptor appears once, as ("fd", number).

    Raises `OSError` when no source on this system can be read. Never blocks.

    Portability: native on Linux and Wine; declared native on Windows and macOS, where no run has shown it yet.
    Emulated by a scan of the numbers where the kernel lists none.
    """
    return _probe()()
