"""The cache folder: where it is, how a thing is put into it whole or not at all, and who may touch it when.

Everything that the launcher fetches or makes is a *folder named by what went into it* (a key), built beside
its final place and renamed there when it is complete. So a folder that exists under its final name is whole,
one that was left half-made has another name and is swept away, and a change of any input gives another name.
Nothing here knows what is built: no Wine, no Python, no Debian."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

STAMP = ".stamp.json"


class LauncherError(Exception):
    """Something that the person who runs the launcher can mend; it says what was tried, and what helps."""


def cache_root() -> Path:
    """The folder for all of this: $SAMESOCK_CACHE, else the user's cache folder."""
    chosen = os.environ.get("SAMESOCK_CACHE")
    if chosen:
        return Path(chosen).resolve() / "wine"
    base = os.environ.get("XDG_CACHE_HOME")
    # The XDG specification says that a relative path there is to be ignored.
    home = Path(base) if base and os.path.isabs(base) else Path.home() / ".cache"
    return home / "samesock" / "wine"


def make_folder(folder: Path) -> None:
    """Make a folder if it is not there, or say in words that it cannot be made."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise LauncherError(
            f"cannot make the cache folder (SAMESOCK_CACHE chooses another): {error}"
        ) from error


def say(message: str) -> None:
    """One line of progress, on stderr so that the output of the program that is run stays its own."""
    print(f"{Path(sys.argv[0]).stem}: {message}", file=sys.stderr, flush=True)


def key_of(inputs: object) -> str:
    """A short name for these inputs: the same for equal ones, another for different ones."""
    text = json.dumps(inputs, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


@contextlib.contextmanager
def locked(path: Path, waiting_for: str) -> Iterator[None]:
    """Hold an exclusive lock on a file; say so once if somebody else has it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "ab") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"waiting for another run that is {waiting_for} ({path})")
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def try_lock(path: Path) -> int | None:
    """A descriptor that holds the lock on `path`, or None if somebody else holds it.

    The processes of a run may inherit the descriptor: the lock then lasts until the last of them is gone.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor


def is_whole(folder: Path, needed: tuple[str, ...]) -> bool:
    """Whether the folder was finished, and still has the files without which it is of no use."""
    return all(os.path.lexists(folder / name) for name in (STAMP, *needed))


def built(folder: Path, inputs: object, needed: tuple[str, ...], build: Callable[[Path], None]) -> Path:
    """Return `folder`, after building it with `build(temporary_folder)` unless it is there and whole.

    One builder at a time: a second process waits, and then finds the work done.
    """
    if is_whole(folder, needed):
        return folder
    with locked(folder.with_name(folder.name + ".lock"), f"making {folder.name}"):
        if not is_whole(folder, needed):
            _build(folder, inputs, needed, build)
    return folder


def _build(folder: Path, inputs: object, needed: tuple[str, ...], build: Callable[[Path], None]) -> None:
    """Build beside the final place, check, stamp, rename."""
    temporary = folder.with_name(folder.name + ".part")
    for leftover in (temporary, folder):
        if os.path.lexists(leftover):
            say(f"{leftover} is half-made or damaged: making it again")
            remove_tree(leftover)
    temporary.mkdir(parents=True)
    build(temporary)
    missing = [name for name in needed if not os.path.lexists(temporary / name)]
    if missing:
        raise LauncherError(f"made {temporary}, but it lacks {', '.join(missing)}")
    (temporary / STAMP).write_text(json.dumps(inputs, indent=1, sort_keys=True) + "\n")
    temporary.rename(folder)


def remove_tree(folder: Path) -> None:
    """Remove a folder of ours, and refuse if anything is mounted below it.

    A chroot with the host's /dev bound into it would take the host's devices along.
    """
    real = folder.resolve()
    mounted = [point for point in mount_points() if point == real or real in point.parents]
    if mounted:
        raise LauncherError(f"not removing {folder}: {mounted[0]} is mounted there; umount it first")
    shutil.rmtree(folder)


def mount_points() -> list[Path]:
    """Where something is mounted, as this process sees it."""
    try:
        lines = Path("/proc/self/mountinfo").read_text().splitlines()
    except OSError:
        return []
    # Field 5, with space, tab, newline and backslash written as \ooo (proc(5)).
    return [Path(line.split()[4].encode().decode("unicode_escape")) for line in lines]


def retried(what: str, attempt: Callable[[], None], tries: int = 4, first_wait: float = 3.0) -> None:
    """Call `attempt` until it succeeds, with growing waits between: mirrors and downloads stutter."""
    wait = first_wait
    for left in range(tries - 1, -1, -1):
        try:
            attempt()
            return
        except LauncherError as error:
            if not left:
                raise
            say(f"{what} failed, trying again in {wait:.0f} s: {error}")
            time.sleep(wait)
            wait *= 3
