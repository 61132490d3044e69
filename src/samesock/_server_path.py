"""A server's socket at its path, in the place of one that an earlier server has left there.

For asyncio's servers and anyio's. What must never be put here: serving, and what becomes of the file afterwards.
"""

from __future__ import annotations

import errno
import os
import sys

from samesock._family import AF_UNIX
from samesock._socket import socket

_SOCK_STREAM = 1


def bound(path: str | bytes, mode: int | None) -> socket:
    """A new Unix socket bound to the path, in place of a socket's file that was there."""
    from samesock._install.files import is_socket_file

    if path and path[0] not in (0, "\0") and is_socket_file(path):
        try:
            os.unlink(path)
        except OSError:
            pass  # then bind says what is wrong
    sock = socket(AF_UNIX, _SOCK_STREAM)
    try:
        sock.bind(path)
        if mode is not None and sys.platform != "win32":
            os.chmod(path, mode)
    except OSError as error:
        sock.close()
        if error.errno == errno.EADDRINUSE:
            raise OSError(errno.EADDRINUSE, f"Address {path!r} is already in use") from None
        raise
    except BaseException:
        sock.close()
        raise
    return sock
