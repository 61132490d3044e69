"""Wine prefixes (the folder that plays the Windows machine): one template, and a pool of copies for the runs.

A prefix has one wineserver, so two runs in one prefix would share their named objects and die together when
either is ended. Each run therefore takes a prefix of its own, for as long as it lasts, under a lock that its
processes hold too; a new copy is made when all are taken. What runs inside is not known here."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from cache import LauncherError, built, is_whole, key_of, remove_tree, say, try_lock
from wines import Places, Wine

RECIPE = 2  # Raise it when the way of making a template changes.
NEEDED = (
    "system.reg",
    "user.reg",
    "drive_c/windows/system32/kernel32.dll",
    "dosdevices/c:",
    "drive_c/pycache",
)
KEPT = {"windows", "pycache"}
MOST = 64  # More than that many runs at once is a mistake, not a need.


@dataclass(frozen=True)
class Taken:
    """A prefix that is this run's alone while `lock` is open."""

    folder: Path
    lock: int


def template(cache: Path, wine: Wine) -> Path:
    """The prefix that all others are copies of (10 to 30 s the first time)."""
    inputs = {"recipe": RECIPE, "wine": wine.name}
    folder = cache / f"prefix-{key_of(inputs)}" / "template"

    def build(target: Path) -> None:
        say(f"making a Wine prefix in {folder} (10 to 30 s)")
        nothing = cache / "empty"  # Nothing to be seen of any checkout yet.
        nothing.mkdir(exist_ok=True)
        # Else Python makes C:pycache, a folder in the current one, which is the checkout.
        (target / "drive_c" / "pycache").mkdir(parents=True)
        places = Places(target, nothing, nothing)
        wine.link(places)
        # wineboot does not wait until its server has written the registry: -k has it done, -w waits for that.
        boot = ["sh", "-c", "wine wineboot -i; wineserver -k; wineserver -w"]
        line, directory, environment = wine.command(places, boot)
        subprocess.run(
            line, cwd=directory, env=environment, stdin=subprocess.DEVNULL, capture_output=True, check=False
        )

    return built(folder, inputs, NEEDED, build)


@contextlib.contextmanager
def taken(template_folder: Path, wine: Wine) -> Iterator[Taken]:
    """Take a free prefix, as clean as the template, for the time of a run."""
    pool = template_folder.parent
    for number in range(MOST):
        lock = try_lock(pool / f"{number}.lock")
        if lock is None:
            continue
        folder = pool / str(number)
        try:
            wine.stop(folder)
            _prepare(template_folder, folder)
            yield Taken(folder, lock)
        finally:
            wine.stop(folder)
            os.close(lock)
        return
    raise LauncherError(f"{MOST} runs are under way at once in {pool}: end some")


def _prepare(template_folder: Path, folder: Path) -> None:
    """Copy the template if this place is empty or half-copied, else take back what earlier runs did."""
    if is_whole(folder, NEEDED):
        _restore(template_folder, folder)
    else:
        _copy(template_folder, folder)


def _restore(template_folder: Path, folder: Path) -> None:
    """The template's registry, users and other folders; Wine's own files and Python's compiled ones stay."""
    for registry in template_folder.glob("*.reg"):
        shutil.copy2(registry, folder / registry.name)
    for name in {*os.listdir(folder / "drive_c")} - KEPT:
        old = folder / "drive_c" / name
        if old.is_symlink() or not old.is_dir():  # A link to a checkout is removed, never followed.
            old.unlink()
        else:
            remove_tree(old)
    for name in {*os.listdir(template_folder / "drive_c")} - KEPT:
        source = template_folder / "drive_c" / name
        if not source.is_symlink():
            shutil.copytree(source, folder / "drive_c" / name, symlinks=True)
    _keep_compiled(folder / "drive_c" / "pycache")


def _keep_compiled(pycache: Path) -> None:
    """Keep the interpreters' files alone: by mtime and size, Python cannot tell two checkouts' files apart."""
    for name in {*os.listdir(pycache)} - {"Pythons"}:
        remove_tree(pycache / name)


def _copy(template_folder: Path, folder: Path) -> None:
    """Wine's own 770 MB of DLLs become hard links: nothing writes to them."""
    temporary = folder.with_name(folder.name + ".part")
    for leftover in (temporary, folder):
        if os.path.lexists(leftover):
            remove_tree(leftover)
    windows = str(template_folder / "drive_c" / "windows") + os.sep

    def place(source: str, target: str) -> None:
        if source.startswith(windows):
            os.link(source, target, follow_symlinks=False)
        else:
            shutil.copy2(source, target, follow_symlinks=False)

    shutil.copytree(template_folder, temporary, symlinks=True, copy_function=place)
    temporary.rename(folder)
