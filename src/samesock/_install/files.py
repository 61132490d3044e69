"""What `os.stat` says of a socket's file: that it is a socket, where the system says otherwise.

The emulation's file is a plain one, and some Windows releases cannot stat a native socket's. Servers remove a stale
file only if `stat.S_ISSOCK(os.stat(path).st_mode)`. Only a plain file of exactly a record's size is looked into:
every other path costs one Python call more. What must never be put here: sockets.
"""

from __future__ import annotations

import functools
import os
import stat as _stat
import sys
from typing import Any

from samesock._install.patches import Patches
from samesock.backend import system
from samesock.unix import rendezvous, socket_file
from samesock.unix.rendezvous import Record

_CANT_ACCESS_FILE = socket_file.ERROR_CANT_ACCESS_FILE


def is_socket_file(path: str | bytes) -> bool:
    """Whether a Unix socket's file of any kind is at the path: the kernel's, Winsock's, or the emulation's."""
    try:
        status = _real_lstat(path)
    except OSError as error:
        return _is_native(path, error)
    return _stat.S_ISSOCK(status.st_mode) or _is_emulated(path, status)


def identity(path: str | bytes) -> tuple[object, ...] | None:
    """What tells the socket's file at the path from any later one there; `None` for no socket's file.

    The emulation's file says it itself. For others the system's number of the file has to do, which may be given
    again once the file is gone.
    """
    try:
        status = _real_lstat(path)
    except OSError:
        return None
    record = _record_at(path, status)
    if record is not None:
        return (record.id,)
    return (status.st_dev, status.st_ino) if _stat.S_ISSOCK(status.st_mode) else None


def _is_emulated(path: Any, status: os.stat_result) -> bool:
    return _record_at(path, status) is not None


def _record_at(path: Any, status: os.stat_result) -> Record | None:
    if status.st_size != rendezvous.SIZE or not _stat.S_ISREG(status.st_mode):
        return None
    try:
        file = system.open_record(os.fsencode(path))
    except OSError:
        return None
    try:
        return rendezvous.decode(file.data)
    finally:
        file.close()


def _is_native(path: Any, error: OSError) -> bool:
    code = getattr(error, "winerror", None)
    return code == _CANT_ACCESS_FILE and socket_file.is_socket_file(os.fsdecode(path))


_real_lstat = os.lstat
_WHOLE_PATHS = (str, bytes, os.PathLike)


def apply(patches: Patches) -> None:
    """Wrap `os.stat` and `os.lstat`, and stand in for them in the sets that tell what they can do."""
    for name in ("stat", "lstat"):
        original = getattr(os, name)
        wrapped = _wrapped(original)
        patches.set(os, name, wrapped)
        for abilities in (os.supports_dir_fd, os.supports_fd, os.supports_follow_symlinks):
            if original in abilities:
                _add(patches, abilities, wrapped)
        accessor: Any = getattr(sys.modules.get("pathlib"), "_NormalAccessor", None)
        if vars(accessor or object).get(name) is original:  # 3.10's pathlib keeps its own reference
            patches.set(accessor, name, staticmethod(wrapped))


def _add(patches: Patches, abilities: set[Any], wrapped: Any) -> None:
    patches.do(lambda: abilities.add(wrapped), lambda: abilities.discard(wrapped))


def _wrapped(original: Any) -> Any:
    size = rendezvous.SIZE

    @functools.wraps(original)
    def look(path: Any, *arguments: Any, **options: Any) -> os.stat_result:
        try:
            status: os.stat_result = original(path, *arguments, **options)
        except OSError as error:
            if options.get("dir_fd") is None and isinstance(path, _WHOLE_PATHS) and _is_native(path, error):
                return _as_socket(_real_lstat(path))
            raise
        if status.st_size != size or options.get("dir_fd") is not None or not isinstance(path, _WHOLE_PATHS):
            return status
        return _as_socket(status) if _is_emulated(path, status) else status

    return look


def _as_socket(status: os.stat_result) -> os.stat_result:
    """The same with the type of a socket."""
    reduced: Any = status.__reduce__()
    fields, more = reduced[1]
    mode = _stat.S_IFSOCK | _stat.S_IMODE(status.st_mode)
    return os.stat_result((mode, *fields[1:]), more)
