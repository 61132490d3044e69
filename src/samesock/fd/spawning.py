"""Handing descriptors to a child process: exactly some of them; and closing what a process should not keep.

What must never be put here: passing to a process that runs already.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

from samesock.fd import notes
from samesock.fd.descriptor import Descriptor, Thing

if sys.platform == "win32":
    from samesock.fd.windows import spawning as system
    from samesock.fd.windows.resolving import resolve
else:
    from samesock.fd.posix import spawning as system
    from samesock.fd.posix.resolving import resolve


def spawn_passing(args: Any, descriptors: Sequence[Thing], /, **popen: Any) -> subprocess.Popen[Any]:
    """Start a child that inherits exactly these descriptors, beside its standard streams.

    Arguments beside `descriptors` are `subprocess.Popen`'s. They stay open here. A child in Python gets them,
    in the same order, from `samesock.fd.inherited()`. Any other finds them under the number of `handle(d)`.
    A number that is not open is `EBADF`, and no child is started.

    Portability:
        Linux, macOS, FreeBSD: native (`pass_fds`). Windows: native (`handle_list`); a C runtime descriptor has
        no number there but its handle's. Wine: emulated for sockets (`WSADuplicateSocketW`, through
        a pipe of the child's): a child has them by `inherited()` alone, and must be the process that was started.

    References: POSIX `posix_spawn`; Win32 `PROC_THREAD_ATTRIBUTE_HANDLE_LIST`.
    """
    passed = [(thing, resolve(thing, "passing on")) for thing in descriptors]
    for _, one in passed:
        _require_open(one)
    given = popen.pop("env", None)
    environment = dict(os.environ if given is None else given)
    return system.spawn(args, passed, environment, popen)


def _require_open(one: Descriptor) -> None:
    from samesock.fd import state

    state.handle(one)


def inherited() -> list[Descriptor]:
    """The descriptors that `spawn_passing` gave this process, in its order; the first call has them, once.

    They are open, blocking as they were, and not inheritable any more. An empty list where nothing was passed,
    and on every later call. An emulated Unix socket that was passed as its
    object is one again for `samesock.socket(fileno=d)`.

    Portability:
        Linux, macOS, FreeBSD, Windows: native.
    """
    value = os.environ.pop(notes.VARIABLE, None)
    return [] if value is None else system.take(value)


def closefrom(low: int, /) -> None:
    """Close every descriptor numbered `low` or more, whoever owns it: for a process about to become another.

    Portability:
        Linux, macOS, FreeBSD: native. Windows: emulated, and for the C runtime's descriptors alone: sockets and
        handles are not numbered upwards.

    References: BSD `closefrom`.
    """
    system.closefrom(max(low, 0))
