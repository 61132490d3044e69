"""The numbers open in this process where /proc does not list them: libproc, /dev/fd, or a scan.

Each source is tried once and kept when it lists a descriptor that is known to be open. What must never be put
here: what the numbers stand for.
"""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable

SCAN_LIMIT = 65_536
"""A scan ends here: containers have seen RLIMIT_NOFILE at 1,073,741,816 (lsof issue 281)."""

_DEVICE = "/dev/fd"


def device_numbers() -> list[int]:
    """What /dev/fd lists, its own descriptor included. FreeBSD without fdescfs lists 0 to 2 whatever is
    open.
    """
    return [int(name) for name in os.listdir(_DEVICE)]


def scan_numbers() -> list[int]:
    """Every number below the soft limit on open files that `fcntl` knows.

    The soft limit can have been lowered below a descriptor that is open: such a one is missed, and nothing
    short of a kernel's own list finds it.
    """
    if sys.platform == "win32":
        return []
    import fcntl
    import resource

    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    limit = SCAN_LIMIT if soft == resource.RLIM_INFINITY else min(soft, SCAN_LIMIT)
    found = []
    for number in range(limit):
        try:
            fcntl.fcntl(number, fcntl.F_GETFD)
        except OSError:
            continue
        found.append(number)
    return found


def libproc_numbers() -> list[int]:
    """What macOS's libproc lists for this process."""
    from samesock.ffi import libproc

    return [row.proc_fd for row in libproc.list_descriptors(os.getpid())]


def sources() -> list[Callable[[], list[int]]]:
    """The sources in the order in which they are tried: exact and cheap first."""
    return [libproc_numbers, device_numbers, scan_numbers]


def choose(candidates: list[Callable[[], list[int]]]) -> Callable[[], list[int]]:
    """The first source that lists a descriptor just opened above 2; `OSError` when none does."""
    witness = os.open(os.devnull, os.O_RDONLY)
    high = os.dup(witness)
    try:
        for candidate in candidates:
            try:
                if {witness, high} <= set(candidate()):
                    return candidate
            except (OSError, AttributeError, ValueError):
                continue
    finally:
        os.close(high)
        os.close(witness)
    raise OSError(f"no source lists this process's descriptors: tried {[c.__name__ for c in candidates]}")


@functools.cache
def _chosen() -> Callable[[], list[int]]:
    return choose(sources())


def own_numbers() -> list[int]:
    """The numbers open in this process, perhaps with one that the listing itself used."""
    return _chosen()()
