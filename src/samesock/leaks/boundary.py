"""Whether anything has changed since a key snapshot, for less than another snapshot costs.

Since Linux 6.2 the size of /proc/PID/fd is the number of open descriptors. One stat says that nothing was left open or
closed (3 us, and 11 between tests, with cold caches; by way of the link /proc/self it is 19); one fstat for each
descriptor that was there says that none became something else (together 22 us for 12, where a snapshot takes 38, and
twice that between tests). The second is left out where nothing was opened: what closes somebody's descriptor and takes
its number has to open something. What must never be put here: an answer "unchanged" for any other reason.
"""

from __future__ import annotations

import os
import sys
from stat import S_IFMT

from samesock.fdtable import Identity, Key


class Boundary:
    """What was open at one moment, in the form that is quickest to check."""

    def __init__(self, seen: dict[Key, Identity]) -> None:
        self._pid: int = os.getpid()
        self._folder: str = ""
        self._marks: list[tuple[int, int, int, int]] = []
        self._count = self._fill(seen) if sys.platform == "linux" else -1

    def _fill(self, seen: dict[Key, Identity]) -> int:
        """The number that the folder's size must have; -1 where the short way is not open."""
        try:
            for _, number in seen:
                about = os.fstat(number)
                if not S_IFMT(about.st_mode):
                    return (
                        -1
                    )  # epoll, eventfd and their like share one inode: only the snapshot tells them apart
                self._marks.append((number, about.st_dev, about.st_ino, about.st_mode))
            # Not by getpid(): /proc may count processes from another namespace.
            self._folder = f"/proc/{os.readlink('/proc/self')}/fd"
            count = os.stat(self._folder).st_size
        except OSError:
            return -1
        return count if count == len(seen) else -1

    def certainly_unchanged(self, nothing_opened: bool = False) -> bool:
        """Whether the same descriptors stand for the same objects, and there are no others.

        `nothing_opened`: tracing saw every call that opens, and there was none. (Compiled code that closes
        another's descriptor and opens its own in the same place escapes it until something else is opened.)
        """
        if self._count < 0:
            return False
        if self._pid != os.getpid():
            return False  # a child of the process that looked: the folder is its parent's
        fstat = os.fstat
        try:
            if os.stat(self._folder).st_size != self._count:
                return False
            if nothing_opened:
                return True
            for number, device, inode, mode in self._marks:
                about = fstat(number)
                if about.st_ino != inode or about.st_dev != device or about.st_mode != mode:
                    return False
        except OSError:
            return False
        return True
