"""The file of a native Unix socket: whether it is there, whether it is one, and its removal.

On Windows it is a reparse point (tag 0x80000023) that ordinary calls cannot open: they fail with error 1920,
and many programs took that for "not there". What must never be put here: sockets, and the emulation's files,
which are plain.
"""

from __future__ import annotations

import os
import secrets
import stat
from collections.abc import Callable
from typing import Any, Final

from samesock import _errors

IO_REPARSE_TAG_AF_UNIX: Final = 0x80000023
ERROR_CANT_ACCESS_FILE: Final = 1920


class FileCalls:
    """The file system's functions, as attributes that a test may set."""

    def __init__(self) -> None:
        self.lstat: Callable[..., os.stat_result] = os.lstat
        self.stat: Callable[..., os.stat_result] = os.stat
        self.unlink: Callable[..., None] = os.unlink
        self.rename: Callable[..., None] = os.rename
        self.scandir: Callable[..., Any] = os.scandir


files: FileCalls = FileCalls()


def socket_file_exists(path: str) -> bool:
    """Whether anything is at the path, a socket or not, readable or not."""
    return absence(path) is None


def absence(path: str) -> str | None:
    """Why nothing is at the path, as BSD's calls tell it: `ENOENT` or `ENOTDIR`; `None` if there is
    something.

    What cannot be looked at counts as being there: only a certain absence is reported as one.
    """
    try:
        is_link = stat.S_ISLNK(files.lstat(path).st_mode)
    except FileNotFoundError:
        # Windows says so of a path below a file, too.
        return "ENOTDIR" if _is_below_a_file(path) else "ENOENT"
    except NotADirectoryError:
        return "ENOTDIR"
    except OSError:
        return None
    if is_link:
        try:
            files.stat(path)
        except FileNotFoundError:
            return "ENOENT"
        except OSError:
            pass
    return None


def directory_absence(path: str) -> str | None:
    """The same for the directory that the path is in: `ENOTDIR`, too, if it is there and is none."""
    directory = os.path.dirname(path) or os.curdir
    return absence(directory) or ("ENOTDIR" if _is_directory(directory) is False else None)


def _is_directory(path: str) -> bool | None:
    """`None` if that cannot be told."""
    try:
        return stat.S_ISDIR(files.stat(path).st_mode)
    except OSError:
        return None


def _is_below_a_file(path: str) -> bool:
    above = os.path.dirname(path)
    while above and above != path:
        known = _is_directory(above)
        if known is not None:
            return not known
        path, above = above, os.path.dirname(above)
    return False


def is_socket_file(path: str) -> bool:
    """Whether a Unix socket's file is at the path; a link to one is none."""
    try:
        status = files.lstat(path)
    except OSError as error:
        return _code(error) == ERROR_CANT_ACCESS_FILE and _listed_tag(path) == IO_REPARSE_TAG_AF_UNIX
    return stat.S_ISSOCK(status.st_mode) or getattr(status, "st_reparse_tag", 0) == IO_REPARSE_TAG_AF_UNIX


def _code(error: OSError) -> int | None:
    code: int | None = getattr(error, "winerror", None)
    return code


def _listed_tag(path: str) -> int:
    """The reparse tag as the directory's listing has it, read without opening the file; 0 if unknown."""
    directory, name = os.path.split(path)
    try:
        with files.scandir(directory or os.curdir) as entries:
            for entry in entries:
                if os.path.normcase(entry.name) == os.path.normcase(name):
                    return int(getattr(entry.stat(follow_symlinks=False), "st_reparse_tag", 0))
    except OSError:
        pass
    return 0


def remove_socket_file(path: str) -> None:
    """Free the name of a socket's file: unlink it, or, where Windows refuses that, rename it aside in its
    directory.

    Only a socket's file is touched; for anything else `ENOTSOCK`, for nothing `ENOENT`. `OSError` naming the
    path if the name cannot be freed: some Windows releases let nobody open, delete or rename an orphaned
    socket, and then renaming the directory is the only way known, which is for the directory's owner to
    decide.

    Between the look and the unlink somebody else may put another file there; as with unlink(2), whoever may
    write to the directory is trusted.
    """
    tried = "removing a Unix socket's file"
    if not is_socket_file(path):
        missing = absence(path)
        if missing is not None:
            raise _errors.named_error(missing, tried, path)
        raise _errors.named_error("ENOTSOCK", f"{tried}; what is there is none, and is left as it is", path)
    try:
        files.unlink(path)
        return
    except OSError as error:
        code = _code(error)
        if code is None or isinstance(error, FileNotFoundError):
            raise
    aside = f"{path}.{secrets.token_hex(4)}.removed"
    try:
        files.rename(path, aside)
    except OSError:
        raise _errors.error(
            code, f"{tried}; renaming its directory is the only way known where Windows refuses this", path
        ) from None
    try:
        files.unlink(aside)
    except OSError:
        pass  # its name is free, which is what was asked for
