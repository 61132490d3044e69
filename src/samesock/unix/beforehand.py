"""What calls of emulated sockets need, imported before the first of them, where a process may fork.

A child that is forked while another thread imports a module waits for ever when it imports that module too: CPython
gives it a new import lock, and leaves it the locks of the single modules as they were. So here nothing is left to be
imported in the middle of a call. It adds 50 ms to `import samesock`, and only where the emulation is forced: Windows
has no fork, and a kernel with AF_UNIX needs nothing of this. What must never be put here: anything but imports.
"""

from __future__ import annotations

import array  # noqa: F401
import fcntl  # noqa: F401
import logging  # noqa: F401
import pwd  # noqa: F401
import resource  # noqa: F401
import termios  # noqa: F401

import samesock._address
import samesock._connections
import samesock._disconnecting
import samesock._peer_option
import samesock._pickling
import samesock.fd.state
import samesock.ffi.libc
import samesock.unix.ancillary
import samesock.unix.datagram
import samesock.unix.loops
import samesock.unix.messages
import samesock.unix.pair
import samesock.unix.passing
import samesock.unix.passing_keys
import samesock.unix.peers
import samesock.unix.seqpacket  # noqa: F401
