"""What this machine can do: `features()`, and the one table that says what each feature's name means.

The table below is the only place that names the features. A probe (in `_probes`) does the thing in this process, with
a byte or two; `samesock doctor` does it again between two processes and holds both against the platform's file. What
must never be put here: how a feature is tried, and anything that asks for the name of the system.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import NamedTuple

from samesock._probes import Support, descriptors, messages, tried, unix, waiting


class Feature(NamedTuple):
    """One row of the table."""

    meaning: str
    """What the word promises, in a sentence."""
    probe: Callable[[], Support]
    """What is done to find out."""
    forced: Support | None = None
    """What it is wherever `SAMESOCK_UNIX=emulated` forces the emulation, the same on every platform; `None` for
    what that does not touch."""


FEATURES: Mapping[str, Feature] = MappingProxyType(
    {
        "unix-stream": Feature(
            "AF_UNIX stream sockets: bind a path, listen, connect, accept.",
            unix.unix_stream,
            "emulated",
        ),
        "unix-dgram": Feature(
            "AF_UNIX datagram sockets, with the sender's path.", unix.unix_dgram, "emulated"
        ),
        "unix-seqpacket": Feature(
            "AF_UNIX sockets that keep the boundaries of messages.", unix.unix_seqpacket, "emulated"
        ),
        "unix-abstract": Feature(
            "AF_UNIX names that begin with a NUL and need no file.", unix.unix_abstract, "absent"
        ),
        "socketpair": Feature(
            "socketpair() gives two connected AF_UNIX stream sockets.", unix.socketpair, "emulated"
        ),
        "peercred": Feature(
            "peercred() tells who is at the other end of a Unix socket: `native` if the kernel says so of the "
            "socket, `emulated` if it is found out otherwise.",
            unix.peercred,
            "emulated",
        ),
        "sendmsg": Feature(
            "sendmsg() of a socket of any family sends several buffers in one call.", messages.sendmsg
        ),
        "recvmsg": Feature(
            "recvmsg() of a socket of any family tells of a message that was cut short.", messages.recvmsg
        ),
        "ancillary": Feature(
            "sendmsg() and recvmsg() carry control messages with an Internet datagram; those of Unix sockets are "
            "`passing`.",
            messages.ancillary,
        ),
        "passing": Feature(
            "send_fds() and recv_fds() pass open descriptors over a Unix socket.",
            messages.passing,
            "emulated",
        ),
        "select-socket": Feature("A selector waits for sockets.", waiting.select_socket),
        "select-pipe": Feature("A selector waits for pipes.", waiting.select_pipe),
        "select-console": Feature("A selector waits for terminals and consoles.", waiting.select_console),
        "select-file": Feature(
            "A selector takes regular files, which are always ready.", waiting.select_file
        ),
        "interrupt": Feature(
            "A signal, Ctrl+C among them, interrupts a socket's blocking call in the main thread.",
            waiting.interrupt,
        ),
        "wake": Feature("close(wake=True) in one thread ends a call that blocks in another.", waiting.wake),
        "inherit": Feature(
            "A socket that is made inheritable works in a child process under the same number.",
            descriptors.inherit,
        ),
        "fdtable": Feature("samesock.fdtable lists what this process has open.", descriptors.fdtable),
    }
)
"""Every feature by its name, in the order in which they are shown."""


@functools.cache
def features() -> Mapping[str, Support]:
    """Every feature's name mapped to `native`, `emulated` or `absent` on this machine; it cannot be changed.

    Found by doing each thing once in this process, which takes some milliseconds the first time (tenths of a
    second where sockets are emulated), and remembered. Nothing is left behind: no file, no descriptor, no thread;
    no signal is sent. `SAMESOCK_UNIX` is obeyed as it was when samesock was imported. Raises `OSError` if the
    process has no descriptors or no memory left for a try; that is not remembered.

    Portability:
        Linux, macOS, FreeBSD, Windows: native.
    """
    return MappingProxyType({name: tried(feature.probe) for name, feature in FEATURES.items()})
