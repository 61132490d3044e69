"""A place for a socket's file: short enough for every platform, private to the user.

What must never be put here: how a name is bound.
"""

from __future__ import annotations

import os

from samesock.backend import system

SHORTEST_LIMIT = 103
"""Bytes of a path that fit into `sun_path` everywhere: macOS and the BSDs have 104 with the NUL, others 108."""


def unix_path(name: str) -> str:
    """The path of a Unix socket called `name` in this user's private directory, which is made if needed.

    `name` is a plain file name. ValueError if it is not, or if the path would not fit every platform (the message
    says how many bytes are left); `PermissionError` naming the directory if it is not this user's alone.

    Portability:
        Linux, macOS, FreeBSD: native, in `$XDG_RUNTIME_DIR/samesock` or `/tmp/samesock-<uid>`. Windows: native, in
        the folder `samesock` of `%LOCALAPPDATA%`, closed to other users.
    """
    if not name or name in (".", "..") or any(c in name for c in '/\\:\0<>"|?*'):
        raise ValueError(f"a socket's name must be a plain file name, not {name!r}")
    path = os.path.join(system.private_directory(), name)
    length = len(os.fsencode(path))
    if length > SHORTEST_LIMIT:
        room = SHORTEST_LIMIT - (length - len(os.fsencode(name)))
        raise ValueError(
            f"the path {path!r} has {length} bytes; {SHORTEST_LIMIT} fit everywhere, so the name may have {room}"
        )
    return path
