"""What Winsock means when it refuses to bind or connect a Unix socket, in BSD's terms.

Its codes are few and say little: 10061 for any path that leads to no listener, 10050 or 10022 for most else.
What is meant is found by looking at the file system after the refusal. Nobody can tell what was there at the
moment itself; a name that comes or goes in between gives the answer that a call made a little later would
have had. What must never be put here: a call on a socket, and what libc answers.
"""

from __future__ import annotations

import _socket
import os
from typing import TYPE_CHECKING, Final

from samesock import _errors
from samesock.backend import system
from samesock.unix import rendezvous, socket_file

if TYPE_CHECKING:
    from collections.abc import Callable

WSAEINVAL: Final = 10022
WSAEOPNOTSUPP: Final = 10045
WSAENETDOWN: Final = 10050
WSAEISCONN: Final = 10056
WSAECONNREFUSED: Final = 10061

_WAY_OUT = "samesock.unix_path(name) gives a path elsewhere, SAMESOCK_UNIX=emulated needs no such sockets"


def of_bind(code: int, path: str, *, has_name: Callable[[], object]) -> OSError:
    """For a failed bind. `has_name` tells whether the socket had a name already."""
    tried = "binding a Unix socket"
    if code not in (WSAEINVAL, WSAENETDOWN, WSAEOPNOTSUPP):
        return _errors.error(code, tried, path)
    if has_name():
        return _errors.named_error("EINVAL", f"{tried} that has a name", path, code=code)
    if code == WSAEOPNOTSUPP:
        # curl PR 19812; ours never passes that option down.
        return _errors.error(
            code, f"{tried}; something has set SO_REUSEADDR on it, which Windows refuses here", path
        )
    missing = socket_file.directory_absence(path)
    if missing is not None:
        return _errors.named_error(missing, tried, path, code=code)
    # EPERM is what Linux answers on a volume without sockets, such as vfat.
    return _errors.named_error(
        "EPERM", f"{tried}; this volume may have none, only NTFS has; {_WAY_OUT}", path, code=code
    )


def of_connect(code: int, path: str, *, listens: Callable[[], object]) -> OSError:
    """For a failed connect. `listens` tells whether the socket itself is a listening one."""
    tried = "connecting a Unix socket"
    if code not in (WSAECONNREFUSED, WSAEINVAL, WSAENETDOWN, WSAEISCONN):
        return _errors.error(code, tried, path)
    missing = socket_file.absence(path)
    if missing is not None:
        return _errors.named_error(missing, tried, path, code=code)
    if code == WSAEISCONN:
        return _errors.error(code, tried, path)
    if code == WSAEINVAL and listens():
        return _errors.named_error("EINVAL", f"{tried} that listens", path, code=code)
    if code == WSAEINVAL and socket_file.is_socket_file(path):
        # microsoft/win32-app-isolation issue 16. Never ECONNREFUSED, on which programs unlink the file:
        # somebody may well be listening. bind and listen work in such a directory.
        return _errors.named_error(
            "EOPNOTSUPP",
            f"{tried}; Windows refuses that in directories which it virtualises for packaged programs and"
            f" their children, such as AppData and Temp; {_WAY_OUT}",
            path,
            code=code,
        )
    name = "EPROTOTYPE" if _is_emulated_of_another_type(path) else "ECONNREFUSED"
    return _errors.named_error(name, tried, path, code=code)


def _is_emulated_of_another_type(path: str) -> bool:
    """Whether a datagram or packet socket lives there: Windows' own have streams alone, so those are emulated."""
    try:
        file = system.open_record(os.fsencode(path))
    except OSError:
        return False
    try:
        record = rendezvous.decode(file.data)
        return record is not None and record.kind != _socket.SOCK_STREAM and file.live(record.id)
    finally:
        file.close()
