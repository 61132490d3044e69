"""The quick tries behind `features()`: each does one thing in this process and says which of the three words fits.

A probe answers by doing, never by a system's name, and cleans up. It may raise `OSError`, which means `absent`,
except for what says that the process is short of something. Here is what they share. What must never be put into
any of them: a second process, a signal, a wait without an end; those are for `samesock doctor`.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from typing import Literal

Support = Literal["native", "emulated", "absent"]

SECONDS = 5.0
"""How long one step may take on a busy machine; on a free one each takes less than a millisecond."""

_SHORTAGES = frozenset(
    getattr(errno, name, errno.EMFILE)
    for name in ("EMFILE", "ENFILE", "ENOMEM", "ENOBUFS", "ENOSPC", "EDQUOT", "WSAEMFILE")
)
_LONGEST_FOLDER = 80
"""Bytes: what fits into `sun_path` everywhere, less the names that are put below it."""


def tried(probe: Callable[[], Support]) -> Support:
    """The probe's answer: `absent` if the system refused. What is only a shortage is raised."""
    try:
        return probe()
    except OSError as error:
        raise_shortage(error)
        return "absent"


def raise_shortage(error: Exception) -> None:
    """Raise it if it says nothing of the system, only that this process, or the machine, has run out of something."""
    if isinstance(error, OSError) and error.errno in _SHORTAGES:
        raise error


@contextlib.contextmanager
def short_folder() -> Iterator[str]:
    """A new private folder with room for a socket's path, gone afterwards; TMPDIR may be too long for one."""
    folder = tempfile.mkdtemp(prefix="ss-")
    if len(os.fsencode(folder)) > _LONGEST_FOLDER:
        from samesock.backend import system

        os.rmdir(folder)
        folder = tempfile.mkdtemp(prefix="ss-", dir=system.private_directory())
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def pipe(stack: contextlib.ExitStack) -> tuple[int, int]:
    """A pipe's reading and writing end, closed with the stack."""
    ends = os.pipe()
    for number in ends:
        stack.callback(os.close, number)
    return ends
