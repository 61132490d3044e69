"""A child with exactly some descriptors: `pass_fds`, and a note in an unlinked file that it inherits, too.

What must never be put here: what the note says (that is `samesock.fd.spawning`).
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from typing import Any

from samesock.fd import notes
from samesock.fd.descriptor import Descriptor, Thing
from samesock.fd.posix import state

assert sys.platform != "win32"


def spawn(
    args: Any, passed: Sequence[tuple[Thing, Descriptor]], environment: dict[str, str], popen: dict[str, Any]
) -> subprocess.Popen[Any]:
    """Write the note, start the child. A file has room for any number of lines, and nobody waits for it."""
    entries = [notes.Entry("fd", int(one), notes.state_of(thing), _identity(one)) for thing, one in passed]
    with tempfile.TemporaryFile() as note:
        note.write(notes.encode(entries))
        note.flush()
        environment[notes.VARIABLE] = str(note.fileno())
        numbers = {*popen.pop("pass_fds", ()), *(int(one) for _, one in passed), note.fileno()}
        return subprocess.Popen(args, env=environment, pass_fds=sorted(numbers), **popen)


def _identity(one: Descriptor) -> list[int]:
    about = os.fstat(one)
    return [about.st_dev, about.st_ino]


def take(value: str) -> list[Descriptor]:
    """The descriptors in the note; none where the number is no note of ours.

    A process further down that inherited the variable alone has another file, or nothing, under that number.
    """
    number = int(value)
    try:
        about = os.fstat(number)
        data = os.pread(number, about.st_size, 0) if about.st_nlink == 0 else b""
    except OSError:
        return []
    entries = notes.decode(data)
    if entries is None:
        return []
    os.close(number)
    return [notes.restore(entry, _taken(entry)) for entry in entries]


def _taken(entry: notes.Entry) -> Descriptor:
    one = Descriptor(entry.number)
    state.set_inheritable(one, False)
    return one


def closefrom(low: int) -> None:
    """Close what the system lists as open; a range up to the limit would be 2**30 calls in some containers."""
    for folder in ("/proc/self/fd", "/dev/fd"):
        if os.path.isdir(folder):
            numbers = sorted(int(name) for name in os.listdir(folder) if name.isdigit())
            break
    else:
        numbers = []
    highest = max([*numbers, low + 255])  # /dev/fd may list 0 to 2 alone (FreeBSD without fdescfs)
    os.closerange(low, highest + 1)
